//! Readers as forgiving as the official library's (pydantic): a number where a text belongs is that number's text, a
//! text where a number belongs is read.

use serde::{Deserialize, Deserializer, de::Error};
use serde_json::Value;

/// A text that must be there.
pub(super) fn text<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    maybe_text(from)?.ok_or_else(|| D::Error::custom("a text belongs where null stands"))
}

/// A text, empty for null.
pub(super) fn text_or_empty<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    maybe_text(from).map(Option::unwrap_or_default)
}

/// A text or null.
pub(super) fn maybe_text<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    match Value::deserialize(from)? {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text)),
        Value::Number(number) => Ok(Some(number.to_string())),
        _ => Err(D::Error::custom("a text belongs here")),
    }
}

/// True or false; null is false.
pub(super) fn flag<'de, D: Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
    Ok(Option::<bool>::deserialize(from)?.unwrap_or_default())
}

/// Whole seconds, not negative: fractions are cut.
pub(super) fn countdown<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    let value = Value::deserialize(from)?;
    let seconds = match &value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse::<i64>().ok().map(|n| n as f64),
        _ => None,
    };
    // A float becomes the nearest whole number that fits: the cast saturates.
    seconds.map(|s| s.max(0.0) as u64).ok_or_else(|| D::Error::custom("a number of seconds belongs here"))
}

/// Seconds; null is 0.
pub(super) fn seconds<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    Ok(Option::<f64>::deserialize(from)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    #[rstest]
    #[case(json!(30.7), Some(30))]
    #[case(json!("31"), Some(31))]
    #[case(json!(-5), Some(0))]
    #[case(json!(null), None)]
    #[case(json!("soon"), None)]
    #[case(json!([]), None)]
    fn a_countdown_is_read_as_the_official_library_reads_it(#[case] given: serde_json::Value, #[case] read: Option<u64>) {
        assert_eq!(super::countdown(given).ok(), read);
    }
}
