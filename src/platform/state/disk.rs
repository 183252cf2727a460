//! The thread that writes. What is handed to it while it commits goes into the next commit together, and what was changed
//! while the state was in one pair of hands is never torn apart.

use std::fs::File;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::{Connection, params};
use tokio::sync::oneshot;

use crate::platform::PlatformError;

/// One thing to be written; the texts are JSON.
pub(crate) enum Write {
    /// A small fact.
    Meta(&'static str, String),
    /// An object, new or changed, by collection and id; a changed one keeps its place.
    Object(String, String, Arc<str>),
    /// An object that another one, written before it, holds as it is.
    Held(Held),
    /// An object is gone.
    ObjectGone(String, String),
    /// A variable, new or changed.
    Variable(String, String),
    /// A variable is gone.
    VariableGone(String),
    /// A task, new or changed.
    Task(String, String),
    /// A task is over, with its answer.
    TaskDone(String, String),
    /// A task that is over is forgotten.
    TaskGone(String),
    /// Something is to happen at a moment.
    Alarm(&'static str, String, i64),
    /// It has happened, or is called off.
    AlarmGone(&'static str, String),
}

/// See [`Write::Held`].
pub(crate) struct Held {
    /// Of the object.
    pub(crate) collection: String,
    /// Of the object.
    pub(crate) id: String,
    /// Of the one that holds it.
    pub(crate) holders: String,
    /// Of the one that holds it.
    pub(crate) holder: String,
    /// The field it is in.
    pub(crate) field: &'static str,
}

enum Job {
    /// To be written in one commit.
    Writes(Vec<Write>),
    Barrier(oneshot::Sender<Result<(), String>>),
    Close,
}

/// At most so many writes in one commit: bounds how long a barrier waits.
const GROUP: usize = 2_000;

/// So many hand-overs at once, or more, are a crowd: the next commit waits that long after the last one, so that more of them share
/// it, but not for more than are enough. Nobody who comes alone, one call after the other, waits for others.
const CROWD: usize = 8;
const ENOUGH: usize = 256;
const TOGETHER: Duration = Duration::from_millis(3);

/// After so many writes the log of SQLite is worked into its file: when those who waited for them were told, not before. Those
/// who come meanwhile wait for it, so it is not much at a time.
const CHECKPOINT: usize = 8_000;

/// What a disk in trouble did not take is tried again so often, with all that has come since; as long as it is no more than that.
const AGAIN: Duration = Duration::from_secs(1);
const MOST_KEPT: usize = 20_000;

/// The way to the writing thread. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Disk {
    jobs: mpsc::Sender<Job>,
    /// Not handed over yet.
    gathered: Arc<Mutex<Vec<Write>>>,
    thread: Arc<Mutex<Option<JoinHandle<()>>>>,
    handed: Arc<AtomicU64>,
    written: Arc<AtomicU64>,
}

impl Disk {
    /// Starts the thread, which takes the file and its lock over. `failed` hears when commits begin to fail.
    ///
    /// # Errors
    /// [`PlatformError::Storage`] when the system gives no thread.
    pub(crate) fn start(db: Connection, lock: File, failed: impl Fn(&str) + Send + 'static) -> Result<Self, PlatformError> {
        let (jobs, inbox) = mpsc::channel();
        let written = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&written);
        let thread = std::thread::Builder::new()
            .name("platform-disk".into())
            .spawn(move || {
                run(db, &inbox, &count, &failed);
                // Only now, with the file closed, may another process have it.
                drop(lock);
            })
            .map_err(|e| PlatformError::Storage(format!("no thread to write with: {e}")))?;
        let thread = Arc::new(Mutex::new(Some(thread)));
        Ok(Self { jobs, gathered: Arc::default(), thread, handed: Arc::default(), written })
    }

    /// Notes something to be written with the next [`Disk::hand_over`]; returns at once, with the write's number. The order
    /// of calls is the order on disk; calls are made one at a time, under the state's lock.
    pub(crate) fn write(&self, write: Write) -> u64 {
        self.gathered().push(write);
        self.handed.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Hands over what was noted, to be written together: all of it or nothing.
    pub(crate) fn hand_over(&self) {
        let writes = std::mem::take(&mut *self.gathered());
        if !writes.is_empty() {
            // A send fails only after `close`: then nothing is written any more, and a barrier says so.
            let _ = self.jobs.send(Job::Writes(writes));
        }
    }

    fn gathered(&self) -> MutexGuard<'_, Vec<Write>> {
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Up to which number all writes are done.
    pub(crate) fn written(&self) -> u64 {
        self.written.load(Ordering::Acquire)
    }

    /// Asks to be told when all that was handed over before is on disk. What somebody has just noted is not torn apart by it.
    pub(crate) fn barrier(&self) -> Barrier {
        let (done, told) = oneshot::channel();
        let _ = self.jobs.send(Job::Barrier(done));
        Barrier(told)
    }

    /// The same with what was noted up to now; for whoever has the state in hand and has changed all there is to change.
    pub(crate) fn flush(&self) -> Barrier {
        self.hand_over();
        self.barrier()
    }

    /// Writes what was handed over and ends the thread.
    pub(crate) async fn close(&self) {
        let _ = self.jobs.send(Job::Close);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }
}

/// See [`Disk::barrier`].
#[must_use]
pub(crate) struct Barrier(oneshot::Receiver<Result<(), String>>);

impl Barrier {
    /// Waits.
    ///
    /// # Errors
    /// [`PlatformError::Storage`] when the commit failed, [`PlatformError::Stopped`] when there is no writing any more.
    pub(crate) async fn passed(self) -> Result<(), PlatformError> {
        match self.0.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(reason)) => Err(PlatformError::Storage(reason)),
            Err(_) => Err(PlatformError::Stopped),
        }
    }
}

fn run(mut db: Connection, inbox: &mpsc::Receiver<Job>, written: &AtomicU64, failed: &dyn Fn(&str)) {
    let mut open = true;
    let mut since_checkpoint = 0;
    let mut due = Instant::now();
    // With what a disk in trouble did not take: that is tried again.
    let mut writes = Vec::new();
    let mut trouble = false;
    // Why something was given up, until somebody was told who waits.
    let mut given_up = None;
    while open {
        let first = if writes.is_empty() { inbox.recv().map_err(Into::into) } else { inbox.recv_timeout(AGAIN) };
        open = !matches!(first, Err(RecvTimeoutError::Disconnected));
        let (mut barriers, mut jobs) = (Vec::new(), 0);
        let mut next = first.ok();
        while let Some(job) = next.take() {
            jobs += 1;
            match job {
                Job::Writes(some) => writes.extend(some),
                Job::Barrier(told) => barriers.push(told),
                Job::Close => open = false,
            }
            if open && writes.len() < GROUP {
                let pause = if jobs < ENOUGH { due.saturating_duration_since(Instant::now()) } else { Duration::ZERO };
                next = inbox.recv_timeout(pause).ok();
            }
        }
        let outcome = if writes.is_empty() { Ok(()) } else { commit(&mut db, &writes) };
        let kept = open && writes.len() <= MOST_KEPT && outcome.as_ref().is_err_and(is_of_the_disk);
        if let Err(reason) = &outcome
            && !(trouble && kept)
        {
            failed(&if kept { format!("{reason}; it is tried again until it can") } else { reason.to_string() });
        }
        trouble = outcome.is_err();
        let done = if kept { 0 } else { writes.len() };
        written.fetch_add(u64::try_from(done).unwrap_or(0), Ordering::Release);
        let mut told = outcome.map_err(|reason| reason.to_string());
        if barriers.is_empty() {
            given_up = told.clone().err().filter(|_| !kept).or(given_up);
        } else {
            // The barrier behind what was given up may come a moment after it.
            told = told.and(given_up.take().map_or(Ok(()), Err));
        }
        for barrier in barriers {
            let _ = barrier.send(told.clone());
        }
        due = Instant::now() + if jobs < CROWD { Duration::ZERO } else { TOGETHER };
        if kept {
            continue;
        }
        since_checkpoint += done;
        writes.clear();
        if since_checkpoint >= CHECKPOINT {
            // That it can't be done now (a reader is in the way) only means that it is done later.
            let _ = db.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
            since_checkpoint = 0;
        }
    }
    // So that the file is whole without its companions; where that fails they stay beside it, and nothing is lost.
    let _ = db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
}

/// Whether it is the disk's fault, or of who holds the file: not that of what is written, which would fail ever again.
fn is_of_the_disk(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{CannotOpen, DatabaseBusy, DatabaseLocked, DiskFull, OutOfMemory, ReadOnly, SystemIoFailure};
    let codes = [CannotOpen, DatabaseBusy, DatabaseLocked, DiskFull, OutOfMemory, ReadOnly, SystemIoFailure];
    error.sqlite_error_code().is_some_and(|code| codes.contains(&code))
}

fn commit(db: &mut Connection, writes: &[Write]) -> rusqlite::Result<()> {
    let group = db.transaction()?;
    for write in writes {
        apply(&group, write)?;
    }
    group.commit()
}

fn apply(db: &Connection, write: &Write) -> rusqlite::Result<usize> {
    let run = |sql: &str, values: &[&dyn rusqlite::ToSql]| db.prepare_cached(sql)?.execute(values);
    match write {
        Write::Meta(name, value) => run("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", params![name, value]),
        Write::Object(collection, id, body) => put(db, collection, id, body, None),
        Write::Held(Held { collection, id, holders, holder, field }) => {
            let seq = "SELECT seq FROM objects WHERE collection = ? AND id = ?";
            let held_by: i64 = db.prepare_cached(seq)?.query_row(params![holders, holder], |row| row.get(0))?;
            put(db, collection, id, field, Some(held_by))
        }
        Write::ObjectGone(collection, id) => {
            let_go(db, collection, id)?;
            run("DELETE FROM objects WHERE collection = ? AND id = ?", params![collection, id])
        }
        Write::Variable(id, body) => run("INSERT OR REPLACE INTO variables (id, body) VALUES (?, ?)", params![id, body]),
        Write::VariableGone(id) => run("DELETE FROM variables WHERE id = ?", params![id]),
        Write::Task(id, body) => run(
            "INSERT INTO tasks (task_id, open, body) VALUES (?, 1, ?) ON CONFLICT (task_id) DO UPDATE SET body = excluded.body, open = 1",
            params![id, body],
        ),
        Write::TaskDone(id, answer) => run("UPDATE tasks SET open = 0, answer = ? WHERE task_id = ?", params![answer, id]),
        Write::TaskGone(id) => run("DELETE FROM tasks WHERE task_id = ? AND open = 0", params![id]),
        Write::Alarm(kind, id, due) => {
            run("INSERT OR REPLACE INTO alarms (kind, id, due) VALUES (?, ?, ?)", params![kind, id, due])
        }
        Write::AlarmGone(kind, id) => run("DELETE FROM alarms WHERE kind = ? AND id = ?", params![kind, id]),
    }
}

/// Writes an object, nearly always a new one.
fn put(db: &Connection, collection: &str, id: &str, body: &str, held_by: Option<i64>) -> rusqlite::Result<usize> {
    let new = "INSERT INTO objects (collection, id, body, held_by) VALUES (?, ?, ?, ?) ON CONFLICT (collection, id) DO NOTHING";
    match db.prepare_cached(new)?.execute(params![collection, id, body, held_by])? {
        0 => {
            let_go(db, collection, id)?;
            let changed = "UPDATE objects SET body = ?, held_by = ? WHERE collection = ? AND id = ?";
            db.prepare_cached(changed)?.execute(params![body, held_by, collection, id])
        }
        written => Ok(written),
    }
}

/// An object changes or goes: what it holds gets a body of its own.
fn let_go(db: &Connection, collection: &str, id: &str) -> rusqlite::Result<usize> {
    let held = "UPDATE objects SET body = (SELECT holder.body FROM objects holder WHERE holder.seq = objects.held_by) -> body, held_by = NULL
                WHERE held_by = (SELECT seq FROM objects WHERE collection = ? AND id = ?)";
    db.prepare_cached(held)?.execute(params![collection, id])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::state::{self, Objects};

    #[tokio::test]
    async fn what_is_changed_in_one_pair_of_hands_is_on_disk_together_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let (db, lock, _) = state::open(dir.path()).unwrap();
        let disk = Disk::start(db, lock, |reason| panic!("{reason}")).unwrap();
        let reader = state::reader(dir.path()).unwrap();
        let count =
            |table: &str| -> i64 { reader.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap() };
        let before = (count("objects"), count("tasks"));
        disk.write(Write::Object("requests".into(), "PR-1".into(), "{}".into()));
        // Somebody else waits for what was handed over before; the process may die then. The request is not there.
        disk.barrier().passed().await.unwrap();
        assert_eq!((count("objects"), count("tasks")), before, "a request without its task");
        disk.write(Write::Task("TQ-1".into(), "{}".into()));
        disk.flush().passed().await.unwrap();
        assert_eq!((count("objects"), count("tasks")), (before.0 + 1, before.1 + 1));
        disk.close().await;
    }

    #[tokio::test]
    async fn what_a_disk_in_trouble_did_not_take_is_there_as_long_and_on_disk_when_it_can_be_written_again() {
        let dir = tempfile::tempdir().unwrap();
        let (db, lock, _) = state::open(dir.path()).unwrap();
        db.busy_timeout(Duration::ZERO).unwrap();
        let told = Arc::new(Mutex::new(Vec::new()));
        let hears = Arc::clone(&told);
        let disk = Disk::start(db, lock, move |reason| hears.lock().unwrap().push(reason.to_owned())).unwrap();
        let mut objects = Objects::new(disk.clone(), state::reader(dir.path()).unwrap());
        let other = Connection::open(dir.path().join("platform.sqlite")).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        for id in ["PR-1", "PR-2"] {
            objects.put_text("requests", id, "{}".into());
            let refused = disk.flush().passed().await.unwrap_err().to_string();
            assert!(refused.contains("locked"), "{refused}");
        }
        assert_eq!(disk.written(), 0, "whoever asks for them is not sent to the file");
        assert_eq!(told.lock().unwrap().len(), 1, "said once, not at each try");
        assert!(told.lock().unwrap()[0].ends_with("it is tried again until it can"));
        other.execute_batch("ROLLBACK").unwrap();
        disk.flush().passed().await.unwrap();
        assert_eq!(disk.written(), 2);
        let count = "SELECT count(*) FROM objects WHERE collection = 'requests'";
        assert_eq!(other.query_row(count, [], |row| row.get::<_, i64>(0)).unwrap(), 2);
        // What can not be written by its own fault holds nobody up.
        let held = Held { collection: "a".into(), id: "1".into(), holders: "b".into(), holder: "1".into(), field: "x" };
        disk.write(Write::Held(held));
        disk.flush().passed().await.unwrap_err();
        objects.put_text("requests", "PR-3", "{}".into());
        disk.flush().passed().await.unwrap();
        disk.close().await;
    }
}
