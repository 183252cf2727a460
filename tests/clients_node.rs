//! Clients of Node that nobody here wrote, against the sandbox: the official driver, mongosh, and two clients of the Data API.
//!
//! Needs `node` on the path, and a directory whose `node_modules` has `mongodb`, `mongosh`, `mongodb-data-api` and
//! `@taskless/mongo-data-api`: its path is taken from the variable `CONNECT_CONSOLE_TEST_NODE`. Where that is not set these
//! tests say `skipped: ...` and pass.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers outside #[test] functions fail by panicking
#![allow(clippy::print_stderr)] // a skipped test says so
#![cfg(feature = "console")]

mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use support::{judged, sandbox};

/// Where the packages are.
fn packages() -> Option<PathBuf> {
    let packages = std::env::var_os("CONNECT_CONSOLE_TEST_NODE").map(PathBuf::from);
    if packages.is_none() {
        eprintln!(
            "skipped: CONNECT_CONSOLE_TEST_NODE names no directory with mongodb, mongosh, mongodb-data-api and \
             @taskless/mongo-data-api in its node_modules"
        );
    }
    packages.map(|dir| dir.canonicalize().unwrap_or(dir))
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/node").join(name)
}

#[test]
fn the_node_driver_does_what_an_application_does_with_it() {
    let Some(packages) = packages() else { return };
    let served = sandbox();
    judged(Command::new("node").arg(script("judge_driver.mjs")).env("CONNECT_CONSOLE_TEST_NODE", packages), &served.access);
}

#[test]
fn two_clients_of_the_data_api_go_on_unchanged() {
    let Some(packages) = packages() else { return };
    let served = sandbox();
    judged(Command::new("node").arg(script("judge_data_api.mjs")).env("CONNECT_CONSOLE_TEST_NODE", packages), &served.access);
}

#[test]
fn mongosh_does_what_is_typed_into_it_plain_and_with_tls() {
    let Some(packages) = packages() else { return };
    let served = sandbox();
    let home = tempfile::tempdir().unwrap();
    let plain = served.access["mongodb"].as_str().unwrap().to_owned();
    let tls = format!("{plain}&tls=true&tlsCAFile={}", served.access["ca_file"].as_str().unwrap());
    for connection in [plain, tls] {
        let mut shell = Command::new(packages.join("node_modules/.bin/mongosh"));
        // It keeps its history and settings at home, and asks nobody about updates or usage.
        shell.env("HOME", home.path()).env("MONGOSH_FORCE_DISABLE_TELEMETRY_FOR_TESTING", "1").stdin(Stdio::null());
        judged(shell.arg(connection).args(["--quiet", "--norc", "--file"]).arg(script("judge_mongosh.js")), &served.access);
    }
}
