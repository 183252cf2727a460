use serde::{Deserialize, Serialize};

use crate::observe::Level;

/// Which part of a long list to read: at most `limit` rows, by number, always returned oldest first. With `after` they
/// are the oldest behind it, otherwise the newest (before `before`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Only greater numbers.
    pub after: Option<i64>,
    /// Only smaller numbers.
    pub before: Option<i64>,
    /// How many at most.
    pub limit: usize,
}

impl Window {
    /// The newest.
    #[must_use]
    pub fn newest(limit: usize) -> Self {
        Self { after: None, before: None, limit }
    }

    /// Those just before a number: one page up.
    #[must_use]
    pub fn before(id: i64, limit: usize) -> Self {
        Self { before: Some(id), ..Self::newest(limit) }
    }

    /// Those just after a number: one page down.
    #[must_use]
    pub fn after(id: i64, limit: usize) -> Self {
        Self { after: Some(id), ..Self::newest(limit) }
    }
}

/// Which log lines to read. Everything given must fit.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LogFilter {
    /// The delivery's number.
    pub delivery: Option<i64>,
    /// At least this serious.
    pub level: Option<Level>,
    /// Contained in the message or in who says it, letter case aside.
    pub text: Option<String>,
}
