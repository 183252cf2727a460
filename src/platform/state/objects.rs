//! The objects of all collections, as the JSON text the REST API answers with.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde_json::Value;

use super::{Disk, Write};
use crate::platform::catalogue;
use crate::platform::rql::Query;

/// What a list of Connect's gives without being asked for another number.
const DEFAULT_LIMIT: u64 = 100;
/// What it gives at most.
const MAX_LIMIT: u64 = 1_000;

/// One page of a list.
pub(crate) struct Selected {
    /// The objects.
    pub(crate) items: Vec<Value>,
    /// How many there are in all.
    pub(crate) total: usize,
}

#[derive(Default)]
struct Collection {
    by_id: HashMap<String, i64>,
    in_order: BTreeMap<i64, Arc<str>>,
}

/// All objects, by collection and id, in the order they were made.
pub(crate) struct Objects {
    disk: Disk,
    collections: HashMap<&'static str, Collection>,
    next: i64,
}

impl Objects {
    /// Those of the file.
    pub(crate) fn new(disk: Disk, loaded: Vec<(i64, String, String, Arc<str>)>) -> Self {
        let mut objects = Self { disk, collections: HashMap::new(), next: 1 };
        for (seq, name, id, body) in loaded {
            objects.next = objects.next.max(seq + 1);
            // A collection no version of this program serves can't be asked for either.
            if let Some(name) = stored_collection(&name) {
                objects.collections.entry(name).or_default().insert(seq, id, body);
            }
        }
        objects
    }

    /// Creates or replaces an object.
    pub(crate) fn put(&mut self, collection: &'static str, id: &str, object: &Value) {
        let body: Arc<str> = object.to_string().into();
        let held = self.collections.entry(collection).or_default();
        let seq = held.by_id.get(id).copied().unwrap_or(self.next);
        self.next = self.next.max(seq + 1);
        held.insert(seq, id.into(), Arc::clone(&body));
        self.disk.write(Write::Object(seq, collection, id.into(), body));
    }

    /// The JSON text of an object.
    pub(crate) fn text(&self, collection: &str, id: &str) -> Option<Arc<str>> {
        let held = self.collections.get(collection)?;
        held.in_order.get(held.by_id.get(id)?).cloned()
    }

    /// The object itself.
    pub(crate) fn get(&self, collection: &str, id: &str) -> Option<Value> {
        serde_json::from_str(&self.text(collection, id)?).ok()
    }

    /// Takes the texts a query has to look at: one, where it names the id, else all, oldest first. Looking at them needs
    /// no hold on the state any more.
    pub(crate) fn candidates(&self, collection: &str, query: &Query) -> Vec<Arc<str>> {
        match query.pinned_id() {
            Some(id) => self.text(collection, id).into_iter().collect(),
            None => self.collections.get(collection).map(|c| c.in_order.values().cloned().collect()).unwrap_or_default(),
        }
    }
}

impl Collection {
    fn insert(&mut self, seq: i64, id: String, body: Arc<str>) {
        self.in_order.insert(seq, body);
        self.by_id.insert(id, seq);
    }
}

fn stored_collection(name: &str) -> Option<&'static str> {
    let known = catalogue::COLLECTIONS.iter().copied().chain(catalogue::EVENT_TYPES.iter().filter_map(|e| e.collection));
    known.into_iter().find(|known| *known == name)
}

/// The page of `candidates` a query asks for.
pub(crate) fn select(candidates: Vec<Value>, query: &Query) -> Selected {
    let mut found: Vec<Value> = candidates.into_iter().filter(|object| query.matches(object)).collect();
    query.sort(&mut found);
    let total = found.len();
    let limit = usize::try_from(query.limit.unwrap_or(DEFAULT_LIMIT).min(MAX_LIMIT)).unwrap_or(usize::MAX);
    let offset = usize::try_from(query.offset).unwrap_or(usize::MAX);
    Selected { items: found.into_iter().skip(offset).take(limit).collect(), total }
}
