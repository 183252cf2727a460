//! The driver backend against SecantusDB, a server that is not ours. It is taken from the path (or from the variable
//! `SECANTUSD`); without it these tests say that they were skipped: `pip install SecantusDB==0.7.0b3` brings it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)] // helpers of tests, outside #[test] functions

#[path = "support/secantus.rs"]
mod secantus;

use std::sync::Arc;

use bson::{Bson, doc};
use connect_console::observe::Backend;
use connect_console::storage::{Find, Namespace, Settings, Store, StoreError, connect};
use secantus::Server;

/// Starts a server in memory and opens a store on it.
async fn server() -> Option<(Server, Arc<dyn Store>)> {
    let server = Server::start()?;
    let settings = Settings { db_host: server.address.clone(), ..Settings::default() };
    let store = connect(Backend::Driver, &settings).await.unwrap();
    Some((server, store))
}

fn at() -> Namespace {
    Namespace::new("tutorial", "driver_requests")
}

#[tokio::test]
async fn what_is_inserted_is_found_counted_listed_and_deleted() {
    let Some((_server, store)) = server().await else { return };
    let mut ids = Vec::new();
    for n in 1..=5_i64 {
        ids.push(store.insert_one(&at(), doc! {"n": n, "id": format!("PR-{n}")}).await.unwrap());
    }
    assert!(ids.iter().all(|id| matches!(id, Bson::ObjectId(_))));

    let query = Find {
        filter: doc! {"n": {"$gt": 1_i64}},
        projection: Some(doc! {"_id": 0, "n": 1}),
        sort: Some(doc! {"n": -1}),
        skip: Some(1),
        limit: Some(2),
    };
    assert_eq!(store.find(&at(), &query).await.unwrap(), [doc! {"n": 4_i64}, doc! {"n": 3_i64}]);
    let one = store.find_one(&at(), &Find { filter: doc! {"_id": ids[0].clone()}, ..Find::default() }).await.unwrap();
    assert_eq!(one.unwrap().get_str("id").unwrap(), "PR-1");
    assert_eq!(store.find_one(&at(), &Find { filter: doc! {"n": 9_i64}, ..Find::default() }).await.unwrap(), None);

    assert_eq!(store.count(&at(), &doc! {}).await.unwrap(), 5);
    assert_eq!(store.collections("tutorial").await.unwrap(), ["driver_requests"]);
    assert_eq!(store.delete_many(&at(), &doc! {"n": {"$lte": 2_i64}}).await.unwrap(), 2);
    assert_eq!(store.count(&at(), &doc! {}).await.unwrap(), 3);
}

#[tokio::test]
async fn a_refusal_carries_mongodbs_own_code_and_a_find_goes_past_one_batch() {
    let Some((_server, store)) = server().await else { return };
    for n in 0..150 {
        store.insert_one(&at(), doc! {"_id": n}).await.unwrap();
    }
    assert_eq!(store.find(&at(), &Find::default()).await.unwrap().len(), 150);
    let duplicate = store.insert_one(&at(), doc! {"_id": 7}).await.unwrap_err();
    assert!(matches!(duplicate, StoreError::Refused { code: Some(11000), operation: "insertOne", .. }), "{duplicate}");
    let wrong = store.find(&at(), &Find { filter: doc! {"$nonsense": 1}, ..Find::default() }).await.unwrap_err();
    assert!(matches!(wrong, StoreError::Refused { code: Some(2), operation: "find", .. }), "{wrong}");
}

#[tokio::test]
async fn a_server_that_goes_away_is_unreachable_and_not_empty() {
    let Some((server, store)) = server().await else { return };
    store.insert_one(&at(), doc! {"n": 1}).await.unwrap();
    drop(server);
    let error = store.find(&at(), &Find::default()).await.unwrap_err();
    assert!(matches!(error, StoreError::Unreachable { .. }), "{error}");
}
