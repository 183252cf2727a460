use crossterm::event::{KeyCode, KeyEvent};

use super::super::keymap::{Chord, parse};
use super::super::message::{Effect, Query};
use super::super::state::{Overlay, Pane, Span, State, Typing};
use super::{acts, overlays, storage};
use crate::journal::LogFilter;

/// A key while a filter is typed. Events are narrowed with every key, documents at Enter, for a half-typed query is only
/// an error.
pub(crate) fn press(state: &mut State, mut typing: Typing, key: KeyEvent, effects: &mut Vec<Effect>) {
    if key.code == KeyCode::Esc || Some(Chord::from(key)) == parse("ctrl-c") {
        return set_filter(state, typing.pane, &typing.before.clone(), effects);
    }
    if key.code == KeyCode::Enter {
        return set_filter(state, typing.pane, typing.input.text(), effects);
    }
    if typing.input.key(key) && typing.pane != Pane::Storage {
        set_filter(state, typing.pane, typing.input.text(), effects);
    }
    state.typing = Some(typing);
}

/// Pasted text goes into what is being typed; nowhere else, so that a stray paste is never taken for keys.
pub(crate) fn paste(state: &mut State, pasted: &str, effects: &mut Vec<Effect>) {
    state.dirty = true;
    match state.overlays.last_mut() {
        Some(Overlay::Chooser(chooser)) => {
            chooser.input.paste(pasted);
            overlays::rank(chooser);
        }
        Some(Overlay::Form(form)) if form.on_value => form.value.paste(pasted),
        Some(Overlay::Form(form)) => form.name.paste(pasted),
        Some(Overlay::Editor(editor)) => editor.paste(pasted),
        Some(Overlay::Prompt(prompt)) => prompt.input.paste(pasted),
        Some(Overlay::Pager(pager)) => {
            if let Some(input) = &mut pager.typing {
                input.paste(pasted);
            }
        }
        Some(_) => {}
        None => {
            if let Some(bar) = &mut state.storage.bar {
                storage::paste_into_bar(bar, pasted);
            } else if let Some(typing) = &mut state.typing {
                typing.input.paste(pasted);
                let (pane, text) = (typing.pane, typing.input.text().to_owned());
                if pane != Pane::Storage {
                    set_filter(state, pane, &text, effects);
                }
            }
        }
    }
}

/// Narrows a pane, and reads it again if that changed anything.
pub(crate) fn set_filter(state: &mut State, pane: Pane, filter: &str, effects: &mut Vec<Effect>) {
    state.dirty = true;
    if pane == Pane::Variables {
        filter.clone_into(&mut state.variables.filter);
        state.variables.narrow();
    } else if pane == Pane::Trace {
        filter.clone_into(&mut state.trace.filter);
        state.trace.narrow();
    } else if pane == Pane::Logs {
        let text = Some(filter.to_owned()).filter(|text| !text.is_empty());
        acts::filter_logs(state, LogFilter { text, ..state.logs.filter.clone() }, effects);
    } else if pane == Pane::Events && state.events.filter != filter {
        let before = state.events.filter();
        state.events.narrow(filter);
        if state.events.filter() == before {
            return;
        }
        state.events.paused = false;
        state.events.span = Span::Tail;
        effects.push(Effect::Read(Query::Deliveries { filter: state.events.filter(), span: Span::Tail }));
    }
}
