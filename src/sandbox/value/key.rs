//! MongoDB's order of values, as bytes: `a < b` exactly if `key(a) < key(b)`, and no key is the beginning of
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
    encode_with(value, &mut encode_text, &mut out);
    out
}

/// Appends the key of `value`. The bytes of a string are those `text` appends: an order, with an end that no other string's
/// bytes go on from.
pub(super) fn encode_with(value: RawBsonRef<'_>, text: &mut dyn FnMut(&str, &mut Vec<u8>), out: &mut Vec<u8>) {
    out.push(class(value));
    match value {
        RawBsonRef::MinKey | RawBsonRef::MaxKey | RawBsonRef::Null | RawBsonRef::Undefined => {}
        RawBsonRef::Int32(n) => number::encode_int(i64::from(n), out),
        RawBsonRef::Int64(n) => number::encode_int(n, out),
        RawBsonRef::Double(n) => number::encode_double(n, out),
        RawBsonRef::Decimal128(n) => number::encode_decimal(n, out),
        RawBsonRef::String(s) | RawBsonRef::Symbol(s) => text(s, out),
        RawBsonRef::JavaScriptCode(s) => encode_text(s, out),
        RawBsonRef::Document(d) => encode_document(d, text, out),
        RawBsonRef::Array(a) => {
            a.into_iter().flatten().for_each(|element| encode_with(element, text, out));
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
            encode_document(c.scope, &mut encode_text, out);
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
fn encode_document(document: &RawDocument, text: &mut dyn FnMut(&str, &mut Vec<u8>), out: &mut Vec<u8>) {
    for (name, value) in document.iter().flatten() {
        out.push(class(value));
        encode_text(name.as_str(), out);
        encode_with(value, text, out);
    }
    out.push(0);
}

/// A zero inside is told from the end by the byte after it.
pub(super) fn encode_text(text: &str, out: &mut Vec<u8>) {
    encode_bytes(text.as_bytes(), out);
}

pub(super) fn encode_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    for byte in bytes {
        out.push(*byte);
        if *byte == 0 {
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

#[cfg(test)]
mod tests {
    use bson::{Bson, RawBson, bson};
    use proptest::prelude::*;

    use super::*;

    fn raw(value: Bson) -> RawBson {
        RawBson::try_from(value).unwrap()
    }

    fn decimal(text: &str) -> Bson {
        Bson::Decimal128(text.parse().unwrap())
    }

    #[test]
    fn values_of_all_types_sort_as_in_mongodb() {
        let ascending = [
            Bson::MinKey,
            Bson::Undefined,
            Bson::Null,
            Bson::Double(f64::NAN),
            Bson::Double(f64::NEG_INFINITY),
            decimal("-1E+400"),
            Bson::Int64(i64::MIN),
            Bson::Int32(-1),
            decimal("-1E-400"),
            Bson::Int32(0),
            decimal("1E-400"),
            decimal("0.1"),
            Bson::Double(0.1),
            Bson::Int32(1),
            decimal("9007199254740992.5"),
            Bson::Int64(9_007_199_254_740_993),
            Bson::Int64(i64::MAX - 1),
            Bson::Int64(i64::MAX),
            Bson::Double(9_223_372_036_854_775_808.0),
            decimal("1E+400"),
            Bson::Double(f64::INFINITY),
            bson!(""),
            bson!("a"),
            bson!("a\0"),
            bson!("ab"),
            bson!({}),
            bson!({ "a": 1 }),
            bson!({ "a": 1, "b": 0 }),
            bson!({ "b": 0 }),
            bson!({ "a": "x" }),
            bson!([]),
            bson!([1]),
            bson!([1, 2]),
            bson!([2]),
            Bson::Binary(bson::Binary { subtype: bson::spec::BinarySubtype::Generic, bytes: vec![9] }),
            Bson::Binary(bson::Binary { subtype: bson::spec::BinarySubtype::Generic, bytes: vec![1, 1] }),
            Bson::ObjectId(bson::oid::ObjectId::from_bytes([0; 12])),
            Bson::Boolean(false),
            Bson::Boolean(true),
            Bson::DateTime(bson::DateTime::from_millis(-1)),
            Bson::DateTime(bson::DateTime::from_millis(1)),
            Bson::Timestamp(bson::Timestamp { time: 1, increment: 1 }),
            Bson::MaxKey,
        ]
        .map(raw);
        for pair in ascending.windows(2) {
            let (a, b) = (pair[0].as_raw_bson_ref(), pair[1].as_raw_bson_ref());
            assert_eq!(compare(a, b), Ordering::Less, "{a:?} comes before {b:?}");
            assert!(key(a) < key(b), "the key of {a:?} comes before that of {b:?}");
        }
    }

    #[test]
    fn equal_numbers_of_all_types_have_one_key() {
        let five = [Bson::Int32(5), Bson::Int64(5), Bson::Double(5.0), decimal("5"), decimal("5.00"), decimal("0.5E+1")];
        let keys: Vec<_> = five.into_iter().map(|five| key(raw(five).as_raw_bson_ref())).collect();
        assert!(keys.windows(2).all(|pair| pair[0] == pair[1]), "{keys:?}");
        let zero = |value| key(raw(value).as_raw_bson_ref());
        assert_eq!(zero(Bson::Double(-0.0)), zero(decimal("0E+3")));
    }

    proptest! {
        #[test]
        fn keys_sort_like_the_numbers(a in any::<i64>(), b in any::<f64>(), c in any::<i64>()) {
            let keys = [raw(Bson::Int64(a)), raw(Bson::Double(b)), raw(Bson::Int64(c)), raw(decimal(&a.to_string()))]
                .map(|value| key(value.as_raw_bson_ref()));
            prop_assert_eq!(keys[0].cmp(&keys[2]), a.cmp(&c));
            prop_assert_eq!(&keys[0], &keys[3]);
            #[allow(clippy::cast_possible_truncation)] // compared exactly only where a double of this size is an integer
            if b.abs() < 1e30 && b.fract() == 0.0 {
                prop_assert_eq!(keys[0].cmp(&keys[1]), i128::from(a).cmp(&(b as i128)));
            }
        }
    }
}
