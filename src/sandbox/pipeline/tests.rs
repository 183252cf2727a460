use bson::{Bson, Document, RawDocumentBuf, bson, rawdoc};
use rstest::rstest;
use rusqlite::Connection;

use super::super::engine::Deadline;
use super::super::error::CommandError;
use super::super::expression::Given;
use super::Pipeline;
use super::run::Context;

fn run(stages: Bson) -> Result<Vec<Document>, CommandError> {
    let Bson::Array(stages) = stages else { panic!("stages are an array") };
    let stages: Vec<RawDocumentBuf> =
        stages.iter().map(|stage| RawDocumentBuf::try_from(stage.as_document().unwrap()).unwrap()).collect();
    let documents = [
        rawdoc! { "_id": 1, "k": "a", "n": 1, "tags": ["x", "y"], "in": { "v": 5 } },
        rawdoc! { "_id": 2, "k": "b", "n": 2, "tags": [] },
        rawdoc! { "_id": 3, "k": "a", "n": 4, "tags": ["y"], "in": { "v": 7 } },
    ];
    let connection = Connection::open_in_memory().unwrap();
    let pipeline = Pipeline::parse(&stages, Given::nothing())?;
    let found = pipeline.of_documents(&Context::new(&connection, "db", Deadline::default()), &documents)?;
    Ok(found.iter().map(|document| Document::try_from(document.as_ref()).unwrap()).collect())
}

#[rstest]
#[case::match_and_project(bson!([{ "$match": { "n": { "$gt": 1 } } }, { "$project": { "_id": 0, "k": 1 } }]), bson!([{ "k": "b" }, { "k": "a" }]))]
#[case::sort_skip_limit(
    bson!([{ "$sort": { "n": -1 } }, { "$skip": 1 }, { "$limit": 1 }, { "$project": { "_id": 1 } }]),
    bson!([{ "_id": 2 }])
)]
#[case::group(
    bson!([{ "$group": { "_id": "$k", "sum": { "$sum": "$n" }, "avg": { "$avg": "$n" }, "all": { "$push": "$n" }, "last": { "$last": "$_id" } } }]),
    bson!([
        { "_id": "a", "sum": 5, "avg": 2.5, "all": [1, 4], "last": 3 },
        { "_id": "b", "sum": 2, "avg": 2.0, "all": [2], "last": 2 },
    ])
)]
#[case::group_of_all(
    bson!([{ "$group": { "_id": null, "n": { "$sum": 1 }, "set": { "$addToSet": "$k" }, "max": { "$max": "$n" }, "dev": { "$stdDevPop": "$n" } } },
           { "$project": { "dev": 0 } }]),
    bson!([{ "_id": null, "n": 3, "set": ["a", "b"], "max": 4 }])
)]
#[case::count(bson!([{ "$count": "n" }]), bson!([{ "n": 3 }]))]
#[case::count_of_nothing(bson!([{ "$match": { "n": 9 } }, { "$count": "n" }]), bson!([]))]
#[case::sort_by_count(bson!([{ "$sortByCount": "$k" }]), bson!([{ "_id": "a", "count": 2 }, { "_id": "b", "count": 1 }]))]
#[case::add_fields(
    bson!([{ "$match": { "_id": 2 } }, { "$addFields": { "in.w": { "$add": ["$n", 1] }, "k": "$$REMOVE", "tags": "none" } }]),
    bson!([{ "_id": 2, "n": 2, "tags": "none", "in": { "w": 3 } }])
)]
#[case::what_is_missing_still_makes_its_place(
    bson!([{ "$match": { "_id": 2 } }, { "$project": { "n": 1 } }, { "$set": { "n.x": "$none", "m": { "x": "$none" } } }]),
    bson!([{ "_id": 2, "n": {}, "m": {} }])
)]
#[case::unset(bson!([{ "$match": { "_id": 1 } }, { "$unset": ["tags", "in.v", "k"] }]), bson!([{ "_id": 1, "n": 1, "in": {} }]))]
#[case::unwind(
    bson!([{ "$unwind": { "path": "$tags", "includeArrayIndex": "i" } }, { "$project": { "tags": 1, "i": 1 } }]),
    bson!([{ "_id": 1, "tags": "x", "i": 0_i64 }, { "_id": 1, "tags": "y", "i": 1_i64 }, { "_id": 3, "tags": "y", "i": 0_i64 }])
)]
#[case::unwind_keeping(
    bson!([{ "$unwind": { "path": "$tags", "preserveNullAndEmptyArrays": true } }, { "$match": { "_id": 2 } }]),
    bson!([{ "_id": 2, "k": "b", "n": 2 }])
)]
#[case::replace_root(bson!([{ "$match": { "in": { "$exists": true } } }, { "$replaceRoot": { "newRoot": "$in" } }]), bson!([{ "v": 5 }, { "v": 7 }]))]
#[case::facet(
    bson!([{ "$facet": { "n": [{ "$count": "n" }], "first": [{ "$limit": 1 }, { "$project": { "_id": 1 } }] } }]),
    bson!([{ "n": [{ "n": 3 }], "first": [{ "_id": 1 }] }])
)]
#[case::bucket(
    bson!([{ "$bucket": { "groupBy": "$n", "boundaries": [0, 2, 4], "default": "more" } }]),
    bson!([{ "_id": 0, "count": 1 }, { "_id": 2, "count": 1 }, { "_id": "more", "count": 1 }])
)]
#[case::accumulators_of_several(
    bson!([{ "$group": { "_id": null, "first": { "$firstN": { "input": "$n", "n": 2 } }, "last": { "$lastN": { "input": "$n", "n": 2 } },
                         "least": { "$minN": { "input": "$n", "n": 2 } }, "most": { "$maxN": { "input": "$n", "n": 2 } },
                         "top": { "$top": { "sortBy": { "n": -1 }, "output": "$k" } },
                         "bottom": { "$bottomN": { "n": 2, "sortBy": { "n": -1 }, "output": "$_id" } } } }]),
    bson!([{ "_id": null, "first": [1, 2], "last": [2, 4], "least": [1, 2], "most": [4, 2], "top": "a", "bottom": [2, 1] }])
)]
#[case::bucket_auto(
    bson!([{ "$bucketAuto": { "groupBy": "$n", "buckets": 2 } }]),
    bson!([{ "_id": { "min": 1, "max": 4 }, "count": 2 }, { "_id": { "min": 4, "max": 4 }, "count": 1 }])
)]
#[case::redact(
    bson!([{ "$match": { "_id": 1 } }, { "$redact": { "$cond": [{ "$eq": ["$v", 5] }, "$$PRUNE", "$$DESCEND"] } }]),
    bson!([{ "_id": 1, "k": "a", "n": 1, "tags": ["x", "y"] }])
)]
#[case::windows(
    bson!([{ "$setWindowFields": { "partitionBy": "$k", "sortBy": { "n": 1 }, "output": {
                 "sum": { "$sum": "$n", "window": { "documents": ["unbounded", "current"] } },
                 "near": { "$push": "$n", "window": { "range": [-1, 1] } },
                 "all": { "$max": "$n" }, "rank": { "$rank": {} }, "number": { "$documentNumber": {} },
                 "before": { "$shift": { "output": "$n", "by": -1, "default": "none" } } } } },
           { "$project": { "k": 0, "tags": 0, "in": 0 } }]),
    bson!([
        { "_id": 1, "n": 1, "sum": 1, "near": [1], "all": 4, "rank": 1, "number": 1, "before": "none" },
        { "_id": 3, "n": 4, "sum": 5, "near": [4], "all": 4, "rank": 2, "number": 2, "before": 1 },
        { "_id": 2, "n": 2, "sum": 2, "near": [2], "all": 2, "rank": 1, "number": 1, "before": "none" },
    ])
)]
fn a_pipeline_makes_what_mongodb_makes(#[case] stages: Bson, #[case] expected: Bson) {
    let found: Vec<Bson> = run(stages).unwrap().into_iter().map(Bson::Document).collect();
    assert_eq!(Bson::Array(found), expected);
}

#[rstest]
#[case(bson!([{ "$foo": 1 }]), 40324)]
#[case(bson!([{ "$graphLookup": {} }]), 40105)]
#[case(bson!([{ "$densify": {} }]), 238)]
#[case(bson!([{ "$limit": 1 }, { "$documents": [] }]), 40602)]
#[case(bson!([{ "$merge": "x" }, { "$limit": 1 }]), 40601)]
#[case(bson!([{ "$match": {}, "$limit": 1 }]), 40323)]
#[case(bson!([{ "$sortByCount": "k" }]), 40148)]
#[case(bson!([{ "$sortByCount": { "k": 1 } }]), 40147)]
#[case(bson!([{ "$sortByCount": 1 }]), 40149)]
#[case(bson!([{ "$limit": 0 }]), 15958)]
#[case(bson!([{ "$count": "a.b" }]), 40160)]
#[case(bson!([{ "$count": "$a" }]), 40158)]
#[case(bson!([{ "$facet": { "a": [{ "$facet": { "b": [] } }] } }]), 40600)]
#[case(bson!([{ "$project": { "x": { "$foo": 1 } } }]), 31325)]
#[case(bson!([{ "$project": { "x": { "$add": [{ "$foo": 1 }] } } }]), 168)]
#[case(bson!([{ "$project": { "x": 1, "x.y": 1 } }]), 31249)]
#[case(bson!([{ "$project": { "x.y": 1, "x": 1 } }]), 31250)]
#[case(bson!([{ "$project": { "": 1 } }]), 40352)]
#[case(bson!([{ "$project": { "a.": 1 } }]), 40353)]
#[case(bson!([{ "$group": { "n": { "$sum": 1 } } }]), 15955)]
#[case(bson!([{ "$group": { "_id": 1, "n": { "$foo": 1 } } }]), 15952)]
#[case(bson!([{ "$unwind": "tags" }]), 28818)]
#[case(bson!([{ "$replaceRoot": { "newRoot": "$n" } }]), 40228)]
#[case(bson!([{ "$project": {} }]), 51272)]
#[case(bson!([{ "$lookup": { "from": "x" } }]), 9)]
fn a_wrong_pipeline_is_refused_with_mongodbs_code(#[case] stages: Bson, #[case] code: i32) {
    assert_eq!(run(stages).unwrap_err().code.number, code);
}

#[test]
fn a_sample_has_each_document_at_most_once() {
    let found = run(bson!([{ "$sample": { "size": 2 } }])).unwrap();
    assert_eq!(found.len(), 2);
    assert_ne!(found[0].get("_id"), found[1].get("_id"));
}
