use crossterm::event::{KeyCode, KeyEvent};

use super::super::super::keymap::{Chord, parse};
use super::super::super::message::{Edit, Effect, Waited};
use super::super::super::state::{Editor, EditorFor, Overlay, State, StoreAsk};
use super::super::super::theme::{Piece, Tone};
use super::{ask, run};
use crate::observe::Secret;
use crate::storage::query::{QueryError, parse_document, parse_value};
use crate::workbench::{StoreCommand, StoreQuery};

/// Opens a text in place.
pub(in super::super) fn open(state: &mut State, title: String, text: &str, purpose: EditorFor) {
    state.overlays.push(Overlay::Editor(Box::new(Editor::new(title, text, purpose))));
}

/// A key in the editor; `None` closes it.
pub(in super::super) fn press(
    state: &mut State,
    mut editor: Box<Editor>,
    key: KeyEvent,
    effects: &mut Vec<Effect>,
) -> Option<Overlay> {
    let chord = Some(Chord::from(key));
    if key.code == KeyCode::Esc || chord == parse("ctrl-c") {
        if !editor.changed() || editor.sure {
            effects.extend(editor.previewed.is_some().then_some(Effect::Cancel(Waited::Window)));
            return None;
        }
        editor.sure = true;
        let kept = if editor.purpose == EditorFor::Pipeline {
            "asked: Esc once more throws it away, Ctrl-S asks it"
        } else {
            "saved: Esc once more throws it away, Ctrl-S saves it"
        };
        editor.error = Some(format!("What you typed is not {kept}."));
    } else if chord == parse("ctrl-s") {
        return submit(state, editor, effects);
    } else if chord == parse("ctrl-o") {
        let text = editor.text();
        let file = match editor.purpose {
            EditorFor::Pipeline => "pipeline.js",
            EditorFor::Replay { .. } | EditorFor::Trigger(_) => "object.json",
            EditorFor::Save { .. } | EditorFor::Insert(_) => "document.json",
        };
        let edit = Edit::Text { title: editor.title, text: text.clone(), purpose: editor.purpose };
        effects.push(Effect::Edit { edit, file, text: Secret::new(text) });
        return None;
    } else {
        editor.key(key);
        ask_preview(state, &mut editor, effects);
    }
    Some(Overlay::Editor(editor))
}

/// Shows what is wrong at its place; whether there was something.
fn wrong(editor: &mut Editor, error: &QueryError) {
    editor.point_at(error.line, error.column, error.to_string());
}

fn submit(state: &mut State, mut editor: Box<Editor>, effects: &mut Vec<Effect>) -> Option<Overlay> {
    let text = editor.text();
    match editor.purpose.clone() {
        EditorFor::Replay { .. } | EditorFor::Trigger(_) => return super::super::captures::submit(state, editor, effects),
        EditorFor::Save { target, base } => {
            if let Err(error) = parse_document(&text) {
                wrong(&mut editor, &error);
                return Some(Overlay::Editor(editor));
            }
            let asked = StoreAsk::Save { target: target.clone(), base: base.clone(), edited: text.clone() };
            ask(effects, asked, StoreCommand::Save { target, base, edited: text, retype: false });
        }
        EditorFor::Insert(target) => {
            if let Err(error) = parse_value(&text) {
                wrong(&mut editor, &error);
                return Some(Overlay::Editor(editor));
            }
            let asked = StoreAsk::Insert { target: target.clone(), text: text.clone() };
            ask(effects, asked, StoreCommand::Insert { target, documents: text });
        }
        EditorFor::Pipeline => {
            if let Err(error) = parse_value(&text) {
                wrong(&mut editor, &error);
                return Some(Overlay::Editor(editor));
            }
            // The whole answer comes now.
            effects.extend(editor.previewed.is_some().then_some(Effect::Cancel(Waited::Window)));
            run(state, StoreQuery { pipeline: text, ..StoreQuery::default() }, true, effects);
        }
    }
    None
}

/// Asks for the preview of the pipeline that lies on top.
pub(super) fn preview(state: &mut State, effects: &mut Vec<Effect>) {
    if let Some(Overlay::Editor(mut editor)) = state.overlays.pop() {
        ask_preview(state, &mut editor, effects);
        state.overlays.push(Overlay::Editor(editor));
    }
}

/// Asks for the preview of a pipeline that can be read, one at a time.
fn ask_preview(state: &State, editor: &mut Editor, effects: &mut Vec<Effect>) {
    if editor.purpose != EditorFor::Pipeline || editor.previewed.is_some() {
        return;
    }
    let text = editor.text();
    match parse_value(&text) {
        Ok(_) => {
            editor.previewed = Some(text.clone());
            let command = StoreCommand::Preview { target: state.storage.target(), pipeline: text.clone() };
            ask(effects, StoreAsk::Preview(text), command);
        }
        // What was shown is of another text.
        Err(why) => editor.preview = vec![vec![vec![Piece::new(Tone::Bad, format!("✗ {why}"))]]],
    }
}

/// Takes in a text that came back from the developer's own editor.
pub(in super::super) fn returned(
    state: &mut State,
    (title, before, purpose): (String, String, EditorFor),
    text: Result<Option<Secret>, String>,
    effects: &mut Vec<Effect>,
) {
    match text {
        Ok(Some(text)) => {
            let editor = Box::new(Editor::new(title, text.reveal().trim_end_matches('\n'), purpose));
            // A pipeline is looked at first; a document that was saved there is saved.
            let stays = if editor.purpose == EditorFor::Pipeline {
                Some(Overlay::Editor(editor))
            } else {
                submit(state, editor, effects)
            };
            state.overlays.extend(stays);
            preview(state, effects);
        }
        Ok(None) => open(state, title, &before, purpose),
        Err(why) => {
            open(state, title, &before, purpose);
            state.say(Tone::Bad, why);
        }
    }
}
