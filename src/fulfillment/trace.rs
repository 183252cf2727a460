//! Steps of a trace around what a saga does.

use std::future::Future;
use std::time::Duration;

use thiserror::Error;

use super::Request;
use crate::extension::{Background, Context, HandlerError};
use crate::observe::control::Verdict;
use crate::observe::{StepKind, StepOutcome};

/// How a step ended, and in words.
pub(super) type Ending = (StepOutcome, Option<String>);

/// Runs `work` as a step of the delivery.
pub(super) async fn step<T>(
    cx: &Context,
    kind: StepKind,
    name: &str,
    request: &Request,
    work: impl Future<Output = Result<T, HandlerError>>,
    ending: impl FnOnce(&Result<T, HandlerError>) -> Ending,
) -> Result<T, HandlerError> {
    let never = |why: String| Err(why.into());
    step_or(cx, (kind, name), request, work, ending, never).await
}

/// The same for a step that can be stopped before; `skipped` is what it comes to when it is passed over.
pub(super) async fn step_or<T>(
    cx: &Context,
    (kind, name): (StepKind, &str),
    request: &Request,
    work: impl Future<Output = Result<T, HandlerError>>,
    ending: impl FnOnce(&Result<T, HandlerError>) -> Ending,
    skipped: impl FnOnce(String) -> Result<T, HandlerError>,
) -> Result<T, HandlerError> {
    let before = request.raw();
    let shown = (kind != StepKind::Decision).then(|| before.clone());
    let mut step = cx.scope.innermost().step(kind, name, shown);
    let verdict = match cx.scope.controls() {
        Some(controls) => controls.before(step.scope(), kind, name, || Some(before.clone())).await,
        None => Verdict::Run,
    };
    step.begin_again();
    let result = match verdict {
        Verdict::Run => step.run(work).await,
        Verdict::Late(millis) => {
            tokio::time::sleep(Duration::from_millis(millis)).await;
            step.run(work).await
        }
        Verdict::Skip(why) => skipped(why),
        Verdict::Abort(why) => Err(Aborted(why).into()),
        Verdict::Fail(why) => Err(why.into()),
    };
    let after = request.raw();
    let (outcome, detail) = ending(&result);
    step.end(outcome, detail, (after != before).then_some(after));
    result
}

/// A developer ended the delivery at a breakpoint: nothing is compensated.
#[derive(Debug, Error)]
#[error("{0}")]
pub(super) struct Aborted(String);

/// How a step ends that answers or fails.
pub(super) fn answer(result: &Result<Background, HandlerError>) -> Ending {
    match result {
        Ok(answer) => (StepOutcome::Done, Some(words(answer))),
        Err(error) => (StepOutcome::Failed, Some(report(error))),
    }
}

/// The answer in words: `reschedule in 30 s`, `fail: no licence left`.
pub(super) fn words(answer: &Background) -> String {
    let output = answer.output();
    let what = output.result.as_str();
    match output.message {
        Some(why) => format!("{what}: {why}"),
        None if output.countdown > 0 => format!("{what} in {} s", output.countdown),
        None => what.to_owned(),
    }
}

/// An error with all its causes.
pub(super) fn report(error: &HandlerError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        // Many errors repeat their cause in their own text.
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        cause = inner.source();
    }
    text
}
