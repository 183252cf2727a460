//! The file: opening it, and reading what is open at the start.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::StoredVariable;
use crate::platform::PlatformError;
use crate::platform::tasks::Task;

/// The format written here.
const FORMAT: i64 = 3;

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
";

/// What format 3 adds: an object that another one holds as it is, a request its asset, is not written twice. Its row has the
/// number of the row that holds it, and for a body the name of the field it is in; whoever reads bodies reads `whole_objects`.
/// Before the holder changes or goes, the writing thread gives the object a body of its own: it stays what it was.
const HELD: &str = "
    ALTER TABLE objects ADD COLUMN held_by INTEGER;
    CREATE INDEX held_objects ON objects (held_by) WHERE held_by IS NOT NULL;
    CREATE VIEW whole_objects AS SELECT seq, collection, id,
        CASE WHEN held_by IS NULL THEN body ELSE (SELECT holder.body -> held.body FROM objects holder WHERE holder.seq = held.held_by) END
        AS body FROM objects held;
    PRAGMA user_version = 3;
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
    // The thread that writes does it, between commits.
    db.pragma_update(None, "wal_autocheckpoint", 0)?;
    db.pragma_update(None, "cache_size", -8192)?;
    // Otherwise some statements are made anew for each value they are given.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    db.pragma_update(None, "journal_size_limit", 192 << 20)?;
    let found: i64 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
    match found {
        0 => db.execute_batch(&format!("BEGIN; {TABLES} {ALARMS} {HELD} COMMIT;"))?,
        1 => db.execute_batch(&format!("BEGIN; {ALARMS} {HELD} COMMIT;"))?,
        2 => db.execute_batch(&format!("BEGIN; {HELD} COMMIT;"))?,
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

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::observe::{Origin, Timestamp};
    use crate::platform::catalogue::Category;

    #[rstest]
    #[case::of_format_1(1, "")]
    #[case::of_format_2(2, ALARMS)]
    fn a_file_of_an_earlier_format_is_taken_over_with_all_that_is_in_it(#[case] format: i64, #[case] added: &str) {
        let dir = tempfile::tempdir().unwrap();
        let task = Task::new(Category::Background, "asset_purchase_request_processing", "PR-1", None, Origin::Trigger);
        let now = Timestamp(1);
        let variable =
            StoredVariable { id: "VAR-1".into(), name: "A".into(), value: "1".into(), secure: true, created: now, updated: now };
        {
            let db = Connection::open(dir.path().join("platform.sqlite")).unwrap();
            db.execute_batch(&format!("{TABLES} {added} PRAGMA user_version = {format};")).unwrap();
            db.execute("INSERT INTO meta VALUES ('service_id', 'SRVC-1-2')", []).unwrap();
            db.execute("INSERT INTO objects (collection, id, body) VALUES ('requests', 'PR-1', '{\"id\":\"PR-1\"}')", [])
                .unwrap();
            db.execute("INSERT INTO variables VALUES ('VAR-1', ?)", [serde_json::to_string(&variable).unwrap()]).unwrap();
            let insert = "INSERT INTO tasks (task_id, open, body, answer) VALUES (?, ?, ?, ?)";
            // As the first version wrote a task: without what later ones know of it.
            let mut body = serde_json::to_value(&task).unwrap();
            for later in ["installation", "created", "runtime_total", "retries", "reschedules"] {
                body.as_object_mut().unwrap().shift_remove(later);
            }
            db.execute(insert, rusqlite::params![task.id, 1, body.to_string(), None::<String>]).unwrap();
            db.execute(insert, rusqlite::params!["TQ-DONE", 0, body.to_string(), Some("{\"result\":\"success\"}")]).unwrap();
        }
        for _ in 0..2 {
            let (db, lock, loaded) = open(dir.path()).unwrap();
            let version: i64 = db.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
            assert_eq!(version, FORMAT);
            assert_eq!(loaded.meta["service_id"], "SRVC-1-2");
            assert_eq!(loaded.variables, std::slice::from_ref(&variable));
            let ids: Vec<&str> = loaded.tasks.iter().map(|task| task.id.as_str()).collect();
            assert_eq!(ids, [task.id.as_str()], "the one that is not done");
            let objects: String = db.query_row("SELECT body FROM whole_objects", [], |row| row.get(0)).unwrap();
            assert_eq!(objects, r#"{"id":"PR-1"}"#);
            // What the second format added can be used; the second opening finds it.
            let alarms = usize::from(loaded.alarms.iter().any(|(_, id, due)| (id.as_str(), *due) == ("PR-1", 7)));
            assert_eq!(loaded.alarms.len(), alarms);
            db.execute("INSERT OR REPLACE INTO alarms VALUES ('planned', 'PR-1', 7)", []).unwrap();
            drop((db, lock));
        }
        let alarms = open(dir.path()).unwrap().2.alarms;
        assert_eq!(alarms, [("planned".to_owned(), "PR-1".to_owned(), 7)]);
    }

    #[test]
    fn a_file_of_a_newer_format_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("platform.sqlite");
        Connection::open(&path).unwrap().execute_batch("PRAGMA user_version = 99;").unwrap();
        let before = fs::read(&path).unwrap();
        assert!(matches!(open(dir.path()), Err(PlatformError::Newer { found: 99, known: FORMAT, .. })));
        assert_eq!(fs::read(&path).unwrap().len(), before.len());
    }
}
