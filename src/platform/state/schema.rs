//! The file: opening it, and reading what is open at the start.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::StoredVariable;
use crate::platform::PlatformError;
use crate::platform::tasks::Task;

/// The format written here.
const FORMAT: i64 = 2;

const TABLES: &str = "
    CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE objects (seq INTEGER PRIMARY KEY, collection TEXT NOT NULL, id TEXT NOT NULL, body TEXT NOT NULL, UNIQUE (collection, id));
    CREATE TABLE variables (id TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE tasks (seq INTEGER PRIMARY KEY, task_id TEXT NOT NULL UNIQUE, open INTEGER NOT NULL, body TEXT NOT NULL, answer TEXT);
    CREATE INDEX open_tasks ON tasks (open) WHERE open = 1;
";

/// What format 2 adds: moments at which something is to happen.
const ALARMS: &str = "
    CREATE TABLE alarms (kind TEXT NOT NULL, id TEXT NOT NULL, due INTEGER NOT NULL, PRIMARY KEY (kind, id)) WITHOUT ROWID;
    PRAGMA user_version = 2;
";

/// All that was in the file.
#[derive(Default)]
pub(crate) struct Loaded {
    /// Small facts by name.
    pub(crate) meta: BTreeMap<String, String>,
    /// The variables.
    pub(crate) variables: Vec<StoredVariable>,
    /// The tasks that are not done, in the order they were made.
    pub(crate) tasks: Vec<Task>,
    /// What is to happen when: kind, id, microseconds.
    pub(crate) alarms: Vec<(String, String, i64)>,
}

/// Opens (or makes) `dir/platform.sqlite`; the lock keeps a second process out for as long as it lives.
///
/// # Errors
/// [`PlatformError`] when the directory can't be used, another process has it, or a newer version wrote the file.
pub(crate) fn open(dir: &Path) -> Result<(Connection, File, Loaded), PlatformError> {
    let unusable = |e: std::io::Error| PlatformError::Directory { dir: dir.into(), reason: e.to_string() };
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(unusable)?;
    // Variables and the key are secrets: nobody else reads the file, nor its write-ahead log, which takes its mode over.
    let private = |name: &str| OpenOptions::new().create(true).append(true).mode(0o600).open(dir.join(name)).map_err(unusable);
    let lock = private("platform.lock")?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(PlatformError::InUse { dir: dir.into() }),
        Err(TryLockError::Error(e)) => return Err(unusable(e)),
    }
    drop(private("platform.sqlite")?);
    let path = dir.join("platform.sqlite");
    let db = Connection::open(&path)?;
    db.pragma_update(None, "journal_mode", "WAL")?;
    // A commit survives the end of the process, however it ends; only a power cut may take the last moments.
    db.pragma_update(None, "synchronous", "NORMAL")?;
    let found: i64 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
    match found {
        0 => db.execute_batch(&format!("BEGIN; {TABLES} {ALARMS} COMMIT;"))?,
        1 => db.execute_batch(&format!("BEGIN; {ALARMS} COMMIT;"))?,
        FORMAT => {}
        found => return Err(PlatformError::Newer { path, found, known: FORMAT }),
    }
    let loaded = load(&db)?;
    Ok((db, lock, loaded))
}

/// A connection that only reads the file [`open`] has made.
///
/// # Errors
/// [`PlatformError::Storage`].
pub(crate) fn reader(dir: &Path) -> Result<Connection, PlatformError> {
    let db = Connection::open_with_flags(dir.join("platform.sqlite"), OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    // The writer never blocks readers, except for moments at the very end of a checkpoint.
    db.busy_timeout(std::time::Duration::from_secs(2))?;
    Ok(db)
}

fn load(db: &Connection) -> Result<Loaded, PlatformError> {
    let mut loaded = Loaded::default();
    let mut statement = db.prepare("SELECT name, value FROM meta")?;
    for row in statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))? {
        loaded.meta.extend([row?]);
    }
    let mut statement = db.prepare("SELECT body FROM variables ORDER BY id")?;
    for row in statement.query_map([], |row| row.get::<_, String>(0))? {
        loaded.variables.push(parsed(&row?)?);
    }
    let mut statement = db.prepare("SELECT body FROM tasks WHERE open = 1 ORDER BY seq")?;
    for row in statement.query_map([], |row| row.get::<_, String>(0))? {
        loaded.tasks.push(parsed(&row?)?);
    }
    let mut statement = db.prepare("SELECT kind, id, due FROM alarms")?;
    for row in statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))? {
        loaded.alarms.push(row?);
    }
    Ok(loaded)
}

fn parsed<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, PlatformError> {
    serde_json::from_str(text).map_err(|e| PlatformError::Storage(format!("a row is damaged: {e}")))
}

impl From<rusqlite::Error> for PlatformError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Storage(error.to_string())
    }
}
