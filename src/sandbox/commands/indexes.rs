use std::sync::Arc;

use bson::raw::cstr;
use bson::{RawBsonRef, RawDocument, RawDocumentBuf, rawdoc};

use super::super::engine::{Catalog, Collection, Cursor, Engine, Index, with_collation};
use super::super::error::{Code, CommandError};
use super::super::matcher::is_set;
use super::super::value::{Collation, shell};
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
    if specs.is_empty() {
        return Err(CommandError::bad_value("Must specify at least one index to create"));
    }
    let lenient = args.flag("ignoreUnknownIndexOptions")?.unwrap_or(false);
    engine
        .write(move |connection| {
            let catalog = Catalog(connection);
            let made = catalog.find(&namespace)?.is_none();
            let mut collection = catalog.find_or_create(&namespace)?;
            let before = collection.indexes().len() + 1;
            for spec in &specs {
                let spec = complete(spec, &collection, lenient)?;
                if is_new(&collection, &spec)? {
                    if collection.indexes().len() + 1 >= MAX_INDEXES {
                        let key = shell(spec.get("key")?.unwrap_or(RawBsonRef::Null));
                        let message = format!("add index fails, too many indexes for {namespace} key:{key}");
                        return Err(CommandError::new(Code::CANNOT_CREATE_INDEX, message));
                    }
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

/// More of one collection than this are refused.
const MAX_INDEXES: usize = 64;

/// What the specification of an index can have; those of other kinds of index are refused with the kind.
const FIELDS: [&str; 22] = [
    "2dsphereIndexVersion",
    "background",
    "bits",
    "clustered",
    "collation",
    "default_language",
    "dropDups",
    "expireAfterSeconds",
    "hidden",
    "key",
    "language_override",
    "max",
    "min",
    "name",
    "ns",
    "partialFilterExpression",
    "sparse",
    "storageEngine",
    "textIndexVersion",
    "unique",
    "v",
    "weights",
];

/// As it is kept and listed: with its version, and with its collation, which may be the collection's.
///
/// # Errors
/// A field no index has, a flag that is none.
fn complete(spec: &RawDocument, collection: &Collection, lenient: bool) -> Result<RawDocumentBuf, CommandError> {
    let collation = Collation::of_field(spec.get("collation")?)?.unwrap_or_else(|| collection.traits().collation.clone());
    let mut whole = rawdoc! { "v": 2 };
    for element in spec.iter() {
        let (name, value) = element?;
        match name.as_str() {
            "v" | "ns" | "background" | "dropDups" => {}
            flag @ ("unique" | "sparse" | "hidden")
                if !matches!(
                    value,
                    RawBsonRef::Boolean(_) | RawBsonRef::Int32(_) | RawBsonRef::Int64(_) | RawBsonRef::Double(_)
                ) =>
            {
                let message = format!("The field '{flag}' has value {flag}: {}, which is not convertible to bool", shell(value));
                return Err(CommandError::new(Code::TYPE_MISMATCH, message));
            }
            "hidden" if !is_set(value) => {}
            known if FIELDS.contains(&known) => whole.append(name, value),
            _ if lenient => {}
            unknown => {
                let message =
                    format!("The field '{unknown}' is not valid for an index specification. Specification: {}", shell_of(spec));
                return Err(CommandError::new(Code::INVALID_INDEX_SPECIFICATION_OPTION, message));
            }
        }
    }
    with_collation(&whole, &collation)
}

/// Whether there is no such index yet. What counts is what a specification means, not how a client writes it.
fn is_new(collection: &Collection, spec: &RawDocument) -> Result<bool, CommandError> {
    let wanted = Index::parse(0, spec, false)?;
    if wanted.is_of_id() {
        return Ok(false);
    }
    for known in collection.indexes() {
        let shown = || format!("Requested index: {}, existing index: {}", shell_of(spec), shell_of(&known.spec));
        match (known.name == wanted.name, known.is_like(&wanted)) {
            (false, false) => {}
            (true, false) => {
                let message = format!(
                    "An existing index has the same name as the requested index. When index names are not specified, they are \
                     auto generated and can cause conflicts. Please refer to our documentation. {}",
                    shown()
                );
                return Err(CommandError::new(Code::INDEX_KEY_SPECS_CONFLICT, message));
            }
            (true, true) if (known.expires_after, known.hidden) == (wanted.expires_after, wanted.hidden) => return Ok(false),
            (true, true) => {
                let message = format!("An equivalent index already exists with the same name but different options. {}", shown());
                return Err(CommandError::new(Code::INDEX_OPTIONS_CONFLICT, message));
            }
            (false, true) => {
                let message = format!("Index already exists with a different name: {}", known.name);
                return Err(CommandError::new(Code::INDEX_OPTIONS_CONFLICT, message));
            }
        }
    }
    Ok(true)
}

fn shell_of(spec: &RawDocument) -> String {
    shell(RawBsonRef::Document(spec))
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
                    let of_key = matches!(wanted, RawBsonRef::Document(keys) if index.is_of(keys));
                    if all || named || of_key {
                        catalog.drop_index(index)?;
                        found = true;
                    }
                }
                if !found {
                    let message = format!("index not found with name [{}]", shell(wanted).trim_matches('"'));
                    return Err(CommandError::new(Code::INDEX_NOT_FOUND, message));
                }
            }
            let were = i32::try_from(collection.indexes().len() + 1).unwrap_or(i32::MAX);
            Ok(rawdoc! { "nIndexesWas": were, "ok": 1.0 })
        })
        .await
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// Makes indexes one after the other: what the last `createIndexes` answered.
    async fn made(specs: &[RawDocumentBuf]) -> Result<bool, i32> {
        let dir = tempfile::tempdir().unwrap();
        let engine = Engine::open(&dir.path().join("s.sqlite")).unwrap();
        let mut last = Ok(false);
        for spec in specs {
            let indexes: bson::RawArrayBuf = [spec.clone()].into_iter().collect();
            let command = Command::new(rawdoc! { "createIndexes": "c", "indexes": indexes, "$db": "d" });
            let answer = create_indexes(&engine, command).await;
            last = answer.map(|reply| reply.get("note").unwrap().is_none()).map_err(|error| error.code.number);
        }
        last
    }

    #[rstest]
    #[case::order_of_fields(rawdoc! { "name": "u", "unique": true, "key": { "u": 1 } }, Ok(false))]
    #[case::types_of_numbers(rawdoc! { "key": { "u": 1.0 }, "name": "u", "unique": 1, "sparse": false }, Ok(false))]
    #[case::hidden(rawdoc! { "key": { "u": 1 }, "name": "u", "unique": true, "hidden": true }, Err(85))]
    #[case::another_name(rawdoc! { "key": { "u": 1 }, "name": "v", "unique": true }, Err(85))]
    #[case::another_key(rawdoc! { "key": { "u": -1 }, "name": "u", "unique": true }, Err(86))]
    #[case::not_unique(rawdoc! { "key": { "u": 1 }, "name": "u" }, Err(86))]
    #[case::beside(rawdoc! { "key": { "u": 1 }, "name": "v" }, Ok(true))]
    #[tokio::test]
    async fn an_index_is_known_by_what_it_means(#[case] again: RawDocumentBuf, #[case] new: Result<bool, i32>) {
        assert_eq!(made(&[rawdoc! { "key": { "u": 1 }, "name": "u", "unique": true }, again]).await, new);
    }

    #[tokio::test]
    async fn the_same_seconds_are_the_same_index() {
        let expiring = |seconds: bson::RawBson| rawdoc! { "key": { "at": 1 }, "name": "at", "expireAfterSeconds": seconds };
        assert_eq!(made(&[expiring(60.into()), expiring(60.0.into())]).await, Ok(false));
        assert_eq!(made(&[expiring(60.into()), expiring(61.into())]).await, Err(85));
    }

    #[rstest]
    #[case::unknown(rawdoc! { "key": { "a": 1 }, "name": "a", "foo": 1 }, 197)]
    #[case::no_flag(rawdoc! { "key": { "a": 1 }, "name": "a", "unique": "yes" }, 14)]
    #[tokio::test]
    async fn an_option_no_index_has_is_refused(#[case] spec: RawDocumentBuf, #[case] code: i32) {
        assert_eq!(made(&[spec]).await, Err(code));
    }

    #[tokio::test]
    async fn there_are_at_most_64_indexes_and_at_least_one_to_make() {
        let key = |n: i32| {
            let mut key = RawDocumentBuf::new();
            key.append(bson::raw::CString::try_from(format!("f{n}")).unwrap(), 1);
            key
        };
        let specs: Vec<_> = (1..=64).map(|n| rawdoc! { "key": key(n), "name": format!("f{n}") }).collect();
        assert_eq!(made(&specs[..63]).await, Ok(true));
        assert_eq!(made(&specs).await, Err(67));
        let dir = tempfile::tempdir().unwrap();
        let engine = Engine::open(&dir.path().join("s.sqlite")).unwrap();
        let none = Command::new(rawdoc! { "createIndexes": "c", "indexes": [], "$db": "d" });
        assert_eq!(create_indexes(&engine, none).await.unwrap_err().code.number, 2);
    }
}
