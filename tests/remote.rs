//! `run --headless --remote`: the runtime attached to a Connect that runs elsewhere, as the official runner does it; and
//! `platform`, that Connect alone, with an extension started elsewhere.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test that fails is a test that panics

mod support;

use std::sync::Arc;

use connect_console::observe::Memory;
use connect_console::platform::{Platform, PlatformOptions};
use support::{Running, before_connect, program, run};

#[tokio::test(flavor = "multi_thread")]
async fn the_runtime_serves_the_connect_its_environment_names() {
    let (there, here) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let options = PlatformOptions { dir: there.path().to_owned(), port: 0, ..PlatformOptions::default() };
    let platform = Platform::start(options, Arc::new(Memory::default())).await.unwrap();
    let access = platform.access();
    let running = Running::start(before_connect(here.path(), access));
    tokio::task::block_in_place(|| running.until_connected());
    let set = [("note".to_owned(), "bench:fail".to_owned())];
    let queued = platform.trigger("asset_purchase_request_processing", None, &set).await.unwrap();
    let answered = tokio::task::block_in_place(|| running.until("the answer", |seen| seen["kind"] == "answered"));
    assert_eq!((&answered["result"], &answered["message"]), (&"fail".into(), &"bench says no".into()));
    let sent = tokio::task::block_in_place(|| running.until("the result", |seen| seen["kind"] == "result_sent"));
    assert_eq!(sent["task_id"], queued.task_id);
    // It stores nothing, and nothing is wrong with that.
    let examined = tokio::task::block_in_place(|| run(here.path(), &["doctor"]));
    assert_eq!(examined.status, 0, "{}", examined.stdout);
    assert!(examined.stdout.contains("not used: there is no variable DB_HOST"), "{}", examined.stdout);
    assert!(tokio::task::block_in_place(|| running.terminate()).success());
    platform.stop().await;
}

/// The local Connect alone, with what it says in its first line.
fn platform(dir: &std::path::Path) -> (Running, serde_json::Value) {
    let mut command = program(dir);
    command.args(["platform", "--port", "0", "--tls-port", "0"]);
    let running = Running::start(command);
    let access = running.until("where it is", |_| true);
    (running, access)
}

/// A runner started elsewhere.
fn runner(here: &std::path::Path, access: &serde_json::Value) -> Running {
    let mut command = program(here);
    command.args(["run", "--headless", "--remote", "--unsecure", "--extension", "probe", "--json"]);
    for (name, value) in access["env"].as_object().unwrap() {
        command.env(name, value.as_str().unwrap());
    }
    // Our runtime takes both without TLS.
    command.env("API_ADDRESS", access["api_address"].as_str().unwrap());
    let runner = Running::start(command);
    runner.until_connected();
    runner
}

#[test]
fn a_task_whose_runner_was_killed_says_that_it_waits_for_one_and_goes_out_again_when_one_comes_after_a_restart() {
    let (there, here) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (connect, access) = platform(there.path());
    let purchase = "asset_purchase_request_processing";
    let nobody = run(there.path(), &["trigger", purchase, "--wait", "--timeout", "1"]);
    assert!(nobody.status == 1 && nobody.stderr.contains("no runner has taken it yet"), "{}", nobody.stderr);

    let mut first = runner(here.path(), &access);
    let set = "note=bench:hang";
    let object = run(there.path(), &["trigger", purchase, "--set", set, "--json"]).object()["object_id"].clone();
    first.until("the task", |seen| seen["kind"] == "task_arrived" && seen["object_id"] == object);
    let deliveries = || run(there.path(), &["events", "list", "--object", object.as_str().unwrap(), "--json"]).objects();
    let until = |what: &str, wanted: &[&str]| {
        let deadline = std::time::Instant::now() + support::DEADLINE;
        loop {
            let states: Vec<String> = deliveries().iter().map(|row| row["state"].as_str().unwrap().to_owned()).collect();
            if states == wanted {
                return;
            }
            assert!(std::time::Instant::now() < deadline, "{what}: {states:?}");
        }
    };
    until("it is handled", &["running"]);
    first.kill();
    until("its runner is gone", &["no_runner"]);
    let table = run(there.path(), &["events", "list", "--filter", "result=no_runner"]).stdout;
    assert!(table.contains("no runner"), "{table}");

    assert!(connect.terminate().success());
    until("nobody runs anything", &["interrupted"]);
    let (_connect, access) = platform(there.path());
    until("it still waits", &["no_runner"]);
    let _second = runner(here.path(), &access);
    until("it runs again", &["interrupted", "running"]);
    let told = run(there.path(), &["events", "show", &deliveries()[0]["id"].to_string()]).stdout;
    assert!(told.contains("no runner: the runner") && told.contains("the task is delivered again"), "{told}");
}

#[test]
fn the_local_connect_alone_is_where_it_was_and_tells_of_its_authority_for_whoever_is_elsewhere() {
    let here = tempfile::tempdir().unwrap();
    let started = |ports: &[&str]| {
        let mut command = program(std::path::Path::new("data"));
        command.current_dir(here.path()).arg("platform").args(ports);
        let running = Running::start(command);
        let access = running.until("where it is", |_| true);
        (running, access)
    };
    let (first, before) = started(&["--port", "0", "--tls-port", "0"]);
    let ca_file = here.path().canonicalize().unwrap().join("data/authority/ca.pem");
    assert_eq!(before["env"]["SSL_CERT_FILE"], ca_file.to_str().unwrap());
    assert!(first.terminate().success());
    let (again, now) = started(&[]);
    assert_eq!((&now["server_address"], &now["tls_address"]), (&before["server_address"], &before["tls_address"]));
    assert!(again.terminate().success());
}

#[test]
fn the_local_connect_alone_takes_the_commands_of_the_command_line_for_a_runner_started_elsewhere() {
    let (there, here) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (connect, access) = platform(there.path());
    let runner = runner(here.path(), &access);
    let purchase = "asset_purchase_request_processing";
    let trigger = |note: &str| {
        let set = format!("note=bench:{note}");
        run(there.path(), &["trigger", purchase, "--set", &set, "--wait", "--json"]).objects().remove(0)
    };
    assert_eq!(trigger("fail")["message"], "bench says no");
    let again = trigger("reschedule:60");
    assert_eq!((&again["result"], &again["countdown"]), (&"reschedule".into(), &60.into()));
    let arrives = |seen: &serde_json::Value| seen["kind"] == "task_arrived" && seen["object_id"] == again["object_id"];
    let first = runner.until("its first delivery", arrives)["delivery"].clone();
    let waiting = run(there.path(), &["events", "waiting", "--json"]).object();
    assert_eq!(waiting["object_id"], again["object_id"]);
    assert_eq!(run(there.path(), &["events", "forward", "2m"]).status, 0);
    assert_ne!(runner.until("its second delivery", arrives)["delivery"], first);

    let set = run(there.path(), &["env", "set", "PLAIN_VAR=next", "--apply"]);
    assert_eq!(set.status, 0, "{}", set.stderr);
    assert!(trigger("config")["message"].as_str().unwrap().contains(r#""PLAIN_VAR":"next""#));
    let sandbox = run(there.path(), &["env", "set", "--sandbox"]);
    assert_eq!(sandbox.status, 2);
    assert!(sandbox.stderr.contains("only the local Connect runs here"), "{}", sandbox.stderr);

    let second = program(there.path()).args(["platform", "--port", "0"]).output().unwrap();
    assert_eq!(second.status.code(), Some(2));
    assert!(String::from_utf8(second.stderr).unwrap().contains("a session runs in"));
    assert!(runner.terminate().success() && connect.terminate().success());
}
