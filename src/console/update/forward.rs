//! Putting the local Connect's clock forward.

use super::super::state::{Choice, Chooser, Purpose, State};
use crate::observe::Timestamp;
use crate::workbench::{ClockCommand, Command};

/// How far, with its name.
const STEPS: [(u64, &str); 6] = [
    (30, "30 seconds"),
    (5 * 60, "5 minutes"),
    (3_600, "1 hour"),
    (86_400, "1 day"),
    (7 * 86_400, "1 week"),
    (31 * 86_400, "31 days"),
];

/// The list to choose from, with what each choice brings.
pub(super) fn choices(state: &State) -> Chooser {
    let choice = |(seconds, name): (u64, &str)| Choice {
        name: name.into(),
        detail: due_within(state, seconds),
        keys: String::new(),
        refused: None,
        purpose: Purpose::Ask(Box::new(Command::Clock(ClockCommand::Forward { seconds }))),
    };
    Chooser::new("Put the clock forward by", STEPS.into_iter().map(choice).collect())
}

fn due_within(state: &State, seconds: u64) -> String {
    let micros = i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1_000_000);
    let until = Timestamp(state.now.0.saturating_add(micros));
    match (state.waiting.iter().filter(|task| task.due <= until).count(), state.waiting.len()) {
        (_, 0) => "schedules and planned requests that are due".into(),
        (due, all) => format!("{due} of {all} waiting deliveries, and schedules that are due"),
    }
}
