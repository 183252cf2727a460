use serde_json::{Value, json};

use super::{Content, Entry};

/// Reads an object (`{"NAME": "value"}` or `{"NAME": {"value": ..., "secure": ...}}`), an array of Connect's variables
/// (`{"name", "value", "secure"}`), or one of those a line, as `env list --json` prints them.
pub(super) fn read(text: &str) -> Result<Content, String> {
    let mut content = Content::default();
    for value in serde_json::Deserializer::from_str(text).into_iter::<Value>() {
        match value.map_err(|e| format!("it is no JSON: {e}"))? {
            Value::Array(all) => {
                for one in &all {
                    variable(one, &mut content)?;
                }
            }
            one @ Value::Object(_) if one.get("name").is_some_and(Value::is_string) => variable(&one, &mut content)?,
            Value::Object(all) => {
                for (name, one) in &all {
                    let secure = one.get("secure").and_then(Value::as_bool);
                    let value = match one {
                        Value::Object(fields) => fields.get("value").ok_or_else(|| format!("`value` is missing in {name}"))?,
                        plain => plain,
                    };
                    content.entries.extend(entry(name, value, secure)?);
                }
            }
            other => return Err(format!("an object or an array of variables is expected, and not {other}")),
        }
    }
    Ok(content)
}

fn variable(one: &Value, content: &mut Content) -> Result<(), String> {
    let name = one.get("name").and_then(Value::as_str).ok_or_else(|| format!("`name` is missing in {one}"))?;
    let secure = one.get("secure").and_then(Value::as_bool);
    content.entries.extend(entry(name, one.get("value").unwrap_or(&Value::Null), secure)?);
    Ok(())
}

fn entry(name: &str, value: &Value, secure: Option<bool>) -> Result<Option<Entry>, String> {
    Ok(match value {
        Value::Null => Some(Entry { name: name.into(), value: None, secure }),
        Value::String(text) => Some(Entry::read(name, text.clone(), secure)),
        Value::Number(_) | Value::Bool(_) => Some(Entry::read(name, value.to_string(), secure)),
        Value::Array(_) | Value::Object(_) => return Err(format!("the value of {name} is no text, number or truth value")),
    })
}

/// An array of Connect's variables; a withheld value is `null`.
pub(super) fn write(entries: &[Entry]) -> Result<Vec<u8>, String> {
    let one =
        |e: &Entry| json!({"name": e.name, "value": e.value.as_ref().map(|v| v.reveal()), "secure": e.secure == Some(true)});
    let mut text = serde_json::to_vec_pretty(&entries.iter().map(one).collect::<Vec<_>>()).map_err(|e| e.to_string())?;
    text.push(b'\n');
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case(r#"{"A": "x", "B": 1}"#)]
    #[case(r#"{"A": {"value": "x"}, "B": {"value": "1"}}"#)]
    #[case(r#"[{"name": "A", "value": "x"}, {"name": "B", "value": "1"}]"#)]
    #[case("{\"name\": \"A\", \"value\": \"x\"}\n{\"name\": \"B\", \"value\": \"1\"}\n")]
    fn every_usual_shape_is_understood(#[case] text: &str) {
        let found = read(text).unwrap().entries;
        let values: Vec<_> = found.iter().map(|e| (e.name.as_str(), e.value.as_ref().unwrap().reveal())).collect();
        assert_eq!(values, [("A", "x"), ("B", "1")]);
    }

    #[test]
    fn what_is_no_variable_is_refused() {
        assert!(read(r#"{"A": []}"#).unwrap_err().contains('A'));
        assert!(read("[1]").is_err() && read("3").is_err() && read("{").is_err());
    }
}
