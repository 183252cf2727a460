use bson::{Bson, RawBson, RawDocumentBuf, bson, rawdoc};
use rstest::rstest;

use super::super::error::CommandError;
use super::{Expression, Given};

fn decimal(text: &str) -> Bson {
    Bson::Decimal128(text.parse().unwrap())
}

fn evaluate(expression: Bson) -> Result<Option<Bson>, CommandError> {
    let document: RawDocumentBuf = rawdoc! {
        "n": 5, "l": 7_i64, "d": 2.5, "s": "Hello", "nil": null, "list": [3, 1, 2], "in": { "a": 1 },
        "docs": [{ "k": "a", "v": 1 }, { "k": "b", "v": 2 }, { "k": "b" }],
        "at": bson::DateTime::parse_rfc3339_str("2024-02-29T13:14:15.016Z").unwrap(),
    };
    let raw = RawBson::try_from(expression).unwrap();
    Expression::parse(raw.as_raw_bson_ref(), Given::nothing())?.evaluate(&document)
}

#[rstest]
#[case::field(bson!("$n"), bson!(5))]
#[case::path_through_an_array(bson!("$docs.v"), bson!([1, 2]))]
#[case::root(bson!("$$ROOT.in.a"), bson!(1))]
#[case::object(bson!({ "x": "$n", "y": "$nope" }), bson!({ "x": 5 }))]
#[case::array(bson!(["$n", "$nope"]), bson!([5, null]))]
#[case::literal(bson!({ "$literal": "$n" }), bson!("$n"))]
#[case::add(bson!({ "$add": ["$n", "$l"] }), bson!(12_i64))]
#[case::add_widens(bson!({ "$add": [i32::MAX, 1] }), bson!(2_147_483_648_i64))]
#[case::add_null(bson!({ "$add": ["$n", "$nil"] }), Bson::Null)]
#[case::add_date(bson!({ "$subtract": [{ "$add": ["$at", 1000] }, "$at"] }), bson!(1000_i64))]
#[case::divide(bson!({ "$divide": ["$n", 2] }), bson!(2.5))]
#[case::modulo(bson!({ "$mod": [-7, 3] }), bson!(-1))]
#[case::round_half_even(bson!({ "$round": ["$d"] }), bson!(2.0))]
#[case::round_places(bson!({ "$round": [1.2345, 2] }), bson!(1.23))]
#[case::pow(bson!({ "$pow": [2, 10] }), bson!(1024))]
#[case::compare_across_types(bson!({ "$lt": ["$n", "$s"] }), bson!(true))]
#[case::cmp(bson!({ "$cmp": [1, 2.0] }), bson!(-1))]
#[case::and(bson!({ "$and": ["$n", { "$not": ["$nil"] }] }), bson!(true))]
#[case::cond(bson!({ "$cond": { "if": { "$gt": ["$n", 3] }, "then": "big", "else": "small" } }), bson!("big"))]
#[case::if_null(bson!({ "$ifNull": ["$nope", "$nil", "default"] }), bson!("default"))]
#[case::switch(
    bson!({ "$switch": { "branches": [{ "case": { "$eq": ["$n", 1] }, "then": "one" }], "default": "other" } }),
    bson!("other")
)]
#[case::let_(bson!({ "$let": { "vars": { "x": "$n" }, "in": { "$multiply": ["$$x", "$$x"] } } }), bson!(25))]
#[case::map(bson!({ "$map": { "input": "$list", "as": "e", "in": { "$add": ["$$e", "$n"] } } }), bson!([8, 6, 7]))]
#[case::filter(bson!({ "$filter": { "input": "$docs", "cond": { "$eq": ["$$this.k", "b"] }, "limit": 1 } }), bson!([{ "k": "b", "v": 2 }]))]
#[case::reduce(bson!({ "$reduce": { "input": "$list", "initialValue": 0, "in": { "$add": ["$$value", "$$this"] } } }), bson!(6))]
#[case::after_a_null_nothing_is_computed(bson!({ "$concat": ["$nope", { "$toUpper": ["$list"] }] }), Bson::Null)]
#[case::concat(bson!({ "$concat": ["$s", ", ", "world"] }), bson!("Hello, world"))]
#[case::to_upper(bson!({ "$toUpper": "$s" }), bson!("HELLO"))]
#[case::substr(bson!({ "$substrCP": ["grüße", 2, 2] }), bson!("üß"))]
#[case::index_of(bson!({ "$indexOfCP": ["grüße", "ß"] }), bson!(3))]
#[case::split(bson!({ "$split": ["a-b-c", "-"] }), bson!(["a", "b", "c"]))]
#[case::trim(bson!({ "$trim": { "input": " x " } }), bson!("x"))]
#[case::replace(bson!({ "$replaceAll": { "input": "aXbX", "find": "X", "replacement": "-" } }), bson!("a-b-"))]
#[case::regex(bson!({ "$regexMatch": { "input": "$s", "regex": "^h", "options": "i" } }), bson!(true))]
#[case::regex_find(
    bson!({ "$regexFind": { "input": "abc12", "regex": "([0-9])([0-9])" } }),
    bson!({ "match": "12", "idx": 3, "captures": ["1", "2"] })
)]
#[case::size(bson!({ "$size": "$list" }), bson!(3))]
#[case::element(bson!({ "$arrayElemAt": ["$list", -1] }), bson!(2))]
#[case::slice(bson!({ "$slice": ["$list", 1, 5] }), bson!([1, 2]))]
#[case::in_(bson!({ "$in": [2.0, "$list"] }), bson!(true))]
#[case::sort(bson!({ "$sortArray": { "input": "$list", "sortBy": -1 } }), bson!([3, 2, 1]))]
#[case::range(bson!({ "$range": [0, 6, 2] }), bson!([0, 2, 4]))]
#[case::to_object(bson!({ "$arrayToObject": [[["a", 1], ["b", 2]]] }), bson!({ "a": 1, "b": 2 }))]
#[case::from_object(bson!({ "$objectToArray": "$in" }), bson!([{ "k": "a", "v": 1 }]))]
#[case::merge(bson!({ "$mergeObjects": ["$in", { "b": 2 }, null] }), bson!({ "a": 1, "b": 2 }))]
#[case::union(bson!({ "$setUnion": ["$list", [3.0, 9]] }), bson!([1, 2, 3, 9]))]
#[case::get_field(bson!({ "$getField": "n" }), bson!(5))]
#[case::year(bson!({ "$year": "$at" }), bson!(2024))]
#[case::day_of_week(bson!({ "$dayOfWeek": "$at" }), bson!(5))]
#[case::hour_elsewhere(bson!({ "$hour": { "date": "$at", "timezone": "+02:00" } }), bson!(15))]
#[case::date_to_string(bson!({ "$dateToString": { "date": "$at", "format": "%Y/%m/%d %H:%M:%S.%L" } }), bson!("2024/02/29 13:14:15.016"))]
#[case::date_add(
    bson!({ "$dateToString": { "date": { "$dateAdd": { "startDate": "$at", "unit": "year", "amount": 1 } }, "format": "%Y-%m-%d" } }),
    bson!("2025-02-28")
)]
#[case::date_diff(
    bson!({ "$dateDiff": { "startDate": "$at", "endDate": { "$toDate": "2024-03-01" }, "unit": "day" } }),
    bson!(1_i64)
)]
#[case::date_trunc(bson!({ "$toString": { "$dateTrunc": { "date": "$at", "unit": "month" } } }), bson!("2024-02-01T00:00:00.000Z"))]
#[case::type_(bson!({ "$type": "$nope" }), bson!("missing"))]
#[case::to_int(bson!({ "$toInt": "42" }), bson!(42))]
#[case::to_string(bson!({ "$toString": "$d" }), bson!("2.5"))]
#[case::convert(bson!({ "$convert": { "input": "x", "to": "int", "onError": -1 } }), bson!(-1))]
#[case::sum(bson!({ "$sum": "$list" }), bson!(6))]
#[case::avg(bson!({ "$avg": ["$n", "$l", "text"] }), bson!(6.0))]
#[case::max(bson!({ "$max": "$list" }), bson!(3))]
#[case::sine(bson!({ "$round": [{ "$sin": { "$degreesToRadians": 30 } }, 9] }), bson!(0.5))]
#[case::bits(bson!([{ "$bitAnd": [12, 10] }, { "$bitOr": [12, 10] }, { "$bitXor": [12, 10_i64] }, { "$bitNot": 0 }]), bson!([8, 14, 6_i64, -1]))]
#[case::sizes(bson!([{ "$binarySize": "äb" }, { "$bsonSize": "$in" }]), bson!([3, 12]))]
#[case::greatest(bson!([{ "$maxN": { "input": "$list", "n": 2 } }, { "$minN": { "input": "$list", "n": 1 } }]), bson!([[3, 2], [1]]))]
#[case::week(bson!([{ "$week": "$at" }, { "$week": { "date": "$at", "timezone": "+12:00" } }]), bson!([8, 8]))]
#[case::parts(
    bson!({ "$dateToParts": { "date": "$at", "timezone": "Europe/Berlin" } }),
    bson!({ "year": 2024, "month": 2, "day": 29, "hour": 14, "minute": 14, "second": 15, "millisecond": 16 })
)]
#[case::from_parts_that_carry_over(
    bson!({ "$dateToString": { "date": { "$dateFromParts": { "year": 2023, "month": 14, "day": 0, "hour": 25 } }, "format": "%Y-%m-%d %H" } }),
    bson!("2024-02-01 01")
)]
#[case::from_weeks(
    bson!({ "$dateToString": { "date": { "$dateFromParts": { "isoWeekYear": 2024, "isoWeek": 9, "isoDayOfWeek": 4 } }, "format": "%Y-%m-%d" } }),
    bson!("2024-02-29")
)]
#[case::bins(
    bson!({ "$dateToString": { "date": { "$dateTrunc": { "date": "$at", "unit": "minute", "binSize": 15 } }, "format": "%H:%M:%S" } }),
    bson!("13:00:00")
)]
#[case::by_a_format(
    bson!({ "$year": { "$dateFromString": { "dateString": "29/02/2024", "format": "%d/%m/%Y" } } }),
    bson!(2024)
)]
#[case::without_a_field(bson!({ "$unsetField": { "field": "a", "input": "$in" } }), bson!({}))]
#[case::deviation(bson!({ "$stdDevPop": "$list" }), bson!((2.0_f64 / 3.0).sqrt()))]
#[case::round_by_the_exact_double(bson!([{ "$round": [2.675, 2] }, { "$round": [1.115, 2] }, { "$trunc": [-1.999, 1] }]), bson!([2.67, 1.11, -1.9]))]
#[case::round_whole_numbers(bson!([{ "$round": [1250, -2] }, { "$round": [1350_i64, -2] }, { "$trunc": [1299, -2] }]), bson!([1200, 1400_i64, 1200]))]
#[case::round_decimals(
    bson!([{ "$round": [decimal("2.345"), 2] }, { "$floor": decimal("-1.5") }, { "$ceil": decimal("1.2") }, { "$trunc": [decimal("1.29"), 1] }]),
    bson!([decimal("2.34"), decimal("-2"), decimal("2"), decimal("1.2")])
)]
#[case::a_zero_among_doubles_is_a_plain_zero_among_decimals(
    bson!([{ "$add": [0.0, decimal("1.5")] }, { "$toDecimal": 0.0 }, { "$toDecimal": -0.0 }]),
    bson!([decimal("1.5"), decimal("0"), decimal("-0")])
)]
#[case::remainder_of_decimals(bson!([{ "$mod": [decimal("-5.5"), 2] }, { "$mod": [5, decimal("1E-6000")] }]), bson!([decimal("-1.5"), decimal("0E-6000")]))]
#[case::power_of_decimals(
    bson!([{ "$pow": [decimal("1.1"), 2] }, { "$pow": [decimal("2"), decimal("0.5")] }, { "$pow": [decimal("-2"), 0.5] }]),
    bson!([decimal("1.21"), decimal("1.414213562373095048801688724209698"), decimal("NaN")])
)]
#[case::functions_of_decimals(
    bson!([{ "$sqrt": decimal("6.25") }, { "$exp": decimal("0") }, { "$exp": decimal("-20000") }, { "$log10": decimal("0.01") }, { "$log": [decimal("8"), 2] }]),
    bson!([decimal("2.5"), decimal("1"), decimal("0E-6176"), decimal("-2"), decimal("3.000000000000000000000000000000000")])
)]
#[case::no_digit_of_a_sum_is_lost(bson!([{ "$add": [0.1, 0.2, 0.3] }, { "$sum": [[0.1, 0.2, 0.3]] }, { "$avg": [0.1, 0.2, 0.3] }]), bson!([0.6, 0.6, 0.6 / 3.0]))]
#[case::doubles_as_text(bson!([{ "$toString": 1e25 }, { "$toString": 1e-7 }]), bson!(["1e+25", "1e-07"]))]
#[case::week_of_the_year(bson!({ "$dateToString": { "date": "$at", "format": "%U" } }), bson!("08"))]
#[case::every_match(
    bson!({ "$map": { "input": { "$regexFindAll": { "input": "aab", "regex": "a*" } }, "in": "$$this.match" } }),
    bson!(["aa", ""])
)]
fn an_expression_evaluates_as_in_mongodb(#[case] expression: Bson, #[case] expected: Bson) {
    assert_eq!(evaluate(expression).unwrap(), Some(expected));
}

#[rstest]
#[case(bson!({ "$foo": 1 }), 168)]
#[case(bson!({ "$median": { "input": [1], "method": "approximate" } }), 238)]
#[case(bson!({ "$function": { "body": "", "args": [], "lang": "js" } }), 31241)]
#[case(bson!({ "$eq": [1] }), 16020)]
#[case(bson!({ "$add": ["$s", 1] }), 14)]
#[case(bson!({ "$divide": [1, 0] }), 2)]
#[case(bson!({ "$size": "$n" }), 17124)]
#[case(bson!({ "$concat": [1] }), 16702)]
#[case(bson!("$$nope"), 17276)]
#[case(bson!({ "$toInt": "x" }), 241)]
#[case(bson!({ "$arrayToObject": [[[1, 2]]] }), 40395)]
#[case(bson!({ "$arrayToObject": [[{ "k": 1, "v": 2 }]] }), 40394)]
#[case(bson!({ "$toDecimal": "" }), 241)]
#[case(bson!({ "$toDecimal": "." }), 241)]
#[case(bson!({ "$toDecimal": "-" }), 241)]
#[case(bson!({ "$toDecimal": "e1" }), 241)]
#[case(bson!({ "$dateFromString": { "dateString": "no date" } }), 241)]
#[case(bson!({ "$dateFromString": { "dateString": "Jan 2 2024", "onError": 1 } }), 238)]
#[case(bson!({ "$toDate": "1/2/2024" }), 238)]
#[case(bson!({ "$sqrt": decimal("-1") }), 28714)]
#[case(bson!({ "$ln": decimal("0") }), 28766)]
#[case(bson!({ "$regexMatch": { "input": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "regex": r"^(a|a|b\1)*c" } }), 51156)]
#[case(bson!({ "$switch": { "branches": [{ "case": false, "then": 1 }] } }), 40066)]
#[case(bson!({ "$year": "$s" }), 16006)]
#[case(bson!({ "a": 1, "$b": 2 }), 15983)]
fn a_wrong_expression_is_refused_with_mongodbs_code(#[case] expression: Bson, #[case] code: i32) {
    assert_eq!(evaluate(expression).unwrap_err().code.number, code);
}

#[test]
fn what_is_missing_stays_missing() {
    assert_eq!(evaluate(bson!("$nope.at.all")).unwrap(), None);
    assert_eq!(evaluate(bson!("$$REMOVE")).unwrap(), None);
    assert_eq!(evaluate(bson!({ "$arrayElemAt": ["$list", 9] })).unwrap(), None);
}
