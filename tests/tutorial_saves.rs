//! The tutorial's handler against a Data API endpoint on a real socket and a driver that finds nobody.
#![cfg(feature = "console")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests, outside #[test] functions

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::post;
use connect_console::connect::ClientBuilder;
use connect_console::extension::{Config, Context, EventHandler, HandlerError, TaskInfo};
use connect_console::observe::{DeliveryKey, Fact, Memory, Scope};
use connect_console::tutorial::{self, Defaults};
use serde_json::{Value, json};
use tokio::net::TcpListener;

type Asked = Arc<Mutex<Vec<(String, Value)>>>;

/// An endpoint that knows `insertOne` and `deleteMany`.
async fn endpoint() -> (String, Asked) {
    let asked = Asked::default();
    let handle = |State(asked): State<Asked>, Path(action): Path<String>, body: String| async move {
        let answer = match action.as_str() {
            "insertOne" => json!({"insertedId": {"$oid": "65f0c0ffee65f0c0ffee65f0"}}),
            _ => json!({"deletedCount": 1}),
        };
        asked.lock().unwrap().push((action, serde_json::from_str(&body).unwrap()));
        answer.to_string()
    };
    let router = Router::new().route("/action/{action}", post(handle)).with_state(asked.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (format!("http://{address}"), asked)
}

/// Handles a purchase with the tutorial's own variables, `changed` ones aside.
async fn handle(defaults: Defaults, changed: &[(&str, &str)]) -> (Result<String, HandlerError>, Arc<Memory>) {
    let extension = tutorial::extension_with(defaults);
    let mut variables: BTreeMap<String, String> =
        extension.variables().iter().map(|v| (v.name.clone(), v.initial_value.clone())).collect();
    variables.extend(changed.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    let memory = Arc::new(Memory::default());
    let event_type = "asset_purchase_request_processing";
    let cx = Context {
        task: TaskInfo { event_type: event_type.into(), object_id: "PR-1".into(), ..TaskInfo::default() },
        config: Config::new(variables),
        client: ClientBuilder::new("http://127.0.0.1:9", "ApiKey x".into()).build().unwrap(),
        scope: Scope::new(memory.clone()).delivery(DeliveryKey::random()),
        installation: None,
        installation_client: None,
    };
    let EventHandler::Background(handler) = extension.subscription(event_type).unwrap().handler.clone() else { panic!() };
    let request = json!({"id": "PR-1", "type": "purchase", "status": "pending", "asset": {"items": [{"quantity": 3}]}});
    let answer = handler(cx, request.into()).await.map(|answer| answer.output().result.as_str().to_owned());
    (answer, memory)
}

/// Somewhere nobody listens: the port was free a moment ago.
async fn nobody() -> String {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string()
}

#[tokio::test]
async fn when_the_driver_fails_what_went_through_the_data_api_is_deleted_and_the_task_fails() {
    let (data_api_endpoint, asked) = endpoint().await;
    let defaults = Defaults { data_api_endpoint, db_host: nobody().await, ..Defaults::default() };
    let (answer, memory) = handle(defaults, &[]).await;
    assert!(answer.unwrap_err().to_string().contains("driver backend"));
    let asked = asked.lock().unwrap();
    let actions: Vec<_> = asked.iter().map(|(action, _)| action.as_str()).collect();
    assert_eq!(actions, ["insertOne", "deleteMany"]);
    assert_eq!(asked[0].1["collection"], "http_requests");
    assert_eq!(asked[0].1["document"]["asset"]["items"][0]["quantity"]["$numberInt"], "3");
    assert_eq!(asked[1].1["filter"], json!({"_id": {"$oid": "65f0c0ffee65f0c0ffee65f0"}}));
    let calls: Vec<_> = memory
        .seen()
        .into_iter()
        .filter_map(|o| if let Fact::StoreCall(call) = o.fact { Some((call.operation, call.error.is_some())) } else { None })
        .collect();
    assert_eq!(calls, [("insertOne".into(), false), ("insertOne".into(), true), ("deleteMany".to_owned(), false)]);
    let logs: Vec<_> = memory
        .seen()
        .into_iter()
        .filter_map(|o| if let Fact::Log { message, .. } = o.fact { Some(message) } else { None })
        .collect();
    assert_eq!(
        logs,
        [
            "Event received: asset_purchase_request_processing for PR-1",
            "Inserted through the data-api backend into tutorial.http_requests: 65f0c0ffee65f0c0ffee65f0",
            "Deleted again through the data-api backend: 65f0c0ffee65f0c0ffee65f0",
        ]
    );
}

#[tokio::test]
async fn a_missing_variable_is_named_and_nothing_is_written() {
    let (data_api_endpoint, asked) = endpoint().await;
    let (answer, _) = handle(Defaults { data_api_endpoint, ..Defaults::default() }, &[("DB", "")]).await;
    assert_eq!(answer.unwrap_err().to_string(), "the variables DB, DB_HOST have no value: set them and apply the changes");
    assert!(asked.lock().unwrap().is_empty());
}
