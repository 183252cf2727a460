//! Where a text can be: an index over all that was seen within deliveries, so that a text which few deliveries have, or
//! none, is found without reading a million payloads.
//!
//! Rows are never changed, only added and taken away as a whole. So a *block* of them, some hundred KiB of text, has a
//! [filter](grams) of the grams in it that stays true whatever happens later: it may suspect a text where there is none, never
//! miss one. Sixty-four blocks become a *group*, whose filters are turned by a right angle: for each bit one word that
//! has a bit for each block. To know in which of 64 blocks a text can be takes as many words as it has grams, mostly
//! three or four. What was written since the last block is read as it is.
//!
//! A [keeper] beside the writer makes blocks of what was written, without haste; a [sieve] reads them. The index lives in the
//! journal's file and changes with it; without it, or while it is being made, everything is found as well, only later.

mod build;
mod grams;
mod keeper;
mod sieve;

#[cfg(test)]
mod tests;

pub(super) use keeper::Keeper;
pub(super) use sieve::{Chosen, Sieve};

use rusqlite::{Connection, OptionalExtension, params};

use super::damage;

/// How the filters are made, in `meta`: others are of no use.
const FORM: i64 = 1;
/// How many words of a group are in one row of `text_slices`: as many as fit in a page.
const SLICE: usize = 500;
const SLICES: usize = grams::BITS.div_ceil(SLICE);
/// How many blocks are in a group.
const GROUP: usize = 64;

/// `first` to `last` are rows, `low` to `high` the deliveries they belong to (the other way round where they belong to
/// none). A group lists its blocks in `blocks`, and has its words in `text_slices`, from `id * SLICES` on.
const TABLES: &str = "
CREATE TABLE text_blocks (first INTEGER PRIMARY KEY, last INTEGER NOT NULL, low INTEGER NOT NULL, high INTEGER NOT NULL,
    bits BLOB NOT NULL) STRICT;
CREATE TABLE text_groups (id INTEGER PRIMARY KEY, first INTEGER NOT NULL, last INTEGER NOT NULL, low INTEGER NOT NULL,
    high INTEGER NOT NULL, blocks BLOB NOT NULL) STRICT;
CREATE TABLE text_slices (id INTEGER PRIMARY KEY, bits BLOB NOT NULL) STRICT;
";

/// A stretch of rows, and the deliveries they belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Block {
    first: i64,
    last: i64,
    low: i64,
    high: i64,
}

impl Block {
    /// One that begins at a row and has none yet.
    fn from(first: i64) -> Self {
        Self { first, last: first - 1, low: i64::MAX, high: i64::MIN }
    }

    fn touches(&self, from: i64, to: i64) -> bool {
        self.low <= to && self.high >= from
    }

    fn bytes(&self) -> impl Iterator<Item = u8> {
        [self.first, self.last, self.low, self.high].into_iter().flat_map(i64::to_le_bytes)
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let mut numbers = bytes.chunks_exact(8).filter_map(|number| number.try_into().ok()).map(i64::from_le_bytes);
        let mut next = || numbers.next();
        Some(Self { first: next()?, last: next()?, low: next()?, high: next()? })
    }
}

/// How far the index is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Progress {
    /// The last row that is in it.
    row: i64,
    /// Whether what the summaries say stands in the rows: not so where rows were lost.
    columns: bool,
}

impl Progress {
    /// `None` where there is no index, or none this program can read.
    fn read(conn: &Connection) -> rusqlite::Result<Option<Self>> {
        if !known(conn)? || meta(conn, "text_form")? != Some(FORM) {
            return Ok(None);
        }
        let row = meta(conn, "text_row")?.unwrap_or(0);
        Ok(Some(Self { row, columns: meta(conn, "text_columns")? == Some(1) }))
    }
}

/// The last row that is in the index.
pub(super) fn indexed(conn: &Connection) -> rusqlite::Result<i64> {
    Ok(Progress::read(conn)?.map_or(0, |progress| progress.row))
}

fn known(conn: &Connection) -> rusqlite::Result<bool> {
    let sql =
        "SELECT count(*) = 3 FROM sqlite_schema WHERE type = 'table' AND name IN ('text_blocks', 'text_groups', 'text_slices')";
    conn.prepare_cached(sql)?.query_row([], |row| row.get(0))
}

fn meta(conn: &Connection, name: &str) -> rusqlite::Result<Option<i64>> {
    conn.prepare_cached("SELECT value FROM meta WHERE name = ?")?.query_row([name], |row| row.get(0)).optional()
}

fn set_meta(conn: &Connection, name: &str, value: i64) -> rusqlite::Result<()> {
    conn.prepare_cached("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)")?.execute(params![name, value]).map(drop)
}

/// Makes the tables where there are none, and empties them where they are not of this journal as it is: journals of
/// before do not have them, and older programs do without.
pub(super) fn prepare(conn: &mut Connection) -> rusqlite::Result<()> {
    if let Some(Progress { row, .. }) = Progress::read(conn)? {
        let last: i64 = conn.query_row("SELECT coalesce(max(row), 0) FROM observations", [], |row| row.get(0))?;
        if row <= last {
            return Ok(());
        }
    }
    anew(conn)
}

/// Begins the index anew.
fn anew(conn: &mut Connection) -> rusqlite::Result<()> {
    let tx = conn.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    for table in ["text_blocks", "text_groups", "text_slices"] {
        tx.execute_batch(&format!("DROP TABLE IF EXISTS {table}"))?;
    }
    tx.execute_batch(TABLES)?;
    // Also where it was mended by a program of before.
    let lost = tx
        .prepare("SELECT 1 FROM observations WHERE level >= 2 AND level = 3 AND instr(body, ?) LIMIT 1")?
        .exists([damage::WAS_DAMAGED])?;
    set_meta(&tx, "text_columns", i64::from(!lost))?;
    set_meta(&tx, "text_row", 0)?;
    set_meta(&tx, "text_form", FORM)?;
    tx.commit()
}

/// Of a journal that is being mended summaries may survive whose rows do not.
pub(super) fn mended(conn: &Connection) -> rusqlite::Result<()> {
    set_meta(conn, "text_columns", 0)
}

/// Takes away what is about rows that are there no more, after deliveries from one number to another went.
pub(super) fn trim(conn: &Connection, from: i64, to: i64) -> rusqlite::Result<()> {
    if !known(conn)? {
        return Ok(());
    }
    const GONE: &str = "low <= ?2 AND high >= ?1
        AND NOT EXISTS (SELECT 1 FROM observations NOT INDEXED WHERE row BETWEEN first AND last AND delivery IS NOT NULL)";
    conn.prepare_cached(&format!("DELETE FROM text_blocks WHERE {GONE}"))?.execute([from, to])?;
    let groups: Vec<i64> = conn
        .prepare_cached(&format!("DELETE FROM text_groups WHERE {GONE} RETURNING id"))?
        .query_map([from, to], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    for group in groups {
        let first = group.saturating_mul(SLICES as i64);
        conn.prepare_cached("DELETE FROM text_slices WHERE id >= ? AND id < ?")?.execute([first, first + SLICES as i64])?;
    }
    Ok(())
}
