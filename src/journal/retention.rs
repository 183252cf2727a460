//! How much is kept: the oldest deliveries go when the journal is larger or older than the developer wants. What is
//! pinned stays, and so does what is being handled.

use std::fs;
use std::io::Write;
use std::path::Path;

use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};

use super::record::state;
use super::{JournalError, Reader, schema, search, texts};
use crate::observe::Timestamp;

/// How many deliveries go at once: between two batches, nobody waits longer for it than for a batch.
const AT_ONCE: i64 = 200;
/// How many rows that belong to no delivery go at once.
const ROWS_AT_ONCE: i64 = 2_000;
/// So many of the last rows stay, whatever they are of: they are what a developer looks at.
const LINES_AT_LEAST: i64 = 2_000;

/// How much of the past is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retention {
    /// Bytes on disk at most; 0 for no limit.
    pub bytes: u64,
    /// The age of a delivery in seconds at most; 0 for no limit.
    pub seconds: u64,
}

impl Default for Retention {
    /// 4 GiB, 90 days.
    fn default() -> Self {
        Self { bytes: 4 << 30, seconds: 90 * 86_400 }
    }
}

impl Retention {
    /// Everything stays.
    pub const ALL: Self = Self { bytes: 0, seconds: 0 };
    /// Less than so many bytes would take away all there is.
    pub const LEAST: u64 = 1 << 20;

    /// What was [saved](Self::save) in a data directory; the default where nothing was.
    ///
    /// # Errors
    /// [`JournalError::Retention`] where what is there can't be read: nobody knows then what was meant to stay.
    pub fn load(dir: &Path) -> Result<Self, JournalError> {
        let path = dir.join("retention.json");
        let wrong = |reason: String| JournalError::Retention { path: path.clone(), reason };
        match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).map_err(|e| wrong(e.to_string())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(wrong(error.to_string())),
        }
    }

    /// Keeps it for the sessions to come; what was kept before is there until then, whatever happens meanwhile.
    ///
    /// # Errors
    /// [`JournalError::Create`].
    pub fn save(&self, dir: &Path) -> Result<(), JournalError> {
        let path = dir.join("retention.json");
        let draft = dir.join("retention.new");
        let text = serde_json::to_vec(self).unwrap_or_default();
        let write = || {
            let mut file = schema::private_file(&draft)?;
            file.set_len(0)?;
            file.write_all(&text)?;
            file.sync_all()?;
            fs::rename(&draft, &path)
        };
        write().map_err(|source| JournalError::Create { path: path.clone(), source })
    }

    /// The age in words, in the largest unit that says it exactly: `90 days`, `12 hours`; `None` where there is no limit.
    #[must_use]
    pub fn age(&self) -> Option<String> {
        let units = [(86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")];
        let (length, unit) = units.into_iter().find(|(length, _)| self.seconds.is_multiple_of(*length))?;
        let n = self.seconds / length;
        (n > 0).then(|| format!("{n} {unit}{}", if n == 1 { "" } else { "s" }))
    }
}

/// How full the journal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// What it holds, in bytes.
    pub bytes: u64,
    /// How much it may.
    pub retention: Retention,
    /// How many deliveries there are.
    pub deliveries: u64,
    /// How many of them are pinned.
    pub pinned: u64,
    /// How many retention has taken away so far.
    pub removed: u64,
    /// When the oldest arrived.
    pub oldest: Option<Timestamp>,
    /// How many observations the index of texts has yet to take in.
    #[serde(default)]
    pub unindexed: u64,
}

impl Usage {
    /// Fewer wait for the index of texts while it is kept up with what happens.
    const WAITING: u64 = 20_000;

    /// Whether the index of texts is still being made.
    #[must_use]
    pub fn is_indexing(&self) -> bool {
        self.unindexed > Self::WAITING
    }
}

impl Reader {
    /// How full the journal is.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn usage(&self) -> Result<Usage, JournalError> {
        let dir = self.path.parent().unwrap_or(Path::new(""));
        let bytes = used(&self.conn).map_err(|source| schema::error(&self.path, source))?;
        let number = |sql: &str| self.one(sql, &[], |row| row.get::<_, Option<i64>>(0)).map(Option::flatten);
        let count = |n: Option<i64>| n.and_then(|n| u64::try_from(n).ok()).unwrap_or_default();
        Ok(Usage {
            bytes,
            // What can't be read takes nothing away.
            retention: Retention::load(dir).unwrap_or(Retention::ALL),
            deliveries: self.count(&super::DeliveryFilter::default())?,
            pinned: count(number("SELECT count(*) FROM deliveries WHERE pinned = 1")?),
            removed: count(number("SELECT value FROM meta WHERE name = 'removed'")?),
            oldest: number("SELECT arrived_at FROM deliveries ORDER BY id LIMIT 1")?.map(Timestamp),
            unindexed: count(Some(
                self.last_row()? - texts::indexed(&self.conn).map_err(|source| schema::error(&self.path, source))?,
            )),
        })
    }
}

/// Bytes in use; pages that became free are not counted, they are filled again.
fn used(conn: &Connection) -> rusqlite::Result<u64> {
    let number = |name| conn.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let pages = number("page_count")?.saturating_sub(number("freelist_count")?);
    Ok(u64::try_from(pages.saturating_mul(number("page_size")?)).unwrap_or_default())
}

/// Takes away one portion of what is too much; whether there may be more.
pub(super) fn trim(conn: &mut Connection, retention: &Retention, now: Timestamp) -> rusqlite::Result<bool> {
    let full = retention.bytes > 0 && used(conn)? > retention.bytes;
    let age = i64::try_from(retention.seconds).unwrap_or(i64::MAX).saturating_mul(1_000_000);
    let old = if retention.seconds > 0 { now.0.saturating_sub(age) } else { i64::MIN };
    // Numbers rise with time: without this every look would read a long journal from end to end to find nothing old in it.
    let below = if full { i64::MAX } else { search::first_since(conn, Timestamp(old))? };
    let tx = conn.transaction()?;
    // Never the newest, nor that of the newest row: the next number is one more than the greatest there is.
    let gone: Vec<i64> = tx
        .prepare_cached(
            "SELECT id FROM deliveries WHERE id < ? AND pinned = 0 AND state NOT IN (?, ?) AND (? OR arrived_at < ?)
             AND id < (SELECT max(id) FROM deliveries)
             AND id IS NOT (SELECT delivery FROM observations ORDER BY row DESC LIMIT 1) ORDER BY id LIMIT ?",
        )?
        .query_map(
            params![below, state::RUNNING, state::NO_RUNNER, full, old, if full { AT_ONCE } else { AT_ONCE * 2 }],
            |row| row.get(0),
        )?
        .collect::<rusqlite::Result<_>>()?;
    for id in &gone {
        tx.prepare_cached("DELETE FROM observations WHERE delivery = ?")?.execute([id])?;
        tx.prepare_cached("DELETE FROM deliveries WHERE id = ?")?.execute([id])?;
    }
    if let (Some(first), Some(last)) = (gone.first(), gone.last()) {
        texts::trim(&tx, *first, *last)?;
    }
    tx.prepare_cached("UPDATE meta SET value = value + ? WHERE name = 'removed'")?
        .execute([i64::try_from(gone.len()).unwrap_or_default()])?;
    let rows = match (gone.is_empty(), full) {
        (false, _) => lines(&tx)?,
        (true, true) => newer_lines(&tx)?,
        (true, false) => 0,
    };
    tx.commit()?;
    Ok(!gone.is_empty() || rows > 0)
}

/// Takes away what belongs to no delivery and is older than all that do. What was configured stays: it says what later
/// deliveries worked with.
fn lines(tx: &rusqlite::Transaction<'_>) -> rusqlite::Result<usize> {
    tx.prepare_cached(
        "DELETE FROM observations WHERE row IN (
           SELECT row FROM observations WHERE delivery IS NULL AND kind NOT IN ('configured', 'extension') AND row <
             (SELECT min(row) FROM observations WHERE delivery = (SELECT min(id) FROM deliveries WHERE pinned = 0))
           ORDER BY row LIMIT ?)",
    )?
    .execute([ROWS_AT_ONCE])
}

/// Where no delivery can go any more: the oldest of what belongs to none and came after the newest, but for the last ones. An
/// extension that logs without end while nothing is delivered to it would fill the disk.
fn newer_lines(tx: &rusqlite::Transaction<'_>) -> rusqlite::Result<usize> {
    tx.prepare_cached(
        "DELETE FROM observations WHERE row IN (
           SELECT row FROM observations NOT INDEXED WHERE delivery IS NULL AND kind NOT IN ('configured', 'extension')
             AND row > coalesce((SELECT min(row) FROM observations WHERE delivery = (SELECT max(id) FROM deliveries)), 0)
             AND row < (SELECT max(row) FROM observations) - ?
           ORDER BY row LIMIT ?)",
    )?
    .execute([LINES_AT_LEAST, ROWS_AT_ONCE])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::{Journal, LogFilter};
    use crate::observe::{Fact, Level, Observation, Observer};

    #[tokio::test]
    async fn lines_of_no_delivery_do_not_fill_the_disk_and_the_last_of_them_stay() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::open(dir.path()).unwrap();
        let lines = 3 * ROWS_AT_ONCE + LINES_AT_LEAST;
        for n in 0..lines {
            let fact = Fact::Log { level: Level::Info, target: "guest".into(), message: format!("{n} {}", "x".repeat(100)) };
            journal.observe(Observation::now(fact));
        }
        journal.close().await.unwrap();
        let mut conn = schema::open_for_writing(dir.path()).unwrap();
        let before = used(&conn).unwrap();
        let most = Retention { bytes: before - 1, seconds: 0 };
        assert!(trim(&mut conn, &most, Timestamp::now()).unwrap());
        assert!(used(&conn).unwrap() < before);
        assert!(!trim(&mut conn, &most, Timestamp::now()).unwrap(), "it is enough");
        let least = Retention { bytes: 1, seconds: 0 };
        while trim(&mut conn, &least, Timestamp::now()).unwrap() {}
        let left = journal.reader().unwrap().logs(&LogFilter::default(), 10_000).unwrap();
        assert_eq!(left.len() as i64, LINES_AT_LEAST + 1);
        assert!(left.last().unwrap().message.starts_with(&format!("{} ", lines - 1)));
    }

    #[rstest::rstest]
    #[case(90 * 86_400, Some("90 days"))]
    #[case(12 * 3_600, Some("12 hours"))]
    #[case(36 * 3_600, Some("36 hours"))]
    #[case(86_400, Some("1 day"))]
    #[case(90, Some("90 seconds"))]
    #[case(0, None)]
    fn an_age_is_told_exactly(#[case] seconds: u64, #[case] words: Option<&str>) {
        assert_eq!(Retention { bytes: 0, seconds }.age().as_deref(), words);
    }

    #[test]
    fn what_can_not_be_read_is_no_default() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Retention::load(dir.path()).unwrap(), Retention::default());
        let kept = Retention { bytes: 0, seconds: 7 };
        kept.save(dir.path()).unwrap();
        assert_eq!(Retention::load(dir.path()).unwrap(), kept);
        for text in ["", "{\"bytes\":"] {
            fs::write(dir.path().join("retention.json"), text).unwrap();
            let error = Retention::load(dir.path()).unwrap_err().to_string();
            assert!(error.contains("retention.json") && error.contains("nothing is taken away"), "{error}");
        }
    }
}
