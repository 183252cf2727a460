//! Computed values, and the stages of aggregations.

use bson::{Bson, Document, doc};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::BoxedStrategy;

use super::generate::{field, filter, in_order, projection, scalar, sort, value};

const OF_TWO: [&str; 32] = [
    "$add",
    "$subtract",
    "$multiply",
    "$divide",
    "$mod",
    "$eq",
    "$ne",
    "$gt",
    "$gte",
    "$lt",
    "$lte",
    "$cmp",
    "$and",
    "$or",
    "$concat",
    "$ifNull",
    "$in",
    "$arrayElemAt",
    "$concatArrays",
    "$setUnion",
    "$setIntersection",
    "$setDifference",
    "$setEquals",
    "$setIsSubset",
    "$strcasecmp",
    "$pow",
    "$split",
    "$mergeObjects",
    "$max",
    "$min",
    "$avg",
    "$sum",
];

const OF_ONE: [&str; 41] = [
    "$abs",
    "$ceil",
    "$floor",
    "$not",
    "$size",
    "$toUpper",
    "$toLower",
    "$type",
    "$isArray",
    "$isNumber",
    "$toString",
    "$toInt",
    "$toLong",
    "$toDouble",
    "$toBool",
    "$toDate",
    "$toDecimal",
    "$toObjectId",
    "$strLenCP",
    "$strLenBytes",
    "$year",
    "$month",
    "$dayOfMonth",
    "$dayOfWeek",
    "$hour",
    "$reverseArray",
    "$first",
    "$last",
    "$objectToArray",
    "$arrayToObject",
    "$allElementsTrue",
    "$anyElementTrue",
    "$sqrt",
    "$exp",
    "$trunc",
    "$round",
    "$sum",
    "$avg",
    "$min",
    "$max",
    "$bsonSize",
];

/// A field's value, a literal, or something computed from them. No path through what may be an array: SecantusDB finds nothing
/// there, where MongoDB makes an array of what its elements have. No `$indexOfArray`, `$sortArray` and `$zip`: of what is missing
/// it makes null, an error of its own, and an error.
pub(crate) fn expression(depth: u32) -> BoxedStrategy<Bson> {
    let of_field = select(vec!["$a", "$b", "$c", "$a", "$b", "$_id", "$missing", "$$ROOT"]).prop_map(Bson::from);
    let literal = prop_oneof![
        (-2..5_i32).prop_map(Bson::from),
        scalar().prop_map(|value| doc! { "$literal": value }.into()),
        select(vec!["a", "text"]).prop_map(Bson::from),
    ];
    let leaf = prop_oneof![3 => of_field, 1 => literal].boxed();
    if depth == 0 {
        return leaf;
    }
    let inner = || expression(depth - 1);
    let of_two = (select(OF_TWO.to_vec()), inner(), inner()).prop_map(|(operator, left, right)| doc! { operator: [left, right] });
    let of_one = (select(OF_ONE.to_vec()), inner()).prop_map(|(operator, operand)| doc! { operator: [operand] });
    let three = || (inner(), inner(), inner());
    let choice = prop_oneof![
        three().prop_map(|(when, then, otherwise)| doc! { "$cond": [when, then, otherwise] }),
        three().prop_map(|(case, then, otherwise)| {
            doc! { "$switch": { "branches": [{ "case": case, "then": then }], "default": otherwise } }
        }),
    ];
    let of_arrays = prop_oneof![
        (inner(), inner())
            .prop_map(|(input, other)| doc! { "$filter": { "input": input, "cond": { "$gt": ["$$this", other] } } }),
        inner().prop_map(|input| doc! { "$map": { "input": input, "as": "e", "in": { "$type": "$$e" } } }),
        inner().prop_map(|input| {
            let all = doc! { "$concatArrays": ["$$value", ["$$this"]] };
            doc! { "$reduce": { "input": input, "initialValue": [], "in": all } }
        }),
        (inner(), -2..3_i32, 1..3_i32).prop_map(|(input, from, many)| doc! { "$slice": [input, from, many] }),
        (0..4_i32, -1..4_i32).prop_map(|(from, to)| doc! { "$range": [from, to] }),
    ];
    let of_text = prop_oneof![
        (inner(), 0..3_i32, 0..3_i32).prop_map(|(text, from, many)| doc! { "$substrCP": [text, from, many] }),
        inner().prop_map(|text| doc! { "$trim": { "input": text, "chars": "a" } }),
        inner().prop_map(|text| doc! { "$regexMatch": { "input": text, "regex": "^a" } }),
        inner().prop_map(|text| doc! { "$replaceAll": { "input": text, "find": "a", "replacement": "z" } }),
        inner().prop_map(|date| doc! { "$dateToString": { "date": date, "format": "%Y-%m-%dT%H:%M:%S.%LZ" } }),
        (inner(), select(vec!["int", "string", "double", "bool", "decimal"]))
            .prop_map(|(input, to)| doc! { "$convert": { "input": input, "to": to, "onError": "error", "onNull": "null" } }),
    ];
    let bound = (inner(), inner())
        .prop_map(|(value, other)| doc! { "$let": { "vars": { "v": value }, "in": { "$cond": ["$$v", "$$v", other] } } });
    let object = (inner(), inner()).prop_map(|(x, y)| doc! { "x": x, "y": y });
    prop_oneof![
        2 => leaf,
        6 => of_two.prop_map(Bson::from),
        5 => of_one.prop_map(Bson::from),
        1 => choice.prop_map(Bson::from),
        2 => of_arrays.prop_map(Bson::from),
        2 => of_text.prop_map(Bson::from),
        1 => bound.prop_map(Bson::from),
        1 => object.prop_map(Bson::from),
        1 => vec(inner(), 0..3).prop_map(Bson::from),
    ]
    .boxed()
}

/// Of fields: SecantusDB takes an accumulator of a constant for the operator of that name, which wants an array. It has no
/// `$top` and `$bottom`.
fn accumulator() -> impl Strategy<Value = Document> {
    let of = || select(vec!["$a", "$b", "$c", "$_id"]);
    let plain = select(vec!["$sum", "$avg", "$min", "$max", "$first", "$last", "$push", "$mergeObjects", "$stdDevPop"]);
    let plain = (plain, of()).prop_map(|(operator, of)| doc! { operator: of });
    let ranked = (select(vec!["$firstN", "$lastN", "$minN", "$maxN"]), of(), 1..3_i32)
        .prop_map(|(operator, input, n)| doc! { operator: { "input": input, "n": n } });
    prop_oneof![5 => plain, 1 => ranked, 1 => Just(doc! { "$count": {} })]
}

/// No document that is made of fields: as a stage's value it names fields inside of what is there.
fn assigned() -> impl Strategy<Value = Bson> {
    expression(2).prop_filter("a value", |value| {
        value.as_document().is_none_or(|document| document.keys().next().is_some_and(|name| name.starts_with('$')))
    })
}

/// One stage. No `$count`: SecantusDB answers a count of 0 where nothing comes in, MongoDB nothing; no `includeArrayIndex`, which
/// it makes an Int32.
pub(crate) fn stage() -> BoxedStrategy<Document> {
    let lookup = (select(vec!["a", "b", "c", "_id"]), select(vec!["a", "b", "_id"])).prop_map(|(local, foreign)| {
        doc! { "$lookup": { "from": "others", "localField": local, "foreignField": foreign, "as": "found" } }
    });
    let joined = (expression(0), select(vec!["$eq", "$lt"])).prop_map(|(value, operator)| {
        let pipeline = [doc! { "$match": { "$expr": { operator: ["$a", "$$v"] } } }, doc! { "$sort": { "_id": 1 } }];
        doc! { "$lookup": { "from": "others", "let": { "v": value }, "pipeline": pipeline, "as": "found" } }
    });
    let unwind = (select(vec!["$a", "$b", "$l", "$a.x"]), any::<bool>())
        .prop_map(|(path, preserve)| doc! { "$unwind": { "path": path, "preserveNullAndEmptyArrays": preserve } });
    let group = (expression(1), accumulator(), accumulator())
        .prop_map(|(id, one, two)| doc! { "$group": { "_id": id, "one": one, "two": two } });
    let facet = (filter(0), field()).prop_map(|(filter, field)| {
        let some = [doc! { "$match": filter }, doc! { "$limit": 2 }];
        doc! { "$facet": { "some": some, "all": [{ "$project": { field: 1 } }, { "$limit": 2 }] } }
    });
    let bucket = vec(-2..5_i32, 2..4).prop_map(|mut boundaries| {
        boundaries.sort_unstable();
        boundaries.dedup();
        boundaries.push(9);
        doc! { "$bucket": { "groupBy": "$a", "boundaries": boundaries, "default": "other", "output": { "n": { "$sum": 1 } } } }
    });
    let counted =
        select(vec![Bson::from("$a"), "$b".into(), doc! { "$type": "$a" }.into(), doc! { "$ifNull": ["$c", 0] }.into()]);
    prop_oneof![
        4 => filter(1).prop_map(|filter| doc! { "$match": filter }),
        4 => projection().prop_map(|projection| doc! { "$project": projection }),
        5 => (select(vec!["$addFields", "$set"]), select(vec!["n", "m"]), assigned())
            .prop_map(|(stage, path, value)| doc! { stage: { path: value } }),
        1 => select(vec![vec!["a"], vec!["b", "l"], vec!["a", "c"]]).prop_map(|paths| doc! { "$unset": paths }),
        4 => group,
        2 => sort().prop_map(|sort| doc! { "$sort": in_order(sort) }),
        3 => unwind,
        1 => lookup,
        1 => joined,
        1 => facet,
        1 => bucket,
        1 => counted.prop_map(|value| doc! { "$sortByCount": value }),
        2 => expression(1).prop_map(|value| doc! { "$replaceRoot": { "newRoot": value } }),
        1 => value().prop_map(|value| doc! { "$match": { "$expr": { "$eq": ["$a", { "$literal": value }] } } }),
    ]
    .boxed()
}
