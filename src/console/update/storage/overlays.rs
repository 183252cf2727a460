use std::path::Path;

use super::super::super::action::Inspect;
use super::super::super::message::Effect;
use super::super::super::state::{Input, Overlay, Pane, Pick, Prompt, PromptFor, State, StoreAsk};
use super::super::super::theme::Tone;
use super::super::journal;
use super::{ask, confirm, line, list, place, run};
use crate::storage::query::parse_document;
use crate::workbench::{FileFormat, StoreCommand, StoreQuery, path};

/// Asks for one line.
pub(super) fn prompt(state: &mut State, what: Inspect) {
    let collection = state.storage.collection.clone().unwrap_or_default();
    let (title, hint, text, purpose) = match what {
        Inspect::Import => ("Import into", "a file: one document a line, an array, or .csv", String::new(), PromptFor::Import),
        Inspect::CreateIndex => {
            ("An index of", "its keys, like {status: 1}; then options, like {unique: true}", "{}".into(), PromptFor::CreateIndex)
        }
        Inspect::DropIndex => ("Drop an index of", "its name (I lists them)", String::new(), PromptFor::DropIndex),
        _ => {
            ("Export all that the query finds of", "a file; .csv makes a table", format!("{collection}.jsonl"), PromptFor::Export)
        }
    };
    let title = format!("{title} {}", place(state));
    state.overlays.push(Overlay::Prompt(Box::new(Prompt::new(title, hint, &text, purpose))));
}

/// Asks for a file once more, since the one that was named can't be used.
pub(super) fn another_file(state: &mut State, refused: &StoreCommand, why: String) {
    let (what, path) = match refused {
        StoreCommand::Export { to, .. } => (Inspect::Export, to),
        StoreCommand::Import { from, .. } => (Inspect::Import, from),
        _ => return,
    };
    prompt(state, what);
    if let Some(Overlay::Prompt(prompt)) = state.overlays.last_mut() {
        prompt.input = Input::new(&path.display().to_string());
        prompt.error = Some(why);
    }
}

/// Takes what was typed into a prompt of this pane.
pub(in super::super) fn submit(
    state: &mut State,
    purpose: PromptFor,
    text: &str,
    effects: &mut Vec<Effect>,
) -> Result<(), String> {
    let target = state.storage.target();
    match purpose {
        PromptFor::Export => {
            let to = path(text)?;
            let query = StoreQuery { skip: 0, limit: 0, ..state.storage.query.clone() };
            let command = StoreCommand::Export { target, query, format: format(&to), to, overwrite: false };
            ask(effects, StoreAsk::File(Box::new(command.clone())), command);
        }
        PromptFor::Import => {
            let from = path(text)?;
            let command = StoreCommand::Import { target, format: format(&from), from };
            ask(effects, StoreAsk::File(Box::new(command.clone())), command);
        }
        PromptFor::CreateIndex => {
            let (keys, options) = two_documents(text)?;
            ask(effects, StoreAsk::Write, StoreCommand::CreateIndex { target, keys, options });
        }
        PromptFor::DropIndex => {
            let said = format!("The index {text} of {} will be dropped; making it again may take a while.", place(state));
            let command = StoreCommand::DropIndex { target, name: text.into() };
            confirm(state, "Drop an index", vec![line(Tone::Plain, said)], StoreAsk::Write, command);
        }
        PromptFor::ImportVariables | PromptFor::ExportVariables => {}
    }
    Ok(())
}

/// Keys, and options behind them.
fn two_documents(text: &str) -> Result<(String, String), String> {
    let mut ends = text.char_indices().filter(|(_, c)| *c == '}').map(|(at, _)| at + 1);
    let split = ends.find(|at| parse_document(text.get(..*at).unwrap_or_default()).is_ok());
    let (keys, options) = text.split_at(split.unwrap_or(text.len()));
    let options = options.trim_start_matches([' ', ',']);
    for part in [keys, options] {
        parse_document(part).map_err(|e| e.to_string())?;
    }
    Ok((keys.into(), options.into()))
}

fn format(path: &Path) -> FileFormat {
    if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("csv")) { FileFormat::Csv } else { FileFormat::Ejson }
}

/// Does what was chosen from a list.
pub(in super::super) fn picked(state: &mut State, pick: Pick, effects: &mut Vec<Effect>) {
    match pick {
        Pick::Database(name) => {
            let storage = &mut state.storage;
            storage.leave();
            storage.elsewhere = Some(name);
            storage.collection = None;
            storage.collections.clear();
            storage.sizes.clear();
            list(state, effects);
        }
        Pick::Query(query) => run(state, query, false, effects),
        Pick::Delivery(id) => to_delivery(state, id, effects),
    }
}

/// Shows a delivery and what it did.
pub(super) fn to_delivery(state: &mut State, id: i64, effects: &mut Vec<Effect>) {
    // A filter might hide it.
    state.events.filter.clear();
    state.zoomed = false;
    if state.events.go_to(id) {
        journal::refresh(state, effects);
    }
    state.focus_on(Pane::Trace);
    state.say(Tone::Note, format!("Delivery #{id} wrote it; o goes back to the document."));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_follow_the_keys() {
        let told = |text: &str| two_documents(text).map(|(a, b)| format!("{a}|{b}"));
        assert_eq!(told("{a: 1}").unwrap(), "{a: 1}|");
        assert_eq!(told("{a: 1}, {unique: true}").unwrap(), "{a: 1}|{unique: true}");
        assert_eq!(told("{'a}b': 1} {sparse: true}").unwrap(), "{'a}b': 1}|{sparse: true}");
        assert!(told("{a: 1").is_err() && told("{a: 1} nonsense").is_err());
    }
}
