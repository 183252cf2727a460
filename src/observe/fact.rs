use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Body;
use super::control::Release;

/// What was seen. The names in JSON (`kind`, snake case) are the ones the command line prints and the README documents.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Fact {
    /// The WebSocket to Connect changed its state.
    Link {
        /// The state it is in now.
        state: LinkState,
        /// Where to, or why.
        detail: String,
    },
    /// A frame could not be understood; nothing else came of it.
    FrameRejected {
        /// Why.
        reason: String,
        /// Its size in bytes.
        bytes: usize,
        /// How it begins.
        excerpt: String,
    },
    /// The extension that now runs introduced itself.
    Extension {
        /// Its name.
        name: String,
        /// Its version.
        version: String,
        /// What it declared to Connect: the body of its `setup_request`.
        declared: Value,
    },
    /// The runtime took over a configuration Connect sent: in the handshake, or after *apply changes*.
    Configured {
        /// In words; for an update exactly what the official runner logs.
        message: String,
        /// Whether it came after the handshake.
        update: bool,
        /// All variables now in force.
        variables: Vec<SeenVariable>,
    },
    /// A task was asked for, before it is sent: this is how a delivery knows where it came from.
    TaskQueued {
        /// The task.
        task_id: String,
        /// Its event type.
        event_type: String,
        /// The object it is about.
        object_id: String,
        /// Where it came from.
        origin: Origin,
    },
    /// A task came in: the first observation of every delivery.
    TaskArrived(TaskArrived),
    /// The object a task names was fetched.
    ObjectFetched {
        /// The object.
        object: Body,
    },
    /// An HTTP exchange with Connect.
    ApiCall(ApiCall),
    /// A step of the handling began; its number is the observation's `step`.
    StepStarted {
        /// The step around it; 0 is the delivery itself.
        parent: u32,
        /// What sort of step.
        step_kind: StepKind,
        /// Its name: the transaction's, the middleware's, the handler's.
        name: String,
        /// The request as the step found it, where it matters.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        request: Option<Value>,
    },
    /// The step of the observation's number ended.
    StepEnded {
        /// How.
        outcome: StepOutcome,
        /// Answer, error or reason in words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        detail: Option<String>,
        /// The request as the step left it, where it matters.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        request: Option<Value>,
        /// How long it took, in microseconds.
        micros: u64,
    },
    /// The delivery stands at a breakpoint, before the step of the observation's number.
    Held {
        /// What sort of step.
        step_kind: StepKind,
        /// Its name.
        name: String,
        /// The request as it is now.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        request: Option<Value>,
    },
    /// It was let go.
    Released {
        /// How.
        how: Release,
        /// How long it stood there, in microseconds.
        micros: u64,
    },
    /// The course of the delivery was changed on purpose: a step skipped or spoilt, a write made to fail. What follows is not
    /// what the extension does by itself, and never becomes a regression case.
    Injected {
        /// What was done, in words.
        what: String,
    },
    /// A call to a document store.
    StoreCall(StoreCall),
    /// A line the extension, the runtime or the local Connect logged.
    Log {
        /// How serious.
        level: Level,
        /// Who says it: `extension`, `runtime`, `platform`, `sandbox`, ...
        target: String,
        /// What it says.
        message: String,
    },
    /// The handling of a delivery is over and this is its result.
    Answered(Answer),
    /// The result was handed to the socket.
    ResultSent {
        /// The task it answers.
        task_id: String,
    },
    /// The delivery will never be answered by this process (it ended meanwhile): it can be replayed.
    Interrupted {
        /// What happened.
        reason: String,
    },
    /// The runner that has the task is gone: the task waits for it to come back, or for another one.
    RunnerGone {
        /// What happened.
        reason: String,
    },
    /// The runner came back and still has the task in hand.
    RunnerBack {
        /// Which.
        instance: String,
    },
    /// Connect will deliver the object again by itself.
    RedeliveryScheduled {
        /// The task that is waiting.
        task_id: String,
        /// The object.
        object_id: String,
        /// When it is due, in microseconds since 1970.
        due: super::Timestamp,
    },
    /// A task was asked for in a special way: its deliveries bear these marks.
    Marked {
        /// The task.
        task_id: String,
        /// Which.
        marks: Vec<Mark>,
        /// In words: which paths were edited, which variables were others.
        detail: String,
    },
    /// A delivery was pinned (it outlives the journal's retention), or is no longer.
    Pinned {
        /// The journal's number of it.
        delivery: i64,
        /// Whether it is now.
        pinned: bool,
    },
    /// Variables were changed or applied in the console or on the command line; the names only.
    Variables {
        /// `staged`, `unstaged`, `applied`.
        what: String,
        /// Which.
        names: Vec<String>,
    },
}

impl Fact {
    /// Adds it to `json` as its `Serialize` would write it; an object that nobody looked into goes through as it came.
    ///
    /// # Errors
    /// As `serde_json` has them.
    #[cfg(feature = "console")]
    pub(crate) fn write(&self, json: &mut Vec<u8>) -> serde_json::Result<()> {
        if let Self::ObjectFetched { object } = self
            && let Some(text) = object.text()
        {
            for part in [r#"{"kind":"object_fetched","object":"#, text, "}"] {
                json.extend_from_slice(part.as_bytes());
            }
            return Ok(());
        }
        serde_json::to_writer(json, self)
    }
}

/// See [`Fact::TaskArrived`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskArrived {
    /// Connect's id of the task, `TQ-...`. Redeliveries of one task keep it.
    pub task_id: String,
    /// `background`, `interactive`, `scheduled`.
    pub category: String,
    /// The event type.
    pub event_type: String,
    /// The object the task is about.
    pub object_id: String,
    /// The task as it came, its own key removed.
    pub task: Value,
}

/// See [`Fact::ApiCall`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ApiCall {
    /// `GET`, `POST`, ...
    pub method: String,
    /// Path and query below `/public/v1/`.
    pub path: String,
    /// The answer's status; `None` when none came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The body sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<Value>,
    /// The body received.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<Body>,
    /// `Content-Range` of the answer, which carries a list's total.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_range: Option<String>,
    /// Why no answer came, or what was wrong with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// How long it took, in microseconds.
    pub micros: u64,
}

/// See [`Fact::StoreCall`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoreCall {
    /// Through which backend.
    pub backend: Backend,
    /// MongoDB's name of the operation: `insertOne`, `find`, ...
    pub operation: String,
    /// The database.
    pub database: String,
    /// The collection.
    pub collection: String,
    /// The document, the filter, or of a `find` the whole query, as canonical Extended JSON.
    pub input: Value,
    /// What came back, as canonical Extended JSON: the inserted id, the number of documents, ...
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Value>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// How long it took, in microseconds.
    pub micros: u64,
}

impl StoreCall {
    /// Whether an operation of this name changes documents.
    #[must_use]
    pub fn writes(operation: &str) -> bool {
        ["insert", "update", "replace", "delete", "findOneAnd", "findAndModify", "bulk"]
            .iter()
            .any(|verb| operation.starts_with(verb))
    }
}

/// See [`Fact::Answered`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// `success`, `fail`, `skip`, `reschedule`, `retry`.
    pub result: String,
    /// The reason, whole: on the wire it may be cut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Seconds until the next delivery, for `reschedule`; otherwise 0.
    #[serde(default)]
    pub countdown: u64,
    /// What an interactive task answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
    /// From arrival to result, in microseconds.
    pub micros: u64,
}

/// A variable as the runtime sees it. `value` of a secure one must never leave the process: the journal redacts it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenVariable {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// Whether it is a secret.
    pub secure: bool,
}

/// Where a task came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Somebody created the object, or its status changed.
    Trigger,
    /// Delivered again after `reschedule`.
    Reschedule,
    /// Delivered again after `retry`.
    Retry,
    /// Delivered again because the runner was gone before it answered.
    Redelivery,
    /// A capture run again; the journal's number of the original delivery.
    Replay(i64),
}

/// What is special about a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// A replay of a changed object.
    Edited,
    /// It ran with other variables than those that are stored.
    Variables,
    /// A replay whose API calls were answered from the recording.
    Hermetic,
    /// A replay into shadow collections.
    Shadow,
    /// Something was made to fail in it.
    Fault,
    /// It was read from a file, and happened elsewhere.
    Imported,
}

impl Mark {
    /// All there are.
    pub const ALL: [Self; 6] = [Self::Edited, Self::Variables, Self::Hermetic, Self::Shadow, Self::Fault, Self::Imported];

    /// Its name, as in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Edited => "edited",
            Self::Variables => "variables",
            Self::Hermetic => "hermetic",
            Self::Shadow => "shadow",
            Self::Fault => "fault",
            Self::Imported => "imported",
        }
    }
}

/// The state of the WebSocket to Connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkState {
    /// Trying to connect.
    Connecting,
    /// Connected, and the configuration has arrived.
    Connected,
    /// Lost or refused; trying again after a pause.
    Waiting,
    /// Closed on purpose.
    Closed,
}

/// What a step of the handling is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepKind {
    /// The extension's handler as a whole.
    Handler,
    /// A saga being resolved.
    Saga,
    /// A middleware, from its call to its return.
    Middleware,
    /// One `should_execute` asked of one transaction.
    Decision,
    /// A transaction's `execute`.
    Execute,
    /// A transaction's `compensate`.
    Compensate,
}

impl fmt::Display for StepKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Handler => "handler",
            Self::Saga => "saga",
            Self::Middleware => "middleware",
            Self::Decision => "should_execute",
            Self::Execute => "execute",
            Self::Compensate => "compensate",
        })
    }
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepOutcome {
    /// It did what it was to do.
    Done,
    /// A decision: this transaction shall execute.
    Yes,
    /// A decision: this one shall not.
    No,
    /// It failed; the detail says why.
    Failed,
}

/// Which way to the documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Backend {
    /// The official MongoDB driver over TCP.
    Driver,
    /// The HTTP Data API.
    DataApi,
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Driver => "driver",
            Self::DataApi => "data-api",
        })
    }
}

/// How serious a log line is: Python's level names, as Connect uses them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Level {
    /// For following what happens in detail.
    Debug,
    /// Normal events.
    Info,
    /// Something a developer should look at.
    Warning,
    /// Something failed.
    Error,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Warning => "WARNING",
            Self::Error => "ERROR",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_that_goes_through_as_it_came_is_written_like_every_other() {
        let text = r#"{"id":"PR-1","n":[1,2.5,null],"note":"a \"b\""}"#;
        let fact = Fact::ObjectFetched { object: Body::from_text(text).unwrap() };
        let mut json = Vec::new();
        fact.write(&mut json).unwrap();
        assert_eq!(String::from_utf8(json).unwrap(), serde_json::to_string(&fact).unwrap());
    }
}
