//! What of an answer is compared, and which differences are SecantusDB's.

use bson::oid::ObjectId;
use bson::{Bson, Document, doc};

/// What of an answer must be equal.
pub(crate) fn comparable(command: &Document, answer: &Document) -> Document {
    let refused = answer.get("code").filter(|_| command.contains_key("update") || command.contains_key("delete"));
    // An operation of a batch that fails is an entry of the answer; SecantusDB fails the whole command for some.
    if let Some(code) = refused {
        return doc! { "writeErrors": [code.clone()] };
    }
    if let Ok(errors) = answer.get_array("writeErrors") {
        let codes = errors.iter().filter_map(Bson::as_document).map(|error| error.get("code").cloned().unwrap_or(Bson::Null));
        return doc! { "writeErrors": codes.collect::<Vec<_>>() };
    }
    let mut kept: Vec<(String, Bson)> = Vec::new();
    for (name, value) in answer {
        let value = match name.as_str() {
            // Each says it in its own words; only a member of a replica set has times.
            "errmsg" | "$clusterTime" | "operationTime" | "electionId" => continue,
            "cursor" => {
                let batch =
                    value.as_document().and_then(|cursor| cursor.get_array("firstBatch").ok()).cloned().unwrap_or_default();
                if is_unordered(command) { sorted(batch) } else { batch.into() }
            }
            "values" => sorted(value.as_array().cloned().unwrap_or_default()),
            _ => value.clone(),
        };
        kept.push((name.clone(), without_made_ids(value)));
    }
    kept.sort_by(|(a, _), (b, _)| a.cmp(b));
    kept.into_iter().collect()
}

fn sorted(mut values: Vec<Bson>) -> Bson {
    values.sort_by_key(|value| format!("{value:?}"));
    values.into()
}

/// Whether nobody promises an order.
fn is_unordered(command: &Document) -> bool {
    let stages = command.get_array("pipeline").into_iter().flatten().filter_map(Bson::as_document);
    stages.filter_map(|stage| stage.keys().next()).any(|name| ["$group", "$sortByCount", "$bucket"].contains(&name.as_str()))
}

/// Ids that a server made are different each time.
fn without_made_ids(value: Bson) -> Bson {
    match value {
        Bson::ObjectId(id) if ![[1; 12], [2; 12]].map(ObjectId::from_bytes).contains(&id) => "made".into(),
        Bson::Array(values) => values.into_iter().map(without_made_ids).collect::<Vec<_>>().into(),
        Bson::Document(document) => {
            document.into_iter().map(|(name, value)| (name, without_made_ids(value))).collect::<Document>().into()
        }
        other => other,
    }
}

/// Differences that are no fault of the sandbox. What comes after one in the same case is not compared.
pub(crate) fn is_known(command: &Document, ours: &Document, theirs: &Document) -> bool {
    let refused = |answer: &Document| answer.contains_key("code") || answer.contains_key("writeErrors");
    let says = |words: &str| format!("{theirs}").contains(words);
    let ours_says = |words: &str| format!("{ours}").contains(words);
    // Both refuse it. Where several things are wrong each names one; SecantusDB has codes of its own for some.
    refused(ours) && refused(theirs)
        // An index has an empty array as undefined, and an empty array within an array as that: SecantusDB takes them for equal.
        || (!refused(ours) && says("dup key: {") && says(": []"))
        // Only documents can be merged, which it takes an empty array for.
        || ours_says("$mergeObjects requires object inputs, but input is of type array")
        // A field cannot be taken from the filter of an upsert together with a path below it.
        || ours_says("cannot infer query fields to set")
        // It computes an expression of the filter also for documents beyond the first one that fits.
        || (ours.contains_key("lastErrorObject") && says("can't convert from BSON type"))
        // `{$all: [[]]}` is `{$eq: []}`, which an empty array is too; it wants the empty array for an element.
        || wants_all_of_an_empty_array(&Bson::Document(command.clone()))
        // Numbers within documents are equal across their types, too; its `$lookup` tells decimals there from others.
        || (format!("{command}").contains("$lookup") && format!("{ours:?}").contains("Decimal128"))
        // What is constant it computes beforehand, and fails where no document would have come to it.
        || says("Failed to optimize pipeline")
        // An error of its own.
        || says("internal server error")
        // `_id` cannot be an array, also where an upsert would take it from the filter.
        || ours_says("'_id' value cannot be of type array")
        // To go through an array that is not there is an error; SecantusDB does nothing.
        || ours_says("must exist in the document in order to apply array updates")
        // Of a null array `$arrayElemAt` is null, whatever the index.
        || says("$arrayElemAt's second argument")
}

fn wants_all_of_an_empty_array(asked: &Bson) -> bool {
    let is_empty = |value: &Bson| matches!(value, Bson::Array(values) if values.is_empty());
    match asked {
        Bson::Document(asked) => asked.iter().any(|(name, value)| {
            let all = value.as_array().filter(|_| name == "$all");
            all.is_some_and(|all| all.iter().any(is_empty)) || wants_all_of_an_empty_array(value)
        }),
        Bson::Array(values) => values.iter().any(wants_all_of_an_empty_array),
        _ => false,
    }
}
