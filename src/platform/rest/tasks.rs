//! The environment's tasks, as Connect shows them; making one is injecting an event.

use std::sync::Arc;

use axum::http::Method;
use serde_json::{Value, json};

use super::answer::{Answer, Later, parse};
use super::lifecycle::put;
use super::refusal::Refusal;
use super::routes::Call;
use crate::observe::{Origin, Timestamp};
use crate::platform::catalogue::{self, Category};
use crate::platform::core::Core;
use crate::platform::tasks::{Done, Task, TaskState};
use crate::platform::time::iso;
use crate::protocol::TaskResult;

/// Answers a call below `.../tasks`, of the environment or of one installation.
pub(crate) fn answer(core: &Arc<Core>, call: &Call<'_>, of: Option<&str>, rest: &[&str]) -> Result<Answer, Refusal> {
    match (call.method, rest) {
        (&Method::GET, []) => {
            Ok(Answer::Later(Later::Tasks { query: parse(call.query)?, id: None, installation: of.map(Into::into) }))
        }
        (&Method::GET, [id]) => {
            let query = crate::platform::rql::Query::default();
            Ok(Answer::Later(Later::Tasks { query, id: Some((*id).into()), installation: of.map(Into::into) }))
        }
        (&Method::POST, []) if of.is_none() => inject(core, call.body),
        (&Method::POST, [id, "resubmit"]) => Ok(Answer::Later(Later::Resubmit { id: (*id).into() })),
        (_, [] | [_] | [_, "resubmit"]) => Err(Refusal::method()),
        _ => Err(Refusal::not_found()),
    }
}

/// `{"object": {"id", "type", "category"}}`: the object is there already; its event is delivered.
fn inject(core: &Core, body: &Value) -> Result<Answer, Refusal> {
    let text = |name: &str| {
        let value = body.pointer(&format!("/object/{name}")).and_then(Value::as_str).filter(|text| !text.is_empty());
        value.ok_or_else(|| Refusal::invalid(&format!("object.{name}: This field is required.")))
    };
    let (id, sort) = (text("id")?, text("type")?);
    let event = catalogue::find(sort).ok_or_else(|| Refusal::invalid(&format!("object.type: no event type `{sort}`.")))?;
    if body.pointer("/object/category").and_then(Value::as_str).is_some_and(|given| given != event.category.as_str()) {
        let category = event.category.as_str();
        return Err(Refusal::invalid(&format!("object.category: tasks of {sort} are {category}.")));
    }
    let mut state = core.lock();
    let object = event.collection.and_then(|collection| state.objects.get(collection, id));
    let object = object.ok_or_else(|| Refusal::invalid(&format!("object.id: there is no {id}.")))?;
    let data = (event.category == Category::Interactive).then_some(object);
    let (task_id, _) = core.order(&mut state, event, id, data, Origin::Trigger);
    let task = state.tasks.get(&task_id).ok_or_else(Refusal::not_found)?;
    Ok(Answer::Created(shown(core, task, None)))
}

/// A failed task is delivered again, as if for the first time.
pub(crate) fn resubmit(core: &Core, mut task: Task, done: Option<&Done>) -> Result<Answer, Refusal> {
    let failed = done.is_some_and(|done| matches!(done.output.result, TaskResult::Fail));
    let mut state = core.lock();
    if !failed || state.tasks.get(&task.id).is_some() {
        return Err(Refusal::invalid("Only failed tasks can be resubmitted."));
    }
    let id = task.id.clone();
    (task.retries, task.reschedules, task.lost, task.said, task.origin) = (0, 0, 0, None, Origin::Trigger);
    core.enqueue(&mut state, task);
    let task = state.tasks.get(&id).ok_or_else(Refusal::not_found)?;
    Ok(Answer::Object(shown(core, task, None)))
}

/// A task as the API shows it.
pub(crate) fn shown(core: &Core, task: &Task, done: Option<&Done>) -> Value {
    let instance = match &task.state {
        TaskState::Sent { instance, .. } => Some(instance),
        _ => None,
    };
    let status = match (&task.state, done) {
        (_, Some(done)) => match done.output.result {
            TaskResult::Fail => "failed",
            TaskResult::Skip => "skipped",
            _ => "succeeded",
        },
        (TaskState::Sent { .. }, None) => "processing",
        (TaskState::Waiting { .. }, None) if task.origin == Origin::Retry => "retrying",
        (TaskState::Waiting { .. }, None) => "rescheduled",
        (TaskState::Queued, None) => "scheduled",
    };
    let at = |moment: Timestamp| json!({"at": iso(moment)});
    let said = done.map_or(task.said.as_ref(), |done| done.output.message.as_ref());
    let mut events = json!({"created": at(task.created)});
    match (&task.state, done) {
        (_, Some(done)) => put(&mut events, "completed", at(done.completed)),
        (TaskState::Waiting { due }, None) => put(&mut events, "rescheduled", at(*due)),
        _ => {}
    }
    json!({
        "id": task.id, "object": {"id": task.object_id, "type": task.event_type, "category": task.category().as_str()},
        "assignee": instance, "status": status, "output": said,
        "environment": {"id": core.access.environment_id, "type": "development"},
        "owner": {"id": core.access.account_id, "name": "Local developer"}, "events": events,
        "retry_count": task.retries, "rescheduled_count": task.reschedules,
        "runtime_total": done.map_or(task.runtime_total, |done| done.runtime_total),
        "installation": task.installation.as_ref().map(|id| json!({"id": id})),
    })
}
