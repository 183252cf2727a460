//! What is done with the selected delivery besides a plain replay: pinned, held back, run again in other ways, compared.

use super::super::action::Do;
use super::super::message::{Ask, Edit, Effect, Query};
use super::super::state::{Choice, Chooser, Comparing, Form, Input, Overlay, Pager, Purpose, State};
use super::super::theme::{Piece, Pieces, Tone};
use super::super::{story, text};
use super::replies::await_delivery;
use super::{acts, complain};
use crate::journal::DeliveryState;
use crate::observe::{Fact, Secret};
use crate::workbench::{CaptureCommand, CaptureReply, Command, RunAgain, RunsCompared, VariableRow, VariableState};

/// Carries out an action about the selected delivery.
pub(crate) fn perform(state: &mut State, what: Do, effects: &mut Vec<Effect>) {
    if what == Do::Metrics {
        return effects.push(Effect::Read(Query::Metrics));
    }
    let ask = |effects: &mut Vec<Effect>, ask: Ask, command: CaptureCommand| {
        effects.push(Effect::Command(ask, Command::Captures(command)));
    };
    if what == Do::Hold {
        let hold = !state.held;
        return ask(effects, Ask::Captures, CaptureCommand::Hold { hold });
    }
    let Some((delivery, pinned)) = state.events.selected().map(|d| (d.id, d.pinned)) else { return };
    let run = RunAgain { delivery: Some(delivery), ..RunAgain::default() };
    match what {
        Do::ReplayVariable => choose_variable(state, delivery),
        Do::Pin => ask(effects, Ask::Captures, CaptureCommand::Pin { deliveries: vec![delivery], pinned: !pinned }),
        Do::ReplayHermetic => {
            state.say(Tone::Note, format!("Replaying #{delivery} with its recorded answers ..."));
            ask(effects, Ask::Replay(delivery), CaptureCommand::Run(Box::new(RunAgain { hermetic: true, ..run })));
        }
        Do::ReplayShadow => {
            state.say(Tone::Note, format!("Replaying #{delivery} into shadow collections ..."));
            ask(effects, Ask::Shadow(delivery), CaptureCommand::Run(Box::new(RunAgain { shadow: true, ..run })));
        }
        Do::ReplayEdited => match object(state) {
            Some(text) => {
                let edit = Edit::Object { delivery };
                effects.push(Effect::Edit { edit, file: "object.json", text: Secret::new(text) });
            }
            None => state.say(Tone::Warn, "Its object is not known (yet): there is nothing to edit."),
        },
        _ => {}
    }
}

/// Asks which variable has another value when the delivery is run again.
fn choose_variable(state: &mut State, delivery: i64) {
    let choice = |v: &VariableRow| Choice {
        name: v.name.clone(),
        detail: story::value_of(if v.live == VariableState::Absent { &v.stored } else { &v.live }),
        keys: String::new(),
        refused: None,
        purpose: Purpose::RunWith { delivery, variable: v.name.clone() },
    };
    let choices: Vec<_> = state.variables.all.iter().map(choice).collect();
    if choices.is_empty() {
        return state.say(Tone::Warn, "There is no variable to change.");
    }
    let title = format!("Run #{delivery} again with another value of");
    state.overlays.push(Overlay::Chooser(Box::new(Chooser::new(&title, choices))));
}

/// Asks for the value.
pub(crate) fn open_form(state: &mut State, delivery: i64, variable: &str) {
    let Some(variable) = state.variables.all.iter().find(|v| v.name == variable) else { return };
    let mut form = Form { title: format!("Run #{delivery} again with"), run: Some(delivery), ..acts::form(variable) };
    // What is in force now is the value to change, not what is staged for later.
    if let (VariableState::Value(live), false) = (&variable.live, variable.secure) {
        form.value = Input::new(live);
    }
    state.overlays.push(Overlay::Form(Box::new(form)));
}

/// Runs it with that value, for this run only; what is different is shown when it is over.
pub(crate) fn replay_with(state: &mut State, delivery: i64, variable: (String, String), effects: &mut Vec<Effect>) {
    state.say(Tone::Note, format!("Replaying #{delivery} with another {} ...", variable.0));
    let run = RunAgain { delivery: Some(delivery), variables: vec![variable], ..RunAgain::default() };
    effects.push(Effect::Command(Ask::Shadow(delivery), Command::Captures(CaptureCommand::Run(Box::new(run)))));
}

/// The object of the selected delivery, to be edited.
fn object(state: &State) -> Option<String> {
    let selected = state.events.selected()?.id;
    let rows = state.trace.delivery.as_ref().filter(|d| d.id == selected).map(|_| &state.trace.rows)?;
    let object = rows.iter().find_map(|row| match &row.observation.fact {
        Fact::ObjectFetched { object } => Some(object),
        Fact::TaskArrived(task) => task.task.pointer("/input/data").filter(|data| !data.is_null()),
        _ => None,
    })?;
    Some(super::super::json::pretty(object) + "\n")
}

/// Runs a delivery again with the object that came back from the editor.
pub(crate) fn replay_edited(state: &mut State, delivery: i64, text: &str, effects: &mut Vec<Effect>) {
    match serde_json::from_str(text) {
        Ok(object) => {
            let run = RunAgain { delivery: Some(delivery), object: Some(object), ..RunAgain::default() };
            let command = Command::Captures(CaptureCommand::Run(Box::new(run)));
            effects.push(Effect::Command(Ask::Replay(delivery), command));
        }
        Err(error) => complain(state, format!("What the editor saved is not JSON: {error}. Nothing was delivered.")),
    }
}

/// Takes in an answer.
pub(crate) fn take(state: &mut State, ask: &Ask, reply: CaptureReply, effects: &mut Vec<Effect>) {
    match reply {
        CaptureReply::Started { delivered, shadows } => {
            if let Ask::Shadow(original) = ask {
                state.comparing = Some(Comparing { original: *original, task_id: delivered.task_id.clone(), shadows });
            }
            await_delivery(state, ask, delivered, effects);
        }
        CaptureReply::Usage(usage) => {
            let pinned = text::count(usize::try_from(usage.pinned).unwrap_or(0), "delivery").replace("deliverys", "deliveries");
            state.say(Tone::Good, format!("{pinned} pinned; the journal holds {} MiB.", usage.bytes >> 20));
            super::journal::refresh(state, effects);
        }
        CaptureReply::Held { held } => {
            state.held = held;
            let said = if held { "Deliveries are held back. H lets them go on." } else { "Deliveries go on." };
            state.say(if held { Tone::Warn } else { Tone::Good }, said);
        }
        CaptureReply::Compared(compared) => state.overlays.push(Overlay::Pager(pager(&compared))),
        _ => {}
    }
}

/// When the run that is awaited is over, it is compared with its original.
pub(crate) fn compare(state: &mut State, effects: &mut Vec<Effect>) {
    let Some(comparing) = &state.comparing else { return };
    let over = |state: DeliveryState| matches!(state, DeliveryState::Sent | DeliveryState::Interrupted);
    let Some(after) = state.events.rows.iter().rev().find(|d| d.task_id == comparing.task_id && over(d.state)).map(|d| d.id)
    else {
        return;
    };
    let Some(Comparing { original, shadows, .. }) = state.comparing.take() else { return };
    let collections = shadows.into_iter().map(|(_, _, own)| own).collect();
    let command = CaptureCommand::CompareAndClear { before: original, after, collections };
    effects.push(Effect::Command(Ask::Captures, Command::Captures(command)));
}

fn pager(compared: &RunsCompared) -> Pager {
    let took = |micros: Option<u64>| micros.map_or_else(|| "-".into(), text::duration);
    let (before, after) = compared.micros;
    let mut lines: Vec<Pieces> =
        vec![vec![Piece::new(Tone::Dim, format!("took {} then, {} now", took(before), took(after)))], Vec::new()];
    lines.extend(compared.notes.iter().map(|note| vec![Piece::new(Tone::Warn, note)]));
    lines.extend(compared.unrecorded.iter().map(|call| vec![Piece::new(Tone::Bad, format!("not recorded: {call}"))]));
    if compared.differences.is_empty() {
        lines.push(vec![Piece::new(Tone::Good, "✓ no difference: the same result, reason, steps, API calls and documents")]);
    }
    for difference in &compared.differences {
        lines.push(vec![Piece::new(Tone::Strong, &difference.path)]);
        for (sign, tone, value) in [("- ", Tone::Bad, &difference.before), ("+ ", Tone::Good, &difference.after)] {
            if let Some(value) = value {
                lines.extend(
                    super::super::json::pretty(value).lines().map(|line| vec![Piece::new(tone, format!("  {sign}{line}"))]),
                );
            }
        }
    }
    let whole = lines.iter().map(|line| line.iter().map(|p| p.text.as_str()).collect::<String>() + "\n").collect();
    Pager::new(format!("#{} and its replay #{}", compared.before, compared.after), lines, whole)
}
