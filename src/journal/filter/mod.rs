//! Which deliveries to show: one line a developer types, such as
//! `type~purchase result=fail since=2h asset.product.id=PRD-276-377-545 body~timeout`.
//!
//! Everything given must fit. The line is [parsed](parse) into [`Term`]s, of which those about columns become [SQL](sql)
//! and those about payloads are [checked](payload) on what is left, newest first.

mod parse;
mod payload;
mod sql;

#[cfg(test)]
mod tests;

pub use parse::FilterError;
pub(super) use payload::{Needle, Place, fits};
pub(super) use sql::{Conditions, conditions};

use serde::{Deserialize, Serialize};

use crate::observe::Timestamp;

/// Which deliveries to list. Everything given must fit; texts fit where they are contained, letter case aside.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct DeliveryFilter {
    /// In type, object, result, reason or task id.
    pub text: Option<String>,
    /// In none of those.
    pub without: Option<String>,
    /// The event type, whole.
    pub event_type: Option<String>,
    /// The object's id, whole.
    pub object_id: Option<String>,
    /// The result, whole.
    pub result: Option<String>,
    /// Only those for which a saga was resolved.
    pub saga: bool,
    /// What was typed besides.
    pub terms: Vec<Term>,
}

/// One condition of a filter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Term {
    /// A text in type, object, result, reason or task id; or, negated, in none of them.
    Text {
        /// In lower case.
        text: String,
        /// Whether it must not be there.
        not: bool,
    },
    /// Something of the delivery itself.
    Column {
        /// What.
        column: Column,
        /// How it is compared.
        op: Op,
        /// With any of these.
        values: Vec<String>,
    },
    /// When it arrived.
    Time {
        /// Not before the moment, or not after it.
        since: bool,
        /// The moment.
        moment: Moment,
    },
    /// A field of the object, by its path. Lists on the way are looked through.
    Path {
        /// The path's names.
        path: Vec<String>,
        /// How it is compared.
        op: Op,
        /// With any of these.
        values: Vec<String>,
    },
    /// A text anywhere in what was seen of the delivery: task, object, calls, documents, logs.
    Body {
        /// In lower case.
        text: String,
        /// Whether it must not be there.
        not: bool,
    },
    /// What is special about it: `pinned`, `replay`, or one of its marks.
    Mark {
        /// Which.
        mark: String,
        /// Whether it must not be so.
        not: bool,
    },
}

/// What can be compared of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Column {
    /// Its number.
    Id,
    /// The task.
    Task,
    /// `background`, `interactive`, `scheduled`.
    Category,
    /// The event type.
    Type,
    /// The object's id.
    Object,
    /// The object's status as it was fetched.
    Status,
    /// How it ended; `running`, `no_runner` and `interrupted` count as results here.
    Result,
    /// The reason.
    Reason,
    /// Where it came from.
    Origin,
    /// Which delivery it replays.
    Replay,
    /// Which delivery of its object it is.
    Try,
    /// How long it took, in microseconds.
    Took,
    /// How many API calls it made.
    Calls,
    /// How many store calls.
    Writes,
}

/// How something is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    /// `=`
    Is,
    /// `!=`
    IsNot,
    /// `~`: contains, letter case aside.
    Has,
    /// `!~`
    HasNot,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    Greater,
    /// `>=`
    AtLeast,
}

/// A moment, which may move with the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Moment {
    /// So many microseconds ago.
    Ago(i64),
    /// Then.
    At(Timestamp),
}

impl Moment {
    /// When that is, seen from `now`.
    #[must_use]
    pub fn at(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Ago(micros) => Timestamp(now.0.saturating_sub(micros)),
            Self::At(moment) => moment,
        }
    }
}

impl DeliveryFilter {
    /// A filter as a developer types it.
    ///
    /// # Errors
    /// [`FilterError`] says what is wrong, and where.
    pub fn parse(line: &str) -> Result<Self, FilterError> {
        Ok(Self { terms: parse::terms(line)?, ..Self::default() })
    }

    /// The paths of one name: a field at the top of an object, or a mistyped column.
    pub(crate) fn single_names(&self) -> impl Iterator<Item = &str> {
        self.terms.iter().filter_map(|term| match term {
            Term::Path { path, .. } => match path.as_slice() {
                [name] => Some(name.as_str()),
                _ => None,
            },
            _ => None,
        })
    }

    /// Whether payloads must be read to tell what fits: then a long journal is looked through piece by piece.
    #[must_use]
    pub fn reads_payloads(&self) -> bool {
        self.terms.iter().any(|term| matches!(term, Term::Path { .. } | Term::Body { .. }))
    }
}
