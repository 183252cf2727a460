//! What the official driver can do with the sandbox beyond reading and writing: joins, indexes, renames.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test may fail by panicking

use std::sync::Arc;
use std::time::Duration;

use connect_console::observe::Discard;
use connect_console::sandbox::{Sandbox, SandboxOptions};
use futures::TryStreamExt;
use mongodb::bson::{Document, doc};
use mongodb::error::{ErrorKind, WriteFailure};
use mongodb::options::{Hint, IndexOptions, ReturnDocument};
use mongodb::{Client, Database, IndexModel};

async fn start() -> (tempfile::TempDir, Sandbox, Database) {
    let dir = tempfile::tempdir().unwrap();
    let options = SandboxOptions { dir: dir.path().to_owned(), port: 0, http_port: 0, auth: true };
    let sandbox = Sandbox::start(options, Arc::new(Discard)).await.unwrap();
    let client = Client::with_uri_str(sandbox.access().connection_string().reveal()).await.unwrap();
    let database = client.database("shop");
    (dir, sandbox, database)
}

fn code(error: &mongodb::error::Error) -> i32 {
    match error.kind.as_ref() {
        ErrorKind::Command(command) => command.code,
        ErrorKind::Write(WriteFailure::WriteError(write)) => write.code,
        other => panic!("no code in {other:?}"),
    }
}

async fn plan(database: &Database, filter: Document) -> Document {
    let explained = database.run_command(doc! { "explain": { "find": "orders", "filter": filter } }).await.unwrap();
    explained.get_document("queryPlanner").unwrap().get_document("winningPlan").unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_is_found_and_changed_in_one_step() {
    let (_dir, sandbox, database) = start().await;
    let orders = database.collection::<Document>("orders");
    orders.insert_many([doc! { "_id": 1, "n": 1 }, doc! { "_id": 2, "n": 2 }]).await.unwrap();
    let before = orders.find_one_and_update(doc! {}, doc! { "$inc": { "n": 10 } }).sort(doc! { "n": -1 }).await.unwrap();
    assert_eq!(before, Some(doc! { "_id": 2, "n": 2 }));
    let options = orders.find_one_and_update(doc! { "_id": 9 }, doc! { "$set": { "n": 9 } });
    let made = options.upsert(true).return_document(ReturnDocument::After).await.unwrap();
    assert_eq!(made, Some(doc! { "_id": 9, "n": 9 }));
    let by_pipeline = orders.find_one_and_update(doc! { "_id": 1 }, vec![doc! { "$set": { "m": { "$add": ["$n", 1] } } }]);
    assert_eq!(by_pipeline.return_document(ReturnDocument::After).await.unwrap(), Some(doc! { "_id": 1, "n": 1, "m": 2 }));
    assert_eq!(orders.find_one_and_delete(doc! { "n": 12 }).await.unwrap(), Some(doc! { "_id": 2, "n": 12 }));
    assert_eq!(orders.find_one_and_replace(doc! { "n": 12 }, doc! { "x": 1 }).await.unwrap(), None);
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn collections_are_joined_by_fields_and_by_a_pipeline() {
    let (_dir, sandbox, database) = start().await;
    let orders = database.collection::<Document>("orders");
    orders.insert_many([doc! { "_id": 1, "item": "a" }, doc! { "_id": 2, "item": "z" }]).await.unwrap();
    let items = [doc! { "_id": "a", "price": 5 }, doc! { "_id": "b", "price": 9 }];
    database.collection::<Document>("items").insert_many(items).await.unwrap();
    let by_field = doc! { "$lookup": { "from": "items", "localField": "item", "foreignField": "_id", "as": "found" } };
    let found: Vec<Document> = orders.aggregate([by_field]).await.unwrap().try_collect().await.unwrap();
    assert_eq!(
        found,
        [doc! { "_id": 1, "item": "a", "found": [{ "_id": "a", "price": 5 }] }, doc! { "_id": 2, "item": "z", "found": [] }]
    );
    let pipeline = [doc! { "$match": { "$expr": { "$gt": ["$_id", "$$item"] } } }, doc! { "$project": { "_id": 1 } }];
    let by_pipeline = doc! { "$lookup": { "from": "items", "let": { "item": "$item" }, "pipeline": pipeline, "as": "after" } };
    let found: Vec<Document> = orders.aggregate([by_pipeline]).await.unwrap().try_collect().await.unwrap();
    assert_eq!(found[0], doc! { "_id": 1, "item": "a", "after": [{ "_id": "b" }] });
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_can_end_in_a_collection() {
    let (_dir, sandbox, database) = start().await;
    let orders = database.collection::<Document>("orders");
    orders.insert_many((0..10).map(|n| doc! { "_id": n, "k": n % 2 })).await.unwrap();
    database.collection::<Document>("sums").insert_one(doc! { "_id": "old" }).await.unwrap();
    let stages = [doc! { "$group": { "_id": "$k", "n": { "$sum": 1 } } }, doc! { "$out": "sums" }];
    let answered: Vec<Document> = orders.aggregate(stages).await.unwrap().try_collect().await.unwrap();
    assert_eq!(answered, Vec::<Document>::new());
    let sums = database.collection::<Document>("sums").find(doc! {}).await.unwrap();
    let sums: Vec<Document> = sums.try_collect().await.unwrap();
    assert_eq!(sums, [doc! { "_id": 0, "n": 5 }, doc! { "_id": 1, "n": 5 }]);
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hidden_index_is_in_no_plan_and_takes_no_hint_until_it_is_shown_again_but_stays_true() {
    let (_dir, sandbox, database) = start().await;
    let orders = database.collection::<Document>("orders");
    orders.insert_many((0..100).map(|n| doc! { "_id": n, "k": n % 10 })).await.unwrap();
    let hidden = IndexOptions::builder().hidden(true).build();
    orders.create_index(IndexModel::builder().keys(doc! { "k": 1 }).options(hidden).build()).await.unwrap();
    assert_eq!(plan(&database, doc! { "k": 3 }).await.get_str("stage").unwrap(), "COLLSCAN");
    assert_eq!(orders.count_documents(doc! { "k": 3 }).await.unwrap(), 10);
    let hinted = orders.find(doc! { "k": 3 }).hint(Hint::Name("k_1".into())).await.unwrap_err();
    assert!(code(&hinted) == 2 && hinted.to_string().contains("does not correspond to an existing index"), "{hinted}");

    // Written to while it was hidden.
    orders.insert_one(doc! { "_id": 100, "k": 3 }).await.unwrap();
    let show = |hidden: bool| doc! { "collMod": "orders", "index": { "name": "k_1", "hidden": hidden } };
    database.run_command(show(false)).await.unwrap();
    let used = plan(&database, doc! { "k": 3 }).await;
    assert_eq!(used.get_document("inputStage").unwrap().get_str("indexName").unwrap(), "k_1");
    assert_eq!(orders.count_documents(doc! { "k": 3 }).hint(Hint::Name("k_1".into())).await.unwrap(), 11);
    database.run_command(show(true)).await.unwrap();
    assert_eq!(plan(&database, doc! { "k": 3 }).await.get_str("stage").unwrap(), "COLLSCAN");
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_is_used_and_a_unique_one_is_kept() {
    let (_dir, sandbox, database) = start().await;
    let orders = database.collection::<Document>("orders");
    orders.insert_many((0..100).map(|n| doc! { "_id": n, "k": n % 10, "n": n, "tags": [n, n + 1] })).await.unwrap();
    assert_eq!(plan(&database, doc! { "k": 3 }).await.get_str("stage").unwrap(), "COLLSCAN");
    orders.create_index(IndexModel::builder().keys(doc! { "k": 1, "n": -1 }).build()).await.unwrap();
    orders.create_index(IndexModel::builder().keys(doc! { "tags": 1 }).build()).await.unwrap();
    let used = plan(&database, doc! { "k": 3, "n": { "$gt": 50 } }).await;
    assert_eq!(used.get_document("inputStage").unwrap().get_str("indexName").unwrap(), "k_1_n_-1");
    assert_eq!(plan(&database, doc! { "k": { "$ne": 3 } }).await.get_str("stage").unwrap(), "COLLSCAN");

    let count = async |filter: Document| orders.count_documents(filter).await.unwrap();
    assert_eq!(count(doc! { "k": 3 }).await, 10);
    assert_eq!(count(doc! { "k": 3, "n": { "$gt": 50, "$lte": 73 } }).await, 3);
    assert_eq!(count(doc! { "k": { "$in": [3, 4.0] } }).await, 20);
    assert_eq!(count(doc! { "k": { "$lt": 2 } }).await, 20);
    assert_eq!(count(doc! { "k": { "$lt": "2" } }).await, 0);
    assert_eq!(count(doc! { "tags": 50 }).await, 2);
    assert_eq!(count(doc! { "tags": { "$gt": 50.5, "$lt": 50.5 } }).await, 1, "different elements may pass the two tests");
    orders.update_many(doc! { "k": 3 }, doc! { "$set": { "k": 77 } }).await.unwrap();
    orders.delete_one(doc! { "_id": 13 }).await.unwrap();
    assert_eq!((count(doc! { "k": 3 }).await, count(doc! { "k": 77 }).await), (0, 9));

    let unique = IndexModel::builder().keys(doc! { "n": 1 }).options(IndexOptions::builder().unique(true).build()).build();
    orders.create_index(unique).await.unwrap();
    let error = orders.insert_one(doc! { "_id": 1000, "n": 5.0 }).await.unwrap_err();
    assert_eq!(code(&error), 11000, "{error}");
    assert!(error.to_string().contains("index: n_1 dup key: { n: 5.0 }"), "{error}");
    let error = orders.update_one(doc! { "n": 6 }, doc! { "$set": { "n": 5 } }).await.unwrap_err();
    assert_eq!(code(&error), 11000, "{error}");
    assert_eq!((count(doc! { "n": 5 }).await, count(doc! { "n": 6 }).await, count(doc! { "_id": 1000 }).await), (1, 1, 0));
    assert_eq!(orders.list_index_names().await.unwrap(), ["_id_", "k_1_n_-1", "tags_1", "n_1"]);
    orders.drop_index("n_1").await.unwrap();
    orders.insert_one(doc! { "_id": 1000, "n": 5 }).await.unwrap();
    assert_eq!(code(&orders.drop_index("n_1").await.unwrap_err()), 27);
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_outlives_a_restart_and_its_kinds_that_are_not_there_are_named() {
    let (dir, sandbox, database) = start().await;
    let orders = database.collection::<Document>("orders");
    orders.insert_one(doc! { "_id": 1, "n": 1 }).await.unwrap();
    let expiring = IndexOptions::builder().expire_after(Duration::from_secs(60)).build();
    orders.create_index(IndexModel::builder().keys(doc! { "at": 1 }).options(expiring).build()).await.unwrap();
    let error = orders.create_index(IndexModel::builder().keys(doc! { "n": "text" }).build()).await.unwrap_err();
    assert_eq!(code(&error), 238, "{error}");
    sandbox.stop().await;

    let options = SandboxOptions { dir: dir.path().to_owned(), port: 0, http_port: 0, auth: true };
    let again = Sandbox::start(options, Arc::new(Discard)).await.unwrap();
    let client = Client::with_uri_str(again.access().connection_string().reveal()).await.unwrap();
    let orders = client.database("shop").collection::<Document>("orders");
    assert_eq!(orders.list_index_names().await.unwrap(), ["_id_", "at_1"]);
    let rename = doc! { "renameCollection": "shop.orders", "to": "shop.old" };
    client.database("admin").run_command(rename).await.unwrap();
    assert_eq!(client.database("shop").list_collection_names().await.unwrap(), ["old"]);
    let stats = client.database("shop").run_command(doc! { "collStats": "old" }).await.unwrap();
    assert_eq!((stats.get_i64("count").unwrap(), stats.get_i32("nindexes").unwrap()), (1, 2));
    again.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_skipped_leads_to_the_same_documents_in_every_order() {
    let (_dir, sandbox, database) = start().await;
    let orders = database.collection::<Document>("orders");
    orders.insert_many((0..60).map(|n| doc! { "_id": n * 7 % 61, "n": n % 5, "tags": [n, n + 1] })).await.unwrap();
    orders.create_index(IndexModel::builder().keys(doc! { "n": 1, "_id": -1 }).build()).await.unwrap();
    orders.create_index(IndexModel::builder().keys(doc! { "tags": 1 }).build()).await.unwrap();
    let sorts =
        [doc! {}, doc! { "$natural": -1 }, doc! { "_id": 1 }, doc! { "_id": -1 }, doc! { "n": 1, "_id": -1 }, doc! { "tags": 1 }];
    for sort in sorts {
        for filter in [doc! {}, doc! { "n": { "$gte": 2 } }] {
            let find = |skip: u64| orders.find(filter.clone()).sort(sort.clone()).skip(skip).batch_size(3);
            let all: Vec<Document> = find(0).await.unwrap().try_collect().await.unwrap();
            for skip in [1, 2, 30, 36, 59, 60, 61] {
                let rest: Vec<Document> = find(skip).await.unwrap().try_collect().await.unwrap();
                let expected = all.get(usize::try_from(skip).unwrap()..).unwrap_or_default();
                assert_eq!(rest, expected, "{sort} {filter} after {skip}");
            }
        }
    }
    sandbox.stop().await;
}
