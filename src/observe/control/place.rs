use std::fmt;

use serde::{Deserialize, Serialize};

use super::super::StepKind;

/// Which steps are meant: those of a sort, those of a name, or all that can be stopped.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Place {
    /// Only this sort: a decision, an execution or a compensation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step_kind: Option<StepKind>,
    /// Only this name, letter case aside: the transaction's, or that of a step of a sequence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl Place {
    /// Whether a step is meant.
    #[must_use]
    pub fn fits(&self, kind: StepKind, name: &str) -> bool {
        self.step_kind.is_none_or(|wanted| wanted == kind)
            && self.name.as_ref().is_none_or(|wanted| wanted.to_lowercase() == name.to_lowercase())
    }

    /// Whether the same steps are meant.
    pub(super) fn same_as(&self, other: &Self) -> bool {
        let name = |place: &Self| place.name.as_ref().map(|name| name.to_lowercase());
        self.step_kind == other.step_kind && name(self) == name(other)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.step_kind, &self.name) {
            (Some(kind), Some(name)) => write!(f, "{kind} {name}"),
            (Some(kind), None) => write!(f, "every {kind}"),
            (None, Some(name)) => write!(f, "every step of {name}"),
            (None, None) => f.write_str("every step"),
        }
    }
}

/// How late a step can be made: a day, in milliseconds.
pub const LATEST: u64 = 24 * 60 * 60 * 1_000;

/// What goes wrong with a step, once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "snake_case")]
pub enum Fault {
    /// It fails.
    Fail {
        /// With which words; may be empty.
        message: String,
    },
    /// It never answers: the task runs into its time limit.
    Hang,
    /// It begins late.
    Late {
        /// By how much, [a day](LATEST) at most.
        millis: u64,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fail { .. } => f.write_str("fails"),
            Self::Hang => f.write_str("hangs"),
            Self::Late { millis } => write!(f, "is {millis} ms late"),
        }
    }
}

impl StepKind {
    /// Whether a delivery can be stopped before such a step.
    #[must_use]
    pub fn can_be_stopped(self) -> bool {
        matches!(self, Self::Decision | Self::Execute | Self::Compensate)
    }
}
