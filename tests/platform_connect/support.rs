//! A runner and a REST caller, as thin as can be.

use std::sync::Arc;
use std::time::Duration;

use connect_console::connect::{ApiError, Client, ClientBuilder};
use connect_console::observe::{Fact, Memory, Origin};
use connect_console::platform::{Access, Platform, PlatformOptions};
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

pub(crate) const PURCHASE: &str = "asset_purchase_request_processing";
const PATIENCE: Duration = Duration::from_secs(30);

/// A platform of its own, with its directory and all it said.
pub(crate) struct Local {
    pub(crate) platform: Platform,
    pub(crate) seen: Arc<Memory>,
    pub(crate) dir: TempDir,
}

impl Local {
    pub(crate) async fn start() -> Self {
        Self::start_in(TempDir::new().unwrap()).await
    }

    pub(crate) async fn start_in(dir: TempDir) -> Self {
        Self::keeping(dir, None).await
    }

    /// One that keeps so many settled tasks.
    pub(crate) async fn keeping(dir: TempDir, kept: Option<usize>) -> Self {
        let seen = Arc::new(Memory::default());
        let options = PlatformOptions { dir: dir.path().join("connect"), kept, ..PlatformOptions::default() };
        let platform = Platform::start(options, Arc::clone(&seen) as _).await.unwrap();
        Self { platform, seen, dir }
    }

    pub(crate) async fn restart(self) -> Self {
        self.platform.stop().await;
        Self::start_in(self.dir).await
    }

    pub(crate) fn client(&self) -> Client {
        let access = self.platform.access();
        ClientBuilder::new(base(access), access.api_key.clone()).build().unwrap()
    }

    pub(crate) async fn trigger(&self, event_type: &str) -> String {
        self.platform.trigger(event_type, None, &[]).await.unwrap().task_id
    }

    /// Where the deliveries of a task came from, in order.
    pub(crate) fn origins(&self, task: &str) -> Vec<Origin> {
        let origin = |fact| match fact {
            Fact::TaskQueued { task_id, origin, .. } if task_id == task => Some(origin),
            _ => None,
        };
        self.seen.seen().into_iter().filter_map(|o| origin(o.fact)).collect()
    }

    pub(crate) fn logged(&self, part: &str) -> bool {
        self.seen.seen().iter().any(|o| matches!(&o.fact, Fact::Log { message, .. } if message.contains(part)))
    }
}

pub(crate) fn base(access: &Access) -> String {
    format!("http://{}/public/v1", access.api_address)
}

/// Waits until `holds`.
pub(crate) async fn until(what: &str, holds: impl Fn() -> bool) {
    crate::until::until(PATIENCE, what, || holds().then_some(())).await;
}

/// One connection of a runner.
pub(crate) struct Runner(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Runner {
    pub(crate) async fn dial(access: &Access, key: &str, instance: &str, query: &str) -> Result<Self, Error> {
        let (address, environment) = (&access.server_address, &access.environment_id);
        let url = format!("ws://{address}/public/v1/devops/ws/{environment}/{instance}?{query}");
        let mut request = url.into_client_request().unwrap();
        request.headers_mut().insert("authorization", key.parse().unwrap());
        Ok(Self(connect_async(request).await?.0))
    }

    /// Connects and shakes hands, subscribing to `events`; gives the setup response too.
    pub(crate) async fn attach(local: &Local, instance: &str, query: &str, events: Value) -> (Self, Value) {
        let access = local.platform.access();
        let mut runner = Self::dial(access, access.api_key.reveal(), instance, query).await.unwrap();
        runner.set_up(events, json!([])).await;
        let response = runner.next().await;
        assert_eq!(response["message_type"], "setup_response");
        (runner, response["data"].clone())
    }

    /// The ordinary one: all categories, purchases that are pending.
    pub(crate) async fn purchases(local: &Local) -> Self {
        Self::attach(local, "one", "running_tasks=0&running_scheduled_tasks=0", json!({PURCHASE: ["pending"]})).await.0
    }

    pub(crate) async fn set_up(&mut self, events: Value, variables: Value) {
        let data = json!({
            "event_subscriptions": events, "variables": variables, "runner_version": "43.1", "model_type": "setup_request",
            "schedulables": [{"method": "run_schedule", "name": "Run", "description": ""}],
        });
        self.send(&json!({"version": 2, "message_type": "setup_request", "data": data})).await;
    }

    pub(crate) async fn send(&mut self, message: &Value) {
        self.send_text(&message.to_string()).await;
    }

    pub(crate) async fn send_text(&mut self, text: &str) {
        self.try_send_text(text).await.unwrap();
    }

    pub(crate) async fn try_send_text(&mut self, text: &str) -> Result<(), Error> {
        self.0.send(Message::text(text)).await
    }

    /// The next message of the platform.
    pub(crate) async fn next(&mut self) -> Value {
        tokio::time::timeout(PATIENCE, self.next_or_end()).await.expect("no message came").expect("the connection ended")
    }

    pub(crate) async fn next_or_end(&mut self) -> Option<Value> {
        loop {
            match self.0.next().await {
                Some(Ok(Message::Text(text))) => return Some(serde_json::from_str(&text).unwrap()),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                _ => return None,
            }
        }
    }

    /// The next task.
    pub(crate) async fn task(&mut self) -> Value {
        let message = self.next().await;
        assert_eq!(message["message_type"], "task", "{message}");
        message
    }

    /// Whether no message is on its way: a push that everybody gets comes next.
    pub(crate) async fn is_idle(&mut self, local: &Local) -> bool {
        local.platform.apply().unwrap();
        self.next().await["message_type"] == "setup_response"
    }

    pub(crate) async fn answer(&mut self, task: &Value, output: Value) {
        let mut result = task.clone();
        result["data"]["output"] = output;
        self.send(&result).await;
    }

    pub(crate) async fn close(mut self) {
        self.0.close(None).await.unwrap();
    }
}

pub(crate) fn id_of(task: &Value) -> String {
    task["data"]["options"]["task_id"].as_str().unwrap().to_owned()
}

pub(crate) fn object_of(task: &Value) -> String {
    task["data"]["input"]["object_id"].as_str().unwrap().to_owned()
}

/// What a call was refused with: status, code, texts.
pub(crate) fn refusal(error: ApiError) -> (u16, String, String) {
    match error {
        ApiError::Refused { status, error_code, errors, .. } => (status, error_code.unwrap(), errors.join("; ")),
        other => panic!("{other}"),
    }
}

/// Posts, and gives the answer or the refusal.
pub(crate) async fn post(client: &Client, path: &str, body: Value) -> Result<Value, (u16, String, String)> {
    client.post(path, Some(&body)).await.map_err(refusal)
}
