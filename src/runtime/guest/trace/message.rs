//! What the trace hook says: one JSON object a line.

use serde::Deserialize;
use serde_json::Value;

use crate::observe::{Backend, StepKind, StepOutcome, StoreCall};

/// The first line: who may speak.
#[derive(Deserialize)]
pub(super) struct Hello {
    pub(super) token: String,
}

/// A line after that. Each has a number its answer repeats.
#[derive(Deserialize)]
pub(super) struct Message {
    pub(super) n: u64,
    /// The task it is about.
    pub(super) task: String,
    #[serde(flatten)]
    pub(super) what: What,
}

#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub(super) enum What {
    /// A step begins; answered with its number and what is to become of it.
    Begin { parent: u32, kind: StepKind, name: String, request: Option<Value> },
    /// It ended.
    End { step: u32, outcome: StepOutcome, detail: Option<String>, request: Option<Value>, micros: u64 },
    /// A line will be logged.
    Log { step: u32, logger: String, message: String },
    /// A document store was called.
    Store { step: u32, call: StoreCall },
    /// A write is about to happen; answered with why it is to fail, if it is.
    Write { step: u32, backend: Backend },
    /// How long the task stood at breakpoints, for its time limit.
    Limit,
}
