use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use futures::future::BoxFuture;

use super::{Prepared, Request, trace};
use crate::extension::{Background, Context, HandlerError};
use crate::observe::{StepKind, StepOutcome};

/// Something around the selected transaction: it may change the request before, the answer after, or answer itself
/// without calling on. What it fails with is not compensated.
///
/// ```
/// use connect_console::extension::{Background, Context, HandlerError};
/// use connect_console::fulfillment::{FnMiddleware, Middleware, Next, Request, Saga, async_trait};
///
/// struct OnlyPurchases;
///
/// #[async_trait]
/// impl Middleware for OnlyPurchases {
///     fn name(&self) -> &str {
///         "only purchases"
///     }
///
///     async fn handle(&self, _: &Context, request: &Request, next: Next) -> Result<Background, HandlerError> {
///         if request.request_type() != "purchase" {
///             return Ok(Background::Skip(Some("it is no purchase".into())));
///         }
///         next.run(request).await
///     }
/// }
///
/// let timing = FnMiddleware::new("timing", |cx, request, next: Next| async move {
///     let began = std::time::Instant::now();
///     let answer = next.run(&request).await;
///     cx.info(format!("it took {:?}", began.elapsed()));
///     answer
/// });
/// // The first listed is the outermost.
/// let saga = Saga::new("purchase").middleware(timing).middleware(OnlyPurchases);
/// ```
#[async_trait]
pub trait Middleware: Send + Sync {
    /// What it is called in traces.
    fn name(&self) -> &str;

    /// Handles the request; `next` is what lies inside.
    async fn handle(&self, cx: &Context, request: &Request, next: Next) -> Result<Background, HandlerError>;
}

/// The rest of the way: the middlewares further inside, and the transaction.
#[derive(Clone)]
pub struct Next {
    cx: Context,
    inside: Arc<[Arc<dyn Middleware>]>,
    at: usize,
    transaction: Prepared,
    called: Arc<AtomicBool>,
}

impl Next {
    pub(super) fn new(cx: Context, middlewares: Vec<Arc<dyn Middleware>>, transaction: Prepared) -> Self {
        Self { cx, inside: middlewares.into(), at: 0, transaction, called: Arc::default() }
    }

    /// Goes on with the request. Each clone may do so again.
    ///
    /// # Errors
    /// Whatever a middleware or the transaction's compensation fails with.
    pub async fn run(self, request: &Request) -> Result<Background, HandlerError> {
        self.called.store(true, Ordering::Relaxed);
        let Some(middleware) = self.inside.get(self.at) else { return self.transaction.call(&self.cx, request).await };
        let called = Arc::new(AtomicBool::new(false));
        let next = Self { at: self.at + 1, called: Arc::clone(&called), ..self.clone() };
        let handling = middleware.handle(&self.cx, request, next);
        trace::step(&self.cx, StepKind::Middleware, middleware.name(), request, handling, |result| match result {
            // The classic silent failure: nothing inside was ever asked.
            Ok(answer) if !called.load(Ordering::Relaxed) => {
                (StepOutcome::Done, Some(format!("{} (without calling on)", trace::words(answer))))
            }
            result => trace::answer(result),
        })
        .await
    }
}

type Handling = Box<dyn Fn(Context, Request, Next) -> BoxFuture<'static, Result<Background, HandlerError>> + Send + Sync>;

/// A middleware made of a function.
pub struct FnMiddleware {
    name: String,
    handle: Handling,
}

impl FnMiddleware {
    /// The middleware that calls `handle`.
    pub fn new<F, Fut>(name: impl Into<String>, handle: F) -> Self
    where
        F: Fn(Context, Request, Next) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Background, HandlerError>> + Send + 'static,
    {
        Self { name: name.into(), handle: Box::new(move |cx, request, next| Box::pin(handle(cx, request, next))) }
    }
}

#[async_trait]
impl Middleware for FnMiddleware {
    fn name(&self) -> &str {
        &self.name
    }

    async fn handle(&self, cx: &Context, request: &Request, next: Next) -> Result<Background, HandlerError> {
        (self.handle)(cx.clone(), request.clone(), next).await
    }
}
