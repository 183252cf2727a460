//! How the room is divided between the panes, as far as the developer changed it.

use serde::{Deserialize, Serialize};

use super::Pane;

/// How far one key press moves a border, in rows or columns.
pub(crate) const STEP: i32 = 2;

/// Sizes in rows or columns away from what the layout would do by itself, so that they fit any terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Splits {
    /// The border below Events.
    pub(crate) events: i32,
    /// The border right of Trace.
    pub(crate) trace: i32,
    /// The border below Variables.
    pub(crate) variables: i32,
    /// The border above Logs.
    pub(crate) logs: i32,
    /// The border below Events where one other pane is below it.
    pub(crate) stacked: i32,
}

/// A border that can be moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Border {
    Events,
    Trace,
    Variables,
    Logs,
    Stacked,
}

impl Splits {
    /// Moves a border down or to the right.
    pub(crate) fn shift(&mut self, border: Border, by: i32) {
        let own = match border {
            Border::Events => &mut self.events,
            Border::Trace => &mut self.trace,
            Border::Variables => &mut self.variables,
            Border::Logs => &mut self.logs,
            Border::Stacked => &mut self.stacked,
        };
        *own = own.saturating_add(by).clamp(-400, 400);
    }
}

/// The border that makes a pane higher when it moves, and the direction it must move in.
pub(crate) fn below(pane: Pane, stacked: bool) -> (Border, i32) {
    match pane {
        Pane::Events if stacked => (Border::Stacked, 1),
        _ if stacked => (Border::Stacked, -1),
        Pane::Events => (Border::Events, 1),
        Pane::Trace => (Border::Events, -1),
        Pane::Variables => (Border::Variables, 1),
        Pane::Storage => (Border::Variables, -1),
        Pane::Logs => (Border::Logs, -1),
    }
}

/// The same for wider; `None` for panes as wide as the screen.
pub(crate) fn beside(pane: Pane) -> Option<(Border, i32)> {
    match pane {
        Pane::Trace => Some((Border::Trace, 1)),
        Pane::Variables | Pane::Storage => Some((Border::Trace, -1)),
        Pane::Events | Pane::Logs => None,
    }
}
