use super::Pane;
use crate::journal::LogFilter;

/// How many places are remembered.
const REMEMBERED: usize = 50;

/// A place one was at: the pane, and what it showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Spot {
    pub(crate) pane: Pane,
    /// The selected delivery; none while the newest is followed.
    pub(crate) delivery: Option<i64>,
    /// The filters.
    pub(crate) events: String,
    pub(crate) documents: String,
    pub(crate) logs: LogFilter,
}

/// Where one was, and where one went back from, as in a browser.
#[derive(Debug, Default)]
pub(crate) struct Trail {
    behind: Vec<Spot>,
    ahead: Vec<Spot>,
}

impl Trail {
    /// One jumps away from here.
    pub(crate) fn leave(&mut self, here: Spot) {
        self.ahead.clear();
        self.behind.push(here);
        let surplus = self.behind.len().saturating_sub(REMEMBERED);
        self.behind.drain(..surplus);
    }

    /// Back from here.
    pub(crate) fn back(&mut self, here: Spot) -> Option<Spot> {
        let spot = self.behind.pop()?;
        self.ahead.push(here);
        Some(spot)
    }

    /// Forward from here.
    pub(crate) fn forward(&mut self, here: Spot) -> Option<Spot> {
        let spot = self.ahead.pop()?;
        self.behind.push(here);
        Some(spot)
    }
}
