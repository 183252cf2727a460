use std::sync::Arc;

use bson::raw::cstr;
use bson::{RawBsonRef, RawDocument, RawDocumentBuf, rawdoc};

use super::super::engine::{Catalog, Collection, Cursor, Engine, Index, with_collation};
use super::super::error::{Code, CommandError};
use super::super::value::Collation;
use super::Command;
use super::cursors::first_batch;

pub(super) async fn list_indexes(engine: &Engine, command: Command) -> Result<RawDocumentBuf, CommandError> {
    let args = command.args();
    let (namespace, batch_size) = (args.namespace("listIndexes")?, super::admin::cursor_size(&args)?);
    let cursors = Arc::clone(engine.cursors());
    engine
        .read(move |connection| {
            let Some(collection) = Catalog(connection).find(&namespace)? else {
                return Err(CommandError::new(Code::NAMESPACE_NOT_FOUND, format!("ns does not exist: {namespace}")));
            };
            let list: Vec<_> = collection.all_indexes().map(|index| index.spec.clone()).collect();
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
            let made = catalog.find(&namespace)?.is_none();
            let mut collection = catalog.find_or_create(&namespace)?;
            let before = collection.indexes().len() + 1;
            for spec in &specs {
                let spec = complete(spec, &collection)?;
                if is_new(&collection, &spec)? {
                    catalog.create_index(&collection, &spec)?;
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

/// As it is kept and listed: with its version, and with its collation, which may be the collection's.
fn complete(spec: &RawDocument, collection: &Collection) -> Result<RawDocumentBuf, CommandError> {
    let collation = Collation::of_field(spec.get("collation")?)?.unwrap_or_else(|| collection.traits().collation.clone());
    let mut whole = rawdoc! { "v": 2 };
    spec.iter()
        .flatten()
        .filter(|(name, _)| !matches!(name.as_str(), "v" | "ns" | "background"))
        .for_each(|(name, value)| whole.append(name, value));
    with_collation(&whole, &collation)
}

/// Whether there is no such index yet.
fn is_new(collection: &Collection, spec: &RawDocument) -> Result<bool, CommandError> {
    let wanted = Index::parse(0, spec, false)?;
    let key = spec.get("key")?;
    if key == Some(RawBsonRef::Document(&rawdoc! { "_id": 1 })) {
        return Ok(false);
    }
    for known in collection.indexes() {
        // A sparse and another, or two partial ones of different filters, may stand side by side.
        let filter = "partialFilterExpression";
        let same_key = known.spec.get("key")? == key
            && known.collation == wanted.collation
            && known.sparse == wanted.sparse
            && known.spec.get(filter)? == spec.get(filter)?;
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
            if *known.spec == *spec {
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
