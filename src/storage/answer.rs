use bson::Bson;

/// What became of an update or a replacement.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Updated {
    /// How many documents matched.
    pub matched: u64,
    /// How many of them changed.
    pub modified: u64,
    /// The `_id` of the document that was inserted because none matched.
    pub upserted: Option<Bson>,
}

/// What became of several documents that were to be inserted.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Inserted {
    /// The `_id`s of those that were, in their order.
    pub ids: Vec<Bson>,
    /// Those that were not.
    pub refused: Vec<RefusedDocument>,
}

/// A document of several that was not inserted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedDocument {
    /// Its place among them, counted from 0.
    pub index: usize,
    /// MongoDB's error code.
    pub code: Option<i32>,
    /// Why.
    pub message: String,
}

/// A database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseInfo {
    /// Its name.
    pub name: String,
    /// Its size on disk, where the server tells.
    pub bytes: Option<u64>,
}

/// How much a collection holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Statistics {
    /// How many documents.
    pub count: u64,
    /// How large they are together, in bytes, where the backend can tell.
    pub bytes: Option<u64>,
    /// How many indexes there are, where the backend can tell.
    pub indexes: Option<u64>,
}
