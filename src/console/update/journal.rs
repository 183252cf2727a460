use super::super::message::{Answer, Effect, Query};
use super::super::state::{Overlay, State};
use super::super::story;
use super::super::theme::Tone;

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
    effects.push(Effect::Read(Query::Logs));
}

/// Takes in what was read.
pub(crate) fn take(state: &mut State, answer: Answer, effects: &mut Vec<Effect>) {
    state.dirty = true;
    match answer {
        Answer::Deliveries { filter, span, rows, total, failures } => {
            state.trouble = None;
            // The answer to an older question, about another filter or stretch, is no news.
            if filter == state.events.filter() && span == state.events.span {
                state.events.load(rows, total, failures);
                note_writes(state);
            }
            read_again(state, effects);
        }
        Answer::Trace { delivery, rows } => {
            let wanted = state.events.selected().map(|d| d.id);
            if let Some(delivery) = delivery.filter(|d| Some(d.id) == wanted) {
                let another = state.trace.delivery.as_ref().map(|d| d.id) != wanted;
                story::load(&mut state.trace, *delivery, rows);
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
            state.overlays.push(Overlay::Pager(story::difference(&found)));
        }
        Answer::Difference(None) => state.say(Tone::Warn, "One of the two deliveries is no longer in the journal."),
        Answer::Logs(rows) => state.logs.load(rows),
        Answer::Failed(query, why) => {
            if matches!(query, Query::Deliveries { .. }) {
                read_again(state, effects);
            }
            state.say(Tone::Bad, format!("The journal could not be read: {why}"));
            state.trouble = Some(why);
        }
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
