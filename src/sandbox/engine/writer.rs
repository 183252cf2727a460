use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::super::error::{Code, CommandError};
use super::super::options::SandboxError;

/// At most this many pieces of work share one commit, so that the first of them does not wait for long.
const GROUP: usize = 128;

type Acknowledge = Box<dyn FnOnce(Result<(), CommandError>) + Send>;
type Work = Box<dyn FnOnce(&Connection) -> Acknowledge + Send>;

/// The thread that writes.
#[derive(Clone)]
pub(super) struct Writer {
    thread: Arc<Mutex<Option<Thread>>>,
}

struct Thread {
    work: SyncSender<Work>,
    handle: JoinHandle<()>,
}

impl Writer {
    pub(super) fn start(connection: Connection) -> Result<Self, SandboxError> {
        let (work, waiting) = sync_channel(GROUP * 4);
        let handle = std::thread::Builder::new()
            .name("sandbox-writer".into())
            .spawn(move || write_until_closed(&connection, &waiting))
            .map_err(SandboxError::Thread)?;
        Ok(Self { thread: Arc::new(Mutex::new(Some(Thread { work, handle }))) })
    }

    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, CommandError> + Send + 'static,
    ) -> Result<T, CommandError> {
        let closed = || CommandError::new(Code::SHUTDOWN_IN_PROGRESS, "the sandbox is being stopped");
        let sender = {
            let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
            thread.as_ref().map(|thread| thread.work.clone()).ok_or_else(closed)?
        };
        let (answer, answered) = oneshot::channel();
        let boxed: Work = Box::new(move |connection| {
            let outcome = in_savepoint(connection, work);
            Box::new(move |committed: Result<(), CommandError>| {
                // Nobody listens any more if the client is gone; the work stays done.
                let _ = answer.send(committed.and(outcome));
            })
        });
        match sender.try_send(boxed) {
            Ok(()) => {}
            // The queue is bounded: waiting for a place must not hold up an async thread.
            Err(TrySendError::Full(boxed)) => match tokio::task::spawn_blocking(move || sender.send(boxed)).await {
                Ok(Ok(())) => {}
                _ => return Err(closed()),
            },
            Err(TrySendError::Disconnected(_)) => return Err(closed()),
        }
        answered.await.unwrap_or_else(|_| Err(closed()))
    }

    pub(super) fn close(&self) {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Thread { work, handle }) = thread {
            drop(work);
            // A panicked writer has nothing left to do either.
            let _ = handle.join();
        }
    }
}

fn write_until_closed(connection: &Connection, waiting: &Receiver<Work>) {
    while let Ok(first) = waiting.recv() {
        if let Err(error) = connection.execute_batch("BEGIN IMMEDIATE") {
            refuse(connection, first, &error.into());
            continue;
        }
        let mut acknowledge = vec![first(connection)];
        while acknowledge.len() < GROUP
            && !connection.is_autocommit()
            && let Ok(next) = waiting.try_recv()
        {
            acknowledge.push(next(connection));
        }
        // A full disk can end the transaction before its commit, and with it everything in the group: everybody is told.
        let committed = if connection.is_autocommit() {
            Err(CommandError::new(
                Code::OUT_OF_DISK_SPACE,
                "the sandbox's file cannot be written: nothing of this operation was stored",
            ))
        } else {
            connection.execute_batch("COMMIT").map_err(CommandError::from)
        };
        if committed.is_err() {
            let _ = connection.execute_batch("ROLLBACK");
        }
        for acknowledge in acknowledge {
            acknowledge(committed.clone());
        }
    }
}

/// Without a transaction nothing may stay: the work is run for its answer's channel only, and undone.
fn refuse(connection: &Connection, work: Work, error: &CommandError) {
    let acknowledge = work(connection);
    acknowledge(Err(error.clone()));
}

fn in_savepoint<T>(
    connection: &Connection,
    work: impl FnOnce(&Connection) -> Result<T, CommandError>,
) -> Result<T, CommandError> {
    if connection.is_autocommit() {
        return Err(CommandError::new(Code::INTERNAL_ERROR, "no transaction could be begun"));
    }
    connection.execute_batch("SAVEPOINT work")?;
    let outcome = work(connection);
    if outcome.is_err() {
        connection.execute_batch("ROLLBACK TO work")?;
    }
    connection.execute_batch("RELEASE work")?;
    outcome
}
