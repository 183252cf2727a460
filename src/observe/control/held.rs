use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::super::{DeliveryKey, StepKind, Timestamp};
use super::Controls;

/// A delivery that stands at a breakpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// Which.
    pub delivery: Option<DeliveryKey>,
    /// Before what sort of step.
    pub step_kind: StepKind,
    /// The step's name.
    pub name: String,
    /// Since when.
    pub since: Timestamp,
}

/// How a held delivery is let go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Release {
    /// The step runs.
    Continue,
    /// The step is passed over: a decision says no, an execution answers `skip` (a step of a sequence is taken for done), a
    /// compensation passes the error on.
    Skip,
    /// The delivery ends with an error, and nothing is compensated.
    Abort,
}

pub(super) struct Waiting {
    pub(super) held: Held,
    pub(super) tell: Option<oneshot::Sender<Release>>,
}

/// Takes a held delivery off the list, however its waiting ends.
pub(super) struct Withdraw<'a> {
    pub(super) controls: &'a Controls,
    pub(super) id: u64,
}

impl Drop for Withdraw<'_> {
    fn drop(&mut self) {
        self.controls.change(|state| state.held.remove(&self.id));
    }
}
