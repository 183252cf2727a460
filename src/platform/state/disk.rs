//! The thread that writes. What is handed to it while it commits goes into the next commit together.

use std::fs::File;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;

use rusqlite::{Connection, params};
use tokio::sync::oneshot;

use crate::platform::PlatformError;

/// One thing to be written; the texts are JSON.
pub(crate) enum Write {
    /// A small fact.
    Meta(&'static str, String),
    /// An object, new or changed; a changed one keeps its sequence number.
    Object(i64, &'static str, String, Arc<str>),
    /// A variable, new or changed.
    Variable(String, String),
    /// A variable is gone.
    VariableGone(String),
    /// A task, new or changed.
    Task(String, String),
    /// A task is over, with its answer.
    TaskDone(String, String),
}

enum Job {
    Write(Write),
    Barrier(oneshot::Sender<Result<(), String>>),
    Close,
}

/// At most so many writes in one commit: bounds how long a barrier waits.
const GROUP: usize = 2_000;

/// The way to the writing thread. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Disk {
    jobs: mpsc::Sender<Job>,
    thread: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl Disk {
    /// Starts the thread, which takes the file and its lock over. `failed` hears of commits that failed.
    ///
    /// # Errors
    /// [`PlatformError::Storage`] when the system gives no thread.
    pub(crate) fn start(db: Connection, lock: File, failed: impl Fn(&str) + Send + 'static) -> Result<Self, PlatformError> {
        let (jobs, inbox) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("platform-disk".into())
            .spawn(move || {
                run(db, &inbox, &failed);
                // Only now, with the file closed, may another process have it.
                drop(lock);
            })
            .map_err(|e| PlatformError::Storage(format!("no thread to write with: {e}")))?;
        Ok(Self { jobs, thread: Arc::new(Mutex::new(Some(thread))) })
    }

    /// Hands something over to be written; returns at once. The order of calls is the order on disk.
    pub(crate) fn write(&self, write: Write) {
        // A send fails only after `close`: then nothing is written any more, and a barrier says so.
        let _ = self.jobs.send(Job::Write(write));
    }

    /// Asks to be told when all that was handed over before is on disk.
    pub(crate) fn barrier(&self) -> Barrier {
        let (done, told) = oneshot::channel();
        let _ = self.jobs.send(Job::Barrier(done));
        Barrier(told)
    }

    /// Writes what is left and ends the thread.
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

fn run(mut db: Connection, inbox: &mpsc::Receiver<Job>, failed: &dyn Fn(&str)) {
    let mut open = true;
    while open && let Ok(job) = inbox.recv() {
        let (mut writes, mut barriers) = (Vec::new(), Vec::new());
        let mut next = Some(job);
        while let Some(job) = next.take() {
            match job {
                Job::Write(write) => writes.push(write),
                Job::Barrier(told) => barriers.push(told),
                Job::Close => open = false,
            }
            if open && writes.len() < GROUP {
                next = inbox.try_recv().ok();
            }
        }
        let outcome = if writes.is_empty() { Ok(()) } else { commit(&mut db, &writes).map_err(|e| e.to_string()) };
        if let Err(reason) = &outcome {
            failed(reason);
        }
        for told in barriers {
            let _ = told.send(outcome.clone());
        }
    }
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
        Write::Object(seq, collection, id, body) => run(
            "INSERT INTO objects (seq, collection, id, body) VALUES (?, ?, ?, ?)
             ON CONFLICT (collection, id) DO UPDATE SET body = excluded.body",
            params![seq, collection, id, &**body],
        ),
        Write::Variable(id, body) => run("INSERT OR REPLACE INTO variables (id, body) VALUES (?, ?)", params![id, body]),
        Write::VariableGone(id) => run("DELETE FROM variables WHERE id = ?", params![id]),
        Write::Task(id, body) => run(
            "INSERT INTO tasks (task_id, open, body) VALUES (?, 1, ?) ON CONFLICT (task_id) DO UPDATE SET body = excluded.body, open = 1",
            params![id, body],
        ),
        Write::TaskDone(id, answer) => run("UPDATE tasks SET open = 0, answer = ? WHERE task_id = ?", params![answer, id]),
    }
}
