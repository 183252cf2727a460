//! An edited document goes back: only what was changed, and only if that is still as it was when the document was opened.

use bson::{Bson, Document, doc};

use super::super::{Conflict, ConflictRow, StoreReply, WorkbenchError, Written};
use super::changes::{self, Change, between, can_be_told, lookup, type_name};
use super::target::Target;
use super::undo::by_id;
use super::{Documents, failed};
use crate::storage::query::{canonical, canonical_value};

impl Documents {
    pub(super) async fn save(
        &self,
        target: &Target,
        base: &Document,
        mut edited: Document,
        retype: bool,
    ) -> Result<StoreReply, WorkbenchError> {
        let Some(id) = base.get("_id").cloned() else {
            return Err(WorkbenchError::Usage("a document without _id can't be saved: it is not of a collection".into()));
        };
        match edited.get("_id") {
            Some(same) if *same == id => {}
            Some(_) => {
                return Err(WorkbenchError::Usage(
                    "the _id of a document never changes: insert a clone with another _id, and delete this one".into(),
                ));
            }
            None => {
                edited.insert("_id", id.clone());
            }
        }
        let changes = between(base, &edited);
        if changes.is_empty() {
            let message = "Nothing was changed, so nothing was written.".into();
            return Ok(StoreReply::Written(Written { message, matched: 1, ..Written::default() }));
        }
        let retyped = retyped(&changes);
        if !retype && !retyped.is_empty() {
            return Ok(StoreReply::Retyped { changes: retyped });
        }
        let before = by_id(target, std::slice::from_ref(&id)).await?;
        let (store, at) = (&target.store, &target.at);
        let done = if can_be_told(base, &edited) {
            store.update_one(at, &changes::unchanged(&id, &changes), &changes::update(&changes), false).await
        } else {
            // Names with dots can't be told by a path: the whole document, if it is the same as a whole.
            let whole = doc! {"_id": id.clone(), "$expr": {"$eq": ["$$ROOT", {"$literal": base.clone()}]}};
            store.replace_one(at, &whole, &edited, false).await
        };
        if done.map_err(|e| failed(&e))?.matched == 0 {
            let theirs = by_id(target, &[id]).await?.pop();
            return Ok(StoreReply::Conflict(Box::new(conflict(base, theirs.as_ref(), &edited))));
        }
        let after = by_id(target, &[id]).await?;
        // Whatever is not as it was typed somebody else has changed.
        let theirs = after.first().map(|now| between(&edited, now)).unwrap_or_default();
        self.remember(target, "an edit".into(), before, after);
        let message = saved(&changes, &theirs);
        Ok(StoreReply::Written(Written { message, matched: 1, written: 1, ids: Vec::new(), can_undo: true }))
    }
}

/// What was saved, and what somebody else has changed beside it.
fn saved(mine: &[Change], theirs: &[Change]) -> String {
    let paths = |changes: &[Change]| changes.iter().map(|c| c.path.as_str()).collect::<Vec<_>>().join(", ");
    match theirs {
        [] => format!("Saved {}.", paths(mine)),
        [_] => {
            format!("Saved {}; {} was changed meanwhile by somebody else and is kept.", paths(mine), paths(theirs))
        }
        _ => format!("Saved {}; {} were changed meanwhile by somebody else and are kept.", paths(mine), paths(theirs)),
    }
}

/// Values that would get another type; to and from null is none.
fn retyped(changes: &[Change]) -> Vec<(String, String, String)> {
    let retyped = changes.iter().filter_map(|change| {
        let (old, new) = (change.old.as_ref()?, change.new.as_ref()?);
        let (before, after) = (type_name(old), type_name(new));
        let matters = before != after && *old != Bson::Null && *new != Bson::Null;
        matters.then(|| (change.path.clone(), before.to_owned(), after.to_owned()))
    });
    retyped.collect()
}

/// What two have made of a document, field by field.
pub(super) fn conflict(base: &Document, theirs: Option<&Document>, yours: &Document) -> Conflict {
    let gone = Document::new();
    let now = theirs.unwrap_or(&gone);
    let mut paths: Vec<String> = between(base, yours).into_iter().map(|c| c.path).collect();
    if theirs.is_some() {
        paths.extend(between(base, now).into_iter().map(|c| c.path));
    }
    paths.sort();
    paths.dedup();
    let rows = paths.into_iter().map(|path| {
        let [was, mine, other] = [base, yours, now].map(|d| lookup(d, &path));
        ConflictRow {
            clash: mine != was && other != was && mine != other,
            base: was.map(canonical_value),
            yours: mine.map(canonical_value),
            theirs: other.map(canonical_value),
            path,
        }
    });
    let rows = rows.collect();
    let merged = canonical(&changes::apply(now, &between(base, yours)));
    Conflict { rows, base: canonical(base), theirs: theirs.map(canonical), yours: canonical(yours), merged }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_three_way_view_tells_whose_changes_meet() {
        let base = doc! {"_id": 1, "a": 1, "b": 1, "c": 1};
        let theirs = doc! {"_id": 1, "a": 2, "b": 5, "c": 1};
        let yours = doc! {"_id": 1, "a": 3, "b": 1, "c": 9};
        let Conflict { rows, merged, .. } = conflict(&base, Some(&theirs), &yours);
        assert_eq!(merged, canonical(&doc! {"_id": 1, "a": 3, "b": 5, "c": 9}), "yours over theirs, theirs left alone");
        let told: Vec<_> = rows.iter().map(|r| (r.path.as_str(), r.clash)).collect();
        assert_eq!(told, [("a", true), ("b", false), ("c", false)]);
    }

    #[test]
    fn what_somebody_else_has_changed_meanwhile_is_said() {
        let (base, edited) = (doc! {"_id": 1, "type": "a", "note": "x"}, doc! {"_id": 1, "type": "b", "note": "x"});
        let mine = between(&base, &edited);
        assert_eq!(saved(&mine, &between(&edited, &edited)), "Saved type.");
        let now = doc! {"_id": 1, "type": "b", "note": "y"};
        assert_eq!(saved(&mine, &between(&edited, &now)), "Saved type; note was changed meanwhile by somebody else and is kept.");
    }

    #[test]
    fn another_type_is_noticed_and_null_is_not() {
        let changes = between(&doc! {"a": 1_i64, "b": 1, "c": 1}, &doc! {"a": 1, "b": null, "c": 2});
        assert_eq!(retyped(&changes), [("a".to_owned(), "long".to_owned(), "int".to_owned())]);
    }
}
