//! A damaged journal: set aside under another name, never written again, and what can still be read of it is taken into
//! a new one.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::backup::Backup;
use rusqlite::config::DbConfig;
use rusqlite::types::Value;
use rusqlite::{Connection, ErrorCode, OpenFlags, params_from_iter};

use super::{JournalError, schema, texts};
use crate::observe::Fact;

/// How many rows are read at once where nothing is in the way.
const STRIDE: i64 = 512;
/// How many pages are put in place at once.
const PAGES: i32 = 1_024;
/// So many strides without a readable row, each twice as long, are taken for the end.
const PATIENCE: u32 = 24;

/// What [`Mended`] begins with: a line of the journal that was.
pub(super) const WAS_DAMAGED: &str = "the journal was damaged (";

/// What became of a damaged journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mended {
    /// Where it is now.
    pub aside: PathBuf,
    /// What was wrong with it.
    pub reason: String,
    /// How many observations could be read.
    pub observations: u64,
    /// How many deliveries.
    pub deliveries: u64,
    /// The rows that could not: first and last of each gap.
    pub gaps: Vec<(i64, i64)>,
}

impl std::fmt::Display for Mended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{WAS_DAMAGED}{}): it is kept as {}; readable and taken over were {} observations of {} deliveries",
            self.reason,
            self.aside.display(),
            self.observations,
            self.deliveries
        )?;
        let gaps: Vec<String> = self.gaps.iter().take(3).map(|(from, to)| format!("{from} to {to}")).collect();
        match gaps.len() {
            0 if self.observations == 0 => write!(f, "; nothing of it can be read"),
            0 => Ok(()),
            _ => {
                write!(f, "; not readable are its rows {}{}", gaps.join(", "), if self.gaps.len() > 3 { " and more" } else { "" })
            }
        }
    }
}

/// Why the file is not sound, as far as that shows at once: the time for a look at every page is only taken when somebody
/// found damage before.
pub(super) fn look(dir: &Path) -> Option<String> {
    let path = schema::file(dir);
    let size = fs::metadata(&path).ok()?.len();
    let mut header = [0; 32];
    let read = fs::File::open(&path).and_then(|mut file| std::io::Read::read_exact(&mut file, &mut header));
    if size == 0 {
        return None;
    }
    if read.is_err() || !header.starts_with(b"SQLite format 3\0") {
        return Some("it does not begin as a database does".into());
    }
    let page = match u16::from_be_bytes([header[16], header[17]]) {
        1 => 65_536,
        size => u64::from(size),
    };
    let pages = u64::from(u32::from_be_bytes([header[28], header[29], header[30], header[31]]));
    if size < page * pages {
        return Some(format!("it is cut off: {size} bytes of {}", page * pages));
    }
    if !suspect(dir).exists() {
        return None;
    }
    let found = thorough(&path);
    if found.is_none() {
        let _ = fs::remove_file(suspect(dir));
    }
    found
}

/// Whether an error of SQLite means that the file is damaged.
pub(super) fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt))
}

/// The note that damage was found while it was in use.
fn suspect(dir: &Path) -> PathBuf {
    dir.join("journal.suspect")
}

/// Remembers for the next start that the file is to be looked at page by page.
pub(super) fn note(dir: &Path) {
    // Without it the next start finds the damage where this one did.
    let _ = fs::write(suspect(dir), b"");
}

fn thorough(path: &Path) -> Option<String> {
    let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX).ok()?;
    let told: Result<String, _> = conn.query_row("PRAGMA quick_check(1)", [], |row| row.get(0));
    match told {
        Ok(told) if told == "ok" => None,
        Ok(told) => Some(told.lines().next().unwrap_or_default().to_owned()),
        Err(error) => Some(error.to_string()),
    }
}

/// Sets the journal aside and begins a new one with what can be read of it. The lock must be held.
pub(super) fn mend(dir: &Path, reason: String) -> Result<Mended, JournalError> {
    let path = schema::file(dir);
    let aside = aside(dir);
    let create = |source| JournalError::Create { path: path.clone(), source };
    for beside in ["-wal", "-shm", ""] {
        let with = |path: &Path| PathBuf::from(format!("{}{beside}", path.display()));
        match fs::rename(with(&path), with(&aside)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(create(error)),
            _ => {}
        }
    }
    let _ = fs::remove_file(suspect(dir));
    let mut fresh = schema::open_for_writing(dir)?;
    let mut mended = Mended { aside, reason, observations: 0, deliveries: 0, gaps: Vec::new() };
    if let Some(damaged) = open(&mended.aside) {
        recover(&damaged, &mut fresh, &mut mended).map_err(|source| schema::error(&path, source))?;
    }
    Ok(mended)
}

/// Mends the journal under the hands of those who use it: the file stays, so that whoever has it open sees what could be
/// read with its next question; a copy of it as it was is kept aside. `conn` is the writer's own.
pub(super) fn mend_in_place(dir: &Path, conn: &mut Connection, reason: String) -> Result<Mended, JournalError> {
    let path = schema::file(dir);
    let create = |source| JournalError::Create { path: path.clone(), source };
    let at = |source| schema::error(&path, source);
    let aside = aside(dir);
    for beside in ["-wal", ""] {
        let with = |path: &Path| PathBuf::from(format!("{}{beside}", path.display()));
        match fs::copy(with(&path), with(&aside)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(create(error)),
            _ => {}
        }
    }
    let mut mended = Mended { aside, reason, observations: 0, deliveries: 0, gaps: Vec::new() };
    // What is left of an earlier attempt is of no use.
    let place = dir.join("journal-mending");
    let _ = fs::remove_dir_all(&place);
    fs::create_dir(&place).map_err(create)?;
    let mut fresh = schema::open_for_writing(&place)?;
    if let Some(damaged) = open(&mended.aside) {
        recover(&damaged, &mut fresh, &mut mended).map_err(at)?;
    }
    let backup = Backup::new(&fresh, conn).map_err(at)?;
    backup.run_to_completion(PAGES, Duration::from_millis(5), None).map_err(at)?;
    drop(backup);
    drop(fresh);
    let _ = fs::remove_dir_all(&place);
    let _ = fs::remove_file(suspect(dir));
    Ok(mended)
}

/// A name for a damaged journal.
fn aside(dir: &Path) -> PathBuf {
    let stamp = jiff::Zoned::now().strftime("%Y%m%d-%H%M%S").to_string();
    (0..)
        .map(|n: u32| dir.join(format!("journal-damaged-{stamp}{}.sqlite", if n == 0 { String::new() } else { format!("-{n}") })))
        .find(|aside| !aside.exists())
        .unwrap_or_else(|| dir.join("journal-damaged.sqlite"))
}

/// The damaged file, to be read only: not even its log is worked into it.
fn open(aside: &Path) -> Option<Connection> {
    let conn = Connection::open_with_flags(aside, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX).ok()?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).ok()?;
    // Nothing is written: it only makes SQLite read a file that is shorter than its header says.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_WRITABLE_SCHEMA, true).ok()?;
    conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0)).ok().map(|_| conn)
}

fn recover(damaged: &Connection, fresh: &mut Connection, mended: &mut Mended) -> rusqlite::Result<()> {
    let tx = fresh.transaction()?;
    let rows = columns(damaged, "deliveries");
    let place = |name: &str| rows.iter().position(|column| column == name).unwrap_or_default();
    let (key, task) = (place("key"), place("task_id"));
    let (deliveries, _) = copy(damaged, &tx, "deliveries", "id", &rows, &|row| says(row, key) && says(row, task))?;
    let rows = ["row", "at", "delivery", "step", "kind", "level", "body"].map(String::from);
    // Of a page that is cut off SQLite reads zeros: what is no fact any more is not taken over.
    let sound = |row: &[Value]| matches!(row.get(6), Some(Value::Text(body)) if serde_json::from_str::<Fact>(body).is_ok());
    let (observations, gaps) = copy(damaged, &tx, "observations", "row", &rows, &sound)?;
    // Summaries that were lost are made of what their observations say.
    let rebuilt = tx.execute_batch(REBUILD).and_then(|()| tx.query_row("SELECT count(*) FROM deliveries", [], |row| row.get(0)));
    let rebuilt: i64 = rebuilt?;
    let removed = "UPDATE meta SET value = max(0, (SELECT coalesce(max(id), 0) FROM deliveries) - ?) WHERE name = 'removed'";
    tx.execute(removed, [rebuilt])?;
    texts::mended(&tx)?;
    tx.commit()?;
    (mended.observations, mended.gaps) = (observations, gaps);
    mended.deliveries = u64::try_from(rebuilt).unwrap_or(deliveries);
    Ok(())
}

const REBUILD: &str = "
INSERT OR IGNORE INTO deliveries (id, key, task_id, category, event_type, object_id, arrived_at, attempt, state, result, message,
    countdown, micros, api_calls, store_calls, store_errors, logs)
SELECT a.delivery, 'recovered-' || a.delivery, a.body ->> 'task_id', a.body ->> 'category', a.body ->> 'event_type',
    a.body ->> 'object_id', a.at, 1, CASE WHEN e.row IS NULL THEN 3 ELSE 2 END, e.body ->> 'result', e.body ->> 'message',
    coalesce(e.body ->> 'countdown', 0), e.body ->> 'micros',
    (SELECT count(*) FROM observations o WHERE o.delivery = a.delivery AND o.kind = 'api_call'),
    (SELECT count(*) FROM observations o WHERE o.delivery = a.delivery AND o.kind = 'store_call'),
    (SELECT count(*) FROM observations o WHERE o.delivery = a.delivery AND o.kind = 'store_call' AND o.body ->> 'error' IS NOT NULL),
    (SELECT count(*) FROM observations o WHERE o.delivery = a.delivery AND o.kind = 'log')
FROM observations a LEFT JOIN observations e ON e.delivery = a.delivery AND e.kind = 'answered'
WHERE a.kind = 'task_arrived' AND a.delivery NOT IN (SELECT id FROM deliveries);
";

fn columns(conn: &Connection, table: &str) -> Vec<String> {
    let read = || -> rusqlite::Result<Vec<String>> {
        conn.prepare(&format!("SELECT name FROM pragma_table_info('{table}')"))?.query_map([], |row| row.get(0))?.collect()
    };
    read().unwrap_or_default()
}

fn says(row: &[Value], place: usize) -> bool {
    matches!(row.get(place), Some(Value::Text(text)) if !text.is_empty() && !text.contains('\0'))
}

/// Copies what can be read of a table and is sound, and tells the gaps.
fn copy(
    from: &Connection,
    to: &rusqlite::Transaction<'_>,
    table: &str,
    key: &str,
    columns: &[String],
    sound: &dyn Fn(&[Value]) -> bool,
) -> rusqlite::Result<(u64, Vec<(i64, i64)>)> {
    if columns.is_empty() {
        return Ok((0, Vec::new()));
    }
    let names = columns.join(", ");
    let select = format!("SELECT {names} FROM {table} NOT INDEXED WHERE {key} >= ? AND {key} < ? ORDER BY {key}");
    let marks = vec!["?"; columns.len()].join(", ");
    let insert = format!("INSERT OR IGNORE INTO {table} ({names}) VALUES ({marks})");
    let last = from.query_row(&format!("SELECT max({key}) FROM {table}"), [], |row| row.get::<_, Option<i64>>(0)).ok().flatten();
    let (mut copied, mut gaps, mut silent): (u64, Vec<(i64, i64)>, u32) = (0, Vec::new(), 0);
    let mut waiting: Vec<(i64, i64)> = vec![(1, STRIDE)];
    let mut next = 1 + STRIDE;
    while let Some((begin, length)) = waiting.pop() {
        match read(from, &select, columns.len(), begin, begin.saturating_add(length)) {
            Ok(rows) => {
                silent = if rows.is_empty() { silent + 1 } else { 0 };
                for row in rows {
                    if !sound(&row) {
                        if let Some(Value::Integer(at)) = row.first() {
                            gap(&mut gaps, *at, *at);
                        }
                        continue;
                    }
                    copied += to.prepare_cached(&insert)?.execute(params_from_iter(row))? as u64;
                }
            }
            Err(_) if length > 1 && silent < PATIENCE => {
                // The half that is whole is taken, down to the single row.
                let half = length / 2;
                waiting.extend([(begin + half, length - half), (begin, half)]);
                continue;
            }
            Err(_) => {
                silent += 1;
                gap(&mut gaps, begin, begin.saturating_add(length - 1));
            }
        }
        if waiting.is_empty() && last.map_or(silent < PATIENCE, |last| next <= last) {
            let length = STRIDE << silent.min(20);
            waiting.push((next, length));
            next = next.saturating_add(length);
        }
    }
    if let (Some(last), Some((_, end))) = (last, gaps.last_mut()) {
        *end = (*end).min(last);
    }
    Ok((copied, gaps))
}

fn gap(gaps: &mut Vec<(i64, i64)>, from: i64, to: i64) {
    match gaps.last_mut() {
        Some((_, end)) if *end + 1 == from => *end = to,
        _ => gaps.push((from, to)),
    }
}

fn read(conn: &Connection, sql: &str, width: usize, from: i64, to: i64) -> rusqlite::Result<Vec<Vec<Value>>> {
    conn.prepare_cached(sql)?.query_map([from, to], |row| (0..width).map(|at| row.get(at)).collect())?.collect()
}
