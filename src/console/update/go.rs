use crossterm::event::{KeyCode, KeyEvent};

use super::super::message::Effect;
use super::super::state::{Overlay, Pane, Spot, State};
use super::super::theme::Tone;
use super::{acts, environment, journal, moves, storage, typing};
use crate::journal::LogFilter;
use crate::workbench::{StoreQuery, VariableState};

/// Where one can go from here, with the key for it.
pub(crate) const PLACES: &[(char, &str)] = &[
    ('g', "the first line"),
    ('e', "its event: the delivery, or the deliveries of the document's object"),
    ('t', "its trace"),
    ('d', "its documents, by the object's id"),
    ('v', "its variable: the one that names the collection"),
    ('w', "the values it ran with"),
    ('l', "its log lines"),
    ('b', "back"),
    ('f', "forward again"),
];

/// The key behind `g`.
pub(crate) fn press(state: &mut State, key: KeyEvent, effects: &mut Vec<Effect>) {
    let KeyCode::Char(letter) = key.code else { return };
    match letter {
        'g' => moves::perform(state, super::super::action::Do::Top, effects),
        'b' => back(state, effects),
        'f' => forward(state, effects),
        'w' => environment::ran_with(state, effects),
        'e' => to_event(state, effects),
        't' => leave_for(state, Pane::Trace),
        'd' => to_documents(state, effects),
        'v' => to_variable(state),
        'l' => to_logs(state, effects),
        _ => state.say(Tone::Warn, format!("g {letter} leads nowhere.")),
    }
}

/// Opens the list of places.
pub(crate) fn ask(state: &mut State) {
    state.overlays.push(Overlay::Go);
}

fn leave_for(state: &mut State, pane: Pane) {
    let here = spot(state);
    if here.pane != pane {
        state.trail.leave(here);
    }
    state.focus_on(pane);
}

fn spot(state: &State) -> Spot {
    Spot {
        pane: state.focus,
        delivery: if state.events.paused { state.events.selected().map(|d| d.id) } else { None },
        events: state.events.filter.clone(),
        documents: state.storage.query.filter.clone(),
        logs: state.logs.filter.clone(),
    }
}

fn to_event(state: &mut State, effects: &mut Vec<Effect>) {
    let from_document = state.focus == Pane::Storage;
    let from_log = (state.focus == Pane::Logs).then(|| state.logs.selected().and_then(|l| l.delivery)).flatten();
    let document = state.storage.selected().and_then(|d| d.get("id")?.as_str().map(str::to_owned));
    leave_for(state, Pane::Events);
    match (document.filter(|_| from_document), from_log) {
        (Some(id), _) => typing::set_filter(state, Pane::Events, &id, effects),
        (None, _) if from_document => state.say(Tone::Warn, "The selected document has no `id` of an object."),
        (_, Some(delivery)) if state.events.go_to(delivery) => journal::refresh(state, effects),
        _ => {}
    }
}

fn to_documents(state: &mut State, effects: &mut Vec<Effect>) {
    let Some(object) = state.events.selected().map(|d| d.object_id.clone()) else {
        return state.say(Tone::Warn, "No delivery is selected.");
    };
    leave_for(state, Pane::Storage);
    storage::turn_to_written(state);
    let text = serde_json::to_string(&object).unwrap_or_default();
    find(state, format!("{{id: {text}}}"), effects);
}

fn find(state: &mut State, filter: String, effects: &mut Vec<Effect>) {
    storage::run(state, StoreQuery { filter, ..StoreQuery::default() }, false, effects);
}

fn to_variable(state: &mut State) {
    let meant = (state.focus == Pane::Storage).then(|| state.storage.collection.clone()).flatten();
    let names = |v: &VariableState| matches!((v, &meant), (VariableState::Value(value), Some(meant)) if value == meant);
    let aim = state.variables.all.iter().find(|v| names(&v.live) || names(&v.stored)).map(|v| v.name.clone());
    leave_for(state, Pane::Variables);
    if aim.is_some() {
        // It must be seen, whatever was looked for before.
        state.variables.filter.clear();
        state.variables.aim = aim;
        state.variables.narrow();
    }
}

fn to_logs(state: &mut State, effects: &mut Vec<Effect>) {
    let Some(delivery) = state.events.selected().map(|d| d.id) else {
        return state.say(Tone::Warn, "No delivery is selected.");
    };
    leave_for(state, Pane::Logs);
    acts::filter_logs(state, LogFilter { delivery: Some(delivery), ..state.logs.filter.clone() }, effects);
}

/// Back to where the last jump began.
pub(crate) fn back(state: &mut State, effects: &mut Vec<Effect>) {
    let here = spot(state);
    match state.trail.back(here) {
        Some(spot) => arrive(state, spot, effects),
        None => state.say(Tone::Note, "There is no place to go back to."),
    }
}

/// Forward again.
pub(crate) fn forward(state: &mut State, effects: &mut Vec<Effect>) {
    let here = spot(state);
    match state.trail.forward(here) {
        Some(spot) => arrive(state, spot, effects),
        None => state.say(Tone::Note, "There is no place to go forward to."),
    }
}

fn arrive(state: &mut State, spot: Spot, effects: &mut Vec<Effect>) {
    state.focus_on(spot.pane);
    typing::set_filter(state, Pane::Events, &spot.events, effects);
    if state.storage.query.filter != spot.documents {
        find(state, spot.documents, effects);
    }
    if state.logs.filter != spot.logs {
        acts::filter_logs(state, spot.logs, effects);
    }
    if spot.delivery.is_some_and(|id| state.events.go_to(id)) {
        journal::refresh(state, effects);
    }
}
