//! The objects of all collections: on disk, as the JSON text the REST API answers with. In memory are only those that were
//! used lately, and those whose writing is under way.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, params};
use serde_json::Value;

use super::cache::Cache;
use super::{Disk, Held, Write};

/// All objects, by collection and id. A collection is named like its path: `requests`, `products/PRD-1/templates`.
pub(crate) struct Objects {
    disk: Disk,
    /// Only ever reads.
    db: Connection,
    cache: Cache,
    /// Handed over for writing, with the write's number; `None` is deleted.
    unwritten: HashMap<String, (u64, Option<Arc<str>>)>,
    order: VecDeque<(u64, String)>,
}

impl Objects {
    /// Those of the file `db` reads.
    pub(crate) fn new(disk: Disk, db: Connection) -> Self {
        Self { disk, db, cache: Cache::default(), unwritten: HashMap::new(), order: VecDeque::new() }
    }

    /// Creates or replaces an object.
    pub(crate) fn put(&mut self, collection: &str, id: &str, object: &Value) {
        self.put_text(collection, id, json_text(object));
    }

    /// The same with its JSON text, which has no blanks outside of texts.
    pub(crate) fn put_text(&mut self, collection: &str, id: &str, body: Arc<str>) {
        let number = self.disk.write(Write::Object(collection.into(), id.into(), Arc::clone(&body)));
        self.note_text(key(collection, id), number, body);
    }

    /// The same where an object that was put just now holds it as it is, `body` being the text of that one's field.
    pub(crate) fn put_held(&mut self, held: Held, body: Arc<str>) {
        let key = key(&held.collection, &held.id);
        let number = self.disk.write(Write::Held(held));
        self.note_text(key, number, body);
    }

    /// Deletes an object; says whether there was one.
    pub(crate) fn delete(&mut self, collection: &str, id: &str) -> bool {
        let there = self.contains(collection, id);
        if there {
            self.forget(collection, id);
        }
        there
    }

    /// Deletes an object if there is one, and does not look.
    pub(crate) fn forget(&mut self, collection: &str, id: &str) {
        let number = self.disk.write(Write::ObjectGone(collection.into(), id.into()));
        self.cache.remove(&key(collection, id));
        self.note(key(collection, id), number, None);
    }

    /// Deletes all objects of a small collection.
    pub(crate) fn forget_all(&mut self, collection: &str) {
        for object in self.all(collection) {
            if let Some(id) = object.get("id").and_then(Value::as_str) {
                self.forget(collection, id);
            }
        }
    }

    /// The JSON text of an object.
    pub(crate) fn text(&mut self, collection: &str, id: &str) -> Option<Arc<str>> {
        let key = key(collection, id);
        if let Some((_, body)) = self.unwritten.get(&key) {
            return body.clone();
        }
        if let Some(body) = self.cache.get(&key) {
            return Some(body);
        }
        let read = self
            .db
            .prepare_cached("SELECT body FROM whole_objects WHERE collection = ? AND id = ?")
            .and_then(|mut statement| statement.query_row(params![collection, id], |row| row.get::<_, String>(0)).optional());
        // A file that can't be read is said by the writing thread, which meets the same trouble.
        let body: Arc<str> = read.ok().flatten()?.into();
        self.cache.put(key, Arc::clone(&body));
        Some(body)
    }

    /// The object itself.
    pub(crate) fn get(&mut self, collection: &str, id: &str) -> Option<Value> {
        serde_json::from_str(&self.text(collection, id)?).ok()
    }

    fn note_text(&mut self, key: String, number: u64, body: Arc<str>) {
        self.cache.put(key.clone(), Arc::clone(&body));
        self.note(key, number, Some(body));
    }

    fn note(&mut self, key: String, number: u64, body: Option<Arc<str>>) {
        self.order.push_back((number, key.clone()));
        self.unwritten.insert(key, (number, body));
        let written = self.disk.written();
        while self.order.front().is_some_and(|(number, _)| *number <= written) {
            let Some((_, key)) = self.order.pop_front() else { break };
            if self.unwritten.get(&key).is_some_and(|(number, _)| *number <= written) {
                self.unwritten.remove(&key);
            }
        }
    }

    /// Whether there is an object of that id.
    pub(crate) fn contains(&mut self, collection: &str, id: &str) -> bool {
        self.text(collection, id).is_some()
    }

    /// Whether there is an object whose id begins with `prefix` and goes on with digits, besides that of the id `but`.
    pub(crate) fn any_but(&self, but: &str, collection: &str, prefix: &str) -> bool {
        let some = "SELECT id FROM objects WHERE collection = ?1 AND id > ?2 AND id < ?2 || ':'";
        let written = || -> rusqlite::Result<Vec<String>> {
            let mut rows = self.db.prepare_cached(some)?;
            rows.query_map(params![collection, prefix], |row| row.get(0))?.collect()
        };
        let gone = |id: &String| self.unwritten.get(&key(collection, id)).is_some_and(|(_, body)| body.is_none()) || id == but;
        let (prefix_key, but) = (key(collection, prefix), key(collection, but));
        written().unwrap_or_default().iter().any(|id| !gone(id))
            || self.unwritten.iter().any(|(key, (_, body))| body.is_some() && key.starts_with(&prefix_key) && *key != but)
    }

    /// All objects of a small collection, oldest first; large ones are [searched](super::search).
    pub(crate) fn all(&self, collection: &str) -> Vec<Value> {
        let read = || -> rusqlite::Result<Vec<(String, String)>> {
            let mut rows = self.db.prepare_cached("SELECT id, body FROM whole_objects WHERE collection = ? ORDER BY seq")?;
            rows.query_map([collection], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
        };
        let mut known = HashSet::new();
        let mut texts: Vec<Arc<str>> = Vec::new();
        for (id, body) in read().unwrap_or_default() {
            match self.unwritten.get(&key(collection, &id)) {
                Some((_, newer)) => texts.extend(newer.clone()),
                None => texts.push(body.into()),
            }
            known.insert(id);
        }
        for (_, key) in &self.order {
            let fresh = key.rsplit_once('/').filter(|(of, id)| *of == collection && known.insert((*id).to_owned()));
            texts.extend(fresh.and_then(|_| self.unwritten.get(key)?.1.clone()));
        }
        texts.iter().filter_map(|text| serde_json::from_str(text).ok()).collect()
    }

    /// The highest number among ids of the form `prefix` and digits.
    pub(crate) fn last_number(&self, collection: &str, prefix: &str) -> u32 {
        let number = |id: &str| id.strip_prefix(prefix).and_then(|digits| digits.parse::<u32>().ok());
        let last = "SELECT id FROM objects WHERE collection = ?1 AND id > ?2 AND id < ?2 || ':' ORDER BY id DESC LIMIT 1";
        let written = self
            .db
            .prepare_cached(last)
            .and_then(|mut statement| statement.query_row(params![collection, prefix], |row| row.get::<_, String>(0)).optional());
        let written = written.ok().flatten().and_then(|id| number(&id));
        let under_way = self.unwritten.keys().filter_map(|key| number(key.strip_prefix(collection)?.strip_prefix('/')?));
        under_way.chain(written).max().unwrap_or(0)
    }
}

/// The text of an object.
pub(crate) fn json_text(object: &Value) -> Arc<str> {
    // A value is always JSON: its keys are texts.
    serde_json::to_string(object).unwrap_or_default().into()
}

fn key(collection: &str, id: &str) -> String {
    [collection, "/", id].concat()
}
