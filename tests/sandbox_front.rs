//! The Data API in front of a deployment that is not the sandbox's engine: SecantusDB, which nobody here wrote, and a sandbox
//! reached as any other server is. SecantusDB is taken from the path (or from the variable `SECANTUSD`); without it its tests
//! say that they were skipped.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)] // helpers of tests, outside #[test] functions
#![cfg(feature = "console")]

#[path = "support/secantus.rs"]
mod secantus;
mod support;

use std::sync::Arc;

use connect_console::observe::Discard;
use connect_console::sandbox::{Front, FrontOptions, Sandbox, SandboxOptions};
use secantus::Server;
use serde_json::{Value, json};
use support::{Running, program};

struct Api {
    http: reqwest::Client,
    base: String,
    key: String,
}

impl Api {
    fn new(base: &str, key: &str) -> Self {
        connect_console::connect::tls::install();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { http, base: base.to_owned(), key: key.to_owned() }
    }

    async fn ask(&self, action: &str, fields: Value) -> (u16, Value) {
        let mut body = json!({ "dataSource": "Cluster0", "database": "shop", "collection": "orders" });
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let request = self.http.post(format!("{}/action/{action}", self.base)).header("api-key", &self.key);
        let response = request.header("Content-Type", "application/json").body(body.to_string()).send().await.unwrap();
        (response.status().as_u16(), serde_json::from_str(&response.text().await.unwrap()).unwrap())
    }
}

/// All ten actions, with what each answers.
async fn serves_every_action(api: &Api) {
    let (status, inserted) = api.ask("insertOne", json!({ "document": { "_id": 1, "item": "a", "n": 1 } })).await;
    assert_eq!((status, inserted), (201, json!({ "insertedId": 1 })));
    let documents = json!([{ "_id": 2, "n": 2 }, { "_id": 3, "n": 3 }, { "n": 4 }]);
    let (status, inserted) = api.ask("insertMany", json!({ "documents": documents })).await;
    assert_eq!((status, inserted["insertedIds"].as_array().unwrap().len()), (201, 3));
    let one = json!({ "filter": { "n": 1 }, "projection": { "_id": 0, "item": 1 } });
    assert_eq!(api.ask("findOne", one).await, (200, json!({ "document": { "item": "a" } })));
    assert_eq!(api.ask("findOne", json!({ "filter": { "n": 99 } })).await, (200, json!({ "document": null })));
    let some = json!({ "filter": { "n": { "$lte": 3 } }, "sort": { "n": -1 }, "limit": 2, "skip": 1, "projection": { "n": 1 } });
    assert_eq!(api.ask("find", some).await, (200, json!({ "documents": [{ "_id": 2, "n": 2 }, { "_id": 1, "n": 1 }] })));
    let update = json!({ "filter": { "_id": 1 }, "update": { "$inc": { "n": 10 } } });
    assert_eq!(api.ask("updateOne", update).await, (200, json!({ "matchedCount": 1, "modifiedCount": 1 })));
    let update = json!({ "filter": { "n": { "$lt": 4 } }, "update": { "$set": { "few": true } } });
    assert_eq!(api.ask("updateMany", update).await, (200, json!({ "matchedCount": 2, "modifiedCount": 2 })));
    let upsert = json!({ "filter": { "_id": 9 }, "update": { "$set": { "n": 9 } }, "upsert": true });
    assert_eq!(api.ask("updateOne", upsert).await, (200, json!({ "matchedCount": 0, "modifiedCount": 0, "upsertedId": 9 })));
    let replace = json!({ "filter": { "_id": 9 }, "replacement": { "only": "this" } });
    assert_eq!(api.ask("replaceOne", replace).await, (200, json!({ "matchedCount": 1, "modifiedCount": 1 })));
    assert_eq!(
        api.ask("findOne", json!({ "filter": { "_id": 9 } })).await.1,
        json!({ "document": { "_id": 9, "only": "this" } })
    );
    let pipeline = json!({ "pipeline": [{ "$match": { "few": true } }, { "$group": { "_id": null, "n": { "$sum": "$n" } } }] });
    assert_eq!(api.ask("aggregate", pipeline).await, (200, json!({ "documents": [{ "_id": null, "n": 5 }] })));
    assert_eq!(api.ask("deleteOne", json!({ "filter": { "few": true } })).await, (200, json!({ "deletedCount": 1 })));
    assert_eq!(api.ask("deleteMany", json!({ "filter": {} })).await, (200, json!({ "deletedCount": 4 })));

    // More than one batch of the deployment's cursor.
    let many: Vec<Value> = (0..1_200).map(|n| json!({ "_id": n, "text": "x".repeat(100) })).collect();
    assert_eq!(api.ask("insertMany", json!({ "documents": many })).await.0, 201);
    assert_eq!(api.ask("find", json!({})).await.1["documents"].as_array().unwrap().len(), 1_000);
    assert_eq!(api.ask("find", json!({ "limit": 2_000 })).await.1["documents"].as_array().unwrap().len(), 1_200);
    assert_eq!(api.ask("aggregate", json!({ "pipeline": [] })).await.1["documents"].as_array().unwrap().len(), 1_200);

    // The deployment's own errors, as the Data API says them.
    let (status, error) = api.ask("insertOne", json!({ "document": { "_id": 5 } })).await;
    assert_eq!((status, error["error_code"].as_str()), (400, Some("MongoDBError")), "{error}");
    assert!(error["error"].as_str().unwrap().contains("E11000"), "{error}");
    let (status, error) = api.ask("find", json!({ "filter": { "n": { "$foo": 1 } } })).await;
    assert_eq!((status, error["error_code"].as_str()), (400, Some("MongoDBError")), "{error}");
    let elsewhere = json!({ "database": "no/name", "filter": {} });
    assert_eq!(api.ask("findOne", elsewhere).await.0, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn in_front_of_a_sandbox_reached_as_any_server_is() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let options = SandboxOptions { dir: there.path().to_owned(), port: 0, http_port: 0, auth: true };
    let sandbox = Sandbox::start(options, Arc::new(Discard)).await.unwrap();
    let access = sandbox.access();
    let deployment = access.connection_string();
    let options = FrontOptions { dir: here.path().to_owned(), http_port: 0, auth: true, deployment };
    let front = Front::start(options, Arc::new(Discard)).await.unwrap();
    assert_eq!(front.servers, access.mongodb);
    assert_ne!(front.api_key, access.api_key, "a key of its own");
    let api = Api::new(&front.data_api, front.api_key.reveal());
    serves_every_action(&api).await;

    // What is written through one is there through the other.
    let own = Api::new(&access.data_api, access.api_key.reveal());
    assert_eq!(own.ask("findOne", json!({ "filter": { "_id": 7 } })).await.1["document"]["_id"], 7);
    let stranger = Api::new(&front.data_api, "wrong");
    assert_eq!(stranger.ask("findOne", json!({ "filter": {} })).await.0, 401);

    sandbox.stop().await;
    let (status, error) = api.ask("findOne", json!({ "filter": {} })).await;
    assert_eq!((status, error["error_code"].as_str()), (503, Some("InternalServerError")), "{error}");
    front.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_that_is_not_there_or_does_not_let_us_in_is_said_without_its_password() {
    let dir = tempfile::tempdir().unwrap();
    let options = SandboxOptions { dir: dir.path().join("sandbox"), port: 0, http_port: 0, auth: true };
    let sandbox = Sandbox::start(options, Arc::new(Discard)).await.unwrap();
    let wrong = format!("mongodb://console:hunter2@{}/?directConnection=true", sandbox.access().mongodb);
    let nobody = "mongodb://console:hunter2@127.0.0.1:9/?directConnection=true&serverSelectionTimeoutMS=500".to_owned();
    for (deployment, says) in [(wrong, "code 18"), (nobody, "cannot be reached")] {
        let options =
            FrontOptions { dir: dir.path().join("front"), http_port: 0, auth: true, deployment: deployment.as_str().into() };
        let error = Front::start(options, Arc::new(Discard)).await.unwrap_err().to_string();
        assert!(error.contains(says) && !error.contains("hunter2"), "{error}");
    }
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_front_of_an_independent_server_by_the_command() {
    let Some(server) = Server::start() else { return };
    let dir = tempfile::tempdir().unwrap();
    let mut command = program(dir.path());
    command.env("TEST_DEPLOYMENT", format!("mongodb://{}/?directConnection=true", server.address));
    command.args(["sandbox", "--http-port", "0", "--data-api-for", "env:TEST_DEPLOYMENT"]);
    let running = Running::start(command);
    let access = running.until("the endpoint", |line| line["data_api"].is_string());
    assert_eq!(access["deployment"], server.address);
    let api = Api::new(access["data_api"].as_str().unwrap(), access["api_key"].as_str().unwrap());
    serves_every_action(&api).await;
    assert!(running.terminate().success());
}
