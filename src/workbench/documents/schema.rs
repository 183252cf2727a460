//! What the documents of a collection look like, by a sample.

use std::collections::BTreeMap;

use bson::{Bson, Document, doc};

use super::super::{FieldRow, StoreReply, WorkbenchError};
use super::changes::type_name;
use super::target::Target;
use super::{failed, parse};
use crate::storage::query::canonical_value;

/// The most documents that are looked at.
const MOST: u32 = 10_000;

pub(super) async fn schema(target: &Target, filter: &str, sample: u32) -> Result<StoreReply, WorkbenchError> {
    let filter = parse("filter", filter)?;
    let size = i64::from(sample.clamp(1, MOST));
    let mut pipeline = vec![doc! {"$sample": {"size": size}}];
    if !filter.is_empty() {
        pipeline.insert(0, doc! {"$match": filter});
    }
    let documents = target.store.aggregate(&target.at, &pipeline).await.map_err(|e| failed(&e))?;
    Ok(StoreReply::Schema { sampled: documents.len() as u64, fields: fields(&documents) })
}

#[derive(Default)]
struct Field {
    documents: u64,
    last: usize,
    types: BTreeMap<&'static str, u64>,
    example: Option<Bson>,
    /// Where it was seen first: fields are told in the order they are met.
    place: usize,
}

fn fields(documents: &[Document]) -> Vec<FieldRow> {
    let mut all: BTreeMap<String, Field> = BTreeMap::new();
    for (number, document) in (1..).zip(documents) {
        for (name, value) in document {
            meet(&mut all, name.clone(), value, number);
        }
    }
    let mut all: Vec<_> = all.into_iter().collect();
    all.sort_by_key(|(_, field)| field.place);
    let row = |(path, field): (String, Field)| {
        let mut types: Vec<_> = field.types.into_iter().map(|(name, n)| (name.to_owned(), n)).collect();
        types.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
        let example = field.example.as_ref().map(canonical_value).unwrap_or_default();
        FieldRow { path, documents: field.documents, types, example }
    };
    all.into_iter().map(row).collect()
}

fn meet(all: &mut BTreeMap<String, Field>, path: String, value: &Bson, document: usize) {
    let place = all.len();
    let field = all.entry(path.clone()).or_insert_with(|| Field { place, ..Field::default() });
    *field.types.entry(type_name(value)).or_default() += 1;
    if field.last != document {
        field.last = document;
        field.documents += 1;
    }
    match value {
        Bson::Document(inner) => inner.iter().for_each(|(name, value)| meet(all, format!("{path}.{name}"), value, document)),
        Bson::Array(items) => items.iter().for_each(|value| meet(all, format!("{path}.[]"), value, document)),
        value if field.example.is_none() && *value != Bson::Null => field.example = Some(value.clone()),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_told_with_their_types_and_how_many_documents_have_them() {
        let documents = [doc! {"_id": 1, "a": {"b": "x"}}, doc! {"_id": 2, "a": {"b": 7}, "list": [1, "two"]}, doc! {"_id": 3}];
        let rows = fields(&documents);
        let told: Vec<_> = rows.iter().map(|r| (r.path.as_str(), r.documents, r.types.len())).collect();
        assert_eq!(told, [("_id", 3, 1), ("a", 2, 1), ("a.b", 2, 2), ("list", 1, 1), ("list.[]", 1, 2)]);
    }
}
