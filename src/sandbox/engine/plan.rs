//! How the documents of a query are found: by a scan, or in an index, which may also have them in the wanted order.

use bson::{RawBsonRef, RawDocument, RawDocumentBuf, rawdoc};

use super::super::error::CommandError;
use super::super::matcher::Bounds;
use super::super::sort::Sort;
use super::index::Ranges;
use super::query::Query;
use super::{Collection, Index};

/// What a command says about how its documents are to be found.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::sandbox) enum Hint {
    /// In the order they came, or against it; through no index.
    Natural { backward: bool },
    /// Through the index of this name.
    Name(String),
    /// Through the index of these keys.
    Keys(RawDocumentBuf),
}

impl Hint {
    /// Understands the `hint` of a command.
    ///
    /// # Errors
    /// It is neither a name nor a document.
    pub(in crate::sandbox) fn parse(value: Option<RawBsonRef<'_>>) -> Result<Option<Self>, CommandError> {
        Ok(match value {
            None | Some(RawBsonRef::Null) => None,
            Some(RawBsonRef::String(name)) => Some(Self::Name(name.to_owned())),
            Some(RawBsonRef::Document(keys)) if keys.is_empty() => None,
            Some(RawBsonRef::Document(keys)) => match Self::natural(keys)? {
                Some(backward) => Some(Self::Natural { backward }),
                None => Some(Self::Keys(keys.to_owned())),
            },
            Some(_) => {
                let message = "hint must be either a string or nested object";
                return Err(CommandError::new(super::super::error::Code::FAILED_TO_PARSE, message));
            }
        })
    }

    /// Whether `{$natural: ±1}` goes backward; `None` if it is something else.
    ///
    /// # Errors
    /// Another direction.
    pub(in crate::sandbox) fn natural(spec: &RawDocument) -> Result<Option<bool>, CommandError> {
        match spec.get("$natural")? {
            None => Ok(None),
            Some(RawBsonRef::Int32(1) | RawBsonRef::Int64(1)) => Ok(Some(false)),
            Some(RawBsonRef::Int32(-1) | RawBsonRef::Int64(-1)) => Ok(Some(true)),
            Some(RawBsonRef::Double(n)) if n.abs().to_bits() == 1.0_f64.to_bits() => Ok(Some(n < 0.0)),
            Some(_) => Err(CommandError::bad_value("$natural must be 1 or -1")),
        }
    }
}

/// How a query's documents are found.
#[derive(Debug, Clone)]
pub(in crate::sandbox) enum Plan<'c> {
    Scan {
        backward: bool,
    },
    Index {
        index: &'c Index,
        ranges: Ranges,
        backward: bool,
        /// Whether they come in the order of the query's sort.
        sorted: bool,
    },
}

/// How good an index is for a query: the greater the better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Merit {
    at_most_one: bool,
    equal: usize,
    interval: bool,
    sorted: bool,
}

impl<'c> Plan<'c> {
    /// The plan for a query.
    ///
    /// # Errors
    /// `BadValue`, if its hint names no index of the collection.
    pub(in crate::sandbox) fn of(query: &Query, collection: &'c Collection) -> Result<Self, CommandError> {
        match &query.hint {
            Some(Hint::Natural { backward }) => Ok(Self::Scan { backward: *backward }),
            Some(hint) => {
                let named = |index: &&Index| match hint {
                    Hint::Name(name) => index.name == *name,
                    Hint::Keys(keys) => index.is_of(keys),
                    Hint::Natural { .. } => false,
                };
                let unknown = || {
                    CommandError::bad_value(
                        "error processing query: planner returned error :: caused by :: hint provided does not correspond to an existing index",
                    )
                };
                let index = collection.all_indexes().filter(|index| !index.hidden).find(named).ok_or_else(unknown)?;
                Ok(Self::through(index, query.matcher.bounds(&index.columns()), query.sort.as_ref()).0)
            }
            None => Ok(Self::best(query, collection)),
        }
    }

    fn best(query: &Query, collection: &'c Collection) -> Self {
        let plans = collection.all_indexes().filter_map(|index| {
            if index.hidden || index.partial.as_ref().is_some_and(|partial| !query.matcher.implies(partial)) {
                return None;
            }
            let bounds = query.matcher.bounds(&index.columns());
            if bounds.is_everything() && (index.sparse || query.sort.is_none()) {
                return None;
            }
            let (plan, merit) = Self::through(index, bounds, query.sort.as_ref());
            (merit.equal > 0 || merit.interval || merit.sorted).then_some((plan, merit))
        });
        // The first of several equally good ones.
        let best = plans.fold(None, |best: Option<(Self, Merit)>, (plan, merit)| match best {
            Some((_, known)) if known >= merit => best,
            _ => Some((plan, merit)),
        });
        best.map_or(Self::Scan { backward: false }, |(plan, _)| plan)
    }

    fn through(index: &'c Index, bounds: Bounds, sort: Option<&Sort>) -> (Self, Merit) {
        let order = sort.and_then(|sort| direction(index, &bounds, sort));
        let merit = Merit {
            at_most_one: index.unique && bounds.equal == index.paths.len(),
            equal: bounds.equal,
            interval: bounds.interval,
            sorted: order.is_some(),
        };
        (Self::Index { index, ranges: bounds.ranges, backward: order.unwrap_or(false), sorted: order.is_some() }, merit)
    }

    /// Whether the documents are found in the order of the query's sort.
    pub(in crate::sandbox) fn is_sorted(&self) -> bool {
        matches!(self, Self::Index { sorted: true, .. })
    }

    /// As `explain` writes it; in the order of `query`.
    pub(in crate::sandbox) fn explained(&self, query: &Query) -> RawDocumentBuf {
        let towards = |backward: bool| if backward { "backward" } else { "forward" };
        let mut stage = match self {
            Self::Scan { backward } => rawdoc! { "stage": "COLLSCAN", "direction": towards(*backward) },
            Self::Index { index, backward, .. } => {
                let pattern = index.spec.get_document("key").map(ToOwned::to_owned).unwrap_or_default();
                let scan = rawdoc! {
                    "stage": "IXSCAN", "keyPattern": pattern, "indexName": index.name.as_str(), "isMultiKey": index.multikey,
                    "isUnique": index.unique, "isSparse": index.sparse, "isPartial": index.partial.is_some(),
                    "direction": towards(*backward),
                };
                rawdoc! { "stage": "FETCH", "inputStage": scan }
            }
        };
        if query.sort.is_some() && !self.is_sorted() {
            stage = rawdoc! { "stage": "SORT", "inputStage": stage };
        }
        if query.skip > 0 {
            stage = rawdoc! { "stage": "SKIP", "skipAmount": i64::try_from(query.skip).unwrap_or(i64::MAX), "inputStage": stage };
        }
        if let Some(limit) = query.limit {
            stage = rawdoc! { "stage": "LIMIT", "limitAmount": i64::try_from(limit).unwrap_or(i64::MAX), "inputStage": stage };
        }
        stage
    }
}

/// Whether an index gives the order of `sort` when it is read backward (true) or forward (false); `None` if it does not.
fn direction(index: &Index, bounds: &Bounds, sort: &Sort) -> Option<bool> {
    if index.multikey || index.collation != *sort.collation() {
        return None;
    }
    // Fields fixed to one value are the same in all keys.
    let begins = [0, if bounds.ranges.len() > 1 { 0 } else { bounds.equal }];
    begins.into_iter().find_map(|begin| {
        let columns = index.paths.get(begin..)?;
        let backward = columns.first()?.1 != sort.keys().first()?.1;
        let fits = sort.keys().len() <= columns.len()
            && sort.keys().iter().zip(columns).all(|(key, column)| key.0 == column.0 && (key.1 != column.1) == backward);
        fits.then_some(backward)
    })
}
