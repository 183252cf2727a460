use std::collections::VecDeque;
use std::fmt::Write as _;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use super::RuntimeError;
use crate::protocol::{Message, Task, decode};

/// Beyond this size the file is emptied when nothing in it is needed any more.
const EMPTY_BEYOND: u64 = 1 << 20;

/// Beyond this size it is written anew when something in it is needed all the time.
const RENEW_BEYOND: u64 = 32 << 20;

/// The file of unsent results, appended to: `{"n": 7, "frame": {...}}` for each result and `{"sent": 7}` when
/// all up to number 7 were sent. It is written before a result is sent, without waiting for the disk: what the system
/// has taken survives the death of the process.
#[derive(Debug)]
pub(super) struct OutboxFile {
    path: PathBuf,
    file: File,
    /// Beyond this size it is written anew.
    renew_at: u64,
    bytes: u64,
    next: u64,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Result { n: u64, frame: Value },
    Sent { sent: u64 },
}

/// Results by their numbers, oldest first.
type Unsent = Vec<(u64, Box<Task>)>;

impl OutboxFile {
    /// Opens the file for this process alone and reads the results that were not sent.
    pub(super) fn open(path: &Path) -> Result<(Self, Unsent), RuntimeError> {
        let failed = |source| RuntimeError::Outbox { path: path.into(), source };
        if let Some(dir) = path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
            create_private_dir(dir).map_err(failed)?;
        }
        let mut file = open_private(path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(RuntimeError::OutboxTaken { path: path.into() }),
            Err(TryLockError::Error(e)) => return Err(failed(e)),
        }
        let mut text = Vec::new();
        file.read_to_end(&mut text).map_err(failed)?;
        let (unsent, last) = unsent(&String::from_utf8_lossy(&text));
        let mut outbox =
            Self { path: path.into(), file, renew_at: RENEW_BEYOND, bytes: text.len() as u64, next: last.saturating_add(1) };
        if unsent.is_empty() {
            outbox.empty().map_err(failed)?;
        } else if !text.ends_with(b"\n") {
            // The last write was cut off: what comes next shall not be glued to it.
            outbox.write("\n").map_err(failed)?;
        }
        Ok((outbox, unsent))
    }

    /// Adds the line of a result to `lines`; returns its number.
    pub(super) fn put(&mut self, frame: &str, lines: &mut String) -> u64 {
        let number = self.next;
        self.next = self.next.saturating_add(1);
        put(number, frame, lines);
        number
    }

    /// Adds lines: all of them, or none.
    pub(super) fn write(&mut self, lines: &str) -> io::Result<()> {
        if let Err(error) = self.file.write_all(lines.as_bytes()) {
            // What a full disk took of it would make the next line unreadable.
            let _ = self.file.set_len(self.bytes);
            return Err(error);
        }
        self.bytes += lines.len() as u64;
        Ok(())
    }

    /// Notes that all results up to `number` were sent; `all`: there are no others.
    pub(super) fn sent(&mut self, number: u64, all: bool) -> io::Result<()> {
        if all && self.bytes > EMPTY_BEYOND {
            return self.empty();
        }
        self.write(&format!("{{\"sent\":{number}}}\n"))?;
        // Where that fails, the file is as it was, and larger than it need be.
        if self.bytes > self.renew_at && self.renew().is_err() {
            self.renew_at = self.bytes.saturating_mul(2);
        }
        Ok(())
    }

    /// Writes the file anew, without what was sent. It is locked before it takes the place of the old one.
    fn renew(&mut self) -> io::Result<()> {
        let text = std::fs::read(&self.path)?;
        let mut lines = String::new();
        for (number, task) in unsent(&String::from_utf8_lossy(&text)).0 {
            put(number, &task.encode(), &mut lines);
        }
        let mut beside = self.path.clone().into_os_string();
        beside.push(".new");
        let mut file = open_private(beside.as_ref())?;
        file.try_lock()?;
        file.set_len(0)?;
        file.write_all(lines.as_bytes())?;
        std::fs::rename(&beside, &self.path)?;
        self.file = file;
        self.bytes = lines.len() as u64;
        self.renew_at = RENEW_BEYOND.max(self.bytes.saturating_mul(2));
        Ok(())
    }

    fn empty(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.bytes = 0;
        Ok(())
    }
}

/// Adds the line of a result.
pub(super) fn put(number: u64, frame: &str, lines: &mut String) {
    // Writing to a String does not fail.
    let _ = writeln!(lines, r#"{{"n":{number},"frame":{frame}}}"#);
}

/// The results that were not sent, and the highest number. Lines that were cut off are skipped.
fn unsent(text: &str) -> (Unsent, u64) {
    let mut unsent = VecDeque::new();
    let mut last = 0;
    for line in text.lines() {
        match serde_json::from_str(line) {
            Ok(Line::Result { n, frame }) => {
                last = last.max(n);
                if let Ok(Message::Task(task)) = decode(&frame.to_string()) {
                    unsent.push_back((n, task));
                }
            }
            Ok(Line::Sent { sent }) => {
                last = last.max(sent);
                while unsent.front().is_some_and(|(n, _)| *n <= sent) {
                    unsent.pop_front();
                }
            }
            Err(_) => {}
        }
    }
    (unsent.into(), last)
}

fn create_private_dir(dir: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
}

fn open_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    #[cfg(unix)]
    {
        // A file that was there before may have been made by somebody less careful.
        use std::os::unix::fs::PermissionsExt;
        file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
    }
    Ok(file)
}

#[cfg(test)]
impl OutboxFile {
    /// Writes into another file from now on; for tests. The one from before.
    pub(super) fn replace(&mut self, file: File) -> File {
        std::mem::replace(&mut self.file, file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Output, TaskInput, TaskOptions};

    fn result(task_id: &str) -> String {
        let options = TaskOptions { task_id: task_id.into(), task_category: "background".into(), ..TaskOptions::default() };
        Task { options, input: TaskInput::default(), output: Some(Output::default()) }.encode()
    }

    fn ids(unsent: &[(u64, Box<Task>)]) -> Vec<&str> {
        unsent.iter().map(|(_, task)| task.options.task_id.as_str()).collect()
    }

    #[test]
    fn only_what_was_not_sent_comes_back_and_a_torn_line_does_no_harm() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state/outbox");
        let (mut outbox, unsent) = OutboxFile::open(&path).unwrap();
        assert!(unsent.is_empty());
        let mut lines = String::new();
        let first = outbox.put(&result("TQ-1"), &mut lines);
        outbox.put(&result("TQ-2"), &mut lines);
        outbox.write(&lines).unwrap();
        outbox.sent(first, false).unwrap();
        outbox.write(r#"{"n":3,"frame":{"version":2,"mess"#).unwrap();
        drop(outbox);

        let (mut outbox, unsent) = OutboxFile::open(&path).unwrap();
        assert_eq!(ids(&unsent), ["TQ-2"]);
        let mut lines = String::new();
        let number = outbox.put(&result("TQ-4"), &mut lines);
        assert!(number > unsent[0].0);
        outbox.write(&lines).unwrap();
        drop(outbox);
        assert_eq!(ids(&OutboxFile::open(&path).unwrap().1), ["TQ-2", "TQ-4"]);
    }

    #[test]
    fn a_file_nobody_needs_is_emptied() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("outbox");
        let (mut outbox, _) = OutboxFile::open(&path).unwrap();
        for _ in 0..8000 {
            let mut lines = String::new();
            let number = outbox.put(&result("TQ-1"), &mut lines);
            outbox.write(&lines).unwrap();
            outbox.sent(number, true).unwrap();
        }
        assert!(std::fs::metadata(&path).unwrap().len() < 2 * EMPTY_BEYOND);
        drop(outbox);
        assert!(OutboxFile::open(&path).unwrap().1.is_empty());
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 0);
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_is_never_without_use_is_written_anew_and_loses_nothing() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("outbox");
        let (mut outbox, _) = OutboxFile::open(&path).unwrap();
        outbox.renew_at = 8 << 10;
        let one = result("TQ-1");
        let mut largest = 0;
        for n in 0..500 {
            let mut lines = String::new();
            let number = outbox.put(&result(&format!("TQ-{n}")), &mut lines);
            outbox.write(&lines).unwrap();
            outbox.sent(number - 1, false).unwrap();
            outbox.renew_at = outbox.renew_at.min(8 << 10);
            largest = largest.max(std::fs::metadata(&path).unwrap().len());
        }
        assert!(largest < (8 << 10) + 4 * one.len() as u64, "{largest}");
        assert!(
            matches!(OutboxFile::open(&path), Err(RuntimeError::OutboxTaken { .. })),
            "the new file is locked as the old one"
        );
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
        drop(outbox);
        assert_eq!(ids(&OutboxFile::open(&path).unwrap().1), ["TQ-499"]);
    }

    #[cfg(unix)]
    #[test]
    fn the_file_is_for_its_owner_only_and_for_one_process_at_a_time() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("outbox");
        let open = OutboxFile::open(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(matches!(OutboxFile::open(&path), Err(RuntimeError::OutboxTaken { .. })));
        drop(open);
        assert!(OutboxFile::open(&path).is_ok());
    }
}
