//! Secrets known by their place, not by their value: an API key of Connect, a password in a request.

use std::borrow::Cow;
use std::fmt;
use std::sync::LazyLock;

use memchr::memrchr;
use regex::{Captures, Regex};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::placeholder;

/// How a placeholder begins.
const HIDDEN: &str = "«secret:";

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
    for key in VALUES {
        map.get_mut(key).into_iter().for_each(|value| hide(value, &name));
    }
}

/// The fields that hold the value of a parameter or a variable.
const VALUES: [&str; 3] = ["value", "initial_value", "structured_value"];

/// The objects of a piece of JSON without blanks and escapes, of which a few are looked into.
pub(super) struct Objects<'a> {
    json: &'a [u8],
    /// Where the one begins that was looked into last.
    last: Option<usize>,
    /// How many bytes may still be looked at before all of them are, once.
    budget: usize,
}

impl<'a> Objects<'a> {
    pub(super) fn of(json: &'a [u8]) -> Self {
        Self { json, last: None, budget: json.len().saturating_mul(2) }
    }

    /// Whether [`in_object`] would take something out of the object that has a field named at `at`, or of one inside it; found
    /// out in passing. Asked of every such place, it tells of the whole piece of JSON.
    pub(super) fn hold_something_at(&mut self, at: usize) -> bool {
        let start = if self.budget == 0 { 0 } else { self.start_around(at).unwrap_or(0) };
        if self.last == Some(start) {
            return false;
        }
        let object = self.json.get(start..).unwrap_or_default();
        let mut values = serde_json::Deserializer::from_slice(object).into_iter::<Seen>();
        let Some(Ok(seen)) = values.next() else { return true };
        self.last = Some(start);
        self.budget = self.budget.saturating_sub(at.saturating_sub(start) + values.byte_offset());
        seen.secret
    }

    /// Where the object begins that has the field: back over what is closed before it.
    fn start_around(&self, at: usize) -> Option<usize> {
        let opening = |end: usize| memrchr(b'"', self.json.get(..end)?);
        // Either `at` is at the quotation mark before the name, or inside of it.
        let mut here = if self.json.get(at) == Some(&b'"') { at } else { opening(at)? };
        let mut closed = 0_usize;
        loop {
            here = here.checked_sub(1)?;
            match self.json.get(here)? {
                b'"' => here = opening(here)?,
                b'}' | b']' => closed += 1,
                b'{' if closed == 0 => return Some(here),
                b'{' | b'[' => closed = closed.checked_sub(1)?,
                _ => {}
            }
        }
    }
}

/// What is seen of a value in passing.
#[derive(Default)]
struct Seen {
    /// There is a secret in it.
    secret: bool,
    /// Something that would be hidden if it were one.
    something: bool,
    /// It is the text `password`.
    password: bool,
    /// It is `true`.
    yes: bool,
}

impl Seen {
    const SOMETHING: Self = Self { secret: false, something: true, password: false, yes: false };
}

impl<'de> Deserialize<'de> for Seen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Passing)
    }
}

struct Passing;

impl<'de> Visitor<'de> for Passing {
    type Value = Seen;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Seen, E> {
        Ok(Seen::default())
    }

    fn visit_bool<E>(self, yes: bool) -> Result<Seen, E> {
        Ok(Seen { yes, ..Seen::default() })
    }

    fn visit_i64<E>(self, _: i64) -> Result<Seen, E> {
        Ok(Seen::SOMETHING)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Seen, E> {
        Ok(Seen::SOMETHING)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Seen, E> {
        Ok(Seen::SOMETHING)
    }

    fn visit_str<E>(self, text: &str) -> Result<Seen, E> {
        let something = !text.is_empty() && !text.starts_with(HIDDEN);
        Ok(Seen { something, password: text == "password", ..Seen::default() })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Seen, A::Error> {
        let mut all = Seen::SOMETHING;
        while let Some(item) = items.next_element::<Seen>()? {
            all.secret |= item.secret;
        }
        Ok(all)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Seen, A::Error> {
        let mut all = Seen::SOMETHING;
        let (mut marked, mut valued) = (false, false);
        while let Some(Named(name)) = fields.next_key()? {
            let field = fields.next_value::<Seen>()?;
            all.secret |= field.secret;
            match name {
                Name::Type => marked |= field.password,
                Name::Secure => marked |= field.yes,
                Name::Value => valued |= field.something,
                Name::Secret => all.secret |= field.something,
                Name::Other => {}
            }
        }
        all.secret |= marked && valued;
        Ok(all)
    }
}

/// What the name of a field means.
enum Name {
    Type,
    Secure,
    Value,
    Secret,
    Other,
}

struct Named(Name);

impl<'de> Deserialize<'de> for Named {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Key;

        impl Visitor<'_> for Key {
            type Value = Named;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }

            fn visit_str<E>(self, name: &str) -> Result<Named, E> {
                Ok(Named(match name {
                    "type" => Name::Type,
                    "secure" => Name::Secure,
                    name if VALUES.contains(&name) => Name::Value,
                    name if is_secret(name) => Name::Secret,
                    _ => Name::Other,
                }))
            }
        }

        deserializer.deserialize_str(Key)
    }
}

fn hide(value: &mut Value, name: &str) {
    match value {
        Value::Null | Value::Bool(_) => {}
        Value::String(text) if text.is_empty() || text.starts_with(HIDDEN) => {}
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;
    use serde_json::json;

    use super::super::secrets::Secrets;
    use super::*;

    #[rstest]
    #[case(json!({"params": [{"id": "a", "type": "password", "value": ""}, {"id": "b", "type": "text", "value": "x"}]}), false)]
    #[case(json!({"params": [{"value": "hunter22", "id": "a", "type": "password"}]}), true)]
    #[case(json!({"type": "password", "structured_value": {"a": null}}), true)]
    #[case(json!({"type": "password", "value": null, "initial_value": false}), false)]
    #[case(json!({"type": "password", "inner": {"value": "x"}}), false)]
    #[case(json!({"name": "A", "value": 7, "secure": true}), true)]
    #[case(json!({"name": "A", "value": "«secret:A»", "secure": true}), false)]
    #[case(json!({"name": "A", "value": "x", "secure": "true"}), false)]
    #[case(json!([{"deep": [{"API_KEY": "x"}]}]), true)]
    #[case(json!({"authorization": "", "logging_api_key": null}), false)]
    #[case(json!("password"), false)]
    fn a_look_in_passing_sees_secrets_exactly_where_some_would_be_taken_out(#[case] value: Value, #[case] secret: bool) {
        assert_eq!(Secrets::default().suspects(value.to_string().as_bytes()), secret);
        assert_eq!(taken_out(&value) != value, secret);
    }

    fn taken_out(value: &Value) -> Value {
        let mut value = value.clone();
        Secrets::default().value(&mut value);
        value
    }

    fn json() -> impl Strategy<Value = Value> {
        let texts = ["password", "", "x", "{", "]}", "«secret:a»"].map(Value::from);
        let leaf = prop::sample::select([&texts[..], &[true.into(), 1.into(), Value::Null]].concat());
        let names = ["type", "secure", "value", "initial_value", "structured_value", "api_key", "Authorization", "a", "b["];
        leaf.prop_recursive(5, 48, 6, move |inner| {
            let fields = prop::collection::vec((prop::sample::select(names.to_vec()), inner.clone()), 0..6);
            prop_oneof![
                prop::collection::vec(inner, 0..4).prop_map(Value::from),
                fields.prop_map(|fields| fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_secret_known_by_its_place_is_seen_wherever_the_object_lies(value in json()) {
            prop_assert_eq!(Secrets::default().suspects(value.to_string().as_bytes()), taken_out(&value) != value);
        }
    }

    #[test]
    fn an_object_full_of_names_is_looked_into_only_so_often() {
        let many: Vec<Value> = vec![json!({"api_key": null, "secure": true}); 2_000];
        let mut body = json!({"api_key": null, "parts": many, "authorization": ""}).to_string();
        for _ in 0..100 {
            body = format!(r#"{{"api_key":null,"inner":{body},"authorization":null}}"#);
        }
        let mut objects = Objects::of(body.as_bytes());
        let places: Vec<usize> = body.match_indices("api_key\":").map(|(at, _)| at).collect();
        assert!(places.iter().all(|at| !objects.hold_something_at(*at)));
        assert_eq!((objects.budget, objects.last), (0, Some(0)), "then once into all of it");
    }
}
