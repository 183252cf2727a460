//! Which pane is where: all of them where there is room, Events above one other where there is less, one at a time in a
//! small terminal or when a pane is zoomed.

use ratatui::layout::{Constraint, Layout, Rect};

use super::state::{Pane, State};

/// How the body is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// All panes.
    Dashboard,
    /// Events and one below.
    Stacked,
    /// One.
    Single,
}

/// Where everything is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Areas {
    pub(crate) header: Rect,
    /// The names of the panes, where not all are shown.
    pub(crate) tabs: Option<Rect>,
    pub(crate) panes: Vec<(Pane, Rect)>,
    pub(crate) footer: Rect,
}

/// The shape that fits.
pub(crate) fn shape(state: &State) -> Shape {
    let (columns, rows) = state.size;
    if state.zoomed || columns < 72 || rows < 20 {
        Shape::Single
    } else if columns < 100 || rows < 30 {
        Shape::Stacked
    } else {
        Shape::Dashboard
    }
}

/// Whether a pane can be seen.
pub(crate) fn shows(state: &State, pane: Pane) -> bool {
    match shape(state) {
        Shape::Dashboard => true,
        Shape::Stacked => pane == Pane::Events || pane == state.below,
        Shape::Single => pane == state.focus,
    }
}

/// Divides the screen.
pub(crate) fn areas(state: &State) -> Areas {
    let screen = Rect::new(0, 0, state.size.0, state.size.1);
    let shape = shape(state);
    let tab_rows = u16::from(shape != Shape::Dashboard);
    let [header, tabs, body, footer] =
        Layout::vertical([Constraint::Length(1), Constraint::Length(tab_rows), Constraint::Min(0), Constraint::Length(1)])
            .areas(screen);
    let panes = match shape {
        Shape::Single => vec![(state.focus, body)],
        Shape::Stacked => {
            let [above, below] = Layout::vertical([Constraint::Percentage(42), Constraint::Min(0)]).areas(body);
            vec![(Pane::Events, above), (state.below, below)]
        }
        Shape::Dashboard => dashboard(body, state.variables.rows.len()),
    };
    Areas { header, tabs: (tab_rows > 0).then_some(tabs), panes, footer }
}

/// `variables` is how many there are: they get the rows they need, if that leaves enough for the documents.
fn dashboard(body: Rect, variables: usize) -> Vec<(Pane, Rect)> {
    let logs = (body.height / 7).clamp(4, 12);
    let [events, middle, logs] =
        Layout::vertical([Constraint::Percentage(28), Constraint::Min(0), Constraint::Length(logs)]).areas(body);
    let [trace, right] = Layout::horizontal([Constraint::Percentage(52), Constraint::Min(0)]).areas(middle);
    let rows = u16::try_from(variables + 3).unwrap_or(u16::MAX).clamp(6, (right.height / 2 + 1).max(6));
    let [variables, storage] = Layout::vertical([Constraint::Length(rows), Constraint::Min(0)]).areas(right);
    vec![(Pane::Events, events), (Pane::Trace, trace), (Pane::Variables, variables), (Pane::Storage, storage), (Pane::Logs, logs)]
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;
    use rstest::rstest;

    use super::super::theme::Theme;
    use super::*;
    use crate::observe::Timestamp;

    #[rstest]
    #[case(60, 16, 1)]
    #[case(80, 24, 2)]
    #[case(120, 40, 5)]
    #[case(300, 100, 5)]
    #[case(1, 1, 1)]
    fn every_size_shows_the_focused_pane_within_the_screen(#[case] columns: u16, #[case] rows: u16, #[case] panes: usize) {
        let theme = Theme { colour: true, plain: false };
        let mut state = State::new(theme, TimeZone::UTC, (columns, rows), Timestamp(0));
        for pane in Pane::ALL {
            state.focus_on(pane);
            let areas = areas(&state);
            assert_eq!(areas.panes.len(), panes);
            assert!(areas.panes.iter().any(|(p, _)| *p == pane));
            assert!(areas.panes.iter().all(|(_, r)| r.right() <= columns && r.bottom() <= rows));
            assert!(shows(&state, pane));
        }
    }
}
