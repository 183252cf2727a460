//! Deliveries by filter, in a journal of any length: newest first, as much as fits into the time there is.

use std::time::{Duration, Instant};

use rusqlite::types::Value;

use super::filter::{conditions, fits};
use super::reader::{MOST, Reader, delivery, joined};
use super::{DeliveryFilter, DeliveryRow, JournalError, Window, schema};
use crate::observe::Timestamp;

/// How many deliveries are looked at between two looks at the clock: where nothing has to be read for one, and where its
/// payload has.
const STRIDE: i64 = 20_000;
const STRIDE_OF_PAYLOADS: i64 = 200;

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
        let stride = match (payloads, within) {
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
            let sql = format!(
                "SELECT * FROM deliveries WHERE {} AND id >= ? AND id <= ? ORDER BY id {order} LIMIT {most}",
                joined(&wanted.sql)
            );
            for row in self.many(&sql, &values, |row| delivery(row, self.live))? {
                if rows.len() < limit && (!payloads || self.fits(filter, row.id)?) {
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

    fn fits(&self, filter: &DeliveryFilter, id: i64) -> Result<bool, JournalError> {
        fits(&self.conn, filter, id).map_err(|source| schema::error(&self.path, source))
    }

    /// The numbers of the oldest and the newest delivery.
    pub(super) fn ends(&self) -> Result<(i64, i64), JournalError> {
        let sql = "SELECT coalesce((SELECT min(id) FROM deliveries), 1), coalesce((SELECT max(id) FROM deliveries), 0)";
        Ok(self.one(sql, &[], |row| Ok((row.get(0)?, row.get(1)?)))?.unwrap_or((1, 0)))
    }

    /// The first delivery that arrived at a moment or later: numbers rise with time, so halving finds it.
    pub(super) fn first_at(&self, moment: Timestamp, mut low: i64, high: i64) -> Result<i64, JournalError> {
        let mut high = high + 1;
        while low < high {
            let middle = low + (high - low) / 2;
            // What was read from a file is older than its number says.
            let sql = "SELECT arrived_at FROM deliveries WHERE id >= ? AND marks NOT LIKE '%imported%' ORDER BY id LIMIT 1";
            let arrived = self.one(sql, &[middle.into()], |row| row.get::<_, i64>(0))?;
            if arrived.is_none_or(|at| at >= moment.0) { high = middle } else { low = middle + 1 }
        }
        Ok(low)
    }
}

fn ordered(mut rows: Vec<DeliveryRow>, upwards: bool) -> Vec<DeliveryRow> {
    if !upwards {
        rows.reverse();
    }
    rows
}
