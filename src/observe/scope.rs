use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Controls, Discard, Fact, Level, Observation, Observer, StepKind, StepOutcome, Timestamp};

/// The name of one delivery: unique, made where the task arrives.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeliveryKey(Arc<str>);

impl DeliveryKey {
    /// A new, random one. It begins with the moment it is made: who keeps many in an index adds at its end.
    #[must_use]
    pub fn random() -> Self {
        Self(format!("{:016x}{:016x}", Timestamp::now().0, rand::random::<u64>()).into())
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DeliveryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl From<&str> for DeliveryKey {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

tokio::task_local! {
    /// The innermost step the current task is in: what is called deep inside a transaction finds its place by it.
    static INNERMOST: Scope;
}

/// Where observations go and what they belong to. Cheap to clone.
#[derive(Clone)]
pub struct Scope {
    observer: Arc<dyn Observer>,
    delivery: Option<DeliveryKey>,
    step: u32,
    steps: Arc<AtomicU32>,
    controls: Option<Controls>,
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").field("delivery", &self.delivery).field("step", &self.step).finish_non_exhaustive()
    }
}

impl Scope {
    /// A scope outside any delivery.
    #[must_use]
    pub fn new(observer: Arc<dyn Observer>) -> Self {
        let controls = observer.controls();
        Self { observer, delivery: None, step: 0, steps: Arc::new(AtomicU32::new(0)), controls }
    }

    /// A scope nobody listens to.
    #[must_use]
    pub fn discard() -> Self {
        Self::new(Arc::new(Discard))
    }

    /// The scope of a delivery, with the same observer.
    #[must_use]
    pub fn delivery(&self, key: DeliveryKey) -> Self {
        Self { delivery: Some(key), step: 0, steps: Arc::new(AtomicU32::new(0)), ..self.clone() }
    }

    /// The delivery this scope belongs to.
    #[must_use]
    pub fn key(&self) -> Option<&DeliveryKey> {
        self.delivery.as_ref()
    }

    /// The step's number; 0 is the delivery itself.
    #[must_use]
    pub fn number(&self) -> u32 {
        self.step
    }

    /// The observer behind it.
    #[must_use]
    pub fn observer(&self) -> Arc<dyn Observer> {
        Arc::clone(&self.observer)
    }

    /// The breakpoints and faults of whoever observes, where somebody can step in.
    #[must_use]
    pub fn controls(&self) -> Option<&Controls> {
        self.controls.as_ref()
    }

    /// A step of this delivery that somebody else counts: what happens in it over there is placed in it here.
    #[must_use]
    pub fn at_step(&self, step: u32) -> Self {
        Self { step, ..self.clone() }
    }

    /// This scope, or the innermost step of the same delivery that the current task is running in.
    #[must_use]
    pub fn innermost(&self) -> Self {
        INNERMOST
            .try_with(|inner| (inner.delivery.is_some() && inner.delivery == self.delivery).then(|| inner.clone()))
            .ok()
            .flatten()
            .unwrap_or_else(|| self.clone())
    }

    /// The innermost step that the current task is running in, of whichever delivery.
    #[must_use]
    pub fn current() -> Option<Self> {
        INNERMOST.try_with(Self::clone).ok()
    }

    /// Reports a fact, here and now.
    pub fn emit(&self, fact: Fact) {
        self.observer.observe(Observation { at: Timestamp::now(), delivery: self.delivery.clone(), step: self.step, fact });
    }

    /// Reports a log line.
    pub fn log(&self, level: Level, target: &str, message: impl Into<String>) {
        self.emit(Fact::Log { level, target: target.into(), message: message.into() });
    }

    /// Begins a step inside this one.
    pub fn step(&self, step_kind: StepKind, name: &str, request: Option<Value>) -> Step {
        let mut inner = self.clone();
        inner.step = self.steps.fetch_add(1, Ordering::Relaxed) + 1;
        inner.emit(Fact::StepStarted { parent: self.step, step_kind, name: name.into(), request });
        Step { scope: inner, since: Instant::now() }
    }
}

/// A step that has begun and must be [ended](Step::end).
#[derive(Debug)]
#[must_use = "a step that is not ended looks as if it hung"]
pub struct Step {
    scope: Scope,
    since: Instant,
}

impl Step {
    /// The scope inside the step.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// Counts its time from now on: it waited before.
    pub fn begin_again(&mut self) {
        self.since = Instant::now();
    }

    /// Runs `work` inside the step: whatever it reports through a scope of the same delivery is placed here. The future
    /// doesn't borrow the step: it can be spawned, and the step ended when it was given up.
    pub fn run<F: Future>(&self, work: F) -> impl Future<Output = F::Output> + use<F> {
        INNERMOST.scope(self.scope.clone(), work)
    }

    /// Ends the step.
    pub fn end(self, outcome: StepOutcome, detail: Option<String>, request: Option<Value>) {
        let micros = u64::try_from(self.since.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.scope.emit(Fact::StepEnded { outcome, detail, request, micros });
    }
}

#[cfg(test)]
mod tests {
    use super::super::Memory;
    use super::*;

    #[tokio::test]
    async fn what_is_reported_inside_a_step_is_placed_in_it() {
        let memory = Arc::new(Memory::default());
        let scope = Scope::new(memory.clone()).delivery(DeliveryKey::random());
        let outer = scope.step(StepKind::Handler, "outer", None);
        outer
            .run(async {
                let inner = scope.innermost().step(StepKind::Execute, "inner", None);
                inner.run(async { scope.innermost().log(Level::Info, "test", "deep") }).await;
                inner.end(StepOutcome::Done, None, None);
                scope.innermost().log(Level::Info, "test", "shallow");
            })
            .await;
        outer.end(StepOutcome::Done, None, None);
        let placed: Vec<_> = memory
            .seen()
            .iter()
            .filter_map(|o| match &o.fact {
                Fact::Log { message, .. } => Some((message.clone(), o.step)),
                Fact::StepStarted { parent, name, .. } => Some((format!("{name} in {parent}"), o.step)),
                _ => None,
            })
            .collect();
        assert_eq!(placed, [("outer in 0".into(), 1), ("inner in 1".into(), 2), ("deep".into(), 2), ("shallow".to_string(), 1)]);
    }

    #[tokio::test]
    async fn a_step_of_one_delivery_never_takes_in_what_another_reports() {
        let memory = Arc::new(Memory::default());
        let one = Scope::new(memory.clone()).delivery(DeliveryKey::random());
        let other = Scope::new(memory.clone()).delivery(DeliveryKey::random());
        let step = one.step(StepKind::Handler, "one", None);
        step.run(async { assert_eq!(other.innermost().key(), other.key()) }).await;
        step.end(StepOutcome::Done, None, None);
    }
}
