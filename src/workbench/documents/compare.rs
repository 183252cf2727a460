//! The same query asked of two collections, and what differs, document by document and field by field.

use std::collections::BTreeMap;

use bson::{Bson, Document, doc};

use super::super::{Compared, ComparedRow, Difference, StoreQuery, StoreReply, WorkbenchError};
use super::changes::{between, lookup};
use super::target::Target;
use super::{failed, read};
use crate::storage::Find;
use crate::storage::query::{canonical, canonical_value};

/// How many documents of each side are compared at most.
const MOST: u64 = 20_000;

pub(super) async fn compare(left: &Target, right: &Target, query: &StoreQuery, key: &str) -> Result<StoreReply, WorkbenchError> {
    if key.is_empty() {
        return Err(WorkbenchError::Usage("comparing needs a field that tells which document is which, like `id`".into()));
    }
    let limit = if query.limit == 0 { MOST } else { query.limit.min(MOST) };
    // In one order, so that a limit takes the same documents on both sides.
    let order = if key == "_id" {
        doc! {"_id": 1}
    } else {
        doc! {key: 1, "_id": 1}
    };
    let find = Find { sort: Some(order), limit: Some(limit + 1), ..read::query(query)? };
    let (one, other) = tokio::join!(left.store.find(&left.at, &find), right.store.find(&right.at, &find));
    let (mut one, mut other) = (one.map_err(|e| failed(&e))?, other.map_err(|e| failed(&e))?);
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = one.len().max(other.len()) > wanted;
    one.truncate(wanted);
    other.truncate(wanted);
    let mut rows = paired(one, other, key);
    let same = rows.iter().filter(|row| row.is_same()).count() as u64;
    // Those that differ first; in the order of their keys otherwise.
    rows.sort_by_key(ComparedRow::is_same);
    let (left, right) = (left.title(), right.title());
    Ok(StoreReply::Compared(Box::new(Compared { left, right, key: key.into(), same, rows, more })))
}

/// Documents of one key beside each other, in the order they came: a request that was delivered twice is there twice.
fn paired(left: Vec<Document>, right: Vec<Document>, key: &str) -> Vec<ComparedRow> {
    let mut sides: BTreeMap<String, (Bson, [Vec<Document>; 2])> = BTreeMap::new();
    for (side, documents) in [left, right].into_iter().enumerate() {
        for document in documents {
            let value = lookup(&document, key).cloned().unwrap_or(Bson::Null);
            let entry = sides.entry(canonical_value(&value).to_string()).or_insert_with(|| (value, Default::default()));
            if let Some(side) = entry.1.get_mut(side) {
                side.push(document);
            }
        }
    }
    let mut rows = Vec::new();
    for (value, [left, right]) in sides.into_values() {
        let (mut left, mut right) = (left.into_iter(), right.into_iter());
        loop {
            let (one, other) = (left.next(), right.next());
            if one.is_none() && other.is_none() {
                break;
            }
            rows.push(row(&value, one.as_ref(), other.as_ref(), key));
        }
    }
    rows
}

fn row(value: &Bson, left: Option<&Document>, right: Option<&Document>, key: &str) -> ComparedRow {
    let differences = match (left, right) {
        (Some(left), Some(right)) => between(left, right)
            .into_iter()
            .filter(|change| change.path != "_id" || key == "_id")
            .map(|change| Difference {
                path: change.path,
                left: change.old.as_ref().map(canonical_value),
                right: change.new.as_ref().map(canonical_value),
            })
            .collect(),
        _ => Vec::new(),
    };
    ComparedRow { key: canonical_value(value), left: left.map(canonical), right: right.map(canonical), differences }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_meet_by_their_business_id_whatever_their_own_ids() {
        let left = vec![doc! {"_id": 1, "id": "PR-1", "n": 1}, doc! {"_id": 2, "id": "PR-2"}, doc! {"_id": 3, "id": "PR-2"}];
        let right = vec![doc! {"_id": 9, "id": "PR-1", "n": 2}, doc! {"_id": 8, "id": "PR-2"}, doc! {"_id": 7, "id": "PR-3"}];
        let rows = paired(left, right, "id");
        let told: Vec<_> = rows.iter().map(|r| (r.key.as_str().unwrap(), r.is_same(), r.differences.len())).collect();
        assert_eq!(told, [("PR-1", false, 1), ("PR-2", true, 0), ("PR-2", false, 0), ("PR-3", false, 0)]);
        assert_eq!(rows[0].differences[0].path, "n");
        assert_eq!((rows[2].right.is_none(), rows[3].left.is_none()), (true, true));
    }
}
