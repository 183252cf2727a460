use std::collections::BinaryHeap;
use std::ops::ControlFlow;

use rusqlite::Connection;

use super::super::error::CommandError;
use super::super::matcher::Matcher;
use super::super::sort::Sort;
use super::Collection;
use super::collection::Visit;

/// Which documents of a collection, in which order.
#[derive(Debug, Clone)]
pub(in crate::sandbox) struct Query {
    pub(in crate::sandbox) matcher: Matcher,
    pub(in crate::sandbox) sort: Option<Sort>,
    pub(in crate::sandbox) skip: usize,
    pub(in crate::sandbox) limit: Option<usize>,
}

impl Query {
    /// All documents that pass, in their natural order.
    pub(in crate::sandbox) fn all(matcher: Matcher) -> Self {
        Self { matcher, sort: None, skip: 0, limit: None }
    }

    /// Shows `visit` every document that passes the filter, in natural order, beginning after number `after`. An `_id` in
    /// the filter is looked up, other fields in an index; without one all documents are looked at.
    pub(in crate::sandbox) fn visit(
        &self,
        connection: &Connection,
        collection: &Collection,
        after: i64,
        visit: Visit<'_>,
    ) -> Result<(), CommandError> {
        let Some(keys) = self.matcher.id_keys() else {
            if let Some((index, ranges)) = collection.plan(&self.matcher) {
                for seq in index.seek(connection, &ranges)? {
                    if seq > after
                        && let Some(document) = collection.by_seq(connection, seq)?
                        && self.matcher.try_matches(&document)?
                        && visit(seq, &document)?.is_break()
                    {
                        break;
                    }
                }
                return Ok(());
            }
            return collection.scan(connection, after, &mut |seq, document| {
                if self.matcher.try_matches(document)? { visit(seq, document) } else { Ok(ControlFlow::Continue(())) }
            });
        };
        let mut found = Vec::new();
        for key in keys {
            found.extend(collection.by_key(connection, &key)?);
        }
        found.sort_by_key(|(seq, _)| *seq);
        for (seq, document) in found {
            if seq > after && self.matcher.try_matches(&document)? && visit(seq, &document)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// The numbers of the answer's documents, sorted, skipped and limited.
    pub(in crate::sandbox) fn numbers(&self, connection: &Connection, collection: &Collection) -> Result<Vec<i64>, CommandError> {
        let wanted = self.limit.map(|limit| self.skip.saturating_add(limit));
        let mut numbers = match &self.sort {
            None => {
                let mut numbers = Vec::new();
                if wanted != Some(0) {
                    self.visit(connection, collection, 0, &mut |seq, _| {
                        numbers.push(seq);
                        Ok(if Some(numbers.len()) == wanted { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
                    })?;
                }
                numbers
            }
            Some(sort) => self.sorted(connection, collection, sort, wanted)?,
        };
        numbers.drain(..self.skip.min(numbers.len()));
        Ok(numbers)
    }

    /// Only as many keys are kept as are wanted: the worst one makes room for a better one.
    fn sorted(
        &self,
        connection: &Connection,
        collection: &Collection,
        sort: &Sort,
        wanted: Option<usize>,
    ) -> Result<Vec<i64>, CommandError> {
        let mut best: BinaryHeap<(Vec<u8>, i64)> = BinaryHeap::new();
        self.visit(connection, collection, 0, &mut |seq, document| {
            let candidate = (sort.key(document), seq);
            if wanted.is_none_or(|wanted| best.len() < wanted) {
                best.push(candidate);
            } else if let Some(mut worst) = best.peek_mut()
                && candidate < *worst
            {
                *worst = candidate;
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(best.into_sorted_vec().into_iter().map(|(_, seq)| seq).collect())
    }
}
