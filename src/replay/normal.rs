use std::sync::LazyLock;

use regex::Regex;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What differs from run to run and is no change: ids that are made anew, times, addresses of this machine. And what a
/// developer says differs besides.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Rules {
    /// Paths that are not compared, such as `writes.*.input.checked_at`; `*` stands for one name, `**` for any number.
    pub volatile: Vec<String>,
    /// Texts that stand for each other: found in the second outcome, meant as in the first.
    #[serde(skip)]
    pub same: Vec<(String, String)>,
}

/// Shapes within texts that are replaced by a name before two texts are compared.
static SHAPES: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    [
        (r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:?\d{2})?", "«time»"),
        (r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", "«uuid»"),
        (r"\b[0-9a-f]{24}\b", "«object id»"),
        (r"\bTQ(-\d+)+\b", "«task»"),
        (r"\b(ENV|SRVC)(-\d+)+\b", "«environment»"),
        (r"\b(127\.0\.0\.1|localhost):\d+\b", "«local address»"),
    ]
    .into_iter()
    .filter_map(|(shape, name)| Some((Regex::new(shape).ok()?, name)))
    .collect()
});

impl Rules {
    /// Whether a place is not to be compared.
    pub(super) fn is_volatile(&self, path: &str) -> bool {
        let names: Vec<&str> = path.split('.').collect();
        let ids = names.last().is_some_and(|name| matches!(*name, "_id" | "insertedId" | "$oid" | "$date"));
        ids || self.volatile.iter().any(|rule| fits(&rule.split('.').collect::<Vec<_>>(), &names))
    }

    /// A text as it is compared.
    pub(super) fn text(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (second, first) in &self.same {
            text = text.replace(second, first);
        }
        for (shape, name) in SHAPES.iter() {
            if let std::borrow::Cow::Owned(replaced) = shape.replace_all(&text, *name) {
                text = replaced;
            }
        }
        text
    }

    /// A value as it is compared: texts without what differs from run to run.
    pub(super) fn value(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => self.text(text).into(),
            Value::Array(items) => items.iter().map(|item| self.value(item)).collect(),
            Value::Object(fields) => fields.iter().map(|(name, field)| (name.clone(), self.value(field))).collect(),
            other => other.clone(),
        }
    }
}

fn fits(rule: &[&str], names: &[&str]) -> bool {
    match (rule.split_first(), names.split_first()) {
        (None, None) => true,
        (Some((&"**", rest)), _) => fits(rest, names) || names.split_first().is_some_and(|(_, names)| fits(rule, names)),
        (Some((wanted, rest)), Some((name, names))) => (*wanted == "*" || wanted == name) && fits(rest, names),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("at 2026-03-04T10:15:00.123Z", "at 2027-01-01 00:00:00+00:00", true)]
    #[case("TQ-1-2-3 by 66f0a1b2c3d4e5f607182930", "TQ-9-8-7 by 00f0a1b2c3d4e5f607182930", true)]
    #[case("http://127.0.0.1:27412/app", "http://127.0.0.1:40001/app", true)]
    #[case("PR-1234-5678-9012-001", "PR-1234-5678-9012-002", false)]
    #[case("10 users", "11 users", false)]
    fn what_changes_with_every_run_is_no_difference(#[case] one: &str, #[case] other: &str, #[case] same: bool) {
        let rules = Rules::default();
        assert_eq!(rules.text(one) == rules.text(other), same);
    }

    #[rstest]
    #[case("writes.*.input.checked_at", "writes.0.input.checked_at", true)]
    #[case("writes.*.input.checked_at", "writes.0.input.deep.checked_at", false)]
    #[case("writes.**.checked_at", "writes.0.input.deep.checked_at", true)]
    #[case("**", "anything.at.all", true)]
    #[case("message", "message.more", false)]
    fn a_rule_names_places(#[case] rule: &str, #[case] path: &str, #[case] expected: bool) {
        assert_eq!(Rules { volatile: vec![rule.into()], ..Rules::default() }.is_volatile(path), expected);
    }
}
