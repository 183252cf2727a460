//! The relay between a runner and a real Connect: a small Connect the test scripts on one side, on the other a runner as
//! thin as can be, or the official one.
//!
//! The official runner needs a Python that has it: its path is taken from the variable `CONNECT_CONSOLE_TEST_PYTHON`.
//! Where that is not set its test says `skipped: ...` and passes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers outside #[test] functions fail by panicking
#![cfg(feature = "console")]

mod fake;
mod support;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use connect_console::authority::{Authority, TlsListener};
use connect_console::observe::{Fact, LinkState, Memory};
use connect_console::platform::{Platform, PlatformOptions, Tls};
use connect_console::relay::{Relay, RelayAccess, RelayOptions};
use fake::until::until_seen;
use fake::{Connect, KEY, PATIENCE, configuration, facts_of, purchase, seen};
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use support::{Running, anywhere, program};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// A relay before a Connect, and all it said.
struct Stage {
    connect: Connect,
    relay: Relay,
    seen: Arc<Memory>,
    dir: TempDir,
}

impl Stage {
    async fn start() -> Self {
        Self::before(Connect::start().await, tempfile::tempdir().unwrap()).await
    }

    async fn before(connect: Connect, dir: TempDir) -> Self {
        connect_console::connect::tls::install();
        let seen = Arc::new(Memory::default());
        let authority = Authority::open(dir.path()).unwrap();
        let options = RelayOptions { connect: connect.options(dir.path()), authority };
        let relay = Relay::start(options, Arc::clone(&seen) as _).await.unwrap();
        Self { connect, relay, seen, dir }
    }

    /// A runner that is introduced and configured, with Connect's end of its connection.
    async fn attached(&mut self) -> (Runner, fake::Peer) {
        let mut runner = Runner::dial(self.relay.access(), "running_tasks=0&runner_type=background").await.unwrap();
        runner.send(&introduction()).await;
        let peer = self.connect.configured().await;
        assert_eq!(runner.next().await["message_type"], "setup_response");
        (runner, peer)
    }

    /// A call as the official runner makes it.
    async fn call(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> reqwest::Response {
        let access = self.relay.access();
        let pem = std::fs::read(&access.ca_file).unwrap();
        let trusted = reqwest::Certificate::from_pem_bundle(&pem).unwrap();
        let agent = "connect-extension-runner/43.1 CPython/3.11 Linux/6.1 ENV-1234-5678-01/instance";
        let client = reqwest::Client::builder().no_proxy().user_agent(agent).tls_certs_only(trusted).build().unwrap();
        let mut call = client.request(method.parse().unwrap(), format!("https://{}/public/v1/{path}", access.api_address));
        for (name, value) in headers {
            call = call.header(*name, *value);
        }
        call.send().await.unwrap()
    }

    async fn until(&self, what: &str, holds: impl Fn() -> bool) {
        until_seen(&self.seen, PATIENCE, what, || holds().then_some(())).await;
    }
}

fn introduction() -> Value {
    json!({"version": 2, "message_type": "setup_request", "data": {
        "event_subscriptions": {"asset_purchase_request_processing": ["pending"]}, "runner_version": "43.1",
        "variables": [{"name": "TOKEN", "initial_value": "", "secure": true}], "model_type": "setup_request",
    }})
}

/// One connection of a runner.
struct Runner(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Runner {
    async fn dial(access: &RelayAccess, query: &str) -> Result<Self, Box<Error>> {
        Self::dial_with(access, access.api_key.reveal(), query).await
    }

    async fn dial_with(access: &RelayAccess, key: &str, query: &str) -> Result<Self, Box<Error>> {
        let RelayAccess { server_address, environment_id, instance_id, .. } = access;
        let url = format!("ws://{server_address}/public/v1/devops/ws/{environment_id}/{instance_id}?{query}");
        let mut request = url.into_client_request().unwrap();
        request.headers_mut().insert("authorization", key.parse().unwrap());
        Ok(Self(connect_async(request).await?.0))
    }

    async fn send(&mut self, message: &Value) {
        self.0.send(Message::text(message.to_string())).await.unwrap();
    }

    async fn next(&mut self) -> Value {
        loop {
            match tokio::time::timeout(PATIENCE, self.0.next()).await.expect("no message came") {
                Some(Ok(Message::Text(text))) => return serde_json::from_str(&text).unwrap(),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => panic!("the connection ended: {other:?}"),
            }
        }
    }

    async fn answer(&mut self, task: &Value, result: &str) {
        let mut task = task.clone();
        task["data"]["output"] = json!({"result": result, "message": "so it is"});
        self.send(&task).await;
    }
}

fn links(seen: &Memory) -> Vec<(LinkState, String)> {
    let link = |fact| if let Fact::Link { state, detail } = fact { Some((state, detail)) } else { None };
    seen.seen().into_iter().filter_map(|o| link(o.fact)).collect()
}

#[tokio::test]
async fn a_task_passes_and_all_of_its_delivery_is_seen_but_the_real_key_by_connect_alone() {
    let mut stage = Stage::start().await;
    let query = "running_tasks=3&running_scheduled_tasks=1&runner_type=background";
    let mut runner = Runner::dial(stage.relay.access(), query).await.unwrap();
    let mut peer = stage.connect.peer().await;
    assert_eq!(peer.authorization, KEY);
    assert_eq!((peer.query["running_tasks"].as_str(), peer.query["runner_type"].as_str()), ("3", "background"));
    runner.send(&introduction()).await;
    assert_eq!(peer.receive().await, introduction());
    let sent = configuration(json!([{"name": "TOKEN", "value": "giraffe", "secure": true}]));
    peer.send(&sent);
    assert_eq!(runner.next().await, sent);
    stage.until("the link", || stage.relay.status().borrow().link() == LinkState::Connected).await;
    assert_eq!(stage.relay.declared(), [("TOKEN".to_owned(), true)]);
    assert_eq!(stage.relay.variables()[0].value, "giraffe");

    peer.send(&purchase("TQ-1", "PR-1"));
    let task = runner.next().await;
    assert_eq!(task, purchase("TQ-1", "PR-1"));
    assert_eq!(stage.relay.status().borrow().running, 1);
    let own = stage.relay.access().api_key.reveal().to_owned();
    let key = ("authorization", own.as_str());
    let count = stage.call("GET", "requests?and(eq(id,PR-1),in(status,(pending)))&limit=0&offset=0", &[key]).await;
    assert_eq!(count.headers()["content-range"], "items 0-0/1");
    let object: Value = stage.call("GET", "requests/PR-1", &[key]).await.json().await.unwrap();
    assert_eq!(object["id"], "PR-1");
    stage.connect.answer("requests/PR-1/approve", 400, json!({"error_code": "REQ_003", "errors": ["no"]}));
    let refused = stage.call("POST", "requests/PR-1/approve", &[key, ("EAAS_TASK_ID", "TQ-1")]).await;
    assert_eq!(refused.status(), 400);
    runner.answer(&task, "fail").await;
    let result = peer.result().await;
    assert_eq!((&result["options"]["task_id"], &result["output"]["result"]), (&json!("TQ-1"), &json!("fail")));
    stage.until("the result is told", || facts_of(&stage.seen, "TQ-1").len() == 7).await;
    let told = |fact: &Fact| match fact {
        Fact::TaskArrived(task) => format!("arrived {}", task.object_id),
        Fact::ApiCall(call) => format!("{} {} {}", call.method, call.path, call.status.unwrap()),
        Fact::ObjectFetched { object } => format!("fetched {}", object["id"].as_str().unwrap()),
        Fact::Answered(answer) => format!("answered {}", answer.result),
        Fact::ResultSent { .. } => "sent".into(),
        other => format!("{other:?}"),
    };
    let expected = [
        "arrived PR-1",
        "GET requests?and(eq(id,PR-1),in(status,(pending)))&limit=0&offset=0 200",
        "GET requests/PR-1 200",
        "fetched PR-1",
        "POST requests/PR-1/approve 400",
        "answered fail",
        "sent",
    ];
    assert_eq!(facts_of(&stage.seen, "TQ-1").iter().map(told).collect::<Vec<_>>(), expected);
    assert!(stage.connect.calls().iter().all(|call| call.headers["authorization"] == KEY));
    assert!(stage.connect.calls()[0].headers["user-agent"].ends_with("ENV-1234-5678-01/instance"));
    assert!(!format!("{:?}", stage.seen.seen()).contains("zebra"));
}

#[tokio::test]
async fn a_call_with_another_key_goes_on_as_it_is_and_one_without_gets_none() {
    let stage = Stage::start().await;
    let installation = "ApiKey SU-111-111-111:hippo";
    stage.call("GET", "accounts", &[("authorization", installation)]).await;
    stage.call("GET", "accounts", &[]).await;
    let calls = stage.connect.calls();
    assert_eq!(calls[0].headers["authorization"], installation);
    assert!(!calls[1].headers.contains_key("authorization"));
    let calls = || stage.seen.seen().into_iter().filter(|o| o.delivery.is_none() && matches!(o.fact, Fact::ApiCall(_))).count();
    stage.until("calls outside of deliveries are told, too", || calls() == 2).await;
}

#[tokio::test]
async fn when_connect_drops_the_line_the_runner_does_not_notice_and_its_result_goes_out_once() {
    let mut stage = Stage::start().await;
    let (mut runner, mut peer) = stage.attached().await;
    peer.send(&purchase("TQ-1", "PR-1"));
    peer.send(&purchase("TQ-2", "PR-2"));
    let (first, second) = (runner.next().await, runner.next().await);
    peer.drop_connection();
    stage.until("the gap is seen", || links(&stage.seen).iter().any(|(state, _)| *state == LinkState::Waiting)).await;
    runner.answer(&first, "success").await;
    let mut again = stage.connect.peer().await;
    assert_eq!(again.authorization, KEY);
    assert_eq!(again.query["running_tasks"], "2");
    assert_eq!(again.query["runner_type"], "background");
    assert_eq!(again.receive().await, introduction(), "the runner is introduced again, and says nothing before");
    again.send(&configuration(json!([])));
    // Its result and a redelivery cross each other on the way.
    again.send(&purchase("TQ-1", "PR-1"));
    assert_eq!(again.result().await["options"]["task_id"], "TQ-1");
    assert_eq!(runner.next().await["message_type"], "setup_response");
    // What is being handled comes again from a Connect that knows no better.
    again.send(&purchase("TQ-2", "PR-2"));
    again.send(&purchase("TQ-3", "PR-3"));
    assert_eq!(runner.next().await, purchase("TQ-3", "PR-3"), "TQ-1 is answered, TQ-2 in its hands");
    runner.answer(&second, "success").await;
    assert_eq!(again.result().await["options"]["task_id"], "TQ-2");
    assert!(again.is_silent() && peer.is_silent());
    let states: Vec<LinkState> = links(&stage.seen).into_iter().map(|(state, _)| state).collect();
    use LinkState::{Connected, Connecting, Waiting};
    assert_eq!(states, [Connecting, Connected, Waiting, Connecting, Connected]);
}

#[tokio::test]
async fn a_result_connect_never_got_waits_on_disk_without_its_key_and_goes_out_at_the_next_start() {
    let mut stage = Stage::start().await;
    let (mut runner, peer) = stage.attached().await;
    let mut task = purchase("TQ-1", "PR-1");
    task["data"]["options"]["api_key"] = "ApiKey SU-1:hippo".into();
    peer.send(&task);
    let task = runner.next().await;
    assert_eq!(task["data"]["options"]["api_key"], "ApiKey SU-1:hippo", "the runner needs it");
    stage.connect.refuse(Some(502));
    peer.drop_connection();
    stage.until("the gap is seen", || links(&stage.seen).iter().any(|(state, _)| *state == LinkState::Waiting)).await;
    runner.answer(&task, "success").await;
    stage.until("the result is kept", || stage.relay.status().borrow().unsent == 1).await;
    drop(runner);
    stage.relay.stop().await;
    let file = stage.dir.path().join("outbox.relay-background");
    let kept = std::fs::read_to_string(&file).unwrap();
    assert!(kept.contains("TQ-1") && !kept.contains("hippo") && !kept.contains("zebra"), "{kept}");

    let Stage { connect, dir, .. } = stage;
    connect.refuse(None);
    let mut stage = Stage::before(connect, dir).await;
    let (_runner, mut peer) = stage.attached().await;
    assert_eq!(peer.result().await["options"]["task_id"], "TQ-1");
}

#[tokio::test]
async fn what_connect_answers_instead_of_opening_the_runner_is_told_and_the_developer_in_words() {
    let mut stage = Stage::start().await;
    stage.connect.refuse(Some(502));
    let refused = Runner::dial(stage.relay.access(), "runner_type=background").await.err().unwrap();
    assert!(matches!(*refused, Error::Http(answer) if answer.status() == 502));
    stage.connect.refuse(Some(401));
    let refused = Runner::dial(stage.relay.access(), "runner_type=background").await.err().unwrap();
    assert!(matches!(*refused, Error::Http(answer) if answer.status() == 401));
    let said: Vec<String> = links(&stage.seen).into_iter().map(|(_, detail)| detail).collect();
    assert!(said[0].starts_with("Connect is in maintenance (502); the runner tries again by itself"), "{said:?}");
    assert!(said[1].starts_with("Connect refused the key (401): check API_KEY and ENVIRONMENT_ID"), "{said:?}");
    assert_eq!(stage.relay.status().borrow().link(), LinkState::Waiting);
    stage.connect.refuse(None);
    stage.attached().await;
    stage.until("it is well again", || stage.relay.status().borrow().link() == LinkState::Connected).await;
}

#[tokio::test]
async fn nobody_without_the_relays_own_key_is_let_in_and_a_connect_that_is_not_there_is_said() {
    let stage = Stage::start().await;
    for key in [KEY, "ApiKey SU-0:wrong"] {
        let refused = Runner::dial_with(stage.relay.access(), key, "").await.err().unwrap();
        assert!(matches!(*refused, Error::Http(answer) if answer.status() == 401), "{key}");
    }
    let mut options = stage.connect.options(&stage.dir.path().join("other"));
    options.api_address = "127.0.0.1:1".into();
    let authority = Authority::open(stage.dir.path()).unwrap();
    let relay = Relay::start(RelayOptions { connect: options, authority }, Arc::clone(&stage.seen) as _).await.unwrap();
    let stage = Stage { relay, ..stage };
    let answer = stage.call("GET", "requests/PR-1", &[]).await;
    assert_eq!(answer.status(), 502);
    let body: Value = answer.json().await.unwrap();
    assert!(body["errors"][0].as_str().unwrap().starts_with("Connect gave no answer: "), "{body}");
    let error = |fact: &Fact| if let Fact::ApiCall(call) = fact { call.error.clone() } else { None };
    seen(&stage.seen, |o| error(&o.fact)).await;
}

#[tokio::test]
async fn a_runner_that_goes_leaves_its_tasks_to_connect_and_takes_its_connection_with_it() {
    let mut stage = Stage::start().await;
    let (mut runner, mut peer) = stage.attached().await;
    peer.send(&purchase("TQ-1", "PR-1"));
    runner.next().await;
    drop(runner);
    let interrupted = || facts_of(&stage.seen, "TQ-1").iter().any(|fact| matches!(fact, Fact::Interrupted { .. }));
    stage.until("the delivery is over", interrupted).await;
    while peer.frame().await.is_some_and(|frame| !matches!(frame, axum::extract::ws::Message::Close(_))) {}
    assert_eq!(stage.relay.status().borrow().running, 0);
    let (_runner, again) = stage.attached().await;
    assert_eq!(again.query["running_tasks"], "0");
}

#[tokio::test]
async fn a_frame_nobody_understands_is_told_and_passed_on() {
    let mut stage = Stage::start().await;
    let (mut runner, mut peer) = stage.attached().await;
    let odd = json!({"version": 3, "message_type": "task", "data": {}});
    peer.send(&odd);
    assert_eq!(runner.next().await, odd);
    runner.send(&odd).await;
    assert_eq!(peer.receive().await, odd);
    let whose = ["from Connect, passed on as it is", "from the runner, passed on as it is"];
    for whose in whose {
        seen(&stage.seen, |o| match &o.fact {
            Fact::FrameRejected { reason, .. } if reason.starts_with(whose) => Some(()),
            _ => None,
        })
        .await;
    }
}

/// The processes whose file of that name in `/proc` holds a text.
fn processes_with(name: &str, text: &str) -> Vec<PathBuf> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    processes.filter(|p| std::fs::read(p.join(name)).is_ok_and(|b| b.windows(text.len()).any(|w| w == text.as_bytes()))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_relay_goes_through_the_proxy_the_environment_names_which_never_sees_the_key() {
    let Some(python) = support::python() else { return };
    connect_console::connect::tls::install();
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::open(dir.path()).unwrap();
    let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = socket.local_addr().unwrap().port();
    let listener = TlsListener::new(socket, authority.server_config(&[fake::HOST]).unwrap()).unwrap();
    let mut connect = Connect::serve(listener, format!("{}:{port}", fake::HOST));
    let (proxy, heads) = fake::proxy(port, "200 OK").await;
    let mut command = program(&dir.path().join("data"));
    for name in ["https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "no_proxy"] {
        command.env_remove(name);
    }
    command
        .args(["run", "--headless", "--remote", "--json", "--extension"])
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/probe"))
        .arg("--python")
        .arg(python)
        .env("API_KEY", KEY)
        .env("ENVIRONMENT_ID", "ENV-1234-5678-01")
        .env("SERVER_ADDRESS", &connect.address)
        .env("SSL_CERT_FILE", authority.ca_file())
        .env("HTTPS_PROXY", proxy);
    let running = Running::start(command);
    // Each worker has a connection of its own; one that comes again before the other is there counts once.
    let mut workers = HashMap::new();
    while workers.len() < 2 {
        let mut peer = tokio::time::timeout(Duration::from_secs(120), connect.peers.recv()).await.unwrap().unwrap();
        assert_eq!(peer.authorization, KEY);
        assert_eq!(peer.receive().await["message_type"], "setup_request");
        let mut answer = configuration(json!([]));
        // The official runner never gets over a level it does not know.
        answer["data"]["logging"]["log_level"] = "INFO".into();
        peer.send(&answer);
        workers.insert(peer.query["runner_type"].clone(), peer);
    }
    let mut background = workers.remove("background").expect("a worker for background tasks");
    background.send(&purchase("TQ-1", "PR-1"));
    let result = background.result().await;
    assert_eq!(result["output"]["result"], "success", "{result}");
    let heads = heads.lock().unwrap().clone();
    assert!(heads.len() >= 3, "two sockets and the calls: {heads:?}");
    for head in &heads {
        assert!(head.starts_with(&format!("CONNECT {}:{port} HTTP/1.1\r\n", fake::HOST)), "{head}");
        assert!(head.to_lowercase().contains(&format!("proxy-authorization: {}", fake::CREDENTIALS).to_lowercase()), "{head}");
        assert!(!head.contains("zebra"), "the key is for Connect, not for the proxy");
    }
    assert!(tokio::task::block_in_place(|| running.terminate()).success());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_official_runner_serves_a_real_connect_through_the_relay() {
    let Some(python) = support::python() else { return };
    connect_console::connect::tls::install();
    let (there, here) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let authority = Authority::open(there.path()).unwrap();
    let tls = Some(Tls { authority, port: 0 });
    let options = PlatformOptions { dir: there.path().to_owned(), tls, ..PlatformOptions::default() };
    let platform = Platform::start(options, Arc::new(Memory::default())).await.unwrap();
    let access = platform.access();
    let (key, address) = (access.api_key.reveal(), access.tls_address.clone().unwrap());
    let mut command = program(here.path());
    command
        .args(["run", "--headless", "--remote", "--json", "--extension"])
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/probe"))
        .arg("--python")
        .arg(python)
        .env("API_KEY", key)
        .env("ENVIRONMENT_ID", &access.environment_id)
        .env("INSTANCE_ID", "far-away")
        .env("SERVER_ADDRESS", &address)
        .env("API_ADDRESS", &address)
        .env("SSL_CERT_FILE", access.ca_file.as_ref().unwrap());
    let running = Running::start(command);
    let printed = Mutex::new(Vec::new());
    let until = |what: &str, fits: &dyn Fn(&Value) -> bool| {
        let seen = |seen: &Value| {
            printed.lock().unwrap().push(seen.to_string());
            fits(seen)
        };
        tokio::task::block_in_place(|| running.until_within(Duration::from_secs(120), what, seen))
    };
    until("the link", &|seen| seen["kind"] == "link" && seen["state"] == "connected");
    let mut tasks = Vec::new();
    for note in ["bench:rest", "bench:raise", "bench:config"] {
        let set = [("note".to_owned(), note.to_owned())];
        tasks.push(platform.trigger("asset_purchase_request_processing", None, &set).await.unwrap());
    }
    let answered = Mutex::new(Vec::new());
    let count = Mutex::new(0);
    until("three results", &|seen| {
        if seen["kind"] == "answered" {
            answered.lock().unwrap().push(seen["result"].as_str().unwrap().to_owned());
        }
        *count.lock().unwrap() += usize::from(seen["kind"] == "result_sent");
        *count.lock().unwrap() == 3
    });
    let mut answered = answered.into_inner().unwrap();
    answered.sort();
    assert_eq!(answered, ["fail", "retry", "success"]);
    let approved = platform.object("requests", &tasks[0].object_id).unwrap();
    assert_eq!(approved["status"], "approved");
    // The runner has a process for each sort of tasks; the one without any may be the slower.
    let both = || Some(platform.connections()).filter(|connections| connections.len() == 2);
    let connections = fake::until::until(Duration::from_secs(60), "both processes of the runner", both).await;
    assert!(connections.iter().all(|c| c.instance_id == "far-away"), "{connections:?}");
    let calls = printed.lock().unwrap().iter().filter(|line| line.contains(r#""kind":"api_call""#)).count();
    assert!(calls >= 3 * 2 + 2, "two look-ups a task, a template and an approval: {calls}");

    let variables = tokio::task::block_in_place(|| support::run(here.path(), &["env", "list", "--json"])).objects();
    let plain = variables.iter().find(|v| v["name"] == "PLAIN_VAR").unwrap();
    assert_eq!((&plain["value"], &plain["declared"]), (&json!("plain-default"), &json!(true)), "{plain}");
    assert_eq!(plain["state"], "live", "{plain}");

    // The only process that knows the key is the console itself, by its environment.
    let secret = key.rsplit(':').next().unwrap();
    assert_eq!(processes_with("cmdline", secret), Vec::<PathBuf>::new());
    let own: Vec<PathBuf> = vec![format!("/proc/{}", running.child.id()).into()];
    assert_eq!(processes_with("environ", secret), own);
    assert!(tokio::task::block_in_place(|| running.terminate()).success());
    assert!(printed.lock().unwrap().iter().all(|line| !line.contains(secret)));
    assert!(!anywhere(here.path(), secret));
    let runner = here.path().join("guest");
    assert_eq!(processes_with("cmdline", runner.to_str().unwrap()), Vec::<PathBuf>::new(), "nobody is left");
    platform.stop().await;
}
