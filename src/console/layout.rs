//! Which pane is where: all of them where there is room, Events above one other where there is less, one at a time in a
//! small terminal or when a pane is zoomed.

use ratatui::layout::{Constraint, Layout, Rect};

use super::state::{Border, Pane, Splits, State};

/// How the body is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// All panes, in three columns.
    Wide,
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
    /// Where it is said that nothing is captured any more, while that is so.
    pub(crate) banner: Option<Rect>,
    /// The names of the panes, where not all are shown.
    pub(crate) tabs: Option<Rect>,
    pub(crate) panes: Vec<(Pane, Rect)>,
    /// The borders that can be dragged: a row or a column of the screen.
    pub(crate) borders: Vec<(Border, Rect)>,
    pub(crate) footer: Rect,
}

/// The shape that fits.
pub(crate) fn shape(state: &State) -> Shape {
    let (columns, rows) = state.size;
    if state.zoomed || columns < 72 || rows < 20 {
        Shape::Single
    } else if columns < 100 || rows < 30 {
        Shape::Stacked
    } else if columns >= 220 && rows >= 40 {
        Shape::Wide
    } else {
        Shape::Dashboard
    }
}

/// Whether a pane can be seen.
pub(crate) fn shows(state: &State, pane: Pane) -> bool {
    match shape(state) {
        Shape::Wide | Shape::Dashboard => true,
        Shape::Stacked => pane == Pane::Events || pane == state.below,
        Shape::Single => pane == state.focus,
    }
}

/// Divides the screen.
pub(crate) fn areas(state: &State) -> Areas {
    let screen = Rect::new(0, 0, state.size.0, state.size.1);
    let shape = shape(state);
    let tab_rows = u16::from(matches!(shape, Shape::Stacked | Shape::Single));
    // Where there is next to no room, the pane needs it most.
    let header_rows = u16::from(state.size.1 > 7);
    let banner_rows = u16::from(state.size.1 > 7 && state.capture_stopped().is_some());
    let [header, banner, tabs, body, footer] = Layout::vertical([
        Constraint::Length(header_rows),
        Constraint::Length(banner_rows),
        Constraint::Length(tab_rows),
        Constraint::Min(0),
        Constraint::Length(1),
    ])
    .areas(screen);
    let panes = match shape {
        Shape::Single => vec![(state.focus, body)],
        Shape::Stacked => {
            let rows = moved(body.height * 42 / 100, state.splits.stacked, 3, body.height.saturating_sub(3));
            let [above, below] = Layout::vertical([Constraint::Length(rows), Constraint::Min(0)]).areas(body);
            vec![(Pane::Events, above), (state.below, below)]
        }
        Shape::Wide => wide(body, state.variables.all.len(), state.splits),
        Shape::Dashboard => dashboard(body, state.variables.all.len(), state.splits),
    };
    let borders = borders(shape, &panes);
    Areas { header, banner: (banner_rows > 0).then_some(banner), tabs: (tab_rows > 0).then_some(tabs), panes, borders, footer }
}

/// A size the developer moved, kept between `least` and `most`.
fn moved(size: u16, by: i32, least: u16, most: u16) -> u16 {
    let size = i32::from(size).saturating_add(by).clamp(i32::from(least), i32::from(most.max(least)));
    u16::try_from(size).unwrap_or(least)
}

/// `variables` is how many there are: they get the rows they need, if that leaves enough for the documents.
fn dashboard(body: Rect, variables: usize, splits: Splits) -> Vec<(Pane, Rect)> {
    let logs = moved((body.height / 7).clamp(4, 12), -splits.logs, 3, body.height.saturating_sub(13));
    // On a large screen the trace needs the rows more than the list.
    let share = if body.height > 60 { 24 } else { 28 };
    let events = moved(body.height * share / 100, splits.events, 4, body.height.saturating_sub(logs + 9));
    let [events, middle, logs] =
        Layout::vertical([Constraint::Length(events), Constraint::Min(0), Constraint::Length(logs)]).areas(body);
    let trace = moved(body.width * 52 / 100, splits.trace, 24, body.width.saturating_sub(30));
    let [trace, right] = Layout::horizontal([Constraint::Length(trace), Constraint::Min(0)]).areas(middle);
    let rows = u16::try_from(variables + 3).unwrap_or(u16::MAX).clamp(6, (right.height / 2 + 1).max(6));
    let rows = moved(rows, splits.variables, 3, right.height.saturating_sub(4));
    let [variables, storage] = Layout::vertical([Constraint::Length(rows), Constraint::Min(0)]).areas(right);
    vec![(Pane::Events, events), (Pane::Trace, trace), (Pane::Variables, variables), (Pane::Storage, storage), (Pane::Logs, logs)]
}

/// Three columns: what happens and what is said of it, how it happened, what it works with.
fn wide(body: Rect, variables: usize, splits: Splits) -> Vec<(Pane, Rect)> {
    let left = body.width * 38 / 100;
    let [left, rest] = Layout::horizontal([Constraint::Length(left), Constraint::Min(0)]).areas(body);
    let trace = moved(rest.width * 50 / 100, splits.trace, 40, rest.width.saturating_sub(40));
    let [trace, right] = Layout::horizontal([Constraint::Length(trace), Constraint::Min(0)]).areas(rest);
    let logs = moved(body.height / 3, -splits.logs - splits.events, 3, body.height.saturating_sub(6));
    let [events, logs] = Layout::vertical([Constraint::Min(0), Constraint::Length(logs)]).areas(left);
    let rows = u16::try_from(variables + 4).unwrap_or(u16::MAX).clamp(6, right.height / 2);
    let rows = moved(rows, splits.variables, 3, right.height.saturating_sub(6));
    let [variables, storage] = Layout::vertical([Constraint::Length(rows), Constraint::Min(0)]).areas(right);
    vec![(Pane::Events, events), (Pane::Trace, trace), (Pane::Variables, variables), (Pane::Storage, storage), (Pane::Logs, logs)]
}

/// Where the borders are that can be dragged: the last row or column of the pane before.
fn borders(shape: Shape, panes: &[(Pane, Rect)]) -> Vec<(Border, Rect)> {
    let of = |pane: Pane| panes.iter().find(|(p, _)| *p == pane).map(|(_, area)| *area).unwrap_or_default();
    let below = |area: Rect| Rect { y: area.bottom().saturating_sub(1), height: 2.min(area.height), ..area };
    let beside = |area: Rect| Rect { x: area.right().saturating_sub(1), width: 2.min(area.width), ..area };
    match shape {
        Shape::Single => Vec::new(),
        Shape::Stacked => vec![(Border::Stacked, below(of(Pane::Events)))],
        Shape::Wide | Shape::Dashboard => vec![
            (Border::Events, below(of(Pane::Events))),
            (Border::Variables, below(of(Pane::Variables))),
            (Border::Logs, Rect { height: 1, ..of(Pane::Logs) }),
            (Border::Trace, beside(of(Pane::Trace))),
        ],
    }
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
        let theme = Theme::default();
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

    #[rstest]
    #[case(-400)]
    #[case(400)]
    fn no_border_can_be_moved_so_far_that_a_pane_is_lost(#[case] far: i32) {
        for size in [(80, 24), (100, 30), (160, 50), (300, 100)] {
            let mut state = State::new(Theme::default(), TimeZone::UTC, size, Timestamp(0));
            state.splits = Splits { events: far, trace: far, variables: far, logs: far, stacked: far };
            for (pane, area) in areas(&state).panes {
                assert!(area.height >= 3 && area.width >= 20, "{pane:?} {area:?} at {size:?}");
            }
        }
    }
}
