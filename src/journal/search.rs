//! Deliveries by filter, in a journal of any length: newest first, as much as fits into the time there is.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension};

use super::filter::{Needle, conditions, fits};
use super::reader::{MOST, Reader, delivery, joined};
use super::{DeliveryFilter, DeliveryRow, JournalError, Window, schema};
use crate::observe::Timestamp;

/// How many deliveries are looked at between two looks at the clock: where nothing has to be read for one, and where its
/// payload has.
const STRIDE: i64 = 20_000;
const STRIDE_OF_PAYLOADS: i64 = 200;
/// The same where only those are read in which a text was seen.
const STRIDE_OF_TEXTS: i64 = 1_000;
/// So many are looked at one by one rather than their stretch as a whole.
const FEW: usize = 40;

/// What a search has found so far.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// Oldest first.
    pub rows: Vec<DeliveryRow>,
    /// Where it was broken off because time was up: the number of the last delivery looked at. `None` when it went to its
    /// end or found as many as were wanted.
    pub reached: Option<i64>,
}

impl Reader {
    /// Deliveries that fit, oldest first; where `within` is over before, those found until then.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn search(&self, filter: &DeliveryFilter, window: &Window, within: Option<Duration>) -> Result<Found, JournalError> {
        let begun = Instant::now();
        let limit = window.limit.min(MOST);
        let upwards = window.after.is_some();
        let wanted = conditions(filter, Timestamp::now(), self.live);
        let (first, last) = self.ends()?;
        let mut low = window.after.map_or(first, |id| id + 1).max(first);
        let mut high = window.before.map_or(last, |id| id - 1).min(last);
        if let Some(since) = wanted.since {
            low = low.max(self.first_at(since, first, last)?);
        }
        let payloads = filter.reads_payloads();
        let needle = Needle::of(filter);
        let stride = match (payloads, within) {
            (true, _) if needle.is_some() => STRIDE_OF_TEXTS,
            (true, _) => STRIDE_OF_PAYLOADS,
            (false, Some(_)) => STRIDE,
            (false, None) => i64::MAX / 4,
        };
        let order = if upwards { "ASC" } else { "DESC" };
        let mut rows: Vec<DeliveryRow> = Vec::new();
        while low <= high && rows.len() < limit {
            let (from, to) =
                if upwards { (low, high.min(low.saturating_add(stride))) } else { (low.max(high.saturating_sub(stride)), high) };
            let mut values = wanted.values.clone();
            values.extend([Value::from(from), Value::from(to)]);
            // With payloads to read only some of these will be left.
            let most = if payloads { MOST } else { limit - rows.len() };
            // Where all of a stretch would have to be read, those that can't fit are passed over first.
            let mut likely = match &needle {
                Some(needle) if wanted.sql.is_empty() => Some(self.likely(needle, from, to)?),
                _ => None,
            };
            let listed = likely.as_ref().filter(|ids| ids.len() <= FEW).map(|ids| {
                let ids: Vec<String> = ids.iter().map(i64::to_string).collect();
                format!(" AND id IN ({})", ids.join(", "))
            });
            let sql = format!(
                "SELECT * FROM deliveries WHERE {} AND id >= ? AND id <= ?{} ORDER BY id {order} LIMIT {most}",
                joined(&wanted.sql),
                listed.unwrap_or_default()
            );
            let found = match &likely {
                Some(ids) if ids.is_empty() => Vec::new(),
                _ => self.many(&sql, &values, |row| delivery(row, self.live))?,
            };
            if let (None, Some(needle), true) = (&likely, &needle, found.len() > FEW) {
                likely = Some(self.likely(needle, from, to)?);
            }
            let unlikely = |id: i64| likely.as_ref().is_some_and(|ids| !ids.contains(&id));
            for row in found {
                if rows.len() < limit && !unlikely(row.id) && (!payloads || self.fits(filter, row.id)?) {
                    rows.push(row);
                }
            }
            if upwards {
                low = to + 1;
            } else {
                high = from - 1;
            }
            if rows.len() < limit && low <= high && within.is_some_and(|within| begun.elapsed() >= within) {
                let reached = if upwards { to } else { from };
                return Ok(Found { rows: ordered(rows, upwards), reached: Some(reached) });
            }
        }
        Ok(Found { rows: ordered(rows, upwards), reached: None })
    }

    /// The deliveries between two numbers in which a text stands that those that fit have. Rows are written as things
    /// happen, so what belongs to neighbours lies together: reading it in the order of the file is many times faster than
    /// delivery by delivery.
    fn likely(&self, needle: &Needle, from: i64, to: i64) -> Result<BTreeSet<i64>, JournalError> {
        let ends =
            "SELECT coalesce(min(row), 1), coalesce(max(row), 0), count(*) FROM observations WHERE delivery BETWEEN ? AND ?";
        let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get::<_, i64>(2)?));
        let (first, last, count): (i64, i64, i64) = self.one(ends, &[from.into(), to.into()], read)?.unwrap_or((1, 0, 0));
        let kinds = if needle.object { " AND kind IN ('object_fetched', 'task_arrived')" } else { "" };
        let texts = vec!["has(?, body)"; needle.texts.len()].join(" OR ");
        let together = last - first < count.saturating_mul(8);
        let rows = if together { "NOT INDEXED WHERE row BETWEEN ? AND ? AND" } else { "WHERE" };
        let sql = format!("SELECT delivery FROM observations {rows} delivery BETWEEN ? AND ?{kinds} AND ({texts})");
        let ends = if together { vec![first, last, from, to] } else { vec![from, to] };
        let values = ends.into_iter().map(Value::from).chain(needle.texts.iter().cloned().map(Value::from)).collect::<Vec<_>>();
        Ok(self.many(&sql, &values, |row| row.get(0))?.into_iter().collect())
    }

    fn fits(&self, filter: &DeliveryFilter, id: i64) -> Result<bool, JournalError> {
        fits(&self.conn, filter, id).map_err(|source| schema::error(&self.path, source))
    }

    /// The numbers of the oldest and the newest delivery.
    pub(super) fn ends(&self) -> Result<(i64, i64), JournalError> {
        ends(&self.conn).map_err(|source| schema::error(&self.path, source))
    }

    /// The first delivery that arrived at a moment or later, between two numbers.
    pub(super) fn first_at(&self, moment: Timestamp, low: i64, high: i64) -> Result<i64, JournalError> {
        first_at(&self.conn, moment, low, high).map_err(|source| schema::error(&self.path, source))
    }
}

fn ends(conn: &Connection) -> rusqlite::Result<(i64, i64)> {
    conn.prepare_cached("SELECT coalesce((SELECT min(id) FROM deliveries), 1), coalesce((SELECT max(id) FROM deliveries), 0)")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
}

/// The first delivery of all that arrived at a moment or later; one more than the last where none did.
pub(super) fn first_since(conn: &Connection, moment: Timestamp) -> rusqlite::Result<i64> {
    let (first, last) = ends(conn)?;
    first_at(conn, moment, first, last)
}

/// Numbers rise with time, so halving finds it.
fn first_at(conn: &Connection, moment: Timestamp, mut low: i64, high: i64) -> rusqlite::Result<i64> {
    // What was read from a file is older than its number says.
    let sql = "SELECT arrived_at FROM deliveries WHERE id >= ? AND marks NOT LIKE '%imported%' ORDER BY id LIMIT 1";
    let mut arrived = conn.prepare_cached(sql)?;
    let mut high = high + 1;
    while low < high {
        let middle = low + (high - low) / 2;
        let at: Option<i64> = arrived.query_row([middle], |row| row.get(0)).optional()?;
        if at.is_none_or(|at| at >= moment.0) { high = middle } else { low = middle + 1 }
    }
    Ok(low)
}

fn ordered(mut rows: Vec<DeliveryRow>, upwards: bool) -> Vec<DeliveryRow> {
    if !upwards {
        rows.reverse();
    }
    rows
}
