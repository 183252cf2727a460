//! What all parts of the sandbox need to know about BSON values: how they [compare](compare) across types, the [bytes
//! that sort like them](key) (keys of `_id`, of sorting, of grouping, of indexes), both also by the rules of a language
//! ([`Collation`]); where a [path](Path) leads in a document, and how MongoDB [writes them](shell) in its messages.

mod arithmetic;
mod collation;
mod decimal;
mod key;
mod number;
mod owned;
mod path;
mod sum;
mod text;
pub(super) mod transcendental;
mod valid;

pub(super) use arithmetic::{
    Op, Trouble, calculate, calculate_wide, double, exact, is_number, long, narrow, special_decimal, whole_number,
};
pub(super) use collation::{Collation, RULES};
pub(super) use decimal::{Decimal, Way};
pub(super) use key::{class, compare, key};
pub(super) use owned::{alias_of, compare_values, shell_of};
pub(super) use path::{Leaf, Path};
pub(super) use sum::Sum;
pub(super) use text::{double_text, shell, type_alias, type_from_alias, type_number};
pub(super) use valid::{MAX_DOCUMENT, check_document, check_id, with_id_first};
