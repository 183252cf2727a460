//! Captures run again: a task for an object as it was, in ways a new one never is; and deliveries that are held meanwhile.

use std::sync::Arc;

use serde_json::Value;

use super::catalogue::Category;
use super::changes;
use super::core::Core;
use super::hub::{Configuration, Outgoing, Runner};
use super::recording::Recording;
use super::tasks::{Task, TaskState};
use super::trigger::{Queued, checked, known, undelivered};
use super::{Platform, PlatformError};
use crate::observe::{Origin, SeenVariable};

/// What is to be run again, and how.
#[derive(Debug, Clone)]
pub struct Rerun {
    /// The event type.
    pub event_type: String,
    /// The object.
    pub object: Value,
    /// The journal's number of the delivery that is replayed, where it is in this journal.
    pub of: Option<i64>,
    /// What the API answers; the object is not stored then, so that nothing here changes.
    pub recording: Option<Recording>,
    /// Whether it never comes again by itself, whatever it is answered with.
    pub once: bool,
    /// Whether it is delivered while all others are held.
    pub ahead: bool,
}

impl Platform {
    /// Puts an object back as it was captured (unless a recording answers for it) and queues a task for it.
    ///
    /// # Errors
    /// As [`trigger`](Self::trigger).
    pub async fn rerun(&self, rerun: Rerun) -> Result<Queued, PlatformError> {
        self.0.core.rerun(rerun).await
    }

    /// The sample of an event type, as it is before it gets ids and dates of its own.
    #[must_use]
    pub fn sample(event_type: &str) -> Option<Value> {
        known(event_type).ok().map(super::catalogue::EventType::sample)
    }

    /// Changes an object at a dotted path, as [`trigger`](Self::trigger) does it.
    ///
    /// # Errors
    /// [`PlatformError::Path`].
    pub fn set(object: &mut Value, path: &str, value: &str) -> Result<(), PlatformError> {
        super::template::set(object, path, value)
    }

    /// Whether a task is still queued, or out at a runner.
    #[must_use]
    pub fn is_out(&self, task_id: &str) -> bool {
        let state = self.0.core.lock();
        state.tasks.get(task_id).is_some_and(|task| !matches!(task.state, TaskState::Waiting { .. }))
    }

    /// Holds deliveries back, or lets them go on. What is out stays out.
    pub fn hold(&self, hold: bool) {
        let core = &self.0.core;
        let mut state = core.lock();
        state.runners.held = hold;
        if !hold {
            core.send_queued(&mut state);
        }
    }

    /// Whether deliveries are held back.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.0.core.lock().runners.held
    }

    /// Sends a configuration with other variables than those that are stored, and stores nothing. Says how many runners it
    /// went to.
    ///
    /// # Errors
    /// [`PlatformError::Stopped`].
    pub fn lend(&self, others: &[SeenVariable]) -> Result<usize, PlatformError> {
        let core = &self.0.core;
        if core.closing.is_cancelled() {
            return Err(PlatformError::Stopped);
        }
        let state = core.lock();
        let mut seen = state.variables.seen();
        for other in others {
            match seen.iter_mut().find(|variable| variable.name == other.name) {
                Some(variable) => variable.value.clone_from(&other.value),
                None => seen.push(other.clone()),
            }
        }
        let instances: std::collections::BTreeSet<&str> = state.runners.ready().map(|r| r.instance_id.as_str()).collect();
        instances.into_iter().for_each(|instance| core.foreign.configured(instance, true, seen.clone()));
        let frame = |version| Configuration::new(core, &state).with_variables(&seen).frame(version);
        let tell = |r: &&Runner| r.outgoing.send(Outgoing::Frame(frame(r.version))).is_ok();
        Ok(state.runners.ready().filter(tell).count())
    }
}

impl Core {
    async fn rerun(self: &Arc<Self>, rerun: Rerun) -> Result<Queued, PlatformError> {
        let Rerun { event_type, object, of, recording, once, ahead } = rerun;
        let event = known(&event_type)?;
        let object_id = checked(event, &object)?;
        let (queued, written) = {
            let mut guard = self.lock();
            let state = &mut *guard;
            let origin = of.map_or(Origin::Trigger, Origin::Replay);
            let data = (event.category == Category::Interactive).then(|| object.clone());
            let mut task = Task::new(event.category, event.name, &object_id, data, origin);
            (task.once, task.ahead) = (once, ahead);
            task.installation = changes::installation(state, event, &object_id);
            match (recording, event.collection) {
                (Some(recording), _) => self.recordings.play(&task.id, recording),
                (None, Some(collection)) => changes::store(&mut state.objects, collection, &object_id, &object),
                (None, None) => {}
            }
            let task_id = task.id.clone();
            self.enqueue(state, task);
            let sent = state.tasks.get(&task_id).is_some_and(|task| matches!(task.state, TaskState::Sent { .. }));
            let note = (!sent).then(|| undelivered(state, event));
            (Queued { task_id, object_id, event_type, note }, self.disk.flush())
        };
        written.passed().await?;
        Ok(queued)
    }
}
