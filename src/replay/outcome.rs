use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::journal::ObservationRow;
use crate::observe::{Fact, StepKind, StepOutcome};
use crate::platform::NOT_RECORDED;

/// What came of a run, as far as it can be compared.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Outcome {
    /// `success`, `fail`, `skip`, `reschedule`, `retry`; `None` while there is none.
    pub result: Option<String>,
    /// The reason.
    pub message: Option<String>,
    /// Seconds until it comes again.
    pub countdown: u64,
    /// What an interactive task answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
    /// What the saga did: `SaveRequest: executed`, in order.
    pub steps: Vec<String>,
    /// The calls of the API, in order.
    pub calls: Vec<Call>,
    /// What was asked of the document stores, in order.
    pub writes: Vec<Write>,
    /// The documents it left behind, by backend and collection; empty where nobody looked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub documents: Vec<(String, Value)>,
    /// From arrival to result, in microseconds; not compared.
    #[serde(skip)]
    pub micros: Option<u64>,
}

/// A call of the API.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// Method and path.
    pub call: String,
    /// The answer's status.
    pub status: Option<u16>,
    /// The body sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<Value>,
}

/// A call of a document store.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Write {
    /// Backend, operation, database and collection.
    pub operation: String,
    /// The document, the filter or the update.
    pub input: Value,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Outcome {
    /// What came of the run these observations are of.
    #[must_use]
    pub fn of(observations: &[ObservationRow]) -> Self {
        let mut outcome = Self::default();
        let mut steps: HashMap<u32, (StepKind, &str)> = HashMap::new();
        for seen in observations {
            match &seen.observation.fact {
                Fact::ApiCall(call) => outcome.calls.push(Call {
                    call: format!("{} {}", call.method, call.path.trim_start_matches('/')),
                    status: call.status,
                    request: call.request.clone(),
                }),
                Fact::StoreCall(call) => outcome.writes.push(Write {
                    operation: format!("{} {} {}.{}", call.backend, call.operation, call.database, call.collection),
                    input: call.input.clone(),
                    error: call.error.clone(),
                }),
                Fact::StepStarted { step_kind, name, .. } => {
                    steps.insert(seen.observation.step, (*step_kind, name));
                }
                Fact::StepEnded { outcome: ended, .. } => {
                    outcome.steps.extend(steps.get(&seen.observation.step).and_then(|(kind, name)| did(*kind, name, *ended)));
                }
                Fact::Answered(answer) => {
                    outcome.result = Some(answer.result.clone());
                    outcome.message.clone_from(&answer.message);
                    (outcome.countdown, outcome.data) = (answer.countdown, answer.data.clone());
                    outcome.micros = Some(answer.micros);
                }
                _ => {}
            }
        }
        outcome
    }
}

/// The calls of a hermetic run that were not recorded.
#[must_use]
pub fn unrecorded(observations: &[ObservationRow]) -> Vec<String> {
    let missed = |seen: &ObservationRow| match &seen.observation.fact {
        Fact::ApiCall(call) => {
            let refused = call.response.as_ref()?.get("error_code")? == NOT_RECORDED;
            refused.then(|| format!("{} {}", call.method, call.path))
        }
        _ => None,
    };
    observations.iter().filter_map(missed).collect()
}

fn did(kind: StepKind, name: &str, ended: StepOutcome) -> Option<String> {
    let word = match (kind, ended) {
        (StepKind::Decision, StepOutcome::Yes) => "selected",
        (StepKind::Decision, StepOutcome::No) => "not selected",
        (StepKind::Decision, _) => "its decision failed",
        (StepKind::Execute, StepOutcome::Failed) => "failed",
        (StepKind::Execute, _) => "executed",
        (StepKind::Compensate, StepOutcome::Failed) => "compensation failed",
        (StepKind::Compensate, _) => "compensated",
        (StepKind::Handler | StepKind::Saga | StepKind::Middleware, _) => return None,
    };
    Some(format!("{name}: {word}"))
}
