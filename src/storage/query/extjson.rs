//! Writing Extended JSON, version 2.

use bson::{Bson, Document};
use serde_json::{Value, json};

/// The last millisecond of the year 9999: relaxed Extended JSON writes dates up to it as text.
const YEAR_9999: i64 = 253_402_300_799_999;

/// The document as canonical Extended JSON: every type is kept.
#[must_use]
pub fn canonical(document: &Document) -> Value {
    write_document(document, Form::Canonical)
}

/// The value as canonical Extended JSON.
#[must_use]
pub fn canonical_value(value: &Bson) -> Value {
    write(value, Form::Canonical)
}

/// The document as relaxed Extended JSON: numbers and dates as people write them, their exact types given up.
#[must_use]
pub fn relaxed(document: &Document) -> Value {
    write_document(document, Form::Relaxed)
}

/// The value as relaxed Extended JSON.
#[must_use]
pub fn relaxed_value(value: &Bson) -> Value {
    write(value, Form::Relaxed)
}

#[derive(Clone, Copy, PartialEq)]
enum Form {
    Canonical,
    Relaxed,
}

fn write_document(document: &Document, form: Form) -> Value {
    Value::Object(document.iter().map(|(key, value)| (key.clone(), write(value, form))).collect())
}

fn write(value: &Bson, form: Form) -> Value {
    let relaxed = form == Form::Relaxed;
    match value {
        Bson::Document(document) => write_document(document, form),
        Bson::Array(values) => values.iter().map(|value| write(value, form)).collect(),
        Bson::String(text) => json!(text),
        Bson::Boolean(yes) => json!(yes),
        Bson::Null => Value::Null,
        Bson::Int32(n) if relaxed => json!(n),
        Bson::Int64(n) if relaxed => json!(n),
        Bson::Double(n) if relaxed && n.is_finite() => json!(n),
        Bson::Int32(n) => json!({"$numberInt": n.to_string()}),
        Bson::Int64(n) => json!({"$numberLong": n.to_string()}),
        Bson::Double(n) => json!({"$numberDouble": double(*n)}),
        Bson::DateTime(at) => match at.try_to_rfc3339_string() {
            Ok(text) if relaxed && (0..=YEAR_9999).contains(&at.timestamp_millis()) => json!({"$date": text}),
            _ => json!({"$date": {"$numberLong": at.timestamp_millis().to_string()}}),
        },
        Bson::Binary(binary) => {
            let subtype = format!("{:02x}", u8::from(binary.subtype));
            json!({"$binary": {"base64": base64(&binary.bytes), "subType": subtype}})
        }
        Bson::RegularExpression(regex) => {
            json!({"$regularExpression": {"pattern": regex.pattern.as_str(), "options": regex.options.as_str()}})
        }
        Bson::JavaScriptCode(code) => json!({"$code": code}),
        Bson::JavaScriptCodeWithScope(code) => json!({"$code": code.code, "$scope": write_document(&code.scope, form)}),
        // The rest has one form only, which is how `bson` serializes it.
        other => serde_json::to_value(other).unwrap_or_default(),
    }
}

fn double(n: f64) -> String {
    if n.is_nan() {
        "NaN".into()
    } else if n.is_infinite() {
        if n > 0.0 { "Infinity".into() } else { "-Infinity".into() }
    } else {
        // Always with a point or an exponent, and never more digits than it takes to read the same number back.
        format!("{n:?}")
    }
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            let six = (bits >> (18 - 6 * place)) & 63;
            let letter = ALPHABET.get(six as usize).copied().unwrap_or(b'=');
            text.push(if place <= chunk.len() { letter.into() } else { '=' });
        }
    }
    text
}
