//! An answer as plain JSON: types that JSON does not have are flattened, as the Data API's reference says.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bson::{Bson, Document};
use serde_json::{Value, json};

use crate::storage::query;

/// The document as plain JSON.
pub(super) fn plain(document: &Document) -> Value {
    Value::Object(document.iter().map(|(name, value)| (name.clone(), flat(value))).collect())
}

fn flat(value: &Bson) -> Value {
    match value {
        Bson::Document(inner) => plain(inner),
        Bson::Array(values) => values.iter().map(flat).collect(),
        Bson::Decimal128(n) => json!(n.to_string()),
        Bson::ObjectId(id) => json!(id.to_hex()),
        Bson::DateTime(at) => at.try_to_rfc3339_string().map_or_else(|_| json!(at.timestamp_millis()), |text| json!(text)),
        Bson::Timestamp(t) => json!({ "T": t.time, "I": t.increment }),
        Bson::RegularExpression(r) => json!({ "Pattern": r.pattern.as_str(), "Options": r.options.as_str() }),
        Bson::Binary(b) => json!({ "Subtype": u8::from(b.subtype), "Data": BASE64.encode(&b.bytes) }),
        Bson::MinKey | Bson::MaxKey => json!({}),
        other => query::relaxed_value(other),
    }
}

#[cfg(test)]
mod tests {
    use bson::doc;

    use super::*;

    #[test]
    fn types_json_does_not_have_are_flattened() {
        let ends = doc! { "low": bson::Bson::MinKey, "high": bson::Bson::MaxKey };
        assert_eq!(plain(&ends), json!({ "low": {}, "high": {} }));
        let document = doc! { "n": 1, "l": 2_i64, "d": bson::DateTime::from_millis(0), "x": 1.5, "in": [{ "n": 3_i64 }] };
        let expected = json!({ "n": 1, "l": 2, "d": "1970-01-01T00:00:00Z", "x": 1.5, "in": [{ "n": 3 }] });
        assert_eq!(plain(&document), expected);
    }
}
