//! What was asked of each collection before: `queries.json` in the data directory.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::super::paths::write_private;
use super::super::{StoreQuery, StoreReply, WorkbenchError};
use super::Surroundings;
use crate::storage::Namespace;

/// How many are kept of each collection.
const RECENT: usize = 20;
const FAVOURITES: usize = 100;

#[derive(Default, Serialize, Deserialize)]
pub(super) struct Queries {
    /// By `database.collection`.
    collections: BTreeMap<String, Kept>,
}

#[derive(Default, Clone, Serialize, Deserialize)]
#[serde(default)]
struct Kept {
    recent: Vec<StoreQuery>,
    favourites: Vec<StoreQuery>,
}

fn file(dir: &Path) -> PathBuf {
    dir.join("queries.json")
}

fn key(at: &Namespace) -> String {
    format!("{}.{}", at.database, at.collection)
}

impl Queries {
    /// What is kept; nothing where the file is missing or of another version, for a history is no reason to fail.
    pub(super) fn load(dir: &Path) -> Self {
        std::fs::read(file(dir)).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
    }

    pub(super) fn reply(&self, at: &Namespace) -> Result<StoreReply, WorkbenchError> {
        let Kept { recent, favourites } = self.collections.get(&key(at)).cloned().unwrap_or_default();
        Ok(StoreReply::Queries { recent, favourites })
    }

    fn note(&mut self, at: &Namespace, query: &StoreQuery, favourite: Option<bool>) {
        // Which page was looked at is no part of the question.
        let query = StoreQuery { skip: 0, ..query.clone() };
        let kept = self.collections.entry(key(at)).or_default();
        let (list, most) = match favourite {
            Some(_) => (&mut kept.favourites, FAVOURITES),
            None => (&mut kept.recent, RECENT),
        };
        list.retain(|known| *known != query);
        if favourite != Some(false) {
            list.insert(0, query);
        }
        list.truncate(most);
    }
}

/// Remembers a query. Secrets in it look as they do in the journal.
pub(super) fn remember(
    around: Surroundings<'_>,
    at: &Namespace,
    query: &StoreQuery,
    favourite: Option<bool>,
) -> Result<StoreReply, WorkbenchError> {
    let redactor = around.journal.redactor();
    let query = StoreQuery {
        filter: redactor.text(&query.filter),
        projection: redactor.text(&query.projection),
        sort: redactor.text(&query.sort),
        pipeline: redactor.text(&query.pipeline),
        ..query.clone()
    };
    let mut queries = Queries::load(around.dir);
    queries.note(at, &query, favourite);
    let path = file(around.dir);
    write_private(&path, &serde_json::to_vec(&queries).unwrap_or_default())
        .map_err(|e| WorkbenchError::Failed(format!("{} can't be written: {e}", path.display())))?;
    queries.reply(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_asked_again_comes_first_and_old_ones_go() {
        let (mut queries, at) = (Queries::default(), Namespace::new("a", "b"));
        let query = |n: usize| StoreQuery { filter: format!("{{n: {n}}}"), skip: n as u64, ..StoreQuery::default() };
        for n in (0..30).chain([25]) {
            queries.note(&at, &query(n), None);
        }
        queries.note(&at, &query(1), Some(true));
        queries.note(&at, &query(2), Some(true));
        queries.note(&at, &query(1), Some(false));
        let Ok(StoreReply::Queries { recent, favourites }) = queries.reply(&at) else { panic!() };
        assert_eq!((recent.len(), recent[0].filter.as_str(), recent[1].filter.as_str()), (20, "{n: 25}", "{n: 29}"));
        assert_eq!(favourites.iter().map(|q| q.filter.as_str()).collect::<Vec<_>>(), ["{n: 2}"]);
    }
}
