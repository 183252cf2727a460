use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::connect::Client;
use crate::observe::{Level, Scope};

/// The variables in force when a task began: texts by name. Cheap to clone.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Config(Arc<BTreeMap<String, String>>);

impl Config {
    /// The variables given.
    #[must_use]
    pub fn new(variables: BTreeMap<String, String>) -> Self {
        Self(Arc::new(variables))
    }

    /// The value of a variable.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Config {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        Self::new(variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Which of them are secret is not known here: names only.
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Which task is being handled, where.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TaskInfo {
    /// `TQ-...`
    pub task_id: String,
    /// `background`, `interactive`, `scheduled`.
    pub category: String,
    /// The event type.
    pub event_type: String,
    /// The object.
    pub object_id: String,
    /// The extension, `SRVC-...`.
    pub extension_id: String,
    /// The environment, `ENV-...`.
    pub environment_id: String,
    /// `development`, `test`, `production`.
    pub environment_type: String,
}

/// What a handler is given besides the object. The runtime makes it anew for each task; a test makes its own:
///
/// ```
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// use connect_console::connect::ClientBuilder;
/// use connect_console::extension::{Background, Config, Context};
/// use connect_console::fulfillment::{FnTransaction, Request, Saga};
/// use serde_json::json;
///
/// let saga = Saga::new("purchase").transaction(FnTransaction::new(
///     "approve",
///     |cx, _| async move { Ok(cx.config.get("OPEN") == Some("yes")) },
///     |_, _| async { Ok(Background::Done) },
/// ));
///
/// // Nobody listens there: a call to Connect would fail. Tests that need one start a server of their own.
/// let client = ClientBuilder::new("http://127.0.0.1:9", "ApiKey none".into()).build()?;
/// let cx = Context::new(client, Config::from_iter([("OPEN", "yes")]));
/// let request = Request::from(json!({"id": "PR-1", "status": "pending"}));
/// assert_eq!(saga.resolve(&cx, &request).await?, Background::Done);
/// # Ok::<(), connect_console::extension::HandlerError>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Context {
    /// Which task.
    pub task: TaskInfo,
    /// The variables in force.
    pub config: Config,
    /// A client of Connect's REST API that names the task in its headers.
    pub client: Client,
    /// Where observations of this delivery go.
    pub scope: Scope,
    /// The installation the task is for, in multi-account extensions.
    pub installation: Option<Value>,
    /// A client with the installation's own key.
    pub installation_client: Option<Client>,
}

impl Context {
    /// A context outside any delivery: nobody sees what is done and logged in it.
    #[must_use]
    pub fn new(client: Client, config: Config) -> Self {
        let (task, scope) = (TaskInfo::default(), Scope::discard());
        Self { task, config, client, scope, installation: None, installation_client: None }
    }

    /// Logs a line at level INFO.
    pub fn info(&self, message: impl Into<String>) {
        self.log(Level::Info, message);
    }

    /// Logs a line at level WARNING.
    pub fn warning(&self, message: impl Into<String>) {
        self.log(Level::Warning, message);
    }

    /// Logs a line at level ERROR.
    pub fn error(&self, message: impl Into<String>) {
        self.log(Level::Error, message);
    }

    /// Logs a line.
    pub fn log(&self, level: Level, message: impl Into<String>) {
        self.scope.innermost().log(level, "extension", message);
    }
}
