//! Where the console was left, to begin there again.

use serde::{Deserialize, Serialize};

use super::{Pane, Span, Splits, State};
use crate::journal::LogFilter;

/// What is remembered of a console in a data directory.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Place {
    pane: String,
    below: String,
    zoomed: bool,
    splits: Splits,
    events: String,
    /// The selected delivery; none where the newest was followed.
    delivery: Option<i64>,
    seen: usize,
    failures: Option<usize>,
    variable: Option<String>,
    logs: LogFilter,
}

fn named(name: &str) -> Option<Pane> {
    Pane::ALL.into_iter().find(|pane| pane.title() == name)
}

impl State {
    /// What is worth remembering.
    pub(crate) fn place(&self) -> Place {
        Place {
            pane: self.focus.title().into(),
            below: self.below.title().into(),
            zoomed: self.zoomed,
            splits: self.splits,
            events: self.events.filter.clone(),
            delivery: self.events.selected().filter(|_| self.events.paused).map(|d| d.id),
            seen: self.events.seen,
            failures: self.events.looked_at,
            variable: self.variables.selected().map(|v| v.name.clone()),
            logs: self.logs.filter.clone(),
        }
    }

    /// Begins there.
    pub(crate) fn restore(&mut self, place: Place) {
        self.below = named(&place.below).filter(|pane| *pane != Pane::Events).unwrap_or(self.below);
        self.focus = named(&place.pane).unwrap_or(self.focus);
        self.zoomed = place.zoomed;
        self.splits = place.splits;
        self.events.filter = place.events;
        self.events.looked_at = place.failures;
        if let Some(id) = place.delivery {
            self.events.paused = true;
            self.events.seen = place.seen;
            self.events.aim = Some(id);
            self.events.span = Span::Around(id);
        }
        self.variables.aim = place.variable;
        self.logs.filter = place.logs;
        self.dirty = true;
    }
}
