use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::{Connection, params};
use tokio::sync::watch;

use super::feed::{Feed, Place};
use super::queue::Queue;
use super::record::{record, severity, state};
use super::summary::Changes;
use super::texts::Keeper;
use super::{JournalError, Mended, Redactor, Retention, damage, retention, schema};
use crate::observe::{DeliveryKey, Fact, Level, Observation, Timestamp};

/// How many deliveries are kept in mind; the others are looked up.
const IN_MIND: usize = 4096;
/// With this much written and nothing to do, the log of SQLite is worked into its file; with the greater one, always.
const CHECKPOINT_IDLE: usize = 16 << 20;
const CHECKPOINT_BUSY: usize = 48 << 20;
/// How often a batch is tried before the disk counts as broken, and the first pause; each is twice as long.
const TRIES: u32 = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(20);
/// Between two batches under load. What comes alone is written at once; of what comes in a stream several are written together,
/// and each page of an index once.
const TOGETHER: Duration = Duration::from_millis(4);
/// With batches of so many observations there is no time for anything else.
const PRESSED: u64 = 64;
/// How often it is looked whether the journal has become too large or too old.
const TRIM_EVERY: Duration = Duration::from_secs(3);

/// The only one that writes: a connection, and the right to it for as long as it lives.
pub(super) struct Writer {
    conn: Connection,
    path: PathBuf,
    redactor: Redactor,
    keys: HashMap<DeliveryKey, i64>,
    /// The fact that is being written, in JSON.
    body: Vec<u8>,
    rows_since_checkpoint: usize,
    last: i64,
    /// What became of a journal that was damaged.
    pub(super) mended: Option<Mended>,
    /// How much is kept.
    pub(super) retention: Arc<Mutex<Retention>>,
    /// When it was looked at last whether that is too much.
    trimmed: Instant,
    /// Held by whoever writes to the file: this one, or the keeper of the index of texts.
    writing: Arc<Mutex<()>>,
    _lock: Arc<File>,
}

/// What the writer tells the others.
pub(super) struct Announcer {
    /// What was just written, for whoever follows.
    pub(super) feed: Feed,
    /// The last row on disk.
    pub(super) news: watch::Sender<i64>,
    /// How many observations are settled: on disk, or given up.
    pub(super) settled: watch::Sender<u64>,
    /// What keeps it from writing.
    pub(super) trouble: watch::Sender<Option<String>>,
}

impl Writer {
    /// Takes the journal of `dir`, and notes which deliveries the last process left unanswered. What is damaged is mended,
    /// once.
    pub(super) fn open(dir: &Path, redactor: Redactor) -> Result<Self, JournalError> {
        let lock = Arc::new(schema::lock(dir)?);
        let mut mended = damage::look(dir).map(|reason| damage::mend(dir, reason)).transpose()?;
        let mut writer = match Self::begin(dir, &lock, redactor.clone()) {
            Err(JournalError::Corrupt { reason, .. }) if mended.is_none() => {
                mended = Some(damage::mend(dir, reason)?);
                Self::begin(dir, &lock, redactor)?
            }
            begun => begun?,
        };
        let (kept, unread) = match Retention::load(dir) {
            Ok(kept) => (kept, None),
            Err(error) => (Retention::ALL, Some(error.to_string())),
        };
        writer.retention = Arc::new(Mutex::new(kept));
        for message in mended.iter().map(ToString::to_string).chain(unread) {
            let fact = Fact::Log { level: Level::Error, target: "journal".into(), message };
            writer.write(&mut [Observation::now(fact)], &mut Vec::new()).map_err(|source| schema::error(&writer.path, source))?;
        }
        writer.mended = mended;
        Ok(writer)
    }

    /// Opens the file, and writes to it for the first time.
    fn begin(dir: &Path, lock: &Arc<File>, redactor: Redactor) -> Result<Self, JournalError> {
        let mut writer = Self {
            conn: schema::open_for_writing(dir)?,
            path: schema::file(dir),
            redactor,
            keys: HashMap::new(),
            body: Vec::new(),
            rows_since_checkpoint: 0,
            last: 0,
            mended: None,
            retention: Arc::default(),
            trimmed: Instant::now(),
            writing: Arc::default(),
            _lock: Arc::clone(lock),
        };
        writer.interrupt_running().map_err(|source| schema::error(&writer.path, source))?;
        Ok(writer)
    }

    /// The last row on disk.
    pub(super) fn last(&self) -> i64 {
        self.last
    }

    fn interrupt_running(&mut self) -> rusqlite::Result<()> {
        self.last = self.conn.query_row("SELECT coalesce(max(row), 0) FROM observations", [], |row| row.get(0))?;
        let mut left: Vec<Observation> = self
            .conn
            // Said in the text, not as values: so the indexes of those that run, and that wait for a runner, are used.
            .prepare(&format!(
                "SELECT key, state FROM deliveries WHERE state = {} UNION ALL SELECT key, state FROM deliveries WHERE state = {}",
                state::RUNNING,
                state::NO_RUNNER
            ))?
            .query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)))?
            .map(|row| {
                let (key, stood) = row?;
                let reason = state::unanswered(stood);
                let delivery = Some(DeliveryKey::from(key.as_str()));
                Ok(Observation { delivery, ..Observation::now(Fact::Interrupted { reason }) })
            })
            .collect::<rusqlite::Result<_>>()?;
        self.write(&mut left, &mut Vec::new())
    }

    /// Writes all of them, or none. Afterwards they are redacted, and `rows` says where each of them is.
    fn write(&mut self, batch: &mut [Observation], rows: &mut Vec<Place>) -> rusqlite::Result<()> {
        rows.clear();
        let written = self.write_all(batch, rows);
        match (&written, rows.last()) {
            (Ok(()), Some((last, _))) => self.last = *last,
            (Ok(()), None) => {}
            (Err(_), _) => self.keys.clear(), // they may name deliveries that were rolled back
        }
        self.rows_since_checkpoint += batch.len();
        written
    }

    fn write_all(&mut self, batch: &mut [Observation], rows: &mut Vec<Place>) -> rusqlite::Result<()> {
        let _alone = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let tx = self.conn.transaction()?;
        let mut changes = Changes::default();
        for observation in batch {
            self.redactor.written(&mut observation.fact, &mut self.body).map_err(unwritable)?;
            let body = std::str::from_utf8(&self.body).map_err(unwritable)?;
            let key = observation.delivery.as_ref();
            let known = key.and_then(|key| self.keys.get(key)).copied();
            let (row, delivery) = record(&tx, observation, body, known, &mut changes)?;
            rows.push((row, delivery));
            if let (Some(key), None, Some(id)) = (key, known, delivery) {
                if self.keys.len() >= IN_MIND {
                    self.keys.clear();
                }
                self.keys.insert(key.clone(), id);
            }
        }
        changes.write(&tx)?;
        tx.commit()
    }

    /// Writes whatever comes, until the queue is closed and empty.
    pub(super) fn run(mut self, queue: &Queue<Observation>, announcer: &Announcer) {
        let (mut batch, mut rows) = (Vec::new(), Vec::new());
        // That there is none makes a search slower, and is no reason to write nothing.
        let keeper = self.path.parent().and_then(|dir| Keeper::start(dir, Arc::clone(&self.writing)).ok());
        let (mut lost, mut due) = (Lost::default(), Instant::now());
        while queue.take(&mut batch, due) {
            due = Instant::now() + TOGETHER;
            let count = batch.len() as u64;
            if lost.count > 0 {
                batch.insert(0, lost.note());
            }
            let tries = if lost.count > 0 { 1 } else { TRIES };
            match self.try_to_write(&mut batch, &mut rows, tries) {
                Ok(()) => {
                    lost = Lost::default();
                    announcer.trouble.send_if_modified(|trouble| trouble.take().is_some());
                    announcer.feed.hand_on(&mut batch, &rows);
                    announcer.news.send_replace(self.last);
                }
                Err(error) => {
                    lost.add(count, cause(&self.path, error));
                    announcer.trouble.send_replace(Some(lost.words()));
                }
            }
            announcer.settled.send_modify(|settled| *settled += count);
            batch.clear();
            self.checkpoint(queue.is_empty());
            self.trim(queue);
            if let Some(keeper) = &keeper {
                keeper.tell(count >= PRESSED);
            }
        }
    }

    /// Lets the oldest go where there is too much, a portion after each batch, as long as nobody waits for the disk.
    fn trim(&mut self, queue: &Queue<Observation>) {
        if self.trimmed.elapsed() < TRIM_EVERY {
            return;
        }
        let retention = *self.retention.lock().unwrap_or_else(PoisonError::into_inner);
        let begun = Instant::now();
        while self.trim_portion(&retention) {
            self.rows_since_checkpoint += 1024;
            if !queue.is_empty() || begun.elapsed() > TRIM_EVERY {
                // Goes on after the next batch.
                return;
            }
        }
        self.trimmed = Instant::now();
    }

    fn trim_portion(&mut self, retention: &Retention) -> bool {
        let _alone = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        // That it can't be done (the disk is in trouble) is said when something can't be written.
        retention::trim(&mut self.conn, retention, Timestamp::now()).unwrap_or(false)
    }

    fn try_to_write(&mut self, batch: &mut [Observation], rows: &mut Vec<Place>, tries: u32) -> rusqlite::Result<()> {
        let mut pause = FIRST_PAUSE;
        for _ in 1..tries {
            match self.write(batch, rows) {
                Ok(()) => return Ok(()),
                Err(error) if self.mend(&error) => continue,
                Err(_) => std::thread::sleep(pause),
            }
            pause *= 2;
        }
        self.write(batch, rows)
    }

    /// Damage that shows while it is in use is mended on the spot; whether it was that, and is. The numbers of rows go on
    /// rising, whatever was lost.
    fn mend(&mut self, error: &rusqlite::Error) -> bool {
        let Some(dir) = self.path.parent().filter(|_| damage::is_damage(error)) else { return false };
        let _alone = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let Ok(mended) = damage::mend_in_place(dir, &mut self.conn, error.to_string()) else { return false };
        self.keys.clear();
        let mut fact = Fact::Log { level: Level::Error, target: "journal".into(), message: mended.to_string() };
        let said = self.redactor.written(&mut fact, &mut self.body).is_ok();
        let body = std::str::from_utf8(&self.body).ok().filter(|_| said);
        let noted = self.conn.execute(
            "INSERT INTO observations (row, at, step, kind, level, body) VALUES (?, ?, 0, 'log', ?, ?)",
            params![self.last + 1, Timestamp::now().0, severity(Level::Error), body],
        );
        noted.is_ok()
    }

    /// Works the log into the file between two batches, rather than inside one: the news is out already.
    fn checkpoint(&mut self, idle: bool) {
        // A page is 4 KiB and takes a handful of rows: a rough measure is enough here.
        let written = self.rows_since_checkpoint * 1024;
        if written > CHECKPOINT_BUSY || (idle && written > CHECKPOINT_IDLE) {
            // That it can't be done now (a reader is in the way) only means that it is done later.
            let _ = self.conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
            self.rows_since_checkpoint = 0;
        }
    }
}

fn unwritable(error: impl std::error::Error + Send + Sync + 'static) -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure(error.into())
}

/// Why something can't be written, and nothing else: there may be little room to say it.
fn cause(path: &Path, error: rusqlite::Error) -> String {
    match schema::error(path, error) {
        JournalError::Sqlite { source, .. } => source.to_string(),
        JournalError::Create { source, .. } => source.to_string(),
        other => other.to_string(),
    }
}

/// What could not be written since the disk is in trouble.
#[derive(Default)]
struct Lost {
    count: u64,
    reason: String,
}

impl Lost {
    fn add(&mut self, count: u64, reason: String) {
        self.count += count;
        self.reason = reason;
    }

    fn words(&self) -> String {
        let (s, were) = if self.count == 1 { ("", "was") } else { ("s", "were") };
        format!("{}: {} observation{s} {were} lost on the way to the disk", self.reason, self.count)
    }

    /// The gap becomes a line in the journal as soon as it can be written again.
    fn note(&self) -> Observation {
        Observation::now(Fact::Log { level: Level::Error, target: "journal".into(), message: self.words() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::{LogFilter, Reader};

    fn log(message: &str) -> Observation {
        Observation::now(Fact::Log { level: Level::Info, target: "test".into(), message: message.into() })
    }

    #[test]
    fn damage_that_shows_while_it_is_in_use_is_mended_under_the_hands_of_its_readers() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = Writer::open(dir.path(), Redactor::new()).unwrap();
        for n in 0..200 {
            writer.write(&mut [log(&format!("{n} {}", "x".repeat(500)))], &mut Vec::new()).unwrap();
        }
        writer.conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
        drop(writer);
        // The last pages: the one that is written to next is among them.
        let file = schema::file(dir.path());
        let pages = std::fs::metadata(&file).unwrap().len() / 4096;
        let mut writer = Writer::open(dir.path(), Redactor::new()).unwrap();
        let reader = Reader::open(dir.path()).unwrap();
        assert_eq!(reader.last_row().unwrap(), 200);
        let mut bytes = std::fs::read(&file).unwrap();
        let from = usize::try_from((pages - 3) * 4096).unwrap();
        bytes[from..].fill(0xa5);
        std::fs::write(&file, bytes).unwrap();
        writer.conn.execute_batch("PRAGMA shrink_memory").unwrap();
        let mut rows = Vec::new();
        writer.try_to_write(&mut [log("after")], &mut rows, TRIES).unwrap();
        assert!(rows[0].0 > 201, "no number comes twice: {rows:?}");
        assert_eq!(reader.last_row().unwrap(), rows[0].0, "who has it open sees it");
        let lines = reader.logs(&LogFilter::default(), 1_000).unwrap();
        assert!(lines.len() > 100, "{}", lines.len());
        assert!(lines[lines.len() - 2].message.contains("was damaged"), "{:?}", lines[lines.len() - 2]);
        let aside = std::fs::read_dir(dir.path()).unwrap().flatten();
        assert_eq!(aside.filter(|entry| entry.file_name().to_string_lossy().ends_with(".sqlite")).count(), 2, "kept as it was");
    }

    #[test]
    fn a_full_disk_is_told_and_leaves_a_line_once_there_is_room_again() {
        let dir = tempfile::tempdir().unwrap();
        let writer = Writer::open(dir.path(), Redactor::new()).unwrap();
        let pages: i64 = writer.conn.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
        let limit = |pages: i64| writer.conn.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(())).unwrap();
        limit(pages + 1);
        let announcer = Announcer {
            feed: Feed::new(),
            news: watch::channel(0).0,
            settled: watch::channel(0).0,
            trouble: watch::channel(None).0,
        };
        let mut writer = writer;
        let mut batch = [log(&"x".repeat(100_000))];
        let error = writer.try_to_write(&mut batch, &mut Vec::new(), 2).unwrap_err();
        let mut lost = Lost::default();
        lost.add(1, cause(&writer.path, error));
        assert_eq!(lost.words(), "database or disk is full: 1 observation was lost on the way to the disk");
        writer.conn.query_row("PRAGMA max_page_count = 1000000", [], |_| Ok(())).unwrap();
        let queue = Queue::new(8);
        queue.push(lost.note());
        queue.push(log("after"));
        queue.close();
        writer.run(&queue, &announcer);
        assert_eq!(*announcer.settled.borrow(), 2);
        assert_eq!(*announcer.news.borrow(), 2);
        let lines = Reader::open(dir.path()).unwrap().logs(&LogFilter::default(), 10).unwrap();
        assert!(lines[0].message.contains("1 observation was lost"), "{lines:?}");
        assert!(lines[0].message.contains("full"), "{lines:?}");
        assert_eq!(lines[1].message, "after");
    }
}
