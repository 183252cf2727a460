//! A Python extension under the official runner, run by the built program.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)] // shared by several test programs

use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Pid;
use tempfile::TempDir;

use crate::support::{Ran, Running, copy, program, python, run};

/// The official runner takes 8 to 15 s to connect on an idle machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// A copy of a fixture that can be changed, with a data directory of its own.
pub(crate) struct Project {
    dir: TempDir,
    python: PathBuf,
}

impl Project {
    /// `None` where there is no official runner.
    pub(crate) fn copy_of(fixture: &str) -> Option<Self> {
        let project = Self { python: python()?, dir: tempfile::tempdir().unwrap() };
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python").join(fixture), &project.path());
        Some(project)
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().join("project")
    }

    /// Replaces texts of a source that are in it once.
    pub(crate) fn change(&self, source: &str, changes: &[(&str, &str)]) {
        let source = self.path().join(source);
        let text = std::fs::read_to_string(&source).unwrap();
        let text = changes.iter().fold(text, |text, (old, new)| {
            assert_eq!(text.matches(old).count(), 1, "{old}");
            text.replace(old, new)
        });
        std::fs::write(source, text).unwrap();
    }

    /// A session with it. The guest has connected, and every line up to that was shown to `see`.
    pub(crate) fn session(&self, arguments: &[&str], mut see: impl FnMut(&str)) -> Running {
        let mut command = program(self.dir.path());
        command.args(["run", "--headless", "--json", "--extension"]).arg(self.path()).arg("--python").arg(&self.python);
        command.args(arguments);
        let session = Running::start(command);
        session.until_logged(PATIENCE, |message| {
            see(message);
            message.contains("BackgroundEventsWorker connected")
        });
        session
    }

    /// Another command beside the session.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        run(self.dir.path(), arguments)
    }

    /// The living processes of the guest: all of them work in the project's directory.
    pub(crate) fn processes(&self) -> Vec<Pid> {
        let project = self.path().canonicalize().unwrap();
        let works_there = |of: &Path| std::fs::read_link(of.join("cwd")).is_ok_and(|dir| dir == project);
        let all = std::fs::read_dir("/proc").unwrap().flatten().map(|of| of.path()).filter(|of| works_there(of));
        all.filter_map(|of| Pid::from_raw(of.file_name()?.to_str()?.parse().ok()?)).collect()
    }
}

impl Running {
    /// The first log line that fits.
    pub(crate) fn until_logged(&self, patience: Duration, mut fits: impl FnMut(&str) -> bool) -> String {
        let seen = self.until_within(patience, "a log line", |seen| {
            seen["kind"] == "log" && seen["message"].as_str().is_some_and(&mut fits)
        });
        seen["message"].as_str().unwrap().to_owned()
    }
}
