//! Which observation wrote which document: an index from a document's `_id` to the store calls that wrote it.

use rusqlite::{Connection, Transaction, params};
use serde_json::Value;

use crate::observe::{Fact, StoreCall};

/// `document` is the `_id` as canonical Extended JSON.
const TABLE: &str = "
CREATE TABLE document_writes (document TEXT NOT NULL, row INTEGER NOT NULL, PRIMARY KEY (document, row)) STRICT, WITHOUT ROWID;
";

/// A write of a document that was observed within a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentWrite {
    /// The delivery's number.
    pub delivery: i64,
    /// The observation's row.
    pub row: i64,
    /// MongoDB's name of the operation.
    pub operation: String,
}

/// Whether the file has the index: one written by an older program gets it when it is opened for writing.
pub(super) fn known(conn: &Connection) -> rusqlite::Result<bool> {
    conn.query_row("SELECT count(*) FROM sqlite_schema WHERE name = 'document_writes'", [], |row| row.get::<_, i64>(0))
        .map(|n| n > 0)
}

/// Makes the index where there is none, over what was observed so far.
pub(super) fn prepare(conn: &mut Connection) -> rusqlite::Result<()> {
    if known(conn)? {
        return Ok(());
    }
    let tx = conn.transaction()?;
    tx.execute_batch(TABLE)?;
    {
        let mut calls = tx.prepare("SELECT row, body FROM observations WHERE kind = 'store_call' AND delivery IS NOT NULL")?;
        let mut rows = calls.query([])?;
        while let Some(row) = rows.next()? {
            let body: String = row.get(1)?;
            if let Ok(fact) = serde_json::from_str(&body) {
                note(&tx, row.get(0)?, &fact)?;
            }
        }
    }
    tx.commit()
}

/// Notes what an observation within a delivery has written.
pub(super) fn note(tx: &Transaction<'_>, row: i64, fact: &Fact) -> rusqlite::Result<()> {
    let Fact::StoreCall(call) = fact else { return Ok(()) };
    for document in written(call) {
        tx.prepare_cached("INSERT OR IGNORE INTO document_writes (document, row) VALUES (?, ?)")?
            .execute(params![document.to_string(), row])?;
    }
    Ok(())
}

/// The ids of the documents a call wrote, as far as it tells.
fn written(call: &StoreCall) -> Vec<&Value> {
    let Some(output) = call.output.as_ref().filter(|_| call.error.is_none()) else { return Vec::new() };
    let filter = match call.operation.as_str() {
        "insertOne" => return vec![output],
        "insertMany" => return output.as_array().into_iter().flatten().collect(),
        "updateOne" | "updateMany" | "replaceOne" => call.input.get("filter"),
        "deleteOne" | "deleteMany" => Some(&call.input),
        _ => return Vec::new(),
    };
    let id = filter.and_then(|filter| filter.get("_id"));
    let id = id.map(|id| id.get("$eq").unwrap_or(id));
    let several = id.and_then(|id| id.get("$in")).and_then(Value::as_array);
    let mut all: Vec<&Value> = match several {
        Some(several) => several.iter().collect(),
        None => id.into_iter().collect(),
    };
    all.extend(output.get("upsertedId"));
    all
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;
    use crate::observe::Backend;

    #[rstest]
    #[case("insertOne", json!({"a": 1}), json!({"$oid": "00"}), &[r#"{"$oid":"00"}"#])]
    #[case("insertMany", json!([{}, {}]), json!([1, "b"]), &["1", "\"b\""])]
    #[case("updateOne", json!({"filter": {"_id": 7}, "update": {}}), json!({"matchedCount": 1}), &["7"])]
    #[case("updateOne", json!({"filter": {"a": 7}, "update": {}}), json!({"matchedCount": 0, "upsertedId": 9}), &["9"])]
    #[case("updateMany", json!({"filter": {"_id": {"$in": [1, 2]}}, "update": {}}), json!({}), &["1", "2"])]
    #[case("deleteOne", json!({"_id": {"$eq": 3}}), json!(1), &["3"])]
    #[case("find", json!({"filter": {"_id": 3}}), json!(1), &[])]
    fn what_a_call_wrote_is_known_by_its_ids(
        #[case] operation: &str,
        #[case] input: Value,
        #[case] output: Value,
        #[case] ids: &[&str],
    ) {
        let mut call = StoreCall {
            backend: Backend::Driver,
            operation: operation.into(),
            database: "d".into(),
            collection: "c".into(),
            input,
            output: Some(output),
            error: None,
            micros: 1,
        };
        assert_eq!(written(&call).iter().map(ToString::to_string).collect::<Vec<_>>(), ids);
        call.error = Some("it failed".into());
        assert!(written(&call).is_empty());
    }
}
