use super::super::message::{Edit, Effect};
use super::super::state::State;
use super::super::theme::Tone;
use super::{acts, complain, environment};
use crate::observe::Secret;
use crate::workbench::VariableChange;

/// Gives a text that came back from the editor to whatever handed it out.
pub(crate) fn take(state: &mut State, edit: Edit, text: Result<Option<Secret>, String>, effects: &mut Vec<Effect>) {
    let edit = match edit {
        Edit::Text { title, text: before, purpose } => {
            return super::storage::returned(state, (title, before, purpose), text, effects);
        }
        other => other,
    };
    let text = match text {
        Ok(Some(text)) => text,
        Ok(None) => return state.say(Tone::Note, "Unchanged: nothing was saved in the editor."),
        Err(why) => return complain(state, why),
    };
    match edit {
        Edit::Environment => environment::edited(state, text, effects),
        Edit::Variable { name, secure } => {
            // The line end an editor puts at the end of a file belongs to the file.
            let value = text.reveal().strip_suffix('\n').unwrap_or(text.reveal()).to_owned();
            acts::stage(state, VariableChange::Set { name, value, secure }, effects);
        }
        Edit::Text { .. } => {}
    }
}
