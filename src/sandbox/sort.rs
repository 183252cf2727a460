//! In which order documents are answered: every document gets a key whose bytes sort as wanted.

use bson::{RawBsonRef, RawDocument};

use super::error::{Code, CommandError};
use super::value::{Collation, Leaf, Path};

/// A parsed sort: paths, and whether each goes down.
#[derive(Debug, Clone)]
pub(super) struct Sort {
    keys: Vec<(Path, bool)>,
    collation: Collation,
}

/// A sort of more keys than this is refused.
const MAX_KEYS: usize = 32;

impl Sort {
    /// Understands a sort; `None` for an empty one and for `{$natural: 1}`.
    ///
    /// # Errors
    /// A direction that is neither 1 nor -1; too many keys.
    pub(super) fn parse(spec: &RawDocument, collation: &Collation) -> Result<Option<Self>, CommandError> {
        let mut keys = Vec::new();
        for element in spec.iter() {
            let (name, value) = element?;
            let down = match value {
                RawBsonRef::Int32(1) | RawBsonRef::Int64(1) => false,
                RawBsonRef::Int32(-1) | RawBsonRef::Int64(-1) => true,
                RawBsonRef::Double(n) if (n - 1.0).abs() < f64::EPSILON => false,
                RawBsonRef::Double(n) if (n + 1.0).abs() < f64::EPSILON => true,
                RawBsonRef::Document(_) => return Err(CommandError::not_implemented("sorting by $meta")),
                _ => {
                    let message = "$sort key ordering must be 1 (for ascending) or -1 (for descending)";
                    return Err(CommandError::new(Code::location(15975), message));
                }
            };
            match (name.as_str(), down) {
                // That is an order without keys.
                ("$natural", _) => {}
                (path, _) => keys.push((Path::new(path), down)),
            }
        }
        if keys.len() > MAX_KEYS {
            return Err(CommandError::new(Code::location(13103), "too many compound keys"));
        }
        Ok((!keys.is_empty()).then(|| Self { keys, collation: collation.clone() }))
    }

    /// The paths, each with whether it goes down.
    pub(super) fn keys(&self) -> &[(Path, bool)] {
        &self.keys
    }

    pub(super) fn collation(&self) -> &Collation {
        &self.collation
    }

    /// The key of a document. An array sorts by its least element upwards and by its greatest downwards.
    pub(super) fn key(&self, document: &RawDocument) -> Vec<u8> {
        let mut key = Vec::with_capacity(16 * self.keys.len());
        for (path, down) in &self.keys {
            let mut best: Option<Vec<u8>> = None;
            path.any(document, Leaf::Elements, &mut |value| {
                let mut candidate = Vec::with_capacity(16);
                self.collation.encode(value.unwrap_or(RawBsonRef::Null), &mut candidate);
                if *down {
                    candidate.iter_mut().for_each(|byte| *byte = !*byte);
                }
                if best.as_ref().is_none_or(|known| candidate < *known) {
                    best = Some(candidate);
                }
                false
            });
            match best {
                Some(best) => key.extend(best),
                None => {
                    let start = key.len();
                    self.collation.encode(RawBsonRef::Null, &mut key);
                    if *down {
                        key.iter_mut().skip(start).for_each(|byte| *byte = !*byte);
                    }
                }
            }
        }
        key
    }
}

#[cfg(test)]
mod tests {
    use bson::{RawDocumentBuf, rawdoc};
    use rstest::rstest;

    use super::*;

    fn order(spec: &RawDocumentBuf, documents: &[RawDocumentBuf]) -> Vec<i32> {
        let sort = Sort::parse(spec, &Collation::SIMPLE).unwrap().unwrap();
        let mut sorted: Vec<_> = documents.iter().collect();
        sorted.sort_by_key(|d| sort.key(d));
        sorted.iter().map(|d| d.get_i32("_id").unwrap()).collect()
    }

    #[rstest]
    #[case::up(rawdoc! { "a": 1 }, [4, 3, 1, 2, 5])]
    #[case::down(rawdoc! { "a": -1 }, [5, 2, 1, 3, 4])]
    #[case::two_keys(rawdoc! { "b": 1, "a": -1 }, [2, 3, 5, 1, 4])]
    fn documents_sort_by_type_then_value(#[case] spec: RawDocumentBuf, #[case] expected: [i32; 5]) {
        let documents = [
            rawdoc! { "_id": 1, "a": 2, "b": 2 },
            rawdoc! { "_id": 2, "a": 2.5, "b": 1 },
            rawdoc! { "_id": 3, "a": 1_i64, "b": 1 },
            rawdoc! { "_id": 4, "b": 2 },
            rawdoc! { "_id": 5, "a": "text", "b": 2 },
        ];
        assert_eq!(order(&spec, &documents), expected);
    }

    #[test]
    fn an_array_sorts_by_its_least_element_upwards_and_its_greatest_downwards() {
        let documents = [rawdoc! { "_id": 1, "a": [1, 9] }, rawdoc! { "_id": 2, "a": 5 }, rawdoc! { "_id": 3, "a": [] }];
        assert_eq!(order(&rawdoc! { "a": 1 }, &documents), [3, 1, 2]);
        assert_eq!(order(&rawdoc! { "a": -1 }, &documents), [1, 2, 3]);
    }

    #[test]
    fn a_sort_has_at_most_32_keys() {
        let spec = |n: i32| {
            let mut spec = RawDocumentBuf::new();
            (0..n).for_each(|n| spec.append(bson::raw::CString::try_from(format!("f{n}")).unwrap(), 1));
            spec
        };
        assert!(Sort::parse(&spec(32), &Collation::SIMPLE).is_ok());
        assert_eq!(Sort::parse(&spec(33), &Collation::SIMPLE).unwrap_err().code.number, 13103);
    }

    #[test]
    fn a_direction_other_than_up_or_down_is_refused() {
        assert_eq!(Sort::parse(&rawdoc! { "a": 2 }, &Collation::SIMPLE).unwrap_err().code.number, 15975);
    }
}
