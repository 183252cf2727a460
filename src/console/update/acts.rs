use super::super::action::{self, ACTIONS, Context, Do, Inspect};
use super::super::keymap;
use super::super::message::{Ask, Effect, Query, Waited};
use super::super::state::{
    Choice, Chooser, Confirm, Form, Input, Overlay, Pane, Part, Pending, PromptFor, Purpose, Scroll, State, Typing,
};
use super::super::story;
use super::super::theme::{Piece, Tone};
use super::{captures, environment, go, journal, moves, sizes, stepping, storage, typing};
use crate::journal::LogFilter;
use crate::workbench::{CaptureCommand, Command, EventTypeRow, Status, VariableChange, VariableRow};

/// The event type of a Test Subscription.
const PURCHASE: &str = "asset_purchase_request_processing";

/// Does what an action says, or tells why it can't be done.
pub(crate) fn perform(state: &mut State, what: Do, effects: &mut Vec<Effect>) {
    state.dirty = true;
    if let Some(Err(reason)) = action::of(what).map(|a| (a.available)(state)) {
        return state.say(Tone::Warn, format!("Not now: {reason}."));
    }
    match what {
        Do::Trigger => trigger(state, PURCHASE, effects),
        Do::TriggerType => {
            let title = "Trigger an event (Tab edits its object first)";
            let choices = event_types(state).into_iter().chain(captures::like_selected(state)).collect();
            state.overlays.push(Overlay::Chooser(Box::new(Chooser::new(title, choices))));
            effects.push(Effect::Command(Ask::Captures, Command::Captures(CaptureCommand::SavedEvents)));
        }
        Do::Replay => replay(state, effects),
        Do::ReplayMany => replay_many(state),
        Do::Release => release(state, effects),
        Do::Forward => state.overlays.push(Overlay::Chooser(Box::new(super::forward::choices(state)))),
        Do::Pin
        | Do::Watch
        | Do::Hold
        | Do::ReplayHermetic
        | Do::ReplayShadow
        | Do::ReplayTwice
        | Do::ReplayEdited
        | Do::ReplayVariable
        | Do::Metrics => {
            captures::perform(state, what, effects);
        }
        Do::ShowSaga => state.trace.saga_wanted = Some(state.trace.grid().is_none()),
        Do::EarlierDelivery | Do::LaterDelivery => {
            beside(state, if what == Do::EarlierDelivery { -1 } else { 1 }, effects);
        }
        Do::Break
        | Do::Spoil
        | Do::ContinueStep
        | Do::SkipStep
        | Do::AbortDelivery
        | Do::Mark
        | Do::EarlierSaga
        | Do::LaterSaga => stepping::perform(state, what, effects),
        Do::Open => open(state),
        Do::Filter => filter(state),
        Do::Follow if state.events.paused => moves::to_end(state, effects),
        Do::Follow => state.events.pause(),
        Do::Copy => copy(state, effects),
        Do::EditVariable => edit(state, effects),
        Do::AddVariable => state.overlays.push(Overlay::Form(Box::new(Form {
            title: "New variable".into(),
            name: Input::new(""),
            new: true,
            value: Input::new(""),
            on_value: false,
            secure: false,
            error: None,
            run: None,
        }))),
        Do::RevealVariable => {
            let name = state.variables.selected().map(|v| v.name.clone()).unwrap_or_default();
            if state.variables.revealed.take().is_none_or(|shown| shown.name != name) {
                effects.push(Effect::Command(Ask::Reveal(name.clone()), Command::Reveal { name }));
            }
        }
        Do::UnsetVariable => {
            let name = state.variables.selected().map(|v| v.name.clone()).unwrap_or_default();
            stage(state, VariableChange::Unset { name }, effects);
        }
        Do::UnstageVariable => {
            let names = state.variables.selected().map(|v| v.name.clone()).into_iter().collect();
            state.variables.busy = true;
            effects.push(Effect::Command(Ask::Stage, Command::Unstage { names }));
        }
        Do::Apply => state.overlays.push(Overlay::Confirm(Confirm {
            title: "Apply changes".into(),
            lines: story::diff(&state.variables.all),
            scroll: Scroll::default(),
            pending: Pending::Apply,
        })),
        Do::EditAll => environment::edit_all(state, effects),
        Do::ImportVariables => environment::prompt(state, PromptFor::ImportVariables),
        Do::ExportVariables => environment::prompt(state, PromptFor::ExportVariables),
        Do::History => environment::history(effects),
        Do::RanWith => environment::ran_with(state, effects),
        Do::Go => go::ask(state),
        Do::Back => go::back(state, effects),
        Do::Ahead => go::forward(state, effects),
        Do::Grow | Do::Shrink | Do::Wider | Do::Narrower | Do::ResetSizes => sizes::perform(state, what),
        Do::Mouse => mouse(state, effects),
        Do::LogLevel => {
            let filter = LogFilter { level: state.logs.next_level(), ..state.logs.filter.clone() };
            filter_logs(state, filter, effects);
        }
        Do::LogDelivery => {
            let delivery = if state.logs.filter.delivery.is_some() { None } else { state.events.selected().map(|d| d.id) };
            filter_logs(state, LogFilter { delivery, ..state.logs.filter.clone() }, effects);
        }
        Do::SwitchBackend => storage::switch(state, effects),
        Do::Store(what) => storage::perform(state, what, effects),
        Do::Reload => reload(state, effects),
        Do::NextPage | Do::PreviousPage => {
            state.storage.turn(what == Do::NextPage);
            storage::documents(state, effects);
        }
        Do::NextPane => state.focus_on(state.focus.step(1)),
        Do::PreviousPane => state.focus_on(state.focus.step(Pane::ALL.len() - 1)),
        Do::Show(pane) => {
            state.zoomed = !(state.zoomed && state.focus == pane);
            state.focus_on(pane);
        }
        Do::Zoom => state.zoomed = !state.zoomed,
        Do::Palette => state.overlays.push(Overlay::Chooser(Box::new(palette(state)))),
        Do::Help => state.overlays.push(Overlay::Help(Scroll::default())),
        Do::Close => close(state, effects),
        Do::Redraw => effects.push(Effect::Redraw),
        Do::Suspend => effects.push(Effect::Suspend),
        Do::Quit => quit(state, effects),
        Do::Up | Do::Down | Do::Left | Do::Right | Do::PageUp | Do::PageDown | Do::Top | Do::End => {
            moves::perform(state, what, effects);
        }
    }
}

/// Creates an object of the type and has it delivered.
pub(crate) fn trigger(state: &mut State, event_type: &str, effects: &mut Vec<Effect>) {
    state.say(Tone::Note, format!("Creating an object for {event_type} ..."));
    let command = Command::Trigger { event_type: event_type.into(), object: None, set: Vec::new() };
    effects.push(Effect::Command(Ask::Trigger, command));
}

/// Asks for a change of a variable to be staged.
pub(crate) fn stage(state: &mut State, change: VariableChange, effects: &mut Vec<Effect>) {
    state.variables.busy = true;
    effects.push(Effect::Command(Ask::Stage, Command::Stage { changes: vec![change] }));
}

fn replay(state: &mut State, effects: &mut Vec<Effect>) {
    let Some(delivery) = state.events.selected().map(|d| d.id) else { return };
    state.say(Tone::Note, format!("Replaying #{delivery} ..."));
    effects.push(Effect::Command(Ask::Replay(delivery), Command::Replay { delivery }));
}

/// Offers how often, and whether all that are shown.
fn replay_many(state: &mut State) {
    let Some(delivery) = state.events.selected().map(|d| d.id) else { return };
    let choice = |name: String, detail: &str, deliveries: Vec<i64>| Choice {
        name,
        detail: detail.into(),
        keys: String::new(),
        refused: None,
        purpose: Purpose::Again(deliveries),
    };
    let shown: Vec<i64> = state.events.rows.iter().map(|d| d.id).collect();
    let filter = if state.events.filter.is_empty() { "every delivery on the list".into() } else { state.events.filter.clone() };
    let times = [2, 5, 10, 100].map(|n| choice(format!("#{delivery} {n} times"), "one after the other", vec![delivery; n]));
    let all = choice(format!("all {} that are shown", shown.len()), &format!("{filter}, oldest first"), shown);
    let choices = times.into_iter().chain([all]).collect();
    state.overlays.push(Overlay::Chooser(Box::new(Chooser::new("Run again", choices))));
}

/// Runs deliveries again.
pub(super) fn replay_all(state: &mut State, deliveries: &[i64], effects: &mut Vec<Effect>) {
    state.say(Tone::Note, format!("Replaying {} ...", super::text::count(deliveries.len(), "delivery")));
    let again = |delivery: &i64| Effect::Command(Ask::Replay(*delivery), Command::Replay { delivery: *delivery });
    effects.extend(deliveries.iter().map(again));
}

/// Has the waiting task of the selected request delivered now.
fn release(state: &mut State, effects: &mut Vec<Effect>) {
    let Some(object) = state.events.selected().map(|d| &d.object_id) else { return };
    let Some(task_id) = state.waiting.iter().find(|w| w.object_id == *object).map(|w| w.task_id.clone()) else { return };
    state.events.follow();
    effects.push(Effect::Command(Ask::Release, Command::Release { task_id }));
}

/// Selects the delivery of the same request before or after.
fn beside(state: &mut State, by: isize, effects: &mut Vec<Effect>) {
    let Some(id) = state.events.selected().map(|d| d.id) else { return };
    match state.trace.saga.as_ref().and_then(|saga| saga.beside(id, by)) {
        Some(other) if state.events.go_to(other) => journal::refresh(state, effects),
        Some(_) => {}
        None => state.say(Tone::Warn, if by < 0 { "This is its first delivery." } else { "This is its last delivery." }),
    }
}

fn open(state: &mut State) {
    if state.focus == Pane::Storage
        && state.storage.part == Part::Document
        && action::of(Do::Store(Inspect::Fold)).is_some_and(|fold| (fold.available)(state).is_ok())
    {
        return storage::fold(state);
    }
    if let (Pane::Events, Some(detail)) = (state.focus, story::tabs(state)) {
        return state.overlays.push(Overlay::Detail(Box::new(detail)));
    }
    let pager = match state.focus {
        Pane::Trace => story::line_detail(state),
        Pane::Storage => story::document(state),
        Pane::Logs => story::log_line(state),
        Pane::Events | Pane::Variables => None,
    };
    match pager {
        Some(pager) => state.overlays.push(Overlay::Pager(pager)),
        None => state.say(Tone::Warn, "There is nothing here to open yet."),
    }
}

/// Shows other log lines.
pub(crate) fn filter_logs(state: &mut State, filter: LogFilter, effects: &mut Vec<Effect>) {
    state.dirty = true;
    state.logs.filter = filter;
    effects.push(Effect::Read(Query::Logs(state.logs.filter.clone())));
}

fn mouse(state: &mut State, effects: &mut Vec<Effect>) {
    state.mouse = !state.mouse;
    effects.push(Effect::Mouse(state.mouse));
    let said = if state.mouse {
        "The mouse focuses, selects and scrolls; with Shift it selects text."
    } else {
        "The mouse is the terminal's: it selects text."
    };
    state.say(Tone::Note, said);
}

fn filter(state: &mut State) {
    if state.focus == Pane::Storage {
        return storage::open_bar(state);
    }
    let before = match state.focus {
        Pane::Logs => state.logs.filter.text.clone().unwrap_or_default(),
        Pane::Trace => state.trace.filter.clone(),
        Pane::Variables => state.variables.filter.clone(),
        _ => state.events.filter.clone(),
    };
    state.typing = Some(Typing { pane: state.focus, input: Input::new(&before), before });
}

fn copy(state: &mut State, effects: &mut Vec<Effect>) {
    let (what, text) = match state.focus {
        Pane::Events => ("the object's id", state.events.selected().map(|d| d.object_id.clone())),
        Pane::Trace => ("the line", story::copied_line(state)),
        Pane::Variables => ("the value", story::copied_value(state)),
        Pane::Storage => ("the document", story::document(state).map(|p| p.whole)),
        Pane::Logs => ("the line", state.logs.selected().map(|l| l.message.clone())),
    };
    match text {
        Some(text) => put_on_clipboard(state, what, text, effects),
        None => state.say(Tone::Warn, "There is nothing here that can be copied."),
    }
}

/// Copies and says so, naming the way it goes.
pub(crate) fn put_on_clipboard(state: &mut State, what: &str, text: String, effects: &mut Vec<Effect>) {
    state.say(Tone::Good, format!("Copied {what} ({} characters) by OSC 52.", text.chars().count()));
    effects.push(Effect::Copy(text));
}

/// Edits the selected variable: what is shown may be a second old, and a form must not begin with a value of then.
fn edit(state: &mut State, effects: &mut Vec<Effect>) {
    let Some(variable) = state.variables.selected() else { return };
    if state.pending.variables_stale || state.variables.busy {
        effects.push(Effect::Command(Ask::Edit(variable.name.clone()), Command::Variables));
    } else {
        open_form(state);
    }
}

/// Opens the form of the selected variable.
pub(super) fn open_form(state: &mut State) {
    let Some(form) = state.variables.selected().map(form) else { return };
    state.overlays.push(Overlay::Form(Box::new(form)));
}

/// A form that begins with the value a variable has; a secret is typed anew.
pub(super) fn form(variable: &VariableRow) -> Form {
    use crate::workbench::VariableState::Value;
    let value = match (&variable.staged, &variable.stored) {
        (Some(Value(value)), _) | (None, Value(value)) => Input::selected(value),
        _ => Input::new(""),
    };
    Form {
        title: format!("Edit {}", variable.name),
        name: Input::new(&variable.name),
        new: false,
        value: if variable.secure { Input::new("").masked() } else { value },
        on_value: true,
        secure: variable.secure,
        error: None,
        run: None,
    }
}

fn reload(state: &mut State, effects: &mut Vec<Effect>) {
    if state.focus == Pane::Variables {
        state.variables.busy = true;
        effects.push(Effect::Command(Ask::Variables, Command::Variables));
    } else {
        storage::reload(state, effects);
    }
}

fn close(state: &mut State, effects: &mut Vec<Effect>) {
    if state.focus == Pane::Storage && storage::close(state, effects) {
        return;
    }
    match state.focus {
        Pane::Events if !state.events.filter.is_empty() => typing::set_filter(state, Pane::Events, "", effects),
        Pane::Trace if !state.trace.filter.is_empty() => typing::set_filter(state, Pane::Trace, "", effects),
        Pane::Variables if !state.variables.filter.is_empty() => typing::set_filter(state, Pane::Variables, "", effects),
        Pane::Logs if state.logs.filter != LogFilter::default() => filter_logs(state, LogFilter::default(), effects),
        _ if state.toast.take().is_some() => {}
        _ => {
            if !cancel(state, effects) {
                state.zoomed = false;
            }
        }
    }
}

/// Waits no longer for what takes long; whether anything does.
fn cancel(state: &mut State, effects: &mut Vec<Effect>) -> bool {
    let Some((ask, what, _)) = state.work.long(state.now) else { return false };
    let (ask, said) = (ask.clone(), format!("No longer {what}. What was done until now stays done."));
    super::replies::settle(state, &ask);
    if matches!(ask, Ask::Apply | Ask::Stage) {
        state.pending.variables_stale = true;
    }
    effects.push(Effect::Cancel(Waited::For(ask)));
    state.say(Tone::Warn, said);
    true
}

/// Quits, or has it asked how many are running now: what was last heard may be over, and is no reason to ask anybody.
fn quit(state: &mut State, effects: &mut Vec<Effect>) {
    effects.push(match state.running() {
        0 => Effect::Quit,
        _ => Effect::Command(Ask::Quit, Command::Status),
    });
}

/// Quits, or asks back where that would interrupt deliveries: a session of another process goes on without this one.
pub(super) fn quit_unless_running(state: &mut State, status: &Status, effects: &mut Vec<Effect>) {
    let running = status.running;
    if running == 0 || status.joined {
        return effects.push(Effect::Quit);
    }
    let line = |text: String| vec![Piece::new(Tone::Plain, text)];
    state.overlays.push(Overlay::Confirm(Confirm {
        title: "Quit".into(),
        lines: vec![
            line(format!("{} still being handled.", super::text::count(running, "delivery"))),
            line("It will be marked as interrupted and can be replayed.".into()),
        ],
        scroll: Scroll::default(),
        pending: Pending::Quit,
    }));
}

/// Asks which of some actions is meant.
pub(crate) fn choose_action(state: &mut State, among: &[Do]) {
    let choices = palette(state).all.into_iter().filter(|c| matches!(&c.purpose, Purpose::Act(what) if among.contains(what)));
    state.overlays.push(Overlay::Chooser(Box::new(Chooser::new("Which", choices.collect()))));
}

fn palette(state: &State) -> Chooser {
    let here = Context::Pane(state.focus);
    let mut actions: Vec<_> = ACTIONS.iter().filter(|a| a.what != Do::Palette).collect();
    let here_first = |a: &&action::Action| !(a.contexts.contains(&here) || a.hint.is_some());
    actions.sort_by_key(|a| ((a.available)(state).is_err(), here_first(a)));
    let choice = |a: &&action::Action| {
        let elsewhere = !a.contexts.contains(&here) && !a.contexts.contains(&Context::Everywhere);
        let place = a.contexts.first().filter(|_| elsewhere).map(|c| format!("{}: ", c.title())).unwrap_or_default();
        Choice {
            name: a.name.into(),
            detail: format!("{place}{}", a.description),
            keys: keymap::first(a),
            refused: (a.available)(state).err(),
            purpose: Purpose::Act(a.what),
        }
    };
    Chooser::new("Commands", actions.iter().map(choice).collect())
}

/// Chosen from the palette, an action of another pane takes the focus there first.
pub(crate) fn perform_anywhere(state: &mut State, what: Do, effects: &mut Vec<Effect>) {
    if let Some(action) = action::of(what) {
        let fits = action.contexts.iter().any(|c| matches!(c, Context::Everywhere) || *c == Context::Pane(state.focus));
        if let (false, Some(Context::Pane(pane))) = (fits, action.contexts.first()) {
            state.focus_on(*pane);
            journal::follow_selection(state, effects);
        }
    }
    perform(state, what, effects);
}

fn event_types(state: &State) -> Vec<Choice> {
    let choice = |row: &EventTypeRow| Choice {
        name: row.name.clone(),
        detail: format!("{}{}", row.category, if row.subscribed { "" } else { ", nobody subscribes to it" }),
        keys: String::new(),
        refused: None,
        purpose: Purpose::Trigger(row.name.clone()),
    };
    let (wanted, others): (Vec<_>, Vec<_>) = state.event_types.iter().partition(|row| row.subscribed);
    wanted.into_iter().chain(others).map(choice).collect()
}
