//! Which part of an index can hold the documents that pass.

use bson::RawBsonRef;

use super::super::value::{Collation, Path, class};
use super::predicate::{Predicate, Range};
use super::{Matcher, Node};

/// More ranges than this are not sought; the collection is scanned.
const MAX_RANGES: usize = 2_000;

/// The fields of an index, in order, each with whether its keys go down.
pub(in crate::sandbox) struct Columns<'a> {
    pub(in crate::sandbox) paths: &'a [(Path, bool)],
    /// How the index compares strings: a filter that compares them otherwise can use it for other values only.
    pub(in crate::sandbox) collation: &'a Collation,
    /// Whether a document may have several keys: then different elements can pass different tests, so only one narrows.
    pub(in crate::sandbox) multikey: bool,
}

/// Where an index has to be looked into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::sandbox) struct Bounds {
    /// Ranges of keys, in the index's order: each from its first key to before its second.
    pub(in crate::sandbox) ranges: Vec<(Vec<u8>, Vec<u8>)>,
    /// How many of the first fields are fixed to values.
    pub(in crate::sandbox) equal: usize,
    /// Whether the field after those is narrowed to an interval.
    pub(in crate::sandbox) interval: bool,
}

impl Bounds {
    /// The whole index.
    pub(in crate::sandbox) fn everything() -> Self {
        // No key begins with this byte.
        Self { ranges: vec![(Vec::new(), vec![0xff])], equal: 0, interval: false }
    }

    pub(in crate::sandbox) fn is_everything(&self) -> bool {
        self.equal == 0 && !self.interval
    }
}

impl Matcher {
    /// Where in an index the documents that pass can be; everywhere, if the filter does not narrow it. Documents found there
    /// must still be asked.
    pub(in crate::sandbox) fn bounds(&self, columns: &Columns<'_>) -> Bounds {
        let mut prefixes = vec![Vec::new()];
        let (mut equal, mut interval) = (0, false);
        for (place, (path, down)) in columns.paths.iter().enumerate() {
            let first = path.parts().first();
            let beside = |(known, _): &(Path, bool)| known.parts().first() == first;
            // A key's fields below one array are of one element of it, but a filter may mean several.
            if columns.multikey && columns.paths.iter().take(place).any(beside) {
                break;
            }
            if let Some(values) = self.equal_keys(path, columns.collation)
                && prefixes.len() * values.len() <= MAX_RANGES
            {
                prefixes = prefixes
                    .iter()
                    .flat_map(|prefix| values.iter().map(move |value| [prefix.as_slice(), &directed(value, *down)].concat()))
                    .collect();
                equal += 1;
                continue;
            }
            if let Some((low, high)) = self.interval(path, columns) {
                interval = true;
                let (first, last) = if *down { (directed(&high, true), directed(&low, true)) } else { (low, high) };
                let range = |prefix: &Vec<u8>| ([prefix.as_slice(), &first].concat(), after([prefix.as_slice(), &last].concat()));
                return Bounds { ranges: sorted(prefixes.iter().map(range).collect()), equal, interval };
            }
            break;
        }
        if equal == 0 {
            return Bounds::everything();
        }
        Bounds { ranges: sorted(prefixes.into_iter().map(|prefix| (prefix.clone(), after(prefix))).collect()), equal, interval }
    }

    /// Whether what passes this filter also passes `other`, as far as that is easily seen.
    pub(in crate::sandbox) fn implies(&self, other: &Self) -> bool {
        other.all.iter().all(|node| match node {
            Node::And(parts) => parts.iter().all(|part| self.implies(part)),
            Node::Field(path, wanted) => self.tests(path).into_iter().any(|known| known.implies(wanted)),
            _ => false,
        })
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

    fn equal_keys(&self, path: &Path, collation: &Collation) -> Option<Vec<Vec<u8>>> {
        self.tests(path).into_iter().find_map(|test| match test {
            Predicate::Equal(value) => Some(vec![value.exact_key(collation)?]),
            Predicate::In { values, patterns } if patterns.is_empty() => {
                let mut keys = values.iter().map(|value| value.exact_key(collation)).collect::<Option<Vec<_>>>()?;
                keys.sort();
                keys.dedup();
                Some(keys)
            }
            _ => None,
        })
    }

    /// What the keys of a field begin with at least and at most.
    fn interval(&self, path: &Path, columns: &Columns<'_>) -> Option<(Vec<u8>, Vec<u8>)> {
        let mut bounds: Option<(Vec<u8>, Vec<u8>)> = None;
        for test in self.tests(path) {
            let Predicate::Range(range, bound) = test else { continue };
            if !bound.compares_as(columns.collation) {
                continue;
            }
            let bound = bound.value().as_raw_bson_ref();
            if matches!(
                bound,
                RawBsonRef::Null | RawBsonRef::Undefined | RawBsonRef::MinKey | RawBsonRef::MaxKey | RawBsonRef::Array(_)
            ) {
                continue;
            }
            let (low, high) = bounds.get_or_insert_with(|| (vec![class(bound)], vec![class(bound)]));
            let at = columns.collation.key(bound);
            match range {
                Range::Greater | Range::GreaterOrEqual => *low = at.max(low.clone()),
                // One beginning of the other means it is the narrower one.
                Range::Less | Range::LessOrEqual => {
                    if at.starts_with(high) || at < *high {
                        *high = at;
                    }
                }
            }
            if columns.multikey {
                break;
            }
        }
        bounds
    }
}

/// A key of a field whose keys go down has all bits turned.
pub(in crate::sandbox) fn directed(key: &[u8], down: bool) -> Vec<u8> {
    if down { key.iter().map(|byte| !byte).collect() } else { key.to_vec() }
}

/// The least key after all that begin with `prefix`.
fn after(mut prefix: Vec<u8>) -> Vec<u8> {
    while let Some(last) = prefix.pop() {
        if let Some(next) = last.checked_add(1) {
            prefix.push(next);
            return prefix;
        }
    }
    vec![0xff]
}

/// In the index's order, those that touch nothing left out.
fn sorted(mut ranges: Vec<(Vec<u8>, Vec<u8>)>) -> Vec<(Vec<u8>, Vec<u8>)> {
    ranges.retain(|(low, high)| low < high);
    ranges.sort();
    ranges
}

#[cfg(test)]
mod tests {
    use bson::{RawDocumentBuf, rawdoc};
    use rstest::rstest;

    use super::*;

    fn bounds(filter: &RawDocumentBuf, down: bool) -> Bounds {
        let paths = [(Path::new("a"), down), (Path::new("b"), false)];
        Matcher::parse(filter).unwrap().bounds(&Columns { paths: &paths, collation: &Collation::SIMPLE, multikey: false })
    }

    fn holds(bounds: &Bounds, a: i32, down: bool) -> bool {
        let a = directed(&Collation::SIMPLE.key(RawBsonRef::Int32(a)), down);
        let key = [a, Collation::SIMPLE.key(RawBsonRef::String("b"))].concat();
        bounds.ranges.iter().any(|(low, high)| *low <= key && key < *high)
    }

    #[rstest]
    fn the_ranges_of_a_filter_hold_what_passes_it_in_both_directions(#[values(false, true)] down: bool) {
        let between = bounds(&rawdoc! { "a": { "$gt": 3, "$lte": 5 } }, down);
        assert_eq!([2, 3, 4, 5, 6].map(|a| holds(&between, a, down)), [false, true, true, true, false]);
        let below = bounds(&rawdoc! { "a": { "$lt": 5 } }, down);
        assert_eq!([-9, 5, 6].map(|a| holds(&below, a, down)), [true, true, false]);
        let some = bounds(&rawdoc! { "a": { "$in": [1, 4] } }, down);
        assert_eq!([0, 1, 2, 4].map(|a| holds(&some, a, down)), [false, true, false, true]);
        assert!(some.ranges.is_sorted());
        assert!(bounds(&rawdoc! { "b": 1 }, down).is_everything());
        assert!(bounds(&rawdoc! { "a": { "$gt": 5, "$lt": 3 } }, down).ranges.is_empty());
    }

    #[test]
    fn of_fields_below_an_array_only_the_first_narrows_the_search() {
        let paths = [(Path::new("c.a"), false), (Path::new("c.b"), false)];
        let filter = Matcher::parse(&rawdoc! { "c.a": 1, "c.b": 4 }).unwrap();
        let equal = |multikey| filter.bounds(&Columns { paths: &paths, collation: &Collation::SIMPLE, multikey }).equal;
        assert_eq!((equal(false), equal(true)), (2, 1), "{{c: [{{a: 1}}, {{b: 4}}]}} passes, too");
    }

    #[rstest]
    #[case(rawdoc! { "n": 7 }, rawdoc! { "n": { "$gt": 5 } }, true)]
    #[case(rawdoc! { "n": 3 }, rawdoc! { "n": { "$gt": 5 } }, false)]
    #[case(rawdoc! { "n": { "$gte": 6 } }, rawdoc! { "n": { "$gt": 5 } }, true)]
    #[case(rawdoc! { "n": { "$gt": 5 } }, rawdoc! { "n": { "$exists": true } }, true)]
    #[case(rawdoc! { "n": null }, rawdoc! { "n": { "$exists": true } }, false)]
    #[case(rawdoc! { "m": 1 }, rawdoc! { "n": { "$exists": true } }, false)]
    #[case(rawdoc! { "m": 1, "s": "x" }, rawdoc! { "s": "x" }, true)]
    fn a_filter_that_says_more_implies_one_that_says_less(
        #[case] more: RawDocumentBuf,
        #[case] less: RawDocumentBuf,
        #[case] expected: bool,
    ) {
        assert_eq!(Matcher::parse(&more).unwrap().implies(&Matcher::parse(&less).unwrap()), expected);
    }
}
