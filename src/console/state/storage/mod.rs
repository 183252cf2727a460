//! The storage inspector: what is asked, what came, and how it is looked at.

mod ask;
mod bar;
mod side;
mod tree;

use std::collections::{HashMap, HashSet, VecDeque};

use serde_json::{Map, Value};

pub(crate) use ask::{Pick, StoreAsk};
pub(crate) use bar::{Bar, FIELDS};
pub(crate) use side::{Side, differing};
pub(crate) use tree::Node;

use super::super::json;
use super::Scroll;
use crate::observe::{Backend, Timestamp};
use crate::workbench::{CollectionRow, Command, Found, JobRow, StoreCommand, StoreQuery, StoreTarget};

/// How many documents are read at once.
const PAGE: u64 = 50;
/// The most columns a table has.
const COLUMNS: usize = 512;

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
    /// What else is waited for, and since when.
    pub(crate) looking: Option<(StoreAsk, Timestamp)>,
    /// Since when the documents are waited for.
    pub(crate) since: Timestamp,
    /// Whether the developer did not want to wait for them: they are not asked for again until a key does.
    pub(crate) stopped: bool,
    /// Why it is not known how many match.
    pub(crate) uncounted: Option<String>,
    /// Counts the queries, so that a count finds the one it belongs to.
    pub(crate) queried: u64,
    /// Whether it is being counted how many match, and when that was asked last.
    pub(crate) counting: bool,
    pub(crate) counted: Timestamp,
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
            looking: None,
            since: Timestamp(0),
            stopped: false,
            uncounted: None,
            queried: 0,
            counting: false,
            counted: Timestamp(0),
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
        // A page of huge documents is a short one.
        let here = self.documents.len() as u64;
        self.go_to(if forward { skip.saturating_add(here) } else { skip.saturating_sub(PAGE) });
    }

    /// Turns to the page that begins behind so many documents.
    pub(crate) fn go_to(&mut self, skip: u64) {
        self.query.skip = skip;
        self.scroll = Scroll::default();
        self.inside = Scroll::default();
    }

    /// Has every collection measured, also those that were: the one that is shown first, then those that wait longest.
    pub(crate) fn queue_sizes(&mut self) {
        let mut waiting: VecDeque<String> = std::mem::take(&mut self.to_measure);
        if self.collections_error.is_some() {
            return;
        }
        waiting.retain(|name| self.collections.contains(name) && self.collection.as_ref() != Some(name));
        let shown = self.collection.iter().filter(|name| self.collections.contains(name)).cloned();
        let known: HashSet<String> = waiting.iter().cloned().collect();
        let others = self.collections.iter().filter(|name| !known.contains(*name) && self.collection.as_ref() != Some(*name));
        self.to_measure = shown.chain(waiting).chain(others.cloned()).collect();
    }

    /// Forgets how many match.
    pub(crate) fn recount(&mut self) {
        self.queried += 1;
        self.counting = false;
        self.total = None;
        self.uncounted = None;
    }

    /// Where the last page begins, once it is known how many documents there are.
    pub(crate) fn last_page(&self) -> Option<u64> {
        self.total.map(|total| total.saturating_sub(1) / PAGE * PAGE)
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
        self.error = None;
        self.recount();
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
        self.stopped = false;
        let query = StoreQuery { limit: PAGE, ..self.query.clone() };
        Command::Store(StoreCommand::Find { target: self.target(), query, brief: true })
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

    /// Some of the lines of the selected document as a tree.
    pub(crate) fn nodes(&self, first: usize, count: usize) -> Vec<Node> {
        self.selected_exact().map(|document| tree::nodes(document, &self.folds, first, count)).unwrap_or_default()
    }

    /// The line of the tree that is selected.
    pub(crate) fn node(&self) -> Option<Node> {
        self.nodes(self.inside.at, 1).pop()
    }

    /// How many lines the selected document has as it is shown.
    pub(crate) fn height(&self) -> usize {
        match self.view {
            View::Tree => self.selected_exact().map_or(0, |document| tree::height(document, &self.folds)),
            _ => self.selected().map_or(0, json::height),
        }
    }
}

/// The dotted names of the simple values, in the order they are met; `_id` first. There are [`COLUMNS`] at most.
fn columns(documents: &[Value]) -> Vec<String> {
    let mut known = HashSet::from(["_id".to_owned()]);
    let mut all = vec!["_id".to_owned()];
    for document in documents {
        if let Value::Object(map) = document {
            names(map, &mut String::new(), &mut |path| {
                if !known.contains(path) {
                    known.insert(path.to_owned());
                    all.push(path.to_owned());
                }
                all.len() < COLUMNS
            });
        }
    }
    all
}

/// A value that is a document of its own, and no cell: an array or a typed value is one, and so is an `_id`.
fn is_nested(value: &Value) -> Option<&Map<String, Value>> {
    value.as_object().filter(|map| !map.is_empty() && !map.keys().all(|k| k.starts_with('$')))
}

/// Goes through the dotted names of a document's cells as long as they are wanted.
fn names(map: &Map<String, Value>, path: &mut String, see: &mut dyn FnMut(&str) -> bool) -> bool {
    let above = path.len();
    map.iter().all(|(name, value)| {
        if above > 0 {
            path.push('.');
        }
        path.push_str(name);
        let more = match is_nested(value).filter(|_| path != "_id") {
            Some(inner) => names(inner, path, see),
            None => see(path),
        };
        path.truncate(above);
        more
    })
}

/// The cell under a dotted name; names may have dots of their own.
pub(crate) fn cell<'a>(document: &'a Value, path: &str) -> Option<&'a Value> {
    if let Some(value) = document.get(path) {
        return is_nested(value).is_none_or(|_| path == "_id").then_some(value);
    }
    path.match_indices('.').find_map(|(dot, _)| cell(document.get(path.get(..dot)?)?, path.get(dot + 1..)?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn columns_are_dotted_names_and_every_cell_is_found_under_its_own() {
        let documents = [
            json!({"_id": {"a": 1, "b": 2}, "o": {"p": {"q": 5}}, "x.y": "dotted", "o.p": "beside"}),
            json!({"_id": {"$oid": "00"}, "list": [1], "e": {}, "d": {"$date": {"$numberLong": "0"}}, "x": {"y.z": true}}),
        ];
        let columns = columns(&documents);
        assert_eq!(columns, ["_id", "o.p.q", "x.y", "o.p", "list", "e", "d", "x.y.z"]);
        let told = |at: usize, path: &str| cell(&documents[at], path).map(ToString::to_string);
        assert_eq!(told(0, "_id").as_deref(), Some(r#"{"a":1,"b":2}"#), "an _id is one cell");
        assert_eq!(told(0, "o.p.q").as_deref(), Some("5"));
        assert_eq!((told(0, "x.y").as_deref(), told(0, "o.p").as_deref()), (Some("\"dotted\""), Some("\"beside\"")));
        assert_eq!((told(1, "x.y.z").as_deref(), told(1, "x.y"), told(1, "nowhere.at.all")), (Some("true"), None, None));
    }

    #[test]
    fn a_document_of_very_many_fields_has_as_many_columns_as_can_be_looked_at() {
        let many: Map<String, Value> = (0..200_000).map(|n| (format!("f{n}"), json!(n))).collect();
        assert_eq!(columns(&[Value::Object(many)]).len(), COLUMNS);
    }
}
