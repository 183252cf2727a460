use serde::Serialize;
use serde_json::{Value, json};

use super::super::output::{self, Output};
use super::{CliError, unexpected};
use crate::observe::Backend;
use crate::workbench::{CollectionRow, Compared, FieldRow, Found, StoreReply};

/// A document and where it is from.
#[derive(Serialize)]
struct Shown<'a> {
    backend: Backend,
    database: &'a str,
    collection: &'a str,
    document: &'a Value,
}

/// Prints what a store said.
pub(super) fn show(out: Output, backend: Backend, reply: StoreReply) -> Result<(), CliError> {
    match reply {
        StoreReply::Documents(found) => documents(out, backend, &found),
        StoreReply::Count { database, collection, count } => {
            if out.is_json() {
                return out.object(&json!({
                    "backend": backend, "database": database, "collection": collection, "count": count
                }));
            }
            out.line(&count.to_string())
        }
        StoreReply::Databases { databases } => {
            if out.is_json() {
                return databases.iter().try_for_each(|row| {
                    out.object(&json!({"backend": backend, "database": row.database, "bytes": row.bytes, "own": row.own}))
                });
            }
            let row = |d: &crate::workbench::DatabaseRow| vec![d.database.clone(), size(d.bytes), own(d.own)];
            out.table(&["DATABASE", "SIZE", ""], &databases.iter().map(row).collect::<Vec<_>>())
        }
        StoreReply::Preview { stages } => stages.iter().zip(1..).try_for_each(|(stage, number)| {
            if out.is_json() {
                return out.object(&json!({
                    "stage": stage.stage, "number": number, "documents": stage.documents, "error": stage.error
                }));
            }
            out.line(&format!("after stage {number}: {}", stage.stage))?;
            if let Some(error) = &stage.error {
                return Err(CliError::failed(error.clone()));
            }
            stage.documents.iter().try_for_each(|document| out.line(&format!("  {document}")))
        }),
        StoreReply::Written(written) if out.is_json() => out.object(&written),
        StoreReply::Written(written) => {
            output::remark(&written.message);
            written.ids.iter().try_for_each(|id| out.object(id))
        }
        StoreReply::Indexes { indexes, .. } => {
            if indexes.is_empty() && !out.is_json() {
                output::remark("There is no such collection, and so no index: it is there with its first document.");
            }
            indexes.iter().try_for_each(|index| out.object(index))
        }
        StoreReply::Explained { words, plan } => {
            if out.is_json() {
                return out.object(&json!({"words": words, "plan": plan}));
            }
            words.iter().try_for_each(|sentence| out.line(sentence))
        }
        StoreReply::Schema { sampled, fields } => schema(out, sampled, &fields),
        StoreReply::Writers { writers } => {
            if out.is_json() {
                return writers.iter().try_for_each(|row| out.object(row));
            }
            if writers.is_empty() {
                output::remark("No delivery of this journal wrote it.");
            }
            let rows = writers.iter().map(|w| {
                let operation = w.operation.clone().unwrap_or_else(|| "its request".into());
                vec![format!("#{}", w.delivery), output::clock(w.at), operation, w.object_id.clone(), w.event_type.clone()]
            });
            out.table(&["DELIVERY", "TIME", "BY", "OBJECT", "EVENT TYPE"], &rows.collect::<Vec<_>>())
        }
        _ => Err(unexpected()),
    }
}

fn documents(out: Output, backend: Backend, found: &Found) -> Result<(), CliError> {
    let Found { database, collection, documents, more, .. } = found;
    if out.is_json() {
        let shown = |document| Shown { backend, database, collection, document };
        documents.iter().try_for_each(|document| out.object(&shown(document)))?;
        if *more {
            output::remark("There are more: --skip and --limit page through them, `store export` writes all of them.");
        }
        return Ok(());
    }
    documents.iter().try_for_each(|document| out.object(document))?;
    match (documents.is_empty(), more) {
        (true, _) => output::remark(&format!("No documents match in {database}.{collection}.")),
        (false, true) => output::remark("There are more: --skip and --limit page through them."),
        (false, false) => {}
    }
    Ok(())
}

fn own(own: bool) -> String {
    if own { "the extension's own".into() } else { String::new() }
}

/// Bytes in the unit that suits them.
fn size(bytes: Option<u64>) -> String {
    match bytes {
        None => "-".into(),
        Some(n @ 0..1_024) => format!("{n} B"),
        Some(n @ 1_024..1_048_576) => format!("{} KiB", n / 1_024),
        Some(n) => format!("{} MiB", n / 1_048_576),
    }
}

/// Collections, one a line.
pub(super) fn collections(out: Output, backend: Backend, rows: &[CollectionRow], own: Option<&str>) -> Result<(), CliError> {
    let is_own = |row: &CollectionRow| own == Some(row.collection.as_str());
    if out.is_json() {
        return rows.iter().try_for_each(|row| {
            out.object(&json!({
                "backend": backend, "database": row.database, "collection": row.collection, "count": row.count,
                "bytes": row.bytes, "indexes": row.indexes, "own": is_own(row)
            }))
        });
    }
    let line = |row: &CollectionRow| {
        let indexes = row.indexes.map_or_else(|| "-".into(), |n| n.to_string());
        vec![row.collection.clone(), row.count.to_string(), size(row.bytes), indexes, self::own(is_own(row))]
    };
    out.table(&["COLLECTION", "DOCUMENTS", "SIZE", "INDEXES", ""], &rows.iter().map(line).collect::<Vec<_>>())
}

fn schema(out: Output, sampled: u64, fields: &[FieldRow]) -> Result<(), CliError> {
    if out.is_json() {
        return fields.iter().try_for_each(|row| {
            let types: serde_json::Map<_, _> = row.types.iter().map(|(name, n)| (name.clone(), json!(n))).collect();
            out.object(&json!({
                "path": row.path, "documents": row.documents, "sampled": sampled, "types": types, "example": row.example
            }))
        });
    }
    let share = |n: u64| n.saturating_mul(100).checked_div(sampled).map_or_else(String::new, |p| format!("{p} %"));
    let line = |row: &FieldRow| {
        let types: Vec<String> = match row.types.as_slice() {
            [(name, _)] => vec![name.clone()],
            several => several.iter().map(|(name, n)| format!("{name} ({n})")).collect(),
        };
        vec![row.path.clone(), share(row.documents), types.join(", "), row.example.to_string().chars().take(60).collect()]
    };
    out.table(&["FIELD", "IN", "TYPES", "EXAMPLE"], &fields.iter().map(line).collect::<Vec<_>>())?;
    output::remark(&format!("{sampled} documents were looked at."));
    Ok(())
}

/// Two collections beside each other: what differs, and how much does not.
pub(super) fn compared(out: Output, compared: &Compared) -> Result<(), CliError> {
    let differing = || compared.rows.iter().filter(|row| !row.is_same());
    if out.is_json() {
        return differing().try_for_each(|row| out.object(row));
    }
    let absent = || "(not there)".to_owned();
    for row in differing() {
        let key = row.key.as_str().map_or_else(|| row.key.to_string(), str::to_owned);
        match (&row.left, &row.right) {
            (Some(_), None) => out.line(&format!("{key}: only in {}", compared.left))?,
            (None, Some(_)) => out.line(&format!("{key}: only in {}", compared.right))?,
            _ => {
                out.line(&format!("{key}:"))?;
                for difference in &row.differences {
                    let [left, right] =
                        [&difference.left, &difference.right].map(|v| v.as_ref().map_or_else(absent, Value::to_string));
                    out.line(&format!("  {}: {left} | {right}", difference.path))?;
                }
            }
        }
    }
    let more = if compared.more { "; there are more behind --limit" } else { "" };
    let differ = differing().count();
    output::remark(&format!("{} | {}: {} the same, {differ} not{more}.", compared.left, compared.right, compared.same));
    Ok(())
}
