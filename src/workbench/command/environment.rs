//! What can be asked about the environment's variables as a whole.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::exchange::Form;
use crate::observe::Timestamp;

/// A question about the environment.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "environment", rename_all = "snake_case")]
#[non_exhaustive]
pub enum EnvironmentCommand {
    /// The whole set as a text for an editor; secrets by their placeholders. [`EnvironmentReply::Text`].
    Text,
    /// Stage what the text says after it was edited. [`Reply::Variables`](super::Reply::Variables).
    TakeText {
        /// The text.
        text: String,
    },
    /// Stage what a file has; what it does not name stays. [`Reply::Variables`](super::Reply::Variables).
    Import {
        /// How it is written.
        form: Form,
        /// What is in it.
        content: Vec<u8>,
        /// What it is called, for errors.
        name: String,
    },
    /// The same with a file the session reads itself.
    ImportFile {
        /// Its absolute path; its name tells its form.
        path: String,
    },
    /// The stored variables as a file. [`EnvironmentReply::Exported`].
    Export {
        /// How to write it.
        form: Form,
        /// Whether with the values of secrets.
        reveal: bool,
    },
    /// The same into a new file the session writes itself. [`Reply::Variables`](super::Reply::Variables).
    ExportFile {
        /// Its absolute path.
        path: String,
        /// Whether with the values of secrets.
        reveal: bool,
    },
    /// Every set that was applied. [`EnvironmentReply::History`].
    History,
    /// Stage what makes the variables what they were after a change. [`Reply::Variables`](super::Reply::Variables).
    Rollback {
        /// Its number in the history.
        number: u64,
    },
    /// The values a delivery ran with. [`EnvironmentReply::RanWith`].
    RanWith {
        /// Its number in the journal.
        delivery: i64,
    },
}

impl fmt::Debug for EnvironmentCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Texts and files may hold secrets.
        f.write_str(match self {
            Self::Text => "Text",
            Self::TakeText { .. } => "TakeText",
            Self::Import { .. } => "Import",
            Self::ImportFile { .. } => "ImportFile",
            Self::Export { .. } => "Export",
            Self::ExportFile { .. } => "ExportFile",
            Self::History => "History",
            Self::Rollback { .. } => "Rollback",
            Self::RanWith { .. } => "RanWith",
        })
    }
}

/// The answer to an [`EnvironmentCommand`].
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "environment", rename_all = "snake_case")]
#[non_exhaustive]
pub enum EnvironmentReply {
    /// The whole set.
    Text {
        /// `NAME=VALUE` lines.
        text: String,
    },
    /// A file.
    Exported {
        /// What is in it.
        content: Vec<u8>,
    },
    /// Every set that was applied, oldest first.
    History {
        /// Its entries.
        rows: Vec<HistoryRow>,
    },
    /// The values a delivery ran with.
    RanWith {
        /// When the runtime had taken them over.
        at: Timestamp,
        /// By name.
        variables: Vec<RanWith>,
    },
}

impl fmt::Debug for EnvironmentReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text { .. } => f.write_str("Text"),
            Self::Exported { .. } => f.write_str("Exported"),
            Self::History { rows } => f.debug_tuple("History").field(rows).finish(),
            Self::RanWith { variables, .. } => f.debug_tuple("RanWith").field(variables).finish(),
        }
    }
}

/// One *apply changes*, or what was found to have changed otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryRow {
    /// Its number, to come back to.
    pub number: u64,
    /// When.
    pub at: Timestamp,
    /// Who: the user, or `found` and `elsewhere`.
    pub who: String,
    /// What: `applied`, `changed elsewhere`, ...
    pub what: String,
    /// What it changed.
    pub changes: Vec<HistoryChange>,
}

/// What one *apply changes* did to a variable. Values of secrets are never in here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryChange {
    /// `create`, `update`, `delete`.
    pub change: String,
    /// Its name.
    pub name: String,
    /// The value before.
    pub from: Option<String>,
    /// The value after.
    pub to: Option<String>,
    /// Whether it is a secret.
    pub secure: bool,
}

/// A variable as a delivery had it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RanWith {
    /// Its name.
    pub name: String,
    /// Its value; `None` for a secret.
    pub value: Option<String>,
    /// Whether it is a secret.
    pub secure: bool,
    /// What became of it since.
    pub since: Since,
}

/// What became of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Since {
    /// The runtime still works with it.
    Same,
    /// It works with another.
    Changed,
    /// There is no such variable any more.
    Gone,
    /// It is a secret.
    Unknown,
}
