//! MongoDB's query language: a filter is [parsed](Matcher::parse) once and then asked about documents in their raw form.
//!
//! `parse` turns the filter into nodes and tests, or says what is wrong with it in MongoDB's words; `predicate` tests one
//! value. What the language has and this matcher has not is refused by name, never ignored.

mod parse;
mod position;
mod predicate;
#[cfg(test)]
mod tests;

use bson::{RawBson, RawBsonRef, RawDocument};

use super::error::CommandError;
use super::value::{self, Leaf, Path};
use predicate::Predicate;

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
    Never,
}

impl Matcher {
    /// Understands a filter.
    ///
    /// # Errors
    /// What is wrong with it, with MongoDB's code and words.
    pub(super) fn parse(filter: &RawDocument) -> Result<Self, CommandError> {
        parse::filter(filter)
    }

    /// Whether the document passes.
    pub(super) fn matches(&self, document: &RawDocument) -> bool {
        self.all.iter().all(|node| node.matches(document))
    }

    /// Whether every document passes.
    pub(super) fn is_everything(&self) -> bool {
        self.all.is_empty()
    }

    /// If only documents with certain `_id`s can pass: the keys of those. `matches` must still be asked.
    pub(super) fn id_keys(&self) -> Option<Vec<Vec<u8>>> {
        self.all.iter().find_map(|node| match node {
            Node::Field(path, predicate) if path.parts() == ["_id"] => {
                let mut keys = match predicate {
                    Predicate::Equal(id) => vec![exact_key(id)?],
                    Predicate::In { values, patterns } if patterns.is_empty() => {
                        values.iter().map(exact_key).collect::<Option<Vec<_>>>()?
                    }
                    _ => return None,
                };
                keys.sort();
                keys.dedup();
                Some(keys)
            }
            Node::And(parts) => parts.iter().find_map(Matcher::id_keys),
            _ => None,
        })
    }

    /// The fields a filter fixes to one value: what an upsert makes its new document from.
    pub(super) fn fixed_values(&self) -> Vec<(String, RawBson)> {
        let mut fixed = Vec::new();
        for node in &self.all {
            match node {
                Node::Field(path, Predicate::Equal(value)) => fixed.push((path.parts().join("."), value.clone())),
                Node::And(parts) => fixed.extend(parts.iter().flat_map(Matcher::fixed_values)),
                Node::Or(parts) if parts.len() == 1 => fixed.extend(parts.iter().flat_map(Matcher::fixed_values)),
                _ => {}
            }
        }
        fixed
    }
}

/// Null also means missing, and an array may mean one of its elements: those have no single key.
fn exact_key(value: &RawBson) -> Option<Vec<u8>> {
    let value = value.as_raw_bson_ref();
    (!matches!(value, RawBsonRef::Null | RawBsonRef::Array(_))).then(|| value::key(value))
}

impl Node {
    fn matches(&self, document: &RawDocument) -> bool {
        match self {
            Self::Field(path, predicate) => some_value(document, path, predicate),
            Self::NoField(path, predicate) => !some_value(document, path, predicate),
            Self::And(parts) => parts.iter().all(|part| part.matches(document)),
            Self::Or(parts) => parts.iter().any(|part| part.matches(document)),
            Self::Nor(parts) => !parts.iter().any(|part| part.matches(document)),
            Self::Not(part) => !part.matches(document),
            Self::Never => false,
        }
    }
}

fn some_value(document: &RawDocument, path: &Path, predicate: &Predicate) -> bool {
    let leaf = if predicate.looks_at_whole_arrays() { Leaf::Whole } else { Leaf::ElementsAndWhole };
    path.any(document, leaf, &mut |value| predicate.test(value))
}
