//! The environment's schedules.

use axum::http::Method;
use serde_json::{Value, json};

use super::answer::{Answer, parse};
use super::lifecycle::put;
use super::refusal::Refusal;
use super::routes::{Call, search};
use crate::observe::Timestamp;
use crate::platform::core::{Core, State};
use crate::platform::schedule::{SCHEDULES, next};
use crate::platform::state::Alarm;
use crate::platform::{ids, time};

/// Answers a call below `.../schedules`.
pub(crate) fn answer(core: &Core, call: &Call<'_>, rest: &[&str]) -> Result<Answer, Refusal> {
    match (call.method, rest) {
        (&Method::GET, []) => Ok(search(core, SCHEDULES, parse(call.query)?)),
        (&Method::GET, [id]) => core.lock().objects.text(SCHEDULES, id).map(Answer::Text).ok_or_else(Refusal::not_found),
        (&Method::POST, []) => create(core, call.body),
        (&Method::PUT, [id]) => change(core, id, |state, schedule| write(state, schedule, call.body)),
        (&Method::DELETE, [id]) => {
            let mut state = core.lock();
            state.alarms.clear(Alarm::Schedule, id);
            if state.objects.delete(SCHEDULES, id) { Ok(Answer::Nothing) } else { Err(Refusal::not_found()) }
        }
        (&Method::POST, [id, "enable"]) => change(core, id, |_, schedule| turn(schedule, "disabled", "enabled")),
        (&Method::POST, [id, "disable"]) => change(core, id, |_, schedule| turn(schedule, "enabled", "disabled")),
        (&Method::POST, [id, "trigger"]) => {
            let mut state = core.lock();
            let mut schedule = state.objects.get(SCHEDULES, id).ok_or_else(Refusal::not_found)?;
            core.run_schedule(&mut state, id, &mut schedule);
            Ok(Answer::Object(schedule))
        }
        (_, [] | [_] | [_, "enable" | "disable" | "trigger"]) => Err(Refusal::method()),
        _ => Err(Refusal::not_found()),
    }
}

fn create(core: &Core, body: &Value) -> Result<Answer, Refusal> {
    let mut state = core.lock();
    let now = time::now();
    let id = ids::random("EFS", &[4, 4]);
    let mut schedule = json!({
        "id": id, "name": "", "description": "", "method": null, "parameter": {}, "trigger": null,
        "environment": {"id": core.access.environment_id, "type": "development"}, "status": "enabled", "reason": null,
        "events": {"created": {"at": now}, "updated": {"at": now}, "last_triggered": null, "next_trigger": null},
    });
    for field in ["name", "method", "trigger"] {
        if body.get(field).is_none_or(Value::is_null) {
            return Err(Refusal::invalid(&format!("{field}: This field is required.")));
        }
    }
    write(&state, &mut schedule, body)?;
    core.arm(&mut state, &id, &mut schedule, Timestamp::now());
    Ok(Answer::Created(schedule))
}

fn change(core: &Core, id: &str, work: impl FnOnce(&State, &mut Value) -> Result<(), Refusal>) -> Result<Answer, Refusal> {
    let mut state = core.lock();
    let mut schedule = state.objects.get(SCHEDULES, id).ok_or_else(Refusal::not_found)?;
    work(&state, &mut schedule)?;
    if let Some(events) = schedule.get_mut("events") {
        put(events, "updated", json!({"at": time::now()}));
    }
    core.arm(&mut state, id, &mut schedule, Timestamp::now());
    Ok(Answer::Object(schedule))
}

/// Takes the fields of a body over, if they are right.
fn write(state: &State, schedule: &mut Value, body: &Value) -> Result<(), Refusal> {
    for field in ["name", "description", "method", "parameter", "trigger"] {
        if let Some(value) = body.get(field) {
            put(schedule, field, value.clone());
        }
    }
    let method = schedule.get("method").and_then(Value::as_str).unwrap_or_default();
    let declared = &state.capabilities.schedulables;
    if !declared.iter().any(|schedulable| schedulable.method == method) {
        let known: Vec<&str> = declared.iter().map(|schedulable| schedulable.method.as_str()).collect();
        let known = if known.is_empty() { "it declares none".into() } else { format!("it declares: {}", known.join(", ")) };
        return Err(Refusal::invalid(&format!("method: the extension declares no method `{method}`; {known}.")));
    }
    let trigger = schedule.get("trigger").unwrap_or(&Value::Null);
    next(trigger, Timestamp::now()).map(|_| ()).map_err(|reason| Refusal::invalid(&reason))
}

fn turn(schedule: &mut Value, from: &str, to: &str) -> Result<(), Refusal> {
    if schedule.get("status").is_none_or(|status| status != from) {
        return Err(Refusal::invalid(&format!("Only {from} schedules can be {to}.")));
    }
    put(schedule, "status", to.into());
    Ok(())
}
