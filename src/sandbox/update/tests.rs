use bson::{RawBson, RawDocumentBuf, rawdoc};
use rstest::rstest;

use super::super::error::CommandError;
use super::super::expression::Given;
use super::super::matcher::Matcher;
use super::{ArrayFilters, Update};

fn apply(update: RawDocumentBuf) -> Result<Option<RawDocumentBuf>, CommandError> {
    let document = rawdoc! { "_id": 1, "n": 5, "s": "x", "list": [1, 2], "deep": { "a": 1 } };
    let update = Update::parse(RawBson::Document(update).as_raw_bson_ref(), ArrayFilters::default(), Given::nothing())?;
    update.apply(&document, &Matcher::parse(&rawdoc! {})?)
}

#[rstest]
#[case::set(rawdoc! { "$set": { "n": 6 } }, rawdoc! { "_id": 1, "n": 6, "s": "x", "list": [1, 2], "deep": { "a": 1 } })]
#[case::set_new_path(
    rawdoc! { "$set": { "p.q": 6 } },
    rawdoc! { "_id": 1, "n": 5, "s": "x", "list": [1, 2], "deep": { "a": 1 }, "p": { "q": 6 } }
)]
#[case::set_beyond_the_array(
    rawdoc! { "$set": { "list.3": 6 } },
    rawdoc! { "_id": 1, "n": 5, "s": "x", "list": [1, 2, null, 6], "deep": { "a": 1 } }
)]
#[case::unset(rawdoc! { "$unset": { "deep.a": "", "s": "" } }, rawdoc! { "_id": 1, "n": 5, "list": [1, 2], "deep": {} })]
#[case::inc(
    rawdoc! { "$inc": { "n": 2, "m": 1 } },
    rawdoc! { "_id": 1, "n": 7, "s": "x", "list": [1, 2], "deep": { "a": 1 }, "m": 1 }
)]
#[case::inc_overflow_becomes_long(
    rawdoc! { "$inc": { "n": i32::MAX } },
    rawdoc! { "_id": 1, "n": 2_147_483_652_i64, "s": "x", "list": [1, 2], "deep": { "a": 1 } }
)]
#[case::push(
    rawdoc! { "$push": { "list": 3, "new": { "$each": [1, 2] } } },
    rawdoc! { "_id": 1, "n": 5, "s": "x", "list": [1, 2, 3], "deep": { "a": 1 }, "new": [1, 2] }
)]
#[case::mul(rawdoc! { "$mul": { "n": 1.5, "m": 2 } }, rawdoc! { "_id": 1, "n": 7.5, "s": "x", "list": [1, 2], "deep": { "a": 1 }, "m": 0 })]
#[case::min_and_max(
    rawdoc! { "$min": { "n": 4, "deep.a": 9 }, "$max": { "s": "y" } },
    rawdoc! { "_id": 1, "n": 4, "s": "y", "list": [1, 2], "deep": { "a": 1 } }
)]
#[case::rename(rawdoc! { "$rename": { "n": "deep.n" } }, rawdoc! { "_id": 1, "s": "x", "list": [1, 2], "deep": { "a": 1, "n": 5 } })]
#[case::new_fields_come_in_the_order_of_their_names(
    rawdoc! { "$rename": { "n": "z" }, "$set": { "y": 1 } },
    rawdoc! { "_id": 1, "s": "x", "list": [1, 2], "deep": { "a": 1 }, "y": 1, "z": 5 }
)]
#[case::add_to_set(
    rawdoc! { "$addToSet": { "list": { "$each": [2.0, 3, 3] } } },
    rawdoc! { "_id": 1, "n": 5, "s": "x", "list": [1, 2, 3], "deep": { "a": 1 } }
)]
#[case::pull(
    rawdoc! { "$pull": { "list": { "$gte": 2 } } },
    rawdoc! { "_id": 1, "n": 5, "s": "x", "list": [1], "deep": { "a": 1 } }
)]
#[case::pull_all(rawdoc! { "$pullAll": { "list": [1.0, 9] } }, rawdoc! { "_id": 1, "n": 5, "s": "x", "list": [2], "deep": { "a": 1 } })]
#[case::pop(rawdoc! { "$pop": { "list": -1 } }, rawdoc! { "_id": 1, "n": 5, "s": "x", "list": [2], "deep": { "a": 1 } })]
#[case::bit(
    rawdoc! { "$bit": { "n": { "and": 4, "or": 3 } } },
    rawdoc! { "_id": 1, "n": 7, "s": "x", "list": [1, 2], "deep": { "a": 1 } }
)]
#[case::push_at_a_place_and_cut(
    rawdoc! { "$push": { "list": { "$each": [8, 9], "$position": 1, "$slice": 3 } } },
    rawdoc! { "_id": 1, "n": 5, "s": "x", "list": [1, 8, 9], "deep": { "a": 1 } }
)]
#[case::push_and_sort(
    rawdoc! { "$push": { "list": { "$each": [0], "$sort": -1, "$slice": -2 } } },
    rawdoc! { "_id": 1, "n": 5, "s": "x", "list": [1, 0], "deep": { "a": 1 } }
)]
#[case::all_elements(
    rawdoc! { "$inc": { "list.$[]": 10 } },
    rawdoc! { "_id": 1, "n": 5, "s": "x", "list": [11, 12], "deep": { "a": 1 } }
)]
#[case::new_fields_come_by_name(
    rawdoc! { "$set": { "z": 1, "b": 2 }, "$inc": { "c": 3 } },
    rawdoc! { "_id": 1, "n": 5, "s": "x", "list": [1, 2], "deep": { "a": 1 }, "b": 2, "c": 3, "z": 1 }
)]
#[case::replace(rawdoc! { "only": 1 }, rawdoc! { "_id": 1, "only": 1 })]
fn an_update_edits_what_it_names_and_nothing_else(#[case] update: RawDocumentBuf, #[case] expected: RawDocumentBuf) {
    assert_eq!(apply(update).unwrap().unwrap(), expected);
}

#[rstest]
#[case(rawdoc! { "$set": { "n": 5 } })]
#[case(rawdoc! { "$unset": { "nope.at.all": "" } })]
#[case(rawdoc! { "$setOnInsert": { "n": 9 } })]
fn an_update_that_changes_nothing_says_so(#[case] update: RawDocumentBuf) {
    assert_eq!(apply(update).unwrap(), None);
}

#[test]
fn nan_that_is_calculated_with_is_written_and_nan_that_is_set_is_the_same() {
    let document = rawdoc! { "_id": 1, "n": f64::NAN };
    let changed = |update: RawDocumentBuf| {
        let update =
            Update::parse(RawBson::Document(update).as_raw_bson_ref(), ArrayFilters::default(), Given::nothing()).unwrap();
        update.apply(&document, &Matcher::parse(&rawdoc! {}).unwrap()).unwrap().is_some()
    };
    assert!(changed(rawdoc! { "$inc": { "n": 0 } }) && changed(rawdoc! { "$mul": { "n": 1 } }));
    assert!(!changed(rawdoc! { "$set": { "n": f64::NAN } }));
}

#[rstest]
#[case(rawdoc! { "$foo": { "a": 1 } }, 9)]
#[case(rawdoc! { "$set": 1 }, 9)]
#[case(rawdoc! { "$set": { "_id": 2 } }, 66)]
#[case(rawdoc! { "_id": 2 }, 66)]
#[case(rawdoc! { "$set": { "a": 1 }, "$inc": { "a.b": 1 } }, 40)]
#[case(rawdoc! { "$inc": { "s": 1 } }, 14)]
#[case(rawdoc! { "$inc": { "n": "x" } }, 14)]
#[case(rawdoc! { "$set": { "n.a": 1 } }, 28)]
#[case(rawdoc! { "$push": { "n": 1 } }, 2)]
#[case(rawdoc! { "$set": { "a..b": 1 } }, 56)]
#[case(rawdoc! { "$bit": { "a": 1 } }, 2)]
#[case(rawdoc! { "$rename": { "n": "n" } }, 2)]
#[case(rawdoc! { "$rename": { "n": "n.m" } }, 2)]
#[case(rawdoc! { "$rename": { "n.a": "m" } }, 28)]
#[case(rawdoc! { "$rename": { "list.0": "m" } }, 2)]
#[case(rawdoc! { "$rename": { "list.x": "m" } }, 2)]
#[case(rawdoc! { "$rename": { "n": "list.0" } }, 2)]
#[case(rawdoc! { "$unset": { "_id": "" } }, 66)]
#[case(rawdoc! { "$pop": { "list": 2 } }, 9)]
#[case(rawdoc! { "$pop": { "n": 1 } }, 14)]
#[case(rawdoc! { "$addToSet": { "n": 1 } }, 2)]
#[case(rawdoc! { "$pullAll": { "list": 1 } }, 2)]
#[case(rawdoc! { "$push": { "list": { "$each": 1 } } }, 2)]
#[case(rawdoc! { "$set": { "list.$": 1 } }, 2)]
#[case(rawdoc! { "$set": { "list.$[x]": 1 } }, 2)]
#[case(rawdoc! { "$currentDate": { "a": 1 } }, 2)]
#[case(rawdoc! { "a": 1, "$set": { "b": 1 } }, 52)]
fn a_wrong_update_is_refused_with_mongodbs_code(#[case] update: RawDocumentBuf, #[case] code: i32) {
    assert_eq!(apply(update).unwrap_err().code.number, code);
}

#[test]
fn an_upsert_starts_from_what_the_filter_fixes() {
    let filter = Matcher::parse(&rawdoc! { "_id": 7, "a.b": "x", "n": { "$gt": 3 } }).unwrap();
    let update = RawBson::Document(rawdoc! { "$set": { "c": 1 }, "$setOnInsert": { "d": 2 } });
    let made = Update::parse(update.as_raw_bson_ref(), ArrayFilters::default(), Given::nothing())
        .unwrap()
        .new_document(&filter)
        .unwrap();
    assert_eq!(made, rawdoc! { "_id": 7, "a": { "b": "x" }, "c": 1, "d": 2 });
}

#[test]
fn positional_parts_change_the_element_that_was_found_and_those_a_filter_names() {
    let document = rawdoc! { "_id": 1, "items": [{ "k": "a", "n": 1 }, { "k": "b", "n": 2 }, { "k": "b", "n": 3 }] };
    let change = |update: RawDocumentBuf, filters: &[RawDocumentBuf]| {
        let filters = ArrayFilters::parse(filters, Given::nothing()).unwrap();
        let found_by = Matcher::parse(&rawdoc! { "items.k": "b" }).unwrap();
        let update = Update::parse(RawBson::Document(update).as_raw_bson_ref(), filters, Given::nothing()).unwrap();
        update.apply(&document, &found_by).unwrap().unwrap()
    };
    assert_eq!(
        change(rawdoc! { "$set": { "items.$.n": 0 } }, &[]),
        rawdoc! { "_id": 1, "items": [{ "k": "a", "n": 1 }, { "k": "b", "n": 0 }, { "k": "b", "n": 3 }] }
    );
    assert_eq!(
        change(rawdoc! { "$inc": { "items.$[big].n": 10 } }, &[rawdoc! { "big.n": { "$gte": 2 } }]),
        rawdoc! { "_id": 1, "items": [{ "k": "a", "n": 1 }, { "k": "b", "n": 12 }, { "k": "b", "n": 13 }] }
    );
    let misnamed = ArrayFilters::parse(&[rawdoc! { "E.n": 1 }], Given::nothing());
    assert_eq!(misnamed.unwrap_err().code.number, 2);
    let unused = ArrayFilters::parse(&[rawdoc! { "x": 1 }], Given::nothing()).unwrap();
    let update = RawBson::Document(rawdoc! { "$set": { "a": 1 } });
    assert_eq!(Update::parse(update.as_raw_bson_ref(), unused, Given::nothing()).unwrap_err().code.number, 9);
}

#[test]
fn decimals_are_counted_exactly() {
    let document = rawdoc! { "_id": 1, "price": "10.10".parse::<bson::Decimal128>().unwrap() };
    let update = RawBson::Document(rawdoc! { "$inc": { "price": "0.20".parse::<bson::Decimal128>().unwrap() } });
    let update = Update::parse(update.as_raw_bson_ref(), ArrayFilters::default(), Given::nothing()).unwrap();
    let changed = update.apply(&document, &Matcher::parse(&rawdoc! {}).unwrap()).unwrap().unwrap();
    assert_eq!(changed, rawdoc! { "_id": 1, "price": "10.30".parse::<bson::Decimal128>().unwrap() });
}

#[test]
fn an_upsert_takes_one_value_from_the_filter_at_each_place() {
    let update = RawBson::Document(rawdoc! { "$set": { "n": 1 } });
    let update = Update::parse(update.as_raw_bson_ref(), ArrayFilters::default(), Given::nothing()).unwrap();
    let refused = |filter: RawDocumentBuf| update.new_document(&Matcher::parse(&filter).unwrap()).unwrap_err().code.number;
    assert_eq!(refused(rawdoc! { "a": { "$all": [1, 2] } }), 54);
    assert_eq!(refused(rawdoc! { "a": { "x": 1 }, "a.b": 2 }), 54);
}

#[test]
fn what_takes_elements_away_leaves_a_missing_array_missing() {
    for operator in
        [rawdoc! { "$pull": { "none": 1 } }, rawdoc! { "$pop": { "none": 1 } }, rawdoc! { "$pullAll": { "none": [1] } }]
    {
        assert_eq!(apply(operator).unwrap(), None);
    }
}
