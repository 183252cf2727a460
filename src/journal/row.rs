use serde::{Deserialize, Serialize};

use crate::observe::{Level, Observation, Timestamp};

/// An observation with its place in the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ObservationRow {
    /// Its number: rises, never repeats.
    pub row: i64,
    /// The number of the delivery it belongs to.
    pub delivery: Option<i64>,
    /// What was seen. Its own `delivery` is empty here: the number above stands for it.
    #[serde(flatten)]
    pub observation: Observation,
}

/// One delivery, summed up: a row of the event stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeliveryRow {
    /// Its number in the journal: what a developer types.
    pub id: i64,
    /// The task, `TQ-...`.
    pub task_id: String,
    /// `background`, `interactive`, `scheduled`.
    pub category: String,
    /// The event type.
    pub event_type: String,
    /// The object.
    pub object_id: String,
    /// When the task came in.
    pub arrived_at: Timestamp,
    /// The status of the object as it was fetched.
    pub object_status: Option<String>,
    /// Where it stands.
    pub state: DeliveryState,
    /// `success`, `fail`, `skip`, `reschedule`, `retry`, once there is one.
    pub result: Option<String>,
    /// Its reason.
    pub message: Option<String>,
    /// Seconds until it comes again, with `reschedule`.
    pub countdown: u64,
    /// From arrival to result, in microseconds.
    pub micros: Option<u64>,
    /// Which delivery of this object and event type this is, from 1.
    pub attempt: i64,
    /// `trigger`, `reschedule`, `retry`, `redelivery`, `replay`; `None` when Connect did not say (remote).
    pub origin: Option<String>,
    /// The delivery this one replays.
    pub replay_of: Option<i64>,
    /// How many API calls it made.
    pub api_calls: i64,
    /// How many store calls.
    pub store_calls: i64,
    /// How many of its store calls failed.
    pub store_errors: i64,
    /// How many log lines.
    pub logs: i64,
    /// The saga that was resolved for it, by name.
    #[serde(default)]
    pub saga: Option<String>,
    /// How often its course was changed on purpose: skipped steps, injected faults. Anything but 0 is not what the extension
    /// does by itself.
    #[serde(default)]
    pub injected: i64,
}

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// Being handled.
    Running,
    /// Answered; the result is not sent yet.
    Answered,
    /// The result is sent.
    Sent,
    /// Will never be answered: the process ended meanwhile.
    Interrupted,
}

/// Which deliveries to list. Everything given must fit; texts fit where they are contained, letter case aside.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct DeliveryFilter {
    /// In type, object, result, reason or task id.
    pub text: Option<String>,
    /// In none of those.
    pub without: Option<String>,
    /// The event type, whole.
    pub event_type: Option<String>,
    /// The object's id, whole.
    pub object_id: Option<String>,
    /// The result, whole.
    pub result: Option<String>,
    /// Only those for which a saga was resolved.
    pub saga: bool,
}

impl DeliveryFilter {
    /// A filter as a developer types it: a text to be contained, or after an exclamation mark one not to be.
    #[must_use]
    pub fn typed(text: &str) -> Self {
        let given = |text: &str| Some(text.trim()).filter(|t| !t.is_empty()).map(Into::into);
        match text.trim().strip_prefix('!') {
            Some(without) => Self { without: given(without), ..Self::default() },
            None => Self { text: given(text), ..Self::default() },
        }
    }
}

/// A log line with its place in the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogRow {
    /// Its number in the journal.
    pub row: i64,
    /// When.
    pub at: Timestamp,
    /// The delivery it belongs to.
    pub delivery: Option<i64>,
    /// How serious.
    pub level: Level,
    /// Who says it.
    pub target: String,
    /// What it says.
    pub message: String,
}
