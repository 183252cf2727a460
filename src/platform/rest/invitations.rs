//! Invitations to install the extension: made by its vendor, redeemed by the account that got the code.

use std::sync::Arc;

use axum::http::Method;
use serde_json::{Value, json};

use super::answer::{Answer, parse};
use super::environment;
use super::lifecycle::put;
use super::refusal::Refusal;
use super::routes::{Call, search};
use crate::platform::catalogue;
use crate::platform::changes::INSTALLATIONS;
use crate::platform::core::{Core, State};
use crate::platform::{ids, seeds, template, time};

const INVITATIONS: &str = "devops/invitations";

/// Below `devops/services/{SRVC}/invitations`: the vendor's side.
pub(crate) fn of_service(core: &Core, call: &Call<'_>, rest: &[&str]) -> Result<Answer, Refusal> {
    match (call.method, rest) {
        (&Method::GET, []) => Ok(search(core, INVITATIONS, parse(call.query)?)),
        (&Method::POST, []) => invite(core, call.body),
        (&Method::GET, [id]) => core.lock().objects.text(INVITATIONS, id).map(Answer::Text).ok_or_else(Refusal::not_found),
        (&Method::POST, [id, "revoke"]) => {
            let mut state = core.lock();
            let mut invitation = state.objects.get(INVITATIONS, id).ok_or_else(Refusal::not_found)?;
            open(&invitation)?;
            put(&mut invitation, "status", "revoked".into());
            state.objects.put(INVITATIONS, id, &invitation);
            Ok(Answer::Object(invitation))
        }
        (_, [] | [_] | [_, "revoke"]) => Err(Refusal::method()),
        _ => Err(Refusal::not_found()),
    }
}

/// Below `devops/invitations`: the side of whoever has the code.
pub(crate) fn of_account(core: &Arc<Core>, call: &Call<'_>, rest: &[&str]) -> Result<Answer, Refusal> {
    match rest {
        ["redeem"] => call.only(&Method::POST, || redeem(core, call.body)),
        [code] => call.only(&Method::GET, || by_code(&core.lock(), code).map(Answer::Object).ok_or_else(Refusal::not_found)),
        _ => Err(Refusal::not_found()),
    }
}

fn invite(core: &Core, body: &Value) -> Result<Answer, Refusal> {
    let title = body.get("title").and_then(Value::as_str).filter(|title| !title.is_empty());
    let title = title.ok_or_else(|| Refusal::invalid("title: This field is required."))?;
    let id = ids::random("TLI", &[3, 3]);
    let environment = &core.access.environment_id;
    let invitation = json!({
        "id": id, "title": title, "code": format!("{:016x}", rand::random::<u64>()), "status": "pending", "installation": null,
        "environment": {"id": environment, "type": "development"}, "events": {"created": {"at": time::now()}},
    });
    core.lock().objects.put(INVITATIONS, &id, &invitation);
    Ok(Answer::Created(invitation))
}

/// The extension is installed for the account; a code is good for once.
fn redeem(core: &Arc<Core>, body: &Value) -> Result<Answer, Refusal> {
    let code = body.get("code").and_then(Value::as_str).ok_or_else(|| Refusal::invalid("code: This field is required."))?;
    let mut guard = core.lock();
    let state = &mut *guard;
    let mut invitation = by_code(state, code).ok_or_else(|| Refusal::invalid("code: there is no such invitation."))?;
    open(&invitation)?;
    let mut installation = catalogue::find("installation_status_change").map(catalogue::EventType::sample).unwrap_or_default();
    template::refresh(&mut installation);
    seeds::localise(&mut installation, &core.access);
    put(&mut installation, "status", "installed".into());
    core.keep(state, INSTALLATIONS, None, &installation);
    put(&mut invitation, "status", "redeemed".into());
    put(&mut invitation, "installation", json!({"id": installation.get("id"), "owner": environment::owner(&core.access)}));
    let id = invitation.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
    state.objects.put(INVITATIONS, &id, &invitation);
    Ok(Answer::Object(invitation))
}

fn open(invitation: &Value) -> Result<(), Refusal> {
    match invitation.get("status").and_then(Value::as_str) {
        Some("pending") => Ok(()),
        status => Err(Refusal::state(&format!("The invitation is {} already.", status.unwrap_or_default()))),
    }
}

fn by_code(state: &State, code: &str) -> Option<Value> {
    state.objects.all(INVITATIONS).into_iter().find(|invitation| invitation.get("code").is_some_and(|own| own == code))
}
