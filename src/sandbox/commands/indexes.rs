use std::sync::Arc;

use bson::raw::cstr;
use bson::{RawBsonRef, RawDocument, RawDocumentBuf, rawdoc};

use super::super::engine::{Catalog, Collection, Cursor, Engine, Index};
use super::super::error::{Code, CommandError};
use super::super::matcher::Matcher;
use super::cursors::first_batch;
use super::{Args, Command};

pub(super) async fn list_indexes(engine: &Engine, command: Command) -> Result<RawDocumentBuf, CommandError> {
    let args = command.args();
    let (namespace, batch_size) = (args.namespace("listIndexes")?, super::admin::cursor_size(&args)?);
    let cursors = Arc::clone(engine.cursors());
    engine
        .read(move |connection| {
            let Some(collection) = Catalog(connection).find(&namespace)? else {
                return Err(CommandError::new(Code::NAMESPACE_NOT_FOUND, format!("ns does not exist: {namespace}")));
            };
            let mut list = vec![super::admin::id_index()];
            list.extend(collection.indexes().iter().map(|index| index.spec.clone()));
            first_batch(connection, Cursor::made(namespace.to_string(), list), batch_size, Some(&cursors))
        })
        .await
}

pub(super) async fn create_indexes(engine: &Engine, command: Command) -> Result<RawDocumentBuf, CommandError> {
    let args = command.args();
    let (namespace, specs) = (args.namespace("createIndexes")?, args.documents("indexes")?);
    engine
        .write(move |connection| {
            let catalog = Catalog(connection);
            let (mut collection, made) = match catalog.find(&namespace)? {
                Some(collection) => (collection, false),
                None => (catalog.create(&namespace, &RawDocumentBuf::new())?, true),
            };
            let before = collection.indexes().len() + 1;
            for spec in &specs {
                if is_new(&collection, spec)? {
                    catalog.create_index(&collection, &complete(spec))?;
                    collection = catalog.find_or_create(&namespace)?;
                }
            }
            let after = collection.indexes().len() + 1;
            let number = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
            let mut reply = rawdoc! {
                "numIndexesBefore": number(before), "numIndexesAfter": number(after), "createdCollectionAutomatically": made,
            };
            if before == after {
                reply.append(cstr!("note"), "all indexes already exist");
            }
            reply.append(cstr!("ok"), 1.0);
            Ok(reply)
        })
        .await
}

/// As it is kept and listed: with its version.
fn complete(spec: &RawDocument) -> RawDocumentBuf {
    let mut whole = rawdoc! { "v": 2 };
    spec.iter()
        .flatten()
        .filter(|(name, _)| !matches!(name.as_str(), "v" | "ns" | "background"))
        .for_each(|(name, value)| whole.append(name, value));
    whole
}

/// Whether there is no such index yet.
fn is_new(collection: &Collection, spec: &RawDocument) -> Result<bool, CommandError> {
    let wanted = Index::parse(0, spec, false)?;
    let key = spec.get("key")?;
    if key == Some(RawBsonRef::Document(&rawdoc! { "_id": 1 })) {
        return Ok(false);
    }
    for known in collection.indexes() {
        let same_key = known.spec.get("key")? == key;
        if known.name == wanted.name && !same_key {
            let message =
                format!("An existing index has the same name as the requested index, with a different key: {}", wanted.name);
            return Err(CommandError::new(Code::INDEX_KEY_SPECS_CONFLICT, message));
        }
        if same_key && known.name != wanted.name {
            let message = format!("Index already exists with a different name: {}", known.name);
            return Err(CommandError::new(Code::INDEX_OPTIONS_CONFLICT, message));
        }
        if same_key {
            if known.spec == complete(spec) {
                return Ok(false);
            }
            let message = format!("An equivalent index already exists with the same name but different options: {}", known.name);
            return Err(CommandError::new(Code::INDEX_OPTIONS_CONFLICT, message));
        }
    }
    Ok(true)
}

pub(super) async fn drop_indexes(engine: &Engine, command: Command) -> Result<RawDocumentBuf, CommandError> {
    let args = command.args();
    let namespace = args.namespace(command.name())?;
    let wanted = match args.get("index")? {
        None => return Err(args.missing("index")),
        Some(RawBsonRef::Array(names)) => {
            names.into_iter().map(|name| Ok(name?.into())).collect::<Result<Vec<bson::RawBson>, CommandError>>()?
        }
        Some(one) => vec![one.into()],
    };
    engine
        .write(move |connection| {
            let catalog = Catalog(connection);
            let Some(collection) = catalog.find(&namespace)? else {
                return Err(CommandError::new(Code::NAMESPACE_NOT_FOUND, format!("ns not found {namespace}")));
            };
            for wanted in &wanted {
                let wanted = wanted.as_raw_bson_ref();
                if matches!(wanted, RawBsonRef::String("_id_")) {
                    return Err(CommandError::new(Code::INVALID_OPTIONS, "cannot drop _id index"));
                }
                let all = matches!(wanted, RawBsonRef::String("*"));
                let mut found = all;
                for index in collection.indexes() {
                    let named = matches!(wanted, RawBsonRef::String(name) if name == index.name);
                    if all || named || index.spec.get("key")? == Some(wanted) {
                        catalog.drop_index(index)?;
                        found = true;
                    }
                }
                if !found {
                    let message = format!("index not found with name [{}]", super::super::value::shell(wanted).trim_matches('"'));
                    return Err(CommandError::new(Code::INDEX_NOT_FOUND, message));
                }
            }
            let were = i32::try_from(collection.indexes().len() + 1).unwrap_or(i32::MAX);
            Ok(rawdoc! { "nIndexesWas": were, "ok": 1.0 })
        })
        .await
}

/// Says how a command's documents would be found.
pub(super) async fn explain(engine: &Engine, command: Command) -> Result<RawDocumentBuf, CommandError> {
    let args = command.args();
    let db = args.db()?.to_owned();
    let mut inner = args.document("explain")?.ok_or_else(|| args.missing("explain"))?.to_owned();
    if inner.get("$db")?.is_none() {
        inner.append(cstr!("$db"), db);
    }
    let inner = Command::new(inner);
    let args = inner.args();
    let namespace = args.namespace(inner.name())?;
    let first = |list: &str| Ok::<_, CommandError>(args.documents(list)?.into_iter().next());
    let (filter, sorted) = match inner.name() {
        "find" => (args.document("filter")?.map(ToOwned::to_owned), args.document("sort")?.is_some_and(|sort| !sort.is_empty())),
        "count" | "distinct" | "findAndModify" => (args.document("query")?.map(ToOwned::to_owned), false),
        "delete" => (filter_of(first("deletes")?.as_ref())?, false),
        "update" => (filter_of(first("updates")?.as_ref())?, false),
        "aggregate" => {
            let stage = first("pipeline")?;
            (stage.and_then(|stage| stage.get_document("$match").ok().map(ToOwned::to_owned)), false)
        }
        other => {
            return Err(CommandError::new(Code::COMMAND_NOT_FOUND, format!("Explain failed due to unknown command: {other}")));
        }
    };
    let filter = filter.unwrap_or_default();
    let matcher = Matcher::parse_given(&filter, &super::find::given(&args)?)?;
    engine
        .read(move |connection| {
            let found = Catalog(connection).find(&namespace)?;
            let mut plan = plan(found.as_ref(), &matcher);
            if sorted {
                plan = rawdoc! { "stage": "SORT", "inputStage": plan };
            }
            Ok(rawdoc! {
                "explainVersion": "1",
                "queryPlanner": {
                    "namespace": namespace.to_string(), "parsedQuery": filter, "winningPlan": plan, "rejectedPlans": [],
                },
                "ok": 1.0,
            })
        })
        .await
}

fn filter_of(operation: Option<&RawDocumentBuf>) -> Result<Option<RawDocumentBuf>, CommandError> {
    Ok(operation.and_then(|operation| operation.get_document("q").ok()).map(ToOwned::to_owned))
}

fn plan(collection: Option<&Collection>, matcher: &Matcher) -> RawDocumentBuf {
    let Some(collection) = collection else { return rawdoc! { "stage": "EOF" } };
    if matcher.id_keys().is_some() {
        return rawdoc! { "stage": "FETCH", "inputStage": { "stage": "IXSCAN", "keyPattern": { "_id": 1 }, "indexName": "_id_" } };
    }
    match collection.plan(matcher) {
        None => rawdoc! { "stage": "COLLSCAN", "direction": "forward" },
        Some((index, _)) => {
            let pattern = index.spec.get_document("key").map(ToOwned::to_owned).unwrap_or_default();
            let scan = rawdoc! {
                "stage": "IXSCAN", "keyPattern": pattern, "indexName": index.name.as_str(), "isMultiKey": index.multikey,
            };
            rawdoc! { "stage": "FETCH", "inputStage": scan }
        }
    }
}

pub(super) async fn rename(engine: &Engine, command: Command) -> Result<RawDocumentBuf, CommandError> {
    let args = command.args();
    let name = |field: &str| {
        let text = args.text(field)?.ok_or_else(|| args.missing(field))?;
        let (db, collection) = text.split_once('.').unwrap_or((text, ""));
        super::super::engine::Namespace::new(db, collection)
    };
    let (from, to, replace) = (name("renameCollection")?, name("to")?, args.flag("dropTarget")?.unwrap_or(false));
    engine
        .write(move |connection| {
            Catalog(connection).rename(&from, &to, replace)?;
            Ok(rawdoc! { "ok": 1.0 })
        })
        .await
}

pub(super) async fn coll_stats(engine: &Engine, command: Command) -> Result<RawDocumentBuf, CommandError> {
    let namespace = command.args().namespace(command.name())?;
    engine
        .read(move |connection| {
            let found = Catalog(connection).find(&namespace)?;
            let (count, size, indexes) = match &found {
                Some(collection) => (collection.count(connection)?, collection.size(connection)?, collection.indexes().len() + 1),
                None => (0, 0, 0),
            };
            Ok(rawdoc! {
                "ns": namespace.to_string(), "count": count, "size": size, "storageSize": size, "totalSize": size,
                "avgObjSize": if count > 0 { size / count } else { 0 },
                "nindexes": i32::try_from(indexes).unwrap_or(i32::MAX), "capped": false, "ok": 1.0,
            })
        })
        .await
}

pub(super) async fn db_stats(engine: &Engine, command: Command) -> Result<RawDocumentBuf, CommandError> {
    let db = command.args().db()?.to_owned();
    engine
        .read(move |connection| {
            let (mut objects, mut size, mut indexes, mut collections) = (0_i64, 0_i64, 0_i64, 0_i64);
            for entry in Catalog(connection).list(&db)? {
                collections += 1;
                objects += entry.collection.count(connection)?;
                size += entry.collection.size(connection)?;
                indexes += i64::try_from(entry.collection.indexes().len() + 1).unwrap_or(0);
            }
            Ok(rawdoc! {
                "db": db, "collections": collections, "views": 0_i64, "objects": objects,
                "avgObjSize": if objects > 0 { size / objects } else { 0 }, "dataSize": size, "storageSize": size,
                "indexes": indexes, "indexSize": 0_i64, "totalSize": size, "ok": 1.0,
            })
        })
        .await
}

pub(super) async fn validate(engine: &Engine, command: Command) -> Result<RawDocumentBuf, CommandError> {
    let args: Args<'_> = command.args();
    let namespace = args.namespace("validate")?;
    engine
        .read(move |connection| {
            let Some(collection) = Catalog(connection).find(&namespace)? else {
                return Err(CommandError::new(Code::NAMESPACE_NOT_FOUND, format!("Collection '{namespace}' does not exist to validate.")));
            };
            let (mut n, mut invalid) = (0_i64, 0_i64);
            collection.scan(connection, 0, &mut |_, document| {
                n += 1;
                invalid += i64::from(super::super::value::check_document(document).is_err());
                Ok(std::ops::ControlFlow::Continue(()))
            })?;
            Ok(rawdoc! {
                "ns": namespace.to_string(), "nrecords": n, "nInvalidDocuments": invalid, "valid": invalid == 0,
                "nIndexes": i32::try_from(collection.indexes().len() + 1).unwrap_or(i32::MAX), "warnings": [], "errors": [], "ok": 1.0,
            })
        })
        .await
}
