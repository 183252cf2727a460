use serde_json::Value;

use crate::workbench::{StoreQuery, StoreTarget};

/// What a store was asked for, so that its answer finds its place.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum StoreAsk {
    /// Count and size of a collection.
    Size,
    /// How many match; the number of the question they belong to.
    Count(u64),
    Databases,
    /// What was asked of the collection before.
    Queries,
    /// An edited document: what it takes to go on editing where it can't be saved.
    Save {
        target: StoreTarget,
        base: Value,
        edited: String,
    },
    /// A document that was typed.
    Insert {
        target: StoreTarget,
        text: String,
    },
    /// Anything else that writes.
    Write,
    Compare,
    Job,
    /// What comes out of the stages of a pipeline that is typed.
    Preview(String),
    /// Something to be read in a window; its title.
    Show(&'static str),
    Writers,
    Unlock,
}

/// Something of the inspector that can be chosen from a list.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Pick {
    Database(String),
    Query(StoreQuery),
    Delivery(i64),
}
