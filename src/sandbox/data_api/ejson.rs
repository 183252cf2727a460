//! Extended JSON (version 2) in, and out in the two forms of the Data API: canonical, and flattened to plain JSON.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bson::{Bson, Document, RawBsonRef, RawDocument, RawDocumentBuf};
use serde_json::{Map, Value, json};

use super::super::error::CommandError;

/// The names that make an object a value of a type. Others that begin with `$` are operators.
const TYPES: [&str; 17] = [
    "$binary",
    "$code",
    "$date",
    "$dbPointer",
    "$maxKey",
    "$minKey",
    "$numberDecimal",
    "$numberDouble",
    "$numberInt",
    "$numberLong",
    "$oid",
    "$regularExpression",
    "$scope",
    "$symbol",
    "$timestamp",
    "$undefined",
    "$uuid",
];

/// Nesting beyond this is refused.
const MAX_DEPTH: usize = 120;

/// Reads a document, canonical or relaxed or a mixture.
pub(super) fn document(fields: &Map<String, Value>) -> Result<RawDocumentBuf, String> {
    let document = fields_at(fields, 0)?;
    RawDocumentBuf::try_from(&document).map_err(|error| error.to_string())
}

/// Reads a value.
pub(super) fn value(value: &Value) -> Result<Bson, String> {
    value_at(value, 0)
}

fn fields_at(fields: &Map<String, Value>, depth: usize) -> Result<Document, String> {
    fields.iter().map(|(name, value)| Ok((name.clone(), value_at(value, depth + 1)?))).collect()
}

fn value_at(value: &Value, depth: usize) -> Result<Bson, String> {
    if depth > MAX_DEPTH {
        return Err(format!("nested deeper than {MAX_DEPTH} levels"));
    }
    Ok(match value {
        Value::Null => Bson::Null,
        Value::Bool(flag) => Bson::Boolean(*flag),
        Value::String(text) => Bson::String(text.clone()),
        Value::Number(number) => match number.as_i64() {
            Some(n) => i32::try_from(n).map_or(Bson::Int64(n), Bson::Int32),
            None => Bson::Double(number.as_f64().ok_or_else(|| format!("{number} is not a number"))?),
        },
        Value::Array(values) => Bson::Array(values.iter().map(|v| value_at(v, depth + 1)).collect::<Result<_, _>>()?),
        Value::Object(fields) if fields.keys().next().is_some_and(|name| TYPES.contains(&name.as_str())) => {
            serde_json::from_value(value.clone()).map_err(|error| format!("{value} is no value of Extended JSON: {error}"))?
        }
        Value::Object(fields) => Bson::Document(fields_at(fields, depth)?),
    })
}

/// Every type told apart.
pub(super) fn canonical(document: &RawDocument) -> Result<Value, CommandError> {
    each(document, &|value| match value {
        RawBsonRef::Int32(n) => Some(json!({ "$numberInt": n.to_string() })),
        RawBsonRef::Int64(n) => Some(json!({ "$numberLong": n.to_string() })),
        RawBsonRef::Double(n) => Some(json!({ "$numberDouble": double_text(n) })),
        RawBsonRef::Decimal128(n) => Some(json!({ "$numberDecimal": n.to_string() })),
        RawBsonRef::ObjectId(id) => Some(json!({ "$oid": id.to_hex() })),
        RawBsonRef::DateTime(d) => Some(json!({ "$date": { "$numberLong": d.timestamp_millis().to_string() } })),
        RawBsonRef::Binary(b) => {
            let subtype = format!("{:02x}", u8::from(b.subtype));
            Some(json!({ "$binary": { "base64": BASE64.encode(b.bytes), "subType": subtype } }))
        }
        RawBsonRef::RegularExpression(r) => {
            Some(json!({ "$regularExpression": { "pattern": r.pattern.as_str(), "options": r.options.as_str() } }))
        }
        RawBsonRef::Timestamp(t) => Some(json!({ "$timestamp": { "t": t.time, "i": t.increment } })),
        _ => None,
    })
}

/// Flattened to what JSON has.
pub(super) fn plain(document: &RawDocument) -> Result<Value, CommandError> {
    each(document, &|value| match value {
        RawBsonRef::Int32(n) => Some(json!(n)),
        RawBsonRef::Int64(n) => Some(json!(n)),
        // JSON has no number for these.
        RawBsonRef::Double(n) if !n.is_finite() => Some(json!(double_text(n))),
        RawBsonRef::Double(n) => Some(json!(n)),
        RawBsonRef::Decimal128(n) => Some(json!(n.to_string())),
        RawBsonRef::ObjectId(id) => Some(json!(id.to_hex())),
        RawBsonRef::DateTime(d) => {
            Some(d.try_to_rfc3339_string().map_or_else(|_| json!(d.timestamp_millis()), |text| json!(text)))
        }
        RawBsonRef::Binary(b) => Some(json!({ "Subtype": u8::from(b.subtype), "Data": BASE64.encode(b.bytes) })),
        RawBsonRef::RegularExpression(r) => Some(json!({ "Pattern": r.pattern.as_str(), "Options": r.options.as_str() })),
        RawBsonRef::Timestamp(t) => Some(json!({ "T": t.time, "I": t.increment })),
        _ => None,
    })
}

/// Writes a document; `leaf` writes the values whose forms differ.
fn each(document: &RawDocument, leaf: &dyn Fn(RawBsonRef<'_>) -> Option<Value>) -> Result<Value, CommandError> {
    let mut fields = Map::new();
    for element in document.iter() {
        let (name, value) = element?;
        fields.insert(name.as_str().to_owned(), one(value, leaf)?);
    }
    Ok(Value::Object(fields))
}

fn one(value: RawBsonRef<'_>, leaf: &dyn Fn(RawBsonRef<'_>) -> Option<Value>) -> Result<Value, CommandError> {
    if let Some(value) = leaf(value) {
        return Ok(value);
    }
    Ok(match value {
        RawBsonRef::Document(inner) => each(inner, leaf)?,
        RawBsonRef::Array(array) => Value::Array(array.into_iter().map(|v| one(v?, leaf)).collect::<Result<_, _>>()?),
        RawBsonRef::String(text) => json!(text),
        RawBsonRef::Boolean(flag) => json!(flag),
        RawBsonRef::Null => Value::Null,
        RawBsonRef::Symbol(text) => json!({ "$symbol": text }),
        RawBsonRef::JavaScriptCode(code) => json!({ "$code": code }),
        RawBsonRef::JavaScriptCodeWithScope(code) => json!({ "$code": code.code, "$scope": each(code.scope, leaf)? }),
        RawBsonRef::Undefined => json!({ "$undefined": true }),
        RawBsonRef::MinKey => json!({ "$minKey": 1 }),
        RawBsonRef::MaxKey => json!({ "$maxKey": 1 }),
        // The deprecated pointer; its parts are reached through serde only.
        other => serde_json::to_value(Bson::try_from(other)?).unwrap_or(Value::Null),
    })
}

/// A double as the specification writes it.
fn double_text(n: f64) -> String {
    if n.is_nan() {
        "NaN".into()
    } else if n.is_infinite() {
        if n > 0.0 { "Infinity".into() } else { "-Infinity".into() }
    } else {
        format!("{n:?}").replace('e', "E")
    }
}

#[cfg(test)]
mod tests {
    use bson::rawdoc;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::int(json!({ "$numberInt": "5" }), Bson::Int32(5))]
    #[case::negative(json!(-5), Bson::Int32(-5))]
    #[case::long(json!({ "$numberLong": "5" }), Bson::Int64(5))]
    #[case::large(json!(5_000_000_000_i64), Bson::Int64(5_000_000_000))]
    #[case::double(json!({ "$numberDouble": "5" }), Bson::Double(5.0))]
    #[case::oid(
        json!({ "$oid": "507f1f77bcf86cd799439011" }),
        Bson::ObjectId("507f1f77bcf86cd799439011".parse().unwrap())
    )]
    #[case::date(json!({ "$date": { "$numberLong": "0" } }), Bson::DateTime(bson::DateTime::from_millis(0)))]
    #[case::relaxed_date(json!({ "$date": "1970-01-01T00:00:00Z" }), Bson::DateTime(bson::DateTime::from_millis(0)))]
    #[case::decimal(json!({ "$numberDecimal": "1.50" }), Bson::Decimal128("1.50".parse().unwrap()))]
    #[case::operator(json!({ "$gt": { "$numberLong": "5" } }), Bson::Document(bson::doc! { "$gt": 5_i64 }))]
    fn extended_json_is_read_with_its_types(#[case] text: Value, #[case] expected: Bson) {
        assert_eq!(value(&text).unwrap(), expected);
    }

    #[test]
    fn the_two_forms_of_an_answer() {
        let document = rawdoc! { "n": 1, "l": 2_i64, "d": bson::DateTime::from_millis(0), "x": 1.5 };
        assert_eq!(plain(&document).unwrap(), json!({ "n": 1, "l": 2, "d": "1970-01-01T00:00:00Z", "x": 1.5 }));
        assert_eq!(
            canonical(&document).unwrap(),
            json!({
                "n": { "$numberInt": "1" }, "l": { "$numberLong": "2" },
                "d": { "$date": { "$numberLong": "0" } }, "x": { "$numberDouble": "1.5" },
            })
        );
    }

    #[test]
    fn what_is_written_canonically_is_read_back_exactly() {
        let document = rawdoc! {
            "a": [1, 2_i64, 2.0, "t", null], "o": bson::oid::ObjectId::new(), "d": bson::DateTime::now(),
            "r": bson::Regex { pattern: "^a".try_into().unwrap(), options: "i".try_into().unwrap() },
            "t": bson::Timestamp { time: 1, increment: 2 }, "min": bson::RawBson::MinKey,
        };
        let Value::Object(fields) = canonical(&document).unwrap() else { panic!("an object") };
        assert_eq!(super::document(&fields).unwrap(), document);
    }
}
