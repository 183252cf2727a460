//! Accounts of customers and resellers: made, changed, and the versions they have had.

use axum::http::Method;
use serde_json::{Value, json};

use super::answer::Answer;
use super::lifecycle::{merge, put};
use super::refusal::Refusal;
use super::routes::Call;
use crate::platform::core::{Core, State};
use crate::platform::{ids, time};

/// Where they are.
const ACCOUNTS: &str = "tier/accounts";

/// A new account of the body.
pub(crate) fn make(body: &Value) -> Result<Value, Refusal> {
    let name = body.get("name").and_then(Value::as_str).filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| Refusal::invalid("name: This field is required."))?;
    let now = time::now();
    let mut account = json!({
        "id": ids::random("TA", &[4, 4, 4]), "version": 1, "name": name, "type": "customer", "external_id": "", "external_uid": ids::uuid(),
        "parent": null, "scopes": ["customer"], "tax_id": "", "environment": "test", "contact_info": {},
        "events": {"created": {"at": now}, "updated": {"at": now}},
    });
    let kept = account.clone();
    merge(&mut account, body);
    for name in ["id", "version", "events"] {
        put(&mut account, name, kept.get(name).cloned().unwrap_or_default());
    }
    Ok(account)
}

/// Keeps the version an account had, before it is changed.
pub(crate) fn archive(state: &mut State, account: &mut Value) {
    let (version, id) = (version(account), account.get("id").and_then(Value::as_str).unwrap_or_default().to_owned());
    state.objects.put(&format!("{ACCOUNTS}/{id}/versions"), &version.to_string(), account);
    put(account, "version", version.saturating_add(1).into());
}

fn version(account: &Value) -> u64 {
    account.get("version").and_then(Value::as_u64).unwrap_or(1)
}

/// Answers a call below `tier/accounts/{id}/versions`.
pub(crate) fn versions(core: &Core, call: &Call<'_>, id: &str, rest: &[&str]) -> Result<Answer, Refusal> {
    let mut state = core.lock();
    let now = state.objects.get(ACCOUNTS, id).ok_or_else(Refusal::not_found)?;
    let collection = format!("{ACCOUNTS}/{id}/versions");
    match rest {
        [] => {
            let mut all = state.objects.all(&collection);
            drop(state);
            all.push(now);
            call.list(all)
        }
        [wanted] if version(&now).to_string() == *wanted => call.only(&Method::GET, || Ok(Answer::Object(now))),
        [wanted] => {
            let older = state.objects.get(&collection, wanted).ok_or_else(Refusal::not_found)?;
            call.only(&Method::GET, || Ok(Answer::Object(older)))
        }
        _ => Err(Refusal::not_found()),
    }
}
