//! What the official driver can do with collections of the sandbox that are more than a heap of documents: collations, views,
//! validators, hints, limits of time, pipelines that write.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test may fail by panicking

use std::sync::Arc;
use std::time::Duration;

use connect_console::observe::Discard;
use connect_console::sandbox::{Sandbox, SandboxOptions};
use futures::TryStreamExt;
use mongodb::bson::{Document, doc};
use mongodb::error::{ErrorKind, WriteFailure};
use mongodb::options::{Collation, CollationStrength, Hint, IndexOptions};
use mongodb::{Client, Collection, Database, IndexModel};

async fn start() -> (tempfile::TempDir, Sandbox, Database) {
    let dir = tempfile::tempdir().unwrap();
    let options = SandboxOptions { dir: dir.path().to_owned(), port: 0, http_port: 0, auth: false };
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

fn without_case() -> Collation {
    Collation::builder().locale("en").strength(CollationStrength::Secondary).build()
}

async fn all(orders: &Collection<Document>, filter: Document) -> Vec<Document> {
    orders.find(filter).sort(doc! { "_id": 1 }).await.unwrap().try_collect().await.unwrap()
}

async fn aggregated(orders: &Collection<Document>, stages: Vec<Document>) -> Vec<Document> {
    orders.aggregate(stages).await.unwrap().try_collect().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collation_holds_for_finding_sorting_grouping_and_writing() {
    let (_dir, sandbox, database) = start().await;
    let orders = database.collection::<Document>("orders");
    orders
        .insert_many([doc! { "_id": 1, "s": "ping" }, doc! { "_id": 2, "s": "Äpfel" }, doc! { "_id": 3, "s": "PING" }])
        .await
        .unwrap();
    assert_eq!(orders.count_documents(doc! { "s": "Ping" }).collation(without_case()).await.unwrap(), 2);
    assert_eq!(orders.count_documents(doc! { "s": "Ping" }).await.unwrap(), 0);
    assert_eq!(orders.distinct("s", doc! {}).collation(without_case()).await.unwrap().len(), 2);
    let sorted = orders.find(doc! {}).sort(doc! { "s": 1, "_id": 1 }).collation(without_case());
    let sorted: Vec<Document> = sorted.await.unwrap().try_collect().await.unwrap();
    assert_eq!(sorted.iter().map(|d| d.get_i32("_id").unwrap()).collect::<Vec<_>>(), [2, 1, 3]);
    let groups = orders.aggregate([doc! { "$group": { "_id": "$s", "n": { "$sum": 1 } } }]).collation(without_case());
    assert_eq!(groups.await.unwrap().try_collect::<Vec<_>>().await.unwrap().len(), 2);
    let changed =
        orders.update_many(doc! { "s": "pinG" }, doc! { "$set": { "s": "x" } }).collation(without_case()).await.unwrap();
    assert_eq!(changed.matched_count, 2);
    let unknown = Collation::builder().locale("xx").build();
    assert_eq!(code(&orders.find_one(doc! {}).collation(unknown).await.unwrap_err()), 2);
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unique_index_with_a_collation_takes_no_second_of_another_case_and_is_used_by_it_only() {
    let (dir, sandbox, database) = start().await;
    let users = database.collection::<Document>("users");
    let options = IndexOptions::builder().unique(true).collation(without_case()).name("mail".to_owned()).build();
    users.create_index(IndexModel::builder().keys(doc! { "mail": 1 }).options(options).build()).await.unwrap();
    users.insert_one(doc! { "_id": 1, "mail": "a@b.example" }).await.unwrap();
    assert_eq!(code(&users.insert_one(doc! { "_id": 2, "mail": "A@B.example" }).await.unwrap_err()), 11000);
    let plan = async |collation: Option<Document>| {
        let mut find = doc! { "find": "users", "filter": { "mail": "A@b.example" } };
        collation.into_iter().for_each(|collation| drop(find.insert("collation", collation)));
        let explained = database.run_command(doc! { "explain": find, "verbosity": "executionStats" }).await.unwrap();
        let stage = explained
            .get_document("queryPlanner")
            .unwrap()
            .get_document("winningPlan")
            .unwrap()
            .get_str("stage")
            .unwrap()
            .to_owned();
        let stats = explained.get_document("executionStats").unwrap().clone();
        (stage, stats.get_i64("nReturned").unwrap(), stats.get_i64("totalDocsExamined").unwrap())
    };
    assert_eq!(plan(Some(doc! { "locale": "en", "strength": 2 })).await, ("FETCH".into(), 1, 1));
    assert_eq!(plan(None).await, ("COLLSCAN".into(), 0, 1));

    database.create_collection("people").collation(without_case()).await.unwrap();
    let people = database.collection::<Document>("people");
    people.insert_one(doc! { "_id": "Ann", "n": 1 }).await.unwrap();
    assert_eq!(
        code(&people.insert_one(doc! { "_id": "ANN" }).await.unwrap_err()),
        11000,
        "its _id follows the collection's collation"
    );
    sandbox.stop().await;

    let options = SandboxOptions { dir: dir.path().to_owned(), port: 0, http_port: 0, auth: false };
    let again = Sandbox::start(options, Arc::new(Discard)).await.unwrap();
    let client = Client::with_uri_str(again.access().connection_string().reveal()).await.unwrap();
    let people = client.database("shop").collection::<Document>("people");
    assert_eq!(people.find_one(doc! { "_id": "ann" }).await.unwrap(), Some(doc! { "_id": "Ann", "n": 1 }));
    again.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_is_read_like_a_collection_and_not_written() {
    let (_dir, sandbox, database) = start().await;
    let orders = database.collection::<Document>("orders");
    orders.insert_many((0..10).map(|n| doc! { "_id": n, "k": n % 2, "secret": "x" })).await.unwrap();
    database
        .create_collection("even")
        .view_on("orders".to_owned())
        .pipeline([doc! { "$match": { "k": 0 } }, doc! { "$unset": "secret" }])
        .await
        .unwrap();
    database
        .create_collection("few")
        .view_on("even".to_owned())
        .pipeline([doc! { "$match": { "_id": { "$gt": 3 } } }])
        .await
        .unwrap();
    let few = database.collection::<Document>("few");
    assert_eq!(all(&few, doc! { "_id": { "$lt": 8 } }).await, [doc! { "_id": 4, "k": 0 }, doc! { "_id": 6, "k": 0 }]);
    assert_eq!(few.count_documents(doc! {}).await.unwrap(), 3);
    assert_eq!(few.estimated_document_count().await.unwrap(), 3);
    assert_eq!(few.distinct("k", doc! {}).await.unwrap().len(), 1);
    assert_eq!(aggregated(&few, vec![doc! { "$count": "n" }]).await, [doc! { "n": 3 }]);
    let joined = doc! { "$lookup": { "from": "even", "localField": "_id", "foreignField": "_id", "as": "found" } };
    assert_eq!(aggregated(&orders, vec![doc! { "$match": { "_id": 2 } }, joined]).await[0].get_array("found").unwrap().len(), 1);
    assert_eq!(code(&few.insert_one(doc! {}).await.unwrap_err()), 166);
    let listed: Vec<_> = database.list_collections().filter(doc! { "type": "view" }).await.unwrap().try_collect().await.unwrap();
    assert_eq!(listed.iter().map(|found| found.name.as_str()).collect::<Vec<_>>(), ["even", "few"]);
    let cycle = database.run_command(doc! { "collMod": "even", "viewOn": "few", "pipeline": [] }).await.unwrap_err();
    assert_eq!(code(&cycle), 165);
    few.drop().await.unwrap();
    assert_eq!(orders.count_documents(doc! {}).await.unwrap(), 10);
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_validator_refuses_what_does_not_pass() {
    let (_dir, sandbox, database) = start().await;
    let schema = doc! { "$jsonSchema": { "required": ["n"], "properties": { "n": { "bsonType": "int", "minimum": 0 } } } };
    database.create_collection("orders").validator(schema).await.unwrap();
    let orders = database.collection::<Document>("orders");
    orders.insert_one(doc! { "_id": 1, "n": 1 }).await.unwrap();
    let error = orders.insert_one(doc! { "_id": 2, "n": -1 }).await.unwrap_err();
    assert_eq!(code(&error), 121, "{error}");
    assert_eq!(code(&orders.update_one(doc! { "_id": 1 }, doc! { "$set": { "n": "x" } }).await.unwrap_err()), 121);
    orders.insert_one(doc! { "_id": 2, "n": -1 }).bypass_document_validation(true).await.unwrap();
    let relax = doc! { "collMod": "orders", "validationLevel": "moderate" };
    database.run_command(relax).await.unwrap();
    orders.update_one(doc! { "_id": 2 }, doc! { "$set": { "n": -2 } }).await.unwrap();
    let found = all(&orders, doc! { "$nor": [{ "$jsonSchema": { "properties": { "n": { "minimum": 0 } } } }] }).await;
    assert_eq!(found, [doc! { "_id": 2, "n": -2 }]);
    assert_eq!(code(&orders.find_one(doc! { "$jsonSchema": { "foo": 1 } }).await.unwrap_err()), 9);
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_can_be_merged_into_a_collection() {
    let (_dir, sandbox, database) = start().await;
    let orders = database.collection::<Document>("orders");
    orders.insert_many([doc! { "_id": 1, "n": 1 }, doc! { "_id": 2, "n": 2 }]).await.unwrap();
    let sums = database.collection::<Document>("sums");
    sums.insert_one(doc! { "_id": 1, "old": true }).await.unwrap();
    let merge = |how: Document| {
        let mut spec = doc! { "into": "sums" };
        spec.extend(how);
        vec![doc! { "$merge": spec }]
    };
    aggregated(&orders, merge(doc! {})).await;
    assert_eq!(all(&sums, doc! {}).await, [doc! { "_id": 1, "old": true, "n": 1 }, doc! { "_id": 2, "n": 2 }]);
    aggregated(&orders, merge(doc! { "whenMatched": [{ "$set": { "n": { "$add": ["$n", "$$new.n"] } } }] })).await;
    assert_eq!(all(&sums, doc! {}).await, [doc! { "_id": 1, "old": true, "n": 2 }, doc! { "_id": 2, "n": 4 }]);
    aggregated(&orders, merge(doc! { "whenMatched": "replace", "whenNotMatched": "discard" })).await;
    assert_eq!(all(&sums, doc! {}).await, [doc! { "_id": 1, "n": 1 }, doc! { "_id": 2, "n": 2 }]);
    let failing = orders.aggregate(merge(doc! { "whenMatched": "fail" })).await.unwrap_err();
    assert_eq!(code(&failing), 11000);
    let not_unique = orders.aggregate(merge(doc! { "on": "n" })).await.unwrap_err();
    assert_eq!(code(&not_unique), 51183);
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_reached_over_several_steps_is_found() {
    let (_dir, sandbox, database) = start().await;
    let people = database.collection::<Document>("people");
    let links = [("a", vec!["b"]), ("b", vec!["c", "a"]), ("c", vec!["d"]), ("d", vec![])];
    people.insert_many(links.iter().map(|(id, knows)| doc! { "_id": *id, "knows": knows.clone() })).await.unwrap();
    let graph = doc! { "$graphLookup": { "from": "people", "startWith": "$knows", "connectFromField": "knows", "connectToField": "_id",
    "as": "reached", "maxDepth": 1, "depthField": "steps" } };
    let found = aggregated(&people, vec![doc! { "$match": { "_id": "a" } }, graph]).await;
    let mut reached: Vec<_> = found[0]
        .get_array("reached")
        .unwrap()
        .iter()
        .map(|person| {
            let person = person.as_document().unwrap();
            (person.get_str("_id").unwrap().to_owned(), person.get_i64("steps").unwrap())
        })
        .collect();
    reached.sort();
    assert_eq!(reached, [("a".into(), 1), ("b".into(), 0), ("c".into(), 1)]);
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hint_is_followed_and_one_that_names_no_index_is_refused() {
    let (_dir, sandbox, database) = start().await;
    let orders = database.collection::<Document>("orders");
    orders.insert_many((0..100).map(|n| doc! { "_id": n, "k": n % 10 })).await.unwrap();
    orders.create_index(IndexModel::builder().keys(doc! { "k": -1 }).build()).await.unwrap();
    let plan = async |find: Document| {
        let explained = database.run_command(doc! { "explain": find, "verbosity": "executionStats" }).await.unwrap();
        let plan = explained.get_document("queryPlanner").unwrap().get_document("winningPlan").unwrap().to_string();
        (plan, explained.get_document("executionStats").unwrap().get_i64("totalDocsExamined").unwrap())
    };
    let (by_index, examined) = plan(doc! { "find": "orders", "filter": { "k": { "$gte": 8 } } }).await;
    assert!(by_index.contains("k_-1") && examined == 20, "{by_index} {examined}");
    let (natural, examined) = plan(doc! { "find": "orders", "filter": { "k": { "$gte": 8 } }, "hint": { "$natural": 1 } }).await;
    assert!(natural.contains("COLLSCAN") && examined == 100, "{natural} {examined}");
    let (sorted, examined) = plan(doc! { "find": "orders", "sort": { "k": 1 }, "limit": 5 }).await;
    assert!(!sorted.contains("SORT") && sorted.contains("backward") && examined == 5, "{sorted} {examined}");
    let (sorted, _) = plan(doc! { "find": "orders", "sort": { "other": 1 } }).await;
    assert!(sorted.contains("SORT"), "{sorted}");
    let top: Vec<Document> =
        orders.find(doc! {}).sort(doc! { "_id": -1 }).batch_size(7).await.unwrap().try_collect().await.unwrap();
    assert_eq!(top.iter().map(|d| d.get_i32("_id").unwrap()).collect::<Vec<_>>(), (0..100).rev().collect::<Vec<_>>());
    let by_k: Vec<Document> = orders
        .find(doc! { "k": { "$in": [1, 3] } })
        .sort(doc! { "k": -1 })
        .batch_size(3)
        .await
        .unwrap()
        .try_collect()
        .await
        .unwrap();
    assert_eq!(by_k.iter().map(|d| d.get_i32("k").unwrap()).collect::<Vec<_>>(), [vec![3; 10], vec![1; 10]].concat());
    let error = orders.find_one(doc! {}).hint(Hint::Name("none".into())).await.unwrap_err();
    assert_eq!(code(&error), 2, "{error}");
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_takes_too_long_gives_up() {
    let (_dir, sandbox, database) = start().await;
    let orders = database.collection::<Document>("orders");
    orders.insert_many((0..3_000).map(|n| doc! { "_id": n, "text": "x".repeat(100) })).await.unwrap();
    let join = doc! { "$lookup": { "from": "orders", "let": { "n": "$_id" }, "pipeline": [{ "$match": { "$expr": { "$eq": ["$$n", "$none"] } } }], "as": "found" } };
    let error = orders.aggregate([join]).max_time(Duration::from_millis(5)).await.unwrap_err();
    assert_eq!(code(&error), 50, "{error}");
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn too_large_too_deep_and_unreadable_documents_are_refused_in_mongodbs_words() {
    let (_dir, sandbox, database) = start().await;
    let orders = database.collection::<Document>("orders");
    let mut deep = doc! { "x": 1 };
    for _ in 0..200 {
        deep = doc! { "x": deep };
    }
    assert_eq!(code(&database.run_command(doc! { "insert": "orders", "documents": [deep] }).await.unwrap_err()), 15);
    let mut unreadable = mongodb::bson::rawdoc! { "_id": 0, "text": "ab" }.into_bytes();
    let at = unreadable.windows(2).position(|pair| pair == b"ab").unwrap();
    unreadable[at] = 0xff;
    let unreadable = mongodb::bson::RawDocumentBuf::from_bytes(unreadable).unwrap();
    let raw = database.collection::<mongodb::bson::RawDocumentBuf>("orders");
    assert_eq!(code(&raw.insert_one(&unreadable).await.unwrap_err()), 22, "text that is no UTF-8");
    orders.insert_one(doc! { "_id": 1, "text": "x".repeat(9 << 20) }).await.unwrap();
    let grown = orders.update_one(doc! { "_id": 1 }, vec![doc! { "$set": { "more": "$text" } }]).await.unwrap_err();
    assert_eq!(code(&grown), 17419, "{grown}");
    assert_eq!(orders.count_documents(doc! {}).await.unwrap(), 1);
    sandbox.stop().await;
}
