//! JSON and Extended JSON as coloured lines, and documents in the form people read.

use serde_json::{Map, Number, Value};

use super::text;
use super::theme::{Piece, Pieces, Tone};

/// Canonical Extended JSON made readable: relaxed Extended JSON, where plain numbers and ISO dates stand for the wrapped
/// ones. What has no plain form (`$oid`, `$numberDecimal`, ...) stays as it is, so no type is lost that matters.
pub(crate) fn relaxed(value: &Value) -> Value {
    match value {
        Value::Array(all) => all.iter().map(relaxed).collect(),
        Value::Object(map) => wrapped(map)
            .unwrap_or_else(|| Value::Object(map.iter().map(|(name, value)| (name.clone(), relaxed(value))).collect())),
        other => other.clone(),
    }
}

fn wrapped(map: &Map<String, Value>) -> Option<Value> {
    let (name, inner) = map.iter().next().filter(|_| map.len() == 1)?;
    match (name.as_str(), inner) {
        ("$numberInt" | "$numberLong", Value::String(digits)) => digits.parse::<i64>().ok().map(Value::from),
        ("$numberDouble", Value::String(digits)) => Number::from_f64(digits.parse().ok()?).map(Value::Number),
        ("$date", Value::Object(date)) => {
            let millis = date.get("$numberLong")?.as_str()?.parse().ok()?;
            let at = jiff::Timestamp::from_millisecond(millis).ok()?;
            Some(serde_json::json!({ "$date": at.to_string() }))
        }
        _ => None,
    }
}

/// The value over several lines, coloured.
pub(crate) fn lines(value: &Value) -> Vec<Pieces> {
    let mut out = vec![Vec::new()];
    write(value, 0, &mut out);
    out
}

/// The value over several lines as it is edited: what stands for one value stays on one line, and nothing is lost. What a
/// terminal would obey, or nobody could see, is escaped.
pub(crate) fn editable(value: &Value) -> String {
    let mut out = String::new();
    edit(value, 0, &mut out);
    out.chars().fold(String::with_capacity(out.len()), |mut safe, c| {
        // Of these only line ends stand outside of strings.
        if c != '\n' && text::is_unsafe(c) {
            safe.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            safe.push(c);
        }
        safe
    })
}

fn edit(value: &Value, depth: usize, out: &mut String) {
    let (open, close, items): (_, _, Vec<(Option<&String>, &Value)>) = match value {
        Value::Object(map) if !map.keys().all(|name| name.starts_with('$')) => {
            ('{', '}', map.iter().map(|(n, v)| (Some(n), v)).collect())
        }
        Value::Array(all) if !all.is_empty() => ('[', ']', all.iter().map(|v| (None, v)).collect()),
        simple => return out.push_str(&simple.to_string()),
    };
    out.push(open);
    for (at, (name, item)) in items.iter().enumerate() {
        out.push_str(if at > 0 { ",\n" } else { "\n" });
        out.push_str(&"  ".repeat(depth + 1));
        if let Some(name) = name {
            out.push_str(&Value::from(name.as_str()).to_string());
            out.push_str(": ");
        }
        edit(item, depth + 1, out);
    }
    out.push('\n');
    out.push_str(&"  ".repeat(depth));
    out.push(close);
}

/// The value on one line, as text.
pub(crate) fn line(value: &Value) -> String {
    value.to_string()
}

/// The value over several lines, as text: what is copied.
pub(crate) fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_else(|_| value.to_string())
}

fn write(value: &Value, depth: usize, out: &mut Vec<Pieces>) {
    match value {
        Value::Array(all) if !all.is_empty() => {
            push(out, Tone::Dim, "[");
            for (i, item) in all.iter().enumerate() {
                start(out, depth + 1);
                write(item, depth + 1, out);
                comma(out, i + 1 < all.len());
            }
            start(out, depth);
            push(out, Tone::Dim, "]");
        }
        Value::Object(map) if is_typed(map) => push(out, Tone::Value, value.to_string()),
        Value::Object(map) if !map.is_empty() => {
            push(out, Tone::Dim, "{");
            for (i, (name, item)) in map.iter().enumerate() {
                start(out, depth + 1);
                push(out, Tone::Key, Value::from(name.as_str()).to_string());
                push(out, Tone::Dim, ": ");
                write(item, depth + 1, out);
                comma(out, i + 1 < map.len());
            }
            start(out, depth);
            push(out, Tone::Dim, "}");
        }
        Value::String(_) => push(out, Tone::Good, value.to_string()),
        Value::Null => push(out, Tone::Dim, "null"),
        other => push(out, Tone::Note, other.to_string()),
    }
}

/// `{"$oid": "..."}` and its like read better on one line.
fn is_typed(map: &Map<String, Value>) -> bool {
    map.len() == 1 && map.iter().all(|(name, value)| name.starts_with('$') && !value.is_object() && !value.is_array())
}

fn push(out: &mut [Pieces], tone: Tone, text: impl AsRef<str>) {
    if let Some(line) = out.last_mut() {
        line.push(Piece::new(tone, text));
    }
}

fn start(out: &mut Vec<Pieces>, depth: usize) {
    out.push(vec![Piece::new(Tone::Plain, "  ".repeat(depth))]);
}

fn comma(out: &mut [Pieces], more: bool) {
    if more {
        push(out, Tone::Dim, ",");
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_and_dates_are_shown_plain_and_ids_keep_their_type() {
        let canonical = json!({
            "_id": {"$oid": "66f0a1b2c3d4e5f607182930"}, "n": {"$numberInt": "3"}, "l": {"$numberLong": "9007199254740993"},
            "d": {"$date": {"$numberLong": "1700000000000"}}, "dec": {"$numberDecimal": "1.10"}, "nan": {"$numberDouble": "NaN"}
        });
        assert_eq!(
            relaxed(&canonical),
            json!({
                "_id": {"$oid": "66f0a1b2c3d4e5f607182930"}, "n": 3, "l": 9_007_199_254_740_993_i64,
                "d": {"$date": "2023-11-14T22:13:20Z"}, "dec": {"$numberDecimal": "1.10"}, "nan": {"$numberDouble": "NaN"}
            })
        );
    }

    #[test]
    fn what_is_edited_loses_nothing_and_hides_nothing() {
        let value =
            json!({"a": {"$numberLong": "5"}, "s": "x\u{1b}\u{202e}y\n\u{200b}é", "list": [1, {"b": {}}], "k\u{feff}": []});
        let text = editable(&value);
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
        assert!(text.contains("  \"a\": {\"$numberLong\":\"5\"},\n") && text.contains("\\u202e"), "{text}");
        assert!(!text.chars().any(|c| c != '\n' && text::is_unsafe(c)));
    }

    #[test]
    fn what_is_shown_is_json_again_when_the_lines_are_joined() {
        let value = json!({"a": [1, {"b": null}], "s": "x\u{1b}y", "e": {}, "id": {"$oid": "00"}});
        let text: String =
            lines(&value).iter().map(|line| line.iter().map(|p| p.text.as_str()).collect::<String>() + "\n").collect();
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }
}
