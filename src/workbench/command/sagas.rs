use serde::{Deserialize, Serialize};

use crate::observe::control::{Fault, Place, Release};
use crate::observe::{Backend, StepKind, Timestamp};

/// What can be asked about the course of sagas. All are answered with what is set then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub enum SagaCommand {
    /// What is set, and who stands at a breakpoint.
    Show,
    /// Stop deliveries before these steps.
    Stop {
        /// Which.
        place: Place,
    },
    /// Have the next run of such a step go wrong.
    Spoil {
        /// Which.
        place: Place,
        /// How.
        fault: Fault,
    },
    /// Have the next write through a backend fail.
    SpoilWrite {
        /// Which.
        backend: Backend,
    },
    /// Take one of these back.
    TakeBack {
        /// Its number.
        id: u64,
    },
    /// Take all of them back, and let everybody go on.
    Clear,
    /// Let a delivery go that stands at a breakpoint.
    Release {
        /// The delivery's number in the journal; without it the only one that stands.
        delivery: Option<i64>,
        /// How.
        how: Release,
    },
}

/// What is set. The numbers are for taking it back.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SagaReply {
    /// Where deliveries stop.
    pub breakpoints: Vec<(u64, Place)>,
    /// What happens to the next run of a step.
    pub faults: Vec<(u64, Place, Fault)>,
    /// Whose next write fails.
    pub writes: Vec<(u64, Backend)>,
    /// Who stands at a breakpoint.
    pub held: Vec<HeldRow>,
    /// Why no step of a saga is seen in this session, where none is: nothing can be set then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub untraced: Option<String>,
}

/// A delivery that stands at a breakpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldRow {
    /// Its number.
    pub id: u64,
    /// The delivery's number in the journal.
    pub delivery: Option<i64>,
    /// Before what sort of step.
    pub step_kind: StepKind,
    /// The step's name.
    pub name: String,
    /// Since when.
    pub since: Timestamp,
}
