//! The transactions somebody waits for, and those a schedule calls: there is nothing to select, so each is a handler.

use std::future::Future;
use std::sync::Arc;

use async_trait::async_trait;
use futures::future::BoxFuture;
use serde_json::Value;

use super::{Request, trace};
use crate::extension::{Context, HandlerError, Interactive, Scheduled};
use crate::observe::{StepKind, StepOutcome};

/// Answers an interactive event: a product action, a custom event.
#[async_trait]
pub trait InteractiveTransaction: Send + Sync {
    /// What it is called in traces.
    fn name(&self) -> &str;

    /// Answers.
    async fn execute(&self, cx: &Context, data: &Value) -> Result<Interactive, HandlerError>;
}

/// Checks a draft request. What is wrong it marks on the parameters; the answer is the request as it leaves it.
#[async_trait]
pub trait ValidationTransaction: Send + Sync {
    /// What it is called in traces.
    fn name(&self) -> &str;

    /// Checks.
    async fn validate(&self, cx: &Context, request: &Request) -> Result<(), HandlerError>;
}

/// Is called by a schedule, with the schedule.
#[async_trait]
pub trait ScheduledTransaction: Send + Sync {
    /// What it is called in traces.
    fn name(&self) -> &str;

    /// Does it.
    async fn handle(&self, cx: &Context, schedule: &Value) -> Result<Scheduled, HandlerError>;
}

/// What an extension's handler answers.
pub type Handled<R> = BoxFuture<'static, Result<R, HandlerError>>;

/// The transaction as a handler for [`Extension::interactive`](crate::extension::Extension::interactive).
///
/// ```
/// use connect_console::extension::{Extension, Interactive};
/// use connect_console::fulfillment::{FnInteractive, interactive};
/// use serde_json::json;
///
/// let about = FnInteractive::new("about", |_, _| async { Ok(Interactive::ok(json!({"version": 1}))) });
/// let extension = Extension::new("x", "1").interactive("product_custom_event_processing", &[], interactive(about));
/// ```
pub fn interactive(
    transaction: impl InteractiveTransaction + 'static,
) -> impl Fn(Context, Value) -> Handled<Interactive> + Send + Sync + 'static {
    let transaction = Arc::new(transaction);
    move |cx, data| {
        let transaction = Arc::clone(&transaction);
        Box::pin(async move {
            let request = Request::from(data.clone());
            let work = transaction.execute(&cx, &data);
            trace::step(&cx, StepKind::Execute, transaction.name(), &request, work, interactive_answer).await
        })
    }
}

/// The transaction as a handler of a validation event.
///
/// ```
/// use connect_console::connect::Param;
/// use connect_console::extension::Extension;
/// use connect_console::fulfillment::{FnValidation, validation};
///
/// let seats = FnValidation::new("seats", |_, request| async move {
///     request.change_asset(|asset| {
///         if asset.param_text("seats") == Some("0") {
///             asset.set_param(Param::new("seats").error("at least one"));
///         }
///     });
///     Ok(())
/// });
/// let extension = Extension::new("x", "1").interactive("asset_purchase_request_validation", &["draft"], validation(seats));
/// ```
pub fn validation(
    transaction: impl ValidationTransaction + 'static,
) -> impl Fn(Context, Value) -> Handled<Interactive> + Send + Sync + 'static {
    let transaction = Arc::new(transaction);
    move |cx, data| {
        let transaction = Arc::clone(&transaction);
        Box::pin(async move {
            let request = Request::from(data);
            let work = async {
                transaction.validate(&cx, &request).await?;
                Ok(Interactive::ok(request.raw()))
            };
            trace::step(&cx, StepKind::Execute, transaction.name(), &request, work, interactive_answer).await
        })
    }
}

/// The transaction as a handler for [`Extension::schedulable`](crate::extension::Extension::schedulable).
///
/// ```
/// use connect_console::extension::{Extension, Scheduled};
/// use connect_console::fulfillment::{FnScheduled, scheduled};
///
/// let report = FnScheduled::new("report", |cx, schedule| async move {
///     cx.info(format!("the report of {}", schedule["id"]));
///     Ok(Scheduled::Done)
/// });
/// let extension = Extension::new("x", "1").schedulable("report", "Report", "Sends the report.", scheduled(report));
/// ```
pub fn scheduled(
    transaction: impl ScheduledTransaction + 'static,
) -> impl Fn(Context, Value) -> Handled<Scheduled> + Send + Sync + 'static {
    let transaction = Arc::new(transaction);
    move |cx, schedule| {
        let transaction = Arc::clone(&transaction);
        Box::pin(async move {
            let request = Request::from(schedule.clone());
            let work = transaction.handle(&cx, &schedule);
            trace::step(&cx, StepKind::Execute, transaction.name(), &request, work, |result| match result {
                Ok(Scheduled::Done) => (StepOutcome::Done, None),
                Ok(Scheduled::Fail(why)) => (StepOutcome::Done, Some(format!("fail: {why}"))),
                Err(error) => (StepOutcome::Failed, Some(trace::report(error))),
            })
            .await
        })
    }
}

fn interactive_answer(result: &Result<Interactive, HandlerError>) -> trace::Ending {
    match result {
        Ok(Interactive { http_status, failed: Some(why), .. }) => (StepOutcome::Done, Some(format!("{http_status}: {why}"))),
        Ok(Interactive { http_status, .. }) => (StepOutcome::Done, Some(http_status.to_string())),
        Err(error) => (StepOutcome::Failed, Some(trace::report(error))),
    }
}

/// A transaction of one of these kinds made of a function.
macro_rules! functional {
    ($(#[$doc:meta])* $name:ident: $kind:ident::$method:ident($given:ty as $taken:ty) -> $answer:ty) => {
        $(#[$doc])*
        pub struct $name {
            name: String,
            function: Box<dyn Fn(Context, $taken) -> Handled<$answer> + Send + Sync>,
        }

        impl $name {
            /// The transaction that calls `function`.
            pub fn new<F, Fut>(name: impl Into<String>, function: F) -> Self
            where
                F: Fn(Context, $taken) -> Fut + Send + Sync + 'static,
                Fut: Future<Output = Result<$answer, HandlerError>> + Send + 'static,
            {
                Self { name: name.into(), function: Box::new(move |cx, given| Box::pin(function(cx, given))) }
            }
        }

        #[async_trait]
        impl $kind for $name {
            fn name(&self) -> &str {
                &self.name
            }

            async fn $method(&self, cx: &Context, given: $given) -> Result<$answer, HandlerError> {
                (self.function)(cx.clone(), given.clone()).await
            }
        }
    };
}

functional! {
    /// An interactive transaction made of a function.
    FnInteractive: InteractiveTransaction::execute(&Value as Value) -> Interactive
}
functional! {
    /// A validation made of a function.
    FnValidation: ValidationTransaction::validate(&Request as Request) -> ()
}
functional! {
    /// A scheduled transaction made of a function.
    FnScheduled: ScheduledTransaction::handle(&Value as Value) -> Scheduled
}
