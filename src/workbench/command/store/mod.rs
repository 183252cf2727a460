//! What the storage inspector asks and is answered. Queries and documents come as they were typed (Extended JSON or mongosh
//! literals), documents go out as canonical Extended JSON.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use reply::{
    CollectionRow, Compared, ComparedRow, Conflict, ConflictRow, DatabaseRow, Difference, FieldRow, Found, JobRow, JobState,
    StagePreview, StoreReply, WriterRow, Written,
};

use crate::observe::Backend;

mod reply;

/// A collection, reached one way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreTarget {
    /// Through which backend.
    pub backend: Backend,
    /// The database; without it the extension's own (`DB`).
    #[serde(default)]
    pub database: Option<String>,
    /// The collection; without it the extension's own for that backend (`HTTP_COLLECTION`, `DRIVER_COLLECTION`).
    #[serde(default)]
    pub collection: Option<String>,
    /// Write even to a deployment that is not on this machine, this once.
    #[serde(default)]
    pub unlocked: bool,
}

impl StoreTarget {
    /// The extension's own collection.
    #[must_use]
    pub fn own(backend: Backend) -> Self {
        Self { backend, database: None, collection: None, unlocked: false }
    }
}

/// A query as a developer types it; an empty part is none.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct StoreQuery {
    /// Which documents.
    pub filter: String,
    /// Which fields.
    pub projection: String,
    /// In which order.
    pub sort: String,
    /// How many to pass over.
    pub skip: u64,
    /// How many at most; 0 is all, where documents are not shown but exported.
    pub limit: u64,
    /// A pipeline instead of all that: an array of stages. Empty where there is none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub pipeline: String,
}

/// How documents are written into a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileFormat {
    /// One document a line, canonical Extended JSON.
    #[default]
    Ejson,
    /// A table; nested fields under dotted names.
    Csv,
}

/// What can be asked of the stores.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "store", rename_all = "snake_case")]
#[non_exhaustive]
pub enum StoreCommand {
    /// The databases. [`StoreReply::Databases`].
    Databases {
        /// Through which backend.
        backend: Backend,
    },
    /// The collections of a database; without one of the extension's. [`StoreReply::Collections`].
    Collections {
        /// Through which backend.
        backend: Backend,
        /// The database.
        #[serde(default)]
        database: Option<String>,
    },
    /// How much a collection holds. [`StoreReply::Statistics`].
    Statistics {
        /// Which.
        target: StoreTarget,
    },
    /// Documents. [`StoreReply::Documents`].
    Find {
        /// Where.
        target: StoreTarget,
        /// Which; at most 1,000 are answered.
        query: StoreQuery,
        /// Whether fewer are answered where they are huge: as many as some megabytes hold, and at least one.
        #[serde(default)]
        brief: bool,
    },
    /// How many documents match. [`StoreReply::Count`].
    Count {
        /// Where.
        target: StoreTarget,
        /// Which.
        filter: String,
    },
    /// The first documents after each stage of a pipeline. [`StoreReply::Preview`].
    Preview {
        /// Where.
        target: StoreTarget,
        /// An array of stages.
        pipeline: String,
    },
    /// Insert a document, or an array of them. [`StoreReply::Written`].
    Insert {
        /// Where.
        target: StoreTarget,
        /// As typed.
        documents: String,
    },
    /// Change what matches by update operators. [`StoreReply::Written`].
    Update {
        /// Where.
        target: StoreTarget,
        /// Which.
        filter: String,
        /// `$set`, ...
        update: String,
        /// All that match, or the first.
        many: bool,
        /// Insert one where none matches.
        upsert: bool,
    },
    /// Put another document in place of the first that matches. [`StoreReply::Written`].
    Replace {
        /// Where.
        target: StoreTarget,
        /// Which.
        filter: String,
        /// The other document.
        replacement: String,
        /// Insert it where none matches.
        upsert: bool,
    },
    /// Delete what matches. [`StoreReply::Written`].
    Delete {
        /// Where.
        target: StoreTarget,
        /// Which; it may not be empty.
        filter: String,
        /// All that match, or the first.
        many: bool,
    },
    /// Save an edited document: only what was changed, and only if that has not been changed meanwhile.
    /// [`StoreReply::Written`], [`StoreReply::Conflict`] or [`StoreReply::Retyped`].
    Save {
        /// Where.
        target: StoreTarget,
        /// The document as it was when it was opened.
        base: Value,
        /// As it was edited.
        edited: String,
        /// Whether values may get another type.
        retype: bool,
    },
    /// Undo the last write of this session. [`StoreReply::Written`].
    Undo,
    /// The indexes. [`StoreReply::Indexes`].
    Indexes {
        /// Where.
        target: StoreTarget,
    },
    /// Make an index. [`StoreReply::Written`].
    CreateIndex {
        /// Where.
        target: StoreTarget,
        /// `{field: 1, ...}`
        keys: String,
        /// `{unique: true, ...}`, or empty.
        options: String,
    },
    /// Drop an index. [`StoreReply::Written`].
    DropIndex {
        /// Where.
        target: StoreTarget,
        /// Its name.
        name: String,
    },
    /// How a query would be carried out. [`StoreReply::Explained`].
    Explain {
        /// Where.
        target: StoreTarget,
        /// Which.
        query: StoreQuery,
    },
    /// What the documents look like, by a sample. [`StoreReply::Schema`].
    Schema {
        /// Where.
        target: StoreTarget,
        /// Of which documents.
        filter: String,
        /// How many to look at.
        sample: u32,
    },
    /// The same query asked of two collections. [`StoreReply::Compared`].
    Compare {
        /// One.
        left: StoreTarget,
        /// The other.
        right: StoreTarget,
        /// Which documents; a sort of it is not used.
        query: StoreQuery,
        /// The field that tells which document is which; dotted.
        key: String,
    },
    /// Write what a query finds into a file, in the background. [`StoreReply::Job`].
    Export {
        /// Where from.
        target: StoreTarget,
        /// Which.
        query: StoreQuery,
        /// How.
        format: FileFormat,
        /// Where to: an absolute path.
        to: PathBuf,
        /// Whether a file that is there already may be replaced; otherwise [`StoreReply::Exists`].
        #[serde(default)]
        overwrite: bool,
    },
    /// Insert the documents of a file, in the background. [`StoreReply::Job`].
    Import {
        /// Where to.
        target: StoreTarget,
        /// Where from: an absolute path.
        from: PathBuf,
        /// How it is written.
        format: FileFormat,
    },
    /// How an export or import stands. [`StoreReply::Job`].
    Job {
        /// Which.
        job: u64,
    },
    /// Stop an export or import. [`StoreReply::Job`].
    Cancel {
        /// Which.
        job: u64,
    },
    /// Queries asked of a collection before. [`StoreReply::Queries`].
    Queries {
        /// Where.
        target: StoreTarget,
    },
    /// Remember a query, the newest first. [`StoreReply::Queries`].
    Remember {
        /// Where.
        target: StoreTarget,
        /// Which.
        query: StoreQuery,
        /// Among the favourites: add or take it away; otherwise in the history.
        favourite: Option<bool>,
    },
    /// Which deliveries wrote a document. [`StoreReply::Writers`].
    Writers {
        /// Where it is.
        target: StoreTarget,
        /// The document.
        document: Value,
    },
    /// Allow writing to a deployment that is not on this machine, until the session ends. [`StoreReply::Unlocked`].
    Unlock {
        /// Reached through which backend.
        backend: Backend,
    },
}
