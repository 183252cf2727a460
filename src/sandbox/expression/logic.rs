use std::cmp::Ordering;

use bson::Bson;

use super::super::error::CommandError;
use super::super::value::Collation;
use super::Value;

/// Whether a value counts as true: all but false, zero, null and missing.
pub(in crate::sandbox) fn truth(value: &Value) -> bool {
    match value {
        None | Some(Bson::Null | Bson::Undefined) => false,
        Some(Bson::Boolean(yes)) => *yes,
        Some(number) => super::super::value::double(number).is_none_or(|n| n != 0.0),
    }
}

pub(super) fn is_nullish(value: &Value) -> bool {
    matches!(value, None | Some(Bson::Null | Bson::Undefined))
}

/// What is missing comes before everything but `MinKey`.
pub(super) fn order(a: &Value, b: &Value, collation: &Collation) -> Ordering {
    let missing = Bson::Undefined;
    collation.compare_values(a.as_ref().unwrap_or(&missing), b.as_ref().unwrap_or(&missing))
}

fn compared(arguments: &[Value], collation: &Collation, holds: impl Fn(Ordering) -> bool) -> Result<Value, CommandError> {
    match arguments {
        [a, b] => Ok(Some(Bson::Boolean(holds(order(a, b, collation))))),
        _ => Ok(None),
    }
}

pub(super) fn eq(arguments: &[Value], collation: &Collation) -> Result<Value, CommandError> {
    compared(arguments, collation, Ordering::is_eq)
}

pub(super) fn ne(arguments: &[Value], collation: &Collation) -> Result<Value, CommandError> {
    compared(arguments, collation, Ordering::is_ne)
}

pub(super) fn gt(arguments: &[Value], collation: &Collation) -> Result<Value, CommandError> {
    compared(arguments, collation, Ordering::is_gt)
}

pub(super) fn gte(arguments: &[Value], collation: &Collation) -> Result<Value, CommandError> {
    compared(arguments, collation, Ordering::is_ge)
}

pub(super) fn lt(arguments: &[Value], collation: &Collation) -> Result<Value, CommandError> {
    compared(arguments, collation, Ordering::is_lt)
}

pub(super) fn lte(arguments: &[Value], collation: &Collation) -> Result<Value, CommandError> {
    compared(arguments, collation, Ordering::is_le)
}

pub(super) fn cmp(arguments: &[Value], collation: &Collation) -> Result<Value, CommandError> {
    match arguments {
        [a, b] => Ok(Some(Bson::Int32(match order(a, b, collation) {
            Ordering::Less => -1,
            Ordering::Equal => 0,
            Ordering::Greater => 1,
        }))),
        _ => Ok(None),
    }
}

pub(super) fn not(arguments: &[Value]) -> Result<Value, CommandError> {
    Ok(Some(Bson::Boolean(!arguments.first().is_some_and(truth))))
}
