use super::{StepTrace, Trace};
use crate::observe::{StepKind, StepOutcome};

impl Trace {
    /// Why a delivery was skipped, failed or is tried again: what in its steps led to it.
    pub(super) fn in_words(&self) -> Option<String> {
        let result = self.delivery.result.as_deref()?;
        let message = self.delivery.message.as_deref().unwrap_or_default();
        if !matches!(result, "skip" | "retry" | "fail") {
            return None;
        }
        let timed_out = message.contains("did not answer within") || message.trim_end().ends_with("TimeoutError");
        if let Some(injected) = self.steps.iter().flat_map(|step| &step.injected).next() {
            return Some(if timed_out { format!("it timed out: {injected}") } else { injected.clone() });
        }
        if message.starts_with("The request status does not match") {
            let status = self.delivery.object_status.as_deref().map(|s| format!(" (it is {s})")).unwrap_or_default();
            return Some(format!("the status did not match{status}: {message}"));
        }
        if let Some(step) = self.last_failed(StepKind::Compensate) {
            return Some(format!("the compensation of {} failed too: {}", step.name, step.reason()));
        }
        if let Some(step) = self.last_failed(StepKind::Decision) {
            return Some(format!("a predicate failed: should_execute of {}: {}", step.name, step.reason()));
        }
        if timed_out {
            let open = self.steps.iter().rev().find(|step| step.ended.is_none() || step.step_kind == StepKind::Handler);
            let place = open.map(|step| format!(" in {} {}", step.step_kind, step.name)).unwrap_or_default();
            return Some(format!("it timed out{place}"));
        }
        self.of_saga().or_else(|| self.of_middleware(result)).or_else(|| self.of_execution(result))
    }

    fn last_failed(&self, kind: StepKind) -> Option<&StepTrace> {
        self.steps.iter().rev().find(|step| step.step_kind == kind && step.outcome == Some(StepOutcome::Failed))
    }

    /// A saga that came to no execution.
    fn of_saga(&self) -> Option<String> {
        let saga = self.last_failed(StepKind::Saga)?;
        let inside = || self.steps.iter().filter(|step| step.parent == saga.step);
        let asked: Vec<&str> =
            inside().filter(|step| step.step_kind == StepKind::Decision).map(|step| step.name.as_str()).collect();
        match (asked.as_slice(), saga.reason().contains("Unable to select a transaction")) {
            ([], true) => Some(format!("nothing was selected: the saga {} has no transactions", saga.name)),
            (names, true) => Some(format!("nothing was selected: none of {} should execute", names.join(", "))),
            ([], false) if inside().next().is_none() => {
                Some(format!("the saga {} could not be built: {}", saga.name, saga.reason()))
            }
            _ => None,
        }
    }

    /// A middleware that answered by itself, or failed by itself.
    fn of_middleware(&self, result: &str) -> Option<String> {
        let innermost = self.steps.iter().rev().find(|step| step.step_kind == StepKind::Middleware)?;
        let executed = self.steps.iter().any(|step| step.step_kind == StepKind::Execute);
        if executed {
            return None;
        }
        let how = if innermost.outcome == Some(StepOutcome::Failed) { "failed" } else { "answered" };
        Some(format!("the middleware {} {how} without calling on ({result}): {}", innermost.name, innermost.reason()))
    }

    fn of_execution(&self, result: &str) -> Option<String> {
        let failed = self.last_failed(StepKind::Execute);
        if let Some(step) = failed {
            let compensated = self.steps.iter().rev().find(|one| one.step_kind == StepKind::Compensate && one.name == step.name);
            let then = match compensated {
                Some(one) if one.reason().starts_with("passes the error on") => "its compensation passes the error on",
                Some(_) if result == "retry" => "its compensation failed",
                Some(_) => "it was compensated",
                None => "nothing compensates it",
            };
            return Some(format!("{} failed and {then}: {}", step.name, step.reason()));
        }
        let step = self.steps.iter().rev().find(|step| step.step_kind == StepKind::Execute)?;
        Some(format!("{} answered so: {}", step.name, step.reason()))
    }
}

impl StepTrace {
    /// What it ended with, on one line.
    fn reason(&self) -> String {
        self.detail.as_deref().and_then(|text| text.lines().next()).unwrap_or("without a word").to_owned()
    }
}
