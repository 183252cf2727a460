//! The Rust side of making things happen: objects come into being and tasks for them are queued.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::catalogue::{self, Category, EventType};
use super::core::{Core, State};
use super::tasks::{Task, TaskState};
use super::{PlatformError, ids, template};
use crate::observe::Origin;

/// A task that is on its way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queued {
    /// The task.
    pub task_id: String,
    /// The object it is about.
    pub object_id: String,
    /// Its event type.
    pub event_type: String,
    /// What a developer should know: why it is not delivered yet, say.
    pub note: Option<String>,
}

/// Connect's objects are JSON; ours may not grow without end.
const MAX_OBJECT: usize = 8 << 20;

impl Core {
    /// See [`Platform::trigger`](super::Platform::trigger).
    pub(super) async fn trigger(
        self: &Arc<Self>,
        event_type: &str,
        object: Option<Value>,
        changes: &[(String, String)],
    ) -> Result<Queued, PlatformError> {
        let event = known(event_type)?;
        let (queued, written) = {
            let mut guard = self.lock();
            let state = &mut *guard;
            let mut object = self.fresh(state, event, object);
            for (path, value) in changes {
                template::set(&mut object, path, value)?;
            }
            let object_id = checked(event, &object)?;
            let queued = self.queue(state, event, object_id, object, Origin::Trigger);
            (queued, self.disk.barrier())
        };
        written.passed().await?;
        Ok(queued)
    }

    /// See [`Platform::replay`](super::Platform::replay).
    pub(super) async fn replay(self: &Arc<Self>, event_type: &str, object: Value, of: i64) -> Result<Queued, PlatformError> {
        let event = known(event_type)?;
        let (queued, written) = {
            let object_id = checked(event, &object)?;
            let mut guard = self.lock();
            let queued = self.queue(&mut guard, event, object_id, object, Origin::Replay(of));
            (queued, self.disk.barrier())
        };
        written.passed().await?;
        Ok(queued)
    }

    fn fresh(&self, state: &State, event: &EventType, given: Option<Value>) -> Value {
        let Some(mut object) = given else {
            let mut object = event.sample();
            template::refresh(&mut object);
            template::choose_status(&mut object, event, &state.runners.statuses(event.name));
            if event.category == Category::Scheduled {
                self.fit_schedule(state, &mut object);
            }
            return object;
        };
        template::refresh(&mut object);
        object
    }

    /// A schedule is of this environment and calls a method the extension declares.
    fn fit_schedule(&self, state: &State, schedule: &mut Value) {
        if let Some(id) = schedule.get_mut("environment").and_then(|e| e.get_mut("id")) {
            *id = self.access.environment_id.as_str().into();
        }
        let declared: Vec<&String> = state.runners.ready().flat_map(|r| &r.schedulables).collect();
        if let (Some(method), Some(first)) = (schedule.get_mut("method"), declared.first())
            && !declared.iter().any(|d| *method == ***d)
        {
            *method = first.as_str().into();
        }
    }

    /// Stores the object and queues the task.
    fn queue(&self, state: &mut State, event: &EventType, object_id: String, object: Value, origin: Origin) -> Queued {
        if let Some(collection) = event.collection {
            state.objects.put(collection, &object_id, &object);
        }
        let event_type = event.name.to_owned();
        // A replay is an order to deliver now: it is never taken for a task that happens to wait already.
        let already = (origin == Origin::Trigger).then(|| state.tasks.queued_for(event.name, &object_id)).flatten();
        if let Some(task) = already {
            let note = Some("a task for this object was queued already: Connect makes no second one".into());
            return Queued { task_id: task.id.clone(), object_id, event_type, note };
        }
        let data = (event.category == Category::Interactive).then_some(object);
        let task = Task::new(event.category, event.name, &object_id, data, origin);
        let task_id = task.id.clone();
        self.enqueue(state, task);
        let sent = state.tasks.get(&task_id).is_some_and(|task| matches!(task.state, TaskState::Sent { .. }));
        let note = (!sent).then(|| undelivered(state, event));
        Queued { task_id, object_id, event_type, note }
    }
}

fn undelivered(state: &State, event: &EventType) -> String {
    match (state.runners.ready().count(), event.category) {
        (0, _) => "no runner is connected; the task waits for one".into(),
        (_, Category::Scheduled) => "no connected runner declares a method that can be scheduled; the task waits".into(),
        (_, category) => {
            let (name, category) = (event.name, category.as_str());
            format!("no connected runner of {category} tasks subscribes to {name}; the task waits for one that does")
        }
    }
}

fn known(event_type: &str) -> Result<&'static EventType, PlatformError> {
    catalogue::find(event_type).ok_or_else(|| PlatformError::UnknownEventType {
        event_type: event_type.into(),
        known: catalogue::EVENT_TYPES.iter().map(|e| e.name).collect(),
    })
}

/// The id of an object that can be one of the event type.
fn checked(event: &EventType, object: &Value) -> Result<String, PlatformError> {
    let wrong = |reason: &str| Err(PlatformError::Object(format!("the object for {}: {reason}", event.name)));
    let Some(fields) = object.as_object().filter(|fields| !fields.is_empty()) else {
        return wrong("it must be a JSON object, and not an empty one");
    };
    if object.to_string().len() > MAX_OBJECT {
        return wrong("it is larger than 8 MiB");
    }
    match fields.get("id") {
        Some(Value::String(id)) if id.is_empty() || id.contains(|c: char| "/?#(),&\"'".contains(c) || c.is_whitespace()) => {
            wrong("its `id` holds characters an id of Connect can't have")
        }
        Some(Value::String(id)) => Ok(id.clone()),
        None if event.collection.is_none() => Ok(action_object(object)),
        _ => wrong("its `id` must be a text"),
    }
}

/// What a product action or a custom event is about.
fn action_object(object: &Value) -> String {
    let payload = object.get("jwt_payload");
    let named = |name: &str| payload?.get(name)?.as_str().filter(|id| !id.is_empty()).map(Into::into);
    named("asset_id").or_else(|| named("configuration_id")).unwrap_or_else(|| ids::random("PRD", &[3, 3, 3]))
}
