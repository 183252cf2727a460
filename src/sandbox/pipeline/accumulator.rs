use std::collections::{HashSet, VecDeque};

use bson::{Bson, Document};

use super::super::error::{Code, CommandError};
use super::super::expression::{Value, mean};
use super::super::value::{Collation, Sum, double, is_number, narrow};

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
    /// The first or last values that come.
    FirstN(usize),
    LastN(usize),
    /// The least or greatest values.
    MinN(usize),
    MaxN(usize),
    /// The values of the documents that come first or last in an order; one alone is no array.
    Top(usize, bool),
    Bottom(usize, bool),
}

impl Kind {
    /// The kinds that are made of one expression.
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
#[derive(Debug, Clone)]
pub(super) enum Accumulator {
    Sum(Sum),
    Avg {
        sum: Sum,
        n: usize,
    },
    Best {
        best: Option<Bson>,
        greatest: bool,
        collation: Collation,
    },
    First(Option<Value>),
    Last(Value),
    Push(Vec<Bson>),
    Set {
        seen: HashSet<Vec<u8>>,
        values: Vec<Bson>,
        collation: Collation,
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
    Several {
        n: usize,
        last: bool,
        values: VecDeque<Bson>,
    },
    Ranked(Ranked),
}

/// The `n` values that rank first, or last.
#[derive(Debug, Clone)]
pub(super) struct Ranked {
    n: usize,
    /// Whether those count that rank last.
    last: bool,
    /// Whether what ranks last comes first in the answer.
    turned: bool,
    alone: bool,
    /// What a value ranks by if not by its document's place in an order.
    by_value: Option<Collation>,
    rows: Vec<(Vec<u8>, Bson)>,
}

impl Ranked {
    fn add(&mut self, value: Value, place: Option<Vec<u8>>) {
        let row = match (&self.by_value, value) {
            (Some(_), None | Some(Bson::Null | Bson::Undefined)) => return,
            (Some(collation), Some(value)) => (collation.key_of(&value), value),
            (None, value) => (place.unwrap_or_default(), value.unwrap_or(Bson::Null)),
        };
        self.rows.push(row);
        // Now and then what cannot count any more is let go.
        if self.rows.len() > self.n.saturating_mul(2).saturating_add(64) {
            self.prune();
        }
    }

    fn prune(&mut self) {
        // Stable: what ranks equally stays in the order it came.
        self.rows.sort_by(|(a, _), (b, _)| a.cmp(b));
        if self.last {
            self.rows.drain(..self.rows.len().saturating_sub(self.n));
        } else {
            self.rows.truncate(self.n);
        }
    }

    fn result(mut self) -> Bson {
        self.prune();
        let mut values: Vec<Bson> = self.rows.into_iter().map(|(_, value)| value).collect();
        if self.turned {
            values.reverse();
        }
        if self.alone { values.pop().unwrap_or(Bson::Null) } else { Bson::Array(values) }
    }
}

impl Accumulator {
    pub(super) fn new(kind: Kind, collation: &Collation) -> Self {
        match kind {
            Kind::Sum => Self::Sum(Sum::default()),
            Kind::Avg => Self::Avg { sum: Sum::default(), n: 0 },
            Kind::Min => Self::Best { best: None, greatest: false, collation: collation.clone() },
            Kind::Max => Self::Best { best: None, greatest: true, collation: collation.clone() },
            Kind::First => Self::First(None),
            Kind::Last => Self::Last(None),
            Kind::Push => Self::Push(Vec::new()),
            Kind::AddToSet => Self::Set { seen: HashSet::new(), values: Vec::new(), collation: collation.clone() },
            Kind::Count => Self::Count(0),
            Kind::MergeObjects => Self::Merge(Document::new()),
            Kind::Deviation { sample } => Self::Deviation { sample, n: 0, mean: 0.0, squares: 0.0 },
            Kind::FirstN(n) => Self::Several { n, last: false, values: VecDeque::new() },
            Kind::LastN(n) => Self::Several { n, last: true, values: VecDeque::new() },
            Kind::MinN(n) | Kind::MaxN(n) => {
                let last = matches!(kind, Kind::MaxN(_));
                let by_value = Some(collation.clone());
                Self::Ranked(Ranked { n, last, turned: last, alone: false, by_value, rows: Vec::new() })
            }
            Kind::Top(n, alone) | Kind::Bottom(n, alone) => {
                let last = matches!(kind, Kind::Bottom(..));
                Self::Ranked(Ranked { n, last, turned: false, alone, by_value: None, rows: Vec::new() })
            }
        }
    }

    /// Takes the value of one more document; `place` is the document's in an order, for those that rank by one.
    pub(super) fn add(&mut self, value: Value, place: Option<Vec<u8>>) -> Result<(), CommandError> {
        match (self, value) {
            (Self::Ranked(ranked), value) => ranked.add(value, place),
            (Self::Several { n, last, values }, value) => {
                if *last || values.len() < *n {
                    values.push_back(value.unwrap_or(Bson::Null));
                }
                if values.len() > *n {
                    values.pop_front();
                }
            }
            (Self::Sum(sum), Some(value)) => sum.add(&value),
            (Self::Avg { sum, n }, Some(value)) if is_number(&value) => {
                sum.add(&value);
                *n += 1;
            }
            (Self::Best { best, greatest, collation }, Some(value)) if !matches!(value, Bson::Null | Bson::Undefined) => {
                let wins = best.as_ref().is_none_or(|known| {
                    let order = collation.compare_values(&value, known);
                    if *greatest { order.is_gt() } else { order.is_lt() }
                });
                if wins {
                    *best = Some(value);
                }
            }
            (Self::First(first @ None), value) => *first = Some(value),
            (Self::Last(last), value) => *last = value,
            (Self::Push(values), Some(value)) => values.push(value),
            (Self::Set { seen, values, collation }, Some(value)) => {
                let fresh = seen.insert(collation.key_of(&value));
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
            Self::Sum(sum) => Some(sum.total()),
            Self::Avg { n: 0, .. } => Some(Bson::Null),
            Self::Avg { sum, n } => mean(&sum.total(), n)?,
            Self::Best { best, .. } => Some(best.unwrap_or(Bson::Null)),
            Self::First(first) => Some(first.flatten().unwrap_or(Bson::Null)),
            Self::Last(last) => Some(last.unwrap_or(Bson::Null)),
            Self::Push(values) | Self::Set { values, .. } => Some(Bson::Array(values)),
            Self::Several { values, .. } => Some(Bson::Array(values.into())),
            Self::Ranked(ranked) => Some(ranked.result()),
            Self::Count(n) => Some(narrow(n)),
            Self::Merge(merged) => Some(Bson::Document(merged)),
            Self::Deviation { sample, n, squares, .. } => {
                let of = if sample { n.saturating_sub(1) } else { n };
                Some(if of == 0 { Bson::Null } else { Bson::Double((squares / f64::from(of)).sqrt()) })
            }
        })
    }
}
