//! The Rust side of making things happen: objects come into being and tasks for them are queued.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::catalogue::{self, Category, EventType};
use super::changes::{self, INSTALLATIONS};
use super::core::{Core, State};
use super::prepared::Prepared;
use super::schedule::SCHEDULES;
use super::tasks::TaskState;
use super::{PlatformError, ids, seeds, template, time};
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
        let simple = event.category == Category::Background && event.collection != Some(INSTALLATIONS);
        if object.is_none() && changes.is_empty() && simple {
            let status = self.status(event);
            if let Some(prepared) = Prepared::of(event, status) {
                return self.trigger_prepared(event, &prepared).await;
            }
        }
        // The object is made before the state is taken hold of: others need not wait for that.
        let mut object = self.fresh(event, object);
        for (path, value) in changes {
            template::set(&mut object, path, value)?;
        }
        let object_id = checked(event, &object)?;
        let (queued, written) = {
            let mut state = self.lock();
            let queued = self.queue(&mut state, event, object_id, object);
            (queued, self.disk.flush())
        };
        written.passed().await?;
        Ok(queued)
    }

    /// The same for an object like the sample in all but what is new of it.
    async fn trigger_prepared(&self, event: &EventType, prepared: &Prepared) -> Result<Queued, PlatformError> {
        let made = prepared.make();
        let (queued, written) = {
            let mut state = self.lock();
            let id = made.id.clone();
            made.store(&mut state.objects);
            (self.queue_for(&mut state, event, id, None), self.disk.flush())
        };
        written.passed().await?;
        Ok(queued)
    }

    /// The status of a new object: one somebody waits for.
    fn status(&self, event: &EventType) -> Option<&'static str> {
        let subscribed = self.lock().runners.statuses(event.name);
        template::status(event, &subscribed)
    }

    fn fresh(&self, event: &EventType, given: Option<Value>) -> Value {
        let Some(mut object) = given else {
            let mut object = event.sample();
            template::refresh(&mut object);
            template::set_status(&mut object, event, self.status(event));
            match event.collection {
                Some(SCHEDULES) => self.fit_schedule(&mut object),
                Some(INSTALLATIONS) => seeds::localise(&mut object, &self.access),
                _ => {}
            }
            return object;
        };
        template::refresh(&mut object);
        object
    }

    /// A schedule is of this environment and calls a method the extension declares. It is due now, and only now.
    fn fit_schedule(&self, schedule: &mut Value) {
        seeds::localise(schedule, &self.access);
        let declared = self.lock().capabilities.schedulables.clone();
        let Some(fields) = schedule.as_object_mut() else { return };
        let method = fields.get("method").and_then(Value::as_str).unwrap_or_default();
        if let Some(first) = declared.first()
            && !declared.iter().any(|d| d.method == method)
        {
            fields.insert("method".into(), first.method.as_str().into());
        }
        let now = time::now();
        fields.insert("trigger".into(), json!({"type": "onetime", "date": now}));
        fields.insert(
            "events".into(),
            json!({"created": {"at": now}, "updated": {"at": now}, "last_triggered": {"at": now}, "next_trigger": null}),
        );
    }

    /// Stores the object and queues the task.
    fn queue(&self, state: &mut State, event: &EventType, object_id: String, object: Value) -> Queued {
        if let Some(collection) = event.collection {
            changes::store(&mut state.objects, collection, &object_id, &object);
        }
        let data = (event.category == Category::Interactive).then_some(object);
        self.queue_for(state, event, object_id, data)
    }

    /// Queues the task for an object that is stored.
    fn queue_for(&self, state: &mut State, event: &EventType, object_id: String, data: Option<Value>) -> Queued {
        let (task_id, new) = self.order(state, event, &object_id, data, Origin::Trigger);
        let note = if new {
            let sent = state.tasks.get(&task_id).is_some_and(|task| matches!(task.state, TaskState::Sent { .. }));
            (!sent).then(|| undelivered(state, event))
        } else {
            Some("a task for this object was queued already: Connect makes no second one".into())
        };
        Queued { task_id, object_id, event_type: event.name.to_owned(), note }
    }
}

pub(super) fn undelivered(state: &State, event: &EventType) -> String {
    match (state.runners.ready().count(), event.category) {
        _ if state.runners.held => "deliveries are held; the task waits until they are released".into(),
        (0, _) => "no runner is connected; the task waits for one".into(),
        (_, Category::Scheduled) => "no connected runner declares a method that can be scheduled; the task waits".into(),
        (_, category) => {
            let (name, category) = (event.name, category.as_str());
            format!("no connected runner of {category} tasks subscribes to {name}; the task waits for one that does")
        }
    }
}

pub(super) fn known(event_type: &str) -> Result<&'static EventType, PlatformError> {
    catalogue::find(event_type).ok_or_else(|| PlatformError::UnknownEventType {
        event_type: event_type.into(),
        known: catalogue::EVENT_TYPES.iter().map(|e| e.name).collect(),
    })
}

/// The id of an object that can be one of the event type.
pub(super) fn checked(event: &EventType, object: &Value) -> Result<String, PlatformError> {
    let wrong = |reason: &str| Err(PlatformError::Object(format!("the object for {}: {reason}", event.name)));
    let Some(fields) = object.as_object().filter(|fields| !fields.is_empty()) else {
        return wrong("it must be a JSON object, and not an empty one");
    };
    if !fits(object) {
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

/// Whether the object's text stays below [`MAX_OBJECT`]: measured without making the text.
fn fits(object: &Value) -> bool {
    fn size(value: &Value) -> usize {
        match value {
            Value::String(text) => text.len() + 2,
            Value::Array(items) => items.iter().map(|item| size(item) + 1).sum::<usize>() + 2,
            Value::Object(fields) => fields.iter().map(|(name, value)| name.len() + size(value) + 4).sum::<usize>() + 2,
            _ => 8,
        }
    }
    size(object) <= MAX_OBJECT
}

/// What a product action or a custom event is about.
fn action_object(object: &Value) -> String {
    let payload = object.get("jwt_payload");
    let named = |name: &str| payload?.get(name)?.as_str().filter(|id| !id.is_empty()).map(Into::into);
    named("asset_id").or_else(|| named("configuration_id")).unwrap_or_else(|| ids::random("PRD", &[3, 3, 3]))
}
