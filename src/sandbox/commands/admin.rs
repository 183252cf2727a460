use std::sync::Arc;

use bson::raw::cstr;
use bson::spec::BinarySubtype;
use bson::{Binary, RawArrayBuf, RawDocumentBuf, rawdoc};

use super::super::engine::{Catalog, Cursor, Engine};
use super::super::error::CommandError;
use super::cursors::first_batch;
use super::find::matcher;
use super::{Args, Command, refuse_options};

pub(super) async fn list_databases(engine: &Engine, command: Command) -> Result<RawDocumentBuf, CommandError> {
    let args = command.args();
    let (matcher, name_only) = (matcher(args.document("filter")?, &[])?, args.flag("nameOnly")?.unwrap_or(false));
    engine
        .read(move |connection| {
            let catalog = Catalog(connection);
            let (mut list, mut total) = (RawArrayBuf::new(), 0_i64);
            for name in catalog.databases()? {
                let mut size = 0;
                for entry in catalog.list(&name)? {
                    size += entry.collection.size(connection)?;
                }
                let whole = rawdoc! { "name": name.as_str(), "sizeOnDisk": size, "empty": false };
                if matcher.try_matches(&whole)? {
                    total += size;
                    list.push(if name_only {
                        rawdoc! { "name": name }
                    } else {
                        whole
                    });
                }
            }
            Ok(if name_only {
                rawdoc! { "databases": list, "ok": 1.0 }
            } else {
                rawdoc! { "databases": list, "totalSize": total, "totalSizeMb": total / 1_048_576, "ok": 1.0 }
            })
        })
        .await
}

pub(super) async fn list_collections(engine: &Engine, command: Command) -> Result<RawDocumentBuf, CommandError> {
    let args = command.args();
    let (matcher, name_only) = (matcher(args.document("filter")?, &[])?, args.flag("nameOnly")?.unwrap_or(false));
    let (db, batch_size) = (args.db()?.to_owned(), cursor_size(&args)?);
    let cursors = Arc::clone(engine.cursors());
    engine
        .read(move |connection| {
            let mut list = Vec::new();
            for entry in Catalog(connection).list(&db)? {
                let name = entry.collection.namespace().collection.as_str();
                let whole = rawdoc! {
                    "name": name,
                    "type": "collection",
                    "options": entry.options,
                    "info": { "readOnly": false, "uuid": Binary { subtype: BinarySubtype::Uuid, bytes: entry.uuid } },
                    "idIndex": id_index(),
                };
                if matcher.try_matches(&whole)? {
                    list.push(if name_only {
                        rawdoc! { "name": name, "type": "collection" }
                    } else {
                        whole
                    });
                }
            }
            let cursor = Cursor::made(format!("{db}.$cmd.listCollections"), list);
            first_batch(connection, cursor, batch_size, Some(&cursors))
        })
        .await
}

pub(super) fn id_index() -> RawDocumentBuf {
    rawdoc! { "v": 2, "key": { "_id": 1 }, "name": "_id_" }
}

pub(super) fn cursor_size(args: &Args<'_>) -> Result<Option<usize>, CommandError> {
    args.document("cursor")?.map_or(Ok(None), |cursor| Args::new("cursor", cursor).size("batchSize"))
}

pub(super) async fn create(engine: &Engine, command: Command) -> Result<RawDocumentBuf, CommandError> {
    let args = command.args();
    refuse_options(
        &args,
        &["capped", "timeseries", "viewOn", "pipeline", "collation", "validator", "expireAfterSeconds", "clusteredIndex"],
    )?;
    let namespace = args.namespace("create")?;
    engine
        .write(move |connection| {
            Catalog(connection).create(&namespace, &RawDocumentBuf::new())?;
            Ok(rawdoc! { "ok": 1.0 })
        })
        .await
}

pub(super) async fn drop(engine: &Engine, command: Command) -> Result<RawDocumentBuf, CommandError> {
    let namespace = command.args().namespace("drop")?;
    engine
        .write(move |connection| {
            let mut reply = RawDocumentBuf::new();
            if Catalog(connection).drop(&namespace)? {
                reply.append(cstr!("nIndexesWas"), 1);
                reply.append(cstr!("ns"), namespace.to_string());
            }
            reply.append(cstr!("ok"), 1.0);
            Ok(reply)
        })
        .await
}

pub(super) async fn drop_database(engine: &Engine, command: Command) -> Result<RawDocumentBuf, CommandError> {
    let db = command.args().db()?.to_owned();
    engine
        .write(move |connection| {
            let catalog = Catalog(connection);
            let mut reply = RawDocumentBuf::new();
            for entry in catalog.list(&db)? {
                catalog.drop(entry.collection.namespace())?;
            }
            reply.append(cstr!("dropped"), db);
            reply.append(cstr!("ok"), 1.0);
            Ok(reply)
        })
        .await
}
