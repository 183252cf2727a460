//! MongoDB's query language: a filter is [parsed](Matcher::parse_given) once and then asked about documents in their raw form.
//!
//! `parse` turns the filter into nodes and tests, or says what is wrong with it in MongoDB's words; `predicate` tests one
//! value. What the language has and this matcher has not is refused by name, never ignored.

mod bounds;
mod parse;
mod pcre;
mod position;
mod predicate;
mod schema;
mod search;
#[cfg(test)]
mod tests;

use bson::{RawBson, RawBsonRef, RawDocument};

use super::error::CommandError;
use super::expression::{Expression, Given, truth};
use super::value::{Collation, Leaf, Path};
pub(super) use bounds::{Bounds, Columns, directed};
pub(super) use parse::is_set;
use predicate::{Predicate, Wanted};
use schema::Schema;
pub(super) use search::{Groups, Regex};

/// A parsed filter.
#[derive(Debug, Clone)]
pub(super) struct Matcher {
    all: Vec<Node>,
}

#[derive(Debug, Clone)]
enum Node {
    /// Some value at the path passes the test.
    Field(Path, Predicate),
    /// No value at the path passes the test.
    NoField(Path, Predicate),
    And(Vec<Matcher>),
    Or(Vec<Matcher>),
    Nor(Vec<Matcher>),
    /// `$not` around several operators: not all of them hold.
    Not(Box<Matcher>),
    /// `$expr`: the expression is true of the document.
    Expression(Box<Expression>),
    /// `$jsonSchema`.
    Schema(Box<Schema>),
    /// One in so many documents, at random.
    Sample(f64),
    Never,
}

impl Matcher {
    /// The filter everything passes.
    pub(super) fn everything() -> Self {
        Self { all: Vec::new() }
    }

    /// Understands a filter alone.
    #[cfg(test)]
    pub(super) fn parse(filter: &RawDocument) -> Result<Self, CommandError> {
        parse::filter(filter, Given::nothing())
    }

    /// Understands a filter, which can use what its command gives.
    ///
    /// # Errors
    /// What is wrong with it, with MongoDB's code and words.
    pub(super) fn parse_given(filter: &RawDocument, given: &Given) -> Result<Self, CommandError> {
        parse::filter(filter, given)
    }

    /// Whether the document passes.
    ///
    /// # Errors
    /// An `$expr` that cannot be evaluated.
    pub(super) fn try_matches(&self, document: &RawDocument) -> Result<bool, CommandError> {
        for node in &self.all {
            if !node.matches(document)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether the document passes a filter that is without `$expr`, as all are that look at parts of documents.
    pub(super) fn matches(&self, document: &RawDocument) -> bool {
        self.try_matches(document).unwrap_or(false)
    }

    /// Whether there is an `$expr` in it.
    fn has_expression(&self) -> bool {
        self.all.iter().any(|node| match node {
            Node::Expression(_) => true,
            Node::And(parts) | Node::Or(parts) | Node::Nor(parts) => parts.iter().any(Self::has_expression),
            Node::Not(part) => part.has_expression(),
            _ => false,
        })
    }

    /// Whether every document passes.
    pub(super) fn is_everything(&self) -> bool {
        self.all.is_empty()
    }

    /// The fields a filter fixes to one value: what an upsert makes its new document from.
    pub(super) fn fixed_values(&self) -> Vec<(String, RawBson)> {
        let mut fixed = Vec::new();
        for node in &self.all {
            match node {
                Node::Field(path, Predicate::Equal(value)) => fixed.push((path.parts().join("."), value.value().clone())),
                // One of one is that one.
                Node::Field(path, Predicate::In { values, patterns }) if patterns.is_empty() => {
                    if let [value] = values.as_slice() {
                        fixed.push((path.parts().join("."), value.value().clone()));
                    }
                }
                Node::And(parts) => fixed.extend(parts.iter().flat_map(Matcher::fixed_values)),
                Node::Or(parts) if parts.len() == 1 => fixed.extend(parts.iter().flat_map(Matcher::fixed_values)),
                _ => {}
            }
        }
        // In the order of their names, as MongoDB makes documents of them.
        fixed.sort_by(|(a, _), (b, _)| a.cmp(b));
        fixed
    }
}

impl Wanted {
    /// The key of what equals this, as `collation` makes keys. Null also means missing, and an array may mean one of its
    /// elements: those have no single key; nor have strings that are compared by other rules than the keys are made by.
    fn exact_key(&self, collation: &Collation) -> Option<Vec<u8>> {
        let value = self.value().as_raw_bson_ref();
        (!matches!(value, RawBsonRef::Null | RawBsonRef::Array(_)) && self.compares_as(collation)).then(|| collation.key(value))
    }
}

impl Node {
    fn matches(&self, document: &RawDocument) -> Result<bool, CommandError> {
        Ok(match self {
            Self::Field(path, predicate) => some_value(document, path, predicate),
            Self::NoField(path, predicate) => !some_value(document, path, predicate),
            Self::And(parts) => !some_part(parts, document, false)?,
            Self::Or(parts) => some_part(parts, document, true)?,
            Self::Nor(parts) => !some_part(parts, document, true)?,
            Self::Not(part) => !part.try_matches(document)?,
            Self::Expression(expression) => truth(&expression.evaluate(document)?),
            Self::Schema(schema) => schema.matches(document),
            Self::Sample(rate) => rand::random::<f64>() < *rate,
            Self::Never => false,
        })
    }
}

/// Whether the verdict of some part is `wanted`.
fn some_part(parts: &[Matcher], document: &RawDocument, wanted: bool) -> Result<bool, CommandError> {
    for part in parts {
        if part.try_matches(document)? == wanted {
            return Ok(true);
        }
    }
    Ok(false)
}

fn some_value(document: &RawDocument, path: &Path, predicate: &Predicate) -> bool {
    let leaf = if predicate.looks_at_whole_arrays() { Leaf::Whole } else { Leaf::ElementsAndWhole };
    path.any(document, leaf, &mut |value| predicate.test(value))
}
