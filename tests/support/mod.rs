//! The built program, as the end-to-end tests use it.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)] // shared by several test programs

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use connect_console::platform::Access;
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
use serde_json::Value;

/// How long anything may take before a test gives up on it.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// The program with a data directory and a clean environment.
pub(crate) fn program(data_dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_connect-console"));
    command.arg("--data-dir").arg(data_dir).stdin(Stdio::null());
    for name in ["API_KEY", "ENVIRONMENT_ID", "INSTANCE_ID", "SERVER_ADDRESS", "API_ADDRESS", "HTTPS_PROXY", "NO_PROXY"] {
        command.env_remove(name);
    }
    command
}

/// The program as a runtime before a Connect that is elsewhere, as the official runner's environment names it.
pub(crate) fn before_connect(here: &Path, access: &Access) -> Command {
    let mut command = program(here);
    command
        .args(["run", "--headless", "--remote", "--unsecure", "--extension", "probe", "--json"])
        .env("API_KEY", access.api_key.reveal())
        .env("ENVIRONMENT_ID", &access.environment_id)
        .env("INSTANCE_ID", "somewhere-else")
        .env("SERVER_ADDRESS", &access.server_address)
        .env("API_ADDRESS", &access.api_address);
    command
}

/// A copy of a fixture that can be changed.
pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// A Python with the official runner, Motor and PyMongo; without one says that the test is skipped.
pub(crate) fn python() -> Option<PathBuf> {
    let python = std::env::var_os("CONNECT_CONSOLE_TEST_PYTHON").map(PathBuf::from);
    if python.is_none() {
        eprintln!("skipped: CONNECT_CONSOLE_TEST_PYTHON names no Python with connect-extension-runner, motor and pymongo");
    }
    python
}

/// The command with no file of it growing beyond so many KiB: for a program that is as good as a full disk. `prlimit` can
/// lift it.
pub(crate) fn on_a_small_disk(command: &Command, kib: u64) -> Command {
    let mut limited = Command::new("bash");
    limited
        .args(["-c", &format!("trap '' XFSZ; ulimit -S -f {kib}; exec \"$0\" \"$@\"")])
        .arg(command.get_program())
        .args(command.get_args())
        .stdin(Stdio::null());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => limited.env(name, value),
            None => limited.env_remove(name),
        };
    }
    limited
}

/// What a command printed, and how it ended.
pub(crate) struct Ran {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    pub(crate) fn of(output: Output) -> Self {
        Self {
            status: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Its lines as JSON objects.
    pub(crate) fn objects(&self) -> Vec<Value> {
        self.stdout.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
    }

    /// Its only line as a JSON object, after checking that it ended well.
    pub(crate) fn object(&self) -> Value {
        assert_eq!(self.status, 0, "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        let mut objects = self.objects();
        assert_eq!(objects.len(), 1, "{}", self.stdout);
        objects.remove(0)
    }
}

/// Runs a command to its end.
pub(crate) fn run(data_dir: &Path, arguments: &[&str]) -> Ran {
    Ran::of(program(data_dir).args(arguments).output().unwrap())
}

/// Whether a child ends in time. It is still to be waited for.
pub(crate) fn ends_within(patience: Duration, child: u32) -> bool {
    let child = Pid::from_raw(child.try_into().unwrap()).unwrap();
    let (tell, told) = channel();
    std::thread::spawn(move || tell.send(waitid(WaitId::Pid(child), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT).is_ok()));
    told.recv_timeout(patience) == Ok(true)
}

/// Whether a text is in any file below a directory.
pub(crate) fn anywhere(dir: &Path, text: &str) -> bool {
    std::fs::read_dir(dir).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return anywhere(&path, text);
        }
        std::fs::read(&path).is_ok_and(|bytes| bytes.windows(text.len()).any(|window| window == text.as_bytes()))
    })
}

/// A command that goes on, its stdout read line by line. Killed when dropped.
pub(crate) struct Running {
    pub(crate) child: Child,
    lines: Receiver<String>,
}

impl Running {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (tell, lines) = channel();
        std::thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| tell.send(line)));
        Self { child, lines }
    }

    /// The first line that fits, as a JSON object.
    pub(crate) fn until(&self, what: &str, fits: impl FnMut(&Value) -> bool) -> Value {
        self.until_within(DEADLINE, what, fits)
    }

    /// The same with a patience of its own.
    pub(crate) fn until_within(&self, patience: Duration, what: &str, mut fits: impl FnMut(&Value) -> bool) -> Value {
        let deadline = Instant::now() + patience;
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    let value: Value = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}"));
                    if fits(&value) {
                        return value;
                    }
                }
                Err(RecvTimeoutError::Timeout) => panic!("waited in vain for {what}"),
                Err(RecvTimeoutError::Disconnected) => panic!("the program ended before {what}"),
            }
        }
    }

    /// Waits for the runtime's link to the local Connect.
    pub(crate) fn until_connected(&self) {
        self.until("the link", |seen| seen["kind"] == "link" && seen["state"] == "connected");
    }

    /// Ends it at once, as a power cut would.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to end, and waits until it has.
    pub(crate) fn terminate(self) -> ExitStatus {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        self.ended()
    }

    /// Waits until it has ended.
    pub(crate) fn ended(mut self) -> ExitStatus {
        assert!(ends_within(DEADLINE, self.child.id()), "it does not end");
        self.child.wait().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A sandbox of its own, as a program started elsewhere finds it: by the line the command prints.
pub(crate) struct Served {
    _dir: tempfile::TempDir,
    _running: Running,
    pub(crate) access: Value,
}

/// Starts `connect-console sandbox`.
pub(crate) fn sandbox() -> Served {
    let dir = tempfile::tempdir().unwrap();
    let mut command = program(dir.path());
    command.args(["sandbox", "--port", "0", "--http-port", "0"]);
    let running = Running::start(command);
    let access = running.until("the sandbox", |line| line["mongodb"].is_string());
    Served { _dir: dir, _running: running, access }
}

/// Runs somebody else's program with `access` as its input; it ends well and says that all was as it should be.
pub(crate) fn judged(command: &mut Command, access: &Value) {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Who does not read it has gone already, or does not want it.
    let _ = std::io::Write::write_all(&mut child.stdin.take().unwrap(), access.to_string().as_bytes());
    let ended = child.wait_with_output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
    assert!(ended.status.success() && said.contains("all as it should be"), "{}:\n{said}", ended.status);
}
