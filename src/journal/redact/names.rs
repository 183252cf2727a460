//! Secrets known by their place, not by their value: an API key of Connect, a password in a request.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::{Captures, Regex};
use serde_json::{Map, Value};

use super::placeholder;

/// The key of a field that holds a secret, whatever its value.
fn is_secret(key: &str) -> bool {
    const SECRET: [&str; 4] = ["api_key", "logging_api_key", "installation_api_key", "authorization"];
    SECRET.iter().any(|secret| key.eq_ignore_ascii_case(secret))
}

/// Takes out what the fields of an object say is secret: keys by their name, the value of a parameter of the type
/// `password`, the value of a variable marked `secure`.
pub(super) fn in_object(map: &mut Map<String, Value>) {
    for (key, value) in map.iter_mut().filter(|(key, _)| is_secret(key)) {
        hide(value, &key.to_ascii_lowercase());
    }
    let text = |key| map.get(key).and_then(Value::as_str);
    let name = if text("type") == Some("password") {
        text("id").or_else(|| text("name")).unwrap_or("password").to_owned()
    } else if map.get("secure") == Some(&Value::Bool(true)) {
        text("name").unwrap_or("variable").to_owned()
    } else {
        return;
    };
    for key in ["value", "initial_value", "structured_value"] {
        map.get_mut(key).into_iter().for_each(|value| hide(value, &name));
    }
}

fn hide(value: &mut Value, name: &str) {
    match value {
        Value::Null | Value::Bool(_) => {}
        Value::String(text) if text.is_empty() || text.starts_with("«secret:") => {}
        _ => *value = placeholder(name).into(),
    }
}

/// An API key of Connect, as it stands in an `Authorization` header: `ApiKey SU-000-000-000:token`.
static API_KEY: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"ApiKey ([A-Z]{2}-[\d-]+):[\w-]+").ok());
/// A field of a piece of JSON whose text may be secret; the piece may end in the middle of it.
static FIELD: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"(?i)("(?:api_key|logging_api_key|authorization|password|value|initial_value)\\*"\s*:\s*\\*")(?:[^"\\]|\\.)+"#)
        .ok()
});

/// Takes API keys out of a text; `None` where there are none.
pub(super) fn in_text(text: &str) -> Option<String> {
    if !text.contains("ApiKey ") {
        return None;
    }
    let hidden = API_KEY.as_ref()?.replace_all(text, |found: &Captures<'_>| {
        let owner = found.get(1).map_or("", |owner| owner.as_str());
        format!("ApiKey {owner}:{}", placeholder("api_key"))
    });
    owned(hidden)
}

/// Takes every text that may be a secret out of a frame nobody could read: it may be a configuration.
pub(super) fn in_frame(excerpt: &mut String) {
    let hidden = FIELD.as_ref().map(|field| {
        field.replace_all(excerpt, |found: &Captures<'_>| {
            format!("{}{}", found.get(1).map_or("", |key| key.as_str()), placeholder("unread"))
        })
    });
    if let Some(hidden) = hidden.and_then(owned) {
        *excerpt = hidden;
    }
}

fn owned(text: Cow<'_, str>) -> Option<String> {
    match text {
        Cow::Borrowed(_) => None,
        Cow::Owned(text) => Some(text),
    }
}
