//! What differs between two documents, as dotted paths that MongoDB's update operators understand.

use bson::{Bson, Document, doc};

/// A value that differs; `None` where there is none.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Change {
    pub(super) path: String,
    pub(super) old: Option<Bson>,
    pub(super) new: Option<Bson>,
}

/// Whether a field's name can be part of a dotted path.
fn plain(name: &str) -> bool {
    !name.is_empty() && !name.contains('.') && !name.starts_with('$')
}

/// What turns `old` into `new`: the innermost fields that differ. The order of fields is no difference. An array that
/// became longer or shorter is one change.
pub(super) fn between(old: &Document, new: &Document) -> Vec<Change> {
    let mut changes = Vec::new();
    documents("", old, new, &mut changes);
    changes
}

fn documents(prefix: &str, old: &Document, new: &Document, changes: &mut Vec<Change>) {
    for (name, before) in old {
        let path = format!("{prefix}{name}");
        match new.get(name) {
            None => changes.push(Change { path, old: Some(before.clone()), new: None }),
            Some(after) => values(path, before, after, changes),
        }
    }
    for (name, after) in new.iter().filter(|(name, _)| !old.contains_key(*name)) {
        changes.push(Change { path: format!("{prefix}{name}"), old: None, new: Some(after.clone()) });
    }
}

fn values(path: String, old: &Bson, new: &Bson, changes: &mut Vec<Change>) {
    match (old, new) {
        (Bson::Document(before), Bson::Document(after)) if before.keys().chain(after.keys()).all(|name| plain(name)) => {
            documents(&format!("{path}."), before, after, changes);
        }
        (Bson::Array(before), Bson::Array(after)) if before.len() == after.len() => {
            for (at, (before, after)) in before.iter().zip(after).enumerate() {
                values(format!("{path}.{at}"), before, after, changes);
            }
        }
        _ if same(old, new) => {}
        _ => changes.push(Change { path, old: Some(old.clone()), new: Some(new.clone()) }),
    }
}

/// Equality that finds a NaN equal to itself.
fn same(one: &Bson, other: &Bson) -> bool {
    match (one, other) {
        (Bson::Double(a), Bson::Double(b)) => a.to_bits() == b.to_bits() || a == b,
        _ => one == other,
    }
}

/// Whether every change can be told by its path; a field with a dot in its name at the top of the document cannot.
pub(super) fn can_be_told(old: &Document, new: &Document) -> bool {
    old.keys().chain(new.keys()).all(|name| plain(name))
}

/// The update that makes the changes.
pub(super) fn update(changes: &[Change]) -> Document {
    let mut update = Document::new();
    let set: Document = changes.iter().filter_map(|c| Some((c.path.clone(), c.new.clone()?))).collect();
    let unset: Document = changes.iter().filter(|c| c.new.is_none()).map(|c| (c.path.clone(), Bson::from(""))).collect();
    for (operator, fields) in [("$set", set), ("$unset", unset)] {
        if !fields.is_empty() {
            update.insert(operator, fields);
        }
    }
    update
}

/// A document with the changes made to it, as the update would make them.
pub(super) fn apply(document: &Document, changes: &[Change]) -> Document {
    let mut document = document.clone();
    for change in changes {
        put(&mut document, &change.path, change.new.as_ref());
    }
    document
}

fn put(document: &mut Document, path: &str, value: Option<&Bson>) {
    // A name with a dot in it is its own path at the top of a document.
    let (name, rest) = match path.split_once('.') {
        Some((name, rest)) if !document.contains_key(path) => (name, rest),
        _ => {
            match value {
                Some(value) => document.insert(path, value.clone()),
                None => document.remove(path),
            };
            return;
        }
    };
    let inner = document.entry(name.to_owned()).or_insert_with(|| Bson::Document(Document::new()));
    put_inside(inner, rest, value);
}

fn put_inside(place: &mut Bson, path: &str, value: Option<&Bson>) {
    match place {
        Bson::Document(inner) => put(inner, path, value),
        Bson::Array(items) => {
            let (index, rest) = path.split_once('.').map_or((path, None), |(index, rest)| (index, Some(rest)));
            let Some(item) = index.parse::<usize>().ok().and_then(|index| items.get_mut(index)) else { return };
            match (rest, value) {
                (Some(rest), value) => put_inside(item, rest, value),
                (None, Some(value)) => *item = value.clone(),
                (None, None) => {}
            }
        }
        // They made something else of it: yours comes whole.
        other => {
            let mut inner = Document::new();
            put(&mut inner, path, value);
            *other = Bson::Document(inner);
        }
    }
}

/// The filter for this document as long as what is to be changed is as it was.
pub(super) fn unchanged(id: &Bson, changes: &[Change]) -> Document {
    let mut filter = doc! {"_id": id.clone()};
    for change in changes {
        let was = match &change.old {
            None => doc! {"$exists": false},
            // `null` also matches what is not there.
            Some(Bson::Null) => doc! {"$type": "null"},
            Some(value) => doc! {"$eq": value.clone()},
        };
        filter.insert(change.path.clone(), was);
    }
    filter
}

/// MongoDB's name of a value's type.
pub(super) fn type_name(value: &Bson) -> &'static str {
    match value {
        Bson::Double(_) => "double",
        Bson::String(_) => "string",
        Bson::Document(_) => "object",
        Bson::Array(_) => "array",
        Bson::Binary(_) => "binData",
        Bson::Undefined => "undefined",
        Bson::ObjectId(_) => "objectId",
        Bson::Boolean(_) => "bool",
        Bson::DateTime(_) => "date",
        Bson::Null => "null",
        Bson::RegularExpression(_) => "regex",
        Bson::DbPointer(_) => "dbPointer",
        Bson::JavaScriptCode(_) => "javascript",
        Bson::Symbol(_) => "symbol",
        Bson::JavaScriptCodeWithScope(_) => "javascriptWithScope",
        Bson::Int32(_) => "int",
        Bson::Timestamp(_) => "timestamp",
        Bson::Int64(_) => "long",
        Bson::Decimal128(_) => "decimal",
        Bson::MinKey => "minKey",
        Bson::MaxKey => "maxKey",
    }
}

/// The value at a dotted path.
pub(super) fn lookup<'a>(document: &'a Document, path: &str) -> Option<&'a Bson> {
    let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
    let mut value = document.get(name)?;
    for part in rest.into_iter().flat_map(|rest| rest.split('.')) {
        value = match value {
            Bson::Document(inner) => inner.get(part)?,
            Bson::Array(items) => items.get(part.parse::<usize>().ok()?)?,
            _ => return None,
        };
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(old: Document, new: Document) -> Vec<String> {
        between(&old, &new).into_iter().map(|c| c.path).collect()
    }

    #[test]
    fn only_the_innermost_fields_that_differ_are_named() {
        let old = doc! {"_id": 1, "a": {"b": 1, "c": [1, {"d": 2}]}, "gone": true, "same": "x"};
        let new = doc! {"_id": 1, "same": "x", "a": {"c": [1, {"d": 3_i64}], "b": 1}, "new": null};
        assert_eq!(paths(old, new), ["a.c.1.d", "gone", "new"]);
        assert_eq!(paths(doc! {"a": [1]}, doc! {"a": [1, 2]}), ["a"], "an array of another length is one change");
        assert_eq!(paths(doc! {"a": {"x.y": 1}}, doc! {"a": {"x.y": 2}}), ["a"], "a dot in a name can't be in a path");
        assert!(paths(doc! {"a": f64::NAN}, doc! {"a": f64::NAN}).is_empty());
        assert_eq!(paths(doc! {"a": 1}, doc! {"a": 1_i64}), ["a"], "another type is a change");
    }

    #[test]
    fn the_update_changes_only_that_and_only_while_it_is_as_it_was() {
        let (old, new) = (doc! {"_id": 1, "a": 1, "b": null}, doc! {"_id": 1, "b": 2, "c": 3});
        let changes = between(&old, &new);
        assert_eq!(update(&changes), doc! {"$set": {"b": 2, "c": 3}, "$unset": {"a": ""}});
        let filter = unchanged(&Bson::Int32(1), &changes);
        assert_eq!(filter, doc! {"_id": 1, "a": {"$eq": 1}, "b": {"$type": "null"}, "c": {"$exists": false}});
    }

    #[test]
    fn a_value_is_found_by_its_path() {
        let document = doc! {"a": [{"b": {"c": 7}}]};
        assert_eq!(lookup(&document, "a.0.b.c"), Some(&Bson::Int32(7)));
        assert_eq!(lookup(&document, "a.1"), None);
    }
}
