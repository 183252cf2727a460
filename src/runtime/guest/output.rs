//! The runner's output as log rows: one a record, a traceback with the line it belongs to, each in the delivery it is of.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::process::Child;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::lines::{self, Line};
use super::options::FindDelivery;
use super::record::{self, WorkerEnd};
use super::status::{GuestState, GuestStatus};
use crate::observe::{Fact, Level, Observation, Scope, Timestamp};

/// A record is whole when nothing follows for so long: whoever writes a traceback writes it at once.
const QUIET: Duration = Duration::from_millis(80);
/// The largest record; the rest of it is left out.
const LARGEST: usize = 256 << 10;
/// How long a pipe may stay open after the processes that write to it are gone.
const LAST: Duration = Duration::from_secs(1);

/// Both pipes of a child.
pub(super) struct Output {
    readers: Vec<JoinHandle<()>>,
    last_words: LastWords,
}

/// Whom the ends of workers are told.
pub(super) type WorkerEnds = mpsc::UnboundedSender<WorkerEnd>;

/// The last line, if it was no log record: of a process that died, why, and where in the project's own files.
type LastWords = Arc<Mutex<Option<Words>>>;

#[derive(Debug, Default)]
struct Words {
    line: String,
    place: Option<String>,
}

impl Output {
    pub(super) fn of(
        child: &mut Child,
        scope: &Scope,
        find: Option<&FindDelivery>,
        status: &watch::Sender<GuestStatus>,
        ends: &WorkerEnds,
    ) -> Self {
        let last_words = LastWords::default();
        let mut readers = Vec::new();
        let mut speaker = |target: &'static str| {
            let (sender, receiver) = mpsc::channel(256);
            let (scope, status, last_words) = (scope.clone(), status.clone(), Arc::clone(&last_words));
            let rows = Rows { scope, find: find.cloned(), status, ends: ends.clone(), last_words, target, open: None };
            readers.push(tokio::spawn(rows.take(receiver)));
            sender
        };
        if let Some(pipe) = child.stdout.take() {
            tokio::spawn(lines::read(pipe, speaker("stdout")));
        }
        if let Some(pipe) = child.stderr.take() {
            tokio::spawn(lines::read(pipe, speaker("stderr")));
        }
        Self { readers, last_words }
    }

    /// Waits for what was written last and says what that was.
    pub(super) async fn last_words(self) -> Option<String> {
        for mut reader in self.readers {
            if timeout(LAST, &mut reader).await.is_err() {
                reader.abort();
            }
        }
        let words = self.last_words.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        Some(match words.place {
            Some(place) => format!("{} ({place})", words.line),
            None => words.line,
        })
    }
}

/// One pipe's rows.
struct Rows {
    scope: Scope,
    find: Option<FindDelivery>,
    status: watch::Sender<GuestStatus>,
    ends: WorkerEnds,
    last_words: LastWords,
    target: &'static str,
    open: Option<Row>,
}

struct Row {
    at: Timestamp,
    level: Level,
    target: String,
    message: String,
}

impl Rows {
    async fn take(mut self, mut lines: mpsc::Receiver<Line>) {
        loop {
            let line = match &self.open {
                None => lines.recv().await,
                Some(_) => match timeout(QUIET, lines.recv()).await {
                    Ok(line) => line,
                    Err(_) => {
                        self.close();
                        continue;
                    }
                },
            };
            match line {
                Some(line) => self.line(line),
                None => return self.close(),
            }
        }
    }

    fn line(&mut self, Line { at, text }: Line) {
        if let Some(record) = record::parse(&text) {
            self.close();
            *self.last_words.lock().unwrap_or_else(PoisonError::into_inner) = None;
            self.status.send_if_modified(|status| note(status, record.message));
            if let Some(end) = record::worker_end(record.message).filter(|_| record.logger == "connect.eaas") {
                // Nobody listens once it is being stopped.
                let _ = self.ends.send(end);
            }
            let (target, message) = (record.logger.to_owned(), record.message.to_owned());
            self.open = Some(Row { at, level: record.level, target, message });
            return;
        }
        if text.trim().is_empty() && self.open.is_none() {
            return;
        }
        if self.target == "stdout" {
            if !record::is_drawing(&text) {
                self.emit(Row { at, level: Level::Info, target: "stdout".into(), message: text });
            } else if !record::is_empty(&text) {
                self.emit(Row { at, level: Level::Debug, target: "stdout".into(), message: text });
            }
            return;
        }
        if !text.trim().is_empty() {
            let mut words = self.last_words.lock().unwrap_or_else(PoisonError::into_inner);
            let words = words.get_or_insert_default();
            words.line = text.trim().to_owned();
            words.place = record::place(&text).or(words.place.take());
        }
        // What the runner itself dies of belongs to no record of its.
        if text.starts_with("Traceback (most recent call last):")
            && self.open.as_ref().is_some_and(|row| row.level < Level::Error && row.target.starts_with("connect.eaas"))
        {
            self.close();
        }
        match &mut self.open {
            Some(row) if row.message.len() + text.len() < LARGEST => {
                row.message.push('\n');
                row.message.push_str(&text);
            }
            Some(_) => {}
            None => {
                let level = record::unlogged_level(&text);
                self.open = Some(Row { at, level, target: "stderr".into(), message: text });
            }
        }
    }

    fn close(&mut self) {
        if let Some(mut row) = self.open.take() {
            row.message.truncate(row.message.trim_end().len());
            self.emit(row);
        }
    }

    fn emit(&self, row: Row) {
        let Row { at, level, target, message } = row;
        // The extension's own lines name no task: with one task out they can only be of it.
        let own = target.starts_with("eaas.") || target == self.target;
        let delivery = self.find.as_ref().and_then(|find| match record::task_id(&message) {
            Some(task) => find(Some(task)),
            None => own.then(|| find(None)).flatten(),
        });
        let fact = Fact::Log { level, target, message };
        self.scope.observer().observe(Observation { at, delivery, step: 0, fact });
    }
}

/// What the runner says about itself; true when that changes something.
fn note(status: &mut GuestStatus, message: &str) -> bool {
    if message == "Extension configuration has been updated." {
        status.configured += 1;
        return true;
    }
    let connected = status.state == GuestState::Starting && message.contains(" connected to ws");
    if connected {
        status.state = GuestState::Running;
        status.runs_with = status.changed;
    }
    connected
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::{DeliveryKey, Memory};

    /// What becomes of these lines, told with the delivery of every row.
    async fn rows(target: &'static str, text: &str) -> Vec<(Level, String, String, Option<String>)> {
        let memory = Arc::new(Memory::default());
        let find: FindDelivery = Arc::new(|task| Some(DeliveryKey::from(task.unwrap_or("the only one"))));
        let rows = Rows {
            scope: Scope::new(memory.clone()),
            find: Some(find),
            status: watch::channel(GuestStatus::default()).0,
            ends: mpsc::unbounded_channel().0,
            last_words: LastWords::default(),
            target,
            open: None,
        };
        let (sender, receiver) = mpsc::channel(100);
        lines::read(text.as_bytes(), sender).await;
        rows.take(receiver).await;
        let row = |o: Observation| match o.fact {
            Fact::Log { level, target, message } => (level, target, message, o.delivery.map(|d| d.to_string())),
            other => panic!("{other:?}"),
        };
        memory.seen().into_iter().map(row).collect()
    }

    #[tokio::test]
    async fn a_traceback_stays_with_its_line_and_a_record_with_its_task() {
        let text = "2026-11-22 10:00:00,000 connect.eaas.runner.managers WARNING PID_7 Got exception in TQ-1-2: boom\n\
                    2026-11-22 10:00:00,001 eaas.eventsapp ERROR PID_7 Unhandled exception\n\
                    Traceback (most recent call last):\n  File \"a.py\", line 1, in f\n\nValueError: boom\n\
                    2026-11-22 10:00:00,002 connect.eaas INFO PID_7 idle\n";
        let rows = rows("stderr", text).await;
        let whole = "Unhandled exception\nTraceback (most recent call last):\n  File \"a.py\", line 1, in f\n\nValueError: boom";
        let expected = [
            (Level::Warning, "connect.eaas.runner.managers", "Got exception in TQ-1-2: boom", Some("TQ-1-2")),
            (Level::Error, "eaas.eventsapp", whole, Some("the only one")),
            (Level::Info, "connect.eaas", "idle", None),
        ];
        let expected = expected.map(|(l, t, m, d)| (l, t.to_owned(), m.to_owned(), d.map(str::to_owned)));
        assert_eq!(rows, expected);
    }

    #[tokio::test]
    async fn what_no_logger_wrote_is_a_row_too() {
        let rows = rows("stderr", "Traceback (most recent call last):\n  File \"a.py\"\nImportError: no\n").await;
        assert_eq!(rows.len(), 1);
        assert_eq!((rows[0].0, rows[0].1.as_str()), (Level::Error, "stderr"));
        assert!(rows[0].2.ends_with("ImportError: no"));
    }

    #[tokio::test]
    async fn what_the_runner_dies_of_is_a_row_of_its_own_and_its_last_words_name_the_place() {
        let (memory, last_words) = (Arc::new(Memory::default()), LastWords::default());
        let rows = Rows {
            scope: Scope::new(memory.clone()),
            find: None,
            status: watch::channel(GuestStatus::default()).0,
            ends: mpsc::unbounded_channel().0,
            last_words: Arc::clone(&last_words),
            target: "stderr",
            open: None,
        };
        let text = "2026-11-22 10:00:00,000 connect.eaas WARNING PID_7 Websocket connections are unsecure (ws).\n\
                    Traceback (most recent call last):\n  File \"/venv/lib/python3/site-packages/a.py\", line 1, in f\n  \
                    File \"/shop/events.py\", line 29\n    def broken(:\n               ^\nSyntaxError: invalid syntax\n";
        let (sender, receiver) = mpsc::channel(100);
        lines::read(text.as_bytes(), sender).await;
        rows.take(receiver).await;
        let levels: Vec<Level> =
            memory.seen().iter().map(|o| if let Fact::Log { level, .. } = o.fact { level } else { panic!() }).collect();
        assert_eq!(levels, [Level::Warning, Level::Error]);
        let words = Output { readers: Vec::new(), last_words }.last_words().await;
        assert_eq!(words.as_deref(), Some("SyntaxError: invalid syntax (/shop/events.py, line 29)"));
    }

    #[test]
    fn the_runner_says_when_it_has_connected_and_when_it_took_a_configuration_over() {
        let mut status = GuestStatus { changed: 2, ..GuestStatus::default() };
        assert!(!note(&mut status, "Starting BackgroundEventsWorker..."));
        assert!(note(&mut status, "BackgroundEventsWorker connected to ws://127.0.0.1:1/public/v1/devops/ws/ENV-1/shop"));
        assert_eq!((status.state, status.runs_with), (GuestState::Running, 2));
        assert!(note(&mut status, "Extension configuration has been updated."));
        assert_eq!(status.configured, 1);
    }

    #[tokio::test]
    async fn a_print_is_a_row_and_what_only_decorates_is_none() {
        let rows = rows("stdout", "hello\n\n╭──────╮\n│ EventsApp │\n╰──────╯\nworld\n").await;
        let told: Vec<_> = rows.iter().map(|(level, _, message, _)| (*level, message.as_str())).collect();
        assert_eq!(told, [(Level::Info, "hello"), (Level::Debug, "│ EventsApp │"), (Level::Info, "world")]);
    }
}
