use bson::{RawDocumentBuf, rawdoc};
use rstest::rstest;

use super::super::expression::Given;
use super::super::value::Collation;
use super::Matcher;

fn matches(filter: &RawDocumentBuf, document: &RawDocumentBuf) -> bool {
    Matcher::parse(filter).unwrap().matches(document)
}

#[rstest]
#[case::empty(rawdoc! {}, true)]
#[case::equal(rawdoc! { "n": 5 }, true)]
#[case::equal_across_number_types(rawdoc! { "n": 5.0 }, true)]
#[case::equal_long(rawdoc! { "n": 5_i64 }, true)]
#[case::not_equal(rawdoc! { "n": 6 }, false)]
#[case::a_text_is_no_number(rawdoc! { "n": "5" }, false)]
#[case::eq(rawdoc! { "n": { "$eq": 5 } }, true)]
#[case::ne(rawdoc! { "n": { "$ne": 5 } }, false)]
#[case::ne_of_missing(rawdoc! { "nope": { "$ne": 5 } }, true)]
#[case::gt(rawdoc! { "n": { "$gt": 4, "$lt": 6 } }, true)]
#[case::gte(rawdoc! { "n": { "$gte": 5 } }, true)]
#[case::lte(rawdoc! { "n": { "$lte": 4 } }, false)]
#[case::ranges_are_within_a_type(rawdoc! { "n": { "$lt": "z" } }, false)]
#[case::range_null_is_missing(rawdoc! { "nope": { "$gte": null } }, true)]
#[case::in_(rawdoc! { "n": { "$in": [1, 5] } }, true)]
#[case::in_null_is_missing(rawdoc! { "nope": { "$in": [null] } }, true)]
#[case::nin(rawdoc! { "n": { "$nin": [1, 5] } }, false)]
#[case::and(rawdoc! { "$and": [{ "n": 5 }, { "s": "Text" }] }, true)]
#[case::or(rawdoc! { "$or": [{ "n": 6 }, { "s": "Text" }] }, true)]
#[case::nor(rawdoc! { "$nor": [{ "n": 6 }, { "s": "Text" }] }, false)]
#[case::not(rawdoc! { "n": { "$not": { "$gt": 4, "$lt": 5 } } }, true)]
#[case::exists(rawdoc! { "n": { "$exists": true } }, true)]
#[case::exists_null(rawdoc! { "nil": { "$exists": true } }, true)]
#[case::not_exists(rawdoc! { "nope": { "$exists": false } }, true)]
#[case::null_matches_missing(rawdoc! { "nope": null }, true)]
#[case::null_matches_null(rawdoc! { "nil": null }, true)]
#[case::null_does_not_match_a_value(rawdoc! { "n": null }, false)]
#[case::type_by_alias(rawdoc! { "n": { "$type": "number" } }, true)]
#[case::type_by_number(rawdoc! { "s": { "$type": 2 } }, true)]
#[case::type_of_elements(rawdoc! { "list": { "$type": "int" } }, true)]
#[case::type_array(rawdoc! { "list": { "$type": "array" } }, true)]
#[case::regex(rawdoc! { "s": { "$regex": "^te", "$options": "i" } }, true)]
#[case::regex_case(rawdoc! { "s": { "$regex": "^te" } }, false)]
#[case::array_contains(rawdoc! { "list": 2 }, true)]
#[case::array_whole(rawdoc! { "list": [1, 2, 3] }, true)]
#[case::array_order_matters(rawdoc! { "list": [2, 1, 3] }, false)]
#[case::array_ranges_by_different_elements(rawdoc! { "list": { "$gt": 2, "$lt": 2 } }, true)]
#[case::elem_match_needs_one_element(rawdoc! { "list": { "$elemMatch": { "$gt": 2, "$lt": 2 } } }, false)]
#[case::elem_match_value(rawdoc! { "list": { "$elemMatch": { "$gt": 1, "$lt": 3 } } }, true)]
#[case::elem_match_document(rawdoc! { "docs": { "$elemMatch": { "k": "b", "v": 2 } } }, true)]
#[case::elem_match_not_across_documents(rawdoc! { "docs": { "$elemMatch": { "k": "a", "v": 2 } } }, false)]
#[case::across_documents(rawdoc! { "docs.k": "a", "docs.v": 2 }, true)]
#[case::all(rawdoc! { "list": { "$all": [3, 1] } }, true)]
#[case::all_missing_one(rawdoc! { "list": { "$all": [3, 4] } }, false)]
#[case::all_of_nothing(rawdoc! { "list": { "$all": [] } }, false)]
#[case::size(rawdoc! { "list": { "$size": 3 } }, true)]
#[case::size_of_scalar(rawdoc! { "n": { "$size": 1 } }, false)]
#[case::modulo(rawdoc! { "n": { "$mod": [3, 2] } }, true)]
#[case::dotted(rawdoc! { "deep.er.est": "x" }, true)]
#[case::dotted_missing(rawdoc! { "deep.er.nope": "x" }, false)]
#[case::by_index(rawdoc! { "list.1": 2 }, true)]
#[case::by_index_into_documents(rawdoc! { "docs.1.k": "b" }, true)]
#[case::embedded_document(rawdoc! { "deep": { "er": { "est": "x" } } }, true)]
#[case::embedded_document_is_not_a_path(rawdoc! { "deep": { "er": {} } }, false)]
#[case::expr(rawdoc! { "$expr": { "$gt": ["$n", { "$size": "$list" }] } }, true)]
#[case::expr_within_or(rawdoc! { "$or": [{ "n": 6 }, { "$expr": { "$eq": ["$n", "$nope"] } }] }, false)]
#[case::bits_all_set(rawdoc! { "n": { "$bitsAllSet": [0, 2] } }, true)]
#[case::bits_any_clear(rawdoc! { "n": { "$bitsAnyClear": 5 } }, false)]
#[case::bits_of_bytes(rawdoc! { "bytes": { "$bitsAllSet": [0, 9] } }, true)]
#[case::bits_of_bytes_that_are_clear(rawdoc! { "bytes": { "$bitsAllClear": 6 } }, true)]
#[case::bits_of_a_decimal(rawdoc! { "decimal": { "$bitsAllSet": 3 } }, true)]
#[case::a_decimal_with_a_fraction_has_no_bits(rawdoc! { "fraction": { "$bitsAllSet": 2 } }, false)]
#[case::a_double_with_a_fraction_has_no_bits(rawdoc! { "half": { "$bitsAnyClear": 4 } }, false)]
#[case::everything_is_below_the_greatest_key_also_what_is_missing(rawdoc! { "nope": { "$lt": bson::RawBson::MaxKey } }, true)]
#[case::nothing_is_below_the_least_key(rawdoc! { "nope": { "$lt": bson::RawBson::MinKey } }, false)]
#[case::elem_match_that_nothing_can_pass(rawdoc! { "list": { "$elemMatch": { "$all": [] } } }, false)]
#[case::elem_match_not_of_several(rawdoc! { "list": { "$elemMatch": { "$not": { "$gt": 0, "$lt": 3 } } } }, true)]
#[case::comment(rawdoc! { "n": 5, "$comment": "why" }, true)]
fn a_filter_decides_as_mongodb_does(#[case] filter: RawDocumentBuf, #[case] expected: bool) {
    let document = rawdoc! {
        "_id": 1, "n": 5, "s": "Text", "nil": null, "list": [1, 2, 3],
        "docs": [{ "k": "a", "v": 1 }, { "k": "b", "v": 2 }], "deep": { "er": { "est": "x" } },
        "decimal": "3.0".parse::<bson::Decimal128>().unwrap(), "fraction": "2.5".parse::<bson::Decimal128>().unwrap(), "half": 2.5,
        "bytes": bson::Binary { subtype: bson::spec::BinarySubtype::Generic, bytes: vec![1, 2] },
    };
    assert_eq!(matches(&filter, &document), expected);
}

#[rstest]
#[case(rawdoc! { "a": { "$foo": 1 } }, 2, "unknown operator: $foo")]
#[case(rawdoc! { "$foo": 1 }, 2, "unknown top level operator: $foo")]
#[case(rawdoc! { "a": { "$in": 1 } }, 2, "$in needs an array")]
#[case(rawdoc! { "$or": 1 }, 2, "must be an array")]
#[case(rawdoc! { "$or": [] }, 2, "nonempty array")]
#[case(rawdoc! { "$and": [1] }, 2, "full objects")]
#[case(rawdoc! { "a": { "$mod": [1] } }, 2, "not enough elements")]
#[case(rawdoc! { "a": { "$size": -1 } }, 2, "Failed to parse $size")]
#[case(rawdoc! { "a": { "$type": "foo" } }, 2, "Unknown type name alias: foo")]
#[case(rawdoc! { "a": { "$regex": "(" } }, 51091, "Regular expression is invalid")]
#[case(rawdoc! { "a": { "$options": "i" } }, 2, "$options needs a $regex")]
#[case(rawdoc! { "$where": "1" }, 2, "no globalScriptEngine")]
#[case(rawdoc! { "$text": { "$search": "x" } }, 27, "text index required")]
#[case(rawdoc! { "a": { "$near": [1, 2] } }, 291, "unable to find index")]
fn a_wrong_filter_is_refused_in_mongodbs_words(#[case] filter: RawDocumentBuf, #[case] code: i32, #[case] words: &str) {
    let error = Matcher::parse(&filter).unwrap_err();
    assert_eq!(error.code.number, code);
    assert!(error.message.contains(words), "{}", error.message);
}

#[rstest]
#[case::equal(rawdoc! { "s": "PING" }, true)]
#[case::among(rawdoc! { "s": { "$in": ["x", "Ping"] } }, true)]
#[case::not_equal(rawdoc! { "s": { "$ne": "Ping" } }, false)]
#[case::in_a_range(rawdoc! { "s": { "$gte": "PINg", "$lte": "PINg" } }, true)]
#[case::inside_a_document(rawdoc! { "d": { "x": "ONE" } }, true)]
#[case::an_element(rawdoc! { "list": { "$elemMatch": { "$eq": "TWO" } } }, true)]
#[case::in_an_expression(rawdoc! { "$expr": { "$eq": ["$s", "PING"] } }, true)]
#[case::a_pattern_does_not_care(rawdoc! { "s": { "$regex": "PING" } }, false)]
fn a_collation_decides_what_is_equal(#[case] filter: RawDocumentBuf, #[case] expected: bool) {
    let document = rawdoc! { "s": "ping", "d": { "x": "one" }, "list": ["one", "two"] };
    let collation = Collation::parse(&rawdoc! { "locale": "en", "strength": 2 }).unwrap();
    let matcher = Matcher::parse_given(&filter, &Given::collated(collation)).unwrap();
    assert_eq!(matcher.try_matches(&document).unwrap(), expected);
}
