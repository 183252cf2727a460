//! What is where.

use std::sync::Arc;

use axum::http::Method;
use serde_json::{Value, json};

use super::answer::{Answer, Later, parse};
use super::refusal::Refusal;
use super::{accounts, collections, conversations, devops, environment, invitations, parts, usage};
use crate::platform::catalogue::EVENT_TYPES;
use crate::platform::core::Core;
use crate::platform::rql::{Comparison, Filter, Operand, Query};

/// A call, as far as it matters for its answer.
pub(crate) struct Call<'a> {
    /// GET, POST, PUT or DELETE.
    pub(crate) method: &'a Method,
    /// What stands behind the question mark.
    pub(crate) query: &'a str,
    /// The body; null where there is none, or where it is no JSON.
    pub(crate) body: &'a Value,
    /// The body as it came, and its sort.
    pub(crate) file: (&'a [u8], &'a str),
    /// Whose key it came with: an installation's, or the environment's own.
    pub(crate) installation: Option<&'a str>,
}

impl Call<'_> {
    /// Carries something out if the call has that method.
    pub(crate) fn only(&self, offered: &Method, carry_out: impl FnOnce() -> Result<Answer, Refusal>) -> Result<Answer, Refusal> {
        if self.method == offered { carry_out() } else { Err(Refusal::method()) }
    }

    /// A list that is at hand.
    pub(crate) fn list(&self, objects: Vec<Value>) -> Result<Answer, Refusal> {
        self.only(&Method::GET, || Ok(Answer::page(&parse(self.query)?, objects)))
    }
}

/// Answers a call to `segments` below `/public/v1`.
pub(crate) fn answer(core: &Arc<Core>, call: &Call<'_>, segments: &[&str]) -> Result<Answer, Refusal> {
    match segments {
        ["devops", "event-definitions"] => call.list(event_definitions()),
        ["devops", "event-definitions", id] => only_one(call, event_definitions(), id),
        ["devops", "services", rest @ ..] => devops::services(core, call, rest),
        ["devops", "installations", rest @ ..] => devops::installations(core, call, rest),
        ["devops", "invitations", rest @ ..] => invitations::of_account(core, call, rest),
        ["devops", "products"] => call.only(&Method::GET, || Ok(search(core, "products", parse(call.query)?))),
        ["devops", "hubs"] => call.only(&Method::GET, || Ok(search(core, "hubs", parse(call.query)?))),
        ["accounts"] => call.list(vec![environment::account(core)]),
        ["accounts", id] => only_one(call, vec![environment::account(core)], id),
        ["conversations", rest @ ..] => conversations::answer(core, call, rest),
        ["products", product, part, ..] if !matches!(*part, "endsale" | "resumesale") => {
            parts::answer(core, call, product, segments.get(2..).unwrap_or_default())
        }
        ["usage", rest @ ..] => usage::answer(core, call, segments, rest),
        ["tier", "accounts", id, "versions", rest @ ..] => accounts::versions(core, call, id, rest),
        ["assets", asset, "requests"] => call.only(&Method::GET, || {
            let mut query = parse(call.query)?;
            query.filter.push(of("asset", asset));
            Ok(Answer::Later(Later::Search { collection: "requests".into(), query }))
        }),
        _ => collections::answer(core, call, segments),
    }
}

/// The condition that an object is of another.
pub(crate) fn of(field: &str, id: &str) -> Filter {
    Filter::Compare(vec![field.into(), "id".into()], Comparison::Equal, Operand::Text(id.into()))
}

fn only_one(call: &Call<'_>, objects: Vec<Value>, id: &str) -> Result<Answer, Refusal> {
    let number: Option<u64> = id.parse().ok();
    let named = |object: &Value| {
        object.get("id").is_some_and(|own| own.as_str() == Some(id) || number.is_some_and(|n| own.as_u64() == Some(n)))
    };
    let object = objects.into_iter().find(named).ok_or_else(Refusal::not_found)?;
    call.only(&Method::GET, || Ok(Answer::Object(object)))
}

/// A stored collection as a list: at once where the query names an id, else read from the file.
pub(crate) fn search(core: &Core, collection: &str, query: Query) -> Answer {
    match query.pinned_id() {
        Some(id) => {
            let found = core.lock().objects.text(collection, id);
            let found = found.and_then(|text| query.read(&text).ok());
            Answer::page(&query, found.into_iter().collect())
        }
        None => Answer::Later(Later::Search { collection: collection.into(), query }),
    }
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
