use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

/// An object as it came over the wire: its text is kept, and read only when somebody looks into it. On its way from Connect
/// to the disk nobody does. Cheap to clone.
#[derive(Clone)]
pub struct Body(Arc<Inner>);

struct Inner {
    /// What came, where it came as text.
    text: Option<Arc<str>>,
    value: OnceLock<Value>,
}

impl Body {
    /// Takes over a text; `None` where it is no JSON.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        serde_json::from_str::<IgnoredAny>(text).ok()?;
        Some(Self::of_json(text))
    }

    /// Takes over a text that is known to be JSON. One with blanks between its parts is read at once: whoever writes bodies
    /// down relies on there being none.
    pub(crate) fn of_json(text: impl Into<Arc<str>>) -> Self {
        let text = text.into();
        if is_compact(&text) {
            Self(Arc::new(Inner { text: Some(text), value: OnceLock::new() }))
        } else {
            read(Some(&text)).into()
        }
    }

    /// The value, for whoever wants to have it.
    #[must_use]
    pub fn into_value(self) -> Value {
        match Arc::try_unwrap(self.0) {
            Ok(Inner { text, value }) => value.into_inner().unwrap_or_else(|| read(text.as_deref())),
            Err(shared) => Value::clone(&Self(shared)),
        }
    }

    /// The text it came as, without blanks; `None` where it was made of a value.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        self.0.text.as_deref()
    }

    /// A text among its fields, without reading the others.
    #[must_use]
    pub fn text_of(&self, names: &[&str]) -> Option<String> {
        let text = |value: &Value| names.iter().find_map(|name| value.get(name)).and_then(Value::as_str).map(str::to_owned);
        match (self.0.value.get(), &self.0.text) {
            (None, Some(unread)) => text(&fields(unread, |field| names.contains(&field)).ok()?),
            _ => text(self),
        }
    }
}

/// Whether there are no blanks outside of texts.
fn is_compact(json: &str) -> bool {
    let mut inside = false;
    let mut bytes = json.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => inside = !inside,
            b'\\' => drop(bytes.next()),
            b' ' | b'\n' | b'\r' | b'\t' if !inside => return false,
            _ => {}
        }
    }
    true
}

fn read(text: Option<&str>) -> Value {
    text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

/// What an object's text says of some of its fields; what else is in it is passed over, which is many times cheaper. Where
/// it is no object, the whole of it.
///
/// # Errors
/// When it is no JSON.
pub(crate) fn fields(text: &str, wanted: impl Fn(&str) -> bool) -> serde_json::Result<Value> {
    struct Wanted<F>(F);

    impl<'de, F: Fn(&str) -> bool> DeserializeSeed<'de> for Wanted<F> {
        type Value = Value;

        fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
            deserializer.deserialize_map(self)
        }
    }

    impl<'de, F: Fn(&str) -> bool> Visitor<'de> for Wanted<F> {
        type Value = Value;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
            let mut found = Map::new();
            while let Some(name) = map.next_key::<String>()? {
                if (self.0)(&name) {
                    found.insert(name, map.next_value()?);
                } else {
                    map.next_value::<IgnoredAny>()?;
                }
            }
            Ok(Value::Object(found))
        }
    }

    if !text.trim_start().starts_with('{') {
        return serde_json::from_str(text);
    }
    let mut json = serde_json::Deserializer::from_str(text);
    let found = Wanted(wanted).deserialize(&mut json)?;
    json.end()?;
    Ok(found)
}

impl From<Value> for Body {
    fn from(value: Value) -> Self {
        Self(Arc::new(Inner { text: None, value: value.into() }))
    }
}

impl Default for Body {
    fn default() -> Self {
        Value::Null.into()
    }
}

impl Deref for Body {
    type Target = Value;

    fn deref(&self) -> &Value {
        self.0.value.get_or_init(|| read(self.0.text.as_deref()))
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl PartialEq for Body {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Serialize for Body {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (**self).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Body {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(Into::into)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TEXT: &str = r#"{"id":"PR-1","asset":{"id":"AS-1","status":"active"},"status":"pending","n":[1,{"a":null}]}"#;

    #[test]
    fn a_body_is_read_when_somebody_looks_into_it_and_then_like_any_value() {
        let body = Body::from_text(TEXT).unwrap();
        assert_eq!(body.text(), Some(TEXT));
        assert_eq!(body.text_of(&["state", "status"]).as_deref(), Some("pending"));
        assert!(body.0.value.get().is_none(), "nobody has looked into it");
        assert_eq!(body["asset"]["id"], "AS-1");
        assert_eq!(body.text_of(&["status"]).as_deref(), Some("pending"));
        assert_eq!(serde_json::to_string(&body).unwrap(), TEXT);
        assert_eq!(body, Body::from(serde_json::from_str::<Value>(TEXT).unwrap()));
        assert_eq!(serde_json::from_str::<Body>(TEXT).unwrap(), body);
        assert_eq!(body.clone().into_value(), body.into_value());
        assert!(Body::from_text("{\"id\":").is_none());
    }

    #[test]
    fn blanks_between_the_parts_do_not_stay_and_those_in_texts_do() {
        let body = Body::from_text("{\n  \"a b\": [1, \"\\\" , x\"]\n}").unwrap();
        assert_eq!(serde_json::to_string(&body).unwrap(), r#"{"a b":[1,"\" , x"]}"#);
        assert!(is_compact(r#"{"a b":"\" : {"}"#) && !is_compact(r#"{"a": 1}"#));
    }

    #[test]
    fn some_fields_are_read_without_the_others() {
        let of = |text, name: &str| fields(text, |field| field == name);
        assert_eq!(of(TEXT, "asset").unwrap(), json!({"asset": {"id": "AS-1", "status": "active"}}));
        assert_eq!(of(TEXT, "none").unwrap(), json!({}));
        assert_eq!(of(" [1, 2]", "none").unwrap(), json!([1, 2]));
        assert_eq!(of(r#"{"\u0061":1}"#, "a").unwrap(), json!({"a": 1}));
        assert!(of("{\"a\":1", "a").is_err() && of("{} {}", "a").is_err());
    }
}
