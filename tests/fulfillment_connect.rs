//! What an extension says to Connect, against an endpoint on a real socket: the fluent client, and requests that are
//! approved, rejected, inquired and changed.
#![cfg(feature = "console")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests, outside #[test] functions

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Request as HttpRequest, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use connect_console::connect::{ApiError, Approve, Client, ClientBuilder, Param, Rql};
use connect_console::extension::{Background, Config, Context, TaskInfo};
use connect_console::fulfillment::{ApproveOnMatch, FnTransaction, Offline, OfflineRules, Request, Saga};
use connect_console::observe::{Fact, Memory, Scope};
use futures::TryStreamExt;
use rstest::rstest;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// What Connect was asked: `METHOD path?query body`.
type Asked = Arc<Mutex<Vec<String>>>;

#[derive(Clone)]
struct Connect {
    asked: Asked,
    status: u16,
    body: Value,
    range: Option<&'static str>,
}

async fn answer(State(connect): State<Connect>, request: HttpRequest) -> impl IntoResponse {
    let line = format!("{} {}", request.method(), request.uri());
    let body = axum::body::to_bytes(request.into_body(), 1 << 20).await.unwrap();
    let line = if body.is_empty() { line } else { format!("{line} {}", String::from_utf8_lossy(&body)) };
    connect.asked.lock().unwrap().push(line);
    let body = if connect.body.is_null() { String::new() } else { connect.body.to_string() };
    (StatusCode::from_u16(connect.status).unwrap(), [("Content-Range", connect.range.unwrap_or("items 0-0/0"))], body)
}

async fn serve(router: Router) -> Client {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    ClientBuilder::new(format!("http://{address}/public/v1"), "ApiKey SU-1:s3cret".into()).build().unwrap()
}

/// A Connect that gives everything the same answer.
async fn connect(status: u16, body: Value, range: Option<&'static str>) -> (Client, Asked) {
    let asked = Asked::default();
    let state = Connect { asked: asked.clone(), status, body, range };
    (serve(Router::new().fallback(answer).with_state(state)).await, asked)
}

fn first(asked: &Asked) -> String {
    asked.lock().unwrap().first().cloned().unwrap_or_default().replace("/public/v1/", "")
}

fn refused(code: &str, text: &str) -> Value {
    json!({"error_code": code, "errors": [text]})
}

fn asset_request() -> Request {
    json!({"id": "PR-1", "type": "purchase", "status": "pending", "asset": {"id": "AS-1", "params": []}}).into()
}

fn tier_request() -> Request {
    json!({"id": "TCR-1", "type": "setup", "status": "pending", "configuration": {"id": "TC-1", "params": []}}).into()
}

#[tokio::test]
async fn actions_of_requests_are_sent_as_connect_documents_them() {
    let (client, asked) = connect(200, json!({"id": "PR-1"}), None).await;
    let request = client.requests().id("PR-1");
    request.get().await.unwrap();
    request.approve(Approve::template("TL-1").effective_date("2024-05-01T00:00:00+00:00")).await.unwrap();
    request.approve(Approve::tile("welcome")).await.unwrap();
    request.fail("no stock").await.unwrap();
    request.inquire("TL-2").await.unwrap();
    request.pend().await.unwrap();
    request.schedule("2030-01-01T00:00:00+00:00").await.unwrap();
    request.update_params(&[Param::new("a").value("1"), Param::new("b").error("wrong")]).await.unwrap();
    request.action("assign", Some(&json!({"email": "a@example.org"}))).await.unwrap();
    let asked: Vec<_> = asked.lock().unwrap().iter().map(|line| line.replace("/public/v1/requests/PR-1", "")).collect();
    assert_eq!(
        asked,
        [
            "GET ",
            r#"POST /approve {"template_id":"TL-1","effective_date":"2024-05-01T00:00:00+00:00"}"#,
            r#"POST /approve {"activation_tile":"welcome"}"#,
            r#"POST /fail {"reason":"no stock"}"#,
            r#"POST /inquire {"template_id":"TL-2"}"#,
            "POST /pend",
            r#"POST /schedule {"planned_date":"2030-01-01T00:00:00+00:00"}"#,
            r#"PUT  {"asset":{"params":[{"id":"a","value":"1"},{"id":"b","value_error":"wrong"}]}}"#,
            r#"POST /assign {"email":"a@example.org"}"#,
        ]
    );
}

#[tokio::test]
async fn tier_configurations_and_their_requests_have_the_paths_connect_has() {
    let (client, asked) = connect(204, Value::Null, None).await;
    client.tier_configs().id("TC-1").get().await.unwrap();
    let request = client.tier_config_requests().id("TCR-1");
    request.get().await.unwrap();
    request.approve(Approve::template("TL-1")).await.unwrap();
    request.fail("no").await.unwrap();
    request.inquire().await.unwrap();
    request.pend().await.unwrap();
    request.update_params(&[Param::new("a").value("1")]).await.unwrap();
    client.tier_accounts().id("TA-1").get().await.unwrap();
    let asked: Vec<_> = asked.lock().unwrap().iter().map(|line| line.replace("/public/v1/tier/", "")).collect();
    assert_eq!(
        asked,
        [
            "GET configs/TC-1",
            "GET config-requests/TCR-1",
            r#"POST config-requests/TCR-1/approve {"template":{"id":"TL-1"}}"#,
            r#"POST config-requests/TCR-1/fail {"reason":"no"}"#,
            "POST config-requests/TCR-1/inquire",
            "POST config-requests/TCR-1/pend",
            r#"PUT config-requests/TCR-1 {"params":[{"id":"a","value":"1"}]}"#,
            "GET accounts/TA-1",
        ]
    );
    let tile = request.approve(Approve::tile("t")).await.unwrap_err().to_string();
    assert!(tile.contains("with a template, not a tile"), "{tile}");
}

#[tokio::test]
async fn templates_of_a_product_and_what_is_said_about_a_request_are_found() {
    let (client, asked) = connect(200, json!([]), None).await;
    let fulfillment = Rql::eq("scope", "asset").and(Rql::eq("type", "fulfillment"));
    client.products().id("PRD-1").templates().filter(fulfillment).order_by(&["-created"]).first().await.unwrap();
    client.conversations().about("PR-1").first().await.unwrap();
    client.conversations().id("PR-1").say("hello").await.unwrap();
    client.collection("/usage/files/").select(&["+records", "-events"]).count().await.unwrap();
    let asked: Vec<_> = asked.lock().unwrap().iter().map(|line| line.replace("/public/v1/", "")).collect();
    assert_eq!(
        asked,
        [
            "GET products/PRD-1/templates?and(eq(scope,asset),eq(type,fulfillment))&ordering(-created)&limit=1&offset=0",
            "GET conversations?eq(instance_id,PR-1)&limit=1&offset=0",
            r#"POST conversations/PR-1/messages {"type":"message","text":"hello"}"#,
            "GET usage/files?select(%2Brecords,-events)&limit=0&offset=0",
        ]
    );
}

#[rstest]
#[case("")]
#[case(" ")]
#[case("..")]
#[tokio::test]
async fn an_id_that_would_reach_something_else_is_never_sent(#[case] id: &str) {
    let (client, asked) = connect(200, json!({}), None).await;
    for error in [
        client.requests().id(id).get().await.unwrap_err(),
        client.requests().id(id).delete().await.unwrap_err(),
        client.requests().id(id).approve(Approve::template("TL-1")).await.unwrap_err(),
        client.products().id(id).templates().first().await.unwrap_err(),
    ] {
        assert!(matches!(error, ApiError::Settings(_)), "{error}");
    }
    assert!(asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn signs_in_an_id_stay_in_the_id() {
    let (client, asked) = connect(200, json!({}), None).await;
    client.requests().id("PR-1/approve?x").get().await.unwrap();
    assert_eq!(first(&asked), "GET requests/PR-1%2Fapprove%3Fx");
}

#[tokio::test]
async fn a_filter_rql_has_no_words_for_is_an_error_and_nothing_is_asked() {
    let (client, asked) = connect(200, json!([]), None).await;
    let error = client.requests().filter(Rql::eq("name", "'\"")).all().await.unwrap_err();
    assert!(error.to_string().contains("both kinds of quotes"), "{error}");
    let error = client.requests().order_by(&["-created),x("]).count().await.unwrap_err();
    assert!(error.to_string().contains("no member's name"), "{error}");
    assert!(asked.lock().unwrap().is_empty());
}

/// 250 objects, of which a page has as many as it is asked for.
async fn many() -> (Client, Asked) {
    let asked = Asked::default();
    let page = async |State(asked): State<Asked>, request: HttpRequest| {
        let query = request.uri().query().unwrap_or_default().to_owned();
        let number = |name: &str| -> u64 {
            let value = query.split('&').find_map(|pair| pair.strip_prefix(name)).unwrap();
            value.parse().unwrap()
        };
        let (limit, offset) = (number("limit="), number("offset="));
        asked.lock().unwrap().push(format!("{limit} from {offset}"));
        let items: Vec<_> = (offset..(offset + limit).min(250)).map(|n| json!({"id": n})).collect();
        let last = offset + (items.len() as u64).max(1) - 1;
        ([("Content-Range", format!("items {offset}-{last}/250"))], Value::from(items).to_string())
    };
    (serve(Router::new().fallback(page).with_state(asked.clone())).await, asked)
}

#[tokio::test]
async fn pages_are_asked_for_when_they_are_wanted() {
    let (client, asked) = many().await;
    let mut pages = client.requests().pages();
    assert!(asked.lock().unwrap().is_empty());
    let page = pages.next().await.unwrap().unwrap();
    assert_eq!((page.items.len(), page.total), (100, 250));
    assert_eq!(*asked.lock().unwrap(), ["100 from 0"]);
    assert_eq!(pages.next().await.unwrap().unwrap().items[0]["id"], 100);
    assert_eq!(pages.next().await.unwrap().unwrap().items.len(), 50);
    assert!(pages.next().await.unwrap().is_none());
    assert_eq!(*asked.lock().unwrap(), ["100 from 0", "100 from 100", "100 from 200"]);
}

#[tokio::test]
async fn objects_of_all_pages_come_one_after_the_other() {
    let (client, asked) = many().await;
    let all = client.requests().page_size(125).all().await.unwrap();
    assert!((0..250).eq(all.iter().map(|object| object["id"].as_u64().unwrap())));
    let streamed: Vec<_> = client.requests().pages().objects().try_collect().await.unwrap();
    assert_eq!(streamed, all);
    assert_eq!(client.requests().count().await.unwrap(), 250);
    assert_eq!(client.requests().first().await.unwrap(), Some(json!({"id": 0})));
    assert_eq!(asked.lock().unwrap().len(), 2 + 3 + 1 + 1);
}

#[tokio::test]
async fn an_error_ends_the_pages() {
    let (client, asked) = connect(400, refused("VAL_001", "filter: no"), None).await;
    let mut pages = client.requests().pages();
    let error = pages.next().await.unwrap_err();
    assert!(matches!(error, ApiError::Refused { status: 400, .. }), "{error}");
    assert!(pages.next().await.unwrap().is_none());
    assert_eq!(asked.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_call_is_tried_again_after_a_5xx_and_a_throttled_one_when_connect_says_and_each_try_is_seen() {
    // In turn: broken, throttled for nothing, good; the last answer stays.
    let answers = [(500, "-"), (503, "0"), (200, "-")];
    let given = Arc::new(Mutex::new(0));
    let answer = move || {
        let mut nth = given.lock().unwrap();
        let (status, after) = answers[(*nth).min(2)];
        *nth += 1;
        async move { (StatusCode::from_u16(status).unwrap(), [("Retry-After", after)], r#"{"id": "PR-1"}"#) }
    };
    let memory = Arc::new(Memory::default());
    let client = serve(Router::new().fallback(answer)).await.with_scope(Scope::new(memory.clone()));
    assert_eq!(client.get("requests/PR-1").await.unwrap()["id"], "PR-1");
    let status = |fact| match fact {
        Fact::ApiCall(call) => call.status,
        _ => None,
    };
    assert_eq!(memory.seen().into_iter().filter_map(|o| status(o.fact)).collect::<Vec<_>>(), [500, 503, 200]);
}

#[tokio::test]
async fn a_call_that_reaches_nobody_is_tried_four_times_and_then_an_error_that_says_why() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/public/v1", listener.local_addr().unwrap());
    drop(listener);
    let memory = Arc::new(Memory::default());
    let client = ClientBuilder::new(base, "ApiKey SU-1:s3cret".into()).build().unwrap();
    let error = client.with_scope(Scope::new(memory.clone())).get("requests/PR-1").await.unwrap_err().to_string();
    assert!(error.contains("GET requests/PR-1") && !error.contains("s3cret"), "{error}");
    assert_eq!(memory.seen().len(), 4);
}

#[tokio::test]
async fn a_client_never_shows_its_key() {
    let (client, _) = connect(200, json!({}), None).await;
    let shown = format!("{client:?} {:?} {:?}", client.requests(), client.requests().id("PR-1"));
    assert!(!shown.contains("s3cret"), "{shown}");
}

#[tokio::test]
async fn a_request_is_found_by_its_id_whatever_it_is_about() {
    let (client, asked) = connect(200, json!({"id": "TCR-1", "configuration": {"id": "TC-1"}}), None).await;
    let request = Request::find(&client, "TCR-1").await.unwrap();
    assert_eq!(request.tier_configuration().id(), "TC-1");
    Request::find(&client, "PR-1").await.unwrap();
    assert_eq!(*asked.lock().unwrap(), ["GET /public/v1/tier/config-requests/TCR-1", "GET /public/v1/requests/PR-1"]);
}

#[tokio::test]
async fn a_request_that_is_not_there_is_an_error() {
    let (client, _) = connect(404, Value::Null, None).await;
    let error = Request::find(&client, "TCR-9").await.unwrap_err();
    assert_eq!(error.to_string(), "GET tier/config-requests/TCR-9: 404");
}

#[rstest]
#[case::of_an_asset(asset_request(), r#"POST requests/PR-1/approve {"template_id":"TL-1"}"#)]
#[case::of_a_tier(tier_request(), r#"POST tier/config-requests/TCR-1/approve {"template":{"id":"TL-1"}}"#)]
#[tokio::test]
async fn an_approved_request_is_approved_here_too(#[case] request: Request, #[case] sent: &str) {
    let (client, asked) = connect(200, json!({"status": "approved"}), None).await;
    request.approve(&client, Approve::template("TL-1")).await.unwrap();
    assert_eq!((request.status().as_str(), first(&asked).as_str()), ("approved", sent));
}

#[rstest]
#[case::of_an_asset(asset_request(), 200, json!({"status": "failed"}))]
#[case::of_a_tier_which_is_answered_without_content(tier_request(), 204, Value::Null)]
#[tokio::test]
async fn a_rejected_request_is_failed_with_its_reason(#[case] request: Request, #[case] status: u16, #[case] body: Value) {
    let (client, _) = connect(status, body, None).await;
    request.fail(&client, "no stock").await.unwrap();
    assert_eq!((request.status().as_str(), request.get("/reason")), ("failed", Some("no stock".into())));
}

#[rstest]
#[case::of_an_asset(asset_request(), r#"POST requests/PR-1/inquire {"template_id":"TL-1"}"#)]
#[case::of_a_tier(tier_request(), "POST tier/config-requests/TCR-1/inquire")]
#[tokio::test]
async fn an_inquired_request_is_inquiring(#[case] request: Request, #[case] sent: &str) {
    let (client, asked) = connect(204, Value::Null, None).await;
    request.inquire(&client, "TL-1").await.unwrap();
    assert_eq!((request.status().as_str(), first(&asked).as_str()), ("inquiring", sent));
}

#[tokio::test]
async fn written_parameters_are_what_connect_answers() {
    let now = json!({"asset": {"id": "AS-1", "params": [{"id": "a", "value": "1", "title": "A"}]}});
    let (client, _) = connect(200, now, None).await;
    let request = asset_request();
    request.update_params(&client, &[Param::new("a").value("1")]).await.unwrap();
    assert_eq!(request.asset().param("a").unwrap()["title"], "A");

    let now = json!({"configuration": {"id": "TC-1", "params": [{"id": "a", "value": "2"}]}, "params": [{"id": "b"}]});
    let (client, _) = connect(200, now, None).await;
    let request = tier_request();
    request.update_params(&client, &[Param::new("a").value("2")]).await.unwrap();
    assert_eq!(request.tier_configuration().param_text("a"), Some("2"));
    assert!(request.param("b").is_ok());
}

/// In the original the reason is written before the call, and stays when it is refused.
#[rstest]
#[case::of_an_asset(asset_request())]
#[case::of_a_tier(tier_request())]
#[tokio::test]
async fn what_connect_refuses_is_an_error_and_leaves_the_request_as_it_was(#[case] request: Request) {
    let (client, asked) = connect(400, refused("REQ_003", "At least one parameter should be marked as invalid."), None).await;
    let before = request.raw();
    let params = [Param::new("a").value("1")];
    for error in [
        request.approve(&client, Approve::template("TL-1")).await.unwrap_err(),
        request.fail(&client, "").await.unwrap_err(),
        request.inquire(&client, "TL-1").await.unwrap_err(),
        request.update_params(&client, &params).await.unwrap_err(),
    ] {
        let ApiError::Refused { status: 400, error_code, errors, .. } = error else { panic!("{error}") };
        assert_eq!((error_code.as_deref(), errors.len()), (Some("REQ_003"), 1));
    }
    assert_eq!(request.raw(), before);
    assert_eq!(asked.lock().unwrap().len(), 4);
}

#[tokio::test]
async fn a_request_about_something_else_cannot_be_approved() {
    let (client, asked) = connect(200, json!({}), None).await;
    let request = Request::from(json!({"id": "LSTR-1", "type": "new"}));
    let error = request.approve(&client, Approve::template("TL-1")).await.unwrap_err().to_string();
    assert_eq!(error, "LSTR-1 (type `new`) is neither an asset request nor a tier configuration request");
    assert!(asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_subscription_in_offline_mode_is_approved_with_the_template_and_the_log_says_so() {
    let (client, asked) = connect(200, json!({"status": "approved"}), None).await;
    let memory = Arc::new(Memory::default());
    let cx = Context {
        task: TaskInfo::default(),
        config: Config::default(),
        client,
        scope: Scope::new(memory.clone()),
        installation: None,
        installation_client: None,
    };
    let request = Request::from(json!({"id": "PR-1", "type": "cancel", "status": "pending",
        "asset": {"id": "AS-1", "params": [{"id": "offline_mode", "value": "AS-1"}]}}));
    let saga = Saga::new("cancel")
        .transaction(FnTransaction::new("cancel", |_, _| async { Ok(true) }, |_, _| async { Err("not to be run".into()) }))
        .middleware(Offline::new(OfflineRules::standard()).on_match(ApproveOnMatch::new("TL-1")));
    assert_eq!(saga.resolve(&cx, &request).await.unwrap(), Background::Done);
    assert_eq!(request.status(), "approved");
    assert_eq!(first(&asked), r#"POST requests/PR-1/approve {"template_id":"TL-1"}"#);
    let said = memory.seen().into_iter().find_map(|o| if let Fact::Log { message, .. } = o.fact { Some(message) } else { None });
    assert_eq!(said.as_deref(), Some("The subscription AS-1 is in offline mode."));
}
