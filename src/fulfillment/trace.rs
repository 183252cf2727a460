//! Steps of a trace around what a saga does.

use std::future::Future;

use super::Request;
use crate::extension::{Background, Context, HandlerError};
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
    let before = request.raw();
    let shown = (kind != StepKind::Decision).then(|| before.clone());
    let step = cx.scope.innermost().step(kind, name, shown);
    let result = step.run(work).await;
    let after = request.raw();
    let (outcome, detail) = ending(&result);
    step.end(outcome, detail, (after != before).then_some(after));
    result
}

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
