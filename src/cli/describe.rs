use crate::observe::control::Release;
use crate::observe::{Fact, LinkState, StepOutcome};

use super::output::span;

/// What was seen, in words; `whole` adds payloads.
pub(super) fn describe(fact: &Fact, whole: bool) -> String {
    match fact {
        Fact::Link { state, detail } => format!("link {}: {detail}", link(*state)),
        Fact::FrameRejected { reason, bytes, .. } => format!("a frame of {bytes} bytes was rejected: {reason}"),
        Fact::Extension { name, version, .. } => format!("extension {name} {version}"),
        Fact::Configured { message, variables, .. } => format!("{message} ({} variables)", variables.len()),
        Fact::TaskQueued { event_type, object_id, task_id, .. } => format!("queued {event_type} {object_id} as {task_id}"),
        Fact::TaskArrived(task) => format!("task {} {} {}", task.task_id, task.event_type, task.object_id),
        Fact::ObjectFetched { object } => {
            let status = object.text_of(&["status", "state"]).unwrap_or_else(|| "-".into());
            with_payload(format!("fetched, status {status}"), whole.then(|| &**object))
        }
        Fact::ApiCall(call) => {
            let answer = call.status.map_or_else(|| call.error.clone().unwrap_or_default(), |s| s.to_string());
            format!("{} {} -> {answer} in {}", call.method, call.path, span(call.micros))
        }
        Fact::StepStarted { step_kind, name, .. } => format!("{step_kind} {name}"),
        Fact::StepEnded { outcome, detail, micros, .. } => {
            let detail = detail.as_ref().map(|d| format!(": {d}")).unwrap_or_default();
            format!("{} in {}{detail}", ended(*outcome), span(*micros))
        }
        Fact::Held { step_kind, name, .. } => format!("held before {step_kind} {name}"),
        Fact::Released { how, micros } => format!("let go after {}: {}", span(*micros), released(*how)),
        Fact::Injected { what } => format!("INJECTED: {what}"),
        Fact::StoreCall(call) => {
            let at = format!("{} {} {}.{}", call.backend, call.operation, call.database, call.collection);
            let answer = call.error.as_ref().map_or_else(
                || call.output.as_ref().map(ToString::to_string).unwrap_or_default(),
                |error| format!("failed: {error}"),
            );
            format!("{at} -> {answer} in {}", span(call.micros))
        }
        Fact::Log { level, target, message } => format!("{level} {target}: {message}"),
        Fact::Answered(answer) => {
            let again = if answer.countdown > 0 { format!(" in {} s", answer.countdown) } else { String::new() };
            let reason = answer.message.as_ref().map(|m| format!(": {m}")).unwrap_or_default();
            format!("{}{again} after {}{reason}", answer.result, span(answer.micros))
        }
        Fact::ResultSent { task_id } => format!("result of {task_id} sent"),
        Fact::Interrupted { reason } => format!("interrupted: {reason}"),
        Fact::RunnerGone { reason } => format!("no runner: {reason}"),
        Fact::RunnerBack { instance } => format!("the runner {instance} is back and still has the task"),
        Fact::RedeliveryScheduled { task_id, object_id, due } => {
            format!("{object_id} ({task_id}) comes again at {}", super::output::clock(*due))
        }
        Fact::Marked { task_id, marks, detail } => {
            let marks = marks.iter().map(|mark| mark.as_str()).collect::<Vec<_>>().join(", ");
            format!("{task_id} is {marks}{}{detail}", if detail.is_empty() { "" } else { ": " })
        }
        Fact::Pinned { delivery, pinned } => format!("delivery {delivery} {}", if *pinned { "pinned" } else { "unpinned" }),
        Fact::Variables { what, names } => format!("variables {what}: {}", names.join(", ")),
    }
}

fn with_payload(text: String, payload: Option<&serde_json::Value>) -> String {
    match payload.and_then(|p| serde_json::to_string_pretty(p).ok()) {
        Some(pretty) => format!("{text}\n{pretty}"),
        None => text,
    }
}

fn link(state: LinkState) -> &'static str {
    match state {
        LinkState::Connecting => "connecting",
        LinkState::Connected => "connected",
        LinkState::Waiting => "waiting",
        LinkState::Closed => "closed",
    }
}

fn released(how: Release) -> &'static str {
    match how {
        Release::Continue => "it goes on",
        Release::Skip => "the step is skipped",
        Release::Abort => "the delivery is aborted",
    }
}

fn ended(outcome: StepOutcome) -> &'static str {
    match outcome {
        StepOutcome::Done => "done",
        StepOutcome::Yes => "yes",
        StepOutcome::No => "no",
        StepOutcome::Failed => "failed",
    }
}
