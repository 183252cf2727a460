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

/// Some of the lines of a document in canonical Extended JSON: `count` of them from line `first`; `turned` are the branches
/// folded the other way than by themselves.
pub(super) fn nodes(document: &Value, turned: &HashSet<String>, first: usize, count: usize) -> Vec<Node> {
    let end = first.saturating_add(count);
    let mut out = Vec::new();
    let mut place = 0;
    walk(document, turned, &mut |line| {
        if place >= first && place < end {
            out.push(line.node());
        }
        place += 1;
        place < end
    });
    out
}

/// How many lines there are.
pub(super) fn height(document: &Value, turned: &HashSet<String>) -> usize {
    let mut lines = 0;
    walk(document, turned, &mut |_| {
        lines += 1;
        true
    });
    lines
}

/// A line of the tree before anything is made of it.
struct Branch<'a> {
    path: &'a str,
    depth: usize,
    name: &'a str,
    value: &'a Value,
    /// How many are in it, and whether it is folded.
    inside: Option<(usize, bool)>,
}

impl Branch<'_> {
    fn node(&self) -> Node {
        let (path, name, depth) = (self.path.to_owned(), self.name.to_owned(), self.depth);
        match self.inside {
            None => {
                let (kind, value) = leaf(self.value);
                Node { path, depth, name, folded: None, value, kind }
            }
            Some((n, folded)) => {
                let value = if self.value.is_array() { format!("[{n}]") } else { format!("{{{n}}}") };
                Node { path, depth, name, folded: (n > 0).then_some(folded), value, kind: "" }
            }
        }
    }
}

/// Goes through the lines as long as they are wanted.
fn walk(document: &Value, turned: &HashSet<String>, see: &mut dyn FnMut(&Branch<'_>) -> bool) {
    let mut path = String::new();
    if let Value::Object(map) = document {
        map.iter().all(|(name, value)| branch(name, value, 0, &mut path, turned, see));
    }
}

/// A branch and what is below it; whether more is wanted.
fn branch(
    name: &str,
    value: &Value,
    depth: usize,
    path: &mut String,
    turned: &HashSet<String>,
    see: &mut dyn FnMut(&Branch<'_>) -> bool,
) -> bool {
    let above = path.len();
    if depth > 0 {
        path.push('.');
    }
    path.push_str(name);
    let inside = match value {
        Value::Object(map) if kind(map).is_none() => Some(map.len()),
        Value::Array(items) => Some(items.len()),
        _ => None,
    };
    let inside = inside.map(|n| (n, (n > MANY || depth >= DEEP) != turned.contains(path.as_str())));
    let mut more = see(&Branch { path: path.as_str(), depth, name, value, inside });
    if more && inside.is_some_and(|(_, folded)| !folded) {
        more = match value {
            Value::Object(map) => map.iter().all(|(name, value)| branch(name, value, depth + 1, path, turned, see)),
            Value::Array(items) => {
                items.iter().enumerate().all(|(n, value)| branch(&n.to_string(), value, depth + 1, path, turned, see))
            }
            _ => true,
        };
    }
    path.truncate(above);
    more
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
    let Value::Object(map) = value else { return ("", json::line(value)) };
    let Some(kind) = kind(map) else { return ("", json::line(value)) };
    let inner = map.values().next();
    let plain = match (kind, json::relaxed(value)) {
        ("date", relaxed) => relaxed.get("$date").and_then(Value::as_str).map(str::to_owned),
        ("binData", _) => inner.and_then(json::binary),
        ("regex", _) => {
            inner.and_then(|regex| Some(format!("/{}/{}", regex.get("pattern")?.as_str()?, regex.get("options")?.as_str()?)))
        }
        (_, Value::Number(number)) => Some(number.to_string()),
        _ => inner.and_then(Value::as_str).map(str::to_owned),
    };
    (kind, plain.unwrap_or_else(|| inner.map(json::line).unwrap_or_default()))
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
            nodes(&document, &turned, 0, usize::MAX)
                .iter()
                .map(|n| format!("{} {}{}", n.path, n.kind, n.value))
                .collect::<Vec<_>>()
        };
        assert_eq!(told(&[]), ["_id objectId65", "n long5", "a {1}", "a.b {1}", "a.b.c {1}", "e [0]"]);
        assert_eq!(told(&["a"]), ["_id objectId65", "n long5", "a {1}", "e [0]"]);
        assert_eq!(told(&["a.b.c"])[5], "a.b.c.d \"x\"");
    }

    #[test]
    fn of_a_branch_of_very_many_only_what_is_seen_is_made() {
        let document =
            json!({"many": (0..300_000).collect::<Vec<_>>(), "last": {"$binary": {"base64": "AAEC", "subType": "00"}}});
        let turned = HashSet::from(["many".to_owned()]);
        assert_eq!(height(&document, &HashSet::new()), 2);
        assert_eq!(height(&document, &turned), 300_002);
        let seen = nodes(&document, &turned, 299_999, 3);
        let told: Vec<_> = seen.iter().map(|n| (n.path.as_str(), n.value.as_str())).collect();
        assert_eq!(told, [("many.299998", "299998"), ("many.299999", "299999"), ("last", "3 bytes, subtype 0: 00 01 02")]);
    }
}
