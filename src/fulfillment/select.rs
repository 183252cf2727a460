use std::sync::Arc;

use super::trace::{self, Aborted, report};
use super::{Request, Transaction, TransactionError};
use crate::extension::{Background, Context, HandlerError};
use crate::observe::{StepKind, StepOutcome};

/// The first transaction that should execute; those after it are not asked. [`Saga::resolve`](super::Saga::resolve) does this,
/// [`prepare`] and the middlewares in one.
///
/// ```
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// use connect_console::connect::ClientBuilder;
/// use connect_console::extension::{Background, Config, Context};
/// use connect_console::fulfillment::{FnTransaction, Request, Transaction, prepare, select};
/// use std::sync::Arc;
///
/// let transaction = |name: &'static str, yes| -> Arc<dyn Transaction> {
///     let execute = move |_, _| async move { Ok(Background::Skip(Some(name.into()))) };
///     Arc::new(FnTransaction::new(name, move |_, _| async move { Ok(yes) }, execute))
/// };
/// let all = [transaction("first", false), transaction("second", true), transaction("third", true)];
/// # let client = ClientBuilder::new("http://127.0.0.1:9", "ApiKey none".into()).build()?;
/// # let (cx, request) = (Context::new(client, Config::default()), Request::default());
/// let selected = select(&cx, &all, &request).await?;
/// let answer = prepare(Arc::clone(selected)).call(&cx, &request).await?;
/// assert_eq!(answer, Background::Skip(Some("second".into())));
/// # Ok::<(), connect_console::extension::HandlerError>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
/// ```
///
/// # Errors
/// [`TransactionError::NotSelected`] when none should; and whatever a transaction fails with when it is asked.
pub async fn select<'a>(
    cx: &Context,
    transactions: &'a [Arc<dyn Transaction>],
    request: &Request,
) -> Result<&'a Arc<dyn Transaction>, HandlerError> {
    for transaction in transactions {
        let asked = transaction.should_execute(cx, request);
        let ending = |decision: &Result<bool, HandlerError>| match decision {
            Ok(true) => (StepOutcome::Yes, None),
            Ok(false) => (StepOutcome::No, None),
            Err(error) => (StepOutcome::Failed, Some(report(error))),
        };
        let place = (StepKind::Decision, transaction.name());
        if trace::step_or(cx, place, request, asked, ending, |_| Ok(false)).await? {
            return Ok(transaction);
        }
    }
    Err(TransactionError::NotSelected.into())
}

/// A transaction ready to be run: [`prepare`] makes it.
#[derive(Clone)]
pub struct Prepared(Arc<dyn Transaction>);

/// Ties a transaction's execution and its compensation together.
#[must_use]
pub fn prepare(transaction: Arc<dyn Transaction>) -> Prepared {
    Prepared(transaction)
}

impl Prepared {
    /// Executes the transaction; if that fails, compensates it once and answers what the compensation answers.
    ///
    /// # Errors
    /// What the compensation fails with, which by default is the error of the execution.
    pub async fn call(&self, cx: &Context, request: &Request) -> Result<Background, HandlerError> {
        let transaction = self.0.as_ref();
        let execution = transaction.execute(cx, request);
        let place = (StepKind::Execute, transaction.name());
        let skip = |why| Ok(Background::Skip(Some(why)));
        let error = match trace::step_or(cx, place, request, execution, trace::answer, skip).await {
            Ok(answer) => return Ok(answer),
            Err(error) if error.is::<Aborted>() => return Err(error),
            Err(error) => error,
        };
        let cause = report(&error);
        let compensation = transaction.compensate(cx, request, error);
        let ending = |result: &Result<Background, HandlerError>| match result {
            // To undo and then let the task be delivered again is no failure of the compensation.
            Err(error) if report(error) == cause => (StepOutcome::Done, Some(format!("passes the error on: {cause}"))),
            result => trace::answer(result),
        };
        let place = (StepKind::Compensate, transaction.name());
        trace::step_or(cx, place, request, compensation, ending, |_| Err(cause.clone().into())).await
    }
}
