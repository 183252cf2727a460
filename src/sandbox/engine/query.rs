use std::collections::{BinaryHeap, HashSet};
use std::ops::ControlFlow;
use std::time::Instant;

use bson::{RawDocument, RawDocumentBuf};
use rusqlite::{Connection, OptionalExtension, params};

use super::super::error::{Code, CommandError};
use super::super::matcher::Matcher;
use super::super::sort::Sort;
use super::Collection;
use super::plan::{Hint, Plan};

/// Which documents of a collection, in which order.
#[derive(Debug, Clone)]
pub(in crate::sandbox) struct Query {
    pub(in crate::sandbox) matcher: Matcher,
    pub(in crate::sandbox) sort: Option<Sort>,
    pub(in crate::sandbox) skip: usize,
    pub(in crate::sandbox) limit: Option<usize>,
    pub(in crate::sandbox) hint: Option<Hint>,
    pub(in crate::sandbox) deadline: Deadline,
}

/// When a command has to give up (`maxTimeMS`).
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::sandbox) struct Deadline(pub(in crate::sandbox) Option<Instant>);

impl Deadline {
    /// # Errors
    /// `MaxTimeMSExpired`, once it has passed.
    pub(in crate::sandbox) fn check(self) -> Result<(), CommandError> {
        match self.0 {
            Some(at) if Instant::now() >= at => {
                Err(CommandError::new(Code::MAX_TIME_MS_EXPIRED, "operation exceeded time limit"))
            }
            _ => Ok(()),
        }
    }
}

/// How far a search has come.
#[derive(Debug, Clone, Default)]
pub(in crate::sandbox) struct Position {
    /// After the document of this number.
    number: Option<i64>,
    /// In one of the ranges of an index, after this key of the document of this number.
    key: Option<(usize, Vec<u8>, i64)>,
    /// The documents that were found, where an index can lead to one several times.
    seen: HashSet<i64>,
}

/// Where a leap over documents ends.
pub(super) enum Landing {
    /// After the last of them.
    At(Position),
    /// There are not so many.
    Beyond,
}

impl Position {
    /// Whether nothing was looked at yet.
    pub(super) fn is_start(&self) -> bool {
        self.number.is_none() && self.key.is_none()
    }
}

/// How much was looked at.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::sandbox) struct Examined {
    pub(in crate::sandbox) keys: i64,
    pub(in crate::sandbox) documents: i64,
}

/// After so many documents the clock is looked at.
const BETWEEN_CHECKS: i64 = 64;

type Found<'v> = &'v mut dyn FnMut(i64, &RawDocument) -> Result<ControlFlow<()>, CommandError>;

impl Query {
    /// All documents that pass.
    pub(in crate::sandbox) fn all(matcher: Matcher) -> Self {
        Self { matcher, sort: None, skip: 0, limit: None, hint: None, deadline: Deadline::default() }
    }

    /// Shows `visit` every document that passes the filter, in the order its plan finds them.
    pub(in crate::sandbox) fn visit(
        &self,
        connection: &Connection,
        collection: &Collection,
        visit: Found<'_>,
    ) -> Result<Examined, CommandError> {
        let plan = Plan::of(self, collection)?;
        self.visit_from(connection, collection, &plan, &mut Position::default(), visit)
    }

    /// The same by a known plan, from a position on. A document on which `visit` breaks counts as not seen: the position
    /// stays before it.
    pub(super) fn visit_from(
        &self,
        connection: &Connection,
        collection: &Collection,
        plan: &Plan<'_>,
        position: &mut Position,
        visit: Found<'_>,
    ) -> Result<Examined, CommandError> {
        self.deadline.check()?;
        match plan {
            Plan::Scan { backward } => self.scan(connection, collection, *backward, position, visit),
            Plan::Index { .. } => self.seek(connection, collection, plan, position, visit),
        }
    }

    /// Where one is after the first `skip` documents, if that can be told without looking at them because all are in the answer;
    /// `None` if it cannot.
    pub(super) fn leap(
        &self,
        connection: &Connection,
        collection: &Collection,
        plan: &Plan<'_>,
        skip: usize,
    ) -> Result<Option<Landing>, CommandError> {
        let Some(last) = skip.checked_sub(1).and_then(|last| i64::try_from(last).ok()) else { return Ok(None) };
        if !self.matcher.is_everything() {
            return Ok(None);
        }
        let landed = match plan {
            Plan::Scan { backward } => {
                let number = collection.leap(connection, *backward, last)?;
                number.map(|number| Position { number: Some(number), ..Position::default() })
            }
            Plan::Index { index, ranges, backward, .. } => {
                let ([(low, high)], false) = (ranges.as_slice(), index.multikey) else { return Ok(None) };
                let (first, end) = if *backward { (high, low) } else { (low, high) };
                let mut statement = collection.still_there(connection.prepare_cached(&index.leap_sql(*backward)))?;
                let landed = statement.query_row(params![first, -1, end, last], |row| Ok((0, row.get(0)?, row.get(1)?)));
                landed.optional()?.map(|key| Position { key: Some(key), ..Position::default() })
            }
        };
        Ok(Some(landed.map_or(Landing::Beyond, Landing::At)))
    }

    /// Counts a document, and asks the filter.
    fn passes(&self, examined: &mut Examined, document: &RawDocument) -> Result<bool, CommandError> {
        examined.documents += 1;
        if examined.documents % BETWEEN_CHECKS == 0 {
            self.deadline.check()?;
        }
        self.matcher.try_matches(document)
    }

    fn scan(
        &self,
        connection: &Connection,
        collection: &Collection,
        backward: bool,
        position: &mut Position,
        visit: Found<'_>,
    ) -> Result<Examined, CommandError> {
        let mut examined = Examined::default();
        let after = position.number.unwrap_or(if backward { i64::MAX } else { 0 });
        collection.scan_after(connection, after, backward, &mut |seq, document| {
            if self.passes(&mut examined, document)? && visit(seq, document)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
            position.number = Some(seq);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(examined)
    }

    fn seek(
        &self,
        connection: &Connection,
        collection: &Collection,
        plan: &Plan<'_>,
        position: &mut Position,
        visit: Found<'_>,
    ) -> Result<Examined, CommandError> {
        let mut examined = Examined::default();
        let Plan::Index { index, ranges, backward, .. } = plan else { return Ok(examined) };
        let backward = *backward;
        let mut statement = collection.still_there(connection.prepare_cached(&index.range_sql(collection.id(), backward)))?;
        for number in position.key.as_ref().map_or(0, |(range, ..)| *range)..ranges.len() {
            let Some((low, high)) = ranges.get(if backward { ranges.len() - 1 - number } else { number }) else { break };
            let (first, end) = if backward { (high, low) } else { (low, high) };
            let (key, seq) = match &position.key {
                Some((range, key, seq)) if *range == number => (key.clone(), *seq),
                _ => (first.clone(), -1),
            };
            let mut rows = statement.query(params![key, seq, end])?;
            while let Some(row) = rows.next()? {
                examined.keys += 1;
                let seq = row.get::<_, i64>(1)?;
                let key = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
                if !position.seen.contains(&seq) {
                    let document = RawDocument::from_bytes(row.get_ref(2)?.as_blob().map_err(rusqlite::Error::from)?)?;
                    if self.passes(&mut examined, document)? && visit(seq, document)?.is_break() {
                        return Ok(examined);
                    }
                }
                position.advance(number, key, seq);
                if index.multikey {
                    position.seen.insert(seq);
                }
            }
        }
        Ok(examined)
    }

    /// The numbers of the answer's documents, sorted, skipped and limited.
    pub(in crate::sandbox) fn numbers(&self, connection: &Connection, collection: &Collection) -> Result<Vec<i64>, CommandError> {
        Ok(self.numbers_examined(connection, collection)?.0)
    }

    /// The same, and how much was looked at.
    pub(in crate::sandbox) fn numbers_examined(
        &self,
        connection: &Connection,
        collection: &Collection,
    ) -> Result<(Vec<i64>, Examined), CommandError> {
        let plan = Plan::of(self, collection)?;
        let wanted = self.limit.map(|limit| self.skip.saturating_add(limit));
        let mut best =
            Best { sort: self.sort.as_ref().filter(|_| !plan.is_sorted()), wanted, rows: BinaryHeap::new(), numbers: Vec::new() };
        let mut examined = Examined::default();
        if wanted != Some(0) {
            let mut position = Position::default();
            examined =
                self.visit_from(connection, collection, &plan, &mut position, &mut |seq, document| Ok(best.add(seq, document)))?;
        }
        let mut numbers = best.numbers();
        numbers.drain(..self.skip.min(numbers.len()));
        Ok((numbers, examined))
    }

    /// The first document of the answer, with its number.
    pub(in crate::sandbox) fn first(
        &self,
        connection: &Connection,
        collection: &Collection,
    ) -> Result<Option<(i64, RawDocumentBuf)>, CommandError> {
        let first = Self { limit: Some(1), ..self.clone() };
        match first.numbers(connection, collection)?.first() {
            Some(seq) => Ok(collection.by_seq(connection, *seq)?.map(|document| (*seq, document))),
            None => Ok(None),
        }
    }
}

impl Position {
    fn advance(&mut self, range: usize, key: &[u8], seq: i64) {
        match &mut self.key {
            Some((known_range, known_key, known_seq)) => {
                (*known_range, *known_seq) = (range, seq);
                known_key.clear();
                known_key.extend_from_slice(key);
            }
            None => self.key = Some((range, key.to_vec(), seq)),
        }
    }
}

/// The documents that come first. Only as many keys are kept as are wanted: the worst one makes room for a better one.
struct Best<'s> {
    sort: Option<&'s Sort>,
    wanted: Option<usize>,
    rows: BinaryHeap<(Vec<u8>, i64)>,
    numbers: Vec<i64>,
}

impl Best<'_> {
    fn add(&mut self, seq: i64, document: &RawDocument) -> ControlFlow<()> {
        let Some(sort) = self.sort else {
            self.numbers.push(seq);
            return if Some(self.numbers.len()) == self.wanted { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
        };
        let candidate = (sort.key(document), seq);
        if self.wanted.is_none_or(|wanted| self.rows.len() < wanted) {
            self.rows.push(candidate);
        } else if let Some(mut worst) = self.rows.peek_mut()
            && candidate < *worst
        {
            *worst = candidate;
        }
        ControlFlow::Continue(())
    }

    fn numbers(self) -> Vec<i64> {
        match self.sort {
            None => self.numbers,
            Some(_) => self.rows.into_sorted_vec().into_iter().map(|(_, seq)| seq).collect(),
        }
    }
}
