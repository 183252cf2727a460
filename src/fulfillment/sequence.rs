use std::future::Future;
use std::sync::Arc;

use async_trait::async_trait;
use futures::future::BoxFuture;
use thiserror::Error;

use super::{FnTransaction, Request, Transaction, trace};
use crate::extension::{Background, Context, HandlerError};
use crate::observe::{StepKind, StepOutcome};

/// A step of a [`Sequence`].
#[async_trait]
pub trait SequenceStep: Send + Sync {
    /// What it is called in traces.
    fn name(&self) -> &str;

    /// Does it. After [`Background::Done`] the next step follows; any other answer is the answer of the sequence, and
    /// [`Background::Fail`] undoes what was done before.
    async fn run(&self, cx: &Context, request: &Request) -> Result<Background, HandlerError>;

    /// Undoes what `run` did, because a later step failed.
    async fn undo(&self, _: &Context, _: &Request) -> Result<(), HandlerError> {
        Ok(())
    }
}

/// A transaction made of steps. They run in order; when one fails, those that were done before it are undone, the last
/// first, and the transaction fails. The step that failed is not undone: it clears up after itself.
///
/// ```
/// use connect_console::extension::Background;
/// use connect_console::fulfillment::{FnStep, Saga, Sequence};
///
/// let purchase = Sequence::new("purchase", |_, request| async move { Ok(request.status() == "pending") })
///     .step(FnStep::new("create tenant", |_, _| async { Ok(Background::Done) }).undo(|cx, _| async move {
///         cx.warning("the tenant is removed again");
///         Ok(())
///     }))
///     .step(FnStep::new("create user", |_, _| async { Err("no licence left".into()) }));
/// let saga = Saga::new("purchase").transaction(purchase);
/// ```
///
/// Each step and each undoing is a step of the trace. A delivery after a `Reschedule` begins with the first step again. Steps
/// that are given up in the middle (the task ran out of time) are not undone.
pub struct Sequence {
    steps: Vec<Arc<dyn SequenceStep>>,
    /// Its name, when it should execute, and what it answers when it failed.
    around: FnTransaction,
}

impl Sequence {
    /// A sequence without steps yet, for the requests `should_execute` says.
    pub fn new<P, Fut>(name: impl Into<String>, should_execute: P) -> Self
    where
        P: Fn(Context, Request) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<bool, HandlerError>> + Send + 'static,
    {
        let around = FnTransaction::new(name, should_execute, |_, _| async { Ok(Background::Done) });
        Self { steps: Vec::new(), around }
    }

    /// Adds a step, run after those before it.
    #[must_use]
    pub fn step(mut self, step: impl SequenceStep + 'static) -> Self {
        self.steps.push(Arc::new(step));
        self
    }

    /// Says what to answer when a step failed and those before it are undone; the error is a [`SequenceError`]. Without it
    /// the error is passed on, and the task delivered again.
    #[must_use]
    pub fn compensate<C, Fut>(mut self, compensate: C) -> Self
    where
        C: Fn(Context, Request, HandlerError) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Background, HandlerError>> + Send + 'static,
    {
        self.around = self.around.compensate(compensate);
        self
    }

    /// Undoes these steps, the last first, each whatever became of the others; says which could not be. An error is a
    /// developer's abort.
    async fn undo(&self, cx: &Context, request: &Request, done: &[Arc<dyn SequenceStep>]) -> Result<Vec<Left>, HandlerError> {
        let mut left = Vec::new();
        for step in done.iter().rev() {
            let undoing = step.undo(cx, request);
            let ending = |result: &Result<(), HandlerError>| match result {
                Ok(()) => (StepOutcome::Done, None),
                Err(error) => (StepOutcome::Failed, Some(trace::report(error))),
            };
            let place = (StepKind::Compensate, step.name());
            let undone = trace::step_or(cx, place, request, undoing, ending, |why| Err(why.into()));
            match undone.await {
                Ok(()) => {}
                Err(error) if error.is::<trace::Aborted>() => return Err(error),
                Err(error) => left.push(Left { step: step.name().to_owned(), reason: trace::report(&error) }),
            }
        }
        Ok(left)
    }
}

/// Why a sequence failed.
#[derive(Debug, Error)]
#[error("the step `{step}` failed: {source}{}", left.iter().map(Left::in_words).collect::<String>())]
pub struct SequenceError {
    /// The step that failed.
    pub step: String,
    /// What it failed with.
    pub source: HandlerError,
    /// The steps before it that could not be undone.
    pub left: Vec<Left>,
}

/// A step that could not be undone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// Its name.
    pub step: String,
    /// Why not.
    pub reason: String,
}

impl Left {
    fn in_words(&self) -> String {
        format!("; and `{}` could not be undone: {}", self.step, self.reason)
    }
}

#[async_trait]
impl Transaction for Sequence {
    fn name(&self) -> &str {
        self.around.name()
    }

    async fn should_execute(&self, cx: &Context, request: &Request) -> Result<bool, HandlerError> {
        self.around.should_execute(cx, request).await
    }

    async fn execute(&self, cx: &Context, request: &Request) -> Result<Background, HandlerError> {
        for (place, step) in self.steps.iter().enumerate() {
            let done = self.steps.get(..place).unwrap_or_default();
            let running = step.run(cx, request);
            let place = (StepKind::Execute, step.name());
            match trace::step_or(cx, place, request, running, trace::answer, |_| Ok(Background::Done)).await {
                Ok(Background::Done) => {}
                Ok(Background::Fail(why)) => {
                    let left = self.undo(cx, request, done).await?;
                    return Ok(Background::Fail(why + &left.iter().map(Left::in_words).collect::<String>()));
                }
                Ok(answer) => return Ok(answer),
                Err(source) if source.is::<trace::Aborted>() => return Err(source),
                Err(source) => {
                    let left = self.undo(cx, request, done).await?;
                    return Err(SequenceError { step: step.name().to_owned(), source, left }.into());
                }
            }
        }
        Ok(Background::Done)
    }

    async fn compensate(&self, cx: &Context, request: &Request, error: HandlerError) -> Result<Background, HandlerError> {
        Transaction::compensate(&self.around, cx, request, error).await
    }
}

type Run = Box<dyn Fn(Context, Request) -> BoxFuture<'static, Result<Background, HandlerError>> + Send + Sync>;
type Undo = Box<dyn Fn(Context, Request) -> BoxFuture<'static, Result<(), HandlerError>> + Send + Sync>;

/// A step made of functions.
pub struct FnStep {
    name: String,
    run: Run,
    undo: Option<Undo>,
}

impl FnStep {
    /// A step with nothing to undo.
    pub fn new<R, Fut>(name: impl Into<String>, run: R) -> Self
    where
        R: Fn(Context, Request) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Background, HandlerError>> + Send + 'static,
    {
        Self { name: name.into(), run: Box::new(move |cx, request| Box::pin(run(cx, request))), undo: None }
    }

    /// The same with what undoes it.
    #[must_use]
    pub fn undo<U, Fut>(mut self, undo: U) -> Self
    where
        U: Fn(Context, Request) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), HandlerError>> + Send + 'static,
    {
        self.undo = Some(Box::new(move |cx, request| Box::pin(undo(cx, request))));
        self
    }
}

#[async_trait]
impl SequenceStep for FnStep {
    fn name(&self) -> &str {
        &self.name
    }

    async fn run(&self, cx: &Context, request: &Request) -> Result<Background, HandlerError> {
        (self.run)(cx.clone(), request.clone()).await
    }

    async fn undo(&self, cx: &Context, request: &Request) -> Result<(), HandlerError> {
        match &self.undo {
            Some(undo) => undo(cx.clone(), request.clone()).await,
            None => Ok(()),
        }
    }
}
