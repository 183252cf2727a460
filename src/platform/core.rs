//! What hub, REST API and handle share.

use std::ops::{Deref, DerefMut};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::access::Access;
use super::foreign::Foreign;
use super::hub::{Capabilities, Runners};
use super::recording::Recordings;
use super::state::{Alarms, Disk, Objects, Variables};
use super::tasks::Tasks;
use crate::observe::{Fact, Level, Observation, Observer};

/// The running platform.
pub(crate) struct Core {
    pub(crate) access: Access,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) disk: Disk,
    /// Where the file is.
    pub(crate) dir: PathBuf,
    /// Rings when the next redelivery may have become an earlier one.
    pub(crate) clock: Notify,
    /// Rings when an interactive task was answered.
    pub(crate) answered: Notify,
    /// Rings when so many tasks were settled that old ones can be forgotten.
    pub(crate) settled: Notify,
    /// How many settled tasks are kept.
    pub(crate) kept: usize,
    pub(crate) closing: CancellationToken,
    pub(crate) foreign: Arc<Foreign>,
    pub(crate) recordings: Recordings,
    state: Mutex<State>,
}

/// Everything that changes. Held for moments only: what happens under the lock is bookkeeping, and at most one object read
/// from the file.
pub(crate) struct State {
    pub(crate) objects: Objects,
    pub(crate) variables: Variables,
    pub(crate) tasks: Tasks,
    pub(crate) alarms: Alarms,
    pub(crate) runners: Runners,
    pub(crate) foreign: Arc<Foreign>,
    /// What the extension said of itself last: the environment remembers it when no runner is connected.
    pub(crate) capabilities: Capabilities,
}

/// The state, while it is in one pair of hands.
pub(crate) struct Hold<'a> {
    disk: &'a Disk,
    state: MutexGuard<'a, State>,
}

impl Deref for Hold<'_> {
    type Target = State;

    fn deref(&self) -> &State {
        &self.state
    }
}

impl DerefMut for Hold<'_> {
    fn deref_mut(&mut self) -> &mut State {
        &mut self.state
    }
}

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        self.disk.hand_over();
    }
}

impl Core {
    pub(crate) fn new(access: Access, observer: Arc<dyn Observer>, disk: Disk, dir: PathBuf, kept: usize, state: State) -> Self {
        let (clock, answered, settled, closing) = (Notify::new(), Notify::new(), Notify::new(), CancellationToken::new());
        let foreign = Arc::clone(&state.foreign);
        Self {
            access,
            observer,
            disk,
            dir,
            clock,
            answered,
            settled,
            kept,
            closing,
            foreign,
            recordings: Recordings::default(),
            state: Mutex::new(state),
        }
    }

    /// Takes hold of the state. What is changed until it is let go is on disk as a whole or, when the process dies before,
    /// not at all: never a request without the task it is about.
    pub(crate) fn lock(&self) -> Hold<'_> {
        // Whoever panicked holding it left whole entries behind: every change is one insertion or removal.
        Hold { disk: &self.disk, state: self.state.lock().unwrap_or_else(PoisonError::into_inner) }
    }

    pub(crate) fn observe(&self, fact: Fact) {
        self.observer.observe(Observation::now(fact));
    }

    /// Says something noteworthy.
    pub(crate) fn log(&self, level: Level, message: impl Into<String>) {
        self.observe(Fact::Log { level, target: "platform".into(), message: message.into() });
    }
}
