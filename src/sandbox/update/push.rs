use bson::{Bson, RawDocumentBuf};

use super::super::sort::Sort;
use super::super::value::Collation;

/// A `$push` with its modifiers.
#[derive(Debug, Clone)]
pub(super) struct Push {
    pub(super) values: Vec<Bson>,
    /// Where they are put; from the end if negative.
    pub(super) position: Option<i64>,
    /// How many elements stay: the first ones, or the last ones if negative.
    pub(super) slice: Option<i64>,
    pub(super) sort: Option<PushSort>,
}

#[derive(Debug, Clone)]
pub(super) enum PushSort {
    Whole { down: bool, collation: Collation },
    Fields(Sort),
}

impl Push {
    /// Changes the array.
    pub(super) fn apply(&self, array: &mut Vec<Bson>) {
        let length = array.len();
        let at = self.position.map_or(length, |position| place(position, length));
        array.splice(at..at, self.values.iter().cloned());
        match &self.sort {
            None => {}
            Some(PushSort::Whole { down, collation }) => {
                array.sort_by(|a, b| if *down { collation.compare_values(b, a) } else { collation.compare_values(a, b) });
            }
            Some(PushSort::Fields(sort)) => array.sort_by_cached_key(|element| {
                // What is no document has none of the fields.
                let document = element.as_document().and_then(|document| RawDocumentBuf::try_from(document).ok());
                sort.key(&document.unwrap_or_default())
            }),
        }
        match self.slice {
            None => {}
            Some(first) if first >= 0 => array.truncate(usize::try_from(first).unwrap_or(usize::MAX)),
            Some(last) => {
                let kept = usize::try_from(last.unsigned_abs()).unwrap_or(usize::MAX);
                array.drain(..array.len().saturating_sub(kept));
            }
        }
    }
}

/// An index that counts from the end if it is negative, within `0..=length`.
fn place(index: i64, length: usize) -> usize {
    let size = usize::try_from(index.unsigned_abs()).unwrap_or(usize::MAX);
    if index < 0 { length.saturating_sub(size) } else { size.min(length) }
}
