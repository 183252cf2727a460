use super::super::message::{Ask, Effect};
use super::super::state::{Span, State};
use super::super::theme::Tone;
use super::{acts, complain, journal};
use crate::workbench::{Command, Delivered, Reply, WorkbenchError};

/// Takes in the answer to a command.
pub(crate) fn take(state: &mut State, ask: &Ask, reply: Result<Reply, WorkbenchError>, effects: &mut Vec<Effect>) {
    settle(state, ask);
    match (ask, reply) {
        (Ask::Status, Ok(Reply::Status(status))) => {
            let changed = state.status.as_ref().is_none_or(|old| {
                let mut old = old.clone();
                old.link.last_seen = status.link.last_seen;
                old != *status
            });
            state.status = Some(*status);
            let age = super::age(state);
            state.dirty |= changed || age != state.age;
            state.age = age;
            return;
        }
        (Ask::Trigger | Ask::Replay(_), Ok(Reply::Delivered(delivered))) => await_delivery(state, ask, delivered, effects),
        (Ask::Variables | Ask::Stage | Ask::Apply, Ok(Reply::Variables { variables, message })) => {
            state.variables.error = None;
            state.variables.load(variables);
            if let Some(message) = message {
                state.say(if *ask == Ask::Apply { Tone::Good } else { Tone::Note }, message.clone());
                state.variables.message = Some(message);
            }
        }
        (Ask::Collections, Ok(Reply::Collections { database, collections, own })) => {
            let storage = &mut state.storage;
            storage.collections_error = None;
            storage.database = database;
            storage.collections = collections;
            // Whoever looks at the extension's own collection goes along when a variable names another one.
            let own_moved = storage.collection == storage.own && own.is_some() && own != storage.own;
            if storage.collection.is_none() || own_moved {
                storage.leave();
                storage.collection = own.clone().or_else(|| storage.collections.first().cloned());
            }
            storage.own = own;
            acts::documents(state, effects);
        }
        (Ask::Documents(asked), Ok(Reply::Documents(found))) if *asked == state.storage.asked => state.storage.load(found),
        (Ask::Documents(asked), Err(why)) if *asked == state.storage.asked => state.storage.fail(why.to_string()),
        (Ask::Documents(_), _) => return,
        (Ask::Collections, Err(why)) => {
            state.storage.collections_error = Some(why.to_string());
            acts::documents(state, effects);
        }
        (Ask::Variables, Err(why)) => state.variables.error = Some(why.to_string()),
        (Ask::Status, Err(why)) => state.trouble = Some(why.to_string()),
        (Ask::Apply, Err(why)) => {
            complain(state, format!("Nothing was applied: {why}"));
            state.variables.busy = true;
            effects.push(Effect::Command(Ask::Variables, Command::Variables));
        }
        (_, Err(why)) => complain(state, why.to_string()),
        (ask, Ok(other)) => complain(state, format!("The session answered {ask:?} with something else: {other:?}")),
    }
    state.dirty = true;
}

fn settle(state: &mut State, ask: &Ask) {
    match ask {
        Ask::Status => state.pending.status = false,
        Ask::Variables | Ask::Stage | Ask::Apply => state.variables.busy = false,
        Ask::Documents(asked) if *asked == state.storage.asked => state.storage.busy = false,
        _ => {}
    }
}

fn await_delivery(state: &mut State, ask: &Ask, delivered: Delivered, effects: &mut Vec<Effect>) {
    let Delivered { task_id, object_id, note, .. } = delivered;
    let said = match ask {
        Ask::Replay(of) => format!("Replaying #{of}: {object_id} is on its way again."),
        _ => format!("{object_id} is created and on its way."),
    };
    match note {
        Some(note) => state.say(Tone::Warn, format!("{said} {note}")),
        None => state.say(Tone::Good, said),
    }
    state.events.awaited = Some(task_id);
    // It may have come already, or lie outside of the stretch in memory: the newest are read.
    if !state.events.meet() {
        state.events.span = Span::Tail;
        journal::refresh(state, effects);
    }
}
