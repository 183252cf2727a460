use std::collections::VecDeque;
use std::path::Path;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::RuntimeError;
use super::in_flight::key_of;
use super::outbox_file::OutboxFile;
use crate::observe::{Fact, Level, Scope};
use crate::protocol::Task;

/// A result on its way out.
#[derive(Debug)]
pub(crate) struct Outgoing {
    /// The task, with its output.
    pub(crate) task: Box<Task>,
    /// The delivery it answers.
    pub(crate) scope: Scope,
}

/// A result that is on disk and not yet sent.
#[derive(Debug)]
struct Pending {
    number: u64,
    task_id: String,
    key: String,
    frame: Utf8Bytes,
    /// `None` for one of an earlier process.
    scope: Option<Scope>,
}

/// Results, from the moment they exist until the socket took them. Each is in the file before it is sent. In the file
/// a task's own API key is left out: results restored after a crash go out without it.
///
/// Memory stays bounded because tasks only come in over the connection the results go out by.
#[derive(Debug)]
pub(crate) struct Outbox {
    results: UnboundedReceiver<Outgoing>,
    file: OutboxFile,
    pending: VecDeque<Pending>,
    /// How many of `pending`, from the front, were handed to the socket's buffer.
    fed: usize,
    scope: Scope,
}

impl Outbox {
    /// The outbox in the file at `path`, with what an earlier process left in it.
    pub(crate) fn open(path: &Path, results: UnboundedReceiver<Outgoing>, scope: Scope) -> Result<Self, RuntimeError> {
        let (file, unsent) = OutboxFile::open(path)?;
        let pending = unsent
            .into_iter()
            .map(|(number, task)| Pending {
                number,
                task_id: task.options.task_id.clone(),
                key: key_of(&task.options),
                frame: task.encode().into(),
                scope: None,
            })
            .collect();
        Ok(Self { results, file, pending, fed: 0, scope })
    }

    /// How many results wait to be sent.
    pub(crate) fn len(&self) -> usize {
        self.pending.len()
    }

    /// The keys of the results that wait to be sent.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        self.pending.iter().map(|p| p.key.as_str())
    }

    /// Waits for results and puts all that exist on disk, with one write. Cancel safe.
    pub(crate) async fn absorb(&mut self) {
        let Some(first) = self.results.recv().await else { return std::future::pending().await };
        let mut next = Some(first);
        let mut lines = String::new();
        while let Some(Outgoing { mut task, scope }) = next {
            let frame: Utf8Bytes = task.encode().into();
            let number = match task.options.api_key.take() {
                None => self.file.put(&frame, &mut lines),
                Some(_) => self.file.put(&task.encode(), &mut lines),
            };
            let key = key_of(&task.options);
            self.pending.push_back(Pending { number, task_id: task.options.task_id, key, frame, scope: Some(scope) });
            next = self.results.try_recv().ok();
        }
        if let Err(e) = self.file.write(&lines) {
            let count = self.pending.len();
            self.scope.log(
                Level::Error,
                "runtime",
                format!("{count} results are kept in memory only, the file of unsent results can't be written: {e}"),
            );
        }
    }

    /// Whether there are results the socket's buffer doesn't have.
    pub(crate) fn has_unfed(&self) -> bool {
        self.fed < self.pending.len()
    }

    /// The next result for the socket's buffer.
    pub(crate) fn feed(&mut self) -> Option<Utf8Bytes> {
        let frame = self.pending.get(self.fed)?.frame.clone();
        self.fed += 1;
        Some(frame)
    }

    /// The socket took everything it was fed. Calls `sent` with the key of each.
    pub(crate) fn flushed(&mut self, mut sent: impl FnMut(&str)) {
        let Some(last) = self.fed.checked_sub(1).and_then(|last| self.pending.get(last)).map(|p| p.number) else { return };
        for pending in self.pending.drain(..self.fed) {
            sent(&pending.key);
            let scope = pending.scope.as_ref().unwrap_or(&self.scope);
            scope.emit(Fact::ResultSent { task_id: pending.task_id });
        }
        self.fed = 0;
        if let Err(e) = self.file.sent(last, self.pending.is_empty()) {
            self.scope.log(Level::Warning, "runtime", format!("a result may be sent twice after a crash: {e}"));
        }
    }

    /// The socket is gone: what it had not taken must be fed again.
    pub(crate) fn lost(&mut self) {
        self.fed = 0;
    }
}
