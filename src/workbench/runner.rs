//! What runs the extension: our own runtime in this process, or the official runner as a child.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::local::Local;
use super::{LinkStatus, WorkbenchError};
use crate::authority::Authority;
use crate::extension::Extension;
use crate::observe::{LinkState, Observer, SeenVariable, Timestamp};
use crate::platform::{Platform, StoredVariable};
use crate::runtime::guest::{Guest, GuestAccess, GuestOptions, GuestStatus, Hook};
use crate::runtime::{Runtime, RuntimeOptions, RuntimeStatus};
use crate::sandbox;

/// What the official runner logs when it took over a configuration, and ours does too.
pub(super) const ACKNOWLEDGED: &str = "Extension configuration has been updated.";

/// The instance our own runtime is, across restarts: what it left behind is known as its own.
pub(super) const OWN_INSTANCE: &str = "connect-console";

/// Whoever runs the extension.
pub(super) enum Runner {
    /// Our runtime.
    Own(Runtime),
    /// The official runner.
    Guest(Box<Visitor>),
}

/// A guest, with what must be known about it from outside: it does not tell how it stands.
pub(super) struct Visitor {
    guest: Guest,
    platform: Platform,
    /// When it acknowledged a configuration last.
    acknowledged: Mutex<Timestamp>,
}

impl Runner {
    pub(super) fn own(
        options: RuntimeOptions,
        extension: Extension,
        observer: Arc<dyn Observer>,
    ) -> Result<Self, WorkbenchError> {
        Runtime::start(options, extension, observer).map(Self::Own).map_err(|e| WorkbenchError::Usage(e.to_string()))
    }

    pub(super) async fn guest(
        project: &Path,
        python: Option<&Path>,
        local: &Local,
        data_dir: &Path,
        observer: Arc<dyn Observer>,
    ) -> Result<Self, WorkbenchError> {
        let access = local.platform.access();
        let (Some(api_address), Some(ca_file)) = (access.tls_address.clone(), access.ca_file.clone()) else {
            return Err(WorkbenchError::Failed("the local Connect does not listen over https".into()));
        };
        let platform = local.platform.clone();
        let options = GuestOptions {
            project: project.to_owned(),
            python: python.map(Path::to_owned),
            dir: data_dir.to_owned(),
            access: GuestAccess {
                server_address: access.server_address.clone(),
                api_address,
                ca_file,
                api_key: access.api_key.clone(),
                environment_id: access.environment_id.clone(),
                instance_id: None,
            },
            hooks: vec![Hook::sandbox(sandbox::HOST, local.sandbox.access().port())],
            variables: Vec::new(),
            find_delivery: Some(Arc::new(move |task| platform.delivery(task))),
        };
        let guest = Guest::start(options, observer).await.map_err(|e| WorkbenchError::Usage(e.to_string()))?;
        Ok(Self::Guest(Box::new(Visitor { guest, platform: local.platform.clone(), acknowledged: Mutex::default() })))
    }

    /// Name and version of a guest.
    pub(super) fn about(&self) -> Option<(String, String)> {
        let Self::Guest(visitor) = self else { return None };
        let about = visitor.guest.about();
        let version = about.version.as_ref().map(|v| format!("{v} ")).unwrap_or_default();
        Some((about.name.clone(), format!("{version}(runner {})", about.runner)))
    }

    /// The authority a guest needs, where the extension is one.
    pub(super) fn authority(data_dir: &Path) -> Result<Authority, WorkbenchError> {
        Authority::open(data_dir).map_err(|e| WorkbenchError::Usage(e.to_string()))
    }

    pub(super) fn link(&self) -> LinkStatus {
        match self {
            Self::Own(runtime) => {
                let status = runtime.status().borrow().clone();
                LinkStatus { state: status.link, last_seen: status.last_seen }
            }
            Self::Guest(visitor) => {
                let connected = !visitor.platform.connections().is_empty();
                let state = if connected { LinkState::Connected } else { LinkState::Connecting };
                LinkStatus { state, last_seen: None }
            }
        }
    }

    /// How many tasks are in its hands.
    pub(super) fn running(&self) -> usize {
        match self {
            Self::Own(runtime) => runtime.status().borrow().running,
            Self::Guest(visitor) => visitor.platform.sent(),
        }
    }

    /// How many results it has not handed over; a guest keeps that to itself.
    pub(super) fn unsent(&self) -> usize {
        match self {
            Self::Own(runtime) => runtime.status().borrow().unsent,
            Self::Guest(_) => 0,
        }
    }

    /// The variables it works with.
    pub(super) fn variables(&self) -> Vec<SeenVariable> {
        match self {
            Self::Own(runtime) => runtime.variables(),
            Self::Guest(visitor) => visitor.live(),
        }
    }

    /// Before a configuration is pushed: what to wait for.
    pub(super) fn expect(&self) -> Expected {
        match self {
            Self::Own(runtime) => {
                let mut status = runtime.status();
                let before = status.borrow_and_update().configured;
                Expected::Own(status, before)
            }
            Self::Guest(visitor) => {
                let mut status = visitor.guest.status();
                let before = status.borrow_and_update().configured;
                Expected::Guest(status, before)
            }
        }
    }

    /// Waits until it says that it took over what was pushed to `told` connections of it. Whether it said so.
    pub(super) async fn acknowledged(&self, expected: Expected, told: usize, within: Duration) -> bool {
        if let Self::Guest(visitor) = self
            && visitor.platform.variables().is_empty()
        {
            // The official runner ignores an empty list, so that the last variable could never be removed.
            visitor.guest.restart("its last variable was deleted, which the official runner notices only anew");
            return true;
        }
        let came = tokio::time::timeout(within, expected.met(told)).await.unwrap_or(false);
        if let (true, Self::Guest(visitor)) = (came, self) {
            *visitor.acknowledged.lock().unwrap_or_else(PoisonError::into_inner) = Timestamp::now();
        }
        came
    }

    pub(super) async fn stop(&self) {
        match self {
            Self::Own(runtime) => runtime.stop().await,
            Self::Guest(visitor) => visitor.guest.stop().await,
        }
    }
}

impl Visitor {
    /// What the guest was told when it connected or acknowledged last; later changes are not live yet.
    fn live(&self) -> Vec<SeenVariable> {
        let connections = self.platform.connections();
        let Some(connected) = connections.iter().map(|c| c.since).min() else { return Vec::new() };
        let told = connected.max(*self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner));
        let seen = |v: StoredVariable| SeenVariable { name: v.name, value: v.value, secure: v.secure };
        self.platform.variables().into_iter().filter(|v| v.updated <= told).map(seen).collect()
    }
}

/// How often a configuration had been taken over before, and where the count goes on.
pub(super) enum Expected {
    Own(watch::Receiver<RuntimeStatus>, u64),
    Guest(watch::Receiver<GuestStatus>, u64),
}

impl Expected {
    async fn met(self, told: usize) -> bool {
        match self {
            Self::Own(mut status, before) => status.wait_for(|s| s.configured > before).await.is_ok(),
            // Each of its workers has a connection, and says so for itself.
            Self::Guest(mut status, before) => {
                let all = before.saturating_add(u64::try_from(told).unwrap_or(u64::MAX));
                status.wait_for(|s| s.configured >= all).await.is_ok()
            }
        }
    }
}
