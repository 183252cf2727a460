//! The part of a filter only payloads can answer.

use rusqlite::Connection;
use serde_json::Value;

use super::{Column, DeliveryFilter, Op, Term};

/// Whether what was seen of a delivery fits.
pub(in crate::journal) fn fits(conn: &Connection, filter: &DeliveryFilter, delivery: i64) -> rusqlite::Result<bool> {
    let mut object: Option<Object> = None;
    for term in &filter.terms {
        let fits = match term {
            Term::Path { path, op, values } => {
                let object = match &mut object {
                    Some(object) => object,
                    none => none.insert(Object::of(conn, delivery)?),
                };
                object.fits(path, *op, values)
            }
            Term::Body { text, not } => says(conn, delivery, text)? != *not,
            _ => true,
        };
        if !fits {
            return Ok(false);
        }
    }
    Ok(true)
}

/// A text without which nothing of a delivery fits: where it is not, nothing need be read.
pub(in crate::journal) struct Needle {
    /// One of these, in lower case.
    pub(in crate::journal) texts: Vec<String>,
    /// Where it must be.
    pub(in crate::journal) place: Place,
}

/// Where a needle must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::journal) enum Place {
    /// In the object.
    Object,
    /// Anywhere in what was seen.
    Body,
    /// In the summary: that is made of what was seen, so it is there as well.
    Columns,
}

impl Needle {
    /// That of payloads, if the filter has one; rather one of the object than of everything.
    pub(in crate::journal) fn of(filter: &DeliveryFilter) -> Option<Self> {
        let mut all: Vec<Self> = Self::all(filter);
        all.retain(|needle| needle.place != Place::Columns);
        let of_object = all.iter().position(|needle| needle.place == Place::Object).unwrap_or(0);
        all.into_iter().nth(of_object)
    }

    /// All of a filter: what fits has one text of each.
    pub(in crate::journal) fn all(filter: &DeliveryFilter) -> Vec<Self> {
        let of_columns = |texts: &[String]| {
            let texts: Vec<String> = texts.iter().map(|text| text.to_lowercase()).collect();
            texts.iter().all(|text| verbatim(text)).then_some(Self { texts, place: Place::Columns })
        };
        let needle = |term: &Term| match term {
            Term::Path { op: Op::Is | Op::Has, values, .. } if values.iter().all(|value| plain(value)) => {
                Some(Self { texts: values.iter().map(|value| value.to_ascii_lowercase()).collect(), place: Place::Object })
            }
            Term::Body { text, not: false } => Some(Self { texts: vec![text.clone()], place: Place::Body }),
            Term::Text { text, not: false } => of_columns(std::slice::from_ref(text)),
            // Where these are compared as a whole, SQLite has indexes of its own.
            Term::Column { column: Column::Task | Column::Type | Column::Object | Column::Reason, op: Op::Has, values }
            | Term::Column { column: Column::Reason, op: Op::Is, values } => of_columns(values),
            _ => None,
        };
        let typed = filter.terms.iter().filter_map(needle);
        typed.chain(filter.text.as_ref().and_then(|text| of_columns(std::slice::from_ref(text)))).collect()
    }
}

/// Whether JSON writes a text in lower case as it is, also one beyond ASCII. (The small sigma depends on its neighbours.)
fn verbatim(text: &str) -> bool {
    text.chars().all(|c| c >= ' ' && !matches!(c, '"' | '\\' | 'σ' | 'ς'))
}

/// Whether JSON writes a text as it is.
fn plain(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_. :/@".contains(&b))
}

/// Whether a text is anywhere in what was seen.
fn says(conn: &Connection, delivery: i64, text: &str) -> rusqlite::Result<bool> {
    conn.prepare_cached("SELECT 1 FROM observations WHERE delivery = ? AND has(?, body) LIMIT 1")?
        .exists(rusqlite::params![delivery, text])
}

/// The object of a delivery; read only as far as a comparison needs it.
struct Object {
    text: Option<String>,
    read: Option<Value>,
}

impl Object {
    fn of(conn: &Connection, delivery: i64) -> rusqlite::Result<Self> {
        let mut statement = conn.prepare_cached(
            "SELECT kind = 'object_fetched', body FROM observations
             WHERE delivery = ? AND kind IN ('object_fetched', 'task_arrived') ORDER BY row",
        )?;
        let mut rows = statement.query([delivery])?;
        let mut text = None;
        // An interactive task brings its object; what was fetched comes after a task that did not, and is the first of it.
        while let Some(row) = rows.next()? {
            text = Some(row.get(1)?);
            if row.get(0)? {
                break;
            }
        }
        Ok(Self { text, read: None })
    }

    fn fits(&mut self, path: &[String], op: Op, values: &[String]) -> bool {
        let Some(text) = &self.text else { return matches!(op, Op::IsNot | Op::HasNot) };
        // Reading JSON takes a hundred times as long as seeing that a value is nowhere in it.
        if op == Op::Is && values.iter().all(|value| plain(value) && !text.contains(value.as_str())) {
            return false;
        }
        let fact = self.read.get_or_insert_with(|| serde_json::from_str(text).unwrap_or_default());
        let object = fact.get("object").or_else(|| fact.pointer("/task/input/data"));
        let found = object.map(|object| at(object, path)).unwrap_or_default();
        match op {
            Op::IsNot => !found.iter().any(|f| values.iter().any(|v| is(f, v))),
            Op::HasNot => !found.iter().any(|f| values.iter().any(|v| contains(f, v))),
            _ => found.iter().any(|f| values.iter().any(|v| compare(f, op, v))),
        }
    }
}

/// What is at a path; lists on the way are looked through, a number names one of their elements.
fn at<'a>(value: &'a Value, path: &[String]) -> Vec<&'a Value> {
    let Some((name, rest)) = path.split_first() else {
        return match value {
            Value::Array(items) => items.iter().chain([value]).collect(),
            other => vec![other],
        };
    };
    match value {
        Value::Object(fields) => fields.get(name).map(|field| at(field, rest)).unwrap_or_default(),
        Value::Array(items) => match name.parse::<usize>() {
            Ok(place) => items.get(place).map(|item| at(item, rest)).unwrap_or_default(),
            Err(_) => items.iter().flat_map(|item| at(item, path)).collect(),
        },
        _ => Vec::new(),
    }
}

fn compare(found: &Value, op: Op, wanted: &str) -> bool {
    match op {
        Op::Is => is(found, wanted),
        Op::Has => contains(found, wanted),
        Op::IsNot | Op::HasNot => false,
        Op::Less => order(found, wanted).is_some_and(std::cmp::Ordering::is_lt),
        Op::AtMost => order(found, wanted).is_some_and(std::cmp::Ordering::is_le),
        Op::Greater => order(found, wanted).is_some_and(std::cmp::Ordering::is_gt),
        Op::AtLeast => order(found, wanted).is_some_and(std::cmp::Ordering::is_ge),
    }
}

fn is(found: &Value, wanted: &str) -> bool {
    match found {
        Value::String(text) => text == wanted,
        Value::Array(_) | Value::Object(_) => false,
        other => {
            let text = other.to_string();
            text == wanted
        }
    }
}

fn contains(found: &Value, wanted: &str) -> bool {
    let wanted = wanted.to_lowercase();
    match found {
        Value::String(text) => text.to_lowercase().contains(&wanted),
        other => other.to_string().to_lowercase().contains(&wanted),
    }
}

/// Numbers by their value, also where Connect writes them as text; everything else as text. Where a number is wanted, what
/// is none is neither more nor less.
fn order(found: &Value, wanted: &str) -> Option<std::cmp::Ordering> {
    let text = match found {
        Value::String(text) => text.clone(),
        Value::Array(_) | Value::Object(_) | Value::Null => return None,
        other => other.to_string(),
    };
    match number(wanted) {
        Some(wanted) => number(&text)?.partial_cmp(&wanted),
        None => Some(text.as_str().cmp(wanted)),
    }
}

/// `inf` and `nan` are words.
fn number(text: &str) -> Option<f64> {
    text.parse::<f64>().ok().filter(|number| number.is_finite())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[rstest::rstest]
    #[case(json!(2_000_000), true)]
    #[case(json!("2000000"), true)]
    #[case(json!(3), false)]
    #[case(json!("unlimited"), false)]
    #[case(json!("infinity"), false)]
    #[case(json!(true), false)]
    fn a_number_is_compared_with_numbers_only(#[case] found: Value, #[case] more: bool) {
        assert_eq!(compare(&found, Op::Greater, "1000000"), more);
        assert!(!compare(&json!("unlimited"), Op::Less, "1000000"));
    }

    #[test]
    fn texts_are_compared_as_texts() {
        assert!(compare(&json!("2026-04-01T00:00:00"), Op::Greater, "2026-03-31"));
        assert!(!compare(&json!("2026-03-01"), Op::Greater, "2026-03-31"));
    }
}
