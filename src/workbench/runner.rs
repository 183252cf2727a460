//! What runs the extension: our own runtime in this process, the official runner as a child, or whoever attaches itself.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::host::Host;
use super::{LinkStatus, WorkbenchError};
use crate::authority::Authority;
use crate::extension::Extension;
use crate::observe::{Level, Observer, Places, Scope, SeenVariable, Timestamp};
use crate::runtime::guest::{FindDelivery, Guest, GuestOptions, GuestStatus, Hook, Trace};
use crate::runtime::{Runtime, RuntimeOptions, RuntimeStatus};

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
    /// One that somebody else starts.
    Elsewhere(Host),
}

/// A guest, with what must be known about it from outside: it does not tell how it stands.
pub(super) struct Visitor {
    guest: Guest,
    host: Host,
    /// When it acknowledged a configuration last.
    acknowledged: Mutex<Timestamp>,
    /// Listens to its trace hook; or why nobody does.
    trace: Result<Trace, &'static str>,
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
        (project, python): (&Path, Option<&Path>),
        host: Host,
        hooks: Vec<Hook>,
        data_dir: &Path,
        observer: Arc<dyn Observer>,
        places: Option<Places>,
    ) -> Result<Self, WorkbenchError> {
        let mut options = GuestOptions { hooks, ..host.guest_options(project, python, data_dir)? };
        let trace = match (places, options.find_delivery.clone()) {
            (Some(places), Some(find)) => listen(&observer, find, places).await,
            _ => Err("this session runs with --no-trace; start it without to see its sagas"),
        };
        options.hooks.extend(trace.iter().flat_map(Trace::hooks));
        let guest = Guest::start(options, observer).await.map_err(|e| WorkbenchError::Usage(e.to_string()))?;
        Ok(Self::Guest(Box::new(Visitor { guest, host, acknowledged: Mutex::default(), trace })))
    }

    /// Why no step of its sagas is seen, where none is.
    pub(super) fn untraced(&self) -> Option<&'static str> {
        match self {
            Self::Own(_) => None,
            Self::Guest(visitor) => visitor.trace.as_ref().err().copied(),
            Self::Elsewhere(_) => {
                Some("the extension was started elsewhere; `--extension DIR` starts it here, with its sagas seen")
            }
        }
    }

    /// Name and version of a guest.
    pub(super) fn about(&self) -> Option<(String, String)> {
        let Self::Guest(visitor) = self else { return None };
        let about = visitor.guest.about();
        let version = about.version.as_ref().map(|v| format!("{v} ")).unwrap_or_default();
        Some((about.name.clone(), format!("{version}(runner {})", about.runner)))
    }

    /// The version of a guest, where its project has one.
    pub(super) fn version(&self) -> Option<String> {
        let Self::Guest(visitor) = self else { return None };
        visitor.guest.about().version.clone()
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
            Self::Guest(visitor) => visitor.host.link(),
            Self::Elsewhere(host) => host.link(),
        }
    }

    /// How often the sources of a guest changed, as far as it runs with it; `None` for an extension in this process, which
    /// never changes.
    pub(super) fn changed(&self) -> Option<u64> {
        match self {
            Self::Own(_) | Self::Elsewhere(_) => None,
            Self::Guest(visitor) => Some(visitor.guest.status().borrow().runs_with),
        }
    }

    /// How many tasks are in its hands.
    pub(super) fn running(&self) -> usize {
        match self {
            Self::Own(runtime) => runtime.status().borrow().running,
            Self::Guest(visitor) => visitor.host.running(),
            Self::Elsewhere(host) => host.running(),
        }
    }

    /// How many results it has not handed over.
    pub(super) fn unsent(&self) -> usize {
        match self {
            Self::Own(runtime) => runtime.status().borrow().unsent,
            Self::Guest(visitor) => visitor.host.unsent(),
            Self::Elsewhere(host) => host.unsent(),
        }
    }

    /// The variables it works with.
    pub(super) fn variables(&self) -> Vec<SeenVariable> {
        match self {
            Self::Own(runtime) => runtime.variables(),
            Self::Guest(visitor) => visitor.host.live(*visitor.acknowledged.lock().unwrap_or_else(PoisonError::into_inner)),
            // What it was sent is all that is known.
            Self::Elsewhere(host) => host.told(),
        }
    }

    /// The variables a guest declares, with whether they are secrets: known once it has introduced itself.
    pub(super) fn declared(&self) -> Option<Vec<(String, bool)>> {
        match self {
            Self::Own(_) => None,
            Self::Guest(visitor) => Some(visitor.host.declared()),
            Self::Elsewhere(host) => Some(host.declared()),
        }
    }

    /// Whether it says here that it took over a configuration.
    pub(super) fn tells(&self) -> bool {
        !matches!(self, Self::Elsewhere(_))
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
            Self::Elsewhere(_) => Expected::Nothing,
        }
    }

    /// Waits until it says that it took over what was pushed to `told` connections of it. Whether it said so.
    pub(super) async fn acknowledged(&self, expected: Expected, told: usize, within: Duration) -> bool {
        if let Self::Guest(visitor) = self
            && visitor.host.has_no_variables()
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

    /// Waits until it has ended by itself: Connect asked it to. A guest is kept running.
    pub(super) async fn ended(&self) {
        match self {
            Self::Own(runtime) => runtime.ended().await,
            Self::Guest(_) | Self::Elsewhere(_) => std::future::pending().await,
        }
    }

    pub(super) async fn stop(&self) {
        match self {
            Self::Own(runtime) => runtime.stop().await,
            Self::Guest(visitor) => {
                visitor.guest.stop().await;
                visitor.host.stop().await;
            }
            Self::Elsewhere(host) => host.stop().await,
        }
    }
}

/// Listens to the trace hook of a guest; says so where that is not to be had.
async fn listen(observer: &Arc<dyn Observer>, find: FindDelivery, places: Places) -> Result<Trace, &'static str> {
    Trace::listen(Arc::clone(observer), find, places).await.map_err(|why| {
        let line = format!("sagas are not traced: no port for the trace hook is to be had: {why}");
        Scope::new(Arc::clone(observer)).log(Level::Warning, "guest", line);
        "no port for the trace hook was to be had (the log says why); start the session again"
    })
}

/// How often a configuration had been taken over before, and where the count goes on.
pub(super) enum Expected {
    Own(watch::Receiver<RuntimeStatus>, u64),
    Guest(watch::Receiver<GuestStatus>, u64),
    /// Nothing is heard of one that is started elsewhere: what was sent is taken over.
    Nothing,
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
            Self::Nothing => true,
        }
    }
}
