//! Conversations about objects, and their messages. Every object has one; it comes to be when somebody looks for it.

use axum::http::Method;
use serde_json::{Value, json};

use super::answer::{Answer, parse};
use super::lifecycle::put;
use super::refusal::Refusal;
use super::resources::RESOURCES;
use super::routes::{Call, search};
use crate::platform::core::{Core, State};
use crate::platform::rql::{Comparison, Filter, Operand};
use crate::platform::{ids, time};

/// Where conversations are.
pub(crate) const CONVERSATIONS: &str = "conversations";
/// What a message may be.
const TYPES: &[&str] = &["message", "state_change", "private"];

/// Answers a call below `conversations`. In the path an object's own id stands for its conversation, too.
pub(crate) fn answer(core: &Core, call: &Call<'_>, rest: &[&str]) -> Result<Answer, Refusal> {
    match rest {
        [] => call.only(&Method::GET, || {
            let query = parse(call.query)?;
            if let Some(instance) = pinned_instance(&query.filter) {
                let found = of_instance(&mut core.lock(), instance);
                return Ok(Answer::page(&query, found.into_iter().collect()));
            }
            Ok(search(core, CONVERSATIONS, query))
        }),
        [id] => call.only(&Method::GET, || find(&mut core.lock(), id).map(Answer::Object)),
        [id, "close"] => call.only(&Method::POST, || {
            let mut state = core.lock();
            let mut conversation = find(&mut state, id)?;
            put(&mut conversation, "status", "closed".into());
            keep(&mut state, CONVERSATIONS, &conversation);
            Ok(Answer::Object(conversation))
        }),
        [id, "messages", rest @ ..] => messages(core, call, id, rest),
        _ => Err(Refusal::not_found()),
    }
}

fn messages(core: &Core, call: &Call<'_>, id: &str, rest: &[&str]) -> Result<Answer, Refusal> {
    let mut state = core.lock();
    let conversation = find(&mut state, id)?;
    let messages = messages_of(&conversation);
    match (call.method, rest) {
        (&Method::GET, []) => {
            drop(state);
            Ok(search(core, &messages, parse(call.query)?))
        }
        (&Method::POST, []) => {
            let message = say(core, &conversation, call.body)?;
            keep(&mut state, &messages, &message);
            Ok(Answer::Created(message))
        }
        (&Method::PUT, [message]) => {
            let mut message = state.objects.get(&messages, message).ok_or_else(Refusal::not_found)?;
            put(&mut message, "text", text(call.body)?.into());
            keep(&mut state, &messages, &message);
            Ok(Answer::Object(message))
        }
        (_, [] | [_]) => Err(Refusal::method()),
        _ => Err(Refusal::not_found()),
    }
}

fn keep(state: &mut State, collection: &str, object: &Value) {
    if let Some(id) = object.get("id").and_then(Value::as_str) {
        state.objects.put(collection, id, object);
    }
}

fn messages_of(conversation: &Value) -> String {
    messages_in(conversation.get("id").and_then(Value::as_str).unwrap_or_default())
}

/// Where the messages of a conversation are.
pub(crate) fn messages_in(conversation: &str) -> String {
    format!("{CONVERSATIONS}/{conversation}/messages")
}

fn find(state: &mut State, id: &str) -> Result<Value, Refusal> {
    state.objects.get(CONVERSATIONS, id).or_else(|| of_instance(state, id)).ok_or_else(Refusal::not_found)
}

/// The conversation about an object, where there is such an object.
fn of_instance(state: &mut State, instance: &str) -> Option<Value> {
    let id = conversation_id(instance);
    if let Some(conversation) = state.objects.get(CONVERSATIONS, &id) {
        return Some(conversation);
    }
    let object = RESOURCES.iter().find_map(|resource| state.objects.get(resource.path, instance))?;
    let product = ["/asset/product/name", "/configuration/product/name", "/product/name"];
    let product = product.into_iter().find_map(|at| object.pointer(at)?.as_str()).unwrap_or("the object");
    let now = time::now();
    let conversation = json!({
        "id": id, "instance_id": instance, "created": now, "topic": format!("{product}: {instance}"), "status": "open",
        "type": "conversation", "accounts": [], "creator": {"id": "UR-441-902-718", "name": "Sample Platform User"},
        "events": {"created": {"at": now}},
    });
    state.objects.put(CONVERSATIONS, &id, &conversation);
    Some(conversation)
}

/// The same object always has the same conversation: the id is made of the object's (FNV-1a).
pub(crate) fn conversation_id(instance: &str) -> String {
    let hash =
        instance.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    let (a, b, c) = (hash % 1_000, hash / 1_000 % 1_000, hash / 1_000_000 % 1_000_000);
    format!("CO-{a:03}-{b:03}-{c:06}")
}

fn pinned_instance(filters: &[Filter]) -> Option<&str> {
    filters.iter().find_map(|filter| match filter {
        Filter::And(inner) => pinned_instance(inner),
        Filter::Compare(path, Comparison::Equal, Operand::Text(id)) if path.len() == 1 && path.first()? == "instance_id" => {
            Some(id.as_str())
        }
        _ => None,
    })
}

fn say(core: &Core, conversation: &Value, body: &Value) -> Result<Value, Refusal> {
    if conversation.get("status").is_some_and(|status| status == "closed") {
        return Err(Refusal::invalid("The conversation is closed."));
    }
    let sort = body.get("type").and_then(Value::as_str).unwrap_or("message");
    if !TYPES.contains(&sort) {
        return Err(Refusal::invalid(&format!("type: \"{sort}\" is not a valid choice.")));
    }
    let now = time::now();
    let by = json!({"id": core.access.service_id, "name": "Local extension"});
    Ok(json!({
        "id": ids::random("ME", &[3, 3, 3, 3]), "conversation": conversation.get("id"), "type": sort, "text": text(body)?,
        "created": now, "creator": by, "account": {"id": core.access.account_id, "name": "Local developer"},
        "events": {"created": {"at": now, "by": by}},
    }))
}

fn text(body: &Value) -> Result<&str, Refusal> {
    let text = body.get("text").and_then(Value::as_str).filter(|text| !text.trim().is_empty());
    text.ok_or_else(|| Refusal::invalid("text: This field is required."))
}
