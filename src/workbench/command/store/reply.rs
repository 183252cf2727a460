use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::StoreQuery;
use crate::observe::Timestamp;

/// The answer to a [`StoreCommand`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "store", rename_all = "snake_case")]
#[non_exhaustive]
pub enum StoreReply {
    /// Databases.
    Databases {
        /// By name.
        databases: Vec<DatabaseRow>,
    },
    /// Collections.
    Collections {
        /// The database they are of.
        database: String,
        /// Their names.
        collections: Vec<String>,
        /// The extension's own for that backend.
        own: Option<String>,
        /// Why these may not be all.
        #[serde(default)]
        note: Option<String>,
        /// Why they could not be listed; then these are the extension's own.
        #[serde(default)]
        error: Option<String>,
        /// Whether it must be unlocked before anything is written.
        #[serde(default)]
        read_only: bool,
    },
    /// How much a collection holds.
    Statistics(CollectionRow),
    /// Documents.
    Documents(Found),
    /// How many documents match.
    Count {
        /// The database.
        database: String,
        /// The collection.
        collection: String,
        /// How many.
        count: u64,
    },
    /// What comes out of each stage.
    Preview {
        /// In their order, up to the first that fails.
        stages: Vec<StagePreview>,
    },
    /// Something was written.
    Written(Written),
    /// The document was changed or deleted meanwhile; nothing was written.
    Conflict(Box<Conflict>),
    /// Saving would give these fields another type; nothing was written.
    Retyped {
        /// Path, type before, type after.
        changes: Vec<(String, String, String)>,
    },
    /// Indexes, as MongoDB describes them.
    Indexes {
        /// The database.
        database: String,
        /// The collection.
        collection: String,
        /// All of them.
        indexes: Vec<Value>,
    },
    /// How a query would be carried out.
    Explained {
        /// In sentences.
        words: Vec<String>,
        /// As the server said it.
        plan: Value,
    },
    /// What documents look like.
    Schema {
        /// How many were looked at.
        sampled: u64,
        /// Their fields, by dotted path.
        fields: Vec<FieldRow>,
    },
    /// Two collections beside each other.
    Compared(Box<Compared>),
    /// An export or import.
    Job(JobRow),
    /// The file is there already; nothing was written.
    Exists {
        /// Which.
        path: PathBuf,
    },
    /// Queries asked before.
    Queries {
        /// The newest first.
        recent: Vec<StoreQuery>,
        /// Those marked.
        favourites: Vec<StoreQuery>,
    },
    /// Which deliveries wrote a document, oldest first.
    Writers {
        /// Deliveries whose write of it was observed, or of the request it is about.
        writers: Vec<WriterRow>,
    },
    /// Writing is allowed now.
    Unlocked {
        /// Where to.
        place: String,
    },
}

/// A database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabaseRow {
    /// Its name.
    pub database: String,
    /// Its size on disk, where the server tells.
    pub bytes: Option<u64>,
    /// Whether it is the extension's own.
    pub own: bool,
}

/// A collection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CollectionRow {
    /// Its database.
    pub database: String,
    /// Its name.
    pub collection: String,
    /// How many documents.
    pub count: u64,
    /// Their size together, where the backend can tell.
    pub bytes: Option<u64>,
    /// How many indexes, where the backend can tell.
    pub indexes: Option<u64>,
}

/// Documents, and where they are from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Found {
    /// The database.
    pub database: String,
    /// The collection.
    pub collection: String,
    /// The documents, as canonical Extended JSON.
    pub documents: Vec<Value>,
    /// Whether there are more behind the limit.
    pub more: bool,
    /// How long it took, in microseconds.
    pub micros: u64,
}

/// What comes out of one stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StagePreview {
    /// The stage, as canonical Extended JSON.
    pub stage: Value,
    /// The first documents after it.
    pub documents: Vec<Value>,
    /// Why it failed.
    pub error: Option<String>,
}

/// What a write did.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Written {
    /// In a sentence.
    pub message: String,
    /// How many matched.
    pub matched: u64,
    /// How many were inserted, changed or deleted.
    pub written: u64,
    /// `_id`s of what was inserted.
    pub ids: Vec<Value>,
    /// Whether it can be undone.
    pub can_undo: bool,
}

/// A document that two have changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Conflict {
    /// As it was opened.
    pub base: Value,
    /// As it stands now; `None` where it was deleted.
    pub theirs: Option<Value>,
    /// As it was to be saved.
    pub yours: Value,
    /// What would be saved if your changes were put over theirs.
    pub merged: Value,
    /// Field by field.
    pub rows: Vec<ConflictRow>,
}

/// A field that at least one of two has changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConflictRow {
    /// Its dotted path.
    pub path: String,
    /// Its value before; `None` where it was not there.
    pub base: Option<Value>,
    /// In yours.
    pub yours: Option<Value>,
    /// In theirs.
    pub theirs: Option<Value>,
    /// Whether both changed it, and not to the same.
    pub clash: bool,
}

/// A field of sampled documents.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FieldRow {
    /// Its dotted path; the items of an array under `[]`.
    pub path: String,
    /// How many of the documents have it.
    pub documents: u64,
    /// MongoDB's names of its types, and how often each was seen.
    pub types: Vec<(String, u64)>,
    /// One of its values.
    pub example: Value,
}

/// Two collections beside each other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Compared {
    /// `backend database.collection` of one.
    pub left: String,
    /// And of the other.
    pub right: String,
    /// The field that tells which document is which.
    pub key: String,
    /// How many documents are the same on both sides.
    pub same: u64,
    /// All pairs, those that differ first.
    pub rows: Vec<ComparedRow>,
    /// Whether there are more behind the limit.
    pub more: bool,
}

/// A document on both sides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ComparedRow {
    /// What the key field holds.
    pub key: Value,
    /// On one side.
    pub left: Option<Value>,
    /// On the other.
    pub right: Option<Value>,
    /// What differs, field by field; `_id` is left out unless it is the key.
    pub differences: Vec<Difference>,
}

impl ComparedRow {
    /// Whether both sides have the same.
    #[must_use]
    pub fn is_same(&self) -> bool {
        self.left.is_some() && self.right.is_some() && self.differences.is_empty()
    }
}

/// A field that differs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// Its dotted path.
    pub path: String,
    /// On one side; `None` where it is not there.
    pub left: Option<Value>,
    /// On the other.
    pub right: Option<Value>,
}

/// An export or import.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobRow {
    /// Its number.
    pub job: u64,
    /// What it does, in words.
    pub what: String,
    /// How many documents were looked at before: a table's columns are found first.
    #[serde(default)]
    pub looked: u64,
    /// Documents done so far.
    pub done: u64,
    /// Of how many, once that is known.
    pub total: Option<u64>,
    /// How it stands.
    pub state: JobState,
    /// What there is to tell at its end: why it failed, or what it did.
    pub message: Option<String>,
    /// What could not be imported: line and reason, the first hundred.
    pub refused: Vec<(u64, String)>,
    /// How many could not be imported.
    pub refusals: u64,
}

/// How an export or import stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// It goes on.
    Running,
    /// It is done.
    Done,
    /// It broke off.
    Failed,
    /// It was stopped.
    Cancelled,
}

/// A delivery that wrote a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriterRow {
    /// Its number in the journal.
    pub delivery: i64,
    /// Its event type.
    pub event_type: String,
    /// Its object.
    pub object_id: String,
    /// MongoDB's name of the operation; `None` where only the request's id tells.
    pub operation: Option<String>,
    /// When.
    pub at: Timestamp,
}
