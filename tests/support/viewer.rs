//! Sonar, a viewer of OpenTelemetry traces that is not ours, as a process of its own: its receiver and the answers its screen
//! is made of, on a port of our choosing.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)] // shared by several test programs

#[path = "listening.rs"]
mod listening;

use std::ffi::{OsStr, OsString};
use std::process::{Child, Command, Stdio};

use listening::listening;
use serde_json::Value;

use crate::support::DEADLINE;

/// A Python with OpenTelemetry's messages and with the viewer; without one says that the test is skipped.
pub(crate) fn python() -> Option<OsString> {
    let python = std::env::var_os("OTLP_PYTHON");
    if python.is_none() {
        eprintln!("skipped: OTLP_PYTHON names no Python with opentelemetry-proto and sonar-tui");
    }
    python
}

/// A viewer that ends with its test.
pub(crate) struct Viewer {
    process: Child,
    address: String,
    http: reqwest::Client,
}

impl Drop for Viewer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Viewer {
    /// Starts it, and waits until it answers.
    pub(crate) async fn start(python: &OsStr) -> Self {
        let mut process = Command::new(python)
            .args(["-m", "uvicorn", "sonar.ingestion.server:app", "--host", "127.0.0.1", "--port", "0", "--no-access-log"])
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // The client is built without a default for TLS, which plain HTTP on loopback does not use.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let said = process.stderr.take().unwrap();
        let mut viewer = Self { process, address: String::new(), http };
        viewer.address = listening(said, "running on ", DEADLINE)
            .unwrap_or_else(|said| panic!("the viewer does not listen; is sonar-tui installed there? It said: {said}"));
        viewer
    }

    /// Gives it a line as OTLP over HTTP has it; what it says to that.
    pub(crate) async fn take(&self, line: &str) -> Value {
        let request = self.http.post(format!("{}/v1/traces", self.address)).header("Content-Type", "application/json");
        let answer = request.body(line.to_owned()).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.status());
        answer.json().await.unwrap()
    }

    /// A trace as it shows it: every span with those below it.
    pub(crate) async fn trace(&self, id: &str) -> Value {
        let answer = self.http.get(format!("{}/traces/{id}", self.address)).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.status());
        answer.json().await.unwrap()
    }

    /// The traces it lists.
    pub(crate) async fn traces(&self) -> Vec<Value> {
        self.http.get(format!("{}/traces", self.address)).send().await.unwrap().json().await.unwrap()
    }
}
