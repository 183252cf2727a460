use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::lenient;

/// The categories of tasks.
pub mod category {
    /// The object is fetched over REST; may reschedule.
    pub const BACKGROUND: &str = "background";
    /// The object comes in the message; the answer goes to a waiting caller.
    pub const INTERACTIVE: &str = "interactive";
    /// A schedule is due.
    pub const SCHEDULED: &str = "scheduled";
    /// A spreadsheet to transform row by row; not taken by this runtime.
    pub const TRANSFORMATION: &str = "transformation";
}

/// A message of the protocol.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Message {
    /// Runner to platform: what the extension is and wants.
    SetupRequest(Box<SetupRequest>),
    /// Platform to runner: the configuration; in the handshake, and again whenever it is changed.
    SetupResponse(Box<SetupResponse>),
    /// Platform to runner without `output`, runner to platform with it.
    Task(Box<Task>),
    /// Either way: no more tasks, please.
    Shutdown,
    /// A message this side has no use for; tolerated.
    Other {
        /// Its `message_type`.
        message_type: String,
    },
}

impl Message {
    /// The message as a frame of version 2.
    #[must_use]
    pub fn encode(&self) -> String {
        match self {
            Self::SetupRequest(body) => frame("setup_request", body),
            Self::SetupResponse(body) => frame("setup_response", body),
            Self::Task(body) => body.encode(),
            Self::Shutdown => empty_frame("shutdown"),
            Self::Other { message_type } => empty_frame(message_type),
        }
    }
}

impl Task {
    /// The task, or with an `output` its result, as a frame of version 2.
    #[must_use]
    pub fn encode(&self) -> String {
        frame("task", self)
    }
}

fn empty_frame(message_type: &str) -> String {
    format!(r#"{{"version":2,"message_type":{},"data":null}}"#, Value::from(message_type))
}

/// The body is written straight into the frame: every result passes here, and may carry a large object.
fn frame<T: Serialize>(name: &str, body: &T) -> String {
    let body = serde_json::to_string(body).unwrap_or_default();
    // All bodies are structs with fields, so the text ends in `}` after a value.
    let fields = body.strip_suffix('}').unwrap_or("{\"model_type\":null");
    format!(r#"{{"version":2,"message_type":"{name}","data":{fields},"model_type":"{name}"}}}}"#)
}

/// What the runner tells the platform in the handshake.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SetupRequest {
    /// Event type to statuses; no statuses where the event has none.
    pub event_subscriptions: Option<Map<String, Value>>,
    /// Web applications only.
    pub ui_modules: Option<Value>,
    /// Web applications only.
    pub icon: Option<String>,
    /// The variables the extension wants.
    pub variables: Option<Vec<VariableDeclaration>>,
    /// The methods that can be scheduled.
    pub schedulables: Option<Vec<Schedulable>>,
    /// Anvil applications only.
    pub anvil_callables: Option<Value>,
    /// Transformations only.
    pub transformations: Option<Value>,
    /// `vendor`, `distributor`, `reseller`.
    pub audience: Option<Vec<String>>,
    /// Where to read about the extension.
    pub repository: Option<Repository>,
    /// The runner's version.
    pub runner_version: Option<String>,
    /// Web applications only.
    pub proxied_connect_api: Option<Value>,
}

/// A variable an extension declares; created by the platform on the first run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct VariableDeclaration {
    /// Its name.
    pub name: String,
    /// The value it gets when it is created.
    #[serde(default, deserialize_with = "lenient::text_or_empty")]
    pub initial_value: String,
    /// Whether it is a secret.
    #[serde(default, deserialize_with = "lenient::flag")]
    pub secure: bool,
}

/// A method that can be scheduled.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Schedulable {
    /// The method.
    pub method: String,
    /// Its name for people.
    pub name: String,
    /// What it does.
    #[serde(default)]
    pub description: String,
}

/// Where to read about the extension.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Repository {
    /// The readme.
    pub readme_url: Option<String>,
    /// The changelog.
    pub changelog_url: Option<String>,
}

/// The configuration the platform sends.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SetupResponse {
    /// The variables of the environment. `None` when the message has none of them to say.
    pub variables: Option<Vec<Variable>>,
    /// `development`, `test`, `production`.
    pub environment_type: Option<String>,
    /// Log levels and what identifies the account.
    pub logging: Option<Logging>,
    /// How objects of each event type are looked up.
    pub event_definitions: Option<Vec<Definition>>,
    /// Unused by events runners.
    pub environment_runtime: Option<String>,
    /// Unused by events runners.
    pub environment_hostname: Option<String>,
    /// Unused by events runners.
    pub environment_domain: Option<String>,
}

/// A variable with its value.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Its value.
    #[serde(default, deserialize_with = "lenient::text_or_empty")]
    pub value: String,
    /// Whether it is a secret.
    #[serde(default, deserialize_with = "lenient::flag")]
    pub secure: bool,
}

/// See [`SetupResponse::logging`].
#[derive(Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Logging {
    /// A secret.
    pub logging_api_key: Option<String>,
    /// The extension's level: a Python level name in upper case.
    pub log_level: Option<String>,
    /// The runner's.
    pub runner_log_level: Option<String>,
    /// Who is running what.
    pub meta: Option<LoggingMeta>,
}

/// See [`Logging::meta`].
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LoggingMeta {
    /// The deployed tag.
    pub repository_tag: Option<String>,
    /// `VA-...`
    pub account_id: Option<String>,
    /// Its name.
    pub account_name: Option<String>,
    /// The extension, `SRVC-...`.
    pub service_id: Option<String>,
    /// The products it is for.
    pub products: Option<Vec<String>>,
    /// The hub it is for.
    pub hub_id: Option<String>,
}

/// How the object of an event type is looked up.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Definition {
    /// The event type.
    pub event_type: String,
    /// Path of one object, with `{pk}` for its id: `requests/{pk}`.
    pub api_resource_endpoint: String,
    /// Path of the collection: `requests`.
    pub api_collection_endpoint: String,
    /// RQL with `${_object_id_}` and `${_statuses_}`.
    pub api_collection_filter: String,
}

/// One event for one object.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Task {
    /// Which task; echoed unchanged in the result.
    pub options: TaskOptions,
    /// What it is about; echoed unchanged in the result.
    pub input: TaskInput,
    /// The result, on the way back.
    #[serde(default)]
    pub output: Option<Output>,
}

/// See [`Task::options`].
#[derive(Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct TaskOptions {
    /// `TQ-...`
    #[serde(deserialize_with = "lenient::text")]
    pub task_id: String,
    /// One of [`category`].
    #[serde(deserialize_with = "lenient::text")]
    pub task_category: String,
    /// Echoed.
    #[serde(default, deserialize_with = "lenient::maybe_text")]
    pub correlation_id: Option<String>,
    /// Echoed.
    #[serde(default, deserialize_with = "lenient::maybe_text")]
    pub reply_to: Option<String>,
    /// The installation's key, used in place of the runner's for the lookup. A secret.
    #[serde(default, deserialize_with = "lenient::maybe_text")]
    pub api_key: Option<String>,
    /// The installation, for multi-account extensions.
    #[serde(default, deserialize_with = "lenient::maybe_text")]
    pub installation_id: Option<String>,
    /// A W3C trace parent.
    #[serde(default, deserialize_with = "lenient::maybe_text")]
    pub connect_correlation_id: Option<String>,
}

/// See [`Task::input`].
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct TaskInput {
    /// The event type.
    #[serde(deserialize_with = "lenient::text")]
    pub event_type: String,
    /// The object: `PR-...`, a schedule, ...
    #[serde(deserialize_with = "lenient::text")]
    pub object_id: String,
    /// Interactive: the object itself.
    #[serde(default)]
    pub data: Option<Value>,
}

/// See [`Task::output`].
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Output {
    /// The result.
    pub result: TaskResult,
    /// Interactive answers: `{http_status, headers, body}`.
    #[serde(default)]
    pub data: Option<Value>,
    /// Seconds, with `reschedule` only.
    #[serde(default, deserialize_with = "lenient::countdown")]
    pub countdown: u64,
    /// Seconds the handler took; 0 when it failed.
    #[serde(default, deserialize_with = "lenient::seconds")]
    pub runtime: f64,
    /// The reason; a report is cut at 4,000 characters.
    #[serde(default)]
    pub message: Option<String>,
}

/// What became of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskResult {
    /// Done.
    #[default]
    Success,
    /// Done, with failure; not tried again.
    Fail,
    /// Not interesting.
    Skip,
    /// Deliver it again after the countdown.
    Reschedule,
    /// Something broke: deliver it again.
    Retry,
    /// Transformation rows only.
    Delete,
}

impl TaskResult {
    /// The name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Fail => "fail",
            Self::Skip => "skip",
            Self::Reschedule => "reschedule",
            Self::Retry => "retry",
            Self::Delete => "delete",
        }
    }
}
