//! The storage inspector: what is asked, what came, and how it is looked at.

mod ask;
mod bar;
mod side;
mod tree;

use std::collections::{HashMap, HashSet, VecDeque};

use serde_json::Value;

pub(crate) use ask::{Pick, StoreAsk};
pub(crate) use bar::{Bar, FIELDS};
pub(crate) use side::Side;
pub(crate) use tree::Node;

use super::super::json;
use super::Scroll;
use crate::observe::Backend;
use crate::workbench::{CollectionRow, Command, Found, JobRow, StoreCommand, StoreQuery, StoreTarget};

/// How many documents are read at once.
const PAGE: u64 = 50;
/// The most columns a table has.
const COLUMNS: usize = 64;

/// Which part of the pane the keys move in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Part {
    Collections,
    #[default]
    Documents,
    Document,
}

/// How documents are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum View {
    #[default]
    Json,
    Tree,
    Table,
}

/// What happened to a document since the page was read before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    New,
    Changed,
}

/// The documents of the stores.
#[derive(Debug)]
pub(crate) struct Storage {
    pub(crate) backend: Backend,
    /// The database that is shown, where it is not the extension's own.
    pub(crate) elsewhere: Option<String>,
    pub(crate) database: String,
    pub(crate) collections: Vec<String>,
    /// Counts and sizes of collections, as far as they came.
    pub(crate) sizes: HashMap<String, CollectionRow>,
    /// Collections whose size is still to be asked for.
    pub(crate) to_measure: VecDeque<String>,
    pub(crate) sizing: bool,
    /// The extension's own collection through this backend.
    pub(crate) own: Option<String>,
    /// Why the collections may not be all.
    pub(crate) note: Option<String>,
    /// Whether it must be unlocked before anything is written.
    pub(crate) read_only: bool,
    /// The collection that is shown; `None` until one is known.
    pub(crate) collection: Option<String>,
    /// The documents, relaxed for reading.
    pub(crate) documents: Vec<Value>,
    /// The same with all types.
    pub(crate) exact: Vec<Value>,
    /// What is new or changed since the page was read before.
    pub(crate) marks: Vec<Option<Mark>>,
    /// The columns of the table.
    pub(crate) columns: Vec<String>,
    /// How many of them are scrolled away at the left.
    pub(crate) first_column: usize,
    pub(crate) found: Option<Found>,
    /// What the page in memory was asked with.
    shown: Option<Shown>,
    /// How many documents match, once that is known.
    pub(crate) total: Option<u64>,
    pub(crate) part: Part,
    pub(crate) view: View,
    pub(crate) scroll: Scroll,
    /// The place within the document that is shown whole.
    pub(crate) inside: Scroll,
    /// Paths of the tree that are folded the other way than by themselves.
    pub(crate) folds: HashSet<String>,
    pub(crate) query: StoreQuery,
    /// The query being typed.
    pub(crate) bar: Option<Box<Bar>>,
    pub(crate) recent: Vec<StoreQuery>,
    pub(crate) favourites: Vec<StoreQuery>,
    /// Both backends beside each other.
    pub(crate) side: Option<Box<Side>>,
    /// The export or import that is going on, or was the last.
    pub(crate) job: Option<JobRow>,
    /// Whether the page is read again every second.
    pub(crate) live: bool,
    /// Why the collections could not be listed.
    pub(crate) collections_error: Option<String>,
    /// Why the documents could not be read.
    pub(crate) error: Option<String>,
    /// Counts the questions, so that a late answer to an old one is not shown.
    pub(crate) asked: u64,
    pub(crate) busy: bool,
}

/// What tells one page from another.
#[derive(Debug, Clone, PartialEq)]
struct Shown {
    backend: Backend,
    database: String,
    collection: String,
    query: StoreQuery,
}

impl Default for Storage {
    fn default() -> Self {
        Self {
            backend: Backend::Driver,
            elsewhere: None,
            database: String::new(),
            collections: Vec::new(),
            sizes: HashMap::new(),
            to_measure: VecDeque::new(),
            sizing: false,
            own: None,
            note: None,
            read_only: false,
            collection: None,
            documents: Vec::new(),
            exact: Vec::new(),
            marks: Vec::new(),
            columns: Vec::new(),
            first_column: 0,
            found: None,
            shown: None,
            total: None,
            part: Part::default(),
            view: View::default(),
            scroll: Scroll::default(),
            inside: Scroll::default(),
            folds: HashSet::new(),
            query: StoreQuery::default(),
            bar: None,
            recent: Vec::new(),
            favourites: Vec::new(),
            side: None,
            job: None,
            live: false,
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

    /// The selected document with all its types.
    pub(crate) fn selected_exact(&self) -> Option<&Value> {
        self.exact.get(self.scroll.at)
    }

    pub(crate) fn more(&self) -> bool {
        self.found.as_ref().is_some_and(|f| f.more)
    }

    /// Whether anything but the whole collection is asked for.
    pub(crate) fn narrowed(&self) -> bool {
        StoreQuery { skip: 0, limit: 0, ..self.query.clone() } != StoreQuery::default()
    }

    /// The query in one line.
    pub(crate) fn summary(&self) -> String {
        let query = &self.query;
        let parts =
            [("", &query.filter), ("project ", &query.projection), ("sort ", &query.sort), ("pipeline ", &query.pipeline)];
        let told = parts.iter().filter(|(_, text)| !text.trim().is_empty());
        told.map(|(name, text)| format!("{name}{}", text.split_whitespace().collect::<Vec<_>>().join(" ")))
            .collect::<Vec<_>>()
            .join(" · ")
    }

    /// The collection that is shown.
    pub(crate) fn target(&self) -> StoreTarget {
        self.target_of(self.collection.clone())
    }

    pub(crate) fn target_of(&self, collection: Option<String>) -> StoreTarget {
        StoreTarget { backend: self.backend, database: self.elsewhere.clone(), collection, unlocked: false }
    }

    /// Turns to the next page or the one before.
    pub(crate) fn turn(&mut self, forward: bool) {
        let skip = self.query.skip;
        self.query.skip = if forward { skip.saturating_add(PAGE) } else { skip.saturating_sub(PAGE) };
        self.scroll = Scroll::default();
    }

    /// Forgets what belongs to the backend or collection shown before; the query is another one's too.
    pub(crate) fn leave(&mut self) {
        self.forget();
        self.query = StoreQuery::default();
        self.recent.clear();
        self.favourites.clear();
    }

    /// Forgets the page.
    pub(crate) fn forget(&mut self) {
        self.documents.clear();
        self.exact.clear();
        self.marks.clear();
        self.columns.clear();
        self.first_column = 0;
        self.found = None;
        self.shown = None;
        self.total = None;
        self.error = None;
        self.query.skip = 0;
        self.scroll = Scroll::default();
        self.inside = Scroll::default();
        self.folds.clear();
        self.side = None;
    }

    /// The question for the documents to show, in the store's own order unless a sort says otherwise.
    pub(crate) fn question(&mut self) -> Command {
        self.asked += 1;
        self.busy = true;
        let query = StoreQuery { limit: PAGE, ..self.query.clone() };
        Command::Store(StoreCommand::Find { target: self.target(), query })
    }

    pub(crate) fn load(&mut self, mut found: Found) {
        let selected = self.selected().and_then(|d| d.get("_id")).cloned();
        let exact = std::mem::take(&mut found.documents);
        let shown = Shown {
            backend: self.backend,
            database: found.database.clone(),
            collection: found.collection.clone(),
            query: self.query.clone(),
        };
        let again = self.shown.as_ref() == Some(&shown);
        self.marks = exact.iter().map(|document| self.mark(document).filter(|_| again)).collect();
        self.shown = Some(shown);
        self.documents = exact.iter().map(json::relaxed).collect();
        self.exact = exact;
        self.columns = columns(&self.documents);
        self.database.clone_from(&found.database);
        self.collection = Some(found.collection.clone());
        if !found.more {
            self.total = Some(self.query.skip + self.documents.len() as u64);
        }
        self.found = Some(found);
        self.error = None;
        let at = selected.and_then(|id| self.documents.iter().position(|d| d.get("_id") == Some(&id)));
        self.scroll.at = at.unwrap_or(self.scroll.at);
        self.scroll.clamp(self.documents.len());
    }

    /// What is to be said of a document in the light of the page before.
    fn mark(&self, document: &Value) -> Option<Mark> {
        match self.exact.iter().zip(&self.marks).find(|(known, _)| known.get("_id") == document.get("_id")) {
            None => Some(Mark::New),
            Some((known, _)) if known != document => Some(Mark::Changed),
            Some((_, mark)) => *mark,
        }
    }

    pub(crate) fn fail(&mut self, why: String) {
        self.documents.clear();
        self.exact.clear();
        self.found = None;
        self.error = Some(why);
    }

    /// The lines of the selected document as a tree.
    pub(crate) fn nodes(&self) -> Vec<Node> {
        self.selected_exact().map(|document| tree::nodes(document, &self.folds)).unwrap_or_default()
    }
}

/// The dotted names of the simple values, in the order they are met; `_id` first.
fn columns(documents: &[Value]) -> Vec<String> {
    let mut known = HashSet::new();
    let mut all = vec!["_id".to_owned()];
    known.insert("_id".to_owned());
    for document in documents {
        for (path, _) in cells(document) {
            if all.len() < COLUMNS && known.insert(path.clone()) {
                all.push(path);
            }
        }
    }
    all
}

/// The cells of a document: nested documents are flattened, an array or a typed value is one.
pub(crate) fn cells(document: &Value) -> Vec<(String, &Value)> {
    fn go<'a>(path: String, value: &'a Value, out: &mut Vec<(String, &'a Value)>) {
        match value {
            Value::Object(map) if !map.is_empty() && !map.keys().all(|k| k.starts_with('$')) => {
                map.iter().for_each(|(name, value)| go(format!("{path}.{name}"), value, out));
            }
            other => out.push((path, other)),
        }
    }
    let mut out = Vec::new();
    if let Value::Object(map) = document {
        map.iter().for_each(|(name, value)| go(name.clone(), value, &mut out));
    }
    out
}
