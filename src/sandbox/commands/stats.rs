use bson::raw::cstr;
use bson::{DateTime, RawBsonRef, RawDocumentBuf, rawdoc};
use rusqlite::Connection;

use super::super::engine::{Catalog, Collection, Engine, Namespace};
use super::super::error::{Code, CommandError};
use super::super::value::check_document;
use super::Command;

/// The figures of one collection.
fn figures(connection: &Connection, collection: Option<&Collection>, scale: i64) -> Result<RawDocumentBuf, CommandError> {
    let (mut count, mut size, mut indexes, mut sizes) = (0, 0, 0_i32, RawDocumentBuf::new());
    let mut all = 0;
    if let Some(collection) = collection {
        (count, size) = (collection.count(connection)?, collection.size(connection)?);
        for index in collection.all_indexes() {
            let size = index.size(connection)?;
            indexes += 1;
            all += size;
            sizes.append(&*bson::raw::CString::try_from(index.name.as_str())?, size / scale);
        }
    }
    let mut figures = rawdoc! { "size": size / scale, "count": count };
    if count > 0 {
        figures.append(cstr!("avgObjSize"), size / count);
    }
    let rest = rawdoc! {
        "storageSize": size / scale, "nindexes": indexes, "totalIndexSize": all / scale, "indexSizes": sizes,
        "totalSize": (size + all) / scale, "capped": false, "scaleFactor": i32::try_from(scale).unwrap_or(1),
    };
    rest.iter().flatten().for_each(|(name, value)| figures.append(name, value));
    Ok(figures)
}

fn scale(value: Option<i64>) -> Result<i64, CommandError> {
    match value.unwrap_or(1) {
        scale if scale >= 1 => Ok(scale),
        _ => Err(CommandError::bad_value("scale has to be >= 1")),
    }
}

pub(super) async fn coll_stats(engine: &Engine, command: Command) -> Result<RawDocumentBuf, CommandError> {
    let args = command.args();
    let (namespace, scale) = (args.namespace(command.name())?, scale(args.integer("scale")?)?);
    engine
        .read(move |connection| {
            let mut reply = rawdoc! { "ns": namespace.to_string() };
            let figures = figures(connection, Catalog(connection).find(&namespace)?.as_ref(), scale)?;
            figures.iter().flatten().for_each(|(name, value)| reply.append(name, value));
            reply.append(cstr!("ok"), 1.0);
            Ok(reply)
        })
        .await
}

/// What the stage `$collStats` answers.
pub(super) fn coll_stats_stage(
    connection: &Connection,
    namespace: &Namespace,
    collection: &Collection,
    spec: RawBsonRef<'_>,
) -> Result<RawDocumentBuf, CommandError> {
    let RawBsonRef::Document(spec) = spec else {
        return Err(CommandError::new(Code::location(5_447_000), "$collStats must take a nested object"));
    };
    let mut found = rawdoc! { "ns": namespace.to_string(), "host": "127.0.0.1", "localTime": DateTime::now() };
    for field in spec.iter() {
        let (name, value) = field?;
        match (name.as_str(), value) {
            ("count", _) => found.append(cstr!("count"), collection.count(connection)?),
            ("storageStats", RawBsonRef::Document(options)) => {
                let given = super::Args::new("$collStats.storageStats", options).integer("scale")?;
                found.append(cstr!("storageStats"), figures(connection, Some(collection), scale(given)?)?);
            }
            (other, _) => return Err(CommandError::not_implemented(&format!("'{other}' of $collStats"))),
        }
    }
    Ok(found)
}

/// What the stage `$indexStats` answers. How often an index was used is not counted.
pub(super) fn index_stats(collection: &Collection) -> Vec<RawDocumentBuf> {
    let one = |index: &super::super::engine::Index| {
        rawdoc! {
            "name": index.name.as_str(), "key": index.spec.get_document("key").map(ToOwned::to_owned).unwrap_or_default(),
            "host": "127.0.0.1", "spec": index.spec.clone(),
        }
    };
    collection.all_indexes().map(one).collect()
}

pub(super) async fn db_stats(engine: &Engine, command: Command) -> Result<RawDocumentBuf, CommandError> {
    let args = command.args();
    let (db, scale) = (args.db()?.to_owned(), scale(args.integer("scale")?)?);
    engine
        .read(move |connection| {
            let (mut objects, mut size, mut indexes, mut index_size, mut collections, mut views) = (0_i64, 0_i64, 0_i64, 0_i64, 0_i64, 0_i64);
            for entry in Catalog(connection).list(&db)? {
                let Some(collection) = entry.collection else {
                    views += 1;
                    continue;
                };
                collections += 1;
                objects += collection.count(connection)?;
                size += collection.size(connection)?;
                for index in collection.all_indexes() {
                    indexes += 1;
                    index_size += index.size(connection)?;
                }
            }
            Ok(rawdoc! {
                "db": db, "collections": collections, "views": views, "objects": objects,
                "avgObjSize": if objects > 0 { size / objects } else { 0 }, "dataSize": size / scale, "storageSize": size / scale,
                "indexes": indexes, "indexSize": index_size / scale, "totalSize": (size + index_size) / scale, "scaleFactor": scale, "ok": 1.0,
            })
        })
        .await
}

pub(super) async fn validate(engine: &Engine, command: Command) -> Result<RawDocumentBuf, CommandError> {
    let namespace = command.args().namespace("validate")?;
    engine
        .read(move |connection| {
            let Some(collection) = Catalog(connection).find(&namespace)? else {
                let message = format!("Collection '{namespace}' does not exist to validate.");
                return Err(CommandError::new(Code::NAMESPACE_NOT_FOUND, message));
            };
            let (mut n, mut invalid) = (0_i64, 0_i64);
            collection.scan(connection, &mut |_, document| {
                n += 1;
                invalid += i64::from(check_document(document).is_err());
                Ok(std::ops::ControlFlow::Continue(()))
            })?;
            Ok(rawdoc! {
                "ns": namespace.to_string(), "nrecords": n, "nInvalidDocuments": invalid, "valid": invalid == 0,
                "nIndexes": i32::try_from(collection.indexes().len() + 1).unwrap_or(i32::MAX), "warnings": [], "errors": [], "ok": 1.0,
            })
        })
        .await
}
