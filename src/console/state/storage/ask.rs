use serde_json::Value;

use crate::workbench::{StoreCommand, StoreQuery, StoreTarget};

/// What a store was asked for, so that its answer finds its place.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum StoreAsk {
    /// Count and size of a collection.
    Size,
    /// How many match; the number of the query they belong to.
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
    /// An export or an import: what was asked, to be asked again where the file is there already or can not be used.
    File(Box<StoreCommand>),
    /// What comes out of the stages of a pipeline that is typed.
    Preview(String),
    /// Something to be read in a window; its title.
    Show(&'static str),
    Writers,
    Unlock,
}

impl StoreAsk {
    /// Whether it only looks, for a window to be shown: one at a time, and it can be stopped.
    pub(crate) fn is_look(&self) -> bool {
        self.verb().is_some() || matches!(self, Self::Preview(_))
    }

    /// What goes on while its answer is waited for, where that is worth a word.
    pub(crate) fn verb(&self) -> Option<&'static str> {
        match self {
            Self::Compare => Some("comparing"),
            Self::Databases => Some("listing databases"),
            Self::Writers => Some("looking for its event"),
            Self::Show("Fields") => Some("sampling"),
            Self::Show("Indexes") => Some("listing indexes"),
            Self::Show(_) => Some("explaining"),
            _ => None,
        }
    }
}

/// Something of the inspector that can be chosen from a list.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Pick {
    Database(String),
    Query(StoreQuery),
    Delivery(i64),
}
