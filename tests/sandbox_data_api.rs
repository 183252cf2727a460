//! The sandbox's Data API as an HTTP client sees it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test may fail by panicking

use std::sync::Arc;

use connect_console::observe::Discard;
use connect_console::sandbox::{Sandbox, SandboxOptions};
use rstest::rstest;
use serde_json::{Value, json};

struct Api {
    _dir: tempfile::TempDir,
    sandbox: Sandbox,
    http: reqwest::Client,
}

impl Api {
    async fn start(auth: bool) -> Self {
        // The client is built without a default for TLS, which plain HTTP on loopback does not use.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let dir = tempfile::tempdir().unwrap();
        let options = SandboxOptions { dir: dir.path().to_owned(), port: 0, http_port: 0, auth };
        let sandbox = Sandbox::start(options, Arc::new(Discard)).await.unwrap();
        Self { _dir: dir, sandbox, http: reqwest::Client::builder().no_proxy().build().unwrap() }
    }

    fn request(&self, action: &str, body: &Value) -> reqwest::RequestBuilder {
        let url = format!("{}/action/{action}", self.sandbox.access().data_api);
        self.http.post(url).header("Content-Type", "application/json").body(body.to_string())
    }

    async fn ask(&self, action: &str, fields: Value) -> (u16, Value) {
        let mut body = json!({ "dataSource": "local", "database": "shop", "collection": "orders" });
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        send(self.request(action, &body).header("api-key", self.sandbox.access().api_key.reveal())).await
    }
}

async fn send(request: reqwest::RequestBuilder) -> (u16, Value) {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    (status, serde_json::from_str(&response.text().await.unwrap()).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_is_inserted_and_found() {
    let api = Api::start(true).await;
    let (status, inserted) = api.ask("insertOne", json!({ "document": { "item": "a", "n": 5 } })).await;
    assert_eq!(status, 201, "{inserted}");
    let id = inserted["insertedId"].as_str().unwrap();
    let (status, found) = api.ask("findOne", json!({ "filter": { "_id": { "$oid": id } } })).await;
    assert_eq!((status, found), (200, json!({ "document": { "_id": id, "item": "a", "n": 5 } })));
    let (status, found) = api.ask("findOne", json!({ "filter": { "item": "z" } })).await;
    assert_eq!((status, found), (200, json!({ "document": null })));

    api.ask("insertOne", json!({ "document": { "item": "b", "n": 7 } })).await;
    let query =
        json!({ "filter": { "n": { "$gt": 1 } }, "projection": { "_id": 0, "item": 1 }, "sort": { "n": -1 }, "limit": 5 });
    assert_eq!(api.ask("find", query).await, (200, json!({ "documents": [{ "item": "b" }, { "item": "a" }] })));
    let (_, skipped) = api.ask("find", json!({ "sort": { "n": 1 }, "skip": 1 })).await;
    assert_eq!(skipped["documents"].as_array().unwrap().len(), 1);
    api.sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_documents_are_inserted_and_grouped() {
    let api = Api::start(true).await;
    let documents = json!([{ "_id": 1, "n": 5 }, { "n": 7 }, { "_id": "x", "n": 9 }]);
    let (status, inserted) = api.ask("insertMany", json!({ "documents": documents })).await;
    assert_eq!(status, 201, "{inserted}");
    let ids = inserted["insertedIds"].as_array().unwrap();
    assert_eq!((&ids[0], ids[1].as_str().unwrap().len(), &ids[2]), (&json!(1), 24, &json!("x")));
    // What `store count --backend data-api` asks.
    let pipeline = json!({ "pipeline": [{ "$match": { "n": { "$gt": 5 } } }, { "$count": "n" }] });
    assert_eq!(api.ask("aggregate", pipeline).await, (200, json!({ "documents": [{ "n": 2 }] })));
    let nothing = json!({ "pipeline": [{ "$match": { "n": 0 } }, { "$count": "n" }] });
    assert_eq!(api.ask("aggregate", nothing).await, (200, json!({ "documents": [] })));
    api.sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_are_updated_replaced_and_deleted() {
    let api = Api::start(true).await;
    api.ask("insertMany", json!({ "documents": [{ "_id": 1, "n": 1 }, { "_id": 2, "n": 1 }, { "_id": 3, "n": 2 }] })).await;
    let one = json!({ "filter": { "n": 1 }, "update": { "$set": { "n": 1 }, "$inc": { "m": 1 } } });
    assert_eq!(api.ask("updateOne", one).await, (200, json!({ "matchedCount": 1, "modifiedCount": 1 })));
    let many = json!({ "filter": { "n": 1 }, "update": { "$set": { "m": 1 } } });
    assert_eq!(api.ask("updateMany", many).await, (200, json!({ "matchedCount": 2, "modifiedCount": 1 })));
    let upsert = json!({ "filter": { "_id": 9 }, "update": { "$set": { "n": 9 } }, "upsert": true });
    assert_eq!(api.ask("updateOne", upsert).await, (200, json!({ "matchedCount": 0, "modifiedCount": 0, "upsertedId": 9 })));
    let replace = json!({ "filter": { "_id": 9 }, "replacement": { "only": true } });
    assert_eq!(api.ask("replaceOne", replace).await, (200, json!({ "matchedCount": 1, "modifiedCount": 1 })));
    let (_, found) = api.ask("findOne", json!({ "filter": { "_id": 9 } })).await;
    assert_eq!(found, json!({ "document": { "_id": 9, "only": true } }));
    assert_eq!(api.ask("deleteOne", json!({ "filter": { "n": 1 } })).await, (200, json!({ "deletedCount": 1 })));
    assert_eq!(api.ask("deleteMany", json!({ "filter": {} })).await, (200, json!({ "deletedCount": 3 })));
    assert_eq!(api.ask("find", json!({})).await, (200, json!({ "documents": [] })));
    api.sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn canonical_extended_json_keeps_every_type() {
    let api = Api::start(true).await;
    let document = json!({
        "_id": { "$numberLong": "7" }, "d": { "$date": { "$numberLong": "0" } }, "n": { "$numberDecimal": "1.50" },
        "b": { "$binary": { "base64": "AQI=", "subType": "00" } }, "x": { "$numberDouble": "1.0" },
    });
    let body = json!({ "dataSource": "l", "database": "d", "collection": "c", "document": document });
    let key = api.sandbox.access().api_key.clone();
    let ejson = |request: reqwest::RequestBuilder| {
        request.header("api-key", key.reveal()).header("Content-Type", "application/ejson").header("Accept", "application/ejson")
    };
    let url = format!("{}/action", api.sandbox.access().data_api);
    let insert = ejson(api.http.post(format!("{url}/insertOne")).body(body.to_string()));
    assert_eq!(send(insert).await, (201, json!({ "insertedId": { "$numberLong": "7" } })));
    let body = json!({ "dataSource": "l", "database": "d", "collection": "c", "filter": { "_id": 7 } });
    let find = ejson(api.http.post(format!("{url}/findOne")).body(body.to_string()));
    assert_eq!(send(find).await, (200, json!({ "document": document })));
    // Who accepts anything is answered as it speaks; who wants JSON gets it.
    let typed =
        api.http.post(format!("{url}/findOne")).header("api-key", key.reveal()).header("Content-Type", "application/ejson");
    let anything = typed.try_clone().unwrap().header("Accept", "*/*").body(body.to_string());
    assert_eq!(send(anything).await, (200, json!({ "document": document })));
    let (_, json) = send(typed.header("Accept", "application/json").body(body.to_string())).await;
    assert_eq!(json["document"]["_id"], 7);
    // The same as plain JSON.
    let plain = api.request("findOne", &body).header("api-key", key.reveal());
    let flat = json!({ "_id": 7, "d": "1970-01-01T00:00:00Z", "n": "1.50", "b": { "Subtype": 0, "Data": "AQI=" }, "x": 1.0 });
    assert_eq!(send(plain).await, (200, json!({ "document": flat })));
    api.sandbox.stop().await;
}

#[rstest]
#[case::api_key("api-key", "KEY", 200)]
#[case::api_key_in_its_other_spelling("apiKey", "KEY", 200)]
#[case::bearer("Authorization", "Bearer KEY", 200)]
#[case::wrong_key("api-key", "wrong", 401)]
#[case::wrong_bearer("Authorization", "Bearer wrong", 401)]
#[case::unknown_token("jwtTokenString", "a.b.c", 401)]
#[case::nothing("x-other", "KEY", 400)]
#[tokio::test(flavor = "multi_thread")]
async fn every_way_to_authenticate(#[case] header: &str, #[case] value: &str, #[case] expected: u16) {
    let api = Api::start(true).await;
    let value = value.replace("KEY", api.sandbox.access().api_key.reveal());
    let body = json!({ "dataSource": "l", "database": "d", "collection": "c" });
    let (status, answer) = send(api.request("findOne", &body).header(header, value)).await;
    assert_eq!(status, expected, "{answer}");
    match status {
        400 => {
            assert_eq!(
                (&answer["error"], &answer["error_code"]),
                (&json!("no authentication methods were specified"), &json!("InvalidParameter"))
            );
        }
        401 => {
            let words = json!("invalid session: error finding user for endpoint");
            assert_eq!((&answer["error"], &answer["error_code"]), (&words, &json!("InvalidSession")));
        }
        _ => assert_eq!(answer, json!({ "document": null })),
    }
    api.sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalid_bearer_fails_even_beside_a_valid_key_and_a_password_is_enough() {
    let api = Api::start(true).await;
    let access = api.sandbox.access();
    let body = json!({ "dataSource": "l", "database": "d", "collection": "c" });
    let both = api.request("findOne", &body).header("Authorization", "Bearer wrong").header("api-key", access.api_key.reveal());
    assert_eq!(send(both).await.0, 401);
    let password = api.request("findOne", &body).header("email", &access.user).header("password", access.password.reveal());
    assert_eq!(send(password).await.0, 200);
    let open = Api::start(false).await;
    assert_eq!(send(open.request("findOne", &body)).await.0, 200);
    open.sandbox.stop().await;
    api.sandbox.stop().await;
}

#[rstest]
#[case::no_collection("findOne", json!({ "dataSource": "l", "database": "d" }), 400, "MissingParameter")]
#[case::no_source("findOne", json!({ "database": "d", "collection": "c" }), 400, "MissingParameter")]
#[case::no_document("insertOne", json!({ "dataSource": "l", "database": "d", "collection": "c" }), 400, "MissingParameter")]
#[case::not_an_object("find", json!({ "dataSource": "l", "database": "d", "collection": "c", "filter": 5 }), 400, "InvalidParameter")]
#[case::bad_oid(
    "find",
    json!({ "dataSource": "l", "database": "d", "collection": "c", "filter": { "_id": { "$oid": "zz" } } }),
    400,
    "InvalidParameter"
)]
#[case::bad_filter(
    "find",
    json!({ "dataSource": "l", "database": "d", "collection": "c", "filter": { "a": { "$foo": 1 } } }),
    400,
    "MongoDBError"
)]
#[case::no_filter("deleteMany", json!({ "dataSource": "l", "database": "d", "collection": "c" }), 400, "MissingParameter")]
#[case::no_pipeline("aggregate", json!({ "dataSource": "l", "database": "d", "collection": "c" }), 400, "MissingParameter")]
#[case::no_operators(
    "updateOne",
    json!({ "dataSource": "l", "database": "d", "collection": "c", "filter": {}, "update": { "a": 1 } }),
    400,
    "InvalidParameter"
)]
#[case::operators_in_a_replacement(
    "replaceOne",
    json!({ "dataSource": "l", "database": "d", "collection": "c", "filter": {}, "replacement": { "$set": { "a": 1 } } }),
    400,
    "InvalidParameter"
)]
#[case::no_such_action("explode", json!({ "dataSource": "l", "database": "d", "collection": "c" }), 404, "EndpointNotFound")]
#[tokio::test(flavor = "multi_thread")]
async fn every_error_is_json_with_its_code(#[case] action: &str, #[case] body: Value, #[case] status: u16, #[case] code: &str) {
    let api = Api::start(true).await;
    let (got, answer) = send(api.request(action, &body).header("api-key", api.sandbox.access().api_key.reveal())).await;
    assert_eq!((got, answer["error_code"].as_str().unwrap()), (status, code), "{answer}");
    assert!(answer["error"].is_string() && answer["link"].is_string(), "{answer}");
    api.sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_duplicate_malformed_json_and_an_unknown_address_are_errors_too() {
    let api = Api::start(true).await;
    let document = json!({ "document": { "_id": 1 } });
    assert_eq!(api.ask("insertOne", document.clone()).await.0, 201);
    let (status, answer) = api.ask("insertOne", document).await;
    assert_eq!(status, 400);
    assert!(answer["error"].as_str().unwrap().starts_with("(DuplicateKey) E11000"), "{answer}");
    let key = api.sandbox.access().api_key.reveal().to_owned();
    let url = api.sandbox.access().data_api.clone();
    let malformed = api.http.post(format!("{url}/action/find")).header("api-key", &key);
    assert_eq!(send(malformed.header("Content-Type", "application/json").body("{")).await.0, 400);
    let text =
        api.http.post(format!("{url}/action/find")).header("api-key", &key).header("Content-Type", "text/plain").body("{}");
    assert_eq!(send(text).await.0, 400);
    assert_eq!(send(api.http.post(format!("{url}/elsewhere"))).await.0, 404);
    let body = json!({ "dataSource": "Cluster0", "database": "d", "collection": "c" }).to_string();
    for (path, status) in [
        ("/app/data-abcde/endpoint/data/v1/action/findOne", 200),
        ("/app/data-abcde/endpoint/data/beta/action/findOne", 200),
        ("/app/data-abcde/endpoint/data/v2/action/findOne", 404),
        ("/app/data-abcde/endpoint/elsewhere/v1/action/findOne", 404),
    ] {
        let there = api.http.post(url.replace("/app/local/endpoint/data/v1", path)).header("api-key", &key);
        let answered = send(there.header("Content-Type", "application/json").body(body.clone())).await;
        assert_eq!(answered.0, status, "{path}: {}", answered.1);
    }
    assert_eq!(send(api.http.get(format!("{url}/action/find"))).await.0, 404);
    api.sandbox.stop().await;
}
