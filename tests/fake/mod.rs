//! A small Connect the tests script: a WebSocket they talk through and a REST API that answers as they say, both on a
//! real socket.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    unreachable_pub,
    reason = "a helper of tests, shared by several"
)]

#[path = "../support/until.rs"]
pub(crate) mod until;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use connect_console::observe::{Fact, Memory, Observation, Secret};
use connect_console::runtime::{Limits, RuntimeOptions};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

pub const KEY: &str = "ApiKey SU-000-000-000:zebra";
pub const PATIENCE: Duration = Duration::from_secs(30);

/// One call of the REST API.
#[derive(Debug, Clone)]
pub struct Call {
    pub method: String,
    /// Path and query below `/public/v1/`.
    pub path: String,
    pub headers: HashMap<String, String>,
}

/// The WebSocket of one runner, from Connect's side.
pub struct Peer {
    pub query: HashMap<String, String>,
    pub authorization: String,
    /// What is sent together; `None`: no more, and no good-bye.
    out: mpsc::UnboundedSender<Option<Vec<Message>>>,
    incoming: mpsc::UnboundedReceiver<Message>,
}

#[derive(Default)]
struct Scripted {
    answers: Mutex<HashMap<String, (u16, Value)>>,
    calls: Mutex<Vec<Call>>,
    refuse: Mutex<Option<u16>>,
    /// How the paths begin whose answers are held back.
    held: tokio::sync::watch::Sender<Option<String>>,
}

pub struct Connect {
    pub address: String,
    scripted: Arc<Scripted>,
    /// The runners that connect.
    pub peers: mpsc::UnboundedReceiver<Peer>,
}

type Shared = (Arc<Scripted>, mpsc::UnboundedSender<Peer>);

impl Connect {
    pub async fn start() -> Self {
        Self::start_on(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    pub fn start_on(listener: TcpListener) -> Self {
        let address = listener.local_addr().unwrap().to_string();
        Self::serve(listener, address)
    }

    /// On any listener, over TLS say; runners are told that it is at `address`.
    pub fn serve<L: axum::serve::Listener>(listener: L, address: String) -> Self
    where
        L::Addr: std::fmt::Debug,
    {
        let scripted = Arc::new(Scripted::default());
        let (sender, peers) = mpsc::unbounded_channel();
        let router = Router::new()
            .route("/public/v1/devops/ws/{environment}/{instance}", get(socket))
            .fallback(any(rest))
            .with_state((scripted.clone(), sender));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, scripted, peers }
    }

    /// Options of a runtime for this Connect, its outbox in `dir`.
    pub fn options(&self, dir: &std::path::Path) -> RuntimeOptions {
        RuntimeOptions {
            api_key: Secret::new(KEY),
            environment_id: "ENV-1234-5678-01".into(),
            instance_id: "instance".into(),
            server_address: self.address.clone(),
            api_address: self.address.clone(),
            unsecure: true,
            outbox: dir.join("outbox"),
            limits: Limits::default(),
        }
    }

    /// Answers calls of `path` (below `/public/v1/`, without its query) this way from now on.
    pub fn answer(&self, path: &str, status: u16, body: Value) {
        self.scripted.answers.lock().unwrap().insert(path.into(), (status, body));
    }

    /// Answers calls of `path` as before it was told how.
    pub fn forget(&self, path: &str) {
        self.scripted.answers.lock().unwrap().remove(path);
    }

    /// Refuses WebSockets with this status; `None`: no more.
    pub fn refuse(&self, status: Option<u16>) {
        *self.scripted.refuse.lock().unwrap() = status;
    }

    /// Holds all answers of the REST API back, or no more.
    pub fn hold(&self, held: bool) {
        self.scripted.held.send_replace(held.then(String::new));
    }

    /// Holds the answers to calls of paths that begin like this back (below `/public/v1/`).
    pub fn hold_at(&self, path: &str) {
        self.scripted.held.send_replace(Some(path.into()));
    }

    /// Waits for a call of `path` (below `/public/v1/`).
    pub async fn called(&self, path: &str) {
        let called = || self.calls().iter().any(|call| call.path.starts_with(path)).then_some(());
        until::until(PATIENCE, &format!("a call of {path}"), called).await;
    }

    pub fn calls(&self) -> Vec<Call> {
        self.scripted.calls.lock().unwrap().clone()
    }

    /// The next runner that connects.
    pub async fn peer(&mut self) -> Peer {
        tokio::time::timeout(PATIENCE, self.peers.recv()).await.expect("no runner connects").unwrap()
    }

    /// The next runner that connects, configured as usual.
    pub async fn configured(&mut self) -> Peer {
        self.configured_with(None).await
    }

    /// The same; what it has no results of comes right behind its configuration, before it has answered anything.
    pub async fn configured_with(&mut self, again: Option<Value>) -> Peer {
        let mut peer = self.peer().await;
        assert_eq!(peer.receive().await["message_type"], "setup_request");
        let configuration = configuration(json!([{"name": "PLAIN", "value": "one", "secure": false}]));
        let both = [Some(configuration), again].into_iter().flatten();
        peer.out.send(Some(both.map(|message| Message::Text(message.to_string().into())).collect())).unwrap();
        peer
    }
}

/// A setup response with these variables and the definition of the purchase event.
pub fn configuration(variables: Value) -> Value {
    let definition = |event_type: &str| {
        json!({
            "event_type": event_type, "api_resource_endpoint": "requests/{pk}", "api_collection_endpoint": "requests",
            "api_collection_filter": "and(eq(id,${_object_id_}),in(status,${_statuses_}))",
        })
    };
    json!({"version": 2, "message_type": "setup_response", "data": {
        "model_type": "setup_response",
        "variables": variables,
        "environment_type": "development",
        "logging": {"log_level": "LOUD", "runner_log_level": "INFO", "meta": {"service_id": "SRVC-1234-5678"}},
        "event_definitions": [definition("asset_purchase_request_processing"), definition("asset_change_request_processing")],
    }})
}

/// A task as Connect sends it.
pub fn task(id: &str, category: &str, event_type: &str, object_id: &str, data: Value) -> Value {
    json!({"version": 2, "message_type": "task", "data": {
        "options": {"task_id": id, "task_category": category, "correlation_id": format!("c-{id}"), "reply_to": "queue",
                    "api_key": null, "installation_id": null, "connect_correlation_id": null},
        "input": {"event_type": event_type, "object_id": object_id, "data": data},
        "output": null,
        "model_type": "task",
    }})
}

/// A purchase to process.
pub fn purchase(id: &str, object_id: &str) -> Value {
    task(id, "background", "asset_purchase_request_processing", object_id, Value::Null)
}

impl Peer {
    pub fn send(&self, message: &Value) {
        self.send_text(&message.to_string());
    }

    pub fn send_text(&self, text: &str) {
        self.send_frame(Message::Text(text.into()));
    }

    pub fn send_frame(&self, frame: Message) {
        self.out.send(Some(vec![frame])).unwrap();
    }

    /// Drops the connection without a word.
    pub fn drop_connection(&self) {
        let _ = self.out.send(None);
    }

    /// Closes it politely, as a Connect that goes away does.
    pub fn go_away(&self) {
        self.send_frame(Message::Close(Some(CloseFrame { code: 1001, reason: "going away".into() })));
    }

    /// The next frame, whatever it is.
    pub async fn frame(&mut self) -> Option<Message> {
        tokio::time::timeout(PATIENCE, self.incoming.recv()).await.expect("the runner says nothing")
    }

    /// The next message.
    pub async fn receive(&mut self) -> Value {
        loop {
            match self.frame().await.expect("the runner is gone") {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                _ => continue,
            }
        }
    }

    /// The next result.
    pub async fn result(&mut self) -> Value {
        let message = self.receive().await;
        assert_eq!(message["message_type"], "task", "{message}");
        message["data"].clone()
    }

    /// The results that have come so far.
    pub fn results_so_far(&mut self) -> Vec<Value> {
        let frames = std::iter::from_fn(|| self.incoming.try_recv().ok());
        let message = |frame| if let Message::Text(text) = frame { serde_json::from_str::<Value>(&text).ok() } else { None };
        frames.filter_map(message).map(|message| message["data"].clone()).collect()
    }

    /// Whether no more messages have come so far.
    pub fn is_silent(&mut self) -> bool {
        self.results_so_far().is_empty()
    }
}

async fn socket(
    State((scripted, peers)): State<Shared>,
    Path(_): Path<(String, String)>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    if let Some(status) = *scripted.refuse.lock().unwrap() {
        return StatusCode::from_u16(status).unwrap().into_response();
    }
    let authorization = headers["authorization"].to_str().unwrap().to_owned();
    upgrade.max_message_size(1 << 28).max_frame_size(1 << 28).on_upgrade(move |socket| talk(socket, peers, query, authorization))
}

async fn talk(mut socket: WebSocket, peers: mpsc::UnboundedSender<Peer>, query: HashMap<String, String>, authorization: String) {
    let (out, mut outgoing) = mpsc::unbounded_channel();
    let (inbox, incoming) = mpsc::unbounded_channel();
    let _ = peers.send(Peer { query, authorization, out, incoming });
    loop {
        tokio::select! {
            frame = outgoing.recv() => match frame {
                Some(Some(frames)) => for frame in frames {
                    if socket.send(frame).await.is_err() { return }
                },
                _ => return,
            },
            frame = socket.recv() => match frame {
                Some(Ok(frame)) => drop(inbox.send(frame)),
                _ => return,
            },
        }
    }
}

async fn rest(State((scripted, _)): State<Shared>, method: Method, uri: Uri, headers: HeaderMap, _body: Bytes) -> Response {
    let path_and_query = uri.path_and_query().unwrap().as_str();
    let path = uri.path().strip_prefix("/public/v1/").unwrap_or_default().to_owned();
    let headers = headers.iter().map(|(n, v)| (n.to_string(), v.to_str().unwrap_or_default().to_owned())).collect();
    let called = path_and_query.replace("/public/v1/", "");
    let call = Call { method: method.to_string(), path: called.clone(), headers };
    scripted.calls.lock().unwrap().push(call);
    let _ = scripted.held.subscribe().wait_for(|held| held.as_ref().is_none_or(|held| !called.starts_with(held))).await;
    let (status, body) = match scripted.answers.lock().unwrap().get(&path) {
        Some((status, body)) => (*status, body.clone()),
        None => match path.split_once('/') {
            Some(("requests", id)) => (200, json!({"id": id, "status": "pending", "note": "as it is"})),
            _ => (200, json!([])),
        },
    };
    // A collection's count is the length of its scripted list; of any other it is one.
    let total = match &body {
        Value::Array(items) if scripted.answers.lock().unwrap().contains_key(&path) => items.len(),
        _ => 1,
    };
    let status = StatusCode::from_u16(status).unwrap();
    let headers = [("content-type", "application/json".to_owned()), ("content-range", format!("items 0-0/{total}"))];
    (status, headers, body.to_string()).into_response()
}

/// Waits until an observation is there.
pub async fn seen<T>(memory: &Memory, mut wanted: impl FnMut(&Observation) -> Option<T>) -> T {
    until::until_seen(memory, PATIENCE, "the observation", || memory.seen().iter().find_map(&mut wanted)).await
}

/// The facts of the delivery of a task, in order.
pub fn facts_of(memory: &Memory, task_id: &str) -> Vec<Fact> {
    let seen = memory.seen();
    let key = seen.iter().find_map(|o| match &o.fact {
        Fact::TaskArrived(arrived) if arrived.task_id == task_id => o.delivery.clone(),
        _ => None,
    });
    seen.into_iter().filter(|o| o.delivery.is_some() && o.delivery == key).map(|o| o.fact).collect()
}

/// Where runners find the Connect of these tests; no name server knows it.
pub const HOST: &str = "connect.test";
/// `user:giraffe`, as a proxy is told it.
pub const CREDENTIALS: &str = "Basic dXNlcjpnaXJhZmZl";

/// A proxy that leads to a port of this machine whatever it is asked for, and the heads of all requests it got.
pub async fn proxy(to: u16, answer: &'static str) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let heads = Arc::new(Mutex::new(Vec::new()));
    let seen = heads.clone();
    tokio::spawn(async move {
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            let seen = seen.clone();
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(client.read_u8().await?);
                }
                seen.lock().unwrap().push(String::from_utf8(head).unwrap());
                client.write_all(format!("HTTP/1.1 {answer}\r\n\r\n").as_bytes()).await?;
                if answer.starts_with("200") {
                    let mut server = TcpStream::connect(("127.0.0.1", to)).await?;
                    tokio::io::copy_bidirectional(&mut client, &mut server).await?;
                }
                std::io::Result::Ok(())
            });
        }
    });
    (format!("http://user:giraffe@{address}"), heads)
}
