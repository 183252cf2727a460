//! The environment's variables: one by one, or all of them as a workbook.

use axum::http::Method;
use serde_json::Value;

use super::answer::{Answer, parse};
use super::refusal::Refusal;
use super::routes::Call;
use crate::exchange::{self, Entry, Form};
use crate::observe::Secret;
use crate::platform::core::{Core, State};
use crate::platform::state::{check_name, check_value};
use crate::platform::{PlatformError, StoredVariable};

/// Answers a call below `.../variables`.
pub(super) fn answer(core: &Core, call: &Call<'_>, rest: &[&str]) -> Result<Answer, Refusal> {
    match (call.method, rest) {
        (&Method::GET, []) => {
            let all = core.lock().variables.all();
            Ok(Answer::page(&parse(call.query)?, all.iter().map(StoredVariable::json).collect()))
        }
        (&Method::POST, []) => create(core, call.body),
        (_, ["export"]) => call.only(&Method::GET, || export(&core.lock().variables.all())),
        (_, ["import"]) => call.only(&Method::POST, || import(&mut core.lock(), call.file.0)),
        (&Method::PUT, [id]) => change(core, id, call.body),
        (&Method::DELETE, [id]) => {
            let gone = core.lock().variables.delete(id);
            gone.then_some(Answer::Nothing).ok_or_else(Refusal::not_found)
        }
        (_, [] | [_]) => Err(Refusal::method()),
        _ => Err(Refusal::not_found()),
    }
}

/// A workbook with the columns Name, Value, Secure. Secrets are withheld in it, as they are in the list.
fn export(all: &[StoredVariable]) -> Result<Answer, Refusal> {
    let entry = |v: &StoredVariable| {
        let value = (!v.secure).then(|| Secret::new(v.value.clone()));
        Entry { name: v.name.clone(), value, secure: Some(v.secure) }
    };
    let entries: Vec<Entry> = all.iter().map(entry).collect();
    let content = exchange::write(Form::Workbook, &entries).map_err(|why| Refusal::broken(&why))?;
    Ok(Answer::File { name: "variables.xlsx".into(), content })
}

/// Takes the variables of a workbook over, all of them or none; those it does not name stay. A value that is withheld
/// keeps the one there is.
fn import(state: &mut State, workbook: &[u8]) -> Result<Answer, Refusal> {
    let content = exchange::read(Form::Workbook, workbook).map_err(|why| Refusal::invalid(&format!("The workbook: {why}.")))?;
    let mut checked = Vec::new();
    for entry in content.entries {
        let name = &entry.name;
        let known = state.variables.named(name);
        let value = match (entry.value, known) {
            (Some(value), _) => value.reveal().to_owned(),
            (None, Some(known)) => known.value.clone(),
            (None, None) => {
                return Err(Refusal::invalid(&format!("{name}: the workbook withholds its value, and there is none yet.")));
            }
        };
        check_name(name).and_then(|()| check_value(&value)).map_err(|why| Refusal::invalid(&format!("{name}: {why}")))?;
        checked.push((entry.name, value, entry.secure));
    }
    let mut taken = Vec::new();
    for (name, value, secure) in checked {
        taken.push(state.variables.set(&name, &value, secure).map_err(refused)?.json());
    }
    let total = taken.len();
    Ok(Answer::List { items: taken, offset: 0, total })
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
