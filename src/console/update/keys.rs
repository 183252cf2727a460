use crossterm::event::{KeyEvent, KeyEventKind};

use super::super::action::{Context, Do};
use super::super::keymap::{self, Chord};
use super::super::message::Effect;
use super::super::state::{Pane, State};
use super::{acts, journal, overlays, storage, typing};

/// A key goes to what lies on top; only when nothing is open does it mean an action.
pub(crate) fn press(state: &mut State, key: KeyEvent, effects: &mut Vec<Effect>) {
    if key.kind == KeyEventKind::Release {
        return;
    }
    state.dirty = true;
    let chord = Chord::from(key);
    let action = keymap::find(chord, Context::Pane(state.focus));
    if matches!(action.map(|a| a.what), Some(Do::Suspend | Do::Redraw)) {
        acts::perform(state, action.map_or(Do::Redraw, |a| a.what), effects);
    } else if let Some(overlay) = state.overlays.pop() {
        overlays::press(state, overlay, key, effects);
    } else if let Some(bar) = state.storage.bar.take() {
        storage::press_in_bar(state, bar, key, effects);
    } else if let Some(typed) = state.typing.take() {
        typing::press(state, typed, key, effects);
    } else if let Some(action) = action {
        acts::perform(state, action.what, effects);
    }
    if state.focus != Pane::Variables {
        // Nobody looks at a secret any more.
        state.variables.revealed = None;
    }
    journal::looked(state);
}
