//! Deliveries by filter, in a journal of any length: newest first, as much as fits into the time there is.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension};

use super::filter::{Conditions, Needle, Place, conditions, fits};
use super::reader::{MOST, Reader, delivery, joined};
use super::texts::{Chosen, Sieve};
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

/// What a search knows before it looks.
struct Plan<'a> {
    filter: &'a DeliveryFilter,
    wanted: Conditions,
    payloads: bool,
    upwards: bool,
    /// The text to look for in payloads, and what the index says of that and others.
    needle: Option<Needle>,
    sieve: Option<Sieve>,
    /// How many deliveries are looked at next: more, where the index spares the work or is of no use.
    stride: i64,
}

/// The deliveries of a stretch that can fit.
enum Likely {
    /// Any of them.
    Any,
    /// Only those in which a text was seen.
    These(BTreeSet<i64>),
}

impl Reader {
    /// Deliveries that fit, oldest first; where `within` is over before, those found until then.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn search(&self, filter: &DeliveryFilter, window: &Window, within: Option<Duration>) -> Result<Found, JournalError> {
        let begun = Instant::now();
        // What the index says is said of the rows as they are now.
        let _now = self.conn.unchecked_transaction().map_err(|source| schema::error(&self.path, source))?;
        let limit = window.limit.min(MOST);
        let mut plan = self.plan(filter, window.after.is_some())?;
        let (first, last) = self.ends()?;
        let mut low = window.after.map_or(first, |id| id.saturating_add(1)).max(first);
        let mut high = window.before.map_or(last, |id| id.saturating_sub(1)).min(last);
        if let Some(since) = plan.wanted.since {
            low = low.max(self.first_at(since, first, last)?);
        }
        plan.stride = plan.first_stride(within.is_some());
        let mut rows: Vec<DeliveryRow> = Vec::new();
        let mut reached = None;
        while low <= high && rows.len() < limit && reached.is_none() {
            let (from, to) = if plan.upwards {
                (low, high.min(low.saturating_add(plan.stride)))
            } else {
                (low.max(high.saturating_sub(plan.stride)), high)
            };
            rows.extend(self.stretch(&mut plan, from, to, limit - rows.len())?);
            if plan.upwards {
                low = to + 1;
            } else {
                high = from - 1;
            }
            if rows.len() < limit && low <= high && within.is_some_and(|within| begun.elapsed() >= within) {
                reached = Some(if plan.upwards { to } else { from });
            }
        }
        if !plan.upwards {
            rows.reverse();
        }
        Ok(Found { rows, reached })
    }

    fn plan<'a>(&self, filter: &'a DeliveryFilter, upwards: bool) -> Result<Plan<'a>, JournalError> {
        Ok(Plan {
            filter,
            wanted: conditions(filter, Timestamp::now(), self.live),
            payloads: filter.reads_payloads(),
            upwards,
            needle: Needle::of(filter),
            sieve: match Sieve::new(&self.conn, Needle::all(filter)).map_err(|source| schema::error(&self.path, source)) {
                Err(JournalError::Corrupt { .. }) => None,
                read => read?,
            },
            stride: STRIDE_OF_TEXTS,
        })
    }

    /// What fits of the deliveries between two numbers, in the order of the search, at most `most`.
    fn stretch(&self, plan: &mut Plan<'_>, from: i64, to: i64, most: usize) -> Result<Vec<DeliveryRow>, JournalError> {
        let Some(likely) = self.first_look(plan, from, to)? else { return Ok(Vec::new()) };
        let listed = match &likely {
            Likely::These(ids) if ids.is_empty() => return Ok(Vec::new()),
            Likely::These(ids) if ids.len() <= FEW => {
                let ids: Vec<String> = ids.iter().map(i64::to_string).collect();
                format!(" AND id IN ({})", ids.join(", "))
            }
            _ => String::new(),
        };
        let sql = format!(
            "SELECT * FROM deliveries WHERE {} AND id >= ? AND id <= ?{listed} ORDER BY id {} LIMIT {}",
            joined(&plan.wanted.sql),
            if plan.upwards { "ASC" } else { "DESC" },
            // With payloads to read only some of these will be left.
            if plan.payloads { MOST } else { most },
        );
        let mut values = plan.wanted.values.clone();
        values.extend([Value::from(from), Value::from(to)]);
        let found = self.many(&sql, &values, |row| delivery(row, self.live))?;
        let likely = match (likely, &plan.needle) {
            (Likely::Any, Some(needle)) if found.len() > FEW => Likely::These(self.having(needle, from, to, 0)?),
            (likely, _) => likely,
        };
        let mut rows = Vec::new();
        for row in found {
            let likely = match &likely {
                Likely::Any => true,
                Likely::These(ids) => ids.contains(&row.id),
            };
            if rows.len() < most && likely && (!plan.payloads || self.fits(plan.filter, row.id)?) {
                rows.push(row);
            }
        }
        Ok(rows)
    }

    /// The deliveries between two numbers that can fit by a text that those that fit have, as far as it pays to see that
    /// before all else; `None` where none can.
    fn first_look(&self, plan: &mut Plan<'_>, from: i64, to: i64) -> Result<Option<Likely>, JournalError> {
        let Some(sieve) = &mut plan.sieve else {
            // Where all of a stretch would have to be read, those that can't fit are passed over first.
            return Ok(Some(match &plan.needle {
                Some(needle) if plan.wanted.sql.is_empty() => Likely::These(self.having(needle, from, to, 0)?),
                _ => Likely::Any,
            }));
        };
        let indexed = sieve.row;
        let chosen = match sieve.choose(&self.conn, from, to) {
            Ok(chosen) => chosen,
            Err(source) => {
                // Without it everything is found as well; the next session mends what is damaged.
                let error = schema::error(&self.path, source);
                plan.sieve = None;
                return if let JournalError::Corrupt { .. } = error { self.first_look(plan, from, to) } else { Err(error) };
            }
        };
        let further = plan.stride.saturating_mul(2).min(STRIDE);
        let Some(Chosen { needle, rows, later, telling }) = chosen else {
            plan.stride = further;
            return Ok(None);
        };
        let all_to_be_read = plan.wanted.sql.is_empty() && needle.place != Place::Columns;
        plan.stride = if telling || plan.payloads { STRIDE_OF_TEXTS } else { further };
        if !telling && !all_to_be_read {
            return Ok(Some(Likely::Any));
        }
        let mut likely = if later { self.having(needle, from, to, indexed)? } else { BTreeSet::new() };
        for (first, last) in rows {
            likely.extend(self.having_in(needle, (first, last), from, to)?);
        }
        Ok(Some(Likely::These(likely)))
    }

    /// The deliveries between two numbers in which a text is after a row. Rows are written as things happen, so what
    /// belongs to neighbours lies together: reading it in the order of the file is many times faster than delivery by
    /// delivery.
    fn having(&self, needle: &Needle, from: i64, to: i64, after: i64) -> Result<BTreeSet<i64>, JournalError> {
        let ends = "SELECT coalesce(min(row), 1), coalesce(max(row), 0), count(*) FROM observations
                    WHERE delivery BETWEEN ? AND ? AND row > ?";
        let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get::<_, i64>(2)?));
        let (first, last, count): (i64, i64, i64) =
            self.one(ends, &[from.into(), to.into(), after.into()], read)?.unwrap_or((1, 0, 0));
        if last - first < count.saturating_mul(8) {
            return self.having_in(needle, (first, last), from, to);
        }
        let condition = has_one(needle);
        let sql = format!("SELECT delivery FROM observations WHERE delivery BETWEEN ? AND ? AND row > ? AND {condition}");
        let values = texts([from, to, after], needle);
        Ok(self.many(&sql, &values, |row| row.get(0))?.into_iter().collect())
    }

    /// The same in a stretch of rows.
    fn having_in(&self, needle: &Needle, rows: (i64, i64), from: i64, to: i64) -> Result<BTreeSet<i64>, JournalError> {
        let sql = format!(
            "SELECT delivery FROM observations NOT INDEXED WHERE row BETWEEN ? AND ? AND delivery BETWEEN ? AND ? AND {}",
            has_one(needle)
        );
        let values = texts([rows.0, rows.1, from, to], needle);
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

/// That a row has one of the texts of a needle.
fn has_one(needle: &Needle) -> String {
    let kinds = if needle.place == Place::Object { "kind IN ('object_fetched', 'task_arrived') AND " } else { "" };
    format!("{kinds}({})", vec!["has(?, body)"; needle.texts.len()].join(" OR "))
}

fn texts<const N: usize>(numbers: [i64; N], needle: &Needle) -> Vec<Value> {
    numbers.into_iter().map(Value::from).chain(needle.texts.iter().cloned().map(Value::from)).collect()
}

impl Plan<'_> {
    /// How many deliveries are looked at between two looks at the clock, where there is one.
    fn first_stride(&self, clock: bool) -> i64 {
        match (&self.needle, &self.sieve) {
            (Some(_), _) | (_, Some(_)) => STRIDE_OF_TEXTS,
            _ if self.payloads => STRIDE_OF_PAYLOADS,
            _ if clock => STRIDE,
            _ => i64::MAX / 4,
        }
    }
}
