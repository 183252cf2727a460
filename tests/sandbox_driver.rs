//! The sandbox as the official MongoDB driver sees it, over TCP.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test may fail by panicking

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use connect_console::observe::Discard;
use connect_console::sandbox::{Sandbox, SandboxOptions};
use futures::{StreamExt, TryStreamExt};
use mongodb::bson::{self, Document, doc};
use mongodb::error::{ErrorKind, WriteFailure};
use mongodb::{Client, Collection};
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

async fn start(dir: &Path, auth: bool) -> Sandbox {
    let options = SandboxOptions { dir: dir.to_owned(), port: 0, http_port: 0, auth };
    Sandbox::start(options, Arc::new(Discard)).await.unwrap()
}

async fn client(sandbox: &Sandbox) -> Client {
    Client::with_uri_str(sandbox.access().connection_string().reveal()).await.unwrap()
}

async fn collection(sandbox: &Sandbox) -> Collection<Document> {
    client(sandbox).await.database("shop").collection("orders")
}

fn code(error: &mongodb::error::Error) -> i32 {
    match error.kind.as_ref() {
        ErrorKind::Command(command) => command.code,
        ErrorKind::Write(WriteFailure::WriteError(write)) => write.code,
        ErrorKind::InsertMany(many) => many.write_errors.as_ref().unwrap()[0].code,
        other => panic!("no code in {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_right_password_opens_and_a_wrong_one_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let sandbox = start(dir.path(), true).await;
    client(&sandbox).await.database("admin").run_command(doc! { "ping": 1 }).await.unwrap();
    client(&sandbox).await.list_database_names().await.unwrap();

    let address = &sandbox.access().mongodb;
    let wrong = format!("mongodb://console:wrong@{address}/?directConnection=true&serverSelectionTimeoutMS=3000");
    let error = Client::with_uri_str(&wrong).await.unwrap().list_database_names().await.unwrap_err();
    assert!(matches!(error.kind.as_ref(), ErrorKind::Authentication { .. }), "{error:?}");

    let nobody = format!("mongodb://{address}/?directConnection=true");
    let error = Client::with_uri_str(&nobody).await.unwrap().list_database_names().await.unwrap_err();
    assert_eq!(code(&error), 13, "{error:?}");
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_are_created_read_updated_and_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let sandbox = start(dir.path(), true).await;
    let orders = collection(&sandbox).await;

    let inserted = orders.insert_one(doc! { "item": "a", "n": 1, "tags": ["x", "y"] }).await.unwrap();
    let id = inserted.inserted_id.as_object_id().unwrap();
    assert_eq!(
        orders.find_one(doc! { "_id": id }).await.unwrap().unwrap(),
        doc! { "_id": id, "item": "a", "n": 1, "tags": ["x", "y"] }
    );
    let found = orders.find_one(doc! { "tags": "y" }).projection(doc! { "n": 1, "_id": 0 }).await.unwrap().unwrap();
    assert_eq!(found, doc! { "n": 1 });

    let updated =
        orders.update_one(doc! { "item": "a" }, doc! { "$set": { "deep.er": true }, "$inc": { "n": 4 } }).await.unwrap();
    assert_eq!((updated.matched_count, updated.modified_count), (1, 1));
    let upserted = orders.update_one(doc! { "item": "b" }, doc! { "$push": { "tags": "z" } }).upsert(true).await.unwrap();
    assert!(upserted.upserted_id.is_some());
    let replaced = orders.replace_one(doc! { "item": "b" }, doc! { "item": "c" }).await.unwrap();
    assert_eq!(replaced.modified_count, 1);
    let all: Vec<Document> =
        orders.find(doc! {}).sort(doc! { "item": -1 }).projection(doc! { "_id": 0 }).await.unwrap().try_collect().await.unwrap();
    assert_eq!(all, [doc! { "item": "c" }, doc! { "item": "a", "n": 5, "tags": ["x", "y"], "deep": { "er": true } }]);

    let distinct = orders.distinct("tags", doc! {}).await.unwrap();
    assert_eq!(distinct, ["x".into(), bson::Bson::from("y")]);
    assert_eq!(orders.delete_many(doc! { "item": { "$in": ["a", "c"] } }).await.unwrap().deleted_count, 2);
    assert_eq!(orders.count_documents(doc! {}).await.unwrap(), 0);
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_goes_on_over_several_batches_in_every_order() {
    let dir = tempfile::tempdir().unwrap();
    let sandbox = start(dir.path(), true).await;
    let orders = collection(&sandbox).await;
    orders.insert_many((0..1_000).map(|n| doc! { "_id": n, "even": n % 2 == 0 })).await.unwrap();

    let natural: Vec<Document> = orders.find(doc! { "even": true }).batch_size(7).await.unwrap().try_collect().await.unwrap();
    assert_eq!(natural.len(), 500);
    let mut sorted = orders.find(doc! {}).sort(doc! { "even": 1, "_id": -1 }).skip(10).limit(900).batch_size(100).await.unwrap();
    let mut ids = Vec::new();
    while let Some(document) = sorted.next().await {
        ids.push(document.unwrap().get_i32("_id").unwrap());
    }
    assert_eq!((ids.len(), ids[0], ids[489], ids[490]), (900, 979, 1, 998));
    let default: Vec<Document> = orders.find(doc! {}).await.unwrap().try_collect().await.unwrap();
    assert_eq!(default.len(), 1_000);

    assert_eq!(orders.count_documents(doc! { "_id": { "$gte": 990 } }).await.unwrap(), 10);
    assert_eq!(orders.count_documents(doc! {}).skip(100).limit(50).await.unwrap(), 50);
    assert_eq!(orders.estimated_document_count().await.unwrap(), 1_000);
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_document_of_one_id_is_refused_with_mongodbs_words() {
    let dir = tempfile::tempdir().unwrap();
    let sandbox = start(dir.path(), true).await;
    let orders = collection(&sandbox).await;
    orders.insert_one(doc! { "_id": 1 }).await.unwrap();
    let error = orders.insert_one(doc! { "_id": 1.0 }).await.unwrap_err();
    assert_eq!(code(&error), 11000);
    assert!(
        error.to_string().contains("E11000 duplicate key error collection: shop.orders index: _id_ dup key: { _id: 1.0 }"),
        "{error}"
    );
    let many = (0..3).map(|n| doc! { "_id": n });
    assert_eq!(code(&orders.insert_many(many).ordered(false).await.unwrap_err()), 11000);
    assert_eq!(orders.count_documents(doc! {}).await.unwrap(), 3, "the others of an unordered batch are stored");
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn databases_and_collections_are_listed_created_and_dropped() {
    let dir = tempfile::tempdir().unwrap();
    let sandbox = start(dir.path(), true).await;
    let client = client(&sandbox).await;
    let shop = client.database("shop");
    shop.create_collection("empty").await.unwrap();
    shop.collection("orders").insert_one(doc! { "a": 1 }).await.unwrap();
    assert_eq!(shop.list_collection_names().await.unwrap(), ["empty", "orders"]);
    assert_eq!(client.list_database_names().await.unwrap(), ["shop"]);
    assert_eq!(shop.collection::<Document>("orders").list_index_names().await.unwrap(), ["_id_"]);
    assert_eq!(code(&shop.create_collection("empty").await.unwrap_err()), 48);
    shop.collection::<Document>("empty").drop().await.unwrap();
    assert_eq!(shop.list_collection_names().await.unwrap(), ["orders"]);
    shop.drop().await.unwrap();
    assert!(client.list_database_names().await.unwrap().is_empty());
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let sandbox = start(dir.path(), true).await;
    let shop = client(&sandbox).await.database("shop");
    assert_eq!(code(&shop.run_command(doc! { "noSuchThing": 1 }).await.unwrap_err()), 59);
    let orders = shop.collection::<Document>("orders");
    assert_eq!(code(&orders.find_one(doc! { "a": { "$foo": 1 } }).await.unwrap_err()), 2);
    assert_eq!(code(&orders.aggregate([doc! { "$foo": {} }]).await.unwrap_err()), 40324);
    let large = "x".repeat(16 * 1024 * 1024);
    let reply = shop.run_command(doc! { "insert": "orders", "documents": [{ "a": large }] }).await.unwrap();
    let error = reply.get_array("writeErrors").unwrap()[0].as_document().unwrap();
    assert_eq!((reply.get_i32("n").unwrap(), error.get_i32("code").unwrap()), (0, 10334), "{reply}");
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_there_after_a_restart_with_the_same_credentials() {
    let dir = tempfile::tempdir().unwrap();
    let first = start(dir.path(), true).await;
    collection(&first).await.insert_one(doc! { "_id": "kept" }).await.unwrap();
    let password = first.access().password.clone();
    first.stop().await;

    let before = Instant::now();
    let second = start(dir.path(), true).await;
    assert!(before.elapsed() < Duration::from_secs(5), "{:?}", before.elapsed()); // a tenth of one, where nothing else is built
    assert_eq!(second.access().password, password);
    assert_eq!(collection(&second).await.find_one(doc! {}).await.unwrap(), Some(doc! { "_id": "kept" }));
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_is_replaced_by_another_one() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let dir = tempfile::tempdir().unwrap();
    let options = SandboxOptions { dir: dir.path().to_owned(), port, http_port: port, auth: false };
    let sandbox = Sandbox::start(options, Arc::new(Discard)).await.unwrap();
    assert_ne!(sandbox.access().mongodb, format!("127.0.0.1:{port}"));
    client(&sandbox).await.list_database_names().await.unwrap();
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_frame_and_garbage_hold_up_nobody_else() {
    let dir = tempfile::tempdir().unwrap();
    let sandbox = start(dir.path(), true).await;
    let mut half = tokio::net::TcpStream::connect(&sandbox.access().mongodb).await.unwrap();
    half.write_all(&[200, 0, 0, 0, 1]).await.unwrap();
    let mut garbage = tokio::net::TcpStream::connect(&sandbox.access().mongodb).await.unwrap();
    garbage.write_all(&[0xff; 64]).await.unwrap();
    let closed = tokio::time::timeout(Duration::from_secs(60), garbage.read(&mut [0; 8])).await.unwrap();
    assert!(matches!(closed, Ok(0) | Err(_)), "a connection that sends garbage is closed: {closed:?}");
    collection(&sandbox).await.insert_one(doc! { "a": 1 }).await.unwrap();
    sandbox.stop().await;
}

fn value() -> impl Strategy<Value = bson::Bson> {
    let leaf = prop_oneof![
        any::<f64>().prop_map(bson::Bson::Double),
        ".{0,12}".prop_map(bson::Bson::String),
        any::<bool>().prop_map(bson::Bson::Boolean),
        Just(bson::Bson::Null),
        any::<i32>().prop_map(bson::Bson::Int32),
        any::<i64>().prop_map(bson::Bson::Int64),
        any::<i64>().prop_map(|millis| bson::Bson::DateTime(bson::DateTime::from_millis(millis))),
        any::<[u8; 12]>().prop_map(|bytes| bson::Bson::ObjectId(bson::oid::ObjectId::from_bytes(bytes))),
        any::<[u8; 16]>().prop_map(|bytes| bson::Bson::Decimal128(bson::Decimal128::from_bytes(bytes))),
        (any::<u32>(), any::<u32>()).prop_map(|(time, increment)| bson::Bson::Timestamp(bson::Timestamp { time, increment })),
        proptest::collection::vec(any::<u8>(), 0..20)
            .prop_map(|bytes| bson::Bson::Binary(bson::Binary { subtype: bson::spec::BinarySubtype::Generic, bytes })),
        Just(bson::Bson::MinKey),
        Just(bson::Bson::MaxKey),
        Just(bson::Bson::Undefined),
        "[a-z]{0,8}".prop_map(bson::Bson::JavaScriptCode),
        "[a-z]{0,8}".prop_map(bson::Bson::Symbol),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(bson::Bson::Array),
            proptest::collection::vec(("[a-zA-Z0-9_ äß.]{0,6}", inner), 0..5)
                .prop_map(|fields| bson::Bson::Document(fields.into_iter().collect())),
        ]
    })
}

#[test]
fn any_document_comes_back_bit_for_bit() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let sandbox = runtime.block_on(start(dir.path(), false));
    let orders = runtime.block_on(async { client(&sandbox).await.database("shop").collection::<bson::RawDocumentBuf>("any") });
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig { cases: 48, ..ProptestConfig::default() });
    let fields = proptest::collection::vec(("[a-zA-Z][a-z]{0,6}", value()), 0..6);
    let outcome = runner.run(&fields, |fields| {
        let id = bson::oid::ObjectId::new();
        let document: Document = std::iter::once(("_id".to_owned(), id.into())).chain(fields).collect();
        let sent = bson::RawDocumentBuf::try_from(&document).unwrap();
        let back = runtime.block_on(async {
            orders.insert_one(&sent).await.unwrap();
            orders.find_one(doc! { "_id": id }).await.unwrap().unwrap()
        });
        prop_assert_eq!(back.as_bytes(), sent.as_bytes());
        Ok(())
    });
    outcome.unwrap();
    runtime.block_on(sandbox.stop());
}
