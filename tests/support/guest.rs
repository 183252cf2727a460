//! A Python extension under the official runner, run by the built program.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)] // shared by several test programs

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use connect_console::platform::Access;
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
    pub(crate) fn session(&self, arguments: &[&str], see: impl FnMut(&str)) -> Running {
        let mut command = self.command();
        command.args(arguments);
        Self::connected(command, see)
    }

    /// The same before a Connect elsewhere, which listens with TLS.
    pub(crate) fn session_before(&self, connect: &Access, see: impl FnMut(&str)) -> Running {
        let mut command = self.command();
        let address = connect.tls_address.as_ref().unwrap();
        command
            .arg("--remote")
            .env("API_KEY", connect.api_key.reveal())
            .env("ENVIRONMENT_ID", &connect.environment_id)
            .env("INSTANCE_ID", "far-away")
            .env("SERVER_ADDRESS", address)
            .env("API_ADDRESS", address)
            .env("SSL_CERT_FILE", connect.ca_file.as_ref().unwrap());
        Self::connected(command, see)
    }

    fn command(&self) -> Command {
        let mut command = program(self.dir.path());
        command.args(["run", "--headless", "--json", "--extension"]).arg(self.path()).arg("--python").arg(&self.python);
        command
    }

    fn connected(command: Command, mut see: impl FnMut(&str)) -> Running {
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
