//! What every store keeps, whichever way it goes and whoever serves it: the driver and the Data API on the sandbox, and the
//! driver on SecantusDB, a server that is not ours (from the path, or from the variable `SECANTUSD`; where it is not, its
//! part says that it was skipped).
#![cfg(feature = "console")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)] // helpers of tests, outside #[test] functions

#[path = "support/secantus.rs"]
mod secantus;

use std::sync::Arc;

use bson::oid::ObjectId;
use bson::{Bson, Document, doc};
use connect_console::observe::{Backend, Discard};
use connect_console::sandbox::{Sandbox, SandboxOptions};
use connect_console::storage::{Find, Namespace, Settings, Statistics, Store, StoreError, connect};
use futures::TryStreamExt;
use rstest::rstest;

/// Whoever serves the documents of a test; it ends with the test.
enum Server {
    Sandbox { _sandbox: Sandbox, _dir: tempfile::TempDir },
    Independent { _server: secantus::Server },
}

/// Where a promise is tried.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Place {
    SandboxDriver,
    SandboxDataApi,
    IndependentDriver,
}

async fn open(place: Place) -> Option<(Server, Arc<dyn Store>)> {
    match place {
        Place::SandboxDriver => sandbox(Backend::Driver).await,
        Place::SandboxDataApi => sandbox(Backend::DataApi).await,
        Place::IndependentDriver => independent().await,
    }
}

async fn sandbox(backend: Backend) -> Option<(Server, Arc<dyn Store>)> {
    let dir = tempfile::tempdir().unwrap();
    let options = SandboxOptions { dir: dir.path().to_owned(), port: 0, http_port: 0, auth: true };
    let sandbox = Sandbox::start(options, Arc::new(Discard)).await.unwrap();
    let access = sandbox.access();
    let settings = Settings {
        data_api_endpoint: access.data_api.clone(),
        api_key: access.api_key.clone(),
        cluster: "Cluster0".into(),
        db_host: access.mongodb.clone(),
        db_user: access.user.clone(),
        db_password: access.password.clone(),
        ..Settings::default()
    };
    let store = connect(backend, &settings).await.unwrap();
    Some((Server::Sandbox { _sandbox: sandbox, _dir: dir }, store))
}

async fn independent() -> Option<(Server, Arc<dyn Store>)> {
    let server = secantus::Server::start()?;
    let settings = Settings { db_host: server.address.clone(), ..Settings::default() };
    let store = connect(Backend::Driver, &settings).await.unwrap();
    Some((Server::Independent { _server: server }, store))
}

fn at() -> Namespace {
    Namespace::new("shop", "orders")
}

async fn all(store: &dyn Store, filter: Document) -> Vec<Document> {
    store.find(&at(), &Find { filter, sort: Some(doc! {"_id": 1}), ..Find::default() }).await.unwrap()
}

async fn seed(store: &dyn Store, n: i32) {
    let documents = (0..n).map(|n| doc! {"_id": n, "n": n, "even": n % 2 == 0}).collect();
    assert_eq!(store.insert_many(&at(), documents).await.unwrap().ids.len(), usize::try_from(n).unwrap());
}

#[rstest]
#[case(Place::SandboxDriver)]
#[case(Place::SandboxDataApi)]
#[case(Place::IndependentDriver)]
#[tokio::test(flavor = "multi_thread")]
async fn one_and_many_are_updated_replaced_and_deleted(#[case] place: Place) {
    let Some((_server, store)) = open(place).await else { return };
    let store = store.as_ref();
    seed(store, 6).await;
    let one = store.update_one(&at(), &doc! {"even": true}, &doc! {"$set": {"seen": 1_i64}}, false).await.unwrap();
    assert_eq!((one.matched, one.modified, one.upserted), (1, 1, None));
    let many = store.update_many(&at(), &doc! {"even": true}, &doc! {"$set": {"seen": 1_i64}}, false).await.unwrap();
    assert_eq!((many.matched, many.modified), (3, 2), "one of them was so already");
    assert_eq!(all(store, doc! {"seen": 1_i64}).await.len(), 3);

    let replaced = store.replace_one(&at(), &doc! {"_id": 1}, &doc! {"whole": "new"}, false).await.unwrap();
    assert_eq!((replaced.matched, replaced.modified), (1, 1));
    assert_eq!(all(store, doc! {"_id": 1}).await, [doc! {"_id": 1, "whole": "new"}]);
    let missed = store.replace_one(&at(), &doc! {"_id": 1, "whole": "old"}, &doc! {"x": 1}, false).await.unwrap();
    assert_eq!((missed.matched, missed.modified), (0, 0), "whoever changed it meanwhile is not written over");
    let upserted = store.update_one(&at(), &doc! {"_id": 77}, &doc! {"$set": {"a": 1}}, true).await.unwrap();
    assert_eq!((upserted.matched, upserted.upserted), (0, Some(Bson::Int32(77))));

    assert_eq!(store.delete_one(&at(), &doc! {"even": true}).await.unwrap(), 1);
    assert_eq!(store.delete_many(&at(), &doc! {"even": true}).await.unwrap(), 2);
    assert_eq!(store.delete_one(&at(), &doc! {"even": true}).await.unwrap(), 0);
}

#[rstest]
#[case(Place::SandboxDriver)]
#[case(Place::SandboxDataApi)]
#[case(Place::IndependentDriver)]
#[tokio::test(flavor = "multi_thread")]
async fn every_type_comes_back_as_it_was_written(#[case] place: Place) {
    let Some((_server, store)) = open(place).await else { return };
    let text = r#"{_id: ObjectId('65f0c0ffee65f0c0ffee65f0'), i: 1, l: NumberLong(1), d: 1.0, dec: NumberDecimal('1.10'),
        at: ISODate('2024-02-29T10:00:00.123Z'), u: UUID('00112233-4455-6677-8899-aabbccddeeff'), re: /^a.*b$/i, bin: BinData(0, 'AQID'),
        ts: Timestamp(1, 2), n: null, b: true, nested: {list: [1, NumberLong(2), {x: 'y'}]}, min: MinKey(), max: MaxKey()}"#;
    let document = connect_console::storage::query::parse_document(text).unwrap();
    store.insert_one(&at(), document.clone()).await.unwrap();
    assert_eq!(all(store.as_ref(), doc! {}).await, std::slice::from_ref(&document));
    let set = doc! {"$set": {"again": document.clone()}};
    store.update_one(&at(), &doc! {"_id": document.get("_id").unwrap()}, &set, false).await.unwrap();
    let found = all(store.as_ref(), doc! {}).await;
    assert_eq!(found[0].get_document("again").unwrap(), &document);
}

#[rstest]
#[case(Place::SandboxDriver)]
#[case(Place::SandboxDataApi)]
#[case(Place::IndependentDriver)]
#[tokio::test(flavor = "multi_thread")]
async fn pages_bring_every_document_once_whatever_the_types_of_their_ids(#[case] place: Place) {
    let Some((_server, store)) = open(place).await else { return };
    let mut documents: Vec<_> = (0..6_500_i64).map(|n| doc! {"_id": n}).collect();
    documents.extend((0..700).map(|_| doc! {"_id": ObjectId::new()}));
    documents.extend(["a", "b"].map(|id| doc! {"_id": id}));
    documents.extend([doc! {"_id": true}, doc! {"_id": {"x": 1}}]);
    let wanted = documents.len();
    for part in documents.chunks(2_000) {
        store.insert_many(&at(), part.to_vec()).await.unwrap();
    }
    for (query, expected) in [
        (Find::default(), wanted),
        (Find { limit: Some(5_300), ..Find::default() }, 5_300),
        (Find { limit: Some(0), ..Find::default() }, 0),
        (Find { sort: Some(doc! {"_id": -1}), skip: Some(4), ..Find::default() }, wanted - 4),
        (Find { filter: doc! {"_id": {"$type": "objectId"}}, ..Find::default() }, 700),
        (Find { filter: doc! {"nobody": "has this"}, ..Find::default() }, 0),
    ] {
        let pages: Vec<Vec<Document>> = store.pages(&at(), &query).try_collect().await.unwrap();
        let mut ids: Vec<String> = pages.iter().flatten().map(|d| d.get("_id").unwrap().to_string()).collect();
        assert_eq!(ids.len(), expected, "{query:?}");
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), expected, "none comes twice: {query:?}");
    }
}

#[rstest]
#[case(Place::SandboxDriver)]
#[case(Place::SandboxDataApi)]
#[case(Place::IndependentDriver)]
#[tokio::test(flavor = "multi_thread")]
async fn pipelines_run_and_collections_are_measured(#[case] place: Place) {
    let Some((_server, store)) = open(place).await else { return };
    seed(store.as_ref(), 5).await;
    let pipeline = [doc! {"$match": {"even": true}}, doc! {"$group": {"_id": null, "sum": {"$sum": "$n"}}}];
    assert_eq!(store.aggregate(&at(), &pipeline).await.unwrap(), [doc! {"_id": null, "sum": 6}]);
    let Statistics { count, bytes, indexes } = store.statistics(&at()).await.unwrap();
    assert_eq!(count, 5);
    let told = place != Place::SandboxDataApi;
    assert_eq!((bytes.is_some_and(|b| b > 0), indexes.is_some()), (told, told));
    let wrong = store.aggregate(&at(), &[doc! {"$nonsense": 1}]).await.unwrap_err();
    assert!(matches!(wrong, StoreError::Refused { operation: "aggregate", .. }), "{wrong}");
}

#[rstest]
#[case(Place::SandboxDriver)]
#[case(Place::IndependentDriver)]
#[tokio::test(flavor = "multi_thread")]
async fn of_many_inserts_the_refused_ones_are_named_and_the_others_done(#[case] place: Place) {
    let Some((_server, store)) = open(place).await else { return };
    let documents = vec![doc! {"_id": 1}, doc! {"_id": 1, "again": true}, doc! {"_id": 2}];
    let done = store.insert_many(&at(), documents).await.unwrap();
    assert_eq!(done.ids, [Bson::Int32(1), Bson::Int32(2)]);
    assert_eq!(done.refused.iter().map(|r| (r.index, r.code)).collect::<Vec<_>>(), [(1, Some(11000))]);
}

#[tokio::test(flavor = "multi_thread")]
async fn through_the_data_api_a_refused_insert_is_an_error_and_never_a_success() {
    let Some((_server, store)) = open(Place::SandboxDataApi).await else { return };
    let error = store.insert_many(&at(), vec![doc! {"_id": 1}, doc! {"_id": 1}]).await.unwrap_err();
    assert!(matches!(error, StoreError::Refused { operation: "insertMany", .. }), "{error}");
}

#[rstest]
#[case(Place::SandboxDriver)]
#[case(Place::IndependentDriver)]
#[tokio::test(flavor = "multi_thread")]
async fn indexes_are_made_listed_explained_and_dropped(#[case] place: Place) {
    let Some((_server, store)) = open(place).await else { return };
    assert!(store.indexes(&at()).await.unwrap().is_empty(), "a collection that is not there has none");
    seed(store.as_ref(), 20).await;
    store.create_index(&at(), &doc! {"key": {"n": 1}, "name": "by_n", "unique": true}).await.unwrap();
    let names = |all: Vec<Document>| all.iter().map(|i| i.get_str("name").unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(names(store.indexes(&at()).await.unwrap()), ["_id_", "by_n"]);
    let query = Find { filter: doc! {"n": 7}, ..Find::default() };
    let plan = store.explain(&at(), &query).await.unwrap().to_string();
    assert!(plan.contains("IXSCAN") && plan.contains("by_n"), "{plan}");
    store.drop_index(&at(), "by_n").await.unwrap();
    assert_eq!(names(store.indexes(&at()).await.unwrap()), ["_id_"]);
    assert!(store.drop_index(&at(), "by_n").await.is_err());
    assert!(store.explain(&at(), &query).await.unwrap().to_string().contains("COLLSCAN"));
    assert!(store.databases().await.unwrap().iter().any(|d| d.name == "shop"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_data_api_has_no_action_for_is_said_with_the_reason() {
    let Some((_server, store)) = open(Place::SandboxDataApi).await else { return };
    let query = Find::default();
    let errors = [
        store.databases().await.err(),
        store.collections("shop").await.err(),
        store.indexes(&at()).await.err(),
        store.create_index(&at(), &doc! {}).await.err(),
        store.drop_index(&at(), "x").await.err(),
        store.explain(&at(), &query).await.err(),
    ];
    for error in errors {
        let error = error.unwrap();
        assert!(matches!(error, StoreError::Unsupported { .. }), "{error}");
        assert!(error.to_string().starts_with("the data-api backend cannot "), "{error}");
    }
}
