//! What is where.

use std::sync::Arc;

use axum::http::Method;
use serde_json::{Value, json};

use super::answer::{Answer, parse};
use super::refusal::Refusal;
use super::requests::{self, REQUESTS, TIER_CONFIG_REQUESTS};
use super::{environment, lifecycle};
use crate::platform::catalogue::{COLLECTIONS, EVENT_TYPES};
use crate::platform::core::Core;

/// Where a schedule of the environment is kept.
const SCHEDULES: &str = "devops/schedules";
const INSTALLATIONS: &str = "devops/installations";

/// Answers a call to `segments` below `/public/v1`.
pub(crate) fn answer(core: &Arc<Core>, method: &Method, segments: &[&str], query: &str, body: &Value) -> Result<Answer, Refusal> {
    match segments {
        ["devops", "event-definitions"] => only(method, &Method::GET, || Ok(Answer::page(&parse(query)?, event_definitions()))),
        ["devops", "services", service, rest @ ..] if *service == core.access.service_id => match rest {
            ["environments", env, rest @ ..] if *env == core.access.environment_id => match rest {
                ["schedules", rest @ ..] => read(core, method, SCHEDULES, rest, query),
                rest => environment::answer(core, method, rest, query, body),
            },
            ["installations", rest @ ..] => read(core, method, INSTALLATIONS, rest, query),
            [] => only(method, &Method::GET, || Ok(Answer::Object(environment::service(core)))),
            _ => Err(Refusal::not_found()),
        },
        ["accounts"] => only(method, &Method::GET, || Ok(Answer::page(&parse(query)?, vec![environment::account(core)]))),
        ["requests", rest @ ..] => request(core, method, &REQUESTS, rest, query, body),
        ["tier", "config-requests", rest @ ..] => request(core, method, &TIER_CONFIG_REQUESTS, rest, query, body),
        _ => match collection(segments) {
            Some((name, rest)) => read(core, method, name, rest, query),
            None => Err(Refusal::not_found()),
        },
    }
}

/// The collection a path begins with, and what follows.
fn collection<'a>(segments: &'a [&'a str]) -> Option<(&'static str, &'a [&'a str])> {
    COLLECTIONS.iter().find_map(|name| {
        let depth = name.split('/').count();
        let (head, rest) = segments.split_at_checked(depth)?;
        name.split('/').eq(head.iter().copied()).then_some((*name, rest))
    })
}

/// Lists and objects.
fn read(core: &Core, method: &Method, name: &str, rest: &[&str], query: &str) -> Result<Answer, Refusal> {
    match rest {
        [] => only(method, &Method::GET, || {
            let query = parse(query)?;
            let texts = core.lock().objects.candidates(name, &query);
            Ok(Answer::list(&query, &texts))
        }),
        [id] => {
            only(method, &Method::GET, || core.lock().objects.text(name, id).map(Answer::Text).ok_or_else(Refusal::not_found))
        }
        _ => Err(Refusal::not_found()),
    }
}

fn request(
    core: &Core,
    method: &Method,
    kind: &requests::Kind,
    rest: &[&str],
    query: &str,
    body: &Value,
) -> Result<Answer, Refusal> {
    let action = match (method, rest) {
        (&Method::PUT, [_]) => lifecycle::Action::Update,
        (&Method::POST, [_, name]) => lifecycle::Action::named(name).ok_or_else(Refusal::not_found)?,
        (&Method::GET, [_, _]) => return Err(Refusal::method()),
        _ => return read(core, method, kind.collection, rest, query),
    };
    let id = rest.first().copied().unwrap_or_default();
    requests::perform(core, kind, id, action, body)
}

fn only(method: &Method, offered: &Method, carry_out: impl FnOnce() -> Result<Answer, Refusal>) -> Result<Answer, Refusal> {
    if method == offered { carry_out() } else { Err(Refusal::method()) }
}

fn event_definitions() -> Vec<Value> {
    let one = |(number, event): (usize, &crate::platform::catalogue::EventType)| {
        let definition = event.definition();
        json!({
            "id": number + 1, "source": "system", "type": event.name, "name": event.name.replace('_', " "), "description": "",
            "category": event.category.as_str(), "group": event.collection, "extension_type": "multiaccount",
            "object_statuses": event.statuses,
            "api_resource_endpoint": definition.as_ref().map(|d| &d.api_resource_endpoint),
            "api_collection_endpoint": definition.as_ref().map(|d| &d.api_collection_endpoint),
            "api_collection_filter": definition.as_ref().map(|d| &d.api_collection_filter),
        })
    };
    EVENT_TYPES.iter().enumerate().map(one).collect()
}
