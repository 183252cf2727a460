use super::super::message::{Ask, Edit, Effect};
use super::super::state::{Choice, Chooser, Overlay, Pager, Prompt, PromptFor, Purpose, State};
use super::super::text;
use super::super::theme::{Piece, Tone};
use super::complain;
use crate::observe::Secret;
use crate::workbench::{
    Command, EnvironmentCommand, EnvironmentReply, HistoryChange, HistoryRow, RanWith, Since, WorkbenchError, path,
};

fn ask(command: EnvironmentCommand, effects: &mut Vec<Effect>) {
    effects.push(Effect::Command(Ask::Environment, Command::Environment(command)));
}

/// Opens all variables in the developer's editor: what could not be understood the last time, or what there is.
pub(crate) fn edit_all(state: &mut State, effects: &mut Vec<Effect>) {
    match state.variables.draft.clone() {
        Some(text) => effects.push(Effect::Edit { edit: Edit::Environment, file: "variables.env", text }),
        None => ask(EnvironmentCommand::Text, effects),
    }
}

/// Takes what was saved there.
pub(crate) fn edited(state: &mut State, text: Secret, effects: &mut Vec<Effect>) {
    let command = EnvironmentCommand::TakeText { text: text.reveal().to_owned() };
    state.variables.draft = Some(text);
    state.variables.busy = true;
    effects.push(Effect::Command(Ask::TakeText, Command::Environment(command)));
}

/// Asks for the name of a file.
pub(crate) fn prompt(state: &mut State, purpose: PromptFor) {
    let (title, hint) = match purpose {
        PromptFor::ImportVariables => (
            "Import variables from a file",
            "A .env, .json, .connect-deployment.yml or .xlsx file. What it has is staged, what it does not name stays as it is.",
        ),
        _ => (
            "Export the stored variables to a new file",
            ".env, .json, .yml or .xlsx: the name tells the form. The values of secrets are withheld.",
        ),
    };
    state.overlays.push(Overlay::Prompt(Box::new(Prompt::new(title.into(), hint, "", purpose))));
}

/// Takes the name. The session may run in another directory, so it gets the whole path.
pub(crate) fn submit(state: &mut State, purpose: PromptFor, typed: &str, effects: &mut Vec<Effect>) -> Result<(), String> {
    let path = path(typed)?.display().to_string();
    state.variables.busy = true;
    let command = match purpose {
        PromptFor::ImportVariables => EnvironmentCommand::ImportFile { path },
        _ => EnvironmentCommand::ExportFile { path, reveal: false },
    };
    effects.push(Effect::Command(Ask::Stage, Command::Environment(command)));
    Ok(())
}

/// Asks for the history of the variables.
pub(crate) fn history(effects: &mut Vec<Effect>) {
    ask(EnvironmentCommand::History, effects);
}

/// Asks what the selected delivery ran with.
pub(crate) fn ran_with(state: &State, effects: &mut Vec<Effect>) {
    if let Some(delivery) = state.events.selected().map(|d| d.id) {
        ask(EnvironmentCommand::RanWith { delivery }, effects);
    }
}

/// Takes in the answer about the environment as a whole.
pub(crate) fn take(state: &mut State, reply: Result<EnvironmentReply, WorkbenchError>, effects: &mut Vec<Effect>) {
    match reply {
        Ok(EnvironmentReply::Text { text }) => {
            effects.push(Effect::Edit { edit: Edit::Environment, file: "variables.env", text: Secret::new(text) });
        }
        Ok(EnvironmentReply::History { rows }) if rows.is_empty() => {
            state.say(Tone::Note, "Nothing was applied yet: the history begins with the first change.");
        }
        Ok(EnvironmentReply::History { rows }) => {
            let choices = rows.iter().rev().map(|row| choice(state, row)).collect();
            let title = "Changes of the variables; Enter stages what brings them back";
            state.overlays.push(Overlay::Chooser(Box::new(Chooser::new(title, choices))));
        }
        Ok(EnvironmentReply::RanWith { variables, .. }) => {
            let pager = values(state, &variables);
            state.overlays.push(Overlay::Pager(pager));
        }
        Ok(_) => complain(state, "The session answered something else than was asked."),
        Err(why) => complain(state, why.to_string()),
    }
}

/// An edited set was not understood: it is kept, to be edited again.
pub(crate) fn taken(state: &mut State, why: &WorkbenchError) {
    complain(state, format!("Nothing was staged: {why}. E opens the text again as you left it."));
}

fn choice(state: &State, row: &HistoryRow) -> Choice {
    let changes = row.changes.iter().map(change).collect::<Vec<_>>().join(", ");
    Choice {
        name: format!("{} {} {} {}", row.number, text::time(row.at, &state.zone, "%F %T"), row.who, row.what),
        detail: if changes.is_empty() { "nothing changed".into() } else { changes },
        keys: String::new(),
        refused: None,
        purpose: Purpose::Tell(Ask::Stage, Box::new(Command::Environment(EnvironmentCommand::Rollback { number: row.number }))),
    }
}

fn change(change: &HistoryChange) -> String {
    let name = &change.name;
    match (change.change.as_str(), &change.from, &change.to) {
        ("delete", ..) => format!("-{name}"),
        ("create", _, Some(to)) => format!("+{name}={to}"),
        ("create", ..) => format!("+{name}"),
        (_, Some(from), Some(to)) => format!("~{name}={from} → {to}"),
        _ => format!("~{name}"),
    }
}

fn values(state: &State, variables: &[RanWith]) -> Pager {
    let id = state.events.selected().map_or(0, |d| d.id);
    let wide = variables.iter().map(|v| text::width(&v.name)).max().unwrap_or_default().min(32);
    let line = |v: &RanWith| {
        let (tone, since) = match v.since {
            Since::Same => (Tone::Dim, ""),
            Since::Changed => (Tone::Warn, "  ~ changed since"),
            Since::Gone => (Tone::Warn, "  - gone since"),
            Since::Unknown => (Tone::Dim, "  a secret"),
        };
        let value = v.value.clone().unwrap_or_else(|| "********".into());
        vec![Piece::new(Tone::Strong, text::pad(&v.name, wide + 2)), Piece::new(Tone::Plain, value), Piece::new(tone, since)]
    };
    let whole = variables.iter().map(|v| format!("{}={}\n", v.name, v.value.as_deref().unwrap_or("********"))).collect();
    Pager::new(format!("What delivery #{id} ran with"), variables.iter().map(line).collect(), whole)
}
