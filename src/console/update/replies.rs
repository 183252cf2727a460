use super::super::message::{Ask, Effect};
use super::super::state::{Pane, Revealed, Span, State};
use super::super::theme::Tone;
use super::{acts, captures, complain, environment, journal, runs, storage};
use crate::observe::{LinkState, Secret, Timestamp};
use crate::workbench::{ClockReply, Command, Delivered, Reply, SagaCommand, Status, StoreReply, VariableRow, WorkbenchError};

/// How long a secret is shown, in microseconds.
const SHOWN_FOR: i64 = 8_000_000;

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
            let connected = |s: &Status| s.link.state == LinkState::Connected;
            if connected(&status) && !state.status.as_ref().is_some_and(connected) {
                // Now it is known who subscribes to what, and which stores the variables name.
                state.pending.documents_stale = true;
                effects.push(Effect::Command(Ask::EventTypes, Command::EventTypes));
            }
            if std::mem::replace(&mut state.sagas.as_of, status.stepping) != status.stepping {
                effects.push(Effect::Command(Ask::Sagas, Command::Sagas(SagaCommand::Show)));
            }
            let before = state.status.replace(*status);
            tell_news(state, before.as_ref());
            captures::sources_changed(state, effects);
            let age = super::age(state);
            state.dirty |= changed || age != state.age;
            state.age = age;
            let local = state.status.as_ref().filter(|s| s.mode == "local");
            if local.is_some_and(|s| s.waiting != state.waiting.len() || s.waiting > 0) {
                effects.push(Effect::Command(Ask::Waiting, Command::Waiting));
            }
            return;
        }
        (Ask::Reveal(name), Ok(Reply::Revealed { value, staged })) => {
            let until = Timestamp(state.now.0.saturating_add(SHOWN_FOR));
            let value = Secret::new(staged.or(value).unwrap_or_default());
            state.variables.revealed = Some(Revealed { name: name.clone(), value, until });
        }
        (Ask::Reveal(_), Ok(_)) => complain(state, "The session did not answer with the value."),
        (Ask::EventTypes, Ok(Reply::EventTypes { types })) => state.event_types = types,
        // A real Connect has no list to give.
        (Ask::EventTypes | Ask::Waiting, Err(_)) => return,
        (Ask::Waiting, Ok(Reply::Waiting { tasks })) => {
            state.dirty |= state.waiting != tasks;
            state.waiting = tasks;
            return;
        }
        (Ask::Sagas, Ok(Reply::Sagas(set))) => state.sagas.set = set,
        (Ask::Release, Ok(Reply::Waiting { tasks })) => {
            state.waiting = tasks;
            state.say(Tone::Good, "It is on its way.");
        }
        (Ask::Forward, Ok(Reply::Clock(ClockReply::Forwarded { came, tasks }))) => {
            state.waiting = tasks;
            let said = match came {
                0 => "Nothing came due.".to_owned(),
                1 => "1 came due and is on its way.".to_owned(),
                n => format!("{n} came due and are on their way."),
            };
            state.say(if came == 0 { Tone::Note } else { Tone::Good }, said);
        }
        (Ask::Trigger | Ask::Replay(_), Ok(Reply::Delivered(delivered))) => await_delivery(state, ask, delivered, effects),
        (Ask::Environment, Ok(Reply::Environment(reply))) => environment::take(state, Ok(reply), effects),
        (Ask::Environment, Err(why)) => environment::take(state, Err(why), effects),
        (Ask::TakeText, Err(why)) => environment::taken(state, &why),
        (
            Ask::Variables | Ask::Edit(_) | Ask::Stage | Ask::TakeText | Ask::Apply,
            Ok(Reply::Variables { variables, message }),
        ) => {
            if *ask == Ask::TakeText {
                state.variables.draft = None;
            }
            state.variables.error = None;
            let live = |rows: &[VariableRow]| rows.iter().map(|v| (v.name.clone(), v.live.clone())).collect::<Vec<_>>();
            // Other stores may be meant now.
            state.pending.documents_stale |= live(&variables) != live(&state.variables.all);
            state.variables.load(variables);
            if let Some(message) = message {
                let applied = *ask == Ask::Apply;
                state.say(if applied { Tone::Good } else { Tone::Note }, message.clone());
                // What the runtime acknowledged stays until something else is done.
                state.variables.message = applied.then_some(message);
            } else if *ask == Ask::Stage {
                state.variables.message = None;
            }
            if let Ask::Edit(name) = ask
                && state.variables.selected().is_some_and(|v| v.name == *name)
            {
                acts::open_form(state);
            }
        }
        (Ask::Collections, Ok(Reply::Store(reply @ StoreReply::Collections { .. }))) => storage::listed(state, reply, effects),
        (Ask::Documents(asked), Ok(Reply::Store(StoreReply::Documents(found)))) if *asked == state.storage.asked => {
            state.storage.load(found);
            storage::count(state, effects);
        }
        (Ask::Store(asked), Ok(Reply::Store(reply))) => storage::take(state, asked, Ok(reply), effects),
        (Ask::Store(asked), Err(why)) => storage::take(state, asked, Err(why), effects),
        (Ask::Documents(asked), Err(why)) if *asked == state.storage.asked => state.storage.fail(why.to_string()),
        (Ask::Documents(_), _) => return,
        (Ask::Collections, Err(why)) => {
            storage::unlisted(&mut state.storage, Some(why.to_string()));
            if !state.storage.stopped {
                storage::documents(state, effects);
            }
        }
        (ask, Ok(Reply::Captures(reply))) => captures::take(state, ask, reply, effects),
        (Ask::Variables, Err(why)) => state.variables.error = Some(why.to_string()),
        (Ask::Quit, Ok(Reply::Status(status))) => acts::quit_unless_running(state, &status, effects),
        (Ask::Quit, Err(_)) => effects.push(Effect::Quit),
        (Ask::Status, Err(why)) => state.trouble = Some(why.to_string()),
        (Ask::Apply, Err(why)) => {
            complain(state, format!("Nothing was applied: {why}"));
            state.variables.busy = true;
            effects.push(Effect::Command(Ask::Variables, Command::Variables));
        }
        (Ask::Again { shadows, .. }, Err(why)) => {
            complain(state, why.to_string());
            runs::not_again(shadows, effects);
        }
        (_, Err(why)) => complain(state, why.to_string()),
        (ask, Ok(other)) => complain(state, format!("The session answered {ask:?} with something else: {other:?}")),
    }
    state.dirty = true;
}

/// Says what happened without anybody here asking for it: the link, a breakpoint.
fn tell_news(state: &mut State, before: Option<&Status>) {
    let (Some(before), Some(now)) = (before, state.status.as_ref()) else { return };
    let said = match (before.link.state, now.link.state) {
        (LinkState::Connected, LinkState::Waiting | LinkState::Closed) => {
            Some((Tone::Warn, "The link to Connect is lost. Results are kept until it stands again."))
        }
        (LinkState::Waiting | LinkState::Closed, LinkState::Connected) => Some((Tone::Good, "The link to Connect stands again.")),
        (LinkState::Connected, LinkState::Connecting) => Some((Tone::Note, "The runtime connects to Connect again.")),
        _ if now.held > before.held && !matches!(state.focus, Pane::Events | Pane::Trace) => {
            Some((Tone::Warn, "A delivery stands at a breakpoint: g t shows it."))
        }
        _ => None,
    };
    if let Some((tone, said)) = said {
        state.say(tone, said);
    }
}

/// What is the same whatever the answer is, or that there will be none.
pub(super) fn settle(state: &mut State, ask: &Ask) {
    state.dirty |= state.work.long(state.now).is_some();
    state.work.end(ask);
    match ask {
        Ask::Status => state.pending.status = false,
        Ask::Variables | Ask::Edit(_) | Ask::Stage | Ask::TakeText | Ask::Apply => state.variables.busy = false,
        Ask::Documents(asked) if *asked == state.storage.asked => state.storage.busy = false,
        _ => {}
    }
}

pub(super) fn await_delivery(state: &mut State, ask: &Ask, delivered: Delivered, effects: &mut Vec<Effect>) {
    let Delivered { task_id, object_id, note, .. } = delivered;
    let said = match ask {
        Ask::Replay(of) | Ask::Shadow(of) => format!("Replaying #{of}: {object_id} is on its way again."),
        Ask::Twice(of) => format!("Delivering #{of} twice: {object_id} is on its way."),
        Ask::Again { of, .. } => format!("Delivering #{of} the second time: {object_id} is on its way."),
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
