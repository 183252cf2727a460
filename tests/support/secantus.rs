//! SecantusDB, a MongoDB-compatible server that is not ours, as a process of its own.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)] // shared by several test programs

#[path = "listening.rs"]
mod listening;

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use listening::listening;

/// It takes some seconds to start; many times that beside much else.
const PATIENCE: Duration = Duration::from_secs(120);

/// A server that ends with its test.
pub(crate) struct Server {
    process: Child,
    pub(crate) address: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Server {
    /// The number of its process.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Starts it with its data in memory, by the program the variable `SECANTUSD` names or the path has, and waits until it
    /// listens. Without it says that the test is skipped.
    pub(crate) fn start() -> Option<Self> {
        let program = std::env::var("SECANTUSD").unwrap_or_else(|_| "secantusd-py".into());
        let started = Command::new(&program)
            .args(["--port", "0", "--storage-path", ":memory:"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn();
        let Ok(process) = started else {
            eprintln!("skipped: the independent server `{program}` is not installed");
            return None;
        };
        let mut server = Self { process, address: String::new() };
        let said = server.process.stderr.take().unwrap();
        server.address =
            listening(said, "listening on ", PATIENCE).unwrap_or_else(|said| panic!("{program} does not listen: {said}"));
        Some(server)
    }
}
