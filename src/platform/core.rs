//! What hub, REST API and handle share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::access::Access;
use super::foreign::Foreign;
use super::hub::Runners;
use super::state::{Disk, Objects, Variables};
use super::tasks::Tasks;
use crate::observe::{Fact, Level, Observation, Observer};

/// The running platform.
pub(crate) struct Core {
    pub(crate) access: Access,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) disk: Disk,
    /// Rings when the next redelivery may have become an earlier one.
    pub(crate) clock: Notify,
    pub(crate) closing: CancellationToken,
    pub(crate) foreign: Arc<Foreign>,
    state: Mutex<State>,
}

/// Everything that changes. Held for moments only: no I/O happens under the lock.
pub(crate) struct State {
    pub(crate) objects: Objects,
    pub(crate) variables: Variables,
    pub(crate) tasks: Tasks,
    pub(crate) runners: Runners,
    pub(crate) foreign: Arc<Foreign>,
}

impl Core {
    pub(crate) fn new(access: Access, observer: Arc<dyn Observer>, disk: Disk, state: State) -> Self {
        let (clock, closing) = (Notify::new(), CancellationToken::new());
        let foreign = Arc::clone(&state.foreign);
        Self { access, observer, disk, clock, closing, foreign, state: Mutex::new(state) }
    }

    /// Takes hold of the state.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        // Whoever panicked holding it left whole entries behind: every change is one insertion or removal.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn observe(&self, fact: Fact) {
        self.observer.observe(Observation::now(fact));
    }

    /// Says something noteworthy.
    pub(crate) fn log(&self, level: Level, message: impl Into<String>) {
        self.observe(Fact::Log { level, target: "platform".into(), message: message.into() });
    }
}
