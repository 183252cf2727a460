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
    /// Its reason; or, of one that was interrupted or has no runner, why there is no result.
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
    /// What is special about it: `edited`, `variables`, `hermetic`, `shadow`, `fault`, `imported`.
    #[serde(default)]
    pub marks: Vec<String>,
    /// Whether it outlives retention.
    #[serde(default)]
    pub pinned: bool,
    /// How long the task waited in Connect's queue, in microseconds, where that is known.
    #[serde(default)]
    pub wait: Option<u64>,
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
    /// Its runner is gone: it waits for the runner to come back, or for another one to take the task.
    NoRunner,
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

impl DeliveryRow {
    /// The reason in one line: the first, or of a Python traceback the last, which names the error.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        self.message.as_deref().and_then(in_one_line)
    }
}

#[cfg(test)]
impl DeliveryRow {
    /// One for tests: answered with `result`, or still running.
    pub(crate) fn example(id: i64, result: Option<&str>) -> Self {
        Self {
            id,
            task_id: format!("TQ-{id}"),
            category: "background".into(),
            event_type: "asset_purchase_request_processing".into(),
            object_id: format!("PR-{id}"),
            arrived_at: Timestamp(1_700_000_000_000_000),
            object_status: Some("pending".into()),
            state: if result.is_some() { DeliveryState::Sent } else { DeliveryState::Running },
            result: result.map(Into::into),
            message: None,
            countdown: 0,
            micros: result.map(|_| 2_000),
            attempt: 1,
            origin: None,
            replay_of: None,
            api_calls: 0,
            store_calls: 0,
            store_errors: 0,
            logs: 0,
            saga: None,
            injected: 0,
            marks: Vec::new(),
            pinned: false,
            wait: None,
        }
    }
}

fn in_one_line(message: &str) -> Option<&str> {
    let mut lines = message.lines().map(str::trim).filter(|line| !line.is_empty());
    if message.starts_with("Traceback (most recent call last)") { lines.next_back() } else { lines.next() }
}

/// A time without a link to Connect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// When it was lost.
    pub from: Timestamp,
    /// When it was there again.
    pub until: Option<Timestamp>,
    /// Why it was lost.
    pub why: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_of_a_traceback_is_its_error() {
        let traceback = "Traceback (most recent call last):\n  File \"a.py\", line 1\nValueError: no\n";
        assert_eq!(in_one_line(traceback), Some("ValueError: no"));
        assert_eq!(in_one_line("\nno stock\nin Madrid"), Some("no stock"));
        assert_eq!(in_one_line(""), None);
    }
}
