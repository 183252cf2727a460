use serde::Serialize;
use serde_json::Value;

/// One place in which two JSON values differ.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// Where: names joined by dots, elements of lists by their `id` where all have one, else by their place.
    pub path: String,
    /// What was there; `None` where it is new.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// What is there now; `None` where it is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
}

/// What makes `after` of `before`, in the order of the fields.
#[must_use]
pub fn changes(before: &Value, after: &Value) -> Vec<Change> {
    let mut found = Vec::new();
    compare(String::new(), Some(before), Some(after), &mut found);
    found
}

fn compare(path: String, before: Option<&Value>, after: Option<&Value>, found: &mut Vec<Change>) {
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match (before, after) {
        (before, after) if before == after => {}
        (Some(Value::Object(old)), Some(Value::Object(new))) => {
            for (name, value) in old {
                compare(below(name), Some(value), new.get(name), found);
            }
            for (name, value) in new.iter().filter(|(name, _)| !old.contains_key(*name)) {
                compare(below(name), None, Some(value), found);
            }
        }
        (Some(Value::Array(old)), Some(Value::Array(new))) => lists(&path, old, new, found),
        (before, after) => found.push(Change { path, before: before.cloned(), after: after.cloned() }),
    }
}

fn lists(path: &str, old: &[Value], new: &[Value], found: &mut Vec<Change>) {
    let id = |value: &Value| value.get("id").and_then(Value::as_str).map(str::to_owned);
    if let (Some(old_ids), Some(new_ids)) = (ids(old), ids(new)) {
        for (name, value) in old_ids.iter().zip(old) {
            let now = new.iter().find(|one| id(one).as_ref() == Some(name));
            compare(format!("{path}[{name}]"), Some(value), now, found);
        }
        for (name, value) in new_ids.iter().zip(new).filter(|(name, _)| !old_ids.contains(name)) {
            compare(format!("{path}[{name}]"), None, Some(value), found);
        }
    } else {
        for at in 0..old.len().max(new.len()) {
            compare(format!("{path}[{at}]"), old.get(at), new.get(at), found);
        }
    }
}

/// The ids of all elements, where each has one of its own.
fn ids(list: &[Value]) -> Option<Vec<String>> {
    let ids: Vec<String> = list.iter().map(|v| v.get("id")?.as_str().map(str::to_owned)).collect::<Option<_>>()?;
    let unique: std::collections::HashSet<&String> = ids.iter().collect();
    (unique.len() == ids.len()).then_some(ids)
}
