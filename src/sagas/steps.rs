use std::collections::HashMap;

use serde::Serialize;
use serde_json::Value;

use super::change::{Change, changes};
use crate::journal::{DeliveryRow, ObservationRow};
use crate::observe::{Fact, StepKind, StepOutcome, Timestamp};

/// The steps of one delivery.
#[derive(Debug, Clone, Serialize)]
pub struct Trace {
    /// The delivery.
    #[serde(flatten)]
    pub delivery: DeliveryRow,
    /// Why it was skipped, is tried again or was never answered, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// In the order they began.
    pub steps: Vec<StepTrace>,
    /// What was seen outside of all steps: the look-ups before, the result after.
    pub outside: Vec<ObservationRow>,
}

/// One step.
#[derive(Debug, Clone, Serialize)]
pub struct StepTrace {
    /// Its number in the delivery.
    pub step: u32,
    /// That of the step around it; 0 is the delivery itself.
    pub parent: u32,
    /// How deep it lies; 0 for the handler.
    pub depth: usize,
    /// What sort of step.
    pub step_kind: StepKind,
    /// Its name.
    pub name: String,
    /// When it began.
    pub begun: Timestamp,
    /// When it ended, if it did.
    pub ended: Option<Timestamp>,
    /// How long it took, in microseconds, the time at a breakpoint apart.
    pub micros: Option<u64>,
    /// How it ended.
    pub outcome: Option<StepOutcome>,
    /// Its answer or its error, in words.
    pub detail: Option<String>,
    /// The request as it found it. A decision has none of its own: it is that of the saga.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<Value>,
    /// What it changed in it.
    pub changes: Vec<Change>,
    /// What was injected into it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub injected: Vec<String>,
    /// What was seen in it and in no step inside it: API calls, store calls, log lines.
    pub seen: Vec<ObservationRow>,
}

impl Trace {
    /// Reads the observations of a delivery.
    #[must_use]
    pub fn of(delivery: DeliveryRow, rows: Vec<ObservationRow>) -> Self {
        let mut trace = Self { delivery, why: None, steps: Vec::new(), outside: Vec::new() };
        let mut places: HashMap<u32, usize> = HashMap::new();
        for row in rows {
            let (number, at) = (row.observation.step, row.observation.at);
            if let Fact::StepStarted { parent, step_kind, name, request } = row.observation.fact {
                let depth = places.get(&parent).and_then(|at| trace.steps.get(*at)).map_or(0, |around| around.depth + 1);
                places.insert(number, trace.steps.len());
                let (ended, micros, outcome, detail) = (None, None, None, None);
                let (changes, injected, seen) = (Vec::new(), Vec::new(), Vec::new());
                let (step, begun) = (number, at);
                trace.steps.push(StepTrace {
                    step,
                    parent,
                    depth,
                    step_kind,
                    name,
                    begun,
                    ended,
                    micros,
                    outcome,
                    detail,
                    request,
                    changes,
                    injected,
                    seen,
                });
                continue;
            }
            match places.get(&number).and_then(|place| trace.steps.get_mut(*place)) {
                Some(step) => step.take(row),
                None => trace.outside.push(row),
            }
        }
        trace.why = trace.in_words();
        trace
    }

    /// The step of a number.
    #[must_use]
    pub fn step(&self, number: u32) -> Option<&StepTrace> {
        self.steps.iter().find(|step| step.step == number)
    }

    /// The request as a step found it: its own, or that of the steps around it.
    #[must_use]
    pub fn request(&self, number: u32) -> Option<&Value> {
        let step = self.step(number)?;
        step.request.as_ref().or_else(|| self.request(step.parent))
    }
}

impl StepTrace {
    fn take(&mut self, row: ObservationRow) {
        match row.observation.fact {
            Fact::StepEnded { outcome, detail, request, micros } => {
                self.ended = Some(row.observation.at);
                (self.micros, self.outcome, self.detail) = (Some(micros), Some(outcome), detail);
                if let (Some(before), Some(after)) = (&self.request, &request) {
                    self.changes = changes(before, after);
                }
            }
            Fact::Injected { ref what } => {
                self.injected.push(what.clone());
                self.seen.push(row);
            }
            _ => self.seen.push(row),
        }
    }
}
