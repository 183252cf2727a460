//! The same questions about values that are built up, not read: expressions and updates work with them.

use std::cmp::Ordering;

use bson::{Bson, RawBson};

use super::{compare, shell, type_alias};

fn raw(value: &Bson) -> RawBson {
    // Only what cannot be BSON at all fails, and that has been refused when it was read.
    RawBson::try_from(value.clone()).unwrap_or(RawBson::Null)
}

/// Which of two values comes first.
pub(in crate::sandbox) fn compare_values(a: &Bson, b: &Bson) -> Ordering {
    match (a, b) {
        (Bson::Int32(x), Bson::Int32(y)) => x.cmp(y),
        (Bson::Int64(x), Bson::Int64(y)) => x.cmp(y),
        (Bson::String(x), Bson::String(y)) => x.as_bytes().cmp(y.as_bytes()),
        (Bson::ObjectId(x), Bson::ObjectId(y)) => x.bytes().cmp(&y.bytes()),
        (Bson::Boolean(x), Bson::Boolean(y)) => x.cmp(y),
        (Bson::DateTime(x), Bson::DateTime(y)) => x.cmp(y),
        _ => compare(raw(a).as_raw_bson_ref(), raw(b).as_raw_bson_ref()),
    }
}

/// The alias of a value's type.
pub(in crate::sandbox) fn alias_of(value: &Bson) -> &'static str {
    type_alias(raw(value).as_raw_bson_ref())
}

/// A value as MongoDB writes it in its messages.
pub(in crate::sandbox) fn shell_of(value: &Bson) -> String {
    shell(raw(value).as_raw_bson_ref())
}
