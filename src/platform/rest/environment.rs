//! The environment and its variables.

use std::sync::Arc;

use axum::http::Method;
use serde_json::{Value, json};

use super::answer::{Answer, parse};
use super::refusal::Refusal;
use crate::platform::PlatformError;
use crate::platform::core::Core;
use crate::platform::state::{check_name, check_value};

/// Answers a call below `devops/services/{SRVC}/environments/{ENV}`.
pub(crate) fn answer(core: &Arc<Core>, method: &Method, rest: &[&str], query: &str, body: &Value) -> Result<Answer, Refusal> {
    match (method, rest) {
        (&Method::GET, []) => Ok(Answer::Object(environment(core))),
        (&Method::POST, ["update-config"]) => {
            core.apply().map_err(|e| Refusal::invalid(&e.to_string()))?;
            Ok(Answer::Object(environment(core)))
        }
        (&Method::GET, ["variables"]) => {
            let all = core.lock().variables.all();
            Ok(Answer::page(&parse(query)?, all.iter().map(crate::platform::StoredVariable::json).collect()))
        }
        (&Method::POST, ["variables"]) => create(core, body),
        (&Method::PUT, ["variables", id]) => change(core, id, body),
        (&Method::DELETE, ["variables", id]) => {
            if core.lock().variables.delete(id) {
                Ok(Answer::Nothing)
            } else {
                Err(Refusal::not_found())
            }
        }
        (_, [] | ["update-config"] | ["variables"] | ["variables", _]) => Err(Refusal::method()),
        _ => Err(Refusal::not_found()),
    }
}

fn create(core: &Core, body: &Value) -> Result<Answer, Refusal> {
    let name = text(body, "name")?;
    check_name(name).map_err(|e| Refusal::invalid(&format!("name: {e}")))?;
    let value = text(body, "value")?;
    check_value(value).map_err(|e| Refusal::invalid(&format!("value: {e}")))?;
    let secure = body.get("secure").and_then(Value::as_bool).unwrap_or(false);
    let mut state = core.lock();
    if state.variables.named(name).is_some() {
        return Err(Refusal::invalid(&format!("name: a variable `{name}` exists already.")));
    }
    let variable = state.variables.set(name, value, Some(secure)).map_err(refused)?;
    Ok(Answer::Created(variable.json()))
}

fn change(core: &Core, id: &str, body: &Value) -> Result<Answer, Refusal> {
    let mut state = core.lock();
    let old = state.variables.get(id).cloned().ok_or_else(Refusal::not_found)?;
    let value = match body.get("value") {
        None => old.value,
        Some(_) => text(body, "value")?.to_owned(),
    };
    check_value(&value).map_err(|e| Refusal::invalid(&format!("value: {e}")))?;
    let variable = state.variables.set(&old.name, &value, body.get("secure").and_then(Value::as_bool)).map_err(refused)?;
    Ok(Answer::Object(variable.json()))
}

fn refused(error: PlatformError) -> Refusal {
    Refusal::invalid(&error.to_string())
}

fn text<'a>(body: &'a Value, name: &str) -> Result<&'a str, Refusal> {
    match body.get(name) {
        Some(Value::String(text)) => Ok(text),
        Some(Value::Null) | None => Err(Refusal::invalid(&format!("{name}: This field is required."))),
        Some(_) => Err(Refusal::invalid(&format!("{name}: Not a valid string."))),
    }
}

/// The environment as it is.
fn environment(core: &Core) -> Value {
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
    json!({
        "id": access.environment_id, "type": "development", "runtime": "local",
        "git": {"url": null, "tag": null, "commit": null}, "capabilities": [], "schedulables": [],
        "resources": {"cpu": 0, "memory": 0},
        "features": {
            "event_processing_available": true, "custom_api_available": false, "web_app_available": false,
            "anvil_app_available": false, "transformation_app_available": false,
        },
        "status": if instances.is_empty() { "disconnected" } else { "connected" },
        "log_level": "INFO", "hostname": null, "domain": null, "configuration_changed": state.variables.changed(),
        "instances": instances, "extension": extension(core), "icon": null, "ui_modules": {}, "error_output": null,
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
    json!({
        "id": access.service_id, "type": "multiaccount", "name": "Local extension", "description": "", "owner": account(core),
        "environments": {"development": {"id": access.environment_id, "type": "development", "runtime": "local"}},
    })
}

/// The vendor's account.
pub(crate) fn account(core: &Core) -> Value {
    json!({"id": core.access.account_id, "name": "Local developer", "type": "vendor", "brand": null})
}
