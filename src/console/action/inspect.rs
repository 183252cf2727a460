//! When the actions of the storage inspector can be done, and why not otherwise.

use super::State;
use crate::observe::{Backend, Fact};
use crate::workbench::JobState;

/// What the inspector does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Inspect {
    SideBySide,
    View,
    Fold,
    Edit,
    Insert,
    Clone,
    Delete,
    Undo,
    Pipeline,
    Indexes,
    CreateIndex,
    DropIndex,
    Explain,
    Schema,
    Export,
    Import,
    StopJob,
    Databases,
    Queries,
    Favourite,
    Event,
    /// From a delivery to a document it wrote.
    Document,
    Unlock,
    Live,
    Newest,
    FirstPage,
    LastPage,
}

type Availability = Result<(), &'static str>;

pub(super) fn has_collection(state: &State) -> Availability {
    super::ready(state)?;
    state.storage.collection.as_ref().map(|_| ()).ok_or("no collection is shown")
}

pub(super) fn has_document(state: &State) -> Availability {
    if state.storage.side.is_some() {
        return Err("both backends are shown; Esc goes back to one");
    }
    state.storage.selected().map(|_| ()).ok_or("no document is selected")
}

/// A document that is as it is stored.
pub(super) fn can_edit(state: &State) -> Availability {
    can_change(state)?;
    if !state.storage.query.projection.trim().is_empty() || !state.storage.query.pipeline.trim().is_empty() {
        return Err("a projection or a pipeline shows documents that are not whole");
    }
    Ok(())
}

pub(super) fn can_change(state: &State) -> Availability {
    has_document(state)?;
    if !state.storage.query.pipeline.trim().is_empty() {
        return Err("these documents were made by a pipeline");
    }
    can_write(state)
}

pub(super) fn can_write(state: &State) -> Availability {
    has_collection(state)?;
    if state.storage.read_only { Err("this deployment is not on this machine: L unlocks it for this session") } else { Ok(()) }
}

pub(super) fn by_driver(state: &State) -> Availability {
    has_collection(state)?;
    match state.storage.backend {
        Backend::Driver => Ok(()),
        Backend::DataApi => Err("the Data API has no action for it; b looks through the driver"),
    }
}

pub(super) fn can_index(state: &State) -> Availability {
    by_driver(state)?;
    can_write(state)
}

pub(super) fn is_tree(state: &State) -> Availability {
    let branch = || state.storage.node().is_some_and(|node| node.folded.is_some());
    if state.storage.view == super::super::state::View::Tree && branch() {
        Ok(())
    } else {
        Err("v shows documents as trees, whose branches fold")
    }
}

pub(super) fn is_locked(state: &State) -> Availability {
    super::ready(state)?;
    if state.storage.read_only { Ok(()) } else { Err("writing is allowed here already") }
}

/// The last page is found once it is known how many documents there are.
pub(super) fn has_last(state: &State) -> Availability {
    super::has_more(state)?;
    match (&state.storage.total, &state.storage.uncounted) {
        (Some(_), _) => Ok(()),
        (None, _) if !state.storage.query.pipeline.trim().is_empty() => {
            Err("nobody counts what a pipeline makes; a stage {$count: 'n'} does")
        }
        (None, Some(_)) => Err("it is not known how many match: counting them failed"),
        (None, None) => Err("how many match is still being counted"),
    }
}

pub(super) fn has_job(state: &State) -> Availability {
    let running = state.storage.job.as_ref().is_some_and(|job| job.state == JobState::Running);
    if running { Ok(()) } else { Err("no export or import is going on") }
}

pub(super) fn has_store_call(state: &State) -> Availability {
    let line = state.trace.selected().and_then(|line| line.detail.as_ref());
    let called = line.is_some_and(|detail| detail.get("operation").is_some() && detail.get("collection").is_some());
    let any = state.trace.rows.iter().any(|row| matches!(row.observation.fact, Fact::StoreCall(_)));
    if called || any { Ok(()) } else { Err("this delivery wrote no document that was observed") }
}
