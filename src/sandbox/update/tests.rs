use bson::{RawBson, RawDocumentBuf, rawdoc};
use rstest::rstest;

use super::super::error::CommandError;
use super::super::matcher::Matcher;
use super::Update;

fn apply(update: RawDocumentBuf) -> Result<Option<RawDocumentBuf>, CommandError> {
    let document = rawdoc! { "_id": 1, "n": 5, "s": "x", "list": [1, 2], "deep": { "a": 1 } };
    Update::parse(RawBson::Document(update).as_raw_bson_ref())?.apply(&document)
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
#[case(rawdoc! { "$bit": { "a": 1 } }, 238)]
#[case(rawdoc! { "a": 1, "$set": { "b": 1 } }, 52)]
fn a_wrong_update_is_refused_with_mongodbs_code(#[case] update: RawDocumentBuf, #[case] code: i32) {
    assert_eq!(apply(update).unwrap_err().code.number, code);
}

#[test]
fn an_upsert_starts_from_what_the_filter_fixes() {
    let filter = Matcher::parse(&rawdoc! { "_id": 7, "a.b": "x", "n": { "$gt": 3 } }).unwrap();
    let update = RawBson::Document(rawdoc! { "$set": { "c": 1 }, "$setOnInsert": { "d": 2 } });
    let made = Update::parse(update.as_raw_bson_ref()).unwrap().new_document(&filter).unwrap();
    assert_eq!(made, rawdoc! { "_id": 7, "a": { "b": "x" }, "c": 1, "d": 2 });
}
