//! The four verbs without a screen: through the built program, real sockets, and the JSON it prints.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test that fails is a test that panics

mod support;

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use serde_json::Value;
use support::{Running, program, run};

const PURCHASE: &str = "asset_purchase_request_processing";

fn session(data_dir: &Path) -> Running {
    let mut command = program(data_dir);
    command.args(["run", "--headless", "--json"]);
    let running = Running::start(command);
    running.until_connected();
    running
}

fn trigger(data_dir: &Path) -> Value {
    run(data_dir, &["trigger", PURCHASE, "--wait", "--json"]).object()
}

fn documents(data_dir: &Path, arguments: &[&str]) -> Vec<Value> {
    let found = run(data_dir, &[&["store", "find", "--json"], arguments].concat());
    assert_eq!(found.status, 0, "{}", found.stderr);
    found.objects()
}

#[test]
fn a_test_subscription_ends_up_in_both_collections() {
    let dir = tempfile::tempdir().unwrap();
    let delivery = trigger(dir.path());
    assert_eq!(delivery["result"], "success", "{delivery}");
    assert_eq!(delivery["event_type"], PURCHASE);
    assert_eq!(delivery["object_status"], "pending");
    let object = delivery["object_id"].as_str().unwrap();

    for backend in ["driver", "data-api"] {
        let filter = format!("{{id: '{object}'}}");
        let found = documents(dir.path(), &["--backend", backend, "--filter", &filter]);
        assert_eq!(found.len(), 1, "{backend}");
        assert_eq!(found[0]["document"]["asset"]["product"]["id"], "PRD-276-377-545");
    }

    let id = delivery["id"].to_string();
    let whole = run(dir.path(), &["events", "show", &id, "--json"]).object();
    let kinds: Vec<&str> = whole["observations"].as_array().unwrap().iter().map(|o| o["kind"].as_str().unwrap()).collect();
    for kind in ["task_arrived", "api_call", "object_fetched", "step_started", "answered", "result_sent"] {
        assert!(kinds.contains(&kind), "{kind} is missing in {kinds:?}");
    }
    let writes: Vec<&Value> = whole["observations"].as_array().unwrap().iter().filter(|o| o["kind"] == "store_call").collect();
    let through = |backend: &str, operation: &str| {
        writes.iter().any(|w| w["backend"] == backend && w["operation"] == operation && w["error"].is_null())
    };
    assert!(through("data-api", "insertOne") && through("driver", "insertOne"), "{writes:?}");
}

#[test]
fn log_lines_and_task_metrics_are_had_without_a_screen() {
    let dir = tempfile::tempdir().unwrap();
    for what in ["logs", "metrics"] {
        let nothing = run(dir.path(), &["events", what]);
        assert!(nothing.status == 0 && nothing.stdout.contains("connect-console trigger"), "{}", nothing.stdout);
    }
    let id = trigger(dir.path())["id"].clone();
    let lines = |arguments: &[&str]| run(dir.path(), &[&["events", "logs", "--json"], arguments].concat()).objects();
    let all = lines(&[]);
    let own = lines(&["--delivery", &id.to_string()]);
    assert!(!own.is_empty() && own.len() < all.len(), "{all:?}");
    assert!(own.iter().all(|line| line["delivery"] == id && line["message"].is_string()), "{own:?}");
    assert_eq!(lines(&["--limit", "1"]), all[all.len() - 1..]);
    let none = run(dir.path(), &["events", "logs", "--level", "error", "--filter", "nobody says this"]);
    assert_eq!(none.stdout, "No log line fits. `events logs` shows all.\n");
    let shown = run(dir.path(), &["events", "logs", "--delivery", &id.to_string()]).stdout;
    assert!(shown.contains(&format!("INFO    #{id} extension: ")), "{shown}");

    let spans = run(dir.path(), &["events", "metrics", "--json"]).objects();
    let names: Vec<&str> = spans.iter().map(|span| span["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["hour", "day", "week"]);
    let successes = spans[0]["buckets"].as_array().unwrap().iter().flat_map(|bucket| bucket["results"].as_array().unwrap());
    assert_eq!(successes.collect::<Vec<_>>(), [&serde_json::json!(["success", 1])]);
    let table = run(dir.path(), &["events", "metrics"]).stdout;
    assert!(table.lines().nth(1).unwrap().starts_with("hour"), "{table}");
}

#[test]
fn on_a_full_disk_capture_stops_and_says_so_the_runtime_goes_on_and_with_room_again_capture_does_too() {
    let dir = tempfile::tempdir().unwrap();
    let (data, said) = (dir.path().join("data"), dir.path().join("said"));
    let mut command = program(&data);
    command.args(["run", "--headless", "--json"]);
    let mut limited = support::on_a_small_disk(&command, 3_000);
    let session = Running::start({
        limited.stderr(std::fs::File::create(&said).unwrap());
        limited
    });
    session.until_connected();
    let is_said = |what: &str| std::fs::read_to_string(&said).unwrap().contains(what);

    // The journal sees an object several times, the stores save it once: its file is the one that reaches the limit.
    let note = format!("note={}", "x".repeat(100_000));
    let mut before = 0;
    let refused = loop {
        let ran = run(&data, &["trigger", PURCHASE, "--set", &note, "--wait", "--json"]);
        if ran.status != 0 {
            break ran;
        }
        before += 1;
        assert!(before < 200, "the limit does not hold");
    };
    assert!(before > 0 && refused.stderr.contains("capture stopped: "), "{before}: {}", refused.stderr);
    until("it is said", || is_said("capture stopped: "));

    let object = run(&data, &["trigger", PURCHASE, "--json"]).object()["object_id"].clone();
    let filter = format!("{{id: {object}}}");
    let saved = || documents(&data, &["--backend", "both", "--filter", &filter]).len();
    until("what is triggered now is handled as ever", || saved() == 2);

    let pid = session.child.id().to_string();
    assert!(Command::new("prlimit").args(["--pid", &pid, "--fsize=unlimited"]).status().unwrap().success());
    let captured = run(&data, &["trigger", PURCHASE, "--set", &note, "--wait", "--json"]).object();
    assert_eq!(captured["result"], "success");
    until("it is said", || is_said("capture goes on"));
    let lost = |seen: &Value| seen["message"].as_str().is_some_and(|line| line.contains("lost on the way to the disk"));
    session.until("the gap as a line of the log", |seen| seen["kind"] == "log" && lost(seen));
    assert!(session.terminate().success());
}

fn until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + support::DEADLINE;
    while !holds() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::yield_now();
    }
}

#[test]
fn an_applied_variable_is_used_by_the_next_delivery_without_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let session = session(dir.path());
    let staged = run(dir.path(), &["env", "set", "DRIVER_COLLECTION=elsewhere", "--json"]).object();
    assert_eq!((&staged["change"], &staged["to"]), (&"update".into(), &"elsewhere".into()));
    trigger(dir.path());
    assert!(documents(dir.path(), &["--collection", "elsewhere"]).is_empty(), "staged is not applied");

    let applied = run(dir.path(), &["env", "apply", "--json"]).object();
    assert_eq!(applied["message"], "Extension configuration has been updated.");
    session.until("the acknowledgement", |seen| {
        seen["kind"] == "configured" && seen["message"] == "Extension configuration has been updated."
    });
    let delivery = trigger(dir.path());
    let found = documents(dir.path(), &["--collection", "elsewhere"]);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["document"]["id"], delivery["object_id"]);
    assert!(session.terminate().success());
}

#[test]
fn a_replay_runs_the_same_object_again_and_says_what_it_is_a_replay_of() {
    let dir = tempfile::tempdir().unwrap();
    let session = session(dir.path());
    let first = trigger(dir.path());
    let id = first["id"].to_string();
    let again = run(dir.path(), &["replay", &id, "--wait", "--json"]).object();
    assert_eq!(again["replay_of"], first["id"]);
    assert_eq!(again["object_id"], first["object_id"]);
    assert_eq!(again["result"], "success");
    assert_eq!(again["attempt"], 2);
    drop(session);
}

#[test]
fn starting_again_shows_the_same_history_variables_and_documents() {
    let dir = tempfile::tempdir().unwrap();
    let session = session(dir.path());
    trigger(dir.path());
    run(dir.path(), &["env", "set", "MINE=value", "--apply"]);
    let look = || {
        let list = |arguments: &[&str]| run(dir.path(), arguments).objects();
        let mut variables = list(&["env", "list", "--json"]);
        // Where the sandbox is may change, when its port was taken meanwhile.
        variables.retain(|v| v["name"] != "DB_HOST" && v["name"] != "DATA_API_ENDPOINT");
        (list(&["events", "list", "--json"]), variables, documents(dir.path(), &["--backend", "both"]))
    };
    let before = look();
    assert!(before.1.iter().any(|v| v["name"] == "MINE" && v["value"] == "value"));
    assert!(session.terminate().success());
    assert_eq!(look(), before);
}

#[test]
fn the_run_ends_by_itself_when_nothing_is_left_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let ran = run(dir.path(), &["run", "--headless", "--until-idle", "--json"]);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    assert!(ran.objects().iter().any(|seen| seen["kind"] == "extension" && seen["name"] == "tutorial"));
}

#[test]
fn a_database_that_is_down_fails_the_task_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let session = session(dir.path());
    let host = run(dir.path(), &["env", "list", "--json"]).objects();
    let host = host.iter().find(|v| v["name"] == "DB_HOST").unwrap()["value"].as_str().unwrap().to_owned();
    assert_eq!(run(dir.path(), &["env", "set", "DB_HOST=127.0.0.1:9", "--apply"]).status, 0);
    let ran = run(dir.path(), &["trigger", PURCHASE, "--wait", "--json"]);
    assert_eq!(ran.status, 1, "{}", ran.stdout);
    let failed = &ran.objects()[0];
    assert_eq!(failed["result"], "retry");
    assert!(failed["message"].as_str().unwrap().contains("127.0.0.1:9"), "{failed}");

    run(dir.path(), &["env", "set", &format!("DB_HOST={host}"), "--apply"]);
    assert_eq!(trigger(dir.path())["result"], "success", "the runtime goes on");
    drop(session);
}

#[test]
fn a_secret_is_nowhere_in_the_journal_nor_printed_unasked() {
    let dir = tempfile::tempdir().unwrap();
    let session = session(dir.path());
    let secret = "correct-horse-battery-staple";
    run(dir.path(), &["env", "set", &format!("TOKEN={secret}"), "--secure", "--apply"]);
    run(dir.path(), &["trigger", PURCHASE, "--set", &format!("note=the token is {secret}"), "--wait"]);
    let list = run(dir.path(), &["env", "list", "--json"]);
    assert!(!list.stdout.contains(secret));
    assert!(run(dir.path(), &["env", "list", "--reveal", "--json"]).stdout.contains(secret));
    assert!(session.terminate().success());
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap().to_string_lossy().starts_with("journal") {
            let bytes = std::fs::read(&path).unwrap();
            assert!(!bytes.windows(secret.len()).any(|w| w == secret.as_bytes()), "{}", path.display());
        }
    }
}

#[rstest::rstest]
#[case::unknown_event_type(&["trigger", "asset_purchase_request"], "asset_purchase_request_processing")]
#[case::path_that_does_not_exist(&["trigger", PURCHASE, "--set", "asset.nowhere=1"], "nowhere")]
#[case::no_such_delivery(&["replay", "4711"], "4711")]
#[case::no_such_delivery_to_show(&["events", "show", "4711"], "4711")]
#[case::a_filter_that_is_none(&["store", "find", "--filter", "{id: }"], "filter")]
#[case::no_terminal(&[], "run --headless")]
#[case::remote_without_a_key(&["run", "--headless", "--remote"], "API_KEY")]
#[case::an_interpreter_for_a_built_in_one(&["env", "list", "--extension", "probe", "--python", "python3"], "./probe")]
#[case::a_name_connect_does_not_take(&["env", "set", "2FAST=x"], "2FAST")]
fn wrong_usage_is_one_sentence_on_stderr_and_status_2(#[case] arguments: &[&str], #[case] says: &str) {
    let dir = tempfile::tempdir().unwrap();
    let ran = run(dir.path(), arguments);
    assert_eq!(ran.status, 2, "{} {}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains(says), "{}", ran.stderr);
    assert_eq!(ran.stderr.trim_end().lines().count(), 1, "{}", ran.stderr);
    assert_eq!(ran.stdout, "");
}

#[test]
fn a_task_nobody_subscribes_to_is_kept_and_not_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let ran = run(dir.path(), &["trigger", "tier_account_update_request_processing", "--wait"]);
    assert_eq!(ran.status, 1, "{}", ran.stdout);
    assert!(ran.stderr.contains("subscribes to tier_account_update_request_processing"), "{}", ran.stderr);
    let events = run(dir.path(), &["run", "--headless", "--until-idle", "--extension", "probe", "--json"]).objects();
    assert!(events.iter().any(|seen| seen["kind"] == "answered" && seen["result"] == "success"), "it is delivered later");
}

#[test]
fn malformed_json_in_a_file_is_pointed_at() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("broken.json");
    std::fs::write(&file, "{\n  \"id\": oops\n}").unwrap();
    let ran = run(dir.path(), &["trigger", PURCHASE, "--file", file.to_str().unwrap()]);
    assert_eq!(ran.status, 2);
    assert!(ran.stderr.contains("broken.json") && ran.stderr.contains("line 2 column 9"), "{}", ran.stderr);
}

#[test]
fn a_data_directory_that_cannot_be_used_is_named_with_what_to_do() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let ran = run(&file.path().join("below"), &["events", "list"]);
    assert_eq!(ran.status, 0, "nothing was recorded there, and reading needs no directory: {}", ran.stderr);
    let ran = run(&file.path().join("below"), &["trigger", PURCHASE]);
    assert_eq!(ran.status, 2);
    assert!(ran.stderr.contains("--data-dir"), "{}", ran.stderr);
}

#[test]
fn a_journal_of_a_newer_version_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    trigger(dir.path());
    let journal = dir.path().join("journal.sqlite");
    rusqlite::Connection::open(&journal).unwrap().pragma_update(None, "user_version", 9_999).unwrap();
    let before = std::fs::read(&journal).unwrap();
    let ran = run(dir.path(), &["trigger", PURCHASE]);
    assert_eq!(ran.status, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("newer"), "{}", ran.stderr);
    assert_eq!(run(dir.path(), &["events", "list"]).status, 2, "reading it is refused in the same way");
    assert_eq!(std::fs::read(&journal).unwrap(), before);
}

#[test]
fn a_damaged_database_is_named_with_what_to_do() {
    for name in ["platform.sqlite", "sandbox.sqlite"] {
        let dir = tempfile::tempdir().unwrap();
        // Made here and not by a session: SQLite would repair it from a write-ahead log left beside it.
        std::fs::write(dir.path().join(name), [b'x'; 9000]).unwrap();
        let ran = run(dir.path(), &["trigger", PURCHASE]);
        assert_eq!(ran.status, 2, "{}", ran.stderr);
        assert!(ran.stderr.contains(name) && ran.stderr.contains("move it away"), "{}", ran.stderr);
    }
}

#[test]
fn the_doctor_has_a_row_for_every_database_also_where_one_is_damaged() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["platform.sqlite", "sandbox.sqlite"] {
        std::fs::write(dir.path().join(name), [b'x'; 9000]).unwrap();
    }
    let ran = run(dir.path(), &["doctor", "--json"]);
    assert_eq!(ran.status, 1, "{}", ran.stderr);
    let rows = ran.objects();
    for name in ["platform.sqlite", "sandbox.sqlite", "session"] {
        assert!(rows.iter().any(|row| row["what"] == name && row["ok"] == false), "{name} in {rows:?}");
    }
}

#[test]
fn what_waits_is_listed_released_and_comes_when_the_clock_is_put_forward() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = program(dir.path());
    command.args(["run", "--headless", "--json", "--extension", "probe"]);
    let session = Running::start(command);
    session.until_connected();
    let arguments = ["trigger", PURCHASE, "--set", "note=bench:reschedule:3600", "--wait", "--json"];
    let delivery = run(dir.path(), &arguments).object();
    assert_eq!((&delivery["result"], &delivery["countdown"]), (&"reschedule".into(), &3600.into()));
    let until_it_waits = || session.until("it waits", |seen| seen["kind"] == "redelivery_scheduled");
    until_it_waits();
    let waiting = || run(dir.path(), &["events", "waiting", "--json"]).object();
    assert_eq!((&waiting()["task_id"], &waiting()["object_id"]), (&delivery["task_id"], &delivery["object_id"]));
    let deliveries = || run(dir.path(), &["events", "list", "--json"]).objects().len();
    let forward = |by: &str| run(dir.path(), &["events", "forward", by]);
    let early = forward("30m");
    assert!(early.stderr.contains("nothing came due") && early.stdout.contains("29m"), "{} {}", early.stdout, early.stderr);
    assert_eq!(deliveries(), 1);
    let due = forward("31m");
    assert!(due.stderr.contains("1 came due"), "{}", due.stderr);
    until_it_waits();
    assert_eq!(deliveries(), 2, "it is answered again");
    let object = delivery["object_id"].as_str().unwrap();
    let released = run(dir.path(), &["events", "release", object]);
    assert_eq!(released.status, 0, "{}", released.stderr);
    assert!(released.stderr.contains("is delivered now"), "{}", released.stderr);
    until_it_waits();
    assert_eq!(deliveries(), 3, "and again");
    let again = run(dir.path(), &["replay", &delivery["id"].to_string(), "--json"]);
    assert!(again.stderr.contains("is not done either: it is delivered again, too, in 3"), "{}", again.stderr);
    let unknown = run(dir.path(), &["events", "release", "TQ-0"]);
    assert_eq!(unknown.status, 2);
    assert!(unknown.stderr.contains("`events waiting` shows what does"), "{}", unknown.stderr);
    assert!(session.terminate().success());
}

#[test]
fn the_clock_is_put_forward_where_no_session_runs_too() {
    let dir = tempfile::tempdir().unwrap();
    let probe = |arguments: &[&str]| run(dir.path(), &[arguments, &["--extension", "probe"]].concat());
    let first = probe(&["trigger", PURCHASE, "--set", "note=bench:reschedule:3600", "--wait", "--json"]).object();
    let due = probe(&["events", "forward", "2h", "--json"]);
    assert_eq!(due.status, 0, "{}", due.stderr);
    assert_eq!(due.object()["task_id"], first["task_id"], "it is rescheduled again");
    assert_eq!(probe(&["events", "list", "--json"]).objects().len(), 2);
}

#[test]
fn an_event_type_that_is_nearly_right_is_suggested_and_a_file_may_begin_with_a_byte_order_mark() {
    let dir = tempfile::tempdir().unwrap();
    let ran = run(dir.path(), &["trigger", "asset_purchase_request_procesing"]);
    assert_eq!(ran.status, 2);
    assert!(ran.stderr.contains("did you mean asset_purchase_request_processing?"), "{}", ran.stderr);
    let file = dir.path().join("request.json");
    std::fs::write(&file, "\u{feff}{\"id\": \"PR-1\", \"status\": \"pending\", \"type\": \"purchase\"}").unwrap();
    let file = file.to_str().unwrap();
    let ran = run(dir.path(), &["trigger", PURCHASE, "--file", file, "--extension", "probe", "--json"]).object();
    assert_eq!(ran["result"], "success");
}

#[test]
fn a_value_in_the_place_of_a_name_is_answered_with_the_form_to_use() {
    let dir = tempfile::tempdir().unwrap();
    let ran = run(dir.path(), &["env", "set", "DB", "other"]);
    assert_eq!(ran.status, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("DB=VALUE"), "{}", ran.stderr);
}

#[test]
fn a_port_that_is_taken_is_replaced_and_said() {
    let dir = tempfile::tempdir().unwrap();
    // Whoever else holds it, this test or a console somewhere: it is taken.
    let _held = std::net::TcpListener::bind(("127.0.0.1", 27_411));
    let ran = run(dir.path(), &["run", "--headless", "--until-idle", "--json"]);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("port 27411 was taken: mongodb is at 127.0.0.1:"), "{}", ran.stderr);
}
