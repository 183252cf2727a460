//! The Data API backend against an endpoint on a real socket, and both backends against nobody.
#![cfg(feature = "console")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests, outside #[test] functions

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use bson::oid::ObjectId;
use bson::{Bson, doc};
use connect_console::observe::{Backend, DeliveryKey, Fact, Memory, Scope, StepKind, StepOutcome};
use connect_console::storage::{Find, Namespace, Observed, Settings, Store, StoreError, connect};
use rstest::rstest;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// What an endpoint was asked: action, headers, body.
type Asked = Arc<Mutex<Vec<(String, HeaderMap, Value)>>>;

/// An endpoint that answers every action with the same status and text.
async fn endpoint(status: u16, answer: &str) -> (Settings, Asked) {
    let asked = Asked::default();
    let answer = answer.to_owned();
    let handle = move |State(asked): State<Asked>, Path(action): Path<String>, headers: HeaderMap, body: String| async move {
        asked.lock().unwrap().push((action, headers, serde_json::from_str(&body).unwrap()));
        (StatusCode::from_u16(status).unwrap(), answer)
    };
    let router = Router::new().route("/data/v1/action/{action}", post(handle)).with_state(asked.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let settings = Settings {
        data_api_endpoint: format!("http://{address}/data/v1/"),
        api_key: "the-key".into(),
        cluster: "Cluster0".into(),
        ..Settings::default()
    };
    (settings, asked)
}

async fn store(settings: &Settings) -> Arc<dyn Store> {
    connect(Backend::DataApi, settings).await.unwrap()
}

fn at() -> Namespace {
    Namespace::new("tutorial", "http_requests")
}

const OID: &str = "65f0c0ffee65f0c0ffee65f0";

#[tokio::test]
async fn an_insert_sends_canonical_extended_json_with_the_key_and_accepts_created() {
    let (settings, asked) = endpoint(201, &json!({"insertedId": {"$oid": OID}}).to_string()).await;
    let id = store(&settings).await.insert_one(&at(), doc! {"id": "PR-1", "n": 5_i64}).await.unwrap();
    assert_eq!(id, Bson::ObjectId(ObjectId::parse_str(OID).unwrap()));
    let asked = asked.lock().unwrap();
    let (action, headers, body) = &asked[0];
    assert_eq!(action, "insertOne");
    assert_eq!((headers["api-key"].as_bytes(), headers["content-type"].as_bytes()), (&b"the-key"[..], &b"application/ejson"[..]));
    assert_eq!(headers["accept"], "application/ejson");
    assert_eq!(
        *body,
        json!({"dataSource": "Cluster0", "database": "tutorial", "collection": "http_requests",
               "document": {"id": "PR-1", "n": {"$numberLong": "5"}}})
    );
}

#[tokio::test]
async fn a_find_sends_the_whole_query_and_reads_every_type() {
    let answer = json!({"documents": [{"_id": {"$oid": OID}, "n": {"$numberLong": "5"}, "at": {"$date": {"$numberLong": "0"}}}]});
    let (settings, asked) = endpoint(200, &answer.to_string()).await;
    let query = Find {
        filter: doc! {"n": {"$gt": 1}},
        projection: Some(doc! {"n": 1}),
        sort: Some(doc! {"n": -1}),
        skip: Some(3),
        limit: Some(7),
    };
    let found = store(&settings).await.find(&at(), &query).await.unwrap();
    let id = ObjectId::parse_str(OID).unwrap();
    assert_eq!(found, [doc! {"_id": id, "n": 5_i64, "at": bson::DateTime::from_millis(0)}]);
    let (action, _, body) = asked.lock().unwrap()[0].clone();
    assert_eq!(action, "find");
    assert_eq!(body["filter"], json!({"n": {"$gt": {"$numberInt": "1"}}}));
    assert_eq!((&body["projection"], &body["sort"]), (&json!({"n": {"$numberInt": "1"}}), &json!({"n": {"$numberInt": "-1"}})));
    assert_eq!((&body["skip"], &body["limit"]), (&json!(3), &json!(7)));
}

#[tokio::test]
async fn counting_is_an_aggregation_and_nothing_counted_is_zero() {
    let (settings, asked) = endpoint(200, r#"{"documents": [{"n": {"$numberInt": "42"}}]}"#).await;
    assert_eq!(store(&settings).await.count(&at(), &doc! {"a": 1}).await.unwrap(), 42);
    let (action, _, body) = asked.lock().unwrap()[0].clone();
    assert_eq!(action, "aggregate");
    assert_eq!(body["pipeline"], json!([{"$match": {"a": {"$numberInt": "1"}}}, {"$count": "n"}]));
    let (settings, _) = endpoint(200, r#"{"documents": []}"#).await;
    assert_eq!(store(&settings).await.count(&at(), &doc! {}).await.unwrap(), 0);
}

#[tokio::test]
async fn deleting_answers_how_many_there_were() {
    let (settings, asked) = endpoint(200, r#"{"deletedCount": 2}"#).await;
    assert_eq!(store(&settings).await.delete_many(&at(), &doc! {}).await.unwrap(), 2);
    assert_eq!(asked.lock().unwrap()[0].0, "deleteMany");
}

#[tokio::test]
async fn listing_collections_is_unsupported_and_says_why() {
    let (settings, asked) = endpoint(200, "{}").await;
    let error = store(&settings).await.collections("tutorial").await.unwrap_err();
    assert_eq!(error.to_string(), "the data-api backend cannot list collections: the Data API has no action for it");
    assert!(asked.lock().unwrap().is_empty());
}

#[rstest]
#[case(
    401,
    r#"{"error": "invalid session", "error_code": "InvalidSession", "link": "x"}"#,
    true,
    "InvalidSession: invalid session"
)]
#[case(
    400,
    r#"{"error": "no authentication methods were specified", "error_code": "InvalidParameter"}"#,
    true,
    "no authentication"
)]
#[case(
    400,
    r#"{"error": "filter is required", "error_code": "MissingParameter"}"#,
    false,
    "MissingParameter: filter is required"
)]
#[case(404, "cannot find app", false, "404 Not Found: cannot find app")]
#[case(502, "<html>", false, "502 Bad Gateway: <html>")]
#[tokio::test]
async fn an_error_keeps_the_endpoints_own_words(
    #[case] status: u16,
    #[case] body: &str,
    #[case] credentials: bool,
    #[case] says: &str,
) {
    let (settings, _) = endpoint(status, body).await;
    let error = store(&settings).await.find(&at(), &Find::default()).await.unwrap_err();
    assert_eq!(matches!(error, StoreError::Unauthorized { .. }), credentials, "{error}");
    assert!(error.to_string().contains(says), "{error}");
    assert!(!error.to_string().contains("the-key"));
}

#[rstest]
#[case("not json")]
#[case(r#"{"documents": 5}"#)]
#[case("[]")]
#[tokio::test]
async fn an_answer_that_is_none_is_an_error_and_never_an_empty_list(#[case] answer: &str) {
    let (settings, _) = endpoint(200, answer).await;
    let error = store(&settings).await.find(&at(), &Find::default()).await.unwrap_err();
    assert!(matches!(error, StoreError::Refused { operation: "find", .. }), "{error}");
}

#[rstest]
#[case("https://data.mongodb-api.com/app/data-x/endpoint/data/v1", "switched its Data API off")]
#[case("https://eu-west-1.aws.data.mongodb-api.com/app/data-x/endpoint/data/v1", "switched its Data API off")]
#[case("data/v1", "no URL")]
#[case("ftp://example.com/", "http://")]
#[tokio::test]
async fn an_endpoint_that_cannot_work_is_explained(#[case] endpoint: &str, #[case] says: &str) {
    let settings = Settings { data_api_endpoint: endpoint.into(), ..Settings::default() };
    let error = connect(Backend::DataApi, &settings).await.err().unwrap();
    assert!(matches!(error, StoreError::Settings(_)));
    assert!(error.to_string().contains(says), "{error}");
}

/// A port nobody listens on: it was free a moment ago.
async fn nobody() -> String {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string()
}

#[rstest]
#[tokio::test]
async fn a_server_that_is_down_is_unreachable_soon(#[values(Backend::DataApi, Backend::Driver)] backend: Backend) {
    let address = nobody().await;
    let settings = Settings { data_api_endpoint: format!("http://{address}/"), db_host: address.clone(), ..Settings::default() };
    let since = Instant::now();
    let error = connect(backend, &settings).await.unwrap().find(&at(), &Find::default()).await.unwrap_err();
    assert!(matches!(&error, StoreError::Unreachable { server, .. } if *server == address), "{error}");
    assert!(error.to_string().contains("onnection refused"), "{error}");
    assert!(since.elapsed() < Duration::from_secs(15));
}

#[tokio::test]
async fn a_server_that_accepts_and_says_nothing_is_unreachable_in_time() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let settings = Settings { db_host: listener.local_addr().unwrap().to_string(), ..Settings::default() };
    tokio::spawn(async move {
        let mut silent = Vec::new();
        while let Ok((socket, _)) = listener.accept().await {
            silent.push(socket);
        }
    });
    let since = Instant::now();
    let error = connect(Backend::Driver, &settings).await.unwrap().count(&at(), &doc! {}).await.unwrap_err();
    assert!(matches!(error, StoreError::Unreachable { .. }), "{error}");
    assert!(since.elapsed() < Duration::from_secs(15));
}

#[tokio::test]
async fn a_limit_of_nothing_asks_nobody() {
    let address = nobody().await;
    let settings = Settings { data_api_endpoint: format!("http://{address}/"), db_host: address, ..Settings::default() };
    for backend in [Backend::DataApi, Backend::Driver] {
        let query = Find { limit: Some(0), ..Find::default() };
        assert!(connect(backend, &settings).await.unwrap().find(&at(), &query).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn every_call_is_observed_inside_the_step_that_makes_it() {
    let memory = Arc::new(Memory::default());
    let scope = Scope::new(memory.clone()).delivery(DeliveryKey::random());
    let (settings, _) = endpoint(201, &json!({"insertedId": {"$oid": OID}}).to_string()).await;
    let observed = Observed::new(store(&settings).await, scope.clone());
    let step = scope.step(StepKind::Execute, "SaveRequest", None);
    step.run(async {
        observed.insert_one(&at(), doc! {"n": 1}).await.unwrap();
        // The answer has no `deletedCount`.
        observed.delete_many(&at(), &doc! {"n": 1}).await.unwrap_err();
    })
    .await;
    step.end(StepOutcome::Done, None, None);
    let calls: Vec<_> = memory
        .seen()
        .into_iter()
        .filter_map(|o| if let Fact::StoreCall(call) = o.fact { Some((o.step, call)) } else { None })
        .collect();
    let (step, insert) = &calls[0];
    assert_eq!((*step, insert.backend, insert.operation.as_str()), (1, Backend::DataApi, "insertOne"));
    assert_eq!((insert.database.as_str(), insert.collection.as_str()), ("tutorial", "http_requests"));
    assert_eq!((&insert.input, &insert.output), (&json!({"n": {"$numberInt": "1"}}), &Some(json!({"$oid": OID}))));
    let (_, delete) = &calls[1];
    assert_eq!((delete.operation.as_str(), &delete.output), ("deleteMany", &None));
    assert!(delete.error.as_ref().unwrap().contains("deletedCount"));
}
