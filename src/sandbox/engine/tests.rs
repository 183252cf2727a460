use std::path::Path;

use bson::{DateTime, RawDocumentBuf, rawdoc};
use rusqlite::{Connection, params};

use super::super::matcher::Matcher;
use super::super::value::RULES;
use super::{Catalog, Engine, Namespace, Query};

fn orders() -> Namespace {
    Namespace::new("shop", "orders").unwrap()
}

async fn opened(file: &Path, index: RawDocumentBuf, documents: Vec<RawDocumentBuf>) -> Engine {
    let engine = Engine::open(file).unwrap();
    let filled = engine.write(move |connection| {
        let catalog = Catalog(connection);
        let collection = catalog.find_or_create(&orders())?;
        catalog.create_index(&collection, &index)?;
        let collection = catalog.find_or_create(&orders())?;
        documents.iter().try_for_each(|document| collection.insert(connection, document).map(drop))
    });
    filled.await.unwrap();
    engine
}

async fn found(engine: &Engine, filter: RawDocumentBuf) -> usize {
    let counted = engine.read(move |connection| {
        let collection = Catalog(connection).find(&orders())?.unwrap();
        Ok(Query::all(Matcher::parse(&filter)?).numbers(connection, &collection)?.len())
    });
    counted.await.unwrap()
}

#[tokio::test]
async fn a_document_goes_when_its_time_has_come_and_not_before() {
    let dir = tempfile::tempdir().unwrap();
    let index = rawdoc! { "v": 2, "key": { "at": -1 }, "name": "at", "expireAfterSeconds": 60 };
    let at = |seconds: i64| DateTime::from_millis(seconds * 1_000);
    let documents = vec![
        rawdoc! { "_id": 1, "at": at(1_000) },
        rawdoc! { "_id": 2, "at": at(1_100) },
        rawdoc! { "_id": 3, "at": [at(9_000), at(1_050)] },
        rawdoc! { "_id": 4, "at": "no date" },
        rawdoc! { "_id": 5 },
    ];
    let engine = opened(&dir.path().join("s.sqlite"), index, documents).await;
    let sweep = async |seconds: i64| engine.write(move |connection| Catalog(connection).expire(seconds * 1_000)).await.unwrap();
    assert_eq!(sweep(1_059).await, 0);
    assert_eq!(sweep(1_060).await, 1);
    assert_eq!(sweep(1_120).await, 1, "the earliest date of several counts");
    assert_eq!(sweep(1_000_000).await, 1);
    assert_eq!(found(&engine, rawdoc! { "_id": { "$in": [4, 5] } }).await, 2, "what has no date stays");
}

/// Spoils the only index of a file and makes it look like one of an older version.
fn aged(file: &Path, work: impl FnOnce(&Connection)) {
    let connection = Connection::open(file).unwrap();
    connection.execute_batch("DELETE FROM i_1").unwrap();
    work(&connection);
}

#[tokio::test]
async fn a_descending_index_of_an_older_file_is_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("s.sqlite");
    let documents = (0..10).map(|n| rawdoc! { "_id": n, "n": n }).collect();
    opened(&file, rawdoc! { "v": 2, "key": { "n": -1 }, "name": "n" }, documents).await.close();
    aged(&file, |connection| connection.pragma_update(None, "user_version", 2).unwrap());
    assert_eq!(found(&Engine::open(&file).unwrap(), rawdoc! { "n": { "$gt": 6 } }).await, 3);
}

#[tokio::test]
async fn an_index_over_arrays_of_an_older_file_is_made_anew_or_goes_if_there_can_be_none() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("s.sqlite");
    let index = |key: RawDocumentBuf| rawdoc! { "v": 2, "key": key, "name": "n" };
    let document = rawdoc! { "_id": 1, "c": [{ "a": 1, "b": 2 }, { "a": 3, "b": 4 }] };
    opened(&file, index(rawdoc! { "c.a": 1, "c.b": 1 }), vec![document]).await.close();
    aged(&file, |connection| connection.pragma_update(None, "user_version", 3).unwrap());
    assert_eq!(found(&Engine::open(&file).unwrap(), rawdoc! { "c.a": 3 }).await, 1);
    aged(&file, |connection| {
        connection.execute("UPDATE indexes SET spec = ?", params![index(rawdoc! { "c": 1, "d": 1 }).as_bytes()]).unwrap();
        let body = rawdoc! { "_id": 1, "c": [1], "d": [2] };
        connection.execute("UPDATE c_1 SET body = ?", params![body.as_bytes()]).unwrap();
        connection.pragma_update(None, "user_version", 3).unwrap();
    });
    assert_eq!(found(&Engine::open(&file).unwrap(), rawdoc! { "c": 1 }).await, 1, "the document is there without the index");
}

#[tokio::test]
async fn a_unique_index_over_one_array_takes_the_fields_of_a_key_of_one_element() {
    let dir = tempfile::tempdir().unwrap();
    let index = rawdoc! { "v": 2, "key": { "c.a": 1, "c.b": 1 }, "name": "n", "unique": true };
    let element = |a: i32, b: i32| rawdoc! { "a": a, "b": b };
    let documents = vec![rawdoc! { "c": [element(1, 2), element(3, 4)] }, rawdoc! { "c": [element(1, 4)] }];
    let engine = opened(&dir.path().join("s.sqlite"), index, documents).await;
    assert_eq!(found(&engine, rawdoc! { "c.a": 1, "c.b": 4 }).await, 2, "different elements may pass");
    let second = engine.write(move |connection| {
        Catalog(connection).find_or_create(&orders())?.insert(connection, &rawdoc! { "c": [{ "a": 3, "b": 4 }] }).map(drop)
    });
    assert_eq!(second.await.unwrap_err().code.number, 11000);
}

#[tokio::test]
async fn a_name_that_is_the_servers_or_differs_in_case_only_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let engine = Engine::open(&dir.path().join("s.sqlite")).unwrap();
    let made = async |db: &'static str, name: &'static str| {
        let namespace = Namespace::new(db, name).unwrap();
        let made = engine.write(move |connection| Catalog(connection).create(&namespace, &rawdoc! {})).await;
        made.map_err(|error| error.code.number)
    };
    assert_eq!(made("t4", "c").await, Ok(()));
    assert_eq!(made("t4", "system.foo").await, Err(73));
    assert_eq!(made("T4", "c").await, Err(13297));
    assert_eq!(made("t4", "d").await, Ok(()));
}

#[tokio::test]
async fn an_index_of_strings_is_made_anew_when_the_rules_of_their_order_have_changed() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("s.sqlite");
    let index = |version: &str| rawdoc! { "v": 2, "key": { "s": 1 }, "name": "s", "collation": { "locale": "en", "strength": 2, "version": version } };
    opened(&file, index(RULES), vec![rawdoc! { "_id": 1, "s": "a" }]).await.close();
    aged(&file, |connection| {
        connection.execute("UPDATE indexes SET spec = ?", params![index("an older one").as_bytes()]).unwrap();
    });
    Engine::open(&file).unwrap().close();
    let connection = Connection::open(&file).unwrap();
    let keys: i64 = connection.query_row("SELECT count(*) FROM i_1", [], |row| row.get(0)).unwrap();
    let spec: Vec<u8> = connection.query_row("SELECT spec FROM indexes", [], |row| row.get(0)).unwrap();
    let spec = RawDocumentBuf::from_bytes(spec).unwrap();
    assert_eq!((keys, spec.get_document("collation").unwrap().get_str("version").unwrap()), (1, RULES));
}
