//! SecantusDB, a MongoDB-compatible server that is not ours, as a process of its own.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)] // shared by several test programs

use std::process::{Child, Command, Stdio};

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

    /// Starts it with its data in memory, by the program the variable `SECANTUSD` names or the path has; it may take a moment
    /// until it answers. Without it says that the test is skipped.
    pub(crate) fn start() -> Option<Self> {
        let program = std::env::var("SECANTUSD").unwrap_or_else(|_| "secantusd-py".into());
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let started = Command::new(&program)
            .args(["--port", &free.port().to_string(), "--storage-path", ":memory:"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        match started {
            Ok(process) => Some(Self { process, address: free.to_string() }),
            Err(_) => {
                eprintln!("skipped: the independent server `{program}` is not installed");
                None
            }
        }
    }
}
