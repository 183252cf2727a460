mod captures;
mod clock;
mod sagas;

pub use captures::{CaptureCommand, CaptureReply, RunAgain, RunsCompared, SavedEvent, ScenarioAct};
pub use clock::{ClockCommand, ClockReply};
pub use sagas::{HeldRow, SagaCommand, SagaReply};
mod environment;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use crate::observe::{LinkState, Timestamp};

pub use environment::{EnvironmentCommand, EnvironmentReply, HistoryChange, HistoryRow, RanWith, Since};

mod store;

pub use store::{
    CollectionRow, Compared, ComparedRow, Conflict, ConflictRow, DatabaseRow, Difference, FieldRow, FileFormat, Found, JobRow,
    JobState, StagePreview, StoreCommand, StoreQuery, StoreReply, StoreTarget, WriterRow, Written,
};

/// What can be asked of a session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Command {
    /// How it stands. Answered with [`Reply::Status`].
    Status,
    /// Wait until everything observed so far is in the journal. [`Reply::Status`].
    Flush,
    /// Create an object in the local Connect (a Test Subscription, say) and deliver it. [`Reply::Delivered`].
    Trigger {
        /// The event type.
        event_type: String,
        /// The object; without it a sample is used.
        object: Option<Value>,
        /// Changes to it: dotted path and JSON value or text. A path that does not exist is an error.
        set: Vec<(String, String)>,
    },
    /// The event types objects can be created for. [`Reply::EventTypes`].
    EventTypes,
    /// The tasks that come again by themselves. [`Reply::Waiting`].
    Waiting,
    /// Deliver one of them now. [`Reply::Waiting`].
    Release {
        /// The task.
        task_id: String,
    },
    /// Something about the local Connect's clock. [`Reply::Clock`].
    Clock(ClockCommand),
    /// Run a delivery of the journal again. [`Reply::Delivered`].
    Replay {
        /// Its number in the journal.
        delivery: i64,
    },
    /// About captured deliveries. [`Reply::Captures`].
    Captures(CaptureCommand),
    /// A step of a scenario. [`Reply::Acted`].
    Act(ScenarioAct),
    /// The variables: stored, staged, live. [`Reply::Variables`].
    Variables,
    /// Stage changes. [`Reply::Variables`].
    Stage {
        /// The changes.
        changes: Vec<VariableChange>,
    },
    /// Forget staged changes: these, or all of them where the list is empty. [`Reply::Variables`].
    Unstage {
        /// Names.
        names: Vec<String>,
    },
    /// Store what is staged and push it to the runtime (*apply changes*); answered when the runtime has acknowledged
    /// it, or said it has not. [`Reply::Variables`].
    Apply,
    /// The value of one variable in clear: stored and staged. [`Reply::Revealed`].
    Reveal {
        /// Its name.
        name: String,
    },
    /// The environment as a whole. [`Reply::Environment`] or [`Reply::Variables`].
    Environment(EnvironmentCommand),
    /// How a runner started elsewhere reaches the local Connect, its key in clear. [`Reply::Access`].
    Access,
    /// How to reach the sandbox, credentials in clear. [`Reply::Sandbox`].
    Sandbox,
    /// Ask or change the stores. [`Reply::Store`].
    Store(StoreCommand),
    /// Breakpoints and faults of sagas. [`Reply::Sagas`].
    Sagas(SagaCommand),
}

/// The answer to a [`Command`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reply {
    /// How the session stands.
    Status(Box<Status>),
    /// A task is on its way.
    Delivered(Delivered),
    /// About captured deliveries.
    Captures(CaptureReply),
    /// A request was moved or ordered.
    Acted {
        /// Which.
        object: String,
        /// The task that came of it, where the extension subscribes to it.
        task_id: Option<String>,
    },
    /// Event types.
    EventTypes {
        /// In the order of Connect's catalogue.
        types: Vec<EventTypeRow>,
    },
    /// Tasks that come again by themselves.
    Waiting {
        /// The next one first.
        tasks: Vec<WaitingRow>,
    },
    /// About the clock.
    Clock(ClockReply),
    /// All variables, as they are now.
    Variables {
        /// By name.
        variables: Vec<VariableRow>,
        /// What there is to tell about the command, in a sentence.
        message: Option<String>,
    },
    /// The environment as a whole.
    Environment(EnvironmentReply),
    /// A value in clear.
    Revealed {
        /// The stored value.
        value: Option<String>,
        /// The staged one.
        staged: Option<String>,
    },
    /// How to reach the local Connect.
    Access {
        /// `host:port` of the WebSocket.
        server_address: String,
        /// `host:port` of the REST API.
        api_address: String,
        /// `host:port` of both over TLS, where it listens there.
        tls_address: Option<String>,
        /// The certificate authority (PEM) of that.
        ca_file: Option<PathBuf>,
        /// The environment.
        environment_id: String,
        /// The complete value of the `Authorization` header.
        api_key: String,
    },
    /// How to reach the sandbox: what an extension's variables must hold.
    Sandbox {
        /// `host:port` of the MongoDB protocol.
        mongodb: String,
        /// What `DB_HOST` must hold for this extension: that, or the sandbox's own name, which a Python extension's driver
        /// looks up as `mongodb+srv`.
        db_host: String,
        /// The certificate authority (PEM) of connections with TLS, which the same port takes.
        ca_file: PathBuf,
        /// Its user.
        user: String,
        /// Its password.
        password: String,
        /// Base URL of the Data API.
        data_api: String,
        /// Its key.
        api_key: String,
    },
    /// What the stores said.
    Store(StoreReply),
    /// The breakpoints and faults that are set.
    Sagas(SagaReply),
}

/// A task that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivered {
    /// The task; its delivery appears in the journal under this id.
    pub task_id: String,
    /// The object.
    pub object_id: String,
    /// The event type.
    pub event_type: String,
    /// Whether it waits because no connected runner takes it.
    #[serde(default)]
    pub unclaimed: bool,
    /// What else there is to know, in a sentence: why it waits, or what of a capture could not be restored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// An event type of the local Connect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventTypeRow {
    /// Its name.
    pub name: String,
    /// `background`, `interactive`, `scheduled`.
    pub category: String,
    /// Whether a connected runtime subscribes to it.
    pub subscribed: bool,
}

/// A task that Connect delivers again by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitingRow {
    /// The task.
    pub task_id: String,
    /// What it is about.
    pub object_id: String,
    /// Its event type.
    pub event_type: String,
    /// When it comes.
    pub due: Timestamp,
}

/// One change of a variable. Its debug print leaves the value out.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum VariableChange {
    /// Give it a value, creating it where it does not exist.
    Set {
        /// Its name.
        name: String,
        /// The value.
        value: String,
        /// Whether it is a secret; `None` leaves that as it is (a new one is none).
        secure: Option<bool>,
    },
    /// Delete it.
    Unset {
        /// Its name.
        name: String,
    },
}

impl std::fmt::Debug for VariableChange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Set { name, secure, .. } => {
                f.debug_struct("Set").field("name", name).field("secure", secure).finish_non_exhaustive()
            }
            Self::Unset { name } => f.debug_struct("Unset").field("name", name).finish(),
        }
    }
}

/// A variable, in its three states. Values of secure ones are never in here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VariableRow {
    /// Connect's id, `VAR-...`; `None` while it is only staged.
    pub id: Option<String>,
    /// Its name.
    pub name: String,
    /// Whether it is a secret.
    pub secure: bool,
    /// The value stored in Connect's environment.
    pub stored: VariableState,
    /// The staged one; `None` where nothing is staged, `Absent` where deletion is.
    pub staged: Option<VariableState>,
    /// The one the runtime works with.
    pub live: VariableState,
    /// Whether the extension declares it.
    pub declared: bool,
}

/// A value, as far as it may be shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VariableState {
    /// It is not there.
    Absent,
    /// It is there, and a secret. The number tells equal from different values within one session.
    Secret(u64),
    /// This value.
    Value(String),
}

/// How a session stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// `local` or `remote`.
    pub mode: String,
    /// The environment, `ENV-...`.
    pub environment_id: String,
    /// How Connect says it stands: `connected`, `disconnected`, `running` and so on; `None` as long as it was not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment_status: Option<String>,
    /// The extension's name.
    pub extension: String,
    /// Its version.
    pub extension_version: String,
    /// The link.
    pub link: LinkStatus,
    /// Tasks being handled now.
    pub running: usize,
    /// Results not sent yet.
    pub unsent: usize,
    /// Deliveries that will come again by themselves.
    pub waiting: usize,
    /// Tasks of the local Connect that are queued or sent and not answered yet.
    pub pending: usize,
    /// Deliveries that stand at a breakpoint.
    #[serde(default)]
    pub held: usize,
    /// Breakpoints and faults that are set.
    #[serde(default)]
    pub armed: usize,
    /// How often the sources of the extension changed, as far as it runs with the change; `None` for one that is part of
    /// this program, which must be built anew.
    #[serde(default)]
    pub changed: Option<u64>,
    /// Rises whenever one of these two changes.
    #[serde(default)]
    pub stepping: u64,
    /// What listens where.
    pub endpoints: Vec<Endpoint>,
    /// Things that are not as they should be, in words.
    pub troubles: Vec<String>,
    /// The data directory.
    pub data_dir: String,
    /// Whether whoever asks only joined the session, which runs in another process and goes on without it.
    #[serde(default)]
    pub joined: bool,
}

/// How the trouble begins that nothing is captured any more.
pub(crate) const HELD: &str = "deliveries are held";
/// How the trouble begins that nothing is captured any more.
pub(crate) const STOPPED: &str = "capture stopped: ";

/// The link, and since when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkStatus {
    /// Its state.
    pub state: LinkState,
    /// The last time the other side gave a sign of life.
    pub last_seen: Option<Timestamp>,
}

/// Something that listens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// `connect`, `mongodb`, `data-api`.
    pub name: String,
    /// Its address; no credentials.
    pub address: String,
}

/// A command that could not be carried out. The text is for the developer, as it is.
#[derive(Debug, Clone, PartialEq, Eq, Error, Serialize, Deserialize)]
#[serde(tag = "error", content = "message", rename_all = "snake_case")]
#[non_exhaustive]
pub enum WorkbenchError {
    /// What was asked makes no sense: exit status 2.
    #[error("{0}")]
    Usage(String),
    /// It failed: exit status 1.
    #[error("{0}")]
    Failed(String),
}
