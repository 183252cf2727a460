use std::fmt;

use serde::Deserializer;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, Visitor};
use serde_json::{Map, Value};

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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TEXT: &str = r#"{"id":"PR-1","asset":{"id":"AS-1","status":"active"},"status":"pending","n":[1,{"a":null}]}"#;

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
