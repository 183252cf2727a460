//! RQL, the query language of Connect's lists: `and(eq(id,PR-1),in(status,(pending,approved)))&limit=10&ordering(-created)`.
//!
//! [`Query::parse`] reads a query string; [`Query::matches`] asks one object; [`Query::sort`] orders a list.

mod eval;
mod parse;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

pub(crate) use parse::percent_decode;
use serde_json::Value;
use thiserror::Error;

use crate::observe::fields;

/// A query string that is no RQL.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{reason} at character {offset} of the query")]
pub(crate) struct RqlError {
    /// What is wrong.
    pub(crate) reason: String,
    /// Where, counted in characters of the decoded query.
    pub(crate) offset: usize,
}

/// A whole query: which objects, in which order, how many.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Query {
    /// All of these must hold.
    pub(crate) filter: Vec<Filter>,
    /// Fields, the first most important; `true` is descending.
    pub(crate) ordering: Vec<(Vec<String>, bool)>,
    /// Fields that are left out.
    pub(crate) without: Vec<Vec<String>>,
    /// How many at most.
    pub(crate) limit: Option<u64>,
    /// How many to pass over.
    pub(crate) offset: u64,
}

/// A condition on an object.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Filter {
    /// All.
    And(Vec<Filter>),
    /// Any.
    Or(Vec<Filter>),
    /// Not.
    Not(Box<Filter>),
    /// A comparison of one field; the path is its dotted name.
    Compare(Vec<String>, Comparison, Operand),
    /// Whether a field has one of these values.
    In(Vec<String>, Vec<Operand>),
}

/// How a field is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    /// `eq`, `field=value`
    Equal,
    /// `gt`
    Greater,
    /// `ge`
    GreaterOrEqual,
    /// `lt`
    Less,
    /// `le`
    LessOrEqual,
    /// `like`: `*` stands for any text.
    Like,
    /// `ilike`: the same, whatever the case.
    Ilike,
}

/// What a field is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Operand {
    /// A value, as it was written.
    Text(String),
    /// `null()`
    Null,
    /// `empty()`
    Empty,
}

impl Query {
    /// The id every matching object must have, if the query pins one: the way past a search of the whole list.
    pub(crate) fn pinned_id(&self) -> Option<&str> {
        pinned(&self.filter)
    }

    /// The object of a text, as far as it matters for the answer: counting takes no more than a [glance](Self::glance).
    pub(crate) fn read(&self, text: &str) -> serde_json::Result<Value> {
        if self.limit == Some(0) { self.glance(text) } else { serde_json::from_str(text) }
    }

    /// The object of a text, as far as the conditions and the order look at it.
    pub(crate) fn glance(&self, text: &str) -> serde_json::Result<Value> {
        let mut names = BTreeSet::new();
        names.extend(self.ordering.iter().filter_map(|(path, _)| path.first().map(String::as_str)));
        self.filter.iter().for_each(|filter| filter.asks(&mut names));
        fields(text, &names)
    }
}

impl Filter {
    /// The fields it looks at.
    fn asks<'a>(&'a self, names: &mut BTreeSet<&'a str>) {
        match self {
            Self::And(inner) | Self::Or(inner) => inner.iter().for_each(|filter| filter.asks(names)),
            Self::Not(inner) => inner.asks(names),
            Self::Compare(path, ..) | Self::In(path, _) => names.extend(path.first().map(String::as_str)),
        }
    }
}

fn pinned(filters: &[Filter]) -> Option<&str> {
    filters.iter().find_map(|filter| match filter {
        Filter::And(inner) => pinned(inner),
        Filter::Compare(path, Comparison::Equal, Operand::Text(id)) if path.len() == 1 && path.first()? == "id" => {
            Some(id.as_str())
        }
        _ => None,
    })
}
