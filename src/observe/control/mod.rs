//! Stepping in: a developer stops a delivery before a step, looks at it and lets it go on, skip the step or abort; or asks
//! for a step to fail, hang or be late, or for a store's next write to fail, so that compensations are really exercised.
//!
//! Whoever runs a step asks [`Controls::before`] first. A [`Scope`] has them from its observer
//! ([`Observer::controls`](super::Observer::controls)); where nobody offers any, or nothing is set, asking costs a look at
//! one number. What changes the course of a delivery is told as [`Fact::Injected`](super::Fact::Injected), so that nobody
//! takes it for what the extension does by itself.

mod held;
mod place;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::{oneshot, watch};

pub use held::{Held, Release};
pub use place::{Fault, LATEST, Place};

use self::held::{Waiting, Withdraw};
use super::{Backend, DeliveryKey, Fact, Scope, StepKind, Timestamp};

/// How it begins to be told that a developer ended a delivery at a breakpoint.
pub(crate) const ABORTED: &str = "aborted at the breakpoint before";
/// How many stays at breakpoints are remembered.
const REMEMBERED: usize = 256;

/// What is to become of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", content = "reason", rename_all = "snake_case")]
pub enum Verdict {
    /// It runs.
    Run,
    /// It is passed over; the text says by whom.
    Skip(String),
    /// The delivery ends here with this error; nothing is compensated.
    Abort(String),
    /// It fails with this error, as if it had said so itself.
    Fail(String),
    /// It runs, after so many milliseconds that count as its own.
    Late(u64),
}

/// What is set, by the number it is taken back with.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Set {
    /// Where deliveries stop.
    pub breakpoints: BTreeMap<u64, Place>,
    /// What happens to the next run of a step.
    pub faults: BTreeMap<u64, (Place, Fault)>,
    /// Whose next write fails.
    pub writes: BTreeMap<u64, Backend>,
    /// The deliveries that stand at a breakpoint.
    pub held: BTreeMap<u64, Held>,
}

/// The breakpoints and faults of a session. Cheap to clone.
#[derive(Clone)]
pub struct Controls(Arc<Inner>);

struct Inner {
    /// How much is set: with 0 nobody looks further.
    armed: AtomicUsize,
    state: Mutex<State>,
    changed: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    last: u64,
    /// The session ends: nobody is held any more.
    closed: bool,
    breakpoints: BTreeMap<u64, Place>,
    faults: BTreeMap<u64, (Place, Fault)>,
    writes: BTreeMap<u64, Backend>,
    held: BTreeMap<u64, Waiting>,
    /// How long deliveries stood at breakpoints, the latest last.
    stood: VecDeque<(DeliveryKey, Duration)>,
}

impl State {
    fn number(&mut self) -> u64 {
        self.last += 1;
        self.last
    }
}

impl Default for Controls {
    fn default() -> Self {
        let changed = watch::Sender::new(0);
        Self(Arc::new(Inner { armed: AtomicUsize::new(0), state: Mutex::default(), changed }))
    }
}

impl fmt::Debug for Controls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Controls").field(&self.set()).finish()
    }
}

impl Controls {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        let mut state = self.state();
        let result = change(&mut state);
        self.0.armed.store(state.breakpoints.len() + state.faults.len() + state.writes.len(), Ordering::Release);
        drop(state);
        self.0.changed.send_modify(|n| *n += 1);
        result
    }

    /// Whether nothing is set.
    #[must_use]
    pub fn idle(&self) -> bool {
        self.0.armed.load(Ordering::Acquire) == 0
    }

    /// What is set now.
    #[must_use]
    pub fn set(&self) -> Set {
        let state = self.state();
        Set {
            breakpoints: state.breakpoints.clone(),
            faults: state.faults.clone(),
            writes: state.writes.clone(),
            held: state.held.iter().map(|(id, waiting)| (*id, waiting.held.clone())).collect(),
        }
    }

    /// Rises whenever something is set, taken back, used up, held or let go.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.changed.subscribe()
    }

    /// Stops deliveries before these steps, until it is taken back. What is set already is not set once more.
    pub fn stop_before(&self, place: Place) -> u64 {
        self.change(|state| {
            if let Some((id, _)) = state.breakpoints.iter().find(|(_, known)| known.same_as(&place)) {
                return *id;
            }
            let id = state.number();
            state.breakpoints.insert(id, place);
            id
        })
    }

    /// Has the next run of such a step go wrong, once.
    pub fn spoil(&self, place: Place, fault: Fault) -> u64 {
        self.change(|state| {
            let id = state.number();
            state.faults.insert(id, (place, fault));
            id
        })
    }

    /// Has the next write through a backend fail, once.
    pub fn spoil_write(&self, backend: Backend) -> u64 {
        self.change(|state| {
            let id = state.number();
            state.writes.insert(id, backend);
            id
        })
    }

    /// Takes one of them back; whether it was there. What is held stays held.
    pub fn take_back(&self, id: u64) -> bool {
        self.change(|state| {
            state.breakpoints.remove(&id).is_some() || state.faults.remove(&id).is_some() || state.writes.remove(&id).is_some()
        })
    }

    /// Takes everything back and lets everybody go on.
    pub fn clear(&self) {
        let held: Vec<u64> = self.change(|state| {
            state.breakpoints.clear();
            state.faults.clear();
            state.writes.clear();
            state.held.keys().copied().collect()
        });
        for id in held {
            self.release(id, Release::Continue);
        }
    }

    /// The session ends: who stands at a breakpoint, and who comes to one from now on, is aborted there. A developer wanted to
    /// look before the step is run, and nobody can any more.
    pub fn close(&self) {
        let held: Vec<u64> = self.change(|state| {
            state.closed = true;
            state.faults.clear();
            state.writes.clear();
            state.held.keys().copied().collect()
        });
        for id in held {
            self.release(id, Release::Abort);
        }
    }

    /// Lets a held delivery go; whether it was there.
    pub fn release(&self, id: u64, how: Release) -> bool {
        let tell = self.change(|state| state.held.remove(&id)).and_then(|waiting| waiting.tell);
        tell.is_some_and(|tell| tell.send(how).is_ok())
    }

    /// Whether a delivery stands at a breakpoint: its time limit does not count meanwhile.
    #[must_use]
    pub fn holds(&self, delivery: &DeliveryKey) -> bool {
        self.state().held.values().any(|waiting| waiting.held.delivery.as_ref() == Some(delivery))
    }

    /// How long a delivery stood at breakpoints so far, the present one apart. Long past deliveries are forgotten.
    #[must_use]
    pub fn stood(&self, delivery: &DeliveryKey) -> Duration {
        self.state().stood.iter().filter(|(key, _)| key == delivery).map(|(_, time)| *time).sum()
    }

    /// To be asked before a step runs: waits at a breakpoint, hangs where that was asked for, and says what to do.
    pub async fn before(&self, scope: &Scope, kind: StepKind, name: &str, request: impl FnOnce() -> Option<Value>) -> Verdict {
        if self.idle() || !kind.can_be_stopped() {
            return Verdict::Run;
        }
        let (stop, closed, fault) = self.change(|state| {
            let stop = state.breakpoints.values().any(|place| place.fits(kind, name));
            let fault = state.faults.iter().find(|(_, (place, _))| place.fits(kind, name)).map(|(id, _)| *id);
            (stop, state.closed, fault.and_then(|id| state.faults.remove(&id)))
        });
        let inject = |what: String| {
            scope.emit(Fact::Injected { what: what.clone() });
            what
        };
        if stop {
            let how = if closed { Release::Abort } else { self.hold(scope, kind, name, request()).await };
            match how {
                Release::Continue => {}
                Release::Skip => return Verdict::Skip(inject(format!("{kind} {name} was skipped at a breakpoint"))),
                Release::Abort => {
                    let why = if self.state().closed { ": the session ended" } else { "" };
                    return Verdict::Abort(inject(format!("{ABORTED} {kind} {name}{why}")));
                }
            }
        }
        match fault.map(|(_, fault)| fault) {
            None => Verdict::Run,
            Some(Fault::Fail { message }) => {
                let why = if message.is_empty() { "it was made to fail".to_owned() } else { message };
                Verdict::Fail(inject(format!("injected into {kind} {name}: {why}")))
            }
            Some(Fault::Hang) => {
                inject(format!("injected into {kind} {name}: it hangs"));
                std::future::pending().await
            }
            Some(Fault::Late { millis }) => {
                inject(format!("injected into {kind} {name}: it is {millis} ms late"));
                Verdict::Late(millis)
            }
        }
    }

    async fn hold(&self, scope: &Scope, step_kind: StepKind, name: &str, request: Option<Value>) -> Release {
        let (tell, told) = oneshot::channel();
        let held = Held { delivery: scope.key().cloned(), step_kind, name: name.to_owned(), since: Timestamp::now() };
        let since = Instant::now();
        scope.emit(Fact::Held { step_kind, name: name.to_owned(), request });
        let id = self.change(|state| {
            let id = state.number();
            // Where the session ended just now nobody tells any more, which is an abort.
            if !state.closed {
                state.held.insert(id, Waiting { held, tell: Some(tell) });
            }
            id
        });
        // Whoever is given up while it waits is no longer held.
        let withdraw = Withdraw { controls: self, id };
        let how = told.await.unwrap_or(Release::Abort);
        drop(withdraw);
        if let Some(key) = scope.key() {
            let mut state = self.state();
            if state.stood.len() == REMEMBERED {
                state.stood.pop_front();
            }
            state.stood.push_back((key.clone(), since.elapsed()));
        }
        scope.emit(Fact::Released { how, micros: u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX) });
        how
    }

    /// To be asked before a write through a backend; what it shall fail with, if it shall. Only writes of deliveries are
    /// meant.
    #[must_use]
    pub fn before_write(&self, scope: &Scope, backend: Backend) -> Option<String> {
        if self.idle() || scope.key().is_none() {
            return None;
        }
        let wanted = |state: &State| state.writes.iter().find(|(_, of)| **of == backend).map(|(id, _)| *id);
        self.change(|state| wanted(state).and_then(|id| state.writes.remove(&id)))?;
        let what = format!("this write through the {backend} backend was made to fail");
        scope.emit(Fact::Injected { what: what.clone() });
        Some(format!("injected: {what}"))
    }
}

#[cfg(test)]
mod tests;
