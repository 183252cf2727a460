use std::collections::{HashMap, VecDeque};
use std::ops::ControlFlow;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use bson::RawDocumentBuf;
use rusqlite::Connection;

use super::super::error::{Code, CommandError};
use super::super::matcher::Matcher;
use super::super::projection::Projection;
use super::super::value::MAX_DOCUMENT;
use super::plan::Plan;
use super::query::{Deadline, Landing, Position};
use super::{Collection, Query};

/// A cursor nobody asked for this long is forgotten, as by MongoDB.
const IDLE: Duration = Duration::from_secs(600);

/// A batch ends before its documents exceed this, so that the answer stays below 16 MiB and a bit.
const BATCH_BYTES: usize = MAX_DOCUMENT - 16 * 1024;

/// Where the next documents of a cursor come from.
pub(in crate::sandbox) enum Rows {
    /// Searched on from where the last batch ended: costs no memory, whatever the collection's size.
    Scan { query: Box<Query>, position: Position, skip: usize, left: Option<usize> },
    /// Looked up by their numbers, which a sort has put in order.
    Numbers(VecDeque<i64>),
    /// Made beforehand.
    Made(VecDeque<RawDocumentBuf>),
}

/// An answer that is fetched in batches.
pub(in crate::sandbox) struct Cursor {
    pub(in crate::sandbox) namespace: String,
    pub(in crate::sandbox) collection: Option<Collection>,
    pub(in crate::sandbox) rows: Rows,
    pub(in crate::sandbox) projection: Option<Projection>,
    /// The filter: a positional projection asks it.
    found_by: Matcher,
    /// How many documents a batch has when the client does not say.
    pub(in crate::sandbox) batch_size: Option<usize>,
}

/// The next documents, and whether there may be more.
pub(in crate::sandbox) struct Batch {
    pub(in crate::sandbox) documents: Vec<RawDocumentBuf>,
    pub(in crate::sandbox) finished: bool,
}

impl Cursor {
    /// A cursor over the answer of `query`.
    pub(in crate::sandbox) fn open(
        connection: &Connection,
        collection: Collection,
        query: Query,
        projection: Option<Projection>,
    ) -> Result<Self, CommandError> {
        let found_by = query.matcher.clone();
        let rows = if query.sort.is_none() || Plan::of(&query, &collection)?.is_sorted() {
            Rows::Scan { skip: query.skip, left: query.limit, query: Box::new(query), position: Position::default() }
        } else {
            Rows::Numbers(query.numbers(connection, &collection)?.into())
        };
        let namespace = collection.namespace().to_string();
        Ok(Self { namespace, collection: Some(collection), rows, projection, found_by, batch_size: None })
    }

    /// A cursor over documents that are there already.
    pub(in crate::sandbox) fn made(namespace: String, documents: impl Into<VecDeque<RawDocumentBuf>>) -> Self {
        Self {
            namespace,
            collection: None,
            rows: Rows::Made(documents.into()),
            projection: None,
            found_by: Matcher::everything(),
            batch_size: None,
        }
    }

    /// The command that asks for the next batch has a deadline of its own.
    pub(in crate::sandbox) fn set_deadline(&mut self, deadline: Deadline) {
        if let Rows::Scan { query, .. } = &mut self.rows {
            query.deadline = deadline;
        }
    }

    /// The next at most `size` documents, and never more than 16 MiB of them.
    pub(in crate::sandbox) fn next(&mut self, connection: &Connection, size: Option<usize>) -> Result<Batch, CommandError> {
        let mut filling = Filling { documents: Vec::new(), bytes: 0, size: size.unwrap_or(usize::MAX) };
        let finished = match &mut self.rows {
            Rows::Made(waiting) => loop {
                match waiting.pop_front() {
                    None => break true,
                    Some(document) => {
                        if let Some(document) = filling.push(document) {
                            waiting.push_front(document);
                            break false;
                        }
                    }
                }
            },
            Rows::Numbers(waiting) => loop {
                let (Some(seq), Some(collection)) = (waiting.front().copied(), &self.collection) else { break true };
                // A document deleted meanwhile is simply not there any more.
                if let Some(document) = collection.by_seq(connection, seq)? {
                    let document = match &self.projection {
                        Some(projection) => projection.apply(&document, Some(&self.found_by))?,
                        None => document,
                    };
                    if filling.push(document).is_some() {
                        break false;
                    }
                }
                waiting.pop_front();
            },
            Rows::Scan { query, position, skip, left } => {
                let Some(collection) = &self.collection else { return Ok(filling.done(true)) };
                scan(connection, collection, query, (position, skip, left), self.projection.as_ref(), &mut filling)?
            }
        };
        Ok(filling.done(finished))
    }
}

fn scan(
    connection: &Connection,
    collection: &Collection,
    query: &Query,
    (position, skip, left): (&mut Position, &mut usize, &mut Option<usize>),
    projection: Option<&Projection>,
    filling: &mut Filling,
) -> Result<bool, CommandError> {
    let mut finished = true;
    if *left == Some(0) {
        return Ok(true);
    }
    let plan = Plan::of(query, collection)?;
    if *skip > 0 && position.is_start() {
        match query.leap(connection, collection, &plan, *skip)? {
            Some(Landing::Beyond) => return Ok(true),
            Some(Landing::At(landed)) => (*position, *skip) = (landed, 0),
            None => {}
        }
    }
    query.visit_from(connection, collection, &plan, position, &mut |_, document| {
        if *skip > 0 {
            *skip -= 1;
            return Ok(ControlFlow::Continue(()));
        }
        let document = match projection {
            Some(projection) => projection.apply(document, Some(&query.matcher))?,
            None => document.to_owned(),
        };
        if filling.push(document).is_some() {
            finished = false;
            return Ok(ControlFlow::Break(()));
        }
        if let Some(left) = left {
            *left -= 1;
            if *left == 0 {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(finished)
}

/// A batch that is being filled.
struct Filling {
    documents: Vec<RawDocumentBuf>,
    bytes: usize,
    size: usize,
}

impl Filling {
    /// Takes the document, or gives it back if the batch is full.
    fn push(&mut self, document: RawDocumentBuf) -> Option<RawDocumentBuf> {
        let bytes = document.as_bytes().len();
        if self.documents.len() >= self.size || !self.documents.is_empty() && self.bytes + bytes > BATCH_BYTES {
            return Some(document);
        }
        self.bytes += bytes;
        self.documents.push(document);
        None
    }

    fn done(self, finished: bool) -> Batch {
        Batch { documents: self.documents, finished }
    }
}

/// The open cursors of all connections.
#[derive(Default)]
pub(in crate::sandbox) struct Cursors(Mutex<HashMap<i64, (Cursor, Instant)>>);

impl Cursors {
    /// Keeps a cursor and gives it a number, which is not guessable and never zero.
    pub(in crate::sandbox) fn keep(&self, cursor: Cursor) -> i64 {
        let mut open = self.lock();
        open.retain(|_, (_, used)| used.elapsed() < IDLE);
        loop {
            let id = rand::random::<i64>() & i64::MAX;
            if id != 0 && !open.contains_key(&id) {
                open.insert(id, (cursor, Instant::now()));
                return id;
            }
        }
    }

    /// Puts a cursor back under the number it had.
    pub(in crate::sandbox) fn put_back(&self, id: i64, cursor: Cursor) {
        self.lock().insert(id, (cursor, Instant::now()));
    }

    /// Takes a cursor out; while it is used nobody else can use it.
    ///
    /// # Errors
    /// `CursorNotFound`.
    pub(in crate::sandbox) fn take(&self, id: i64) -> Result<Cursor, CommandError> {
        let not_found = || CommandError::new(Code::CURSOR_NOT_FOUND, format!("cursor id {id} not found"));
        self.lock().remove(&id).filter(|(_, used)| used.elapsed() < IDLE).map(|(cursor, _)| cursor).ok_or_else(not_found)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<i64, (Cursor, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_nobody_used_for_ten_minutes_is_gone() {
        let cursors = Cursors::default();
        let made = || Cursor::made("shop.orders".into(), Vec::new());
        let (old, fresh) = (cursors.keep(made()), cursors.keep(made()));
        // A machine that has just been started has no such past.
        let Some(past) = Instant::now().checked_sub(IDLE) else { return };
        cursors.lock().get_mut(&old).unwrap().1 = past;
        assert_eq!(cursors.take(old).err().unwrap().code, Code::CURSOR_NOT_FOUND);
        assert!(cursors.take(fresh).is_ok());

        let older = cursors.keep(made());
        cursors.lock().get_mut(&older).unwrap().1 = past;
        cursors.keep(made());
        assert_eq!(cursors.lock().len(), 1, "its memory is given back when the next one is opened");
    }
}
