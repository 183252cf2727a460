use super::{StepTrace, Trace};
use crate::observe::control::ABORTED;
use crate::observe::{Fact, StepKind, StepOutcome};

/// What the step of a middleware says at the end when nothing inside was asked.
const SILENT: &str = " (without calling on)";

/// What the thread of a Python extension is told that hangs in a step when its task's time is over.
const OVER: &str = "the delivery is over";

impl Trace {
    /// Why a delivery was skipped, failed, is tried again or was never answered: what in its steps led to it.
    pub(super) fn in_words(&self) -> Option<String> {
        let Some(result) = self.delivery.result.as_deref() else { return self.of_interruption() };
        let message = self.delivery.message.as_deref().unwrap_or_default();
        if !matches!(result, "skip" | "retry" | "fail") {
            return None;
        }
        if let Some(aborted) = self.injected().map(|(_, what)| what).find(|what| what.starts_with(ABORTED)) {
            return Some(aborted.to_owned());
        }
        if message.starts_with("The request status does not match") {
            let status = self.delivery.object_status.as_deref().map(|s| format!(" (it is {s})")).unwrap_or_default();
            return Some(format!("the status did not match{status}: {message}"));
        }
        if let Some(step) = self.last_failed(StepKind::Compensate) {
            return Some(format!("the compensation of {} failed too: {}", step.name, self.reason(step)));
        }
        if let Some(step) = self.last_failed(StepKind::Decision) {
            return Some(format!("a predicate failed: should_execute of {}: {}", step.name, self.reason(step)));
        }
        if message.contains("did not answer within") || message.trim_end().ends_with("TimeoutError") {
            return Some(self.of_time());
        }
        self.of_saga().or_else(|| self.of_middleware()).or_else(|| self.of_execution(result))
    }

    fn last_failed(&self, kind: StepKind) -> Option<&StepTrace> {
        self.steps
            .iter()
            .rev()
            .find(|step| step.step_kind == kind && step.outcome == Some(StepOutcome::Failed) && !step.given_up())
    }

    /// What was injected, with the step it was injected into.
    fn injected(&self) -> impl Iterator<Item = (&StepTrace, &str)> {
        self.steps.iter().flat_map(|step| step.injected.iter().map(move |what| (step, what.as_str())))
    }

    /// What a step ended with, on one line; what was injected is said as if the step had said so itself, and marked.
    fn reason(&self, step: &StepTrace) -> String {
        let (words, injected) = self.plain(step.reason());
        if injected && !words.contains("injected") { format!("{words} (injected)") } else { words }
    }

    /// A text without the words that say into what something was injected, and whether something was.
    fn plain(&self, text: &str) -> (String, bool) {
        let (mut plain, mut injected) = (text.to_owned(), false);
        for (step, what) in self.injected() {
            let what = what.lines().next().unwrap_or_default();
            if plain.contains(what) {
                let place = format!("injected into {} {}: ", step.step_kind, step.name);
                plain = plain.replace(what, what.strip_prefix(&place).unwrap_or(what));
                injected = true;
            }
        }
        (plain, injected)
    }

    /// What a message says beyond [`why`](Self::why): all of it, or what follows the lines that are told already.
    #[must_use]
    pub fn untold<'a>(&self, message: &'a str) -> &'a str {
        let mut rest = message.trim_end();
        let Some(why) = &self.why else { return rest };
        let handler = self.steps.iter().find(|step| step.step_kind == StepKind::Handler);
        let said = |line: &str| {
            let line = handler.and_then(|step| line.strip_prefix(step.name.as_str())?.strip_prefix(": ")).unwrap_or(line);
            why.contains(self.plain(line.trim()).0.as_str())
        };
        while !rest.is_empty() {
            let (line, after) = rest.split_once('\n').unwrap_or((rest, ""));
            if !said(line) {
                break;
            }
            rest = after;
        }
        rest
    }

    /// Whether a step ran on when the time was over. In a Python extension its thread is told so later, and the step ends.
    fn outlives(&self, step: &StepTrace) -> bool {
        let answered = self.delivery.micros.map(|micros| self.delivery.arrived_at.0.saturating_add_unsigned(micros));
        step.given_up() || answered.is_some_and(|answered| step.ended.is_some_and(|ended| ended.0 > answered))
    }

    /// Where it was when whoever handled it was gone.
    fn of_interruption(&self) -> Option<String> {
        let reason = self.outside.iter().rev().find_map(|row| match &row.observation.fact {
            Fact::Interrupted { reason } | Fact::RunnerGone { reason } => Some(Some(reason)),
            Fact::RunnerBack { .. } => Some(None),
            _ => None,
        })??;
        let Some(step) = self.steps.iter().rev().find(|step| step.ended.is_none()) else {
            return Some(format!("interrupted: {reason}"));
        };
        let held = matches!(step.seen.last().map(|row| &row.observation.fact), Some(Fact::Held { .. }));
        let place = if held { "at the breakpoint before" } else { "in" };
        Some(format!("interrupted {place} {} {}: {reason}", step.step_kind, step.name))
    }

    /// Where its time went.
    fn of_time(&self) -> String {
        let slow = |what: &str| what.ends_with("it hangs") || what.ends_with(" ms late");
        let slowed = |step: &StepTrace| step.injected.iter().rev().find(|what| slow(what)).cloned();
        let open = self.steps.iter().rev().find(|step| self.outlives(step) || step.step_kind == StepKind::Handler);
        if let Some(what) = open.and_then(slowed) {
            return format!("it timed out: {what}");
        }
        let place = open.map(|step| format!(" in {} {}", step.step_kind, step.name)).unwrap_or_default();
        let before = self.steps.iter().rev().find_map(slowed).map(|what| format!(" ({what})")).unwrap_or_default();
        format!("it timed out{place}{before}")
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
                Some(format!("the saga {} could not be built: {}", saga.name, self.reason(saga)))
            }
            _ => None,
        }
    }

    /// A middleware that answered by itself, or failed by itself.
    fn of_middleware(&self) -> Option<String> {
        let innermost = self.steps.iter().rev().find(|step| step.step_kind == StepKind::Middleware)?;
        let executed = self.steps.iter().any(|step| step.step_kind == StepKind::Execute);
        if executed {
            return None;
        }
        let how = if innermost.outcome == Some(StepOutcome::Failed) { "failed" } else { "answered" };
        let reason = self.reason(innermost);
        // The step's own words say so, too.
        let reason = reason.strip_suffix(SILENT).unwrap_or(&reason);
        Some(format!("the middleware {} {how} without calling on: {reason}", innermost.name))
    }

    fn of_execution(&self, result: &str) -> Option<String> {
        let failed = self.last_failed(StepKind::Execute);
        if let Some(step) = failed {
            // A step of a sequence is compensated by the sequence around it.
            let named = |one: &&StepTrace| self.around(step).any(|executed| executed.name == one.name);
            let compensated = self.steps.iter().rev().filter(|one| one.step_kind == StepKind::Compensate).find(named);
            let then = match compensated {
                Some(one) if one.reason().starts_with("passes the error on") => "its compensation passes the error on",
                Some(_) if result == "retry" => "its compensation failed",
                Some(_) => "it was compensated",
                None => "nothing compensates it",
            };
            return Some(format!("{} failed and {then}: {}", step.name, self.reason(step)));
        }
        let step = self.steps.iter().rev().find(|step| step.step_kind == StepKind::Execute)?;
        Some(format!("{} answered so: {}", step.name, self.reason(step)))
    }

    /// An execution and those it lies in.
    fn around<'a>(&'a self, step: &'a StepTrace) -> impl Iterator<Item = &'a StepTrace> {
        let outer = std::iter::successors(Some(step), |inner| self.step(inner.parent));
        outer.filter(|one| one.step_kind == StepKind::Execute)
    }
}

impl StepTrace {
    /// Whether it never came to an end of its own.
    fn given_up(&self) -> bool {
        self.ended.is_none() || self.detail.as_deref() == Some(OVER)
    }

    /// What it ended with, on one line.
    fn reason(&self) -> &str {
        self.detail.as_deref().and_then(|text| text.lines().next()).unwrap_or("without a word")
    }
}
