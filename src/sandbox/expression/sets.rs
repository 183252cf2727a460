//! Operators that look at arrays as sets: the order does not count, nor how often an element is there.

use std::collections::HashSet;

use bson::Bson;

use super::super::error::CommandError;
use super::super::value::Collation;
use super::Value;
use super::arrays::{alias, argument, array, elements, fault, null, yes};
use super::logic::truth;

/// The sets an operator works on; `None` if one of them is null.
fn sets(name: &str, location: i32, arguments: &[Value]) -> Result<Option<Vec<Vec<Bson>>>, CommandError> {
    let sets = arguments.iter().map(|value| {
        elements(value.clone(), location, |kind| {
            format!("All operands of {name} must be arrays. One argument is of type: {kind}")
        })
    });
    sets.collect()
}

type Pair = (Vec<Bson>, Vec<Bson>);

/// The two sets an operator works on, each with the code of its not being one; `None` if one of them is null.
fn pair(name: &str, locations: [i32; 2], arguments: &[Value]) -> Result<Option<Pair>, CommandError> {
    let [first, second] = [0, 1].map(|at| argument(arguments, at));
    let words = |which: &str, kind: &str| format!("both operands of {name} must be arrays. {which} argument is of type: {kind}");
    let Some(first) = elements(first, locations[0], |kind| words("First", kind))? else { return Ok(None) };
    Ok(elements(second, locations[1], |kind| words("Second", kind))?.map(|second| (first, second)))
}

/// The elements without repetitions, in order, of those `keep` wants.
fn distinct(values: impl IntoIterator<Item = Bson>, collation: &Collation, keep: impl Fn(&[u8]) -> bool) -> Vec<Bson> {
    let mut seen = HashSet::new();
    let mut kept: Vec<(Vec<u8>, Bson)> = values.into_iter().map(|value| (collation.key_of(&value), value)).collect();
    kept.retain(|(key, _)| keep(key) && seen.insert(key.clone()));
    kept.into_iter().map(|(_, value)| value).collect()
}

fn sorted(mut values: Vec<Bson>, collation: &Collation) -> Vec<Bson> {
    values.sort_by(|a, b| collation.compare_values(a, b));
    values
}

fn keys(values: &[Bson], collation: &Collation) -> HashSet<Vec<u8>> {
    values.iter().map(|value| collation.key_of(value)).collect()
}

pub(super) fn union(arguments: &[Value], collation: &Collation) -> Result<Value, CommandError> {
    let Some(sets) = sets("$setUnion", 17043, arguments)? else { return null() };
    array(sorted(distinct(sets.into_iter().flatten(), collation, |_| true), collation))
}

pub(super) fn intersection(arguments: &[Value], collation: &Collation) -> Result<Value, CommandError> {
    let Some(mut sets) = sets("$setIntersection", 17047, arguments)?.map(Vec::into_iter) else { return null() };
    let Some(first) = sets.next() else { return array(Vec::new()) };
    let others: Vec<HashSet<Vec<u8>>> = sets.map(|set| keys(&set, collation)).collect();
    array(sorted(distinct(first, collation, |key| others.iter().all(|other| other.contains(key))), collation))
}

pub(super) fn difference(arguments: &[Value], collation: &Collation) -> Result<Value, CommandError> {
    let Some((first, second)) = pair("$setDifference", [17048, 17049], arguments)? else { return null() };
    let gone = keys(&second, collation);
    array(distinct(first, collation, |key| !gone.contains(key)))
}

pub(super) fn equals(arguments: &[Value], collation: &Collation) -> Result<Value, CommandError> {
    let refused = || fault(17044, "All operands of $setEquals must be arrays. One argument is null");
    let sets = sets("$setEquals", 17044, arguments)?.ok_or_else(refused)?;
    let mut sets = sets.iter().map(|set| keys(set, collation));
    let first = sets.next().unwrap_or_default();
    yes(sets.all(|set| set == first))
}

pub(super) fn is_subset(arguments: &[Value], collation: &Collation) -> Result<Value, CommandError> {
    let refused = || fault(17046, "both operands of $setIsSubset must be arrays. One argument is null");
    let (first, second) = pair("$setIsSubset", [17046, 17042], arguments)?.ok_or_else(refused)?;
    yes(keys(&first, collation).is_subset(&keys(&second, collation)))
}

fn truths(name: &str, location: i32, arguments: &[Value]) -> Result<Vec<bool>, CommandError> {
    let value = argument(arguments, 0);
    let kind = alias(&value);
    match value {
        Some(Bson::Array(values)) => Ok(values.into_iter().map(|value| truth(&Some(value))).collect()),
        _ => Err(fault(location, format!("{name}'s argument must be an array, but is {kind}"))),
    }
}

pub(super) fn all_true(arguments: &[Value]) -> Result<Value, CommandError> {
    yes(truths("$allElementsTrue", 17040, arguments)?.into_iter().all(|value| value))
}

pub(super) fn any_true(arguments: &[Value]) -> Result<Value, CommandError> {
    yes(truths("$anyElementTrue", 17041, arguments)?.into_iter().any(|value| value))
}
