//! What can be seen: every noteworthy thing that happens on the way from a task to its result is one [`Observation`],
//! handed to an [`Observer`]. No I/O happens here; a journal, a log or a test decides what to do with them.
//!
//! A [`Scope`] ties observations together: it names the delivery they belong to and the step inside it, so that an API
//! call made deep inside a transaction is drawn inside that transaction.

mod body;
pub mod control;
mod fact;
#[cfg(feature = "console")]
mod fields;
mod places;
mod scope;
mod secret;
mod tops;

pub use body::Body;
pub use control::Controls;
pub use fact::{
    Answer, ApiCall, Backend, Fact, Level, LinkState, Mark, Origin, SeenVariable, StepKind, StepOutcome, StoreCall, TaskArrived,
};
#[cfg(feature = "console")]
pub(crate) use fields::fields;
pub use places::Places;
pub use scope::{DeliveryKey, Scope, Step};
pub use secret::Secret;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

/// A moment: microseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The present moment by the system's clock.
    #[must_use]
    pub fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }
}

/// One thing that was seen happening.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// When.
    pub at: Timestamp,
    /// The delivery it belongs to; `None` for what concerns the link, the environment or the session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery: Option<DeliveryKey>,
    /// The step of that delivery it happened in; 0 is the delivery itself.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub step: u32,
    /// What.
    #[serde(flatten)]
    pub fact: Fact,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde's signature
fn is_zero(n: &u32) -> bool {
    *n == 0
}

impl Observation {
    /// An observation of this moment that belongs to no delivery.
    #[must_use]
    pub fn now(fact: Fact) -> Self {
        Self { at: Timestamp::now(), delivery: None, step: 0, fact }
    }
}

/// Whoever wants to see what happens.
///
/// `observe` is called from the middle of the work: an implementation must be quick and must not panic. It may block
/// for a moment when it can't keep up; that is the backpressure which keeps memory bounded.
pub trait Observer: Send + Sync + 'static {
    /// Takes note of one observation.
    fn observe(&self, observation: Observation);

    /// The breakpoints and faults of whoever watches, where somebody can step in.
    fn controls(&self) -> Option<Controls> {
        None
    }
}

/// An observer that forgets everything.
#[derive(Debug, Clone, Copy, Default)]
pub struct Discard;

impl Observer for Discard {
    fn observe(&self, _: Observation) {}
}

/// An observer that keeps everything in memory: for tests and short programs.
#[derive(Debug, Default)]
pub struct Memory {
    seen: Mutex<Vec<Observation>>,
    count: watch::Sender<usize>,
}

impl Memory {
    /// A copy of all that was seen so far, oldest first.
    #[must_use]
    pub fn seen(&self) -> Vec<Observation> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many there are, now and whenever there are more.
    #[must_use]
    pub fn count(&self) -> watch::Receiver<usize> {
        self.count.subscribe()
    }
}

impl Observer for Memory {
    fn observe(&self, observation: Observation) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).push(observation);
        self.count.send_modify(|count| *count += 1);
    }
}

impl<O: Observer> Observer for Arc<O> {
    fn observe(&self, observation: Observation) {
        (**self).observe(observation);
    }

    fn controls(&self) -> Option<Controls> {
        (**self).controls()
    }
}
