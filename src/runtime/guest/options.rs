use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use super::Hook;
use crate::observe::{DeliveryKey, Secret};

/// Tells which delivery a task belongs to; asked with `None`, the one delivery the guest has in hand, if it is one.
pub type FindDelivery = Arc<dyn Fn(Option<&str>) -> Option<DeliveryKey> + Send + Sync>;

/// Which project to run, and how.
#[derive(Clone)]
pub struct GuestOptions {
    /// The extension's directory.
    pub project: PathBuf,
    /// The interpreter, or the directory of its environment. Without it the project's own `.venv` or `venv` is taken,
    /// then the active one, then `python3`.
    pub python: Option<PathBuf>,
    /// Where the guest may keep files of its own.
    pub dir: PathBuf,
    /// The Connect it is to serve.
    pub access: GuestAccess,
    /// Python of ours to run in its processes.
    pub hooks: Vec<Hook>,
    /// More variables for its environment, no secrets.
    pub variables: Vec<(String, String)>,
    /// Ties log lines to deliveries, where somebody knows them.
    pub find_delivery: Option<FindDelivery>,
}

impl fmt::Debug for GuestOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuestOptions")
            .field("project", &self.project)
            .field("python", &self.python)
            .field("access", &self.access)
            .field("hooks", &self.hooks)
            .finish_non_exhaustive()
    }
}

/// How the guest reaches Connect.
#[derive(Debug, Clone)]
pub struct GuestAccess {
    /// Host and port of the WebSocket server, spoken to without TLS.
    pub server_address: String,
    /// Host and port of the REST API, spoken to over https.
    pub api_address: String,
    /// PEM file of the authority that vouches for `api_address`.
    pub ca_file: PathBuf,
    /// The complete value of the `Authorization` header.
    pub api_key: Secret,
    /// `ENV-...`
    pub environment_id: String,
    /// What it calls itself; without it the project's name.
    pub instance_id: Option<String>,
}
