use std::any::Any;
use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use memchr::memchr2;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::tops::Tops;

/// An object as it came over the wire: its text is kept, and read only when somebody looks into it. On its way from Connect
/// to the disk nobody does. Cheap to clone.
#[derive(Clone)]
pub struct Body(Arc<Inner>);

struct Inner {
    /// What came, where it came as text.
    text: Option<Arc<str>>,
    value: OnceLock<Value>,
    /// What its fields say, as far as they are texts: asked for by several, who do not want to read the rest.
    tops: OnceLock<Tops>,
}

impl Inner {
    fn unread(text: Arc<str>, tops: OnceLock<Tops>) -> Self {
        Self { text: Some(text), value: OnceLock::new(), tops }
    }
}

impl Body {
    /// Takes over a text; `None` where it is no JSON.
    #[must_use]
    pub fn from_text(text: impl Into<Arc<str>>) -> Option<Self> {
        let text = text.into();
        let tops = Tops::of(&text).ok()?;
        // Whoever writes bodies down relies on there being no blanks.
        Some(if is_compact(&text) { Self(Arc::new(Inner::unread(text, tops.into()))) } else { read(Some(&text)).into() })
    }

    /// Takes over a text that is known to be JSON without blanks between its parts, as `serde_json` writes it.
    #[cfg(feature = "console")]
    pub(crate) fn of_compact(text: Arc<str>) -> Self {
        Self(Arc::new(Inner::unread(text, OnceLock::new())))
    }

    /// The value, for whoever wants to have it.
    #[must_use]
    pub fn into_value(self) -> Value {
        match Arc::try_unwrap(self.0) {
            Ok(Inner { text, value, .. }) => value.into_inner().unwrap_or_else(|| read(text.as_deref())),
            // To read it is cheaper than to read it for both and copy that.
            Err(shared) => shared.value.get().cloned().unwrap_or_else(|| read(shared.text.as_deref())),
        }
    }

    /// The object as a type of the caller's: the [`Value`] of all of it, or a struct with the fields that matter, which
    /// passes over the others without reading them. Nothing is read for a `Body`.
    ///
    /// ```
    /// use connect_console::observe::Body;
    ///
    /// #[derive(serde::Deserialize)]
    /// struct Named { id: String }
    ///
    /// let body = Body::from_text(r#"{"id":"PR-1","asset":{"id":"AS-1"}}"#).unwrap();
    /// assert_eq!(body.read::<Named>().unwrap().id, "PR-1");
    /// ```
    ///
    /// # Errors
    /// When it is no such object; says where in the text.
    pub fn read<T: DeserializeOwned + 'static>(self) -> serde_json::Result<T> {
        let mut body = Some(self);
        if let Some(asked_for) = as_it_is(&mut body) {
            return Ok(asked_for);
        }
        let body = body.unwrap_or_default();
        if let (None, Some(unread)) = (body.0.value.get(), &body.0.text) {
            return serde_json::from_str(unread);
        }
        let mut value = Some(body.into_value());
        as_it_is(&mut value).map_or_else(|| serde_json::from_value(value.unwrap_or_default()), Ok)
    }

    /// The text it came as, without blanks; `None` where it was made of a value.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        self.0.text.as_deref()
    }

    /// A text among its fields, without reading the others.
    #[must_use]
    pub fn text_of(&self, names: &[&str]) -> Option<String> {
        if let (None, Some(unread)) = (self.0.value.get(), &self.0.text) {
            let tops = self.0.tops.get_or_init(|| Tops::of(unread).unwrap_or_default());
            return tops.text(names).map(str::to_owned);
        }
        names.iter().find_map(|name| self.get(name)).and_then(Value::as_str).map(str::to_owned)
    }

    /// Whether it is an object with something in it.
    pub(crate) fn is_some_object(&self) -> bool {
        match (self.0.value.get(), &self.0.text) {
            (None, Some(unread)) => unread.starts_with('{') && &**unread != "{}",
            _ => self.as_object().is_some_and(|fields| !fields.is_empty()),
        }
    }
}

/// Takes what is there, where it is of the type that is asked for.
fn as_it_is<A: 'static, T: 'static>(there: &mut Option<A>) -> Option<T> {
    (there as &mut dyn Any).downcast_mut::<Option<T>>()?.take()
}

/// Whether there are no blanks outside of texts.
fn is_compact(json: &str) -> bool {
    let mut rest = json.as_bytes();
    loop {
        // Between texts there are few bytes, in them many.
        let Some(start) = rest.iter().position(|byte| matches!(byte, b'"' | b' ' | b'\n' | b'\r' | b'\t')) else { return true };
        if rest.get(start) != Some(&b'"') {
            return false;
        }
        rest = rest.get(start + 1..).unwrap_or_default();
        while let Some(at) = memchr2(b'"', b'\\', rest) {
            let escape = rest.get(at) == Some(&b'\\');
            rest = rest.get(at + 1 + usize::from(escape)..).unwrap_or_default();
            if !escape {
                break;
            }
        }
    }
}

fn read(text: Option<&str>) -> Value {
    text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

impl From<Value> for Body {
    fn from(value: Value) -> Self {
        Self(Arc::new(Inner { text: None, value: value.into(), tops: OnceLock::new() }))
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
        assert!(Body::from_text("{\"id\":").is_none() && Body::from_text("{} {}").is_none());
    }

    #[derive(Deserialize, Debug, PartialEq)]
    struct Purchase {
        id: String,
        #[serde(default)]
        note: Option<String>,
    }

    #[test]
    fn a_body_is_read_as_whatever_is_asked_for() {
        let purchase = Purchase { id: "PR-1".into(), note: None };
        let value: Value = serde_json::from_str(TEXT).unwrap();
        for body in [Body::from_text(TEXT).unwrap(), Body::from(value.clone())] {
            assert!(body.is_some_object());
            assert_eq!(body.clone().read::<Body>().unwrap(), body);
            assert_eq!(body.clone().read::<Purchase>().unwrap(), purchase);
            assert_eq!(body.read::<Value>().unwrap(), value);
        }
        let deep = format!("{{\"id\":{}{}}}", "[".repeat(200), "]".repeat(200));
        let said = Body::from_text(deep).unwrap().read::<Value>().unwrap_err().to_string();
        assert!(said.contains("recursion limit"), "{said}");
        let said = Body::from_text("{\"id\":1}").unwrap().read::<Purchase>().unwrap_err().to_string();
        assert!(said.contains("invalid type: integer `1`, expected a string at line 1 column"), "{said}");
        for none in ["{}", "[1]", "\"{\"", "null"] {
            assert!(!Body::from_text(none).unwrap().is_some_object(), "{none}");
        }
    }

    #[test]
    fn blanks_between_the_parts_do_not_stay_and_those_in_texts_do() {
        let body = Body::from_text("{\n  \"a b\": [1, \"\\\" , x\"]\n}").unwrap();
        assert_eq!(serde_json::to_string(&body).unwrap(), r#"{"a b":[1,"\" , x"]}"#);
        assert!(is_compact(r#"{"a b":"\" : {"}"#) && !is_compact(r#"{"a": 1}"#));
    }
}
