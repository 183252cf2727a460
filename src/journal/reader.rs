use std::fmt;
use std::path::{Path, PathBuf};

use aho_corasick::AhoCorasick;
use rusqlite::functions::FunctionFlags;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params_from_iter};
use serde_json::Value as JsonValue;

use super::filter::{Conditions, conditions};
use super::record::{severity, state};
use super::{
    DeliveryFilter, DeliveryRow, DeliveryState, DocumentWrite, Gap, JournalError, LogFilter, LogRow, ObservationRow, Window,
    schema, writes,
};
use crate::observe::{DeliveryKey, Fact, LinkState, Observation, Timestamp};

/// The most rows one call returns, whatever was asked for: memory stays bounded.
pub(super) const MOST: usize = 10_000;

/// Reads a journal, also while another process writes it. It never changes anything.
pub struct Reader {
    pub(super) conn: Connection,
    pub(super) path: PathBuf,
    /// Whether a session writes it: without one nothing is running.
    pub(super) live: bool,
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Reader {
    /// Opens the journal of a data directory.
    ///
    /// # Errors
    /// [`JournalError::Missing`] where there is none, and those of [`Journal::open`](super::Journal::open) for a file
    /// that is not for this program.
    pub fn open(dir: &Path) -> Result<Self, JournalError> {
        let (conn, path) = (schema::open_for_reading(dir)?, schema::file(dir));
        let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
        conn.create_scalar_function("has", -1, flags, has).map_err(|source| schema::error(&path, source))?;
        Ok(Self { conn, path, live: schema::is_written(dir) })
    }

    /// The number of the last row; 0 while there is none.
    ///
    /// # Errors
    /// When the file cannot be read; so for all of them.
    pub fn last_row(&self) -> Result<i64, JournalError> {
        self.one("SELECT coalesce(max(row), 0) FROM observations", &[], |row| row.get(0)).map(Option::unwrap_or_default)
    }

    /// Deliveries, oldest first.
    ///
    /// # Errors
    /// As [`last_row`](Self::last_row).
    pub fn deliveries(&self, filter: &DeliveryFilter, window: &Window) -> Result<Vec<DeliveryRow>, JournalError> {
        Ok(self.search(filter, window, None)?.rows)
    }

    /// How many deliveries fit.
    ///
    /// # Errors
    /// As [`last_row`](Self::last_row).
    pub fn count(&self, filter: &DeliveryFilter) -> Result<u64, JournalError> {
        let whole = |n: Option<i64>| n.and_then(|n| u64::try_from(n).ok()).unwrap_or_default();
        if *filter == DeliveryFilter::default() {
            // Counting a million takes a while; the numbers are known.
            let sql = "SELECT coalesce(max(id), 0) - (SELECT value FROM meta WHERE name = 'removed') FROM deliveries";
            return Ok(whole(self.one(sql, &[], |row| row.get(0))?));
        }
        if filter.reads_payloads() {
            let (mut count, mut window) = (0, Window::newest(MOST));
            loop {
                let rows = self.search(filter, &window, None)?.rows;
                count += rows.len() as u64;
                match rows.first() {
                    Some(first) if rows.len() == MOST => window = Window::before(first.id, MOST),
                    _ => return Ok(count),
                }
            }
        }
        let Conditions { sql, values, .. } = conditions(filter, Timestamp::now(), self.live);
        let sql = format!("SELECT count(*) FROM deliveries WHERE {}", joined(&sql));
        Ok(whole(self.one(&sql, &values, |row| row.get(0))?))
    }

    /// How many deliveries failed or are to be tried again.
    ///
    /// # Errors
    /// As [`last_row`](Self::last_row).
    pub fn failures(&self) -> Result<u64, JournalError> {
        // Word for word the condition of the index.
        let sql = "SELECT count(*) FROM deliveries WHERE result IN ('fail', 'retry')";
        Ok(self.one(sql, &[], |row| row.get::<_, i64>(0))?.and_then(|n| u64::try_from(n).ok()).unwrap_or_default())
    }

    /// One delivery.
    ///
    /// # Errors
    /// As [`last_row`](Self::last_row).
    pub fn delivery(&self, id: i64) -> Result<Option<DeliveryRow>, JournalError> {
        self.one("SELECT * FROM deliveries WHERE id = ?", &[id.into()], |row| delivery(row, self.live))
    }

    /// The latest delivery of a task.
    ///
    /// # Errors
    /// As [`last_row`](Self::last_row).
    pub fn delivery_of_task(&self, task_id: &str) -> Result<Option<DeliveryRow>, JournalError> {
        let task = task_id.to_owned().into();
        self.one("SELECT * FROM deliveries WHERE task_id = ? ORDER BY id DESC LIMIT 1", &[task], |row| delivery(row, self.live))
    }

    /// The number of a delivery by the name the runtime gave it.
    ///
    /// # Errors
    /// As [`last_row`](Self::last_row).
    pub fn delivery_of_key(&self, key: &DeliveryKey) -> Result<Option<i64>, JournalError> {
        self.one("SELECT id FROM deliveries WHERE key = ?", &[key.as_str().to_owned().into()], |row| row.get(0))
    }

    /// The name the runtime gave a delivery, by its number.
    ///
    /// # Errors
    /// As [`last_row`](Self::last_row).
    pub fn key_of_delivery(&self, id: i64) -> Result<Option<DeliveryKey>, JournalError> {
        let key: Option<String> = self.one("SELECT key FROM deliveries WHERE id = ?", &[id.into()], |row| row.get(0))?;
        Ok(key.as_deref().map(DeliveryKey::from))
    }

    /// What belongs to a delivery, oldest first: the first 10,000 of it; [`observations_after`](Self::observations_after)
    /// reads on.
    ///
    /// # Errors
    /// As [`last_row`](Self::last_row), and [`JournalError::Row`].
    pub fn observations(&self, delivery_id: i64) -> Result<Vec<ObservationRow>, JournalError> {
        self.observations_after(delivery_id, 0, MOST)
    }

    /// What belongs to a delivery and came after a row, oldest first, at most `limit`.
    ///
    /// # Errors
    /// As [`observations`](Self::observations).
    pub fn observations_after(&self, delivery_id: i64, row: i64, limit: usize) -> Result<Vec<ObservationRow>, JournalError> {
        let sql = "SELECT row, at, delivery, step, body FROM observations WHERE delivery = ? AND row > ? ORDER BY row LIMIT ?";
        self.many(sql, &[delivery_id.into(), row.into(), at_most(limit)], stored)?.into_iter().map(observation).collect()
    }

    /// The steps of a delivery: how each began and ended, oldest first, without the request they were given and left.
    ///
    /// # Errors
    /// As [`observations`](Self::observations).
    pub fn steps(&self, delivery_id: i64) -> Result<Vec<ObservationRow>, JournalError> {
        let sql = "SELECT row, at, delivery, step, json_remove(body, '$.request') FROM observations
                   WHERE delivery = ? AND kind IN ('step_started', 'step_ended') ORDER BY row LIMIT ?";
        self.many(sql, &[delivery_id.into(), at_most(MOST)], stored)?.into_iter().map(observation).collect()
    }

    /// What was said last before a row of the extension and of its configuration, outside any delivery.
    ///
    /// # Errors
    /// As [`observations`](Self::observations).
    pub fn settings_before(&self, row: i64) -> Result<Vec<Fact>, JournalError> {
        let mut facts = Vec::new();
        for kind in ["extension", "configured"] {
            // Word for word the condition of the index, and then the one that is wanted.
            let sql = "SELECT row, at, delivery, step, body FROM observations WHERE kind IN ('configured', 'extension')
                       AND kind = ? AND delivery IS NULL AND row < ? ORDER BY row DESC LIMIT 1";
            let kind = kind.to_owned().into();
            if let Some(found) = self.one(sql, &[kind, row.into()], stored)? {
                facts.push(observation(found)?.observation.fact);
            }
        }
        Ok(facts)
    }

    /// The newest gaps of the link, oldest first: from its loss to its return.
    ///
    /// # Errors
    /// As [`observations`](Self::observations).
    pub fn gaps(&self, limit: usize) -> Result<Vec<Gap>, JournalError> {
        // Word for word the condition of the index.
        let sql = "SELECT row, at, delivery, step, body FROM observations WHERE kind = 'link' ORDER BY row DESC LIMIT ?";
        let mut gaps: Vec<Gap> = Vec::new();
        let mut links = self.many(sql, &[at_most(limit.saturating_mul(4))], stored)?;
        links.reverse();
        for link in links {
            let ObservationRow { observation, .. } = observation(link)?;
            let Fact::Link { state, detail } = observation.fact else { continue };
            let open = gaps.last_mut().filter(|gap| gap.until.is_none());
            match (state, open) {
                (LinkState::Waiting, None) => gaps.push(Gap { from: observation.at, until: None, why: detail }),
                (LinkState::Connected | LinkState::Closed, Some(gap)) => gap.until = Some(observation.at),
                _ => {}
            }
        }
        let more = gaps.len().saturating_sub(limit);
        gaps.drain(..more);
        Ok(gaps)
    }

    /// What came after a row, oldest first, at most `limit`.
    ///
    /// # Errors
    /// As [`observations`](Self::observations).
    pub fn after(&self, row: i64, limit: usize) -> Result<Vec<ObservationRow>, JournalError> {
        let sql = "SELECT row, at, delivery, step, body FROM observations WHERE row > ? ORDER BY row LIMIT ?";
        self.many(sql, &[row.into(), at_most(limit)], stored)?.into_iter().map(observation).collect()
    }

    /// The last configuration the runtime took over before a row.
    ///
    /// # Errors
    /// As [`observations`](Self::observations).
    pub fn configured_before(&self, row: i64) -> Result<Option<ObservationRow>, JournalError> {
        let sql = "SELECT row, at, delivery, step, body FROM observations WHERE kind = 'configured' AND row < ? \
                   ORDER BY row DESC LIMIT 1";
        self.many(sql, &[row.into()], stored)?.into_iter().map(observation).next().transpose()
    }

    /// The newest log lines that fit, oldest first.
    ///
    /// # Errors
    /// As [`observations`](Self::observations).
    pub fn logs(&self, filter: &LogFilter, limit: usize) -> Result<Vec<LogRow>, JournalError> {
        // Word for word the conditions of the indexes, so that they are used.
        let mut sql = String::from("SELECT row, at, delivery, step, body FROM observations WHERE level IS NOT NULL");
        let mut values = Vec::new();
        match filter.level.map(severity) {
            Some(level @ 2..) => sql.push_str(&format!(" AND level >= 2 AND level >= {level}")),
            Some(level) => sql.push_str(&format!(" AND level >= {level}")),
            None => {}
        }
        if let Some(delivery) = filter.delivery {
            sql.push_str(" AND delivery = ?");
            values.push(delivery.into());
        }
        if let Some(text) = filter.text.as_ref().filter(|text| !text.is_empty()) {
            sql.push_str(" AND has(?, body ->> 'message', body ->> 'target')");
            values.push(text.to_lowercase().into());
        }
        sql.push_str(" ORDER BY row DESC LIMIT ?");
        values.push(at_most(limit));
        let mut lines: Vec<_> = self.many(&sql, &values, stored)?.into_iter().map(log).collect::<Result<_, _>>()?;
        lines.reverse();
        Ok(lines)
    }

    /// The observed writes of a document, oldest first, the last hundred; `id` is its `_id` as canonical Extended JSON.
    ///
    /// # Errors
    /// As [`observations`](Self::observations).
    pub fn writes_of(&self, database: &str, collection: &str, id: &JsonValue) -> Result<Vec<DocumentWrite>, JournalError> {
        if !writes::known(&self.conn).map_err(|source| schema::error(&self.path, source))? {
            return Ok(Vec::new());
        }
        let sql = "SELECT o.delivery, o.row, o.body ->> 'operation' FROM document_writes w JOIN observations o ON o.row = w.row
                   WHERE w.document = ? AND o.body ->> 'database' = ? AND o.body ->> 'collection' = ?
                   ORDER BY o.row DESC LIMIT 100";
        let values = [id.to_string().into(), database.to_owned().into(), collection.to_owned().into()];
        let write = |row: &Row<'_>| Ok(DocumentWrite { delivery: row.get(0)?, row: row.get(1)?, operation: row.get(2)? });
        let mut all = self.many(sql, &values, write)?;
        all.reverse();
        Ok(all)
    }

    pub(super) fn one<T>(
        &self,
        sql: &str,
        values: &[Value],
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, JournalError> {
        self.conn
            .prepare_cached(sql)
            .and_then(|mut statement| statement.query_row(params_from_iter(values), read).optional())
            .map_err(|source| schema::error(&self.path, source))
    }

    pub(super) fn many<T>(
        &self,
        sql: &str,
        values: &[Value],
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, JournalError> {
        self.conn
            .prepare_cached(sql)
            .and_then(|mut statement| statement.query_map(params_from_iter(values), read)?.collect())
            .map_err(|source| schema::error(&self.path, source))
    }
}

/// Conditions that must all hold.
pub(super) fn joined(conditions: &[String]) -> String {
    if conditions.is_empty() { "1".into() } else { conditions.join(" AND ") }
}

fn at_most(limit: usize) -> Value {
    i64::try_from(limit.min(MOST)).unwrap_or_default().into()
}

/// SQL's `has(needle, text, ...)`: whether one of the texts contains the needle, letter case aside. The needle comes in
/// lower case already.
fn has(context: &rusqlite::functions::Context<'_>) -> rusqlite::Result<bool> {
    // Made once for a statement, however many rows it looks at.
    let wanted = context.get_or_create_aux(0, |needle| needle.as_str().map(Wanted::new))?;
    Ok((1..context.len()).any(|at| context.get_raw(at).as_str().is_ok_and(|text| wanted.is_in(text))))
}

/// A text that is looked for, letter case aside.
enum Wanted {
    Ascii(AhoCorasick),
    Other(String),
}

impl Wanted {
    fn new(needle: &str) -> Self {
        let search = AhoCorasick::builder().ascii_case_insensitive(true).build([needle]);
        match search {
            Ok(search) if needle.is_ascii() => Self::Ascii(search),
            _ => Self::Other(needle.to_owned()),
        }
    }

    fn is_in(&self, text: &str) -> bool {
        match self {
            Self::Ascii(search) => search.is_match(text),
            Self::Other(needle) => text.to_lowercase().contains(needle),
        }
    }
}

pub(super) fn delivery(row: &Row<'_>, live: bool) -> rusqlite::Result<DeliveryRow> {
    let number = |n: i64| u64::try_from(n).unwrap_or_default();
    let stood = row.get::<_, i64>("state")?;
    // Whoever handled it is gone.
    let left = !live && matches!(stood, state::RUNNING | state::NO_RUNNER);
    Ok(DeliveryRow {
        id: row.get("id")?,
        task_id: row.get("task_id")?,
        category: row.get("category")?,
        event_type: row.get("event_type")?,
        object_id: row.get("object_id")?,
        arrived_at: Timestamp(row.get("arrived_at")?),
        object_status: row.get("object_status")?,
        state: match stood {
            _ if left => DeliveryState::Interrupted,
            state::RUNNING => DeliveryState::Running,
            state::NO_RUNNER => DeliveryState::NoRunner,
            state::ANSWERED => DeliveryState::Answered,
            state::SENT => DeliveryState::Sent,
            _ => DeliveryState::Interrupted,
        },
        result: row.get("result")?,
        message: if left { Some(state::unanswered(stood)) } else { row.get("message")? },
        countdown: number(row.get("countdown")?),
        micros: row.get::<_, Option<i64>>("micros")?.map(number),
        attempt: row.get("attempt")?,
        origin: row.get("origin")?,
        replay_of: row.get("replay_of")?,
        api_calls: row.get("api_calls")?,
        store_calls: row.get("store_calls")?,
        store_errors: row.get("store_errors")?,
        logs: row.get("logs")?,
        saga: row.get("saga")?,
        injected: row.get("injected")?,
        marks: row.get::<_, String>("marks")?.split(',').filter(|mark| !mark.is_empty()).map(Into::into).collect(),
        pinned: row.get("pinned")?,
        wait: row.get::<_, Option<i64>>("wait")?.map(number),
    })
}

/// A row of `observations` as it is stored.
struct Stored {
    row: i64,
    at: Timestamp,
    delivery: Option<i64>,
    step: u32,
    body: String,
}

fn stored(row: &Row<'_>) -> rusqlite::Result<Stored> {
    Ok(Stored { row: row.get(0)?, at: Timestamp(row.get(1)?), delivery: row.get(2)?, step: row.get(3)?, body: row.get(4)? })
}

fn observation(stored: Stored) -> Result<ObservationRow, JournalError> {
    let Stored { row, at, delivery, step, body } = stored;
    let fact = serde_json::from_str(&body).map_err(|source| JournalError::Row { row, source })?;
    Ok(ObservationRow { row, delivery, observation: Observation { at, delivery: None, step, fact } })
}

fn log(stored: Stored) -> Result<LogRow, JournalError> {
    let ObservationRow { row, delivery, observation } = observation(stored)?;
    match observation.fact {
        Fact::Log { level, target, message } => Ok(LogRow { row, at: observation.at, delivery, level, target, message }),
        other => Err(JournalError::Row { row, source: serde::de::Error::custom(format!("no log line: {other:?}")) }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::Journal;
    use crate::observe::{Fact, Scope, StepKind, StepOutcome};

    #[tokio::test]
    async fn the_steps_of_a_delivery_are_read_without_their_requests() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::open(dir.path()).unwrap();
        let scope = Scope::new(std::sync::Arc::new(journal.clone())).delivery(crate::observe::DeliveryKey::random());
        scope.emit(Fact::TaskArrived(crate::observe::TaskArrived {
            task_id: "TQ-1".into(),
            category: "background".into(),
            event_type: "asset_purchase_request_processing".into(),
            object_id: "PR-1".into(),
            task: json!({}),
        }));
        let step = scope.step(StepKind::Execute, "pay", Some(json!({"id": "PR-1"})));
        step.end(StepOutcome::Done, None, Some(json!({"id": "PR-1", "paid": true})));
        journal.flush().await.unwrap();
        let facts: Vec<Fact> = journal.reader().unwrap().steps(1).unwrap().into_iter().map(|row| row.observation.fact).collect();
        assert!(
            matches!(
                &facts[..],
                [
                    Fact::StepStarted { name, request: None, .. },
                    Fact::StepEnded { outcome: StepOutcome::Done, request: None, .. }
                ] if name == "pay"
            ),
            "{facts:?}"
        );
        assert!(journal.reader().unwrap().observations(1).unwrap().len() > facts.len());
    }
}
