use crossterm::event::{KeyCode, KeyEvent};

use super::super::super::keymap::{Chord, parse};
use super::super::super::message::Effect;
use super::super::super::state::{Bar, State};
use super::run;

/// A key while a query is typed. It is asked at Enter: half-typed it is only an error.
pub(in super::super) fn press(state: &mut State, mut bar: Box<Bar>, key: KeyEvent, effects: &mut Vec<Effect>) {
    if key.code == KeyCode::Esc || Some(Chord::from(key)) == parse("ctrl-c") {
        return;
    }
    match key.code {
        KeyCode::Enter => {
            if let Some(query) = bar.read() {
                return run(state, query, true, effects);
            }
        }
        KeyCode::Tab => bar.step(1),
        KeyCode::BackTab => bar.step(3),
        KeyCode::Up | KeyCode::Down => bar.recall(&state.storage.recent, key.code == KeyCode::Up),
        _ => {
            bar.input().key(key);
        }
    }
    state.storage.bar = Some(bar);
}

/// Pasted text goes into the field that is typed in.
pub(in super::super) fn paste(bar: &mut Bar, pasted: &str) {
    bar.input().paste(&pasted.replace(['\n', '\r', '\t'], " "));
}
