//! Which element of an array a filter found: what `$` stands for in an update or a projection.

use bson::{RawArray, RawBsonRef, RawDocument};

use super::super::value::Leaf;
use super::predicate::Predicate;
use super::{Matcher, Node};

impl Matcher {
    /// The index of the element that made `document` pass, in the last array the filter looked into.
    pub(in crate::sandbox) fn position(&self, document: &RawDocument) -> Option<usize> {
        self.all.iter().rev().find_map(|node| match node {
            Node::Field(path, predicate) => in_document(document, path.parts(), predicate),
            Node::And(parts) => parts.iter().rev().find_map(|part| part.position(document)),
            Node::Or(parts) => parts.iter().filter(|part| part.matches(document)).find_map(|part| part.position(document)),
            _ => None,
        })
    }
}

fn in_document(document: &RawDocument, parts: &[String], predicate: &Predicate) -> Option<usize> {
    let (first, rest) = parts.split_first()?;
    match document.get(first).ok().flatten()? {
        RawBsonRef::Document(inner) => in_document(inner, rest, predicate),
        RawBsonRef::Array(array) => in_array(array, rest, predicate),
        _ => None,
    }
}

fn in_array(array: &RawArray, rest: &[String], predicate: &Predicate) -> Option<usize> {
    let passes = |element: RawBsonRef<'_>| match (rest.split_first(), element) {
        (None, element) => predicate.test_element(element),
        (Some(_), RawBsonRef::Document(inner)) => {
            let leaf = if predicate.looks_at_whole_arrays() { Leaf::Whole } else { Leaf::ElementsAndWhole };
            super::super::value::Path::of(rest).any(inner, leaf, &mut |value| predicate.test(value))
        }
        _ => false,
    };
    let found = array.into_iter().flatten().position(passes);
    found.or_else(|| {
        rest.first().and_then(|index| index.parse::<usize>().ok()).filter(|index| array.get(*index).is_ok_and(|e| e.is_some()))
    })
}
