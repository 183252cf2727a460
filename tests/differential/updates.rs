//! Updates: operators, array filters, pipelines.

use bson::{Bson, Document, doc};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::BoxedStrategy;

use super::generate::{condition, field, operators, value};

#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub(crate) update: Bson,
    pub(crate) filters: Option<Vec<Document>>,
    /// Whether it may make a document. Through all elements of an array that is not there is an error; SecantusDB makes the
    /// document without the array.
    pub(crate) makes: bool,
}

pub(crate) fn change() -> BoxedStrategy<Change> {
    let plain = |update: Document| Change { makes: !format!("{update}").contains("$["), update: update.into(), filters: None };
    let of_one = operator().prop_map(plain);
    // SecantusDB sees conflicts only where a document is found, and makes new fields in the order of their operators instead of
    // that of their names: of two operators here one sets what is there.
    let of_two = (value(), number()).prop_map(move |(value, by)| plain(doc! { "$set": { "l": [value] }, "$inc": { "m": by } }));
    let by_filter = (operators(0), select(vec!["$set", "$inc", "$unset", "$mul", "$push"]), number()).prop_map(
        |(condition, operator, value)| Change {
            update: doc! { operator: { "l.$[e]": value } }.into(),
            filters: Some(vec![doc! { "e": condition }]),
            makes: false,
        },
    );
    // Nothing that can fail: SecantusDB computes constants even where no document is found. No upsert: it puts the `_id` last.
    let stages = prop_oneof![
        (select(vec!["a", "n"]), field()).prop_map(|(path, from)| doc! { "$set": { path: { "$type": format!("${from}") } } }),
        field().prop_map(|path| doc! { "$unset": path }),
        (field(), field()).prop_map(|(path, from)| doc! { "$project": { path: 1, "n": format!("${from}") } }),
        field().prop_map(|from| doc! { "$replaceWith": { "$mergeObjects": ["$$ROOT", { "m": format!("${from}") }] } }),
    ];
    let pipeline = vec(stages, 1..3).prop_map(|stages| Change { update: stages.into(), filters: None, makes: false });
    prop_oneof![8 => of_one, 2 => of_two, 2 => by_filter, 2 => pipeline].boxed()
}

/// SecantusDB sees only where a document is found that something else can't be calculated with.
fn number() -> impl Strategy<Value = Bson> {
    let others = [Bson::from(i32::MAX), 0.5.into(), 2.5.into(), Bson::Decimal128("1.5".parse().unwrap())];
    prop_oneof![(-1..3_i32).prop_map(Bson::from), select(others.to_vec())]
}

fn target() -> impl Strategy<Value = &'static str> {
    select(vec!["a", "b", "c", "a", "b", "c", "a.x", "b.y", "a.0", "b.1", "c.3", "a.x.y", "l.$[]", "n", "l", "l.0", "l.5"])
}

fn operator() -> BoxedStrategy<Document> {
    let setting =
        (select(vec!["$set", "$setOnInsert", "$min", "$max"]), target(), value()).prop_map(|(o, t, v)| doc! { o: { t: v } });
    let unset = target().prop_map(|t| doc! { "$unset": { t: "" } });
    let calculated = (select(vec!["$inc", "$mul"]), target(), number()).prop_map(|(o, t, v)| doc! { o: { t: v } });
    let rename = (select(vec!["a", "b"]), select(vec!["n", "m"])).prop_map(|(from, to)| doc! { "$rename": { from: to } });
    let push = (target(), value()).prop_map(|(t, v)| doc! { "$push": { t: v } });
    let each =
        (vec(value(), 0..3), prop::option::of(-3..4_i32), prop::option::of(-2..4_i32), prop::option::of(select(vec![1, -1])));
    let each = (target(), each).prop_map(|(target, (values, slice, position, order))| {
        let mut how = doc! { "$each": values };
        for (name, value) in [("$slice", slice), ("$position", position), ("$sort", order)] {
            how.extend(value.map(|value| (name.to_owned(), value.into())));
        }
        doc! { "$push": { target: how } }
    });
    let add = (target(), value()).prop_map(|(t, v)| doc! { "$addToSet": { t: v } });
    let add_each = (target(), vec(value(), 0..3)).prop_map(|(t, v)| doc! { "$addToSet": { t: { "$each": v } } });
    let pull = (target(), condition(0)).prop_map(|(t, v)| doc! { "$pull": { t: v } });
    let pull_of = (field(), select(vec!["x", "y"]), condition(0)).prop_map(|(t, path, v)| doc! { "$pull": { t: { path: v } } });
    let pull_all = (target(), vec(value(), 0..3)).prop_map(|(t, v)| doc! { "$pullAll": { t: v } });
    let pop = (target(), select(vec![1, -1])).prop_map(|(t, v)| doc! { "$pop": { t: v } });
    let bit = (target(), select(vec!["and", "or", "xor"]), 0..8_i32).prop_map(|(t, o, v)| doc! { "$bit": { t: { o: v } } });
    prop_oneof![
        6 => setting, 2 => unset, 4 => calculated, 1 => rename, 2 => push, 3 => each, 1 => add, 1 => add_each, 2 => pull,
        1 => pull_of, 1 => pull_all, 1 => pop, 1 => bit,
    ]
    .boxed()
}
