use serde_json::Value;

use super::super::json;
use super::Scroll;
use crate::observe::Backend;
use crate::workbench::{Command, Found};

/// How many documents are read at once.
const PAGE: u64 = 50;

/// Which part of the pane the keys move in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Part {
    Collections,
    #[default]
    Documents,
    Document,
}

/// The documents of the stores.
#[derive(Debug)]
pub(crate) struct Storage {
    pub(crate) backend: Backend,
    pub(crate) database: String,
    pub(crate) collections: Vec<String>,
    /// The extension's own collection through this backend.
    pub(crate) own: Option<String>,
    /// The collection that is shown; `None` until one is known.
    pub(crate) collection: Option<String>,
    /// The documents, relaxed for reading.
    pub(crate) documents: Vec<Value>,
    pub(crate) found: Option<Found>,
    pub(crate) part: Part,
    pub(crate) scroll: Scroll,
    /// The place within the document that is shown whole.
    pub(crate) inside: Scroll,
    pub(crate) filter: String,
    pub(crate) skip: u64,
    /// Why the collections could not be listed.
    pub(crate) collections_error: Option<String>,
    /// Why the documents could not be read.
    pub(crate) error: Option<String>,
    /// Counts the questions, so that a late answer to an old one is not shown.
    pub(crate) asked: u64,
    pub(crate) busy: bool,
}

impl Default for Storage {
    fn default() -> Self {
        Self {
            backend: Backend::Driver,
            database: String::new(),
            collections: Vec::new(),
            own: None,
            collection: None,
            documents: Vec::new(),
            found: None,
            part: Part::default(),
            scroll: Scroll::default(),
            inside: Scroll::default(),
            filter: String::new(),
            skip: 0,
            collections_error: None,
            error: None,
            asked: 0,
            busy: false,
        }
    }
}

impl Storage {
    pub(crate) fn selected(&self) -> Option<&Value> {
        self.documents.get(self.scroll.at)
    }

    pub(crate) fn more(&self) -> bool {
        self.found.as_ref().is_some_and(|f| f.more)
    }

    /// Turns to the next page or the one before.
    pub(crate) fn turn(&mut self, forward: bool) {
        self.skip = if forward { self.skip.saturating_add(PAGE) } else { self.skip.saturating_sub(PAGE) };
        self.scroll = Scroll::default();
    }

    /// Forgets what belongs to the backend or collection shown before.
    pub(crate) fn leave(&mut self) {
        self.documents.clear();
        self.found = None;
        self.error = None;
        self.skip = 0;
        self.scroll = Scroll::default();
        self.inside = Scroll::default();
    }

    /// The question for the documents to show; newest first would need an index, so in the store's own order.
    pub(crate) fn question(&mut self) -> Command {
        self.asked += 1;
        self.busy = true;
        Command::Find {
            backend: self.backend,
            database: None,
            collection: self.collection.clone(),
            filter: self.filter.clone(),
            projection: String::new(),
            sort: String::new(),
            skip: self.skip,
            limit: PAGE,
        }
    }

    pub(crate) fn load(&mut self, mut found: Found) {
        let selected = self.selected().and_then(|d| d.get("_id")).cloned();
        self.documents = std::mem::take(&mut found.documents).iter().map(json::relaxed).collect();
        self.database.clone_from(&found.database);
        self.collection = Some(found.collection.clone());
        self.found = Some(found);
        self.error = None;
        let at = selected.and_then(|id| self.documents.iter().position(|d| d.get("_id") == Some(&id)));
        self.scroll.at = at.unwrap_or(self.scroll.at);
        self.scroll.clamp(self.documents.len());
    }

    pub(crate) fn fail(&mut self, why: String) {
        self.documents.clear();
        self.found = None;
        self.error = Some(why);
    }
}
