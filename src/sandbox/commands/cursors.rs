use std::sync::Arc;

use bson::raw::cstr;
use bson::{RawArrayBuf, RawBsonRef, RawDocumentBuf, rawdoc};

use super::super::engine::{Batch, Cursor, Engine};
use super::super::error::{Code, CommandError};
use super::Command;

/// The size of a first batch when the client does not say.
pub(super) const FIRST_BATCH: usize = 101;

/// The answer of a command that opens a cursor. Without `keep` it is closed after the first batch.
pub(super) fn first_batch(
    connection: &rusqlite::Connection,
    mut cursor: Cursor,
    size: Option<usize>,
    keep: Option<&super::super::engine::Cursors>,
) -> Result<RawDocumentBuf, CommandError> {
    let batch = cursor.next(connection, Some(size.unwrap_or(FIRST_BATCH)))?;
    cursor.batch_size = size.filter(|size| *size > 0);
    let (namespace, finished) = (cursor.namespace.clone(), batch.finished);
    let id = keep.filter(|_| !finished).map_or(0, |cursors| cursors.keep(cursor));
    Ok(reply("firstBatch", batch, id, &namespace))
}

fn reply(name: &str, batch: Batch, id: i64, namespace: &str) -> RawDocumentBuf {
    let documents: RawArrayBuf = batch.documents.into_iter().collect();
    let mut cursor = RawDocumentBuf::new();
    match name {
        "firstBatch" => cursor.append(cstr!("firstBatch"), documents),
        _ => cursor.append(cstr!("nextBatch"), documents),
    }
    // Drivers insist on an int64.
    cursor.append(cstr!("id"), id);
    cursor.append(cstr!("ns"), namespace);
    rawdoc! { "cursor": cursor, "ok": 1.0 }
}

pub(super) async fn get_more(engine: &Engine, command: Command) -> Result<RawDocumentBuf, CommandError> {
    let args = command.args();
    let id = args.integer("getMore")?.unwrap_or(0);
    let (namespace, size) = (args.namespace_of_cursor()?, args.size("batchSize")?.filter(|size| *size > 0));
    let deadline = args.deadline()?;
    let cursors = Arc::clone(engine.cursors());
    let mut cursor = cursors.take(id)?;
    if cursor.namespace != namespace {
        let message = format!(
            "Requested getMore on namespace '{namespace}', but cursor belongs to a different namespace {}",
            cursor.namespace
        );
        cursors.put_back(id, cursor);
        return Err(CommandError::new(Code::UNAUTHORIZED, message));
    }
    engine
        .read(move |connection| {
            cursor.set_deadline(deadline);
            let batch = cursor.next(connection, size.or(cursor.batch_size))?;
            let id = if batch.finished {
                0
            } else {
                cursors.put_back(id, cursor);
                id
            };
            Ok(reply("nextBatch", batch, id, &namespace))
        })
        .await
}

pub(super) fn kill(engine: &Engine, command: &Command) -> Result<RawDocumentBuf, CommandError> {
    let args = command.args();
    let Some(RawBsonRef::Array(ids)) = args.get("cursors")? else { return Err(args.missing("cursors")) };
    let (mut killed, mut not_found) = (RawArrayBuf::new(), RawArrayBuf::new());
    for id in ids {
        let Some(id) = id?.as_i64() else {
            return Err(CommandError::new(Code::TYPE_MISMATCH, "the field 'cursors' must hold cursor ids of type long"));
        };
        match engine.cursors().take(id) {
            Ok(_) => killed.push(id),
            Err(_) => not_found.push(id),
        }
    }
    Ok(rawdoc! {
        "cursorsKilled": killed, "cursorsNotFound": not_found, "cursorsAlive": [], "cursorsUnknown": [], "ok": 1.0,
    })
}
