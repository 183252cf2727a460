use std::sync::Arc;

use bson::raw::cstr;
use bson::spec::BinarySubtype;
use bson::{Binary, RawArrayBuf, RawDocumentBuf, rawdoc};

use super::super::engine::{Catalog, Cursor, Engine, Namespace, Source, with_collation};
use super::super::error::{Code, CommandError};
use super::super::expression::Given;
use super::super::pipeline::Pipeline;
use super::cursors::first_batch;
use super::find::matcher;
use super::{Args, Command, refuse_options};

pub(super) async fn list_databases(engine: &Engine, command: Command) -> Result<RawDocumentBuf, CommandError> {
    let args = command.args();
    let (matcher, name_only) = (matcher(args.document("filter")?, Given::nothing())?, args.flag("nameOnly")?.unwrap_or(false));
    engine
        .read(move |connection| {
            let catalog = Catalog(connection);
            let (mut list, mut total) = (RawArrayBuf::new(), 0_i64);
            for name in catalog.databases()? {
                let mut size = 0;
                // Adding up takes a while, so it is not done for who does not ask.
                for collection in catalog.list(&name)?.into_iter().filter_map(|entry| entry.collection).filter(|_| !name_only) {
                    size += collection.size(connection)?;
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
    let (matcher, name_only) = (matcher(args.document("filter")?, Given::nothing())?, args.flag("nameOnly")?.unwrap_or(false));
    let (db, batch_size) = (args.db()?.to_owned(), cursor_size(&args)?);
    let cursors = Arc::clone(engine.cursors());
    engine
        .read(move |connection| {
            let mut list = Vec::new();
            for entry in Catalog(connection).list(&db)? {
                let name = entry.namespace.collection.as_str();
                let kind = if entry.collection.is_some() { "collection" } else { "view" };
                let mut whole = rawdoc! { "name": name, "type": kind, "options": entry.options };
                match entry.collection.as_ref().and_then(|collection| collection.all_indexes().next()) {
                    Some(id_index) => {
                        let uuid = Binary { subtype: BinarySubtype::Uuid, bytes: entry.uuid };
                        whole.append(cstr!("info"), rawdoc! { "readOnly": false, "uuid": uuid });
                        whole.append(cstr!("idIndex"), id_index.spec.clone());
                    }
                    None => whole.append(cstr!("info"), rawdoc! { "readOnly": true }),
                }
                if matcher.try_matches(&whole)? {
                    list.push(if name_only {
                        rawdoc! { "name": name, "type": kind }
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

pub(super) fn cursor_size(args: &Args<'_>) -> Result<Option<usize>, CommandError> {
    args.document("cursor")?.map_or(Ok(None), |cursor| Args::new("cursor", cursor).size("batchSize"))
}

pub(super) async fn create(engine: &Engine, command: Command) -> Result<RawDocumentBuf, CommandError> {
    let args = command.args();
    refuse_options(&args, &["capped", "timeseries", "expireAfterSeconds", "clusteredIndex", "encryptedFields"])?;
    let namespace = args.namespace("create")?;
    let kept = ["viewOn", "pipeline", "validator", "validationLevel", "validationAction"];
    let mut options = RawDocumentBuf::new();
    for (name, value) in command.body.iter().flatten().filter(|(name, _)| kept.contains(&name.as_str())) {
        options.append(name, value);
    }
    if args.get("viewOn")?.is_none() && args.get("pipeline")?.is_some() {
        return Err(CommandError::new(Code::INVALID_OPTIONS, "'pipeline' requires 'viewOn' to also be specified"));
    }
    let options = with_collation(&options, &args.collation()?.unwrap_or_default())?;
    engine
        .write(move |connection| {
            Catalog(connection).create(&namespace, &options)?;
            check_view(connection, &namespace)?;
            Ok(rawdoc! { "ok": 1.0 })
        })
        .await
}

/// A view must be one that can be asked: its stages are known, and it does not lead back to itself.
pub(super) fn check_view(connection: &rusqlite::Connection, namespace: &Namespace) -> Result<(), CommandError> {
    if let Source::View { view, collation } = Catalog(connection).source(namespace)? {
        let given = Given::collated(collation);
        if let Some(stage) = view
            .pipeline
            .iter()
            .find(|stage| stage.get("$out").is_ok_and(|v| v.is_some()) || stage.get("$merge").is_ok_and(|v| v.is_some()))
        {
            let name = stage.iter().flatten().next().map_or("", |(name, _)| name.as_str());
            let message = format!("The aggregation stage {name} cannot be used in the view definition of {namespace}");
            return Err(CommandError::new(Code::OPTION_NOT_SUPPORTED_ON_VIEW, message));
        }
        Pipeline::parse(&[], &given)?.through_views(connection, namespace)?;
    }
    Ok(())
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
                catalog.drop(&entry.namespace)?;
            }
            reply.append(cstr!("dropped"), db);
            reply.append(cstr!("ok"), 1.0);
            Ok(reply)
        })
        .await
}

pub(super) async fn rename(engine: &Engine, command: Command) -> Result<RawDocumentBuf, CommandError> {
    let args = command.args();
    let name = |field: &str| {
        let text = args.text(field)?.ok_or_else(|| args.missing(field))?;
        let (db, collection) = text.split_once('.').unwrap_or((text, ""));
        Namespace::new(db, collection)
    };
    let (from, to, replace) = (name("renameCollection")?, name("to")?, args.flag("dropTarget")?.unwrap_or(false));
    engine
        .write(move |connection| {
            Catalog(connection).rename(&from, &to, replace)?;
            Ok(rawdoc! { "ok": 1.0 })
        })
        .await
}
