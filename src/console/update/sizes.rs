use super::super::action::Do;
use super::super::layout::{self, Shape};
use super::super::state::{Border, Pane, STEP, Splits, State, below, beside};
use super::super::theme::Tone;

/// Changes the size of the focused pane.
pub(crate) fn perform(state: &mut State, what: Do) {
    if what == Do::ResetSizes {
        state.splits = Splits::default();
        return state.say(Tone::Note, "All panes have the sizes they began with.");
    }
    let shape = layout::shape(state);
    if shape == Shape::Single {
        return state.say(Tone::Warn, "One pane is shown alone: there is no border to move.");
    }
    let border = match what {
        Do::Grow | Do::Shrink if shape == Shape::Wide && state.focus == Pane::Trace => None,
        Do::Grow | Do::Shrink => Some(below(state.focus, shape == Shape::Stacked)),
        _ if shape == Shape::Stacked => None,
        _ => beside(state.focus),
    };
    let sign = if matches!(what, Do::Grow | Do::Wider) { 1 } else { -1 };
    match border {
        Some((border, towards)) => shift(state, border, towards * sign * STEP),
        None => state.say(Tone::Warn, "This pane has all the room there is that way."),
    }
}

/// Moves a border, unless it is where it can go no further.
pub(crate) fn shift(state: &mut State, border: Border, by: i32) {
    let (splits, before) = (state.splits, layout::areas(state));
    state.splits.shift(border, by);
    if layout::areas(state) == before {
        state.splits = splits;
    }
    state.dirty = true;
}
