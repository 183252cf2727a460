use std::collections::HashSet;

use bson::{Bson, Document};

use super::super::error::{Code, CommandError};
use super::super::expression::{Value, mean, plus};
use super::super::value::{compare_values, double, is_number, key_of, narrow};

/// What is made of the values of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Sum,
    Avg,
    Min,
    Max,
    First,
    Last,
    Push,
    AddToSet,
    Count,
    MergeObjects,
    /// The standard deviation, of a sample or of the whole.
    Deviation {
        sample: bool,
    },
}

impl Kind {
    pub(super) fn of(name: &str) -> Option<Self> {
        Some(match name {
            "$sum" => Self::Sum,
            "$avg" => Self::Avg,
            "$min" => Self::Min,
            "$max" => Self::Max,
            "$first" => Self::First,
            "$last" => Self::Last,
            "$push" => Self::Push,
            "$addToSet" => Self::AddToSet,
            "$count" => Self::Count,
            "$mergeObjects" => Self::MergeObjects,
            "$stdDevPop" => Self::Deviation { sample: false },
            "$stdDevSamp" => Self::Deviation { sample: true },
            _ => return None,
        })
    }
}

/// What has been made so far.
#[derive(Debug)]
pub(super) enum Accumulator {
    Sum(Bson),
    Avg {
        sum: Bson,
        n: usize,
    },
    Best {
        best: Option<Bson>,
        greatest: bool,
    },
    First(Option<Value>),
    Last(Value),
    Push(Vec<Bson>),
    Set {
        seen: HashSet<Vec<u8>>,
        values: Vec<Bson>,
    },
    Count(i64),
    Merge(Document),
    /// Welford's method: the number of values, their mean, the sum of squared distances from it.
    Deviation {
        sample: bool,
        n: u32,
        mean: f64,
        squares: f64,
    },
}

impl Accumulator {
    pub(super) fn new(kind: Kind) -> Self {
        match kind {
            Kind::Sum => Self::Sum(Bson::Int32(0)),
            Kind::Avg => Self::Avg { sum: Bson::Int32(0), n: 0 },
            Kind::Min => Self::Best { best: None, greatest: false },
            Kind::Max => Self::Best { best: None, greatest: true },
            Kind::First => Self::First(None),
            Kind::Last => Self::Last(None),
            Kind::Push => Self::Push(Vec::new()),
            Kind::AddToSet => Self::Set { seen: HashSet::new(), values: Vec::new() },
            Kind::Count => Self::Count(0),
            Kind::MergeObjects => Self::Merge(Document::new()),
            Kind::Deviation { sample } => Self::Deviation { sample, n: 0, mean: 0.0, squares: 0.0 },
        }
    }

    /// Takes the value of one more document.
    pub(super) fn add(&mut self, value: Value) -> Result<(), CommandError> {
        match (self, value) {
            (Self::Sum(sum), Some(value)) if is_number(&value) => *sum = plus(sum, &value),
            (Self::Avg { sum, n }, Some(value)) if is_number(&value) => {
                *sum = plus(sum, &value);
                *n += 1;
            }
            (Self::Best { best, greatest }, Some(value)) if !matches!(value, Bson::Null | Bson::Undefined) => {
                let wins = best.as_ref().is_none_or(|known| {
                    let order = compare_values(&value, known);
                    if *greatest { order.is_gt() } else { order.is_lt() }
                });
                if wins {
                    *best = Some(value);
                }
            }
            (Self::First(first @ None), value) => *first = Some(value),
            (Self::Last(last), value) => *last = value,
            (Self::Push(values), Some(value)) => values.push(value),
            (Self::Set { seen, values }, Some(value)) => {
                let fresh = seen.insert(key_of(&value));
                values.extend(fresh.then_some(value));
            }
            (Self::Count(n), _) => *n += 1,
            (Self::Merge(merged), Some(Bson::Document(part))) => merged.extend(part),
            (Self::Merge(_), Some(other)) if !matches!(other, Bson::Null | Bson::Undefined) => {
                return Err(CommandError::new(Code::location(40400), "$mergeObjects requires object inputs"));
            }
            (Self::Deviation { n, mean, squares, .. }, Some(value)) => {
                if let Some(x) = double(&value) {
                    *n += 1;
                    let before = x - *mean;
                    *mean += before / f64::from(*n);
                    *squares += before * (x - *mean);
                }
            }
            _ => {}
        }
        Ok(())
    }

    pub(super) fn result(self) -> Result<Value, CommandError> {
        Ok(match self {
            Self::Sum(sum) => Some(sum),
            Self::Avg { n: 0, .. } => Some(Bson::Null),
            Self::Avg { sum, n } => mean(&sum, n)?,
            Self::Best { best, .. } => Some(best.unwrap_or(Bson::Null)),
            Self::First(first) => Some(first.flatten().unwrap_or(Bson::Null)),
            Self::Last(last) => Some(last.unwrap_or(Bson::Null)),
            Self::Push(values) | Self::Set { values, .. } => Some(Bson::Array(values)),
            Self::Count(n) => Some(narrow(n)),
            Self::Merge(merged) => Some(Bson::Document(merged)),
            Self::Deviation { sample, n, squares, .. } => {
                let of = if sample { n.saturating_sub(1) } else { n };
                Some(if of == 0 { Bson::Null } else { Bson::Double((squares / f64::from(of)).sqrt()) })
            }
        })
    }
}
