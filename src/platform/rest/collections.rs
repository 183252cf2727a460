//! The calls on collections of objects, carried out on what is stored.

use std::sync::Arc;

use axum::http::Method;
use serde_json::Value;

use super::answer::{Answer, Later, parse};
use super::lifecycle::{self, put, status, touch};
use super::refusal::Refusal;
use super::resources::{self, Create, Resource};
use super::routes::{Call, search};
use super::verbs::{Step, Verb};
use super::{accounts, orders, render};
use crate::observe::{Level, Origin, Timestamp};
use crate::platform::catalogue;
use crate::platform::core::{Core, State};
use crate::platform::state::Alarm;
use crate::platform::{seeds, template, time};

/// Answers a call on a collection, one of its objects, or with a verb.
pub(crate) fn answer(core: &Arc<Core>, call: &Call<'_>, segments: &[&str]) -> Result<Answer, Refusal> {
    let (resource, rest) = resources::find(segments).ok_or_else(Refusal::not_found)?;
    on(core, call, resource, rest)
}

/// The same where the collection is known.
pub(crate) fn on(core: &Arc<Core>, call: &Call<'_>, resource: &'static Resource, rest: &[&str]) -> Result<Answer, Refusal> {
    match (call.method, rest) {
        (&Method::GET, []) => Ok(search(core, resource.path, parse(call.query)?)),
        (&Method::GET, [id]) => core.lock().objects.text(resource.path, id).map(Answer::Text).ok_or_else(Refusal::not_found),
        (&Method::POST, []) if resource.create != Create::No => create(core, resource, call.body),
        (&Method::PUT, [id]) => change(core, resource, id, |state, object| {
            let mut changed = object.clone();
            lifecycle::update(resource, &mut changed, call.body)?;
            if resource.create == Create::Account {
                accounts::archive(state, object);
                put(&mut changed, "version", object.get("version").cloned().unwrap_or_default());
            }
            *object = changed;
            Ok(())
        }),
        (&Method::DELETE, [id]) if resource.delete => match core.lock().objects.delete(resource.path, id) {
            true => Ok(Answer::Nothing),
            false => Err(Refusal::not_found()),
        },
        (_, [] | [_]) => Err(Refusal::method()),
        (method, [id, "render"]) if resource.subject.is_some() || matches!(resource.path, "assets" | "tier/configs") => {
            if method != Method::GET {
                return Err(Refusal::method());
            }
            render::object(core, resource, id)
        }
        (method, [id, "validate"]) if resource.subject.is_some() => match *method {
            Method::POST => validate(core, resource, id, call.body),
            _ => Err(Refusal::method()),
        },
        (method, [id, name]) => {
            let verb = resource.verbs.iter().find(|verb| verb.name == *name).ok_or_else(Refusal::not_found)?;
            if method != Method::POST {
                return Err(Refusal::method());
            }
            let mut unknown = None;
            let done = change(core, resource, id, |state, object| {
                lifecycle::perform(resource, verb, object, call.body)?;
                unknown = name_template(resource, state, object, verb, call.body)?;
                Ok(())
            })?;
            if let Some(template) = unknown {
                let line = format!(
                    "{id} names the template {template}, which its product does not have: the real Connect would refuse it"
                );
                core.log(Level::Warning, line);
            }
            set_alarm(core, verb, id, &done);
            Ok(if resource.silent.contains(name) { Answer::Nothing } else { done })
        }
        _ => Err(Refusal::not_found()),
    }
}

/// Changes a stored object, if `work` does not refuse, and lets follow what follows.
fn change(
    core: &Core,
    resource: &Resource,
    id: &str,
    work: impl FnOnce(&mut State, &mut Value) -> Result<(), Refusal>,
) -> Result<Answer, Refusal> {
    let mut guard = core.lock();
    let state = &mut *guard;
    let mut object = state.objects.get(resource.path, id).ok_or_else(Refusal::not_found)?;
    let before = status(resource, &object).to_owned();
    work(state, &mut object)?;
    core.keep(state, resource.path, Some(&before), &object);
    drop(guard);
    let after = status(resource, &object);
    if before != after {
        core.log(Level::Info, format!("{id} went from {before} to {after} (asked over REST)"));
    }
    Ok(Answer::Object(object))
}

/// A template that is named has a name of its own, where it is one of the product's, and is for what is done. The id of
/// one that the product does not have is returned: an extension may name one of its real product, which is not here.
fn name_template(
    resource: &Resource,
    state: &mut State,
    object: &mut Value,
    verb: &Verb,
    body: &Value,
) -> Result<Option<String>, Refusal> {
    let sort = match verb.step {
        Step::Approve => "fulfillment",
        Step::Inquire => "inquire",
        _ => return Ok(None),
    };
    let (id, field) = match (body.get("template_id"), body.pointer("/template/id")) {
        (Some(id), _) => (id.as_str(), "template_id"),
        (None, id) => (id.and_then(Value::as_str), "template.id"),
    };
    let product = ["/asset/product/id", "/configuration/product/id"].into_iter().find_map(|at| object.pointer(at)?.as_str());
    let (Some(product), Some(id)) = (product, id) else { return Ok(None) };
    let Some(known) = state.objects.get(&format!("products/{product}/templates"), id) else { return Ok(Some(id.to_owned())) };
    let text = |field: &str| known.get(field).and_then(Value::as_str).unwrap_or_default();
    let (scope, kind, of_asset) = (text("scope"), text("type"), resource.subject == Some("asset"));
    if kind != sort || (scope == "asset") != of_asset {
        let wanted = if of_asset { "asset" } else { "tier" };
        let why = format!("{field}: {id} is a template of type {kind} for {scope}; one of type {sort} for {wanted} is needed.");
        return Err(Refusal::invalid(&why));
    }
    if let (Some(name), Some(template)) = (known.get("name"), object.get_mut("template")) {
        put(template, "name", name.clone());
    }
    Ok(None)
}

/// The planned date of a request is an alarm; calling the request off calls it off.
fn set_alarm(core: &Core, verb: &Verb, id: &str, done: &Answer) {
    let Answer::Object(object) = done else { return };
    let mut state = core.lock();
    if verb.step == Step::Schedule
        && let Some(date) = object.get("planned_date").and_then(Value::as_str).and_then(time::parse)
    {
        state.alarms.set(Alarm::Planned, id, Timestamp(date.as_microsecond()));
        core.clock.notify_one();
    } else if verb.from.contains(&"scheduled") {
        state.alarms.clear(Alarm::Planned, id);
    }
}

fn create(core: &Core, resource: &Resource, body: &Value) -> Result<Answer, Refusal> {
    if !body.is_object() {
        return Err(Refusal::invalid("The body must be an object."));
    }
    // Held to the end: two that are made at once do not get the same number.
    let mut state = core.lock();
    let mut object = match resource.create {
        Create::Account => accounts::make(body)?,
        Create::Order => orders::make(&mut state.objects, body)?,
        Create::Like(event, first) => {
            let mut object = like(event, body);
            seeds::localise(&mut object, &core.access);
            touch(resource, &mut object, Some(first));
            object
        }
        Create::No => return Err(Refusal::method()),
    };
    if resource.path == "requests" {
        let status = object.get("status").and_then(Value::as_str).unwrap_or("pending").to_owned();
        touch(resource, &mut object, Some(&status));
    }
    core.keep(&mut state, resource.path, None, &object);
    drop(state);
    let id = object.get("id").and_then(Value::as_str).unwrap_or_default();
    core.log(Level::Info, format!("{id} was made in {} (asked over REST)", resource.path));
    Ok(Answer::Created(object))
}

/// A new object like the sample of an event, with the fields of the body.
fn like(event: &str, body: &Value) -> Value {
    let mut object = catalogue::find(event).map(catalogue::EventType::sample).unwrap_or_default();
    template::refresh(&mut object);
    let id = object.get("id").cloned().unwrap_or_default();
    lifecycle::merge(&mut object, body);
    put(&mut object, "id", id);
    object
}

/// Asks the extension whether a draft's parameters are right, as the portal does; the answer is the extension's. Where
/// it does not validate, everything is right.
fn validate(core: &Core, resource: &Resource, id: &str, body: &Value) -> Result<Answer, Refusal> {
    let mut state = core.lock();
    let mut draft = state.objects.get(resource.path, id).ok_or_else(Refusal::not_found)?;
    lifecycle::parameters(resource, &mut draft, body)?;
    let sort = match draft.get("type").and_then(Value::as_str).unwrap_or_default() {
        "update" => "change",
        sort => sort,
    };
    let of = if resource.path == "requests" { "asset" } else { "tier_config" };
    let event = catalogue::find(&format!("{of}_{sort}_request_validation"));
    let event = event.filter(|event| state.runners.ready().any(|r| r.takes(event.category, event.name)));
    let Some(event) = event else { return Ok(Answer::Object(draft)) };
    let (task_id, _) = core.order(&mut state, event, id, Some(draft), Origin::Trigger);
    Ok(Answer::Later(Later::Validation { task_id }))
}
