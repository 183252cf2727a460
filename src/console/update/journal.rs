use super::super::message::{Answer, Effect, Query};
use super::super::reader::STRETCH;
use super::super::state::{Overlay, Pane, State};
use super::super::story;
use super::super::theme::Tone;
use super::runs;
use crate::journal::DeliveryRow;

/// Reads again what the journal panes show; while that is being done, once more afterwards.
pub(crate) fn refresh(state: &mut State, effects: &mut Vec<Effect>) {
    if !state.ready() {
        return;
    }
    if state.pending.reading {
        state.pending.read_again = true;
        return;
    }
    state.pending.reading = true;
    effects.push(Effect::Read(Query::Deliveries { filter: state.events.filter(), span: state.events.span }));
    effects.push(Effect::Read(Query::Logs(state.logs.filter.clone())));
    effects.push(Effect::Read(Query::Gaps));
    runs::look(state, effects);
}

/// Takes in what was read.
pub(crate) fn take(state: &mut State, answer: Answer, effects: &mut Vec<Effect>) {
    state.dirty = true;
    match answer {
        Answer::Deliveries { filter, span, rows, reached, total, failures } => {
            state.trouble = None;
            // The answer to an older question, about another filter or stretch, is no news.
            if filter == state.events.filter() && span == state.events.span {
                let before = state.events.new_failures();
                state.events.load(rows, reached, total, failures);
                if state.events.new_failures() > before {
                    tell_failure(state);
                }
                note_writes(state);
                look_further(state, effects);
            }
            read_again(state, effects);
        }
        Answer::Earlier { filter, before, rows, reached } => {
            if filter == state.events.filter() && state.events.searched == Some(before) && !state.events.stale {
                state.events.extend(rows, reached);
                look_further(state, effects);
            }
        }
        Answer::Gaps(gaps) => state.events.gaps = gaps,
        Answer::Usage(usage) => state.events.usage = Some(usage),
        Answer::Tasks(rows) => runs::over(state, &rows, effects),
        Answer::Metrics(metrics) => {
            let pager = story::metrics(&metrics, state.events.usage.as_ref(), state.size.0, state.theme.plain);
            state.overlays.push(super::super::state::Overlay::Pager(pager));
        }
        Answer::Trace { delivery, rows, variables } => {
            let wanted = state.events.selected().map(|d| d.id);
            if let Some(delivery) = delivery.filter(|d| Some(d.id) == wanted) {
                let another = state.trace.delivery.as_ref().map(|d| d.id) != wanted;
                story::load(&mut state.trace, *delivery, rows, variables);
                if another {
                    state.trace.scroll = super::super::state::Scroll::default();
                    state.trace.shift = 0;
                }
            }
        }
        Answer::Saga(saga) => state.trace.saga = Some(saga),
        Answer::SagaRequests(requests) => state.sagas.requests = requests,
        Answer::Difference(Some(found)) => {
            state.toast = None;
            state.sagas.mark = None;
            // The window's borders.
            let columns = usize::from(state.size.0.saturating_sub(4));
            state.overlays.push(Overlay::Pager(story::difference(&found, columns)));
        }
        Answer::Difference(None) => state.say(Tone::Warn, "One of the two deliveries is no longer in the journal."),
        // The answer to an older question, about another filter, is no news.
        Answer::Logs(filter, rows) if filter == state.logs.filter => state.logs.load(rows),
        Answer::Logs(..) => {}
        Answer::Failed(query, why) => {
            if matches!(query, Query::Deliveries { .. }) {
                read_again(state, effects);
            }
            state.say(Tone::Bad, format!("The journal could not be read: {why}"));
            state.trouble = Some(why);
        }
    }
}

/// A search that was broken off goes on where it was.
fn look_further(state: &State, effects: &mut Vec<Effect>) {
    let events = &state.events;
    if let Some(before) = events.searched.filter(|_| events.rows.len() < STRETCH) {
        let limit = STRETCH - events.rows.len();
        effects.push(Effect::Read(Query::Earlier { filter: events.filter(), before, limit }));
    }
}

/// Says that a delivery failed where nobody looks.
fn tell_failure(state: &mut State) {
    if state.focus == Pane::Events && !state.events.paused {
        return;
    }
    let failed = |d: &&DeliveryRow| matches!(d.result.as_deref(), Some("fail" | "retry"));
    if let Some(delivery) = state.events.rows.iter().rev().find(failed) {
        let result = delivery.result.as_deref().unwrap_or_default();
        let why = delivery.reason().unwrap_or("it gave no reason");
        let said = format!("#{} {}: {result}: {why}", delivery.id, delivery.object_id);
        state.say(Tone::Bad, said);
    }
}

fn read_again(state: &mut State, effects: &mut Vec<Effect>) {
    state.pending.reading = false;
    if std::mem::take(&mut state.pending.read_again) {
        refresh(state, effects);
    }
}

/// Whoever writes documents makes the shown ones stale.
fn note_writes(state: &mut State) {
    let written = state.events.rows.iter().map(|d| d.store_calls).sum();
    if state.pending.written != written {
        state.pending.written = written;
        state.pending.documents_stale = true;
    }
}

/// Somebody did something: where the events are in front of them, they have seen the failures among them.
pub(crate) fn looked(state: &mut State) {
    if state.focus == Pane::Events && !state.events.paused {
        state.events.look();
    }
}

/// Keeps the trace with the selected delivery: asks for it when another one is selected, or when that one went on.
pub(crate) fn follow_selection(state: &mut State, effects: &mut Vec<Effect>) {
    let Some(selected) = state.events.selected() else {
        if state.trace.delivery.is_some() {
            state.trace.clear();
        }
        state.pending.trace = None;
        return;
    };
    let id = selected.id;
    let moved = state.pending.trace.as_ref().is_none_or(|asked| asked != selected);
    if moved {
        state.pending.trace = Some(selected.clone());
        effects.push(Effect::Read(Query::Trace(id)));
    }
    let object = selected.object_id.clone();
    let of_request: Vec<_> = state.events.rows.iter().filter(|d| d.object_id == object).cloned().collect();
    if state.pending.saga != of_request {
        state.pending.saga = of_request;
        effects.push(Effect::Read(Query::Saga(object)));
        effects.push(Effect::Read(Query::SagaRequests));
    }
}
