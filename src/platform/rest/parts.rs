//! What belongs to a product: templates, parameters, items, actions and connections, its versions.

use axum::http::Method;
use serde_json::{Value, json};

use super::answer::Answer;
use super::lifecycle::put;
use super::refusal::Refusal;
use super::routes::Call;
use super::{actions, render};
use crate::platform::core::{Core, State};
use crate::platform::seeds::PARTS_OF_A_PRODUCT;
use crate::platform::{ids, time};

/// Answers a call below `products/{product}`.
pub(crate) fn answer(core: &Core, call: &Call<'_>, product: &str, rest: &[&str]) -> Result<Answer, Refusal> {
    let known = core.lock().objects.get("products", product).ok_or_else(Refusal::not_found)?;
    match rest {
        ["versions"] => versions(core, call, product, known),
        ["versions", version, rest @ ..] => {
            let of_now = number(&known).to_string() == *version;
            let older = core.lock().objects.get(&format!("products/{product}/versions"), version);
            let object = if of_now { known } else { older.ok_or_else(Refusal::not_found)? };
            match rest {
                [] => call.only(&Method::GET, || Ok(Answer::Object(object))),
                _ if call.method != Method::GET => Err(Refusal::method()),
                rest => part(core, call, product, rest),
            }
        }
        ["actions", id, "actionLink"] => call.only(&Method::GET, || actions::link(core, call.query, product, id)),
        rest => part(core, call, product, rest),
    }
}

fn part(core: &Core, call: &Call<'_>, product: &str, rest: &[&str]) -> Result<Answer, Refusal> {
    let (kind, rest) = rest.split_first().ok_or_else(Refusal::not_found)?;
    let collection = format!("products/{product}/{kind}");
    let written = PARTS_OF_A_PRODUCT.contains(kind);
    if !written && *kind != "connections" {
        return Err(Refusal::not_found());
    }
    let mut state = core.lock();
    match (call.method, rest) {
        (&Method::GET, []) => {
            let objects = state.objects.all(&collection);
            drop(state);
            call.list(objects)
        }
        (&Method::POST, []) if written => create(&mut state, product, kind, call.body),
        (&Method::GET, [id]) => state.objects.text(&collection, id).map(Answer::Text).ok_or_else(Refusal::not_found),
        (&Method::PUT, [id]) if written => {
            let mut object = state.objects.get(&collection, id).ok_or_else(Refusal::not_found)?;
            fields(&mut object, call.body)?;
            state.objects.put(&collection, id, &object);
            Ok(Answer::Object(object))
        }
        (&Method::DELETE, [id]) if written => match state.objects.delete(&collection, id) {
            true => Ok(Answer::Nothing),
            false => Err(Refusal::not_found()),
        },
        (method, [id, verb @ ("endsale" | "resumesale")]) if *kind == "items" => {
            let mut item = state.objects.get(&collection, id).ok_or_else(Refusal::not_found)?;
            if method != Method::POST {
                return Err(Refusal::method());
            }
            put(&mut item, "status", if *verb == "endsale" { "endofsale" } else { "published" }.into());
            state.objects.put(&collection, id, &item);
            Ok(Answer::Object(item))
        }
        (method, [id, "render" | "preview"]) if *kind == "templates" => match state.objects.get(&collection, id) {
            Some(_) if method != Method::GET => Err(Refusal::method()),
            Some(template) => Ok(Answer::Plain(render::template(&template, &Value::Null))),
            None => Err(Refusal::not_found()),
        },
        (_, [] | [_]) => Err(Refusal::method()),
        _ => Err(Refusal::not_found()),
    }
}

fn create(state: &mut State, product: &str, kind: &str, body: &Value) -> Result<Answer, Refusal> {
    let name = body.get("name").and_then(Value::as_str).filter(|name| !name.is_empty());
    name.ok_or_else(|| Refusal::invalid("name: This field is required."))?;
    let collection = format!("products/{product}/{kind}");
    let shared = product.trim_start_matches("PRD-");
    let numbered = |prefix: &str, digits: usize| {
        let prefix = format!("{prefix}-{shared}-");
        let next = state.objects.last_number(&collection, &prefix).saturating_add(1);
        format!("{prefix}{next:0digits$}")
    };
    let id = match kind {
        "templates" => ids::random("TL", &[3, 3, 3]),
        "parameters" => numbered("PRM", 4),
        "actions" => numbered("ACT", 3),
        _ => numbered("PRD", 4),
    };
    let mut object = json!({"id": id, "events": {"created": {"at": time::now()}}});
    fields(&mut object, body)?;
    state.objects.put(&collection, &id, &object);
    Ok(Answer::Created(object))
}

/// Takes the fields of the body over, all but the id and when what happened.
fn fields(object: &mut Value, body: &Value) -> Result<(), Refusal> {
    let fields = body.as_object().ok_or_else(|| Refusal::invalid("The body must be an object."))?;
    for (name, value) in fields.iter().filter(|(name, _)| !matches!(name.as_str(), "id" | "events")) {
        put(object, name, value.clone());
    }
    if let Some(events) = object.get_mut("events") {
        put(events, "updated", json!({"at": time::now()}));
    }
    Ok(())
}

/// The number of a product's version.
fn number(product: &Value) -> u64 {
    product.get("version").and_then(Value::as_u64).unwrap_or(1)
}

/// The versions a product has had, the one of now last; a new one begins as a copy of it.
fn versions(core: &Core, call: &Call<'_>, product: &str, mut now: Value) -> Result<Answer, Refusal> {
    let collection = format!("products/{product}/versions");
    let current = number(&now);
    put(&mut now, "version", current.into());
    match *call.method {
        Method::GET => {
            let mut all = core.lock().objects.all(&collection);
            put(&mut now, "latest", true.into());
            all.push(now);
            call.list(all)
        }
        Method::POST => {
            let mut state = core.lock();
            put(&mut now, "latest", false.into());
            state.objects.put(&collection, &current.to_string(), &now);
            put(&mut now, "version", current.saturating_add(1).into());
            put(&mut now, "latest", true.into());
            core.keep(&mut state, "products", None, &now);
            Ok(Answer::Created(now))
        }
        _ => Err(Refusal::method()),
    }
}
