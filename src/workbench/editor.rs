//! A text in the developer's own editor, for the console and the command line alike.
//!
//! `Editing::begin` writes the text into a directory of its own inside the data directory (so that swap files and backups
//! of the editor go with it), `command` is the editor to be run in the foreground, `end` reads back what was saved.
//! Dropping it removes everything.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use super::WorkbenchError;
use super::paths::{private_dir, write_private};
use crate::observe::Secret;

/// Begins the names of the directories texts are edited in; the number of the process follows.
const PREFIX: &str = "edit-";

/// A text being edited.
pub(crate) struct Editing {
    dir: PathBuf,
    file: PathBuf,
    before: Secret,
    editor: OsString,
}

impl Editing {
    /// Puts a text where the editor named by `VISUAL` or `EDITOR` can open it; `name` is the name of the file, whose ending
    /// tells the editor what it is.
    ///
    /// # Errors
    /// [`WorkbenchError::Usage`] where no editor is named, [`WorkbenchError::Failed`] where the file can't be written.
    pub(crate) fn begin(data_dir: &Path, name: &str, text: &str) -> Result<Self, WorkbenchError> {
        let named = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let editor = named("VISUAL").or_else(|| named("EDITOR"));
        Self::with(editor, data_dir, name, text)
    }

    fn with(editor: Option<OsString>, data_dir: &Path, name: &str, text: &str) -> Result<Self, WorkbenchError> {
        let editor = editor.ok_or_else(|| {
            WorkbenchError::Usage(
                "no editor is set: name one in VISUAL or EDITOR (export EDITOR=vim, or EDITOR='code --wait')".into(),
            )
        })?;
        sweep(data_dir);
        let dir = data_dir.join(format!("{PREFIX}{}-{:08x}", std::process::id(), rand::random::<u32>()));
        private_dir(&dir)?;
        let file = dir.join(name);
        let editing = Self { dir, file, before: Secret::new(text), editor };
        write_private(&editing.file, text.as_bytes())
            .map_err(|e| WorkbenchError::Failed(format!("{} can't be written: {e}", editing.file.display())))?;
        Ok(editing)
    }

    /// The editor, to be run in the foreground and waited for. Its words are the shell's, as with git: `code --wait` works.
    pub(crate) fn command(&self) -> Command {
        let mut line = self.editor.clone();
        line.push(" \"$@\"");
        let mut command = Command::new("sh");
        command.arg("-c").arg(line).arg(&self.editor).arg(&self.file);
        command
    }

    /// What was saved; `None` where that is what it was before. The file is removed.
    ///
    /// # Errors
    /// [`WorkbenchError::Failed`] where the editor said it failed, or what it left behind can't be read.
    pub(crate) fn end(self, status: ExitStatus) -> Result<Option<String>, WorkbenchError> {
        if !status.success() {
            let editor = self.editor.to_string_lossy();
            return Err(WorkbenchError::Failed(format!("the editor ({editor}) ended with {status}: nothing was changed")));
        }
        let text = std::fs::read_to_string(&self.file)
            .map_err(|e| WorkbenchError::Failed(format!("what the editor saved can't be read: {e}; nothing was changed")))?;
        // Editors end the last line; that alone is no change.
        let same = text == self.before.reveal() || text.strip_suffix('\n') == Some(self.before.reveal());
        Ok((!same).then_some(text))
    }
}

impl Drop for Editing {
    fn drop(&mut self) {
        // Whatever remains is swept away with the next text.
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// Removes what processes left behind that ended without doing so.
fn sweep(data_dir: &Path) {
    let Ok(entries) = std::fs::read_dir(data_dir) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let pid = name.to_str().and_then(|n| n.strip_prefix(PREFIX)?.split('-').next()?.parse().ok());
        let gone = |pid| rustix::process::Pid::from_raw(pid).is_none_or(|pid| rustix::process::test_kill_process(pid).is_err());
        if pid.is_some_and(gone) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(editor: &str, text: &str) -> (Result<Option<String>, WorkbenchError>, tempfile::TempDir) {
        let dir = tempfile::tempdir().unwrap();
        let editing = Editing::with(Some(editor.into()), dir.path(), "value.txt", text).unwrap();
        let status = editing.command().status().unwrap();
        (editing.end(status), dir)
    }

    #[test]
    fn what_the_editor_saves_comes_back_and_nothing_is_left_behind() {
        let (edited, dir) = edit("sed -i s/one/two/", "one");
        assert_eq!(edited.unwrap().as_deref(), Some("two"));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn an_editor_that_saves_what_it_got_changed_nothing() {
        assert_eq!(edit("true", "one").0, Ok(None));
        assert_eq!(edit("echo >>", "one").0, Ok(None), "a line end added by the editor is no change");
    }

    #[test]
    fn an_editor_that_fails_changes_nothing_and_says_so() {
        let (edited, dir) = edit("false", "one");
        assert!(edited.unwrap_err().to_string().contains("(false) ended with"));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn without_an_editor_it_says_how_to_name_one() {
        let dir = tempfile::tempdir().unwrap();
        let error = Editing::with(None, dir.path(), "value.txt", "one").err().unwrap().to_string();
        assert!(error.contains("EDITOR"), "{error}");
    }

    #[test]
    #[cfg(unix)]
    fn only_the_owner_can_read_it_while_it_is_edited() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let editing = Editing::with(Some("true".into()), dir.path(), "value.txt", "secret").unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&editing.dir), mode(&editing.file)), (0o700, 0o600));
    }

    #[test]
    fn what_a_killed_process_left_behind_is_removed_with_the_next_text() {
        let dir = tempfile::tempdir().unwrap();
        // No process has this number: Linux ends at 2^22.
        let stale = dir.path().join("edit-2147483646-00000000");
        std::fs::create_dir(&stale).unwrap();
        let editing = Editing::with(Some("true".into()), dir.path(), "value.txt", "x").unwrap();
        assert!(!stale.exists() && editing.file.exists());
    }
}
