//! Python clients that nobody here wrote, against the sandbox: the documentation's example under the official runner, PyMongo
//! and Motor.
//!
//! Needs a Python with `connect-extension-runner`, `motor` and `pymongo`: its path is taken from the variable
//! `CONNECT_CONSOLE_TEST_PYTHON`. Where that is not set these tests say `skipped: ...` and pass.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers outside #[test] functions fail by panicking
#![cfg(feature = "console")]

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use support::{Running, judged, program, python, run, sandbox};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python").join(name)
}

#[test]
fn the_documentations_example_runs_with_only_its_variables_set() {
    let Some(python) = python() else { return };
    let dir = tempfile::tempdir().unwrap();
    let (project, python) = (fixture("tutorial"), python.into_os_string().into_string().unwrap());
    let mut command = program(dir.path());
    command.args(["run", "--headless", "--json", "--python", &python, "--extension"]).arg(&project);
    let session = Running::start(command);
    // Before it stands, `doctor` would open a session of its own and be in its way.
    session.until_within(Duration::from_secs(120), "its first row", |_| true);
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        // It takes 8 to 15 s to connect on an idle machine.
        let status = run(dir.path(), &["doctor", "--json"]).objects();
        if status.iter().any(|f| f["what"] == "connect" && f["ok"] == true) {
            break;
        }
        assert!(Instant::now() < deadline, "the official runner does not connect: {status:?}");
    }
    let set = run(dir.path(), &["env", "set", "--sandbox", "--apply"]);
    assert_eq!(set.status, 0, "{} {}", set.stdout, set.stderr);
    let host = run(dir.path(), &["env", "list", "--json"]).objects();
    let host = host.iter().find(|v| v["name"] == "DB_HOST").unwrap();
    assert_eq!(host["value"], "sandbox.connect-console.localhost");

    let delivery = run(dir.path(), &["trigger", "asset_purchase_request_processing", "--wait", "--json"]).object();
    assert_eq!(delivery["result"], "success", "{delivery}");
    for (backend, collection) in [("data-api", "http_requests"), ("driver", "driver_requests")] {
        let filter = format!("{{id: {}}}", delivery["object_id"]);
        let found = run(dir.path(), &["store", "find", "--json", "--backend", backend, "--filter", &filter]);
        let found = found.objects();
        assert_eq!(found.len(), 1, "{backend}");
        assert_eq!((&found[0]["collection"], &found[0]["document"]["id"]), (&collection.into(), &delivery["object_id"]));
    }
    assert!(session.terminate().success());
}

/// Runs a program of `tests/python` with the sandbox's line as its input.
fn judged_by(python: &Path, script: &str) {
    judged(Command::new(python).arg(fixture(script)), &sandbox().access);
}

#[test]
fn pymongo_does_what_an_application_does_with_it() {
    let Some(python) = python() else { return };
    judged_by(&python, "judge_pymongo.py");
}

#[test]
fn the_hook_leads_mongodb_srv_of_the_sandboxs_own_name_to_it_and_no_other() {
    let Some(python) = python() else { return };
    let served = sandbox();
    let of_access = |name: &str| served.access[name].as_str().unwrap();
    let port = of_access("mongodb").split('@').nth(1).unwrap().split([':', '/']).nth(1).unwrap();
    let mut command = Command::new(&python);
    command
        .arg(fixture("judge_srv.py"))
        .env("PYTHONPATH", Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/guest/hooks"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("CONNECT_CONSOLE_HOOKS", "sandbox")
        .env("CONNECT_CONSOLE_SANDBOX_HOST", connect_console::sandbox::HOST)
        .env("CONNECT_CONSOLE_SANDBOX_PORT", port)
        .env("SSL_CERT_FILE", of_access("ca_file"));
    judged(&mut command, &served.access);
}

#[test]
fn motor_and_pymongos_own_asyncio_client_do_it_too() {
    let Some(python) = python() else { return };
    judged_by(&python, "judge_motor.py");
}
