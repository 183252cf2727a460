//! JSON and Extended JSON as coloured lines, and documents in the form people read.

use std::fmt::Write;

use base64::Engine;
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

/// The longest text of a value that is shown, in bytes: nobody reads ten million characters on a screen, and laying them out
/// would stop it.
const LONGEST: usize = 8_192;
/// The most lines that are made of a value shown whole.
const MOST: usize = 50_000;

/// The value over several lines, coloured. Of a value of very many lines the first are made, and it is said how many follow.
pub(crate) fn lines(value: &Value) -> Vec<Pieces> {
    let mut shown = window(value, 0, MOST);
    let rest = if shown.len() < MOST { 0 } else { height(value).saturating_sub(MOST) };
    if rest > 0 {
        shown.push(vec![Piece::new(Tone::Warn, format!("… and {} lines more", text::number(rest as u64)))]);
    }
    shown
}

/// Whether a line of these says that something is left out: more lines, or the rest of a long text.
pub(crate) fn is_cut(line: &Pieces) -> bool {
    line.iter().any(|piece| {
        let text = piece.text.trim_end_matches(',');
        (text.starts_with("… and ") && text.ends_with(" lines more"))
            || (text.contains("\"… (") && text.ends_with(" characters)"))
    })
}

/// Some of the lines of a value: `count` of them from line `first`. What is not seen costs next to nothing.
pub(crate) fn window(value: &Value, first: usize, count: usize) -> Vec<Pieces> {
    let mut lines = Lines { at: 0, first, end: first.saturating_add(count), out: Vec::new() };
    lines.start(0);
    lines.value(value, 0);
    lines.out
}

/// How many lines a value takes.
pub(crate) fn height(value: &Value) -> usize {
    match value {
        Value::Array(all) if !all.is_empty() => 2 + all.iter().map(height).sum::<usize>(),
        Value::Object(map) if !map.is_empty() && !is_typed(map) => 2 + map.values().map(height).sum::<usize>(),
        _ => 1,
    }
}

/// What is inside of `$binary`, as people read it: a UUID, or how many bytes there are and which come first.
pub(crate) fn binary(inside: &Value) -> Option<String> {
    const SEEN: usize = 16;
    let base64 = inside.get("base64")?.as_str()?;
    let subtype = inside.get("subType")?.as_str()?;
    let padding = base64.bytes().rev().take_while(|b| *b == b'=').count();
    let bytes = (base64.len() / 4 * 3).saturating_sub(padding);
    // Of four characters at a time, three bytes come.
    let head = base64.get(..base64.len().min(SEEN.div_ceil(3) * 4))?;
    let head = base64::engine::general_purpose::STANDARD.decode(head).ok()?;
    if let (true, "04") = (bytes == 16, subtype)
        && let Ok(all) = <[u8; 16]>::try_from(head.get(..16)?)
    {
        return Some(bson::Uuid::from_bytes(all).to_string());
    }
    let seen: Vec<String> = head.iter().take(SEEN).map(|byte| format!("{byte:02x}")).collect();
    let more = if bytes > SEEN { " …" } else { "" };
    let subtype = subtype.trim_start_matches('0');
    let subtype = if subtype.is_empty() { "0" } else { subtype };
    Some(format!("{} bytes, subtype {subtype}: {}{more}", text::number(bytes as u64), seen.join(" ")))
}

/// The value over several lines as it is edited: what stands for one value stays on one line, and nothing is lost. What a
/// terminal would obey, or nobody could see, is escaped.
pub(crate) fn editable(value: &Value) -> String {
    let mut out = String::new();
    edit(value, 0, &mut out);
    out.chars().fold(String::with_capacity(out.len()), |mut safe, c| {
        // Of these only line ends stand outside of strings.
        if c != '\n' && text::is_unsafe(c) {
            c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| safe.push_str(&format!("\\u{unit:04x}")));
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

/// The value on one line, as text; a very long one is cut.
pub(crate) fn line(value: &Value) -> String {
    let mut cut = Cut(String::new());
    // It breaks off where it is long enough.
    match write!(cut, "{value}") {
        Ok(()) => cut.0,
        Err(_) => cut.0 + "…",
    }
}

/// Takes up to [`LONGEST`] bytes of text.
struct Cut(String);

impl std::fmt::Write for Cut {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let room = LONGEST.saturating_sub(self.0.len());
        self.0.push_str(text::beginning(text, room));
        if text.len() > room { Err(std::fmt::Error) } else { Ok(()) }
    }
}

/// The value over several lines, as text: what is copied.
pub(crate) fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_else(|_| value.to_string())
}

/// The lines of a value that are wanted, as they are made.
struct Lines {
    /// The number of the next line.
    at: usize,
    first: usize,
    end: usize,
    out: Vec<Pieces>,
}

impl Lines {
    fn start(&mut self, depth: usize) {
        if self.at >= self.first && self.at < self.end {
            let indent = (depth > 0).then(|| Piece::new(Tone::Plain, "  ".repeat(depth)));
            self.out.push(indent.into_iter().collect());
        }
        self.at += 1;
    }

    /// Adds to the line that was started last, if that one is wanted.
    fn push(&mut self, piece: impl FnOnce() -> Piece) {
        if self.at > self.first
            && self.at <= self.end
            && let Some(line) = self.out.last_mut()
        {
            line.push(piece());
        }
    }

    fn dim(&mut self, text: &'static str) {
        self.push(|| Piece::new(Tone::Dim, text));
    }

    /// A value; whether the lines behind it are wanted.
    fn value(&mut self, value: &Value, depth: usize) -> bool {
        match value {
            Value::Array(all) if !all.is_empty() => {
                self.dim("[");
                let last = all.len() - 1;
                for (i, item) in all.iter().enumerate() {
                    if !self.item(None, item, depth + 1, i < last) {
                        return false;
                    }
                }
                self.start(depth);
                self.dim("]");
            }
            Value::Object(map) if !map.is_empty() && !is_typed(map) => {
                self.dim("{");
                let last = map.len() - 1;
                for (i, (name, item)) in map.iter().enumerate() {
                    if !self.item(Some(name), item, depth + 1, i < last) {
                        return false;
                    }
                }
                self.start(depth);
                self.dim("}");
            }
            simple => self.push(|| simple_value(simple)),
        }
        true
    }

    /// An item of an array or object; whether the lines behind it are wanted.
    fn item(&mut self, name: Option<&String>, item: &Value, depth: usize, more: bool) -> bool {
        if self.at >= self.end {
            return false;
        }
        if self.at < self.first {
            let rows = height(item);
            if self.at + rows <= self.first {
                self.at += rows;
                return true;
            }
        }
        self.start(depth);
        if let Some(name) = name {
            self.push(|| Piece::new(Tone::Key, quoted(name)));
            self.dim(": ");
        }
        let whole = self.value(item, depth);
        if whole && more {
            self.dim(",");
        }
        whole
    }
}

fn simple_value(value: &Value) -> Piece {
    match value {
        Value::String(text) => Piece::new(Tone::Good, quoted(text)),
        Value::Null => Piece::new(Tone::Dim, "null"),
        Value::Object(map) if is_typed(map) => Piece::new(Tone::Value, line(value)),
        other => Piece::new(Tone::Note, other.to_string()),
    }
}

/// A text as JSON has it; one that is too long is cut, and it is said how long it is.
fn quoted(text: &str) -> String {
    if text.len() <= LONGEST {
        return Value::from(text).to_string();
    }
    let head = text::beginning(text, LONGEST);
    format!("{}… ({} characters)", Value::from(head), text::number(text.chars().count() as u64))
}

/// `{"$oid": "..."}` and its like read better on one line.
fn is_typed(map: &Map<String, Value>) -> bool {
    map.len() == 1 && map.iter().all(|(name, value)| name.starts_with('$') && !value.is_object() && !value.is_array())
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

    proptest::proptest! {
        #[test]
        fn any_stretch_of_lines_is_what_all_lines_have_there(first in 0_usize..30, count in 0_usize..30) {
            let value = json!({
                "a": [1, {"b": [[], [2, 3]]}, "x"], "t": {"$oid": "00"}, "e": {}, "o": {"p": {"q": null, "r": [true]}}, "z": 1
            });
            let all = lines(&value);
            proptest::prop_assert_eq!(all.len(), height(&value));
            let wanted: Vec<_> = all.into_iter().skip(first).take(count).collect();
            proptest::prop_assert_eq!(window(&value, first, count), wanted);
        }
    }

    #[test]
    fn of_a_huge_value_as_much_is_shown_as_can_be_read_and_the_rest_is_told() {
        let value = json!({"text": "é".repeat(5_000_000), "list": vec![7; 200_000], "bin": {"$oid": "x".repeat(1_000_000)}});
        let lines = lines(&value);
        let told = |line: &Pieces| line.iter().map(|p| p.text.as_str()).collect::<String>();
        assert!(told(&lines[1]).len() < 9_000 && told(&lines[1]).contains("(5,000,000 characters)"));
        assert_eq!((lines.len(), told(lines.last().unwrap())), (MOST + 1, "… and 150,006 lines more".to_owned()));
        assert_eq!(lines.iter().filter(|line| is_cut(line)).count(), 2, "the text, and the list");
        assert!(line(&value).len() < 9_000 && line(&value).ends_with('…'));
        assert_eq!(told(&window(&value, 200_005, 3)[0]), "}");
        assert!(told(&window(&value, 200_004, 1)[0]).len() < 9_000);
    }

    #[test]
    fn what_is_shown_is_json_again_when_the_lines_are_joined() {
        let value = json!({"a": [1, {"b": null}], "s": "x\u{1b}y", "e": {}, "id": {"$oid": "00"}});
        let text: String =
            lines(&value).iter().map(|line| line.iter().map(|p| p.text.as_str()).collect::<String>() + "\n").collect();
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
        assert!(!lines(&value).iter().any(is_cut));
    }
}
