//! The environment.

use std::sync::Arc;

use axum::http::Method;
use serde_json::{Value, json};

use super::answer::{Answer, Later};
use super::refusal::Refusal;
use super::routes::Call;
use super::{statistics, variables};
use crate::observe::Level;
use crate::platform::access::Access;
use crate::platform::catalogue::{self, EVENT_TYPES, EventType};
use crate::platform::core::Core;
use crate::platform::hub::Capabilities;
use crate::platform::seeds;

/// What only an environment in the cloud does.
const CLOUD: &[&str] = &["start", "stop", "update", "rebuild", "image"];

/// Answers a call below `devops/services/{SRVC}/environments/{ENV}`.
pub(crate) fn answer(core: &Arc<Core>, call: &Call<'_>, rest: &[&str]) -> Result<Answer, Refusal> {
    match (call.method, rest) {
        (&Method::GET, []) => Ok(Answer::Object(object(core))),
        (&Method::PUT, []) => put(core, call.body),
        (&Method::POST, ["update-config"]) => {
            core.apply().map_err(|e| Refusal::invalid(&e.to_string()))?;
            Ok(Answer::Object(object(core)))
        }
        (_, ["variables", rest @ ..]) => variables::answer(core, call, rest),
        (&Method::GET, ["event-subscriptions"]) => call.list(subscriptions(core)),
        (&Method::GET, ["task-stats", granularity]) if statistics::is_known(granularity) => {
            Ok(Answer::Later(Later::Statistics { granularity: (*granularity).into() }))
        }
        (&Method::GET, ["transformations"]) => call.list(transformations(core)),
        (&Method::PUT, ["instances", id]) => instance(core, id, call.body),
        (_, ["logs" | "stats", ..]) => Err(Refusal::invalid(
            "Logs and stats are kept of environments in the cloud; this one is local: the console has them.",
        )),
        (_, ["task-stats", granularity]) if statistics::is_known(granularity) => Err(Refusal::method()),
        (_, ["instances", _]) => Err(Refusal::method()),
        (&Method::POST, [action]) if CLOUD.contains(action) => {
            Err(Refusal::invalid(&format!("`{action}` is for environments in the cloud; this one is local.")))
        }
        (_, [] | ["update-config" | "event-subscriptions"]) => Err(Refusal::method()),
        (_, [action]) if CLOUD.contains(action) => Err(Refusal::method()),
        _ => Err(Refusal::not_found()),
    }
}

/// The environment is local and stays so; what a runner says of a crash of its is kept in the log.
fn put(core: &Core, body: &Value) -> Result<Answer, Refusal> {
    if body.get("runtime").is_some_and(|runtime| runtime != "local") {
        return Err(Refusal::invalid(
            "runtime: the local Connect has no cloud to run an extension in; only \"local\" is a choice.",
        ));
    }
    if let Some(error) = body.get("error_output").and_then(Value::as_str) {
        core.log(Level::Error, format!("the runner reports: {error}"));
    }
    Ok(Answer::Object(object(core)))
}

/// The transformations the extension declares.
fn transformations(core: &Core) -> Vec<Value> {
    let state = core.lock();
    let declared = state.capabilities.applications.get("tfnapp").and_then(|request| request.get("transformations"));
    declared.and_then(Value::as_array).cloned().unwrap_or_default()
}

/// What an instance says of a crash of its is kept in the log.
fn instance(core: &Core, id: &str, body: &Value) -> Result<Answer, Refusal> {
    let all = object(core);
    let instances = all.get("instances").and_then(Value::as_array).into_iter().flatten();
    let mut instances = instances.filter(|instance| instance.get("id").is_some_and(|own| own == id));
    let mut instance = instances.next().cloned().ok_or_else(Refusal::not_found)?;
    if let Some(error) = body.get("error_output").and_then(Value::as_str) {
        core.log(Level::Error, format!("the runner {id} reports: {error}"));
        super::lifecycle::put(&mut instance, "error_output", error.into());
    }
    Ok(Answer::Object(instance))
}

fn subscriptions(core: &Core) -> Vec<Value> {
    let state = core.lock();
    let one = |(event, statuses): (&String, &Vec<String>)| {
        let category = catalogue::find(event).map(|event| event.category.as_str());
        json!({"event_type": event, "statuses": statuses, "category": category})
    };
    state.capabilities.events.iter().map(one).collect()
}

/// What the extension can do, event by event: which statuses there are, and which it wants.
fn capabilities(capabilities: &Capabilities) -> Vec<Value> {
    let one = |event: &'static EventType| {
        let wanted = capabilities.events.get(event.name)?;
        let status = |status: &&str| ((*status).to_owned(), wanted.iter().any(|w| w == status).into());
        Some(json!({
            "id": event.name, "label": event.name.replace('_', " "), "category": event.category.as_str(), "enabled": true,
            "group": {"id": event.collection, "label": event.collection},
            "statuses": event.statuses.iter().map(status).collect::<serde_json::Map<_, _>>(),
        }))
    };
    EVENT_TYPES.iter().filter_map(one).collect()
}

/// The environment as it is.
pub(crate) fn object(core: &Core) -> Value {
    let access = &core.access;
    let state = core.lock();
    let instances: Vec<Value> = state
        .runners
        .ready()
        .enumerate()
        .map(|(number, runner)| {
            let id = format!("{}-{:06}", access.environment_id.replacen("ENV", "INS", 1), number + 1);
            let connected = crate::platform::time::iso(runner.since);
            json!({
                "id": id, "container_id": runner.instance_id, "runtime": "local", "status": "connected",
                "events": {"connected": {"at": connected}},
            })
        })
        .collect();
    let repository = state.capabilities.repository.clone().unwrap_or_default();
    let applications = &state.capabilities.applications;
    let has = |name: &str| applications.contains_key(name);
    let of_web = |field: &str| applications.get("webapp").and_then(|request| request.get(field)).cloned();
    json!({
        "id": access.environment_id, "type": "development", "runtime": "local",
        "git": {"url": null, "tag": null, "commit": null}, "capabilities": capabilities(&state.capabilities),
        "schedulables": state.capabilities.schedulables, "readme_url": repository.readme_url,
        "changelog_url": repository.changelog_url, "runner_version": state.capabilities.runner_version,
        "resources": {"cpu": 0, "memory": 0},
        "features": {
            "event_processing_available": true, "custom_api_available": false, "web_app_available": has("webapp"),
            "anvil_app_available": has("anvilapp"), "transformation_app_available": has("tfnapp"),
        },
        "status": if instances.is_empty() { "disconnected" } else { "connected" },
        "log_level": "INFO", "hostname": null, "domain": null, "configuration_changed": state.variables.changed(),
        "instances": instances, "extension": extension(core), "icon": of_web("icon"), "ui_modules": of_web("ui_modules"), "error_output": null,
    })
}

fn extension(core: &Core) -> Value {
    json!({
        "id": core.access.service_id, "name": "Local extension", "extension_id": null, "owner": account(core), "icon": null,
    })
}

/// The extension.
pub(crate) fn service(core: &Core) -> Value {
    let access = &core.access;
    let sort = if core.lock().capabilities.audience.is_empty() { "products" } else { "multiaccount" };
    json!({
        "id": access.service_id, "type": sort, "products": [{"id": seeds::PRODUCT}], "name": "Local extension", "description": "", "owner": account(core),
        "environments": {"development": {"id": access.environment_id, "type": "development", "runtime": "local"}},
    })
}

/// The vendor's account.
pub(crate) fn account(core: &Core) -> Value {
    json!({"id": core.access.account_id, "name": "Local developer", "type": "vendor", "brand": null})
}

/// The vendor's account, as others refer to it.
pub(crate) fn owner(access: &Access) -> Value {
    json!({"id": access.account_id, "name": "Local developer"})
}
