use std::collections::VecDeque;
use std::path::Path;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::RuntimeError;
use super::in_flight::key_of;
use super::outbox_file::{self, OutboxFile};
use crate::observe::{Fact, Level, Scope};
use crate::protocol::{Message, Task, decode};

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
    /// From this number on they are not in the file, which could not be written.
    unwritten: Option<u64>,
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
        Ok(Self { results, file, pending, fed: 0, unwritten: None, scope })
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
        let mut lines = self.missing_lines();
        while let Some(Outgoing { mut task, scope }) = next {
            let frame: Utf8Bytes = task.encode().into();
            let number = match task.options.api_key.take() {
                None => self.file.put(&frame, &mut lines),
                Some(_) => self.file.put(&task.encode(), &mut lines),
            };
            let key = key_of(&task.options);
            self.pending.push_back(Pending { number, task_id: task.options.task_id, key, frame, scope: Some(scope) });
            self.unwritten.get_or_insert(number);
            next = self.results.try_recv().ok();
        }
        self.write(&lines);
    }

    fn write(&mut self, lines: &str) {
        match self.file.write(lines) {
            Ok(()) => self.unwritten = None,
            Err(e) => {
                let count = self.missing().count();
                let line = format!(
                    "{count} results are kept in memory only, the file of unsent results can't be written: {e}; \
                     they go out as ever, but do not survive the end of this process before"
                );
                self.scope.log(Level::Error, "runtime", line);
            }
        }
    }

    /// The results that are not in the file.
    fn missing(&self) -> impl Iterator<Item = &Pending> {
        let first = self.unwritten.unwrap_or(u64::MAX);
        self.pending.range(self.pending.partition_point(|pending| pending.number < first)..)
    }

    /// Their lines, without their tasks' own keys.
    fn missing_lines(&self) -> String {
        let mut lines = String::new();
        for pending in self.missing() {
            if let Ok(Message::Task(mut task)) = decode(&pending.frame) {
                task.options.api_key = None;
                outbox_file::put(pending.number, &task.encode(), &mut lines);
            }
        }
        lines
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

    /// There is no socket: what it had not taken must be fed again to the next one, and be on disk until then.
    pub(crate) fn lost(&mut self) {
        self.fed = 0;
        let lines = self.missing_lines();
        if !lines.is_empty() {
            self.write(&lines);
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::sync::Arc;

    use tokio::sync::mpsc;

    use super::*;
    use crate::observe::Memory;
    use crate::protocol::{Output, TaskInput, TaskOptions};

    fn result(task_id: &str) -> Outgoing {
        let (id, category) = (task_id.into(), "background".into());
        let options =
            TaskOptions { task_id: id, task_category: category, api_key: Some("zebra".into()), ..TaskOptions::default() };
        let task = Task { options, input: TaskInput::default(), output: Some(Output::default()) };
        Outgoing { task: Box::new(task), scope: Scope::discard() }
    }

    #[tokio::test]
    async fn what_a_full_disk_did_not_take_is_said_and_written_as_soon_as_there_is_room() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("outbox");
        let memory = Arc::new(Memory::default());
        let (sender, results) = mpsc::unbounded_channel();
        let mut outbox = Outbox::open(&path, results, Scope::new(memory.clone())).unwrap();
        let missing = |outbox: &Outbox| outbox.missing().map(|pending| pending.task_id.clone()).collect::<Vec<_>>();
        let absorb = async |outbox: &mut Outbox, task_id: &str| {
            sender.send(result(task_id)).unwrap();
            outbox.absorb().await;
        };
        absorb(&mut outbox, "TQ-1").await;
        assert!(missing(&outbox).is_empty());
        let full = std::fs::OpenOptions::new().append(true).open("/dev/full").unwrap();
        let file = outbox.file.replace(full);
        absorb(&mut outbox, "TQ-2").await;
        absorb(&mut outbox, "TQ-3").await;
        outbox.lost();
        assert_eq!(missing(&outbox), ["TQ-2", "TQ-3"]);
        let said =
            memory.seen().into_iter().filter_map(|o| if let Fact::Log { message, .. } = o.fact { Some(message) } else { None });
        let said: Vec<String> = said.collect();
        assert!(said[1].starts_with("2 results are kept in memory only"), "{said:?}");
        outbox.file.replace(file);
        outbox.lost();
        assert!(missing(&outbox).is_empty());
        absorb(&mut outbox, "TQ-4").await;
        drop(outbox);
        assert!(!std::fs::read_to_string(&path).unwrap().contains("zebra"), "without their tasks' own keys");
        let (_, unsent) = OutboxFile::open(&path).unwrap();
        assert_eq!(unsent.iter().map(|(_, task)| &*task.options.task_id).collect::<Vec<_>>(), ["TQ-1", "TQ-2", "TQ-3", "TQ-4"]);
    }
}
