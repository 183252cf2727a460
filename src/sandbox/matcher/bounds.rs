//! Which part of an index can hold the documents that pass.

use bson::RawBsonRef;

use super::super::value::{Path, class, key};
use super::predicate::{Predicate, Range};
use super::{Matcher, Node, exact_key};

/// More ranges than this are not sought; the collection is scanned.
const MAX_RANGES: usize = 2_000;

impl Matcher {
    /// The ranges of keys, from the first to before the second, of an index over `paths`; `None` if it does not help.
    /// Documents found there must still be asked. In an index of arrays (`multikey`) different elements can pass different
    /// tests, so only one of them narrows it.
    pub(in crate::sandbox) fn ranges(&self, paths: &[Path], multikey: bool) -> Option<Vec<(Vec<u8>, Vec<u8>)>> {
        let mut prefixes = vec![Vec::new()];
        for (index, path) in paths.iter().enumerate() {
            if let Some(values) = self.equal_keys(path) {
                prefixes = prefixes
                    .iter()
                    .flat_map(|prefix| values.iter().map(move |value| [prefix.as_slice(), value].concat()))
                    .collect();
                if prefixes.len() > MAX_RANGES {
                    return None;
                }
                continue;
            }
            if let Some((low, high)) = self.interval(path, multikey) {
                return Some(prefixes.iter().map(|p| ([p.as_slice(), &low].concat(), [p.as_slice(), &high].concat())).collect());
            }
            if index == 0 {
                return None;
            }
            break;
        }
        // No class has the number 255.
        Some(prefixes.into_iter().map(|prefix| (prefix.clone(), [prefix.as_slice(), &[0xff]].concat())).collect())
    }

    fn tests<'a>(&'a self, path: &Path) -> Vec<&'a Predicate> {
        let mut tests = Vec::new();
        for node in &self.all {
            match node {
                Node::Field(at, predicate) if at == path => tests.push(predicate),
                Node::And(parts) => tests.extend(parts.iter().flat_map(|part| part.tests(path))),
                _ => {}
            }
        }
        tests
    }

    fn equal_keys(&self, path: &Path) -> Option<Vec<Vec<u8>>> {
        self.tests(path).into_iter().find_map(|test| match test {
            Predicate::Equal(value) => Some(vec![exact_key(value)?]),
            Predicate::In { values, patterns } if patterns.is_empty() => {
                let mut keys = values.iter().map(exact_key).collect::<Option<Vec<_>>>()?;
                keys.sort();
                keys.dedup();
                Some(keys)
            }
            _ => None,
        })
    }

    fn interval(&self, path: &Path, multikey: bool) -> Option<(Vec<u8>, Vec<u8>)> {
        let mut bounds: Option<(Vec<u8>, Vec<u8>)> = None;
        for test in self.tests(path) {
            let Predicate::Range(range, bound) = test else { continue };
            let bound = bound.as_raw_bson_ref();
            if matches!(
                bound,
                RawBsonRef::Null | RawBsonRef::Undefined | RawBsonRef::MinKey | RawBsonRef::MaxKey | RawBsonRef::Array(_)
            ) {
                continue;
            }
            let (low, high) = bounds.get_or_insert_with(|| (vec![class(bound)], vec![class(bound) + 1]));
            let at = key(bound);
            match range {
                Range::Greater | Range::GreaterOrEqual => *low = at.max(low.clone()),
                // Everything that begins with the key is at it.
                Range::Less | Range::LessOrEqual => *high = [at.as_slice(), &[0xff]].concat().min(high.clone()),
            }
            if multikey {
                break;
            }
        }
        bounds
    }
}
