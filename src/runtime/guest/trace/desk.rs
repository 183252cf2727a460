//! Makes observations of what the hook says.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

use super::super::FindDelivery;
use super::message::{Message, What};
use crate::observe::control::Verdict;
use crate::observe::{DeliveryKey, Fact, Places, Scope, StepKind};

/// How many deliveries are remembered.
const REMEMBERED: usize = 512;

pub(super) struct Desk {
    scope: Scope,
    find: FindDelivery,
    places: Places,
    /// The deliveries and who counts their steps, the latest last.
    deliveries: Mutex<VecDeque<(DeliveryKey, Scope)>>,
}

impl Desk {
    pub(super) fn new(scope: Scope, find: FindDelivery, places: Places) -> Self {
        Self { scope, find, places, deliveries: Mutex::default() }
    }

    fn delivery(&self, task: &str) -> Option<(DeliveryKey, Scope)> {
        let key = (self.find)(Some(task))?;
        let mut known = self.deliveries.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, scope)) = known.iter().rev().find(|(one, _)| *one == key) {
            return Some((key, scope.clone()));
        }
        if known.len() == REMEMBERED {
            known.pop_front();
        }
        let scope = self.scope.delivery(key.clone());
        known.push_back((key.clone(), scope.clone()));
        Some((key, scope))
    }

    /// Whether the answer to a message may have to wait for a developer.
    pub(super) fn may_wait(&self, message: &Message) -> bool {
        matches!(message.what, What::Begin { kind, .. } if kind.can_be_stopped())
            && self.scope.controls().is_some_and(|controls| !controls.idle())
    }

    /// Takes note of a message and answers it.
    pub(super) async fn take(&self, Message { n, task, what }: Message) -> Value {
        // Of a task nobody knows nothing can be told, and nothing need be.
        let Some((key, scope)) = self.delivery(&task) else { return json!({"n": n, "verdict": Verdict::Run}) };
        let mut answer = json!({"n": n});
        match what {
            What::Begin { parent, kind, name, request } => {
                let shown = request.clone().filter(|_| kind != StepKind::Decision);
                let step = scope.at_step(parent).step(kind, &name, shown);
                let number = step.scope().number();
                self.places.enter(&key, number);
                let verdict = match scope.controls() {
                    Some(controls) => tokio::select! {
                        biased;
                        verdict = controls.before(step.scope(), kind, &name, || request) => verdict,
                        // A thread of the guest waits for this: it shall not for ever.
                        () = self.places.until_over(&key) => Verdict::Abort("the delivery is over".into()),
                    },
                    None => Verdict::Run,
                };
                answer = json!({"n": n, "step": number, "verdict": verdict});
            }
            What::End { step, outcome, detail, request, micros } => {
                self.places.leave(&key, step);
                scope.at_step(step).emit(Fact::StepEnded { outcome, detail, request, micros });
            }
            What::Log { step, logger, message } => self.places.announce(&key, step, &logger, &message),
            What::Store { step, call } => scope.at_step(step).emit(Fact::StoreCall(call)),
            What::Write { step, backend } => {
                let fail = scope.controls().and_then(|controls| controls.before_write(&scope.at_step(step), backend));
                answer = json!({"n": n, "fail": fail});
            }
            What::Limit => {
                let controls = scope.controls();
                let stood = controls.map(|controls| controls.stood(&key)).unwrap_or_default();
                let held = controls.is_some_and(|controls| controls.holds(&key));
                answer = json!({"n": n, "micros": u64::try_from(stood.as_micros()).unwrap_or(u64::MAX), "held": held});
            }
        }
        answer
    }
}
