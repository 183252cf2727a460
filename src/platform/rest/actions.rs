//! Links of product actions: what a customer clicks in the portal, and what the extension makes of it.

use std::sync::Arc;

use axum::Json;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Map, Value, json};
use sha2::Sha256;

use super::answer::Answer;
use super::later;
use super::refusal::Refusal;
use crate::observe::{Origin, Timestamp};
use crate::platform::catalogue;
use crate::platform::core::Core;
use crate::platform::rql::percent_decode;
use crate::protocol::Output;

/// Where links lead; behind it the action's id, for the eye: what counts is in the token.
pub(crate) const PREFIX: &str = "/actions/";
/// The event of a click.
const EVENT: &str = "product_action_execution";
/// How long a link is good for, in seconds.
const GOOD_FOR: i64 = 300;
const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

/// `GET .../actions/{id}/actionLink?asset_id=` or `?tier_config_id=`
pub(crate) fn link(core: &Core, query: &str, product: &str, id: &str) -> Result<Answer, Refusal> {
    let mut state = core.lock();
    let action = state.objects.get(&format!("products/{product}/actions"), id).ok_or_else(Refusal::not_found)?;
    let (field, collection, subject) = [("asset_id", "assets"), ("tier_config_id", "tier/configs")]
        .into_iter()
        .find_map(|(name, collection)| Some((name, collection, parameter(query, name)?)))
        .ok_or_else(|| Refusal::invalid("asset_id or tier_config_id: This field is required."))?;
    if !state.objects.contains(collection, &subject) {
        return Err(Refusal::invalid(&format!("{field}: there is no {subject}.")));
    }
    drop(state);
    let now = Timestamp::now().0 / 1_000_000;
    let name = action.get("action").cloned().unwrap_or_else(|| id.into());
    let claim = if field == "asset_id" { "asset_id" } else { "configuration_id" };
    let api = format!("http://{}/public/v1", core.access.api_address);
    let payload = json!({"action_id": name, claim: subject, "api_url": api, "iat": now, "exp": now + GOOD_FOR});
    let token = signed(core, &payload);
    Ok(Answer::Object(json!({"link": format!("http://{}{PREFIX}{id}?jwt={token}", core.access.api_address)})))
}

/// Somebody follows a link: the extension answers, as it would a customer of the portal.
pub(crate) async fn visit(core: &Arc<Core>, parts: &Parts) -> Response {
    let token = parameter(parts.uri.query().unwrap_or_default(), "jwt").unwrap_or_default();
    let Some(payload) = verified(core, &token) else {
        return (StatusCode::FORBIDDEN, "This link is not valid any more: ask for a new one.").into_response();
    };
    let Some(task_id) = order(core, parts, &token, payload) else {
        let why = "No extension that is connected takes product actions (product_action_execution).";
        return (StatusCode::SERVICE_UNAVAILABLE, why).into_response();
    };
    match later::answered(core, &task_id).await {
        Ok(output) => shown(output),
        Err(refusal) => refusal.into_response(),
    }
}

fn order(core: &Core, parts: &Parts, token: &str, payload: Value) -> Option<String> {
    let mut state = core.lock();
    let event = catalogue::find(EVENT).filter(|event| state.runners.ready().any(|r| r.takes(event.category, event.name)))?;
    let object = ["asset_id", "configuration_id"].into_iter().find_map(|name| payload.get(name)?.as_str()).map(str::to_owned)?;
    let text = |value: &HeaderValue| Value::from(value.to_str().unwrap_or_default());
    let headers: Map<String, Value> = parts.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
    let data = json!({
        "method": parts.method.as_str(), "querystring": {"jwt": token}, "headers": headers, "body": null, "jwt_payload": payload,
    });
    Some(core.order(&mut state, event, &object, Some(data), Origin::Trigger).0)
}

/// What the extension answered, as a browser gets it.
fn shown(output: Output) -> Response {
    let said = output.data.unwrap_or_default();
    let status = said.get("http_status").and_then(Value::as_u64).and_then(|status| u16::try_from(status).ok());
    let status = status.and_then(|status| StatusCode::from_u16(status).ok()).unwrap_or(StatusCode::BAD_GATEWAY);
    let mut response = match said.get("body") {
        Some(Value::String(text)) => text.clone().into_response(),
        Some(Value::Null) | None => output.message.unwrap_or_default().into_response(),
        Some(body) => Json(body.clone()).into_response(),
    };
    *response.status_mut() = status;
    for (name, value) in said.get("headers").and_then(Value::as_object).into_iter().flatten() {
        let value = value.as_str().and_then(|value| HeaderValue::from_str(value).ok());
        if let (Ok(name), Some(value)) = (name.parse::<HeaderName>(), value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

fn parameter(query: &str, name: &str) -> Option<String> {
    let value = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))?;
    Some(percent_decode(value)).filter(|value| !value.is_empty())
}

fn signed(core: &Core, payload: &Value) -> String {
    let encode = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
    let head = format!("{}.{}", encode(HEADER), encode(&payload.to_string()));
    let signature = mac(core, &head).map(|mac| BASE64_URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())).unwrap_or_default();
    format!("{head}.{signature}")
}

fn mac(core: &Core, head: &str) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(core.access.api_key.reveal().as_bytes()).ok()?;
    mac.update(b"product action ");
    mac.update(head.as_bytes());
    Some(mac)
}

/// The payload of a token of ours that is still good.
fn verified(core: &Core, token: &str) -> Option<Value> {
    let (head, signature) = token.rsplit_once('.')?;
    mac(core, head)?.verify_slice(&BASE64_URL_SAFE_NO_PAD.decode(signature).ok()?).ok()?;
    let payload = BASE64_URL_SAFE_NO_PAD.decode(head.split_once('.')?.1).ok()?;
    let payload: Value = serde_json::from_slice(&payload).ok()?;
    let until = payload.get("exp").and_then(Value::as_i64)?;
    (Timestamp::now().0 / 1_000_000 <= until).then_some(payload)
}
