use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::JournalError;

/// The version this program writes, in `user_version`.
pub(super) const VERSION: i64 = 3;
/// How much of the file the writer keeps in memory, in KiB with a minus: its indexes are in no order of time.
const CACHE: i64 = -8192;
/// As much of SQLite's log stays on disk, in bytes, to be written over: more than is in it when the writer works it into the
/// file, or it would be cut and made anew each time. It goes when the last one closes the journal.
const SIZE_LIMIT: i64 = 192 << 20;
/// Says whose file it is, in `application_id`: "CCjl".
const APPLICATION: i64 = 0x4343_6a6c;

/// Observations are only ever added, until [`super::retention`] lets the oldest go. `deliveries` sums them up, in the same
/// transaction; `queued` remembers where a task came from until it arrives. An index is here because a query in
/// [`super::reader`] or [`super::record`] needs it.
const TABLES: &str = "
CREATE TABLE observations (
    row INTEGER PRIMARY KEY, at INTEGER NOT NULL, delivery INTEGER, step INTEGER NOT NULL, kind TEXT NOT NULL,
    level INTEGER, body TEXT NOT NULL
) STRICT;
CREATE INDEX observations_of_delivery ON observations (delivery) WHERE delivery IS NOT NULL;
CREATE INDEX log_lines ON observations (row) WHERE level IS NOT NULL;
CREATE INDEX troubles ON observations (row) WHERE level >= 2;

CREATE TABLE deliveries (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, task_id TEXT NOT NULL, category TEXT NOT NULL,
    event_type TEXT NOT NULL, object_id TEXT NOT NULL, arrived_at INTEGER NOT NULL, object_status TEXT,
    state INTEGER NOT NULL DEFAULT 0, result TEXT, message TEXT, countdown INTEGER NOT NULL DEFAULT 0, micros INTEGER,
    attempt INTEGER NOT NULL, origin TEXT, replay_of INTEGER, api_calls INTEGER NOT NULL DEFAULT 0,
    store_calls INTEGER NOT NULL DEFAULT 0, store_errors INTEGER NOT NULL DEFAULT 0, logs INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX deliveries_of_object ON deliveries (object_id, event_type, attempt);
CREATE INDEX deliveries_of_task ON deliveries (task_id);
CREATE INDEX deliveries_running ON deliveries (id) WHERE state = 0;

CREATE TABLE queued (task_id TEXT PRIMARY KEY, origin TEXT NOT NULL, replay_of INTEGER) STRICT, WITHOUT ROWID;
";

/// What each version added to the one before: sagas; then marks and pins, how long a task waited, what retention took away
/// and indexes for the filters. A new file gets the tables above and all of these.
const MIGRATIONS: [&str; 2] = [
    "
ALTER TABLE deliveries ADD COLUMN saga TEXT;
ALTER TABLE deliveries ADD COLUMN injected INTEGER NOT NULL DEFAULT 0;
CREATE INDEX deliveries_with_saga ON deliveries (id) WHERE saga IS NOT NULL;
",
    "
ALTER TABLE deliveries ADD COLUMN marks TEXT NOT NULL DEFAULT '';
ALTER TABLE deliveries ADD COLUMN pinned INTEGER NOT NULL DEFAULT 0;
ALTER TABLE deliveries ADD COLUMN wait INTEGER;
ALTER TABLE queued ADD COLUMN marks TEXT NOT NULL DEFAULT '';
ALTER TABLE queued ADD COLUMN at INTEGER;
CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO meta (name, value) VALUES ('removed', 0);
CREATE INDEX deliveries_of_type ON deliveries (event_type);
CREATE INDEX deliveries_of_result ON deliveries (result);
CREATE INDEX deliveries_failed ON deliveries (id) WHERE result IN ('fail', 'retry');
CREATE INDEX deliveries_pinned ON deliveries (id) WHERE pinned = 1;
CREATE INDEX links ON observations (row) WHERE kind = 'link';
CREATE INDEX settings ON observations (row) WHERE kind IN ('configured', 'extension');
",
];

/// Where the journal of a data directory is.
pub(super) fn file(dir: &Path) -> PathBuf {
    dir.join("journal.sqlite")
}

/// Opens the file for the one writer, creating it where there is none.
pub(super) fn open_for_writing(dir: &Path) -> Result<Connection, JournalError> {
    let path = file(dir);
    private_file(&path).map_err(|source| JournalError::Create { path: path.clone(), source })?;
    let at = |source| error(&path, source);
    let mut conn =
        Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(at)?;
    conn.busy_timeout(Duration::from_secs(5)).map_err(at)?;
    let found = check(&conn, &path)?;
    conn.pragma_update(None, "journal_mode", "wal").map_err(at)?;
    // WAL with NORMAL: what is committed outlives this process; only the machine losing power may cost the last moments.
    conn.pragma_update(None, "synchronous", "normal").map_err(at)?;
    conn.pragma_update(None, "wal_autocheckpoint", 0).map_err(at)?; // the writer does it between batches
    conn.pragma_update(None, "journal_size_limit", SIZE_LIMIT).map_err(at)?;
    conn.pragma_update(None, "cache_size", CACHE).map_err(at)?;
    // Otherwise a statement is made anew for each value it is given, for the sake of a better plan: there is none.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(at)?;
    conn.set_prepared_statement_cache_capacity(64);
    bring_up(&mut conn, found).map_err(at)?;
    super::writes::prepare(&mut conn).map_err(at)?;
    super::texts::prepare(&mut conn).map_err(at)?;
    // Journals of before do not have these, and older programs do without.
    conn.execute_batch(
        "CREATE INDEX IF NOT EXISTS configurations ON observations (row) WHERE kind = 'configured';
         CREATE INDEX IF NOT EXISTS deliveries_without_runner ON deliveries (id) WHERE state = 4;",
    )
    .map_err(at)?;
    Ok(conn)
}

/// Opens the file once more beside its writer, who made it and whose right to write it is shared.
pub(super) fn open_beside(dir: &Path) -> Result<Connection, JournalError> {
    let path = file(dir);
    let at = |source| error(&path, source);
    let conn =
        Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(at)?;
    conn.busy_timeout(Duration::from_secs(5)).map_err(at)?;
    conn.pragma_update(None, "synchronous", "normal").map_err(at)?;
    conn.pragma_update(None, "wal_autocheckpoint", 0).map_err(at)?;
    conn.pragma_update(None, "journal_size_limit", SIZE_LIMIT).map_err(at)?;
    Ok(conn)
}

/// Makes the tables, or adds what later versions added, all or nothing.
fn bring_up(conn: &mut Connection, found: Found) -> rusqlite::Result<()> {
    let version = match found {
        Found::Journal(VERSION) => return Ok(()),
        Found::Journal(version) => version,
        Found::Nothing => 0,
    };
    let tx = conn.transaction()?;
    if version == 0 {
        tx.execute_batch(TABLES)?;
        tx.pragma_update(None, "application_id", APPLICATION)?;
    }
    let done = usize::try_from(version.max(1) - 1).unwrap_or_default();
    MIGRATIONS.iter().skip(done).try_for_each(|step| tx.execute_batch(step))?;
    tx.pragma_update(None, "user_version", VERSION)?;
    tx.commit()
}

/// Opens the file for reading, while a writer may be at it.
pub(super) fn open_for_reading(dir: &Path) -> Result<Connection, JournalError> {
    let path = file(dir);
    if !path.exists() {
        return Err(JournalError::Missing { dir: dir.into() });
    }
    let at = |source| error(&path, source);
    // A reader of a WAL file needs to write its shared memory; only where that is forbidden it opens the file read-only.
    let conn = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)
        .or_else(|_| Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX))
        .map_err(at)?;
    conn.busy_timeout(Duration::from_secs(5)).map_err(at)?;
    match check(&conn, &path)? {
        Found::Nothing => return Err(JournalError::Missing { dir: dir.into() }),
        Found::Journal(VERSION) => {}
        Found::Journal(_) => {
            // Of an older version: nobody but its writer may bring it up, so this is the writer for a moment.
            let lock = lock(dir)?;
            drop(open_for_writing(dir)?);
            drop(lock);
        }
    }
    conn.pragma_update(None, "query_only", true).map_err(at)?;
    conn.set_prepared_statement_cache_capacity(32);
    Ok(conn)
}

#[derive(PartialEq)]
enum Found {
    Nothing,
    /// Of this version.
    Journal(i64),
}

/// Reads what the file is, and changes nothing.
fn check(conn: &Connection, path: &Path) -> Result<Found, JournalError> {
    let at = |source| error(path, source);
    let number = |name| conn.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).map_err(at);
    let (version, application) = (number("user_version")?, number("application_id")?);
    let tables: i64 = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(at)?;
    match (version, application) {
        (0, 0) if tables == 0 => Ok(Found::Nothing),
        (_, APPLICATION) if version > VERSION => Err(JournalError::Newer { path: path.into(), found: version, known: VERSION }),
        (1.., APPLICATION) => Ok(Found::Journal(version)),
        _ => Err(JournalError::Foreign { path: path.into() }),
    }
}

/// What an error of SQLite means for the journal.
pub(super) fn error(path: &Path, source: rusqlite::Error) -> JournalError {
    let path = path.to_owned();
    match source.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
            if let Some(dir) = path.parent() {
                super::damage::note(dir);
            }
            JournalError::Corrupt { path, reason: source.to_string() }
        }
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
            JournalError::Create { path, source: std::io::Error::other(source) }
        }
        _ => JournalError::Sqlite { path, source },
    }
}

/// Takes the right to write this directory's journal, until the file is dropped.
pub(super) fn lock(dir: &Path) -> Result<File, JournalError> {
    private_dir(dir).map_err(|source| JournalError::Create { path: dir.into(), source })?;
    let path = dir.join("journal.lock");
    let create = |source| JournalError::Create { path: path.clone(), source };
    let mut lock = private_file(&path).map_err(create)?;
    let mut taken = lock.try_lock();
    for _ in 0..20 {
        // A reader that looks whether somebody writes holds it for a moment: longer where the machine is busy.
        if !matches!(taken, Err(fs::TryLockError::WouldBlock)) {
            break;
        }
        std::thread::sleep(Duration::from_millis(5));
        taken = lock.try_lock();
    }
    match taken {
        Ok(()) => {}
        Err(fs::TryLockError::WouldBlock) => {
            let mut text = String::new();
            let process = lock.read_to_string(&mut text).ok().and_then(|_| text.trim().parse().ok());
            return Err(JournalError::InUse { dir: dir.into(), process });
        }
        Err(fs::TryLockError::Error(source)) => return Err(create(source)),
    }
    // Only for the error text of whoever comes second: that it can't be written is no reason to stop.
    let _ = fs::write(&path, std::process::id().to_string());
    Ok(lock)
}

/// Whether a process writes this directory's journal now.
pub(super) fn is_written(dir: &Path) -> bool {
    let Ok(lock) = File::open(dir.join("journal.lock")) else { return false };
    matches!(lock.try_lock_shared(), Err(fs::TryLockError::WouldBlock))
}

fn private_dir(dir: &Path) -> std::io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
}

/// Opens or creates a file only its owner can read; SQLite gives the files beside it the same mode.
pub(super) fn private_file(path: &Path) -> std::io::Result<File> {
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
