//! MongoDB's order of values, as bytes: `a < b` exactly if `encode(a) < encode(b)`, and no encoding is the beginning of
//! another one, so they can be strung together. Values that are equal to a query (1, 1.0, NumberLong(1)) have one key.

use std::cmp::Ordering;

use bson::{RawBsonRef, RawDocument, RawDocumentBuf};

use super::number;

/// The place of a value's type in MongoDB's order of types (`canonicalizeBSONType`); types that compare with each other
/// share one.
pub(in crate::sandbox) fn class(value: RawBsonRef<'_>) -> u8 {
    match value {
        RawBsonRef::MinKey => 4,
        RawBsonRef::Undefined => 5,
        RawBsonRef::Null => 6,
        RawBsonRef::Int32(_) | RawBsonRef::Int64(_) | RawBsonRef::Double(_) | RawBsonRef::Decimal128(_) => 10,
        RawBsonRef::String(_) | RawBsonRef::Symbol(_) => 15,
        RawBsonRef::Document(_) => 20,
        RawBsonRef::Array(_) => 25,
        RawBsonRef::Binary(_) => 30,
        RawBsonRef::ObjectId(_) => 35,
        RawBsonRef::Boolean(_) => 40,
        RawBsonRef::DateTime(_) => 45,
        RawBsonRef::Timestamp(_) => 47,
        RawBsonRef::RegularExpression(_) => 50,
        RawBsonRef::DbPointer(_) => 55,
        RawBsonRef::JavaScriptCode(_) => 60,
        RawBsonRef::JavaScriptCodeWithScope(_) => 65,
        RawBsonRef::MaxKey => 127,
    }
}

/// The key of one value.
pub(in crate::sandbox) fn key(value: RawBsonRef<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(16);
    encode(value, &mut out);
    out
}

/// Appends the key of `value`.
pub(in crate::sandbox) fn encode(value: RawBsonRef<'_>, out: &mut Vec<u8>) {
    out.push(class(value));
    match value {
        RawBsonRef::MinKey | RawBsonRef::MaxKey | RawBsonRef::Null | RawBsonRef::Undefined => {}
        RawBsonRef::Int32(n) => number::encode_int(i64::from(n), out),
        RawBsonRef::Int64(n) => number::encode_int(n, out),
        RawBsonRef::Double(n) => number::encode_double(n, out),
        RawBsonRef::Decimal128(n) => number::encode_decimal(n, out),
        RawBsonRef::String(s) | RawBsonRef::Symbol(s) | RawBsonRef::JavaScriptCode(s) => encode_text(s, out),
        RawBsonRef::Document(d) => encode_document(d, out),
        RawBsonRef::Array(a) => {
            a.into_iter().flatten().for_each(|element| encode(element, out));
            out.push(0);
        }
        RawBsonRef::Binary(b) => {
            out.extend(u32::try_from(b.bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
            out.push(b.subtype.into());
            out.extend(b.bytes);
        }
        RawBsonRef::ObjectId(id) => out.extend(id.bytes()),
        RawBsonRef::Boolean(b) => out.push(u8::from(b)),
        RawBsonRef::DateTime(d) => out.extend((d.timestamp_millis() ^ i64::MIN).to_be_bytes()),
        RawBsonRef::Timestamp(t) => {
            out.extend(t.time.to_be_bytes());
            out.extend(t.increment.to_be_bytes());
        }
        RawBsonRef::RegularExpression(r) => {
            encode_text(r.pattern.as_str(), out);
            encode_text(r.options.as_str(), out);
        }
        RawBsonRef::JavaScriptCodeWithScope(c) => {
            encode_text(c.code, out);
            encode_document(c.scope, out);
        }
        RawBsonRef::DbPointer(_) => {
            // Its parts are private to the bson crate, its bytes are not; the order among them matters to nobody.
            let mut wrapped = RawDocumentBuf::new();
            wrapped.append(bson::raw::cstr!(""), value);
            out.extend(u32::try_from(wrapped.as_bytes().len()).unwrap_or(u32::MAX).to_be_bytes());
            out.extend(wrapped.as_bytes());
        }
    }
}

/// Field by field: type, then name, then value; the shorter one is less.
fn encode_document(document: &RawDocument, out: &mut Vec<u8>) {
    for (name, value) in document.iter().flatten() {
        out.push(class(value));
        encode_text(name.as_str(), out);
        encode(value, out);
    }
    out.push(0);
}

/// A zero inside is told from the end by the byte after it.
fn encode_text(text: &str, out: &mut Vec<u8>) {
    for byte in text.bytes() {
        out.push(byte);
        if byte == 0 {
            out.push(0xff);
        }
    }
    out.extend([0, 0]);
}

/// Which of two values comes first. Equal means equal to a query, not identical.
pub(in crate::sandbox) fn compare(a: RawBsonRef<'_>, b: RawBsonRef<'_>) -> Ordering {
    use RawBsonRef as B;
    match (a, b) {
        (B::Int32(x), B::Int32(y)) => x.cmp(&y),
        (B::Int64(x), B::Int64(y)) => x.cmp(&y),
        (B::Int32(x), B::Int64(y)) => i64::from(x).cmp(&y),
        (B::Int64(x), B::Int32(y)) => x.cmp(&i64::from(y)),
        (B::String(x), B::String(y)) => x.as_bytes().cmp(y.as_bytes()),
        (B::ObjectId(x), B::ObjectId(y)) => x.bytes().cmp(&y.bytes()),
        (B::DateTime(x), B::DateTime(y)) => x.cmp(&y),
        (B::Boolean(x), B::Boolean(y)) => x.cmp(&y),
        _ => class(a).cmp(&class(b)).then_with(|| key(a).cmp(&key(b))),
    }
}
