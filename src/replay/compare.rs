use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Outcome, Rules};

/// One place where two outcomes differ.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// Where: `result`, `calls.2.status`, `writes.0.input.name`.
    pub path: String,
    /// What is there in the first; `None` where nothing is.
    pub before: Option<Value>,
    /// What is there in the second.
    pub after: Option<Value>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.before, &self.after) {
            (Some(before), Some(after)) => write!(f, "~ {}: {} -> {}", self.path, short(before), short(after)),
            (Some(before), None) => write!(f, "- {}: {}", self.path, short(before)),
            (None, after) => write!(f, "+ {}: {}", self.path, after.as_ref().map(short).unwrap_or_default()),
        }
    }
}

/// A value in one line. What a call or a write is called comes first; of a text of many lines the last says most: there a
/// traceback names the error.
fn short(value: &Value) -> String {
    const MOST: usize = 300;
    let cut = |text: &str| match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    };
    let name = ["call", "operation"].into_iter().find_map(|name| Some((name, value.get(name)?.as_str()?)));
    if let (Some((field, name)), Value::Object(fields)) = (name, value) {
        let rest: serde_json::Map<String, Value> =
            fields.iter().filter(|(other, _)| *other != field).map(|(name, value)| (name.clone(), value.clone())).collect();
        return format!("{name} {}", cut(&Value::Object(rest).to_string()));
    }
    let lines = value.as_str().map(|text| text.lines().filter(|line| !line.trim().is_empty()).collect::<Vec<_>>());
    match lines.as_deref() {
        Some([first, .., last]) => {
            let (first, last) = (first.trim(), last.trim());
            cut(&Value::from(format!("{first} … {last}")).to_string())
        }
        _ => cut(&value.to_string()),
    }
}

/// Where two outcomes differ, by the rules; times, new ids and the like are no difference. How long they took is not
/// compared.
#[must_use]
pub fn compare(before: &Outcome, after: &Outcome, rules: &Rules) -> Vec<Difference> {
    let value = |outcome: &Outcome| serde_json::to_value(outcome).unwrap_or_default();
    let mut found = Vec::new();
    differences(&value(before), &value(after), "", rules, &mut found);
    found
}

fn differences(before: &Value, after: &Value, path: &str, rules: &Rules, found: &mut Vec<Difference>) {
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    if rules.is_volatile(path) || rules.value(before) == rules.value(after) {
        return;
    }
    match (before, after) {
        (Value::Object(one), Value::Object(other)) => {
            for (name, value) in one {
                match other.get(name) {
                    Some(changed) => differences(value, changed, &below(name), rules, found),
                    None => note(&below(name), Some(value), None, rules, found),
                }
            }
            for (name, value) in other.iter().filter(|(name, _)| !one.contains_key(*name)) {
                note(&below(name), None, Some(value), rules, found);
            }
        }
        (Value::Array(one), Value::Array(other)) => {
            for (place, (before, after)) in (0..).zip(aligned(one, other, rules)) {
                let path = below(&place_of(place));
                match (before, after) {
                    (Some(before), Some(after)) => differences(before, after, &path, rules, found),
                    (before, after) => note(&path, before, after, rules, found),
                }
            }
        }
        _ => note(path, Some(before), Some(after), rules, found),
    }
}

fn place_of(place: usize) -> String {
    place.to_string()
}

fn note(path: &str, before: Option<&Value>, after: Option<&Value>, rules: &Rules, found: &mut Vec<Difference>) {
    let nothing = |value: Option<&Value>| value.is_none_or(Value::is_null);
    let same = nothing(before) && nothing(after);
    if !same && !rules.is_volatile(path) {
        found.push(Difference { path: path.into(), before: before.cloned(), after: after.cloned() });
    }
}

/// Two lists side by side: what belongs together stands together, so that one call more is one difference and not one at
/// every place behind it.
fn aligned<'a>(one: &'a [Value], other: &'a [Value], rules: &Rules) -> Vec<(Option<&'a Value>, Option<&'a Value>)> {
    const LONGEST: usize = 400;
    if one.len().max(other.len()) > LONGEST {
        let longest = one.len().max(other.len());
        return (0..longest).map(|n| (one.get(n), other.get(n))).collect();
    }
    let labels = |values: &[Value]| values.iter().map(|value| label(value, rules)).collect::<Vec<_>>();
    let (left, right) = (labels(one), labels(other));
    // How much of the rests belongs together, from every pair of places on.
    let wide = right.len() + 1;
    let mut common = vec![0_u32; (left.len() + 1) * wide];
    let at = |i: usize, j: usize| i * wide + j;
    let read = |common: &[u32], i, j| common.get(at(i, j)).copied().unwrap_or_default();
    for i in (0..left.len()).rev() {
        for j in (0..right.len()).rev() {
            let best = match left.get(i) == right.get(j) {
                true => read(&common, i + 1, j + 1) + 1,
                false => read(&common, i + 1, j).max(read(&common, i, j + 1)),
            };
            if let Some(cell) = common.get_mut(at(i, j)) {
                *cell = best;
            }
        }
    }
    let (mut i, mut j, mut pairs) = (0, 0, Vec::new());
    while i < left.len() || j < right.len() {
        let together = i < left.len() && j < right.len() && left.get(i) == right.get(j);
        if together {
            pairs.push((one.get(i), other.get(j)));
            (i, j) = (i + 1, j + 1);
        } else if j >= right.len() || (i < left.len() && read(&common, i + 1, j) >= read(&common, i, j + 1)) {
            pairs.push((one.get(i), None));
            i += 1;
        } else {
            pairs.push((None, other.get(j)));
            j += 1;
        }
    }
    pairs
}

/// By what an element of a list is known: a call by its name, a document by its business id, a scalar by itself.
fn label(value: &Value, rules: &Rules) -> String {
    let named = ["call", "operation", "id"].into_iter().find_map(|name| value.get(name)?.as_str());
    match (named, value) {
        (Some(name), _) => rules.text(name),
        (None, Value::Array(pair)) => pair.first().map(|first| rules.value(first).to_string()).unwrap_or_default(),
        (None, Value::Object(_)) => String::new(),
        (None, scalar) => rules.value(scalar).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{Call, Write};
    use super::*;

    fn call(name: &str, status: u16) -> Call {
        Call { call: name.into(), status: Some(status), request: None }
    }

    fn told(before: &Outcome, after: &Outcome, rules: &Rules) -> Vec<String> {
        compare(before, after, rules).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn one_call_more_is_one_difference() {
        let before = Outcome { calls: vec![call("GET a", 200), call("GET b", 200)], ..Outcome::default() };
        let after = Outcome { calls: vec![call("GET a", 200), call("POST x", 201), call("GET b", 404)], ..Outcome::default() };
        assert_eq!(
            told(&before, &after, &Rules::default()),
            ["+ calls.1: POST x {\"status\":201}", "~ calls.2.status: 200 -> 404"]
        );
    }

    #[test]
    fn of_a_traceback_the_error_is_told() {
        let ended = |message: &str| Outcome { message: Some(message.into()), ..Outcome::default() };
        let (before, after) = (ended("fine"), ended("Traceback (most recent call last):\n  File \"a.py\"\nValueError: no\n"));
        let expected = "~ message: \"fine\" -> \"Traceback (most recent call last): … ValueError: no\"";
        assert_eq!(told(&before, &after, &Rules::default()), [expected]);
    }

    #[test]
    fn what_is_made_anew_with_every_run_is_no_difference_and_what_is_not_is() {
        let write = |id: &str, at: &str, name: &str| Write {
            operation: "driver insertOne connect.requests".into(),
            input: json!({"_id": {"$oid": id}, "saved": at, "name": name}),
            error: None,
        };
        let one = Outcome { writes: vec![write("66f0a1b2c3d4e5f607182930", "2026-01-01T00:00:00Z", "x")], ..Outcome::default() };
        let same = Outcome { writes: vec![write("16f0a1b2c3d4e5f607182930", "2027-01-01T00:00:00Z", "x")], ..Outcome::default() };
        let other =
            Outcome { writes: vec![write("16f0a1b2c3d4e5f607182930", "2027-01-01T00:00:00Z", "y")], ..Outcome::default() };
        assert!(compare(&one, &same, &Rules::default()).is_empty());
        assert_eq!(told(&one, &other, &Rules::default()), ["~ writes.0.input.name: \"x\" -> \"y\""]);
        let rules = Rules { volatile: vec!["writes.*.input.name".into()], ..Rules::default() };
        assert!(compare(&one, &other, &rules).is_empty());
    }

    #[test]
    fn texts_that_stand_for_each_other_are_the_same() {
        let write = |operation: &str| Outcome {
            writes: vec![Write { operation: operation.into(), input: Value::Null, error: None }],
            ..Outcome::default()
        };
        let rules = Rules { same: vec![("requests__shadow".into(), "requests".into())], ..Rules::default() };
        assert!(compare(&write("driver insertOne c.requests"), &write("driver insertOne c.requests__shadow"), &rules).is_empty());
    }
}
