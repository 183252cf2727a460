//! What the extension said of itself in its last setup request. The environment remembers it: changes of status make tasks
//! also while no runner is connected, and they wait for one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::protocol::{Repository, Schedulable, SetupRequest};

/// An extension's own account of what it can do.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Capabilities {
    /// Event types with the statuses subscribed to.
    pub(crate) events: BTreeMap<String, Vec<String>>,
    /// Methods that can be scheduled.
    pub(crate) schedulables: Vec<Schedulable>,
    /// For whom it may be installed; an extension that says so is one of many accounts.
    pub(crate) audience: Vec<String>,
    /// Where its texts are.
    pub(crate) repository: Option<Repository>,
    /// Names of the variables it wants, with whether they are secrets.
    pub(crate) variables: Vec<(String, bool)>,
    /// The runner's version.
    pub(crate) runner_version: Option<String>,
    /// What of it runs besides events: `webapp`, `anvilapp`, `tfnapp`, each with its setup request.
    pub(crate) applications: BTreeMap<String, Value>,
}

impl Capabilities {
    /// Those of a setup request.
    pub(crate) fn of(request: &SetupRequest) -> Self {
        let statuses = |value: &Value| value.as_array().into_iter().flatten().filter_map(Value::as_str).map(Into::into).collect();
        let events = request.event_subscriptions.iter().flatten();
        Self {
            events: events.map(|(event, value)| (event.clone(), statuses(value))).collect(),
            schedulables: request.schedulables.clone().unwrap_or_default(),
            audience: request.audience.clone().unwrap_or_default(),
            repository: request.repository.clone(),
            variables: request.variables.iter().flatten().map(|v| (v.name.clone(), v.secure)).collect(),
            runner_version: request.runner_version.clone(),
            applications: BTreeMap::new(),
        }
    }

    /// Whether objects of that event type and status are to be delivered. An event without statuses is subscribed to as a
    /// whole.
    pub(crate) fn wants(&self, event_type: &str, status: &str) -> bool {
        self.events.get(event_type).is_some_and(|statuses| statuses.is_empty() || statuses.iter().any(|s| s == status))
    }
}
