use std::future::Future;

use async_trait::async_trait;
use futures::future::BoxFuture;
use thiserror::Error;

use super::Request;
use crate::extension::{Background, Context, HandlerError};

/// One thing a saga may do with a request. [`Saga::inject`](super::Saga::inject) has an example of one that is built with
/// what it needs; [`FnTransaction`] makes one of functions.
#[async_trait]
pub trait Transaction: Send + Sync {
    /// What it is called in traces.
    fn name(&self) -> &str;

    /// Whether this is the transaction for the request. An error ends the saga; nothing is compensated.
    async fn should_execute(&self, cx: &Context, request: &Request) -> Result<bool, HandlerError>;

    /// Does it.
    async fn execute(&self, cx: &Context, request: &Request) -> Result<Background, HandlerError>;

    /// Is called once when `execute` has failed, to undo what it did and to decide the answer. Without one of its own, a
    /// transaction passes the error on, and the task is delivered again.
    async fn compensate(&self, _: &Context, _: &Request, error: HandlerError) -> Result<Background, HandlerError> {
        Err(error)
    }
}

/// Why a saga did nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TransactionError {
    /// No transaction wanted to execute.
    #[error("Unable to select a transaction.")]
    NotSelected,
}

type Predicate = Box<dyn Fn(Context, Request) -> BoxFuture<'static, Result<bool, HandlerError>> + Send + Sync>;
type Execution = Box<dyn Fn(Context, Request) -> BoxFuture<'static, Result<Background, HandlerError>> + Send + Sync>;
type Compensation =
    Box<dyn Fn(Context, Request, HandlerError) -> BoxFuture<'static, Result<Background, HandlerError>> + Send + Sync>;

/// A transaction made of functions.
///
/// ```
/// use connect_console::extension::Background;
/// use connect_console::fulfillment::FnTransaction;
///
/// let order = FnTransaction::new(
///     "order",
///     |_, request| async move { Ok(request.status() == "pending") },
///     |_, _| async { Err("the vendor is away".into()) },
/// )
/// .compensate(|cx, _, error| async move {
///     cx.warning(format!("the order is taken back: {error}"));
///     Ok(Background::Fail(error.to_string()))
/// });
/// ```
pub struct FnTransaction {
    name: String,
    should_execute: Predicate,
    execute: Execution,
    compensate: Option<Compensation>,
}

impl FnTransaction {
    /// A transaction without a compensation.
    pub fn new<P, PFut, E, EFut>(name: impl Into<String>, should_execute: P, execute: E) -> Self
    where
        P: Fn(Context, Request) -> PFut + Send + Sync + 'static,
        PFut: Future<Output = Result<bool, HandlerError>> + Send + 'static,
        E: Fn(Context, Request) -> EFut + Send + Sync + 'static,
        EFut: Future<Output = Result<Background, HandlerError>> + Send + 'static,
    {
        Self {
            name: name.into(),
            should_execute: Box::new(move |cx, request| Box::pin(should_execute(cx, request))),
            execute: Box::new(move |cx, request| Box::pin(execute(cx, request))),
            compensate: None,
        }
    }

    /// The same with a compensation.
    #[must_use]
    pub fn compensate<C, Fut>(mut self, compensate: C) -> Self
    where
        C: Fn(Context, Request, HandlerError) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Background, HandlerError>> + Send + 'static,
    {
        self.compensate = Some(Box::new(move |cx, request, error| Box::pin(compensate(cx, request, error))));
        self
    }
}

#[async_trait]
impl Transaction for FnTransaction {
    fn name(&self) -> &str {
        &self.name
    }

    async fn should_execute(&self, cx: &Context, request: &Request) -> Result<bool, HandlerError> {
        (self.should_execute)(cx.clone(), request.clone()).await
    }

    async fn execute(&self, cx: &Context, request: &Request) -> Result<Background, HandlerError> {
        (self.execute)(cx.clone(), request.clone()).await
    }

    async fn compensate(&self, cx: &Context, request: &Request, error: HandlerError) -> Result<Background, HandlerError> {
        match &self.compensate {
            Some(compensate) => compensate(cx.clone(), request.clone(), error).await,
            None => Err(error),
        }
    }
}
