//! A document as a tree whose branches fold.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::super::super::json;

/// Branches with more below them begin folded, and so does what is deeper than this.
const MANY: usize = 40;
const DEEP: usize = 2;

/// One line of the tree.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) path: String,
    pub(crate) depth: usize,
    pub(crate) name: String,
    /// Whether it folds, and whether it is folded.
    pub(crate) folded: Option<bool>,
    /// Its value in one line; of a branch, how much is in it.
    pub(crate) value: String,
    /// MongoDB's name of its type, where the value does not show it.
    pub(crate) kind: &'static str,
}

/// The lines of a document in canonical Extended JSON; `turned` are the branches folded the other way than by themselves.
pub(super) fn nodes(document: &Value, turned: &HashSet<String>) -> Vec<Node> {
    let mut out = Vec::new();
    if let Value::Object(map) = document {
        map.iter().for_each(|(name, value)| node(name, name.clone(), 0, value, turned, &mut out));
    }
    out
}

fn node(name: &str, path: String, depth: usize, value: &Value, turned: &HashSet<String>, out: &mut Vec<Node>) {
    let inside: Vec<(String, &Value)> = match value {
        Value::Object(map) if kind(map).is_none() => map.iter().map(|(n, v)| (n.clone(), v)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(n, v)| (n.to_string(), v)).collect(),
        _ => {
            let (kind, value) = leaf(value);
            out.push(Node { path, depth, name: name.into(), folded: None, value, kind });
            return;
        }
    };
    let by_itself = inside.len() > MANY || depth >= DEEP;
    let folded = by_itself != turned.contains(&path);
    let n = inside.len();
    let told = if value.is_array() { format!("[{n}]") } else { format!("{{{n}}}") };
    out.push(Node { path: path.clone(), depth, name: name.into(), folded: (n > 0).then_some(folded), value: told, kind: "" });
    if !folded {
        inside.into_iter().for_each(|(name, value)| node(&name, format!("{path}.{name}"), depth + 1, value, turned, out));
    }
}

/// The type a wrapper of Extended JSON stands for.
fn kind(map: &Map<String, Value>) -> Option<&'static str> {
    let (name, _) = map.iter().next()?;
    Some(match name.as_str() {
        "$oid" => "objectId",
        "$numberInt" => "int",
        "$numberLong" => "long",
        "$numberDouble" => "double",
        "$numberDecimal" => "decimal",
        "$date" => "date",
        "$binary" => "binData",
        "$timestamp" => "timestamp",
        "$regularExpression" => "regex",
        "$code" => "javascript",
        "$symbol" => "symbol",
        "$minKey" => "minKey",
        "$maxKey" => "maxKey",
        "$undefined" => "undefined",
        _ => return None,
    })
}

fn leaf(value: &Value) -> (&'static str, String) {
    let Value::Object(map) = value else { return ("", value.to_string()) };
    let Some(kind) = kind(map) else { return ("", value.to_string()) };
    let inner = map.values().next();
    let plain = match (kind, json::relaxed(value)) {
        ("date", relaxed) => relaxed.get("$date").and_then(Value::as_str).map(str::to_owned),
        (_, Value::Number(number)) => Some(number.to_string()),
        _ => inner.and_then(Value::as_str).map(str::to_owned),
    };
    (kind, plain.unwrap_or_else(|| inner.map(Value::to_string).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_tree_shows_types_and_folds() {
        let document = json!({"_id": {"$oid": "65"}, "n": {"$numberLong": "5"}, "a": {"b": {"c": {"d": "x"}}}, "e": []});
        let told = |turned: &[&str]| {
            let turned = turned.iter().map(|t| (*t).to_owned()).collect();
            nodes(&document, &turned).iter().map(|n| format!("{} {}{}", n.path, n.kind, n.value)).collect::<Vec<_>>()
        };
        assert_eq!(told(&[]), ["_id objectId65", "n long5", "a {1}", "a.b {1}", "a.b.c {1}", "e [0]"]);
        assert_eq!(told(&["a"]), ["_id objectId65", "n long5", "a {1}", "e [0]"]);
        assert_eq!(told(&["a.b.c"])[5], "a.b.c.d \"x\"");
    }
}
