//! What is sent to both servers: documents of few fields with values that meet often, and most of what one can ask of them.
//! What SecantusDB is known to answer wrongly is not asked, and said so at its place.

use bson::spec::BinarySubtype;
use bson::{Binary, Bson, DateTime, Decimal128, Document, Regex, Timestamp, doc, oid::ObjectId};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::{BoxedStrategy, Union};

use super::expressions::{expression, stage};
use super::updates::change;

/// A collection as it is made, and what is asked of it then.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    indexes: Vec<Document>,
    documents: Vec<Document>,
    asked: Vec<Document>,
}

impl Case {
    /// Its commands, for a collection of this name.
    pub(crate) fn commands(&self, collection: &str) -> Vec<Document> {
        let documents = self.documents.iter().zip(1..).map(|(document, id)| with_id(id, document.clone()));
        let mut commands = vec![doc! { "insert": collection, "documents": documents.collect::<Vec<_>>() }];
        for keys in &self.indexes {
            let mut spec = doc! { "name": format!("i{}", commands.len()) };
            spec.extend(keys.clone());
            commands.push(doc! { "createIndexes": collection, "indexes": [spec] });
        }
        commands.extend(self.asked.iter().map(|asked| {
            let named = asked.iter().enumerate();
            named.map(|(at, (key, value))| (key.clone(), if at == 0 { collection.into() } else { value.clone() })).collect()
        }));
        commands
    }
}

fn with_id(id: i32, document: Document) -> Document {
    let mut with_id = doc! { "_id": id };
    with_id.extend(document);
    with_id
}

/// Cases that ask these commands.
pub(crate) fn commands(asked: impl Strategy<Value = Document>) -> impl Strategy<Value = Case> {
    (vec(index(), 0..3), vec(document(), 1..7), vec(asked, 1..6)).prop_map(|(indexes, documents, asked)| Case {
        indexes,
        documents,
        asked,
    })
}

/// Commands that change nothing.
pub(crate) fn reading() -> impl Strategy<Value = Document> {
    let find = (filter(2), prop::option::of(sort()), prop::option::of(projection()), 0..3_i32, 0..4_i32).prop_map(
        |(filter, sort, projection, skip, limit)| {
            let sort = in_order(sort.unwrap_or_default());
            // SecantusDB also computes, and fails on, what is left out.
            let limit = if format!("{filter}").contains("$expr") { 0 } else { limit };
            let mut find = doc! { "find": 1, "filter": filter, "sort": sort, "skip": skip, "limit": limit };
            find.extend(projection.map(|projection| ("projection".to_owned(), projection.into())));
            find
        },
    );
    let count = (filter(2), 0..3_i32, 0..3_i32)
        .prop_map(
            |(query, skip, limit)| {
                if format!("{query}").contains("$expr") { (query, skip, 0) } else { (query, skip, limit) }
            },
        )
        .prop_map(|(query, skip, limit)| doc! { "count": 1, "query": query, "skip": skip, "limit": limit });
    // Not through arrays of documents, where SecantusDB sees nothing.
    let distinct = (select(vec!["a", "b", "c", "_id"]), filter(1))
        .prop_map(|(key, query)| doc! { "distinct": 1, "key": key, "query": query });
    prop_oneof![6 => find, 1 => count, 1 => distinct]
}

/// Commands that change documents.
pub(crate) fn writing() -> impl Strategy<Value = Document> {
    let update = (filter(1), change(), any::<bool>(), prop::bool::weighted(0.2)).prop_map(|(q, change, multi, upsert)| {
        let q = if multi { q } else { one(q) };
        let mut update = doc! { "q": q, "u": change.update, "multi": multi, "upsert": upsert && change.makes };
        update.extend(change.filters.map(|filters| ("arrayFilters".to_owned(), filters.into())));
        doc! { "update": 1, "updates": [update] }
    });
    let replace = (filter(1), document(), prop::bool::weighted(0.3))
        .prop_map(|(q, u, upsert)| doc! { "update": 1, "updates": [{ "q": one(q), "u": u, "upsert": upsert }] });
    let shown = select(vec![doc! { "a": 1 }, doc! { "b": 0 }, doc! { "l": { "$slice": 1 } }, doc! { "_id": 0, "a": 1, "b": 1 }]);
    let modify = (filter(1), sort(), change(), any::<bool>(), prop::bool::weighted(0.2), prop::option::of(shown)).prop_map(
        |(query, sort, change, new, upsert, fields)| {
            let (sort, upsert) = (in_order(sort), upsert && change.makes);
            let mut modify = doc! { "findAndModify": 1, "query": query, "sort": sort, "new": new, "upsert": upsert };
            modify.insert("update", change.update);
            modify.extend(change.filters.map(|filters| ("arrayFilters".to_owned(), filters.into())));
            modify.extend(fields.map(|fields| ("fields".to_owned(), fields.into())));
            modify
        },
    );
    let remove = (filter(1), sort())
        .prop_map(|(query, sort)| doc! { "findAndModify": 1, "query": query, "sort": in_order(sort), "remove": true });
    let delete = (filter(1), 0..2_i32).prop_map(|(q, limit)| {
        let q = if limit == 0 { q } else { one(q) };
        doc! { "delete": 1, "deletes": [{ "q": q, "limit": limit }] }
    });
    let insert = (1..9_i32, document()).prop_map(|(id, document)| doc! { "insert": 1, "documents": [with_id(id, document)] });
    prop_oneof![8 => update, 1 => replace, 2 => modify, 1 => remove, 1 => delete, 1 => insert]
}

/// At most one of what a filter finds: which of several is the first is nobody's promise, and depends on the indexes.
fn one(filter: Document) -> Document {
    doc! { "$and": [{ "_id": 2 }, filter] }
}

/// Aggregations. A `$skip` or `$limit` stands in front: behind something computed SecantusDB also computes, and fails on, what
/// it leaves out.
pub(crate) fn aggregating() -> impl Strategy<Value = Document> {
    let part = select(vec![None, None, Some(doc! { "$skip": 1 }), Some(doc! { "$limit": 2 })]);
    (part, vec(stage(), 1..4)).prop_map(|(part, stages)| {
        let mut pipeline = vec![doc! { "$sort": { "_id": 1 } }];
        pipeline.extend(part);
        pipeline.extend(stages);
        doc! { "aggregate": 1, "pipeline": pipeline, "cursor": {} }
    })
}

/// The order of documents that are equal by `sort` is nobody's promise: `_id` decides.
pub(crate) fn in_order(mut sort: Document) -> Document {
    sort.remove("_id");
    sort.insert("_id", 1);
    sort
}

fn index() -> impl Strategy<Value = Document> {
    select(vec![
        doc! { "key": { "a": 1 } },
        doc! { "key": { "b": -1 } },
        // No two fields that can be arrays: SecantusDB indexes parallel arrays, which is an error.
        doc! { "key": { "_id": 1, "b": -1 } },
        doc! { "key": { "a.x": 1 } },
        doc! { "key": { "c": 1 }, "unique": true },
        doc! { "key": { "c": 1 }, "unique": true, "sparse": true },
        doc! { "key": { "b": 1 }, "partialFilterExpression": { "b": { "$exists": true } } },
    ])
}

pub(crate) fn field() -> impl Strategy<Value = &'static str> {
    select(vec!["a", "b", "c"])
}

/// Not into arrays by number: to SecantusDB a place an array has not is missing, and so equals null.
fn path() -> impl Strategy<Value = &'static str> {
    select(vec!["a", "b", "c", "a", "b", "c", "a.x", "a.y", "b.x", "c.x.y", "_id"])
}

/// Values of every type, few of each, so that they meet. No small Int64: SecantusDB makes an Int32 of it when it renames a
/// field or updates by a pipeline.
pub(crate) fn scalar() -> BoxedStrategy<Bson> {
    let rare = vec![
        Bson::MinKey,
        Bson::MaxKey,
        Bson::Timestamp(Timestamp { time: 1, increment: 2 }),
        Bson::Binary(Binary { subtype: BinarySubtype::Generic, bytes: vec![1, 2] }),
        Bson::RegularExpression(Regex { pattern: "a".try_into().unwrap(), options: "i".try_into().unwrap() }),
        Bson::Double(-0.0),
        Bson::Double(f64::INFINITY),
        Bson::Double(f64::NAN),
        Bson::Int64(i64::MAX),
        Bson::Int32(i32::MAX),
        Bson::Double(1e20),
    ];
    let decimals = ["1", "2.5", "-3", "1.00"].map(|text| Bson::Decimal128(text.parse::<Decimal128>().unwrap()));
    prop_oneof![
        8 => (-2..5_i32).prop_map(Bson::Int32),
        4 => select(vec![0.5, 1.0, 2.0, 2.5, -1.5]).prop_map(Bson::Double),
        7 => select(vec!["", "a", "b", "A", "ab", "10", "b\nab", "é"]).prop_map(Bson::from),
        2 => Just(Bson::Null),
        3 => any::<bool>().prop_map(Bson::Boolean),
        2 => select(vec![0, 86_400_000, 1_700_000_000_123]).prop_map(|at| DateTime::from_millis(at).into()),
        1 => select(vec![[1; 12], [2; 12]]).prop_map(|id| ObjectId::from_bytes(id).into()),
        2 => select(decimals.to_vec()),
        2 => select(rare),
    ]
    .boxed()
}

pub(crate) fn value() -> BoxedStrategy<Bson> {
    let nested = |inner: BoxedStrategy<Bson>| {
        let inner = inner.prop_map(no_boolean_as_number).boxed();
        prop_oneof![vec(inner.clone(), 0..4).prop_map(Bson::from), some_of(&["x", "y"], inner).prop_map(Bson::from)]
    };
    scalar().prop_recursive(2, 8, 3, nested).boxed()
}

/// Within arrays and documents SecantusDB takes `true` for 1 and `false` for 0: there are no such numbers in them.
fn no_boolean_as_number(value: Bson) -> Bson {
    match value {
        Bson::Int32(0 | 1) => 7.into(),
        Bson::Double(number) if number == 0.0 || number == 1.0 => 7.0.into(),
        Bson::Decimal128(number) if number.to_string().trim_end_matches(".00") == "1" => 7.0.into(),
        other => other,
    }
}

/// A document with some of these names.
fn some_of(names: &'static [&'static str], values: BoxedStrategy<Bson>) -> impl Strategy<Value = Document> {
    vec((select(names), values), 0..=names.len())
        .prop_map(|fields| fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

/// Some of three fields, and always an array `l`.
pub(crate) fn document() -> impl Strategy<Value = Document> {
    let list = || vec(value().prop_map(no_boolean_as_number), 0..4);
    let values = prop_oneof![3 => value(), 1 => list().prop_map(Bson::from)].boxed();
    (some_of(&["a", "b", "c"], values), list()).prop_map(|(mut document, list)| {
        document.insert("l", list);
        document
    })
}

/// `{ path: condition }`, and several of them.
pub(crate) fn filter(depth: u32) -> BoxedStrategy<Document> {
    let one = (path(), condition(depth)).prop_map(|(path, condition)| doc! { path: condition }).boxed();
    if depth == 0 {
        return one;
    }
    let several = vec((field(), condition(depth)), 0..3)
        .prop_map(|list| list.into_iter().map(|(path, condition)| (path.to_owned(), condition)).collect::<Document>());
    let joined =
        (select(vec!["$and", "$or", "$nor"]), vec(filter(depth - 1), 1..3)).prop_map(|(operator, list)| doc! { operator: list });
    let computed = expression(1).prop_map(|expression| doc! { "$expr": expression });
    prop_oneof![8 => one, 2 => several, 2 => joined, 1 => computed].boxed()
}

pub(crate) fn condition(depth: u32) -> BoxedStrategy<Bson> {
    prop_oneof![2 => value(), 6 => operators(depth).prop_map(Bson::from)].boxed()
}

/// A regular expression has no order, and is refused; SecantusDB takes it and finds nothing, as it does for `{$gt: ""}`.
fn ordered() -> impl Strategy<Value = Bson> {
    value().prop_filter("has an order", |value| !matches!(value, Bson::RegularExpression(_)) && value.as_str() != Some(""))
}

fn types() -> impl Strategy<Value = Bson> {
    let names = ["number", "string", "null", "array", "object", "bool", "date", "int", "long", "double", "decimal"];
    let numbers = [2, 16, -1].map(Bson::from);
    let mut all: Vec<Bson> = names.into_iter().map(Bson::from).chain(numbers).collect();
    all.push(vec!["int", "string"].into());
    select(all)
}

/// `{ $operator: operand }`.
pub(crate) fn operators(depth: u32) -> BoxedStrategy<Document> {
    let equal = value().prop_map(|v| doc! { "$eq": v });
    let comparison = (select(vec!["$ne", "$gt", "$gte", "$lt", "$lte"]), ordered()).prop_map(|(o, v)| doc! { o: v });
    // Of one element: those of an array may fulfil the two bounds each for itself, which SecantusDB does not see where there is
    // an index (MongoDB's manual, "Multikey Index Bounds": without `$elemMatch` the bounds are not intersected).
    let range =
        (-2..3_i32, select(vec![1.0, 2.5, 4.0])).prop_map(|(low, high)| doc! { "$elemMatch": { "$gte": low, "$lt": high } });
    let list = (select(vec!["$in", "$nin"]), vec(value(), 0..4)).prop_map(|(o, v)| doc! { o: v });
    // A null in `$all` finds what is missing; in SecantusDB it does not.
    let there = value().prop_filter("not null", |value| *value != Bson::Null);
    let every = vec(there, 0..4).prop_map(|v| doc! { "$all": v });
    let exists = any::<bool>().prop_map(|v| doc! { "$exists": v });
    let size = (0..4_i32).prop_map(|v| doc! { "$size": v });
    let modulo = (1..4_i32, 0..3_i32).prop_map(|(by, rest)| doc! { "$mod": [by, rest] });
    let pattern = (select(vec!["a", "^a", "b$", "^A", ".", "^$", "a.b", "[ab]"]), select(vec!["", "i", "m", "s", "x"]))
        .prop_map(|(pattern, options)| doc! { "$regex": pattern, "$options": options });
    let bits = (select(vec!["$bitsAllSet", "$bitsAnySet", "$bitsAllClear", "$bitsAnyClear"]), 0..8_i32)
        .prop_map(|(o, mask)| doc! { o: mask });
    let mut all: Vec<(u32, BoxedStrategy<Document>)> = vec![
        (2, equal.boxed()),
        (5, comparison.boxed()),
        (2, range.boxed()),
        (3, list.boxed()),
        (1, every.boxed()),
        (2, exists.boxed()),
        (2, types().prop_map(|v| doc! { "$type": v }).boxed()),
        (2, size.boxed()),
        (1, modulo.boxed()),
        (2, pattern.boxed()),
        (1, bits.boxed()),
    ];
    if depth > 0 {
        let not = operators(depth - 1).prop_map(|inner| doc! { "$not": inner });
        let within = (select(vec!["x", "y"]), condition(depth - 1)).prop_map(|(path, condition)| doc! { path: condition });
        let element = prop_oneof![operators(depth - 1), within].prop_map(|inner| doc! { "$elemMatch": inner });
        all.extend([(2, not.boxed()), (3, element.boxed())]);
    }
    Union::new_weighted(all).boxed()
}

pub(crate) fn sort() -> impl Strategy<Value = Document> {
    vec((path(), select(vec![1, -1])), 1..3)
        .prop_map(|keys| keys.into_iter().map(|(path, way)| (path.to_owned(), Bson::Int32(way))).collect())
}

pub(crate) fn projection() -> impl Strategy<Value = Document> {
    // No two paths that collide, which SecantusDB lets pass; nothing is taken out of an array's documents, where it leaves it.
    let kept = select(vec![vec!["a", "b.y", "c"], vec!["a.x", "b"], vec!["c.x.y"], vec!["c.x.y", "a"]]);
    let left_out = select(vec![vec!["a"], vec!["b", "c"], vec!["l"]]);
    let paths = prop_oneof![kept.prop_map(|paths| (paths, 1)), left_out.prop_map(|paths| (paths, 0))];
    let chosen = (paths, prop::option::of(0..2_i32)).prop_map(|((paths, include), id)| {
        let mut chosen: Document = paths.into_iter().map(|path| (path.to_owned(), Bson::Int32(include))).collect();
        chosen.extend(id.map(|id| ("_id".to_owned(), id.into())));
        chosen
    });
    let part =
        prop_oneof![(-3..4_i32).prop_map(Bson::from), (-3..3_i32, 1..3_i32).prop_map(|(from, many)| vec![from, many].into()),];
    let slice = (field(), part, prop::option::of(field())).prop_map(|(path, part, other)| {
        let mut slice = doc! { path: { "$slice": part } };
        slice.extend(other.filter(|other| *other != path).map(|other| (other.to_owned(), 1.into())));
        slice
    });
    let element = (field(), operators(0)).prop_map(|(field, inner)| doc! { field: { "$elemMatch": inner } });
    // Not into what is there: SecantusDB leaves the scalars in arrays as they are, which MongoDB replaces.
    let computed = expression(1).prop_map(|computed| doc! { "n": { "$ifNull": [computed, "none"] } });
    prop_oneof![6 => chosen, 2 => slice, 1 => element, 2 => computed]
}
