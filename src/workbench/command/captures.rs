use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Delivered;
use crate::journal::{Retention, Usage};
use crate::replay::Difference;

/// What can be asked of a session about captured deliveries.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "captures", rename_all = "snake_case")]
#[non_exhaustive]
pub enum CaptureCommand {
    /// Keep deliveries whatever retention takes away, or no longer. [`CaptureReply::Usage`].
    Pin {
        /// The journal's numbers of them.
        deliveries: Vec<i64>,
        /// Whether they are pinned from now on.
        pinned: bool,
    },
    /// How full the journal is. [`CaptureReply::Usage`].
    Usage,
    /// Keep so much from now on. [`CaptureReply::Usage`].
    Retain {
        /// How much.
        retention: Retention,
    },
    /// Take an exported capture into the journal. [`CaptureReply::Imported`].
    Import {
        /// The text of the file.
        text: String,
        /// What it is called, for errors.
        name: String,
    },
    /// Run a delivery again, in one of many ways. [`CaptureReply::Started`].
    Run(Box<RunAgain>),
    /// What two deliveries did differently. [`CaptureReply::Compared`].
    Compare {
        /// The first.
        before: i64,
        /// The second.
        after: i64,
        /// Whether the documents they left behind are compared as well, where both can still be looked at.
        documents: bool,
    },
    /// As `Compare` with documents, then the shadow collections of the second are dropped. [`CaptureReply::Compared`].
    CompareAndClear {
        /// The first.
        before: i64,
        /// The second.
        after: i64,
        /// The shadow collections.
        collections: Vec<String>,
    },
    /// What the second of two deliveries of one object did once more. [`CaptureReply::Repeated`].
    Repeated {
        /// The first.
        first: i64,
        /// The second.
        second: i64,
        /// The shadow collections of both, to be dropped then.
        #[serde(default)]
        collections: Vec<String>,
    },
    /// Drop shadow collections. [`CaptureReply::Cleared`].
    Clear {
        /// Their names.
        collections: Vec<String>,
    },
    /// Remember an event by a name. [`CaptureReply::Saved`].
    SaveEvent {
        /// The name.
        name: String,
        /// What it is.
        event: SavedEvent,
    },
    /// The remembered ones. [`CaptureReply::Saved`].
    SavedEvents,
    /// Hold deliveries back, or let them go on. [`CaptureReply::Held`].
    Hold {
        /// Whether they are held from now on.
        hold: bool,
    },
}

/// A delivery to be run again.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RunAgain {
    /// The journal's number of it; or
    pub delivery: Option<i64>,
    /// the text of an exported capture.
    pub capture: Option<String>,
    /// Another object instead of the captured one.
    pub object: Option<Value>,
    /// Changes to the object: dotted path and value. A path that does not exist is an error.
    pub set: Vec<(String, String)>,
    /// Variables that have other values for this run.
    pub variables: Vec<(String, String)>,
    /// The recorded answers instead of the API.
    pub hermetic: bool,
    /// Where one was not recorded, the API answers after all.
    pub allow_unrecorded: bool,
    /// Into shadow collections: the variables that name collections name others for this run.
    pub shadow: bool,
    /// With `shadow`: variables and the collections of an earlier shadow run they name once more.
    pub collections: Vec<(String, String)>,
    /// As in a case: the variables of the capture, the stores of this session.
    pub as_recorded: bool,
}

/// An event that can be triggered by a name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SavedEvent {
    /// Its event type.
    pub event_type: String,
    /// The object; without it a sample is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<Value>,
    /// Changes to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub set: Vec<(String, String)>,
}

/// The answer to a [`CaptureCommand`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "captured", rename_all = "snake_case")]
#[non_exhaustive]
pub enum CaptureReply {
    /// How full the journal is.
    Usage(Usage),
    /// The journal's number of the imported delivery.
    Imported {
        /// It.
        delivery: i64,
    },
    /// A run is on its way.
    Started {
        /// Its task.
        delivered: Delivered,
        /// The collections it writes to instead, by the variable that names them: variable, theirs, its own.
        #[serde(default)]
        shadows: Vec<(String, String, String)>,
    },
    /// Two deliveries side by side.
    Compared(RunsCompared),
    /// What happened twice.
    Repeated {
        /// In words, one line each.
        repeated: Vec<String>,
        /// What else the second did differently.
        differences: Vec<Difference>,
        /// What could not be looked at, in words.
        #[serde(default)]
        notes: Vec<String>,
    },
    /// How many documents went with the collections.
    Cleared {
        /// It.
        deleted: u64,
        /// What is still there, and why.
        #[serde(default)]
        notes: Vec<String>,
    },
    /// The remembered events, by name.
    Saved {
        /// Name and event.
        events: Vec<(String, SavedEvent)>,
    },
    /// Whether deliveries are held.
    Held {
        /// It.
        held: bool,
    },
}

/// What two deliveries did differently.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunsCompared {
    /// The first.
    pub before: i64,
    /// The second.
    pub after: i64,
    /// Where they differ; nowhere if that is empty.
    pub differences: Vec<Difference>,
    /// How long each took, in microseconds.
    pub micros: (Option<u64>, Option<u64>),
    /// Calls of the second that its recording had no answer for.
    pub unrecorded: Vec<String>,
    /// What could not be compared, in words.
    pub notes: Vec<String>,
}

/// A request is moved, or something of its asset is ordered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScenarioAct {
    /// The request.
    pub object: String,
    /// An action of it: `approve`, `fail`, `inquire`, `pend`.
    pub act: Option<String>,
    /// What is ordered: `change`, `cancel`, `suspend`, `resume`, `adjustment`.
    pub order: Option<String>,
    /// The body of the call.
    pub body: Option<Value>,
}
