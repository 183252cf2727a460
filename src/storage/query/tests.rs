use bson::oid::ObjectId;
use bson::spec::BinarySubtype;
use bson::{Binary, Bson, DateTime, Document, Timestamp, doc};
use proptest::prelude::*;
use rstest::rstest;

use super::*;

fn oid() -> ObjectId {
    ObjectId::parse_str("65f0c0ffee65f0c0ffee65f0").unwrap()
}

#[rstest]
#[case("")]
#[case(" \n\t")]
#[case("{}")]
#[case("{ } // nothing")]
#[case("/* nothing */ {\n}")]
fn a_blank_text_or_an_empty_document_matches_everything(#[case] text: &str) {
    assert_eq!(parse_document(text), Ok(Document::new()));
}

#[rstest]
#[case("{a: 1}", doc! {"a": 1})]
#[case("{'a': 'it\\'s', \"b\": \"\\u00e9\\ud83d\\ude00\\x41\",}", doc! {"a": "it's", "b": "é😀A"})]
#[case("{ $or: [ {a: 1}, {a: {$gte: -2.5}}, ], 'x.y': null }", doc! {"$or": [{"a": 1}, {"a": {"$gte": -2.5}}], "x.y": null})]
#[case("{n: 3000000000, m: 1.0, e: 1e3, big: 99999999999999999999}", doc! {"n": 3_000_000_000_i64, "m": 1.0, "e": 1000.0, "big": 1e20})]
#[case("{a: true, /* yes */ b: false, c: undefined} // end", doc! {"a": true, "b": false, "c": Bson::Undefined})]
#[case("{_id: ObjectId('65f0c0ffee65f0c0ffee65f0')}", doc! {"_id": oid()})]
#[case("{a: NumberInt(5), b: NumberLong('5'), c: NumberLong(5), d: Double(5)}", doc! {"a": 5, "b": 5_i64, "c": 5_i64, "d": 5.0})]
#[case("{größe: 1, $where: 0, _x: 2, 0: 3}", doc! {"größe": 1, "$where": 0, "_x": 2, "0": 3})]
#[case("{type: {$type: 'string'}, c: {$regex: '^a', $options: 'i'}}", doc! {"type": {"$type": "string"}, "c": {"$regex": "^a", "$options": "i"}})]
fn what_one_types_into_mongosh_is_understood(#[case] text: &str, #[case] expected: Document) {
    assert_eq!(parse_document(text), Ok(expected));
}

#[rstest]
#[case("ISODate('2024-05-06T08:15:30.123Z')", "2024-05-06T08:15:30.123Z")]
#[case("ISODate(\"2024-05-06\")", "2024-05-06T00:00:00Z")]
#[case("new Date('2024-05-06T08:15')", "2024-05-06T08:15:00Z")]
#[case("ISODate('2024-05-06 10:15:30+0200')", "2024-05-06T08:15:30Z")]
#[case("ISODate('2024-05-06T10:15:30+02')", "2024-05-06T08:15:30Z")]
#[case("new Date(1714983330000)", "2024-05-06T08:15:30Z")]
#[case("{\"$date\": \"2024-05-06T08:15:30Z\"}", "2024-05-06T08:15:30Z")]
#[case("{\"$date\": {\"$numberLong\": \"1714983330000\"}}", "2024-05-06T08:15:30Z")]
fn a_date_may_leave_out_what_is_zero_and_its_zone_is_utc(#[case] text: &str, #[case] expected: &str) {
    assert_eq!(parse_value(text), Ok(Bson::DateTime(DateTime::parse_rfc3339_str(expected).unwrap())));
}

#[rstest]
#[case("/^PR-\\d+/i", "^PR-\\d+", "i")]
#[case(r"/a\/b[/]c/", "a/b[/]c", "")]
#[case("RegExp('a', 'mi')", "a", "im")]
#[case(r#"{"$regularExpression": {"pattern": "a", "options": "si"}}"#, "a", "is")]
fn a_regular_expression_keeps_its_pattern_and_sorts_its_flags(#[case] text: &str, #[case] pattern: &str, #[case] options: &str) {
    let Ok(Bson::RegularExpression(regex)) = parse_value(text) else { panic!("{text}") };
    assert_eq!((regex.pattern.as_str(), regex.options.as_str()), (pattern, options));
}

#[rstest]
#[case("{a 1}", 3, "expected `:` after the key `a`")]
#[case("{a.b: 1}", 2, "a key with dots needs quotes")]
#[case("{a: 1 b: 2}", 6, "expected `,` or `}` after the value of `a`")]
#[case("{a: 1", 5, "found the end of the text")]
#[case("{a: 'x}", 4, "never closed")]
#[case("{a: 1, a: 2}", 7, "`a` stands here a second time")]
#[case("{a: [1 2]}", 7, "expected `,` or `]`")]
#[case("{é: pending}", 5, "`pending` is no value; a text needs quotes")]
#[case("{a: ObjectId('zz')}", 4, "24 hexadecimal digits")]
#[case("{a: 12ab}", 4, "`12ab` is no number")]
#[case("{a: 012}", 4, "no number")]
#[case("{a: 1e999}", 4, "too large")]
#[case("{a: -}", 4, "expected a number")]
#[case("{a: /x/g}", 4, "no regular expression flag `g`")]
#[case("{a: /x}", 4, "never closed")]
#[case("{a: Foo(1)}", 4, "there is no `Foo(...)`")]
#[case("{a: new Foo}", 4, "expected `(`")]
#[case("{a: {$oid: '65f0c0ffee65f0c0ffee65f0', b: 1}}", 4, "no other key may stand")]
#[case("{a: {$numberInt: '3000000000'}}", 4, "whole number")]
#[case("{a: ISODate('2024-13-01')}", 4, "is no date")]
#[case("{a: '\\ud800'}", 6, "surrogate")]
#[case("{} x", 3, "stands after the end")]
#[case("[1]", 0, "expected a document")]
#[case("{$oid: '65f0c0ffee65f0c0ffee65f0'}", 0, "found a value of type objectId")]
#[case("/* {}", 0, "never closed")]
fn an_error_points_at_the_character_and_says_what_is_wrong(#[case] text: &str, #[case] offset: usize, #[case] says: &str) {
    let error = parse_document(text).unwrap_err();
    assert_eq!(error.offset, offset, "{error}");
    assert!(error.message.contains(says), "{error}");
}

#[test]
fn line_and_column_count_characters_from_one() {
    let error = parse_document("{\n  é: 1,\n  ü x\n}").unwrap_err();
    assert_eq!((error.line, error.column), (3, 5));
    assert_eq!(error.to_string(), "line 3, column 5: expected `:` after the key `ü`, found `x`");
}

#[test]
fn a_text_nested_without_end_is_refused_and_not_overflowed() {
    for open in ["[", "{a:", "NumberInt("] {
        let error = parse_value(&open.repeat(100_000)).unwrap_err();
        assert!(error.message.contains("nested deeper"), "{error}");
    }
}

#[test]
fn relaxed_extended_json_is_what_people_write() {
    let document = doc! {"i": 1, "l": 2_i64, "d": 1.5, "at": DateTime::from_millis(0), "nan": f64::NAN, "far": DateTime::MAX};
    assert_eq!(
        relaxed(&document).to_string(),
        r#"{"i":1,"l":2,"d":1.5,"at":{"$date":"1970-01-01T00:00:00Z"},"nan":{"$numberDouble":"NaN"},"far":{"$date":{"$numberLong":"9223372036854775807"}}}"#
    );
}

#[rstest]
#[case(Bson::Double(1e300), r#"{"$numberDouble":"1e300"}"#)]
#[case(Bson::Double(-0.0), r#"{"$numberDouble":"-0.0"}"#)]
#[case(Bson::Double(f64::NEG_INFINITY), r#"{"$numberDouble":"-Infinity"}"#)]
#[case(Bson::Binary(Binary { subtype: BinarySubtype::Generic, bytes: b"hello".to_vec() }), r#"{"$binary":{"base64":"aGVsbG8=","subType":"00"}}"#)]
#[case(Bson::Timestamp(Timestamp { time: u32::MAX, increment: 1 }), r#"{"$timestamp":{"t":4294967295,"i":1}}"#)]
#[case(Bson::Decimal128("1.50".parse().unwrap()), r#"{"$numberDecimal":"1.50"}"#)]
#[case(Bson::Symbol("s".into()), r#"{"$symbol":"s"}"#)]
#[case(Bson::MinKey, r#"{"$minKey":1}"#)]
fn canonical_extended_json_follows_its_specification(#[case] value: Bson, #[case] json: &str) {
    assert_eq!(canonical_value(&value).to_string(), json);
    assert_eq!(parse_value(json), Ok(value));
}

#[test]
fn a_db_pointer_survives() {
    let json = r#"{"$dbPointer":{"$ref":"db.c","$id":{"$oid":"65f0c0ffee65f0c0ffee65f0"}}}"#;
    let value = parse_value(json).unwrap();
    assert!(matches!(value, Bson::DbPointer(_)));
    assert_eq!(canonical_value(&value).to_string(), json);
}

/// Any value whose canonical form stands for it alone: keys beginning with `$` are Extended JSON's own.
fn values() -> impl Strategy<Value = Bson> {
    let leaf = prop_oneof![
        any::<i32>().prop_map(Bson::Int32),
        any::<i64>().prop_map(Bson::Int64),
        any::<f64>().prop_filter("NaN is not equal to itself", |n| !n.is_nan()).prop_map(Bson::Double),
        ".*".prop_map(Bson::String),
        any::<bool>().prop_map(Bson::Boolean),
        Just(Bson::Null),
        Just(Bson::Undefined),
        Just(Bson::MinKey),
        Just(Bson::MaxKey),
        any::<[u8; 12]>().prop_map(|bytes| Bson::ObjectId(ObjectId::from_bytes(bytes))),
        any::<i64>().prop_map(|millis| Bson::DateTime(DateTime::from_millis(millis))),
        (any::<u32>(), any::<u32>()).prop_map(|(time, increment)| Bson::Timestamp(Timestamp { time, increment })),
        (any::<u8>(), any::<Vec<u8>>())
            .prop_map(|(subtype, bytes)| Bson::Binary(Binary { subtype: BinarySubtype::from(subtype), bytes })),
        (any::<i64>(), -50..50).prop_map(|(n, e)| Bson::Decimal128(format!("{n}E{e}").parse().unwrap())),
        "[^\\x00]*".prop_map(|pattern| construct::regex(pattern, "im").unwrap()),
        ".*".prop_map(Bson::JavaScriptCode),
        ".*".prop_map(Bson::Symbol),
    ];
    leaf.prop_recursive(5, 60, 6, |inner| {
        prop_oneof![prop::collection::vec(inner.clone(), 0..6).prop_map(Bson::Array), documents(inner).prop_map(Bson::Document),]
    })
}

fn documents(values: impl Strategy<Value = Bson>) -> impl Strategy<Value = Document> {
    prop::collection::vec(("([^\\x00$][^\\x00]*)?", values), 0..6).prop_map(|fields| fields.into_iter().collect())
}

proptest! {
    #[test]
    fn canonical_text_reads_back_as_the_same_document(document in documents(values())) {
        let text = canonical(&document).to_string();
        prop_assert_eq!(parse_document(&text), Ok(document));
    }

    #[test]
    fn any_text_is_read_or_refused_at_a_place_within_it(text in ".{0,80}") {
        if let Err(error) = parse_document(&text) {
            prop_assert!(text.is_char_boundary(error.offset));
        }
    }

    #[test]
    fn almost_queries_never_panic(text in r#"[{}\[\]():,'"/\\$ab0-9.eE+\- \n*]{0,60}"#) {
        let _ = parse_document(&text);
        let _ = parse_value(&text);
    }
}
