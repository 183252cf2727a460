//! The extension, its environment's schedules and tasks, its installations: who is asked for what below `devops`.

use std::sync::Arc;

use axum::http::Method;
use serde_json::{Value, json};

use super::answer::{Answer, parse};
use super::refusal::Refusal;
use super::resources::{self, Resource};
use super::routes::{Call, search};
use super::{collections, environment, invitations, schedules, tasks};
use crate::platform::changes::INSTALLATIONS;
use crate::platform::core::Core;

/// Below `devops/services`: there is one, and it has one environment.
pub(crate) fn services(core: &Arc<Core>, call: &Call<'_>, rest: &[&str]) -> Result<Answer, Refusal> {
    let (service, rest) = match rest {
        [] => return call.list(vec![environment::service(core)]),
        [service, rest @ ..] => (*service, rest),
    };
    // An installation's key opens the door to its installation and to what its account sees, not to the extension.
    if service != core.access.service_id || call.installation.is_some() {
        return Err(Refusal::not_found());
    }
    match rest {
        [] => call.only(&Method::GET, || Ok(Answer::Object(environment::service(core)))),
        ["environments"] => call.list(vec![environment::object(core)]),
        ["environments", id, rest @ ..] if *id == core.access.environment_id => match rest {
            ["schedules", rest @ ..] => schedules::answer(core, call, rest),
            ["tasks", rest @ ..] => tasks::answer(core, call, None, rest),
            rest => environment::answer(core, call, rest),
        },
        ["installations", rest @ ..] => match rest {
            [id, "impersonate"] => call.only(&Method::POST, || impersonate(core, id)),
            // Made and ended by the installing account, not by the extension.
            [] | [_] if matches!(*call.method, Method::GET | Method::PUT) => installations(core, call, rest),
            [] | [_] => Err(Refusal::method()),
            _ => Err(Refusal::not_found()),
        },
        ["invitations", rest @ ..] => invitations::of_service(core, call, rest),
        ["products"] => call.only(&Method::GET, || Ok(search(core, "products", parse(call.query)?))),
        _ => Err(Refusal::not_found()),
    }
}

/// Below `devops/installations`.
pub(crate) fn installations(core: &Arc<Core>, call: &Call<'_>, rest: &[&str]) -> Result<Answer, Refusal> {
    if let [id, "tasks", rest @ ..] = rest {
        if !core.lock().objects.contains(INSTALLATIONS, id) {
            return Err(Refusal::not_found());
        }
        return tasks::answer(core, call, Some(id), rest);
    }
    let resource: &'static Resource = resources::named(INSTALLATIONS).ok_or_else(Refusal::not_found)?;
    if call.method == Method::POST && rest.is_empty() {
        let environment = call.body.pointer("/environment/id").and_then(Value::as_str);
        if environment.is_some_and(|id| id != core.access.environment_id) {
            return Err(Refusal::invalid("environment.id: there is no such environment."));
        }
    }
    collections::on(core, call, resource, rest)
}

/// The key of an installation, for as long as it is one.
fn impersonate(core: &Core, id: &str) -> Result<Answer, Refusal> {
    let installation = core.lock().objects.get(INSTALLATIONS, id).ok_or_else(Refusal::not_found)?;
    if installation.get("status").is_none_or(|status| status != "installed") {
        return Err(Refusal::invalid("The extension is not installed any more."));
    }
    let key = core.access.installation_key(id);
    Ok(Answer::Object(json!({"installation_api_key": key.reveal()})))
}
