use super::super::action::Do;
use super::super::message::{Effect, Query};
use super::super::state::{Pane, Scroll, Span, State};
use super::{journal, storage};

/// Columns a sideways step scrolls.
const SIDEWAYS: usize = 8;

/// A distance that surely ends at the end.
const FAR: isize = isize::MAX / 4;

/// How far a movement goes, up or down.
pub(crate) fn distance(what: Do, scroll: &Scroll) -> Option<isize> {
    Some(match what {
        Do::Up => -1,
        Do::Down => 1,
        Do::PageUp => -scroll.page(),
        Do::PageDown => scroll.page(),
        Do::Top => -FAR,
        Do::End => FAR,
        _ => return None,
    })
}

/// Moves within the focused pane.
pub(crate) fn perform(state: &mut State, what: Do, effects: &mut Vec<Effect>) {
    match state.focus {
        Pane::Events => events(state, what, effects),
        Pane::Trace => trace(state, what),
        Pane::Variables => {
            let len = state.variables.rows.len();
            let by = distance(what, &state.variables.scroll).unwrap_or(0);
            state.variables.scroll.step(by, len);
        }
        Pane::Storage => storage::moves(state, what, effects),
        Pane::Logs => {
            let by = distance(what, &state.logs.scroll).unwrap_or(0);
            state.logs.step(by);
        }
    }
}

/// Goes to the newest delivery and stays there.
pub(crate) fn to_end(state: &mut State, effects: &mut Vec<Effect>) {
    state.events.follow();
    journal::refresh(state, effects);
}

fn events(state: &mut State, what: Do, effects: &mut Vec<Effect>) {
    match what {
        Do::End => to_end(state, effects),
        Do::Top => {
            state.events.pause();
            state.events.span = Span::Start;
            state.events.scroll.at = 0;
            journal::refresh(state, effects);
        }
        _ => {
            let by = distance(what, &state.events.scroll).unwrap_or(0);
            if by != 0 && state.events.step(by) {
                let (filter, span) = (state.events.filter(), state.events.span);
                effects.push(Effect::Read(Query::Deliveries { filter, span }));
            }
        }
    }
}

fn trace(state: &mut State, what: Do) {
    match what {
        Do::Left => state.trace.shift = state.trace.shift.saturating_sub(SIDEWAYS),
        Do::Right => state.trace.shift += SIDEWAYS,
        _ => {
            let by = distance(what, &state.trace.scroll).unwrap_or(0);
            state.trace.scroll.step(by, state.trace.lines.len());
        }
    }
}
