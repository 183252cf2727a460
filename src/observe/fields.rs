use std::collections::BTreeSet;
use std::fmt;

use serde::Deserializer;
use serde::de::{Error, IgnoredAny, MapAccess, Visitor};
use serde_json::{Map, Value};

/// What an object's text says of some of its fields; what else is in it is passed over, which is many times cheaper, and
/// what comes after the last of them is not looked at. Where it is no object, the whole of it.
///
/// # Errors
/// When it is no JSON, as far as it is looked at.
pub(crate) fn fields(text: &str, wanted: &BTreeSet<&str>) -> serde_json::Result<Value> {
    struct Wanted<'a> {
        names: &'a BTreeSet<&'a str>,
        found: &'a mut Map<String, Value>,
    }

    impl<'de> Visitor<'de> for Wanted<'_> {
        type Value = ();

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
            while let Some(name) = map.next_key::<String>()? {
                if !self.names.contains(name.as_str()) {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
                self.found.insert(name, map.next_value()?);
                if self.found.len() == self.names.len() {
                    // There is no other way to leave an object before its end.
                    return Err(A::Error::custom("all is found"));
                }
            }
            Ok(())
        }
    }

    if !text.trim_start().starts_with('{') {
        return serde_json::from_str(text);
    }
    let mut json = serde_json::Deserializer::from_str(text);
    let mut found = Map::new();
    match json.deserialize_map(Wanted { names: wanted, found: &mut found }) {
        Err(_) if !found.is_empty() && found.len() == wanted.len() => {}
        read => read.and_then(|()| json.end())?,
    }
    Ok(Value::Object(found))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TEXT: &str = r#"{"id":"PR-1","asset":{"id":"AS-1","status":"active"},"status":"pending","n":[1,{"a":null}]}"#;

    fn of(text: &str, names: &[&str]) -> serde_json::Result<Value> {
        fields(text, &names.iter().copied().collect())
    }

    #[test]
    fn some_fields_are_read_without_the_others() {
        assert_eq!(of(TEXT, &["asset"]).unwrap(), json!({"asset": {"id": "AS-1", "status": "active"}}));
        assert_eq!(of(TEXT, &["status", "id"]).unwrap(), json!({"id": "PR-1", "status": "pending"}));
        assert_eq!(of(TEXT, &["none", "id"]).unwrap(), json!({"id": "PR-1"}));
        assert_eq!(of(TEXT, &["none"]).unwrap(), json!({}));
        assert_eq!(of(TEXT, &[]).unwrap(), json!({}));
        assert_eq!(of(" [1, 2]", &["none"]).unwrap(), json!([1, 2]));
        assert_eq!(of(r#"{"\u0061":1}"#, &["a"]).unwrap(), json!({"a": 1}));
        assert!(of("{\"b\":1", &["a"]).is_err() && of("{} {}", &["a"]).is_err() && of("{\"a\":", &["a"]).is_err());
    }

    #[test]
    fn nobody_looks_behind_the_last_that_is_wanted() {
        assert_eq!(of(r#"{"id":1,"status":2,"n":"#, &["id", "status"]).unwrap(), json!({"id": 1, "status": 2}));
    }
}
