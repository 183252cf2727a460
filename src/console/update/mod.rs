//! How the state changes: a message comes in, effects come out. Nothing here waits for anything.

mod acts;
mod captures;
mod details;
mod edited;
mod environment;
mod forward;
#[cfg(test)]
mod frame_tests;
mod go;
mod journal;
mod keys;
mod mouse;
mod moves;
mod overlays;
#[cfg(test)]
mod pane_tests;
mod prompts;
mod replies;
mod runs;
mod sizes;
mod stepping;
mod storage;
#[cfg(test)]
mod tests;
mod typing;

#[cfg(test)]
pub(crate) use acts::perform;
pub(crate) use go::PLACES;
#[cfg(test)]
pub(crate) use overlays::rank;

use super::layout;
use super::message::{Ask, Effect, Message, Query, Timed};
use super::state::{Pane, Phase, State};
use super::text;
use super::theme::Tone;
use crate::workbench::Command;

/// How often what may be asked for once in a while is asked for: at most once in this many microseconds.
const SWEEP: i64 = 900_000;

/// Applies a message; what is to be done outside comes back.
pub(crate) fn update(state: &mut State, Timed { at, message }: Timed) -> Vec<Effect> {
    state.now = at;
    let mut effects = Vec::new();
    match message {
        Message::Key(key) => keys::press(state, key, &mut effects),
        Message::Paste(pasted) => typing::paste(state, &pasted, &mut effects),
        Message::Mouse(event) => mouse::act(state, event, &mut effects),
        // What is seen again must be true: how long ago, how many.
        Message::Focus(true) => tick(state, &mut effects),
        Message::Focus(false) => {}
        Message::Background(light) => {
            state.theme.palette = state.config.palette(light, state.truecolour);
            state.dirty = true;
        }
        Message::Resize(columns, rows) => {
            state.size = (columns, rows);
            state.dirty = true;
        }
        Message::Started(Ok(())) => start(state, &mut effects),
        Message::Started(Err(why)) => {
            state.phase = Phase::Failed(why);
            state.dirty = true;
        }
        Message::News => {
            state.pending.variables_stale = true;
            // What kept the stores from being found may be over: variables that had no value yet, say.
            state.pending.documents_stale |= state.storage.collections_error.is_some();
            journal::refresh(state, &mut effects);
            ask_status(state, &mut effects);
        }
        Message::Tick => tick(state, &mut effects),
        Message::Read(answer) => journal::take(state, answer, &mut effects),
        Message::Reply(ask, reply) => replies::take(state, &ask, reply, &mut effects),
        Message::Panic(what) => complain(state, format!("A part of the session broke: {what}")),
        Message::Completed(typed, completed) => prompts::completed(state, &typed, completed),
        Message::Edited(edit, text) => edited::take(state, edit, text, &mut effects),
        Message::Terminate => effects.push(Effect::Quit),
    }
    journal::follow_selection(state, &mut effects);
    sweep(state, &mut effects);
    for effect in &effects {
        if let (Effect::Command(ask, _), true) = (effect, state.ready()) {
            state.work.begin(ask, at);
        }
    }
    effects
}

fn start(state: &mut State, effects: &mut Vec<Effect>) {
    state.phase = Phase::Ready;
    state.dirty = true;
    ask_status(state, effects);
    effects.push(Effect::Command(Ask::EventTypes, Command::EventTypes));
    state.variables.busy = true;
    effects.push(Effect::Command(Ask::Variables, Command::Variables));
    storage::list(state, effects);
    journal::refresh(state, effects);
    effects.push(Effect::Read(Query::Usage));
    effects.push(Effect::Read(Query::Logs(state.logs.filter.clone())));
}

fn ask_status(state: &mut State, effects: &mut Vec<Effect>) {
    if state.ready() && !state.pending.status {
        state.pending.status = true;
        effects.push(Effect::Command(Ask::Status, Command::Status));
    }
}

/// Asks again for what went stale, if it can be seen, at most once a second.
fn sweep(state: &mut State, effects: &mut Vec<Effect>) {
    if !state.ready() || state.now.0 - state.pending.swept.0 < SWEEP {
        return;
    }
    // With a real Connect, the answer tells how the environment stands, too, which the top line shows.
    let remote = state.status.as_ref().is_some_and(|s| s.mode == "remote");
    if state.pending.variables_stale && !state.variables.busy && (remote || layout::shows(state, Pane::Variables)) {
        state.pending.variables_stale = false;
        state.pending.swept = state.now;
        state.variables.busy = true;
        effects.push(Effect::Command(Ask::Variables, Command::Variables));
    }
    if state.pending.documents_stale && !state.storage.busy && !state.storage.stopped && layout::shows(state, Pane::Storage) {
        state.pending.documents_stale = false;
        state.pending.swept = state.now;
        effects.push(storage::collections(state));
    }
}

fn tick(state: &mut State, effects: &mut Vec<Effect>) {
    if state.toast.as_ref().is_some_and(|toast| toast.until <= state.now) {
        state.toast = None;
        state.dirty = true;
    }
    if state.variables.revealed.as_ref().is_some_and(|revealed| revealed.until <= state.now) {
        state.variables.revealed = None;
        state.dirty = true;
    }
    storage::tick(state, effects);
    if state.ready() {
        effects.push(Effect::Read(Query::Usage));
    }
    // Times that go on are drawn anew; a screen without any is left alone.
    state.dirty |= counts(state) || state.work.long(state.now).is_some() || state.age != age(state);
    state.age = age(state);
    ask_status(state, effects);
}

/// How long ago the other side was last heard of, in words.
pub(crate) fn age(state: &State) -> String {
    let seen = state.status.as_ref().and_then(|s| s.link.last_seen);
    seen.map(|at| text::ago(text::seconds_between(at, state.now))).unwrap_or_default()
}

/// Whether something is on the screen that changes with every second.
fn counts(state: &State) -> bool {
    let waiting = |d: &crate::journal::DeliveryRow| super::panes::due(state, d).is_some_and(|due| due > state.now);
    state.running() > 0 || state.events.rows.iter().rev().take(usize::from(state.size.1)).any(waiting)
}

/// After how many seconds the state wants to hear of the time again.
pub(crate) fn patience(state: &State) -> u64 {
    let shown = state.toast.is_some() || state.variables.revealed.is_some();
    let hurried = storage::hurried(state)
        || counts(state)
        || shown
        || state.watch.is_some()
        || !state.work.is_empty()
        || state.pending.variables_stale
        || state.pending.documents_stale;
    if hurried { 1 } else { 5 }
}

/// Shows an error of a command.
fn complain(state: &mut State, why: impl Into<String>) {
    state.say(Tone::Bad, why);
}
