//! Conditions asked of objects.

use std::cmp::Ordering;

use serde_json::Value;

use super::{Comparison, Filter, Operand, Query};

impl Query {
    /// Whether `object` is one of those the query asks for.
    pub(crate) fn matches(&self, object: &Value) -> bool {
        self.filter.iter().all(|filter| holds(filter, object))
    }

    /// Puts `objects` into the order the query asks for; equals keep theirs.
    pub(crate) fn sort(&self, objects: &mut [Value]) {
        objects.sort_by(|a, b| self.compare_keys(&self.sort_keys(a), &self.sort_keys(b)));
    }

    /// Leaves out of `object` what the query does not want.
    pub(crate) fn shorten(&self, object: &mut Value) {
        self.without.iter().for_each(|path| leave_out(object, path));
    }

    /// The values that decide where `object` stands, as a list: all that must be remembered of it to order many.
    pub(crate) fn sort_keys(&self, object: &Value) -> Value {
        self.ordering.iter().map(|(path, _)| first(object, path).clone()).collect()
    }

    /// Which of two such lists comes first.
    pub(crate) fn compare_keys(&self, a: &Value, b: &Value) -> Ordering {
        let by = |(number, (_, descending)): (usize, &(Vec<String>, bool))| {
            let order = compare(a.get(number).unwrap_or(&Value::Null), b.get(number).unwrap_or(&Value::Null));
            if *descending { order.reverse() } else { order }
        };
        self.ordering.iter().enumerate().map(by).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    }
}

/// Takes the field at the end of `path` out; of each element where a list is on the way.
fn leave_out(value: &mut Value, path: &[String]) {
    match (value, path) {
        (Value::Array(items), path) => items.iter_mut().for_each(|item| leave_out(item, path)),
        (Value::Object(fields), [name]) => drop(fields.shift_remove(name)),
        (Value::Object(fields), [name, rest @ ..]) => fields.get_mut(name).into_iter().for_each(|field| leave_out(field, rest)),
        _ => {}
    }
}

fn holds(filter: &Filter, object: &Value) -> bool {
    match filter {
        Filter::And(all) => all.iter().all(|f| holds(f, object)),
        Filter::Or(any) => any.iter().any(|f| holds(f, object)),
        Filter::Not(inner) => !holds(inner, object),
        Filter::Compare(path, how, operand) => any(object, path, &|value| fits(value, *how, operand)),
        Filter::In(path, operands) => {
            any(object, path, &|value| operands.iter().any(|operand| fits(value, Comparison::Equal, operand)))
        }
    }
}

/// Whether a value at the end of `path` passes `test`; a list on the way stands for each of its elements.
fn any(object: &Value, path: &[String], test: &dyn Fn(&Value) -> bool) -> bool {
    match (object, path.split_first()) {
        (Value::Array(items), Some(_)) => items.iter().any(|item| any(item, path, test)),
        (_, Some((name, rest))) => any(object.get(name).unwrap_or(&Value::Null), rest, test),
        (Value::Array(items), None) if !items.is_empty() => items.iter().any(test),
        (value, None) => test(value),
    }
}

fn first<'a>(object: &'a Value, path: &[String]) -> &'a Value {
    path.iter().fold(object, |value, name| value.get(name).unwrap_or(&Value::Null))
}

fn fits(value: &Value, how: Comparison, operand: &Operand) -> bool {
    let Operand::Text(text) = operand else {
        let missing = value.is_null() || (*operand == Operand::Empty && value.as_str() == Some(""));
        return how == Comparison::Equal && missing;
    };
    match how {
        Comparison::Equal => equal(value, text),
        Comparison::Like => value.as_str().is_some_and(|v| like(v, text)),
        Comparison::Ilike => value.as_str().is_some_and(|v| like(&v.to_lowercase(), &text.to_lowercase())),
        _ => against(value, text).is_some_and(|order| match how {
            Comparison::Greater => order.is_gt(),
            Comparison::GreaterOrEqual => order.is_ge(),
            Comparison::Less => order.is_lt(),
            _ => order.is_le(),
        }),
    }
}

fn equal(value: &Value, text: &str) -> bool {
    match value {
        Value::String(v) => v == text,
        Value::Bool(v) => text.eq_ignore_ascii_case(if *v { "true" } else { "false" }),
        Value::Number(_) => against(value, text) == Some(Ordering::Equal),
        _ => false,
    }
}

/// The order of a value and a text: as numbers, as moments, or else as texts.
fn against(value: &Value, text: &str) -> Option<Ordering> {
    match value {
        Value::Number(v) => v.as_f64()?.partial_cmp(&text.parse().ok()?),
        Value::String(v) => Some(texts(v, text)),
        _ => None,
    }
}

fn texts(a: &str, b: &str) -> Ordering {
    match (a.parse::<jiff::Timestamp>(), b.parse::<jiff::Timestamp>()) {
        (Ok(a), Ok(b)) => a.cmp(&b),
        _ => a.cmp(b),
    }
}

fn compare(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64().partial_cmp(&b.as_f64()).unwrap_or(Ordering::Equal),
        (Value::String(a), Value::String(b)) => texts(a, b),
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        _ => rank(a).cmp(&rank(b)),
    }
}

fn rank(value: &Value) -> u8 {
    match value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Number(_) => 2,
        Value::String(_) => 3,
        Value::Array(_) | Value::Object(_) => 4,
    }
}

/// `*` stands for any text. Linear in both, however many stars there are.
fn like(value: &str, pattern: &str) -> bool {
    let mut parts = pattern.split('*');
    let head = parts.next().unwrap_or_default();
    let Some(mut rest) = value.strip_prefix(head) else { return false };
    let Some(tail) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = rest.get(at + part.len()..).unwrap_or_default();
    }
    rest.ends_with(tail)
}
