//! When an action can be done; where it can't, why.

use super::super::state::State;

pub(super) fn always(_: &State) -> Result<(), &'static str> {
    Ok(())
}

pub(super) fn ready(state: &State) -> Result<(), &'static str> {
    state.ready().then_some(()).ok_or("the session is still starting")
}

pub(super) fn local(state: &State) -> Result<(), &'static str> {
    ready(state)?;
    let remote = state.status.as_ref().is_some_and(|s| s.mode == "remote");
    if remote { Err("with --remote only Connect itself creates and delivers events") } else { Ok(()) }
}

pub(super) fn has_delivery(state: &State) -> Result<(), &'static str> {
    state.events.selected().map(|_| ()).ok_or("no delivery is selected")
}

pub(super) fn has_local_delivery(state: &State) -> Result<(), &'static str> {
    local(state)?;
    has_delivery(state)
}

pub(super) fn waits(state: &State) -> Result<(), &'static str> {
    local(state)?;
    let waiting = state.events.selected().and_then(|d| state.waiting.iter().find(|w| w.object_id == d.object_id));
    waiting.map(|_| ()).ok_or("nothing of this request waits to be delivered again")
}

pub(super) fn stands(state: &State) -> Result<(), &'static str> {
    state.standing().map(|_| ()).ok_or("no delivery stands at a breakpoint")
}

pub(super) fn has_variable(state: &State) -> Result<(), &'static str> {
    state.variables.selected().map(|_| ()).ok_or("no variable is selected")
}

pub(super) fn has_secret(state: &State) -> Result<(), &'static str> {
    let secret = state.variables.selected().is_some_and(|v| v.secure);
    secret.then_some(()).ok_or("the selected variable is no secret")
}

pub(super) fn has_staged_here(state: &State) -> Result<(), &'static str> {
    let staged = state.variables.selected().is_some_and(|v| v.staged.is_some());
    staged.then_some(()).ok_or("nothing is staged for this variable")
}

pub(super) fn has_staged(state: &State) -> Result<(), &'static str> {
    state.variables.staged().next().map(|_| ()).ok_or("nothing is staged: edit a variable first")
}

pub(super) fn has_more(state: &State) -> Result<(), &'static str> {
    state.storage.more().then_some(()).ok_or("these are the last documents")
}

pub(super) fn has_previous(state: &State) -> Result<(), &'static str> {
    (state.storage.query.skip > 0).then_some(()).ok_or("these are the first documents")
}
