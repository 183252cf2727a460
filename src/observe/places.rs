use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::{DeliveryKey, Fact, Observation};

/// How many announced log lines are remembered until they come.
const LINES: usize = 1024;

/// The loggers of the official runner itself: what they say of a delivery is said beside its steps, not in one.
const RUNNER: &str = "connect.eaas.runner";

/// Where deliveries are that happen in another process: what is seen of them from outside (their API calls, the lines they
/// log) is put into the step they are in. Cheap to clone; costs nothing while nobody says where anything is.
#[derive(Clone, Default)]
pub struct Places(Arc<Inner>);

#[derive(Default)]
struct Inner {
    known: AtomicUsize,
    /// Told when a delivery is over, or in no step any more.
    ended: Notify,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The steps a delivery is in, the innermost last.
    within: HashMap<DeliveryKey, Vec<u32>>,
    lines: VecDeque<Line>,
}

/// A log line that will come.
struct Line {
    delivery: DeliveryKey,
    step: u32,
    target: String,
    message: String,
}

impl fmt::Debug for Places {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Places").field("known", &self.0.known).finish()
    }
}

impl Places {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state();
        change(&mut state);
        self.0.known.store(state.within.len() + state.lines.len(), Ordering::Release);
    }

    /// A delivery is in a step now.
    pub fn enter(&self, delivery: &DeliveryKey, step: u32) {
        self.change(|state| state.within.entry(delivery.clone()).or_default().push(step));
    }

    /// It left the step.
    pub fn leave(&self, delivery: &DeliveryKey, step: u32) {
        let mut out = false;
        self.change(|state| {
            if let Some(steps) = state.within.get_mut(delivery) {
                steps.retain(|one| *one != step);
                out = steps.is_empty();
            }
            if out {
                state.within.remove(delivery);
            }
        });
        if out {
            self.0.ended.notify_waiters();
        }
    }

    /// A line will be logged, of which it is known where it belongs.
    pub fn announce(&self, delivery: &DeliveryKey, step: u32, target: &str, message: &str) {
        let line = Line { delivery: delivery.clone(), step, target: target.into(), message: message.trim_end().into() };
        self.change(|state| {
            if state.lines.len() == LINES {
                state.lines.pop_front();
            }
            state.lines.push_back(line);
        });
    }

    /// Puts an observation where it belongs, if more is known than it says itself.
    pub fn place(&self, observation: &mut Observation) {
        if self.0.known.load(Ordering::Acquire) == 0 || observation.step != 0 {
            return;
        }
        let announced = match &observation.fact {
            Fact::Log { target, .. } if target.starts_with(RUNNER) => return,
            Fact::Log { target, message, .. } => self.announced(target, message),
            Fact::ApiCall(_) | Fact::StoreCall(_) => None,
            Fact::Answered(_) | Fact::Interrupted { .. } => return self.over(observation.delivery.as_ref()),
            _ => return,
        };
        if let Some(line) = announced {
            (observation.delivery, observation.step) = (Some(line.delivery), line.step);
        } else if let Some(delivery) = &observation.delivery {
            let step = self.state().within.get(delivery).and_then(|steps| steps.last().copied());
            observation.step = step.unwrap_or(0);
        }
    }

    /// A delivery has ended, whatever was still open in it.
    fn over(&self, delivery: Option<&DeliveryKey>) {
        if let Some(delivery) = delivery {
            self.change(|state| drop(state.within.remove(delivery)));
            self.0.ended.notify_waiters();
        }
    }

    /// Waits until a delivery that is in a step is over, or has left all its steps.
    pub async fn until_over(&self, delivery: &DeliveryKey) {
        loop {
            let ended = self.0.ended.notified();
            if !self.state().within.contains_key(delivery) {
                return;
            }
            ended.await;
        }
    }

    /// The announced line that this is; a traceback may follow its text.
    fn announced(&self, target: &str, message: &str) -> Option<Line> {
        let mut found = None;
        self.change(|state| {
            let at = state.lines.iter().position(|line| line.target == target && message.starts_with(&line.message));
            found = at.and_then(|at| state.lines.remove(at));
        });
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::Level;

    fn log(message: &str) -> Observation {
        Observation::now(Fact::Log { level: Level::Info, target: "eaas".into(), message: message.into() })
    }

    #[test]
    fn a_line_goes_where_it_was_announced_once_and_what_else_is_seen_into_the_innermost_step() {
        let (places, key) = (Places::default(), DeliveryKey::from("one"));
        places.enter(&key, 1);
        places.enter(&key, 2);
        places.announce(&key, 1, "eaas", "hello");
        let placed = |mut observation: Observation| {
            places.place(&mut observation);
            (observation.delivery.map(|key| key.to_string()), observation.step)
        };
        assert_eq!(placed(log("hello\nTraceback")), (Some("one".into()), 1));
        assert_eq!(placed(log("hello")), (None, 0), "it came already");
        assert_eq!(placed(Observation { delivery: Some(key.clone()), ..log("other") }), (Some("one".into()), 2));
        let (target, message) = ("connect.eaas.runner.workers.events".into(), "task submitted for processing".into());
        let runner =
            Observation { delivery: Some(key.clone()), ..Observation::now(Fact::Log { level: Level::Info, target, message }) };
        assert_eq!(placed(runner), (Some("one".into()), 0), "the runner says that of a delivery, whatever step it is in");
        places.leave(&key, 2);
        assert_eq!(placed(Observation { delivery: Some(key.clone()), ..log("other") }), (Some("one".into()), 1));
        places.leave(&key, 1);
        assert_eq!(places.0.known.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn who_waits_for_the_end_of_a_delivery_waits_for_its_own() {
        let (places, key, other) = (Places::default(), DeliveryKey::from("one"), DeliveryKey::from("other"));
        places.enter(&key, 1);
        places.enter(&other, 1);
        let answered = |key: &DeliveryKey| {
            let fact = Fact::Interrupted { reason: "gone".into() };
            places.place(&mut Observation { delivery: Some(key.clone()), ..Observation::now(fact) });
        };
        let mut waits = Box::pin(places.until_over(&key));
        assert!(futures::poll!(&mut waits).is_pending());
        answered(&other);
        assert!(futures::poll!(&mut waits).is_pending());
        answered(&key);
        waits.await;
        places.enter(&key, 1);
        let mut waits = Box::pin(places.until_over(&key));
        assert!(futures::poll!(&mut waits).is_pending());
        places.leave(&key, 1);
        waits.await;
    }
}
