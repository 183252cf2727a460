use serde::{Deserialize, Serialize};

use super::WaitingRow;

/// What can be asked of the local Connect's clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "clock", rename_all = "snake_case")]
pub enum ClockCommand {
    /// Let time pass at once: what is due within it comes now, what is due later comes that much earlier.
    /// [`ClockReply::Forwarded`].
    Forward {
        /// How much, in seconds.
        seconds: u64,
    },
}

/// The answer to a [`ClockCommand`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "clock", rename_all = "snake_case")]
pub enum ClockReply {
    /// Time passed.
    Forwarded {
        /// How many redeliveries, schedules and planned requests came due.
        came: usize,
        /// What still waits, the next one first.
        tasks: Vec<WaitingRow>,
    },
}
