use std::cmp::Ordering;

use bson::{RawBson, RawBsonRef};

use super::super::value::{Collation, Decimal, class, compare, type_number};
use super::Matcher;
use super::search::Regex;

/// A test of one value; `None` is a missing field.
#[derive(Debug, Clone)]
pub(super) enum Predicate {
    Equal(Wanted),
    Range(Range, Wanted),
    In {
        values: Vec<Wanted>,
        patterns: Vec<Pattern>,
    },
    Exists,
    Type(Vec<i32>),
    Size(i64),
    Mod {
        divisor: i64,
        remainder: i64,
    },
    /// All bits of the mask, or some, are set, or clear.
    Bits {
        mask: u64,
        all: bool,
        set: bool,
    },
    Pattern(Pattern),
    /// `$elemMatch` with a filter: some element is a document that passes.
    ElementDocument(Box<Matcher>),
    /// `$elemMatch` with operators: some element passes all of these.
    ElementValue(Vec<ElementTest>),
}

/// One operator inside an `$elemMatch`, asked of an element as it is.
#[derive(Debug, Clone)]
pub(super) enum ElementTest {
    Passes(Predicate),
    Fails(Predicate),
    /// Some of these does not hold.
    NotAll(Vec<ElementTest>),
    Never,
}

impl ElementTest {
    fn holds(&self, element: RawBsonRef<'_>) -> bool {
        match self {
            Self::Passes(test) => test.test(Some(element)),
            Self::Fails(test) => !test.test(Some(element)),
            Self::NotAll(tests) => !all_hold(tests, element),
            Self::Never => false,
        }
    }
}

fn all_hold(tests: &[ElementTest], element: RawBsonRef<'_>) -> bool {
    tests.iter().all(|test| test.holds(element))
}

/// A value to compare with, and by which rules.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    value: RawBson,
    collation: Collation,
}

impl Wanted {
    pub(super) fn new(value: RawBsonRef<'_>, collation: &Collation) -> Self {
        Self { value: value.into(), collation: collation.clone() }
    }

    pub(super) fn value(&self) -> &RawBson {
        &self.value
    }

    /// Whether keys made by `collation` tell what equals this.
    pub(super) fn compares_as(&self, collation: &Collation) -> bool {
        let value = self.value.as_raw_bson_ref();
        self.collation == *collation || self.collation.is_indifferent_to(value) && collation.is_indifferent_to(value)
    }

    /// Null equals what is missing.
    fn equals(&self, value: Option<RawBsonRef<'_>>) -> bool {
        match (self.value.as_raw_bson_ref(), value) {
            (RawBsonRef::Null, None) => true,
            (_, None) => false,
            (RawBsonRef::Null, Some(RawBsonRef::Undefined)) => true,
            (wanted, Some(value)) => class(wanted) == class(value) && self.collation.compare(wanted, value).is_eq(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Range {
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

/// A regular expression, with its source: it also equals the stored regular expression of the same source.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    pub(super) regex: Regex,
    pub(super) source: RawBson,
}

impl Pattern {
    fn test(&self, value: RawBsonRef<'_>) -> bool {
        match value {
            RawBsonRef::String(text) | RawBsonRef::Symbol(text) => self.regex.is_match(text),
            RawBsonRef::RegularExpression(_) => compare(value, self.source.as_raw_bson_ref()).is_eq(),
            _ => false,
        }
    }
}

impl Predicate {
    /// Whether an array is to be tested itself instead of its elements.
    pub(super) fn looks_at_whole_arrays(&self) -> bool {
        matches!(self, Self::Exists | Self::Size(_) | Self::ElementDocument(_) | Self::ElementValue(_))
    }

    /// Whether one element of an array would pass alone.
    pub(super) fn test_element(&self, element: RawBsonRef<'_>) -> bool {
        match self {
            Self::ElementDocument(matcher) => element.as_document().is_some_and(|document| matcher.matches(document)),
            Self::ElementValue(tests) => all_hold(tests, element),
            Self::Exists | Self::Size(_) => false,
            _ => self.test(Some(element)),
        }
    }

    /// Whether every value that passes this also passes `other`, as far as that is easily seen.
    pub(super) fn implies(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Equal(value), _) => {
                let value = value.value.as_raw_bson_ref();
                !matches!(value, RawBsonRef::Array(_) | RawBsonRef::Null) && other.test(Some(value))
            }
            (Self::In { values, patterns }, _) => {
                patterns.is_empty() && values.iter().all(|value| Self::Equal(value.clone()).implies(other))
            }
            (Self::Range(_, bound), Self::Exists) => !matches!(bound.value, RawBson::Null | RawBson::MinKey | RawBson::MaxKey),
            (Self::Range(range, bound), Self::Range(wanted, than)) => {
                let upward = |range: &Range| matches!(range, Range::Greater | Range::GreaterOrEqual);
                upward(range) == upward(wanted) && other.test(Some(bound.value.as_raw_bson_ref()))
                    || range == wanted && bound.equals(Some(than.value.as_raw_bson_ref()))
            }
            (Self::Exists, Self::Exists) => true,
            _ => false,
        }
    }

    pub(super) fn test(&self, value: Option<RawBsonRef<'_>>) -> bool {
        match (self, value) {
            (Self::Equal(wanted), _) => wanted.equals(value),
            (Self::Range(range, bound), _) => in_range(*range, bound, value),
            (Self::In { values, patterns }, _) => {
                values.iter().any(|wanted| wanted.equals(value)) || value.is_some_and(|v| patterns.iter().any(|p| p.test(v)))
            }
            (_, None) => false,
            (Self::Exists, Some(_)) => true,
            (Self::Type(numbers), Some(value)) => numbers.contains(&type_number(value)),
            (Self::Size(size), Some(RawBsonRef::Array(array))) => {
                i64::try_from(array.into_iter().count()).is_ok_and(|n| n == *size)
            }
            (Self::Mod { divisor, remainder }, Some(value)) => {
                whole(value).and_then(|n| n.checked_rem(*divisor)).is_some_and(|rest| rest == *remainder)
            }
            (Self::Bits { mask, all, set }, Some(value)) => bits_of(value).is_some_and(|value| {
                let bits = if *set { value } else { !value } & mask;
                if *all { bits == *mask } else { bits != 0 }
            }),
            (Self::Pattern(pattern), Some(value)) => pattern.test(value),
            (Self::ElementDocument(matcher), Some(RawBsonRef::Array(array))) => {
                array.into_iter().flatten().any(|e| e.as_document().is_some_and(|d| matcher.matches(d)))
            }
            (Self::ElementValue(tests), Some(RawBsonRef::Array(array))) => {
                array.into_iter().flatten().any(|element| all_hold(tests, element))
            }
            (Self::Size(_) | Self::ElementDocument(_) | Self::ElementValue(_), Some(_)) => false,
        }
    }
}

/// Only values of comparable types are in a range, except that everything lies between `MinKey` and `MaxKey`.
fn in_range(range: Range, wanted: &Wanted, value: Option<RawBsonRef<'_>>) -> bool {
    let bound = wanted.value.as_raw_bson_ref();
    let or_equal = matches!(range, Range::GreaterOrEqual | Range::LessOrEqual);
    let Some(value) = value else {
        let upward = matches!(range, Range::Greater | Range::GreaterOrEqual);
        return match bound {
            RawBsonRef::Null => or_equal,
            RawBsonRef::MinKey => upward,
            RawBsonRef::MaxKey => !upward,
            _ => false,
        };
    };
    let unbounded = matches!(bound, RawBsonRef::MinKey | RawBsonRef::MaxKey);
    if !unbounded && class(value) != class(bound) {
        return false;
    }
    if is_nan(value) || is_nan(bound) {
        return or_equal && is_nan(value) && is_nan(bound);
    }
    match wanted.collation.compare(value, bound) {
        Ordering::Equal => or_equal,
        Ordering::Greater => matches!(range, Range::Greater | Range::GreaterOrEqual),
        Ordering::Less => matches!(range, Range::Less | Range::LessOrEqual),
    }
}

/// The lowest 64 bits of a number without a fraction, or of a binary value, whose first byte is the lowest.
fn bits_of(value: RawBsonRef<'_>) -> Option<u64> {
    match value {
        // One with a fraction is no number of bits.
        RawBsonRef::Double(n) if n.fract() != 0.0 => None,
        RawBsonRef::Decimal128(n) => Decimal::parse(&n.to_string())?.whole().map(i64::cast_unsigned),
        RawBsonRef::Binary(binary) => {
            let mut lowest = [0; 8];
            lowest.iter_mut().zip(binary.bytes).for_each(|(to, from)| *to = *from);
            Some(u64::from_le_bytes(lowest))
        }
        number => whole(number).map(i64::cast_unsigned),
    }
}

fn is_nan(value: RawBsonRef<'_>) -> bool {
    match value {
        RawBsonRef::Double(n) => n.is_nan(),
        RawBsonRef::Decimal128(n) => n.to_string() == "NaN",
        _ => false,
    }
}

/// A number without its fraction, as `$mod` takes it; `None` for what is no number or does not fit.
#[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)] // in range, and the fraction shall go
pub(super) fn whole(value: RawBsonRef<'_>) -> Option<i64> {
    match value {
        RawBsonRef::Int32(n) => Some(i64::from(n)),
        RawBsonRef::Int64(n) => Some(n),
        RawBsonRef::Double(n) => (n.is_finite() && n.abs() < i64::MAX as f64).then_some(n as i64),
        RawBsonRef::Decimal128(n) => whole(RawBsonRef::Double(n.to_string().parse().ok()?)),
        _ => None,
    }
}
