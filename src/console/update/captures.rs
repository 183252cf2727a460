//! What is done with the selected delivery besides a plain replay: pinned, held back, run again in other ways, compared.

use serde_json::Value;

use super::super::action::Do;
use super::super::message::{Ask, Effect, Query};
use super::super::state::{Choice, Chooser, Editor, EditorFor, Form, Input, Overlay, Purpose, State, Watch};
use super::super::theme::Tone;
use super::super::{story, text};
use super::replies::await_delivery;
use super::{acts, runs};
use crate::observe::Fact;
use crate::platform::Platform;
use crate::workbench::{CaptureCommand, CaptureReply, Command, RunAgain, RunsCompared, SavedEvent, VariableRow, VariableState};

/// What a run of the delivery that is watched is called.
const WATCHED: &str = "replay with the changed sources";

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
        Do::Watch => watch(state, delivery, pinned, effects),
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
        Do::ReplayTwice => {
            state.say(Tone::Note, format!("Delivering #{delivery} twice into shadow collections ..."));
            ask(effects, Ask::Twice(delivery), CaptureCommand::Run(Box::new(RunAgain { shadow: true, ..run })));
        }
        Do::ReplayEdited => match object(state) {
            Some(object) => {
                let title = format!("The object of #{delivery}, before it runs again");
                edit(state, title, &object, EditorFor::Replay { delivery });
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
        form.value = Input::selected(live);
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
fn object(state: &State) -> Option<Value> {
    let selected = state.events.selected()?.id;
    let rows = state.trace.delivery.as_ref().filter(|d| d.id == selected).map(|_| &state.trace.rows)?;
    let object = rows.iter().find_map(|row| match &row.observation.fact {
        Fact::ObjectFetched { object } => Some(&**object),
        Fact::TaskArrived(task) => task.task.pointer("/input/data").filter(|data| !data.is_null()),
        _ => None,
    })?;
    Some(object.clone())
}

/// Opens an object in place.
fn edit(state: &mut State, title: String, object: &Value, purpose: EditorFor) {
    let editor = Editor::new(title, &super::super::json::pretty(object), purpose);
    state.overlays.push(Overlay::Editor(Box::new(editor)));
}

/// Opens the object of a new event, as it would be, to be changed first.
pub(crate) fn edit_new(state: &mut State, event_type: &str) {
    match Platform::sample(event_type) {
        Some(object) => {
            edit(state, format!("The object of a new {event_type}"), &object, EditorFor::Trigger(event_type.into()));
        }
        None => state.say(Tone::Warn, format!("There is no sample of {event_type} to begin with.")),
    }
}

/// Delivers what the developer made of an object; where it can't be read is pointed at.
pub(crate) fn submit(state: &mut State, mut editor: Box<Editor>, effects: &mut Vec<Effect>) -> Option<Overlay> {
    let object = match serde_json::from_str(&editor.text()) {
        Ok(object @ Value::Object(_)) => object,
        Ok(_) => {
            editor.error = Some("This is JSON, but not an object: nothing was delivered.".into());
            return Some(Overlay::Editor(editor));
        }
        Err(error) => {
            editor.point_at(error.line(), error.column(), format!("This is not JSON: {error}. Nothing was delivered."));
            return Some(Overlay::Editor(editor));
        }
    };
    match editor.purpose {
        EditorFor::Replay { delivery } => {
            let run = RunAgain { delivery: Some(delivery), object: Some(object), ..RunAgain::default() };
            let command = Command::Captures(CaptureCommand::Run(Box::new(run)));
            effects.push(Effect::Command(Ask::Replay(delivery), command));
        }
        EditorFor::Trigger(event_type) => {
            state.say(Tone::Note, format!("Creating an object for {event_type} ..."));
            effects.push(Effect::Command(Ask::Trigger, Command::Trigger { event_type, object: Some(object), set: Vec::new() }));
        }
        EditorFor::Save { .. } | EditorFor::Insert(_) | EditorFor::Pipeline => {}
    }
    None
}

/// What can be triggered besides the event types: an object like that of the selected delivery.
pub(crate) fn like_selected(state: &State) -> Option<Choice> {
    let (delivery, object) = (state.events.selected()?, object(state)?);
    let event_type = delivery.event_type.clone();
    let detail = format!("{event_type}, a new object like that of #{}", delivery.id);
    Some(choice(format!("#{}", delivery.id), detail, event_type, Some(object), Vec::new()))
}

fn choice(name: String, detail: String, event_type: String, object: Option<Value>, set: Vec<(String, String)>) -> Choice {
    let command = Box::new(Command::Trigger { event_type, object, set });
    Choice { name, detail, keys: String::new(), refused: None, purpose: Purpose::Tell(Ask::Trigger, command) }
}

/// Adds the saved events to what can be triggered, if that is still being chosen.
fn offer_saved(state: &mut State, events: Vec<(String, SavedEvent)>) {
    if let Some(Overlay::Chooser(chooser)) = state.overlays.last_mut()
        && chooser.all.iter().any(|choice| matches!(choice.purpose, Purpose::Trigger(_)))
    {
        chooser.all.extend(events.into_iter().map(|(name, SavedEvent { event_type, object, set })| {
            choice(format!("@{name}"), format!("{event_type}, saved"), event_type, object, set)
        }));
        super::overlays::rank(chooser);
    }
}

/// Takes in an answer.
pub(crate) fn take(state: &mut State, ask: &Ask, reply: CaptureReply, effects: &mut Vec<Effect>) {
    match reply {
        CaptureReply::Started { delivered, shadows } => {
            runs::begun(state, ask, &delivered, shadows);
            if matches!(ask, Ask::Watch(_)) {
                // Whoever edits the sources has the selection where it is wanted.
                return runs::look(state, effects);
            }
            await_delivery(state, ask, delivered, effects);
        }
        CaptureReply::Usage(usage) => {
            let pinned = text::count(usize::try_from(usage.pinned).unwrap_or(0), "delivery");
            state.say(Tone::Good, format!("{pinned} pinned; the journal holds {}.", text::bytes(usage.bytes)));
            state.events.usage = Some(usage);
            super::journal::refresh(state, effects);
        }
        CaptureReply::Held { held } => {
            state.held = held;
            let said = if held { "Deliveries are held back. H lets them go on." } else { "Deliveries go on." };
            state.say(if held { Tone::Warn } else { Tone::Good }, said);
        }
        CaptureReply::Saved { events } => offer_saved(state, events),
        CaptureReply::Compared(compared) if matches!(ask, Ask::Watched(_)) => show_watched(state, &compared),
        CaptureReply::Compared(compared) => state.overlays.push(Overlay::Pager(runs::compared(&compared, "replay"))),
        CaptureReply::Repeated { repeated, differences, notes } => {
            if let Ask::Repeated { of, first, second } = ask {
                let pager = runs::repeated(*of, (*first, *second), &repeated, &differences, &notes);
                state.overlays.push(Overlay::Pager(pager));
            }
        }
        _ => {}
    }
}

/// Watches a delivery from now on, or no longer.
fn watch(state: &mut State, delivery: i64, pinned: bool, effects: &mut Vec<Effect>) {
    if state.watch.take_if(|watch| watch.delivery == delivery).is_some() {
        return state.say(Tone::Note, format!("#{delivery} is no longer watched."));
    }
    let Some(with) = state.status.as_ref().and_then(|status| status.changed) else {
        let why = "The extension is part of this program, which must be built anew: ";
        return state.say(
            Tone::Warn,
            format!("{why}quit, and `connect-console replay {delivery} --watch` runs it again after each build."),
        );
    };
    state.watch = Some(Watch { delivery, with, differences: None });
    if !pinned {
        let command = CaptureCommand::Pin { deliveries: vec![delivery], pinned: true };
        effects.push(Effect::Command(Ask::Captures, Command::Captures(command)));
    }
    state.say(Tone::Good, format!("Watching: #{delivery} is run again whenever the sources change. W ends it."));
}

/// Runs the delivery that is watched again, if the extension runs with other sources than the last time.
pub(crate) fn sources_changed(state: &mut State, effects: &mut Vec<Effect>) {
    let changed = state.status.as_ref().and_then(|status| status.changed);
    let Some((watch, changed)) = state.watch.as_mut().zip(changed).filter(|(watch, changed)| watch.with != *changed) else {
        return;
    };
    (watch.with, watch.differences) = (changed, None);
    let delivery = watch.delivery;
    // Into shadow collections where variables name some: a delivery that runs with every save would fill the real ones.
    let shadow = state.variables.rows.iter().any(|v| v.name.to_ascii_uppercase().contains("COLLECTION"));
    let run = RunAgain { delivery: Some(delivery), shadow, ..RunAgain::default() };
    effects.push(Effect::Command(Ask::Watch(delivery), Command::Captures(CaptureCommand::Run(Box::new(run)))));
    state.say(Tone::Note, format!("The sources changed: #{delivery} is run again ..."));
}

/// Shows how the run of a watched delivery differed, unless the developer is in the middle of something else.
fn show_watched(state: &mut State, compared: &RunsCompared) {
    let count = compared.differences.len();
    if let Some(watch) = state.watch.as_mut().filter(|watch| watch.delivery == compared.before) {
        watch.differences = Some(count);
    }
    let (tone, said) = match count {
        0 => (Tone::Good, format!("#{} with the changed sources: no difference.", compared.before)),
        n => (Tone::Warn, format!("#{} with the changed sources: {}.", compared.before, text::count(n, "difference"))),
    };
    state.say(tone, said);
    let pager = runs::compared(compared, WATCHED);
    let earlier = matches!(state.overlays.last(), Some(Overlay::Pager(shown)) if shown.title.contains(WATCHED));
    if earlier {
        state.overlays.pop();
    }
    if state.overlays.is_empty() && state.typing.is_none() {
        state.overlays.push(Overlay::Pager(pager));
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::fixture::{delivery, status, tell, typical};
    use super::super::super::message::{Answer, Message};
    use super::super::tests::press;
    use super::*;
    use crate::replay::Difference;
    use crate::workbench::{Delivered, Reply};

    fn with_sources(state: &mut State, changed: u64) -> Vec<Effect> {
        let status = crate::workbench::Status { changed: Some(changed), ..status() };
        tell(state, Message::Reply(Ask::Status, Ok(Reply::Status(Box::new(status)))))
    }

    fn captured(state: &mut State, ask: Ask, reply: CaptureReply) -> Vec<Effect> {
        tell(state, Message::Reply(ask, Ok(Reply::Captures(reply))))
    }

    fn compared(before: i64, differences: Vec<Difference>) -> CaptureReply {
        let (micros, unrecorded, notes) = ((Some(1_000), Some(2_000)), Vec::new(), Vec::new());
        CaptureReply::Compared(RunsCompared { before, after: 9, differences, micros, unrecorded, notes })
    }

    /// Has the run of the watched delivery begin, end, and be compared.
    fn run(state: &mut State, of: i64, differences: Vec<Difference>) -> Vec<Effect> {
        let row = delivery(9, Some("fail"));
        let (task_id, object_id, event_type) = (row.task_id.clone(), row.object_id.clone(), row.event_type.clone());
        let delivered = Delivered { task_id: task_id.clone(), object_id, event_type, unclaimed: false, note: None };
        let asked = captured(state, Ask::Watch(of), CaptureReply::Started { delivered, shadows: Vec::new() });
        assert!(asked.contains(&Effect::Read(Query::Tasks(vec![task_id]))), "{asked:?}");
        let effects = tell(state, Message::Read(Answer::Tasks(vec![row])));
        captured(state, Ask::Watched(of), compared(of, differences));
        effects
    }

    #[test]
    fn a_watched_delivery_runs_again_whenever_the_sources_change_and_the_difference_is_shown() {
        let mut state = typical(120, 40);
        with_sources(&mut state, 1);
        let id = state.events.selected().unwrap().id;
        let pin = Command::Captures(CaptureCommand::Pin { deliveries: vec![id], pinned: true });
        assert!(press(&mut state, "W").contains(&Effect::Command(Ask::Captures, pin)));
        let runs = |effects: &[Effect]| effects.iter().filter(|e| matches!(e, Effect::Command(Ask::Watch(_), _))).count();
        assert_eq!(runs(&with_sources(&mut state, 1)), 0, "nothing changed");
        assert_eq!(runs(&with_sources(&mut state, 2)), 1);
        assert_eq!(runs(&with_sources(&mut state, 2)), 0, "once for a change");

        let changed = Difference { path: "result".into(), before: Some("success".into()), after: Some("fail".into()) };
        let effects = run(&mut state, id, vec![changed]);
        let asked = matches!(
            &effects[..],
            [Effect::Command(Ask::Watched(_), Command::Captures(CaptureCommand::CompareAndClear { before, after: 9, .. })), ..]
                if *before == id
        );
        assert!(asked, "{effects:?}");
        assert_eq!(state.events.selected().map(|d| d.id), Some(id), "the selection stays");
        let shown = |state: &State| match &state.overlays[..] {
            [Overlay::Pager(pager)] => pager.whole.clone(),
            other => panic!("{other:?}"),
        };
        assert!(shown(&state).contains("- \"success\"") && shown(&state).contains("+ \"fail\""), "{}", shown(&state));

        with_sources(&mut state, 3);
        run(&mut state, id, Vec::new());
        assert!(shown(&state).contains("no difference"), "the newer takes the place of the older: {}", shown(&state));
        press(&mut state, "esc W");
        assert_eq!(runs(&with_sources(&mut state, 4)), 0, "nothing is watched any more");
    }

    #[test]
    fn an_object_is_edited_in_place_before_it_runs_again_and_what_is_no_json_is_pointed_at() {
        let mut state = typical(120, 40);
        let id = state.events.selected().unwrap().id;
        press(&mut state, "E");
        assert!(matches!(&state.overlays[..], [Overlay::Editor(editor)] if editor.purpose == EditorFor::Replay { delivery: id }));
        press(&mut state, "} ");
        assert!(super::super::tests::commands(&press(&mut state, "ctrl-s")).is_empty());
        let [Overlay::Editor(editor)] = &state.overlays[..] else { panic!("{:?}", state.overlays) };
        assert!(editor.error.as_ref().is_some_and(|error| error.contains("not JSON")), "{:?}", editor.error);
        press(&mut state, "delete");
        let effects = press(&mut state, "ctrl-s");
        let replayed = matches!(&super::super::tests::commands(&effects)[..],
            [Command::Captures(CaptureCommand::Run(run))] if run.delivery == Some(id) && run.object.is_some());
        assert!(replayed, "{effects:?}");
    }

    #[test]
    fn saved_events_and_the_like_of_a_delivery_can_be_triggered_and_any_template_edited_first() {
        let mut state = typical(120, 40);
        let id = state.events.selected().unwrap().id;
        let effects = press(&mut state, "T");
        assert!(effects.contains(&Effect::Command(Ask::Captures, Command::Captures(CaptureCommand::SavedEvents))));
        let saved = SavedEvent { event_type: "asset_cancel_request_processing".into(), object: None, set: Vec::new() };
        captured(&mut state, Ask::Captures, CaptureReply::Saved { events: vec![("mine".into(), saved)] });
        let offered = |state: &State| match &state.overlays[..] {
            [Overlay::Chooser(chooser)] => chooser.all.iter().map(|choice| choice.name.clone()).collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        };
        assert!(offered(&state).contains(&"@mine".to_owned()) && offered(&state).contains(&format!("#{id}")));
        let effects = press(&mut state, "@mine enter");
        let sent = matches!(&super::super::tests::commands(&effects)[..],
            [Command::Trigger { event_type, .. }] if event_type == "asset_cancel_request_processing");
        assert!(sent, "{effects:?}");

        press(&mut state, "T");
        press(&mut state, "asset_purchase_request_processing tab");
        let purpose = EditorFor::Trigger("asset_purchase_request_processing".into());
        assert!(matches!(&state.overlays[..], [Overlay::Editor(editor)] if editor.purpose == purpose), "{:?}", state.overlays);
        let effects = press(&mut state, "ctrl-s");
        let sent = matches!(&super::super::tests::commands(&effects)[..], [Command::Trigger { object: Some(_), .. }]);
        assert!(sent, "{effects:?}");
    }

    #[test]
    fn an_extension_that_is_part_of_the_program_says_how_it_is_watched() {
        let mut state = typical(120, 40);
        press(&mut state, "W");
        assert!(state.watch.is_none());
        assert!(state.toast.as_ref().is_some_and(|toast| toast.text.contains("--watch")), "{:?}", state.toast);
    }
}
