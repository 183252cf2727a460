//! Deliveries run again in every way there is, cases, saved events and scenarios: through the built program.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test that fails is a test that panics

mod support;

use std::path::Path;

use serde_json::{Value, json};
use support::{Running, program, run};

const PURCHASE: &str = "asset_purchase_request_processing";

fn session(data_dir: &Path, extension: &str) -> Running {
    let mut command = program(data_dir);
    command.args(["run", "--headless", "--json", "--extension", extension]);
    let running = Running::start(command);
    running.until_connected();
    running
}

fn trigger(data_dir: &Path, note: &str) -> Value {
    let ran = run(data_dir, &["trigger", PURCHASE, "--set", &format!("note={note}"), "--wait", "--json"]);
    ran.objects().remove(0)
}

fn id(delivery: &Value) -> String {
    delivery["id"].to_string()
}

fn documents(data_dir: &Path) -> usize {
    run(data_dir, &["store", "find", "--backend", "both", "--json"]).objects().len()
}

/// The collections of the database that are left of shadow replays.
fn shadow_collections(data_dir: &Path) -> String {
    let listed = run(data_dir, &["store", "collections"]);
    assert_eq!(listed.status, 0, "{}", listed.stderr);
    assert!(listed.stdout.contains("driver_requests"), "{}", listed.stdout);
    listed.stdout.lines().filter(|line| line.contains("__shadow_")).collect()
}

fn variable(data_dir: &Path, name: &str) -> Value {
    let all = run(data_dir, &["env", "list", "--json"]).objects();
    all.into_iter().find(|v| v["name"] == name).unwrap()["value"].clone()
}

#[test]
fn a_replay_with_another_variable_uses_it_for_that_run_only() {
    let dir = tempfile::tempdir().unwrap();
    let session = session(dir.path(), "probe");
    let first = trigger(dir.path(), "bench:config");
    assert!(first["message"].as_str().unwrap().contains("plain-default"), "{first}");
    let ran = run(dir.path(), &["replay", &id(&first), "--var", "PLAIN_VAR=lent", "--json"]);
    let again = ran.objects().remove(0);
    assert!(again["message"].as_str().unwrap().contains("lent"), "{again}\n{}", ran.stderr);
    assert_eq!((&again["replay_of"], &again["marks"]), (&first["id"], &json!(["variables"])));
    assert_eq!(variable(dir.path(), "PLAIN_VAR"), "plain-default", "nothing was stored");
    let after = trigger(dir.path(), "bench:config");
    assert!(after["message"].as_str().unwrap().contains("plain-default"), "{after}");
    // The values a delivery ran with are part of its capture.
    let text = run(dir.path(), &["events", "export", &id(&again), "--to", "-"]).stdout;
    let exported: Value = serde_json::from_str(&text).unwrap();
    let ran_with = exported["variables"].as_array().unwrap().iter().find(|v| v["name"] == "PLAIN_VAR").unwrap();
    assert_eq!(ran_with["value"], "lent");
    drop(session);
}

#[test]
fn an_edited_replay_keeps_the_original_and_says_that_it_was_edited() {
    let dir = tempfile::tempdir().unwrap();
    let session = session(dir.path(), "probe");
    let first = trigger(dir.path(), "bench:success");
    let ran = run(dir.path(), &["replay", &id(&first), "--set", "note=bench:fail", "--wait", "--json"]);
    let edited = &ran.objects()[0];
    assert_eq!((ran.status, &edited["result"], &edited["marks"]), (1, &"fail".into(), &json!(["edited"])));
    let wrong = run(dir.path(), &["replay", &id(&first), "--set", "asset.nowhere=1"]);
    assert_eq!(wrong.status, 2);
    assert!(wrong.stderr.contains("there is no `nowhere`"), "{}", wrong.stderr);
    let thrice = run(dir.path(), &["replay", "--filter", "result=success !is=replay", "--times", "3", "--json"]).objects();
    assert_eq!(thrice.len(), 3);
    assert!(thrice.iter().all(|row| row["replay_of"] == first["id"] && row["result"] == "success"), "{thrice:?}");
    // The same in the developer's editor.
    let mut command = program(dir.path());
    command.env("EDITOR", "sed -i s/bench:success/bench:skip/").args(["replay", &id(&first), "--edit", "--wait", "--json"]);
    let output = command.output().unwrap();
    let edited: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&edited["result"], &edited["marks"]), (&"skip".into(), &json!(["edited"])));
    drop(session);
}

#[test]
fn a_hermetic_replay_gets_the_recorded_answers_and_refuses_what_was_not_recorded() {
    let dir = tempfile::tempdir().unwrap();
    let session = session(dir.path(), "probe");
    // It approves the request over the API: afterwards the real one has moved on.
    let first = trigger(dir.path(), "bench:rest");
    assert_eq!(first["result"], "success", "{first}");
    let hermetic = run(dir.path(), &["replay", &id(&first), "--hermetic", "--diff", "--json"]);
    assert_eq!(hermetic.status, 0, "{}\n{}", hermetic.stdout, hermetic.stderr);
    let (row, compared) = (&hermetic.objects()[0], &hermetic.objects()[1]);
    assert_eq!(
        (&row["result"], &row["object_status"], &row["marks"]),
        (&"success".into(), &"pending".into(), &json!(["hermetic"]))
    );
    assert_eq!(compared["differences"], json!([]));
    // Edited to do what it did not do then: the call is refused, and said.
    let quiet = trigger(dir.path(), "bench:success");
    let refused = run(dir.path(), &["replay", &id(&quiet), "--hermetic", "--set", "note=bench:rest"]);
    assert_eq!(refused.status, 1, "{}", refused.stdout);
    assert!(refused.stderr.contains(&format!("not recorded in delivery {}: GET products/", id(&quiet))), "{}", refused.stderr);
    let allowed =
        run(dir.path(), &["replay", &id(&quiet), "--hermetic", "--allow-unrecorded", "--set", "note=bench:rest", "--json"]);
    assert_eq!((allowed.status, &allowed.objects()[0]["result"]), (0, &"success".into()), "{}", allowed.stderr);
    drop(session);
}

#[test]
fn a_shadow_replay_writes_elsewhere_and_shows_what_is_different() {
    let dir = tempfile::tempdir().unwrap();
    let session = session(dir.path(), "tutorial");
    let first = run(dir.path(), &["trigger", PURCHASE, "--wait", "--json"]).object();
    assert_eq!(documents(dir.path()), 2);
    let same = run(dir.path(), &["replay", &id(&first), "--shadow"]);
    assert_eq!(same.status, 0, "{}\n{}", same.stdout, same.stderr);
    assert!(same.stdout.contains("no difference"), "{}", same.stdout);
    assert_eq!(documents(dir.path()), 2, "the collections are as they were");
    assert_eq!(variable(dir.path(), "DRIVER_COLLECTION"), "driver_requests");
    assert_eq!(shadow_collections(dir.path()), "", "nothing of it is left");

    // Nor of one that nobody waits for.
    let late = run(dir.path(), &["replay", &id(&first), "--shadow", "--timeout", "0"]);
    // It may be answered in no time.
    assert!(late.status == 0 || late.stderr.contains("not answered within 0 s"), "{}", late.stderr);
    assert_eq!(shadow_collections(dir.path()), "");

    let other = run(dir.path(), &["replay", &id(&first), "--shadow", "--set", "note=another note", "--json"]);
    assert_eq!(other.status, 1, "{}", other.stderr);
    let compared = &other.objects()[1];
    let paths: Vec<&str> = compared["differences"].as_array().unwrap().iter().map(|d| d["path"].as_str().unwrap()).collect();
    assert!(paths.iter().any(|p| p.starts_with("writes.") && p.ends_with(".note")), "{paths:?}");
    assert!(paths.iter().any(|p| p.starts_with("documents.") && p.ends_with(".note")), "{paths:?}");
    assert_eq!(documents(dir.path()), 2);
    drop(session);
}

#[test]
fn a_selection_is_run_and_told_to_its_end_whatever_happens_to_one_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let session = session(dir.path(), "probe");
    let (first, last) = (trigger(dir.path(), "bench:success"), trigger(dir.path(), "bench:skip"));
    let ran = run(dir.path(), &["replay", &id(&first), "4711", &id(&last), "--wait", "--json"]);
    assert_eq!(ran.status, 1, "{}", ran.stderr);
    let of: Vec<Value> = ran.objects().iter().map(|row| row["replay_of"].clone()).collect();
    assert_eq!(of, [first["id"].clone(), last["id"].clone()]);
    assert!(ran.stderr.contains("delivery 4711: there is no delivery 4711"), "{}", ran.stderr);
    drop(session);
}

#[test]
fn a_variable_nobody_has_and_no_times_at_all_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let session = session(dir.path(), "probe");
    let first = trigger(dir.path(), "bench:config");
    let mistyped = run(dir.path(), &["replay", &id(&first), "--var", "PLAIN_VRA=x"]);
    assert_eq!(mistyped.status, 2);
    assert!(mistyped.stderr.contains("no variable PLAIN_VRA") && mistyped.stderr.contains("PLAIN_VAR"), "{}", mistyped.stderr);
    assert_eq!(run(dir.path(), &["replay", &id(&first), "--times", "0"]).status, 2);
    assert_eq!(run(dir.path(), &["events", "list", "--json"]).objects().len(), 1, "nothing was run");
    drop(session);
}

#[test]
fn a_saved_event_keeps_no_secret_and_gets_it_back() {
    let dir = tempfile::tempdir().unwrap();
    let session = session(dir.path(), "tutorial");
    let set = run(dir.path(), &["env", "set", "TOKEN=hunter2-and-more", "--secure", "--apply"]);
    assert_eq!(set.status, 0, "{}", set.stderr);
    let note = "note=it is hunter2-and-more";
    run(dir.path(), &["trigger", PURCHASE, "--set", note, "--save", "secret", "--wait", "--json"]).object();
    let file = std::fs::read_to_string(dir.path().join("events/secret.json")).unwrap();
    assert!(!file.contains("hunter2") && file.contains("«secret:TOKEN»"), "{file}");
    run(dir.path(), &["trigger", "@secret", "--wait", "--json"]).object();
    let stored = run(dir.path(), &["store", "find", "--backend", "driver", "--json"]).stdout;
    assert_eq!(stored.matches("it is hunter2-and-more").count(), 2, "the extension got the same twice: {stored}");
    drop(session);
}

#[test]
fn delivering_twice_shows_what_happened_twice() {
    let dir = tempfile::tempdir().unwrap();
    let session = session(dir.path(), "tutorial");
    let first = run(dir.path(), &["trigger", PURCHASE, "--wait", "--json"]).object();
    let ran = run(dir.path(), &["replay", &id(&first), "--twice", "--json"]);
    assert_eq!(ran.status, 1, "the documentation's own example inserts a new document each time: {}", ran.stderr);
    let repeated = ran.objects()[0]["repeated"].as_array().unwrap().clone();
    assert_eq!(repeated.len(), 2, "{repeated:?}");
    assert!(repeated.iter().all(|line| line.as_str().unwrap().contains("2 documents with the id PR-")), "{repeated:?}");
    assert_eq!(shadow_collections(dir.path()), "");
    let shadows = run(dir.path(), &["events", "list", "--filter", "is=shadow !is=variables", "--json"]).objects();
    assert_eq!(shadows.len(), 2, "both went into the shadow: {shadows:?}");
    assert_eq!(documents(dir.path()), 2);
    drop(session);
}

#[test]
fn a_case_passes_as_long_as_the_extension_does_the_same_and_fails_with_a_readable_difference() {
    let dir = tempfile::tempdir().unwrap();
    let case = dir.path().join("cases/shop/purchase");
    let data = dir.path().join("data");
    let first = run(&data, &["trigger", PURCHASE, "--wait", "--json"]).object();
    let saved = run(&data, &["case", "save", &id(&first), "--to", case.to_str().unwrap()]);
    assert_eq!(saved.status, 0, "{}", saved.stderr);
    let twice = run(&data, &["case", "save", &id(&first), "--to", case.to_str().unwrap()]);
    assert!(twice.status == 2 && twice.stderr.contains("--force"), "{}", twice.stderr);

    let cases = dir.path().join("cases");
    let elsewhere = dir.path().join("elsewhere");
    let passed = run(&elsewhere, &["case", "run", cases.to_str().unwrap()]);
    assert_eq!(passed.status, 0, "{}\n{}", passed.stdout, passed.stderr);
    assert!(passed.stdout.contains("ok      shop/purchase"), "{}", passed.stdout);
    assert!(!elsewhere.join("journal.sqlite").exists(), "a case touches nothing of the developer's");

    // Something else is expected, as if the extension had changed since.
    let file = case.join("expected.json");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("\"success\"", "\"fail\"")).unwrap();
    let report = dir.path().join("junit.xml");
    let failed = run(&elsewhere, &["case", "run", cases.to_str().unwrap(), "--junit", report.to_str().unwrap()]);
    assert_eq!(failed.status, 1, "{}", failed.stderr);
    assert!(failed.stdout.contains("~ result: \"fail\" -> \"success\""), "{}", failed.stdout);
    let xml = std::fs::read_to_string(&report).unwrap();
    assert!(xml.contains("failures=\"1\"") && xml.contains("<failure message=\"~ result:"), "{xml}");

    // One that can't be read is an error of its own, and in nobody's way.
    std::fs::write(&file, text).unwrap();
    let broken = cases.join("broken");
    std::fs::create_dir(&broken).unwrap();
    std::fs::copy(case.join("capture.json"), broken.join("capture.json")).unwrap();
    std::fs::write(broken.join("expected.json"), "{\n  \"outcome\": {\"countdown\": \"soon\"}\n}").unwrap();
    let ran = run(&elsewhere, &["case", "run", cases.to_str().unwrap(), "--junit", report.to_str().unwrap()]);
    assert_eq!(ran.status, 1, "{}", ran.stderr);
    assert!(ran.stdout.contains("ERROR   broken") && ran.stdout.contains("`outcome`"), "{}", ran.stdout);
    assert!(ran.stdout.contains("ok      shop/purchase"), "{}", ran.stdout);
    assert!(ran.stdout.contains("2 cases, 0 failed, 1 could not be run"), "{}", ran.stdout);
    let xml = std::fs::read_to_string(&report).unwrap();
    assert!(xml.contains("failures=\"0\" errors=\"1\"") && xml.contains("expected.json: the field `outcome`"), "{xml}");
}

#[test]
fn cases_that_are_told_to_stop_leave_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let (data, case, places) = (dir.path().join("data"), dir.path().join("case"), dir.path().join("tmp"));
    let first = run(&data, &["trigger", PURCHASE, "--extension", "probe", "--set", "note=bench:success", "--wait", "--json"]);
    let saved = run(&data, &["case", "save", &id(&first.object()), "--to", case.to_str().unwrap()]);
    assert_eq!(saved.status, 0, "{}", saved.stderr);
    let file = case.join("capture.json");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("bench:success", "bench:hang")).unwrap();
    std::fs::create_dir(&places).unwrap();
    let mut command = program(&data);
    command.env("TMPDIR", &places).args(["case", "run", case.to_str().unwrap(), "--extension", "probe"]);
    let running = Running::start(command);
    let deadline = std::time::Instant::now() + support::DEADLINE;
    while std::fs::read_dir(&places).unwrap().next().is_none() {
        assert!(std::time::Instant::now() < deadline, "it never began");
        std::thread::yield_now();
    }
    assert_eq!(running.terminate().code(), Some(1));
    assert!(std::fs::read_dir(&places).unwrap().next().is_none(), "its directory is gone");
}

#[test]
fn a_capture_goes_into_a_file_and_comes_back_whole_and_a_broken_file_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (here, there) = (dir.path().join("here"), dir.path().join("there"));
    let first = run(&here, &["trigger", PURCHASE, "--wait", "--json"]).object();
    let file = dir.path().join("capture.json");
    let exported = run(&here, &["events", "export", &id(&first), "--to", file.to_str().unwrap()]);
    assert_eq!(exported.status, 0, "{}", exported.stderr);
    let text = std::fs::read_to_string(&file).unwrap();
    for held in
        ["\"event_definitions\"", "\"task_arrived\"", "\"object_fetched\"", "\"api_call\"", "DRIVER_COLLECTION", "«secret:"]
    {
        assert!(text.contains(held) || held == "\"event_definitions\"", "{held} is missing");
    }
    let over = run(&here, &["events", "export", &id(&first), "--to", file.to_str().unwrap()]);
    assert!(over.status == 2 && over.stderr.contains("--force"), "what is there is not written over: {}", over.stderr);
    let made = format!("{}/made/", dir.path().display());
    let exported = run(&here, &["events", "export", &id(&first), "--to", &made]);
    assert!(exported.status == 0 && Path::new(&made).is_dir(), "{}", exported.stderr);
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["extension"]["name"], "tutorial");
    assert!(value["extension"]["declared"]["event_subscriptions"].is_object(), "{}", value["extension"]);

    let imported = run(&there, &["events", "import", file.to_str().unwrap(), "--json"]).object();
    assert_eq!(imported["delivery"], 1);
    let row = run(&there, &["events", "list", "--json"]).object();
    assert_eq!(
        (&row["object_id"], &row["result"], &row["marks"]),
        (&first["object_id"], &"success".into(), &json!(["imported"]))
    );
    assert_eq!(row["origin"], "trigger", "it came there as it came here");
    let again = run(&there, &["replay", "1", "--hermetic", "--json"]);
    assert_eq!(again.status, 0, "it runs where it never happened: {}", again.stderr);

    for (broken, says) in [
        (text.replacen("\"step\": 1", "\"step\": \"one\"", 1), "observations["),
        (text.replacen("\"result\": \"success\",\n      \"", "\"result\": \"exploded\",\n      \"", 1), "is no result"),
        (text.replacen("\n  \"variables\"", "\n  \"variable\"", 1), "`variables` is missing"),
        (text.chars().take(500).collect(), "is not JSON"),
        ("[1, 2]".into(), "is no exported capture"),
    ] {
        std::fs::write(&file, broken).unwrap();
        let ran = run(&there, &["events", "import", file.to_str().unwrap()]);
        assert_eq!(ran.status, 2, "{}", ran.stdout);
        assert!(ran.stderr.contains(says) && ran.stderr.contains("nothing was changed"), "{says}: {}", ran.stderr);
    }
    assert_eq!(run(&there, &["events", "list", "--json"]).objects().len(), 2);
}

#[test]
fn an_empty_file_in_the_place_of_the_journal_is_no_obstacle() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("journal.sqlite"), "").unwrap();
    assert!(run(dir.path(), &["events", "list"]).stdout.contains("No deliveries."));
    let ran = run(dir.path(), &["run", "--headless", "--until-idle"]);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
}

#[test]
fn pins_and_retention_are_set_and_shown() {
    let dir = tempfile::tempdir().unwrap();
    let first = run(dir.path(), &["trigger", PURCHASE, "--wait", "--json"]).object();
    let pinned = run(dir.path(), &["events", "pin", &id(&first), "--json"]).object();
    assert_eq!((&pinned["pinned"], &pinned["deliveries"]), (&json!(1), &json!(1)));
    assert_eq!(run(dir.path(), &["events", "list", "--filter", "is=pinned", "--json"]).objects().len(), 1);
    let kept = run(dir.path(), &["events", "retention", "--size", "500MiB", "--age", "30d", "--json"]).object();
    assert_eq!(kept["retention"], json!({"bytes": 500 << 20, "seconds": 30 * 86_400}));
    let shown = run(dir.path(), &["events", "retention"]);
    assert!(shown.stdout.contains("of 500 MiB") && shown.stdout.contains("1 of them pinned"), "{}", shown.stdout);
    let hours = run(dir.path(), &["events", "retention", "--age", "12h"]);
    assert!(hours.stdout.contains("12 hours at most"), "{}", hours.stdout);
    let nothing = run(dir.path(), &["events", "retention", "--size", "1"]);
    assert!(nothing.status == 2 && nothing.stderr.contains("1MiB"), "{}", nothing.stderr);
    let misspelt = run(dir.path(), &["events", "list", "--filter", "reslt=fail"]);
    assert!(misspelt.stdout.contains("`reslt` was looked for in the objects"), "{}", misspelt.stdout);
    // What is pinned there is pinned here.
    let (file, there) = (dir.path().join("pinned.json"), dir.path().join("there"));
    run(dir.path(), &["events", "export", &id(&first), "--to", file.to_str().unwrap()]);
    let imported = run(&there, &["events", "import", file.to_str().unwrap()]);
    assert_eq!(imported.status, 0, "{}", imported.stderr);
    assert_eq!(run(&there, &["events", "list", "--filter", "is=pinned is=imported", "--json"]).objects().len(), 1);
    let missing = run(dir.path(), &["events", "pin", "4711"]);
    assert!(missing.status == 2 && missing.stderr.contains("4711"), "{}", missing.stderr);
}

#[test]
fn an_event_is_remembered_by_a_name_and_a_delivery_serves_as_a_template() {
    let dir = tempfile::tempdir().unwrap();
    let session = session(dir.path(), "probe");
    let arguments = ["trigger", PURCHASE, "--set", "note=bench:skip", "--save", "skipping", "--wait", "--json"];
    let saved = run(dir.path(), &arguments).object();
    let again = run(dir.path(), &["trigger", "@skipping", "--wait", "--json"]).object();
    assert_eq!(again["result"], "skip");
    assert_ne!(again["object_id"], saved["object_id"], "a new object");
    let like = run(dir.path(), &["trigger", &format!("#{}", id(&saved)), "--wait", "--json"]).object();
    assert_eq!((&like["result"], &like["replay_of"]), (&"skip".into(), &Value::Null));
    assert_ne!(like["object_id"], saved["object_id"]);
    // What can't be triggered is not remembered, and takes nobody's name.
    let broken = run(dir.path(), &["trigger", PURCHASE, "--set", "nope.x=1", "--save", "skipping"]);
    assert_eq!(broken.status, 2, "{}", broken.stderr);
    assert_eq!(run(dir.path(), &["trigger", "@skipping", "--wait", "--json"]).object()["result"], "skip");
    let unknown = run(dir.path(), &["trigger", "@nobody"]);
    assert!(unknown.status == 2 && unknown.stderr.contains("@skipping"), "{}", unknown.stderr);
    drop(session);
}

#[test]
fn a_scenario_drives_a_request_through_its_life() {
    let dir = tempfile::tempdir().unwrap();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/scenarios/subscription.jsonl");
    let ran = run(dir.path(), &["scenario", "run", file.to_str().unwrap(), "--extension", "probe", "--json"]);
    assert_eq!(ran.status, 0, "{}\n{}", ran.stdout, ran.stderr);
    let types: Vec<String> = ran.objects().iter().map(|row| row["event_type"].as_str().unwrap().to_owned()).collect();
    for event_type in [PURCHASE, "asset_change_request_processing", "asset_cancel_request_processing"] {
        assert!(types.iter().any(|t| t == event_type), "{event_type} is missing in {types:?}");
    }
    let broken = dir.path().join("broken.jsonl");
    std::fs::write(&broken, "{\"trigger\": \"asset_purchase_request_processing\", \"expect\": \"fail\", \"as\": \"p\"}\n")
        .unwrap();
    let ran = run(dir.path(), &["scenario", "run", broken.to_str().unwrap(), "--extension", "probe"]);
    assert_eq!(ran.status, 1);
    assert!(ran.stderr.contains("line 1: `fail` was expected and `success` came"), "{}", ran.stderr);
}

#[rstest::rstest]
#[case("result=faild", "there is no result `faild`", "result= --> faild")]
#[case("asset..id=3", "is no path", " --> asset..id=3")]
fn a_filter_that_can_not_be_read_is_pointed_at(#[case] filter: &str, #[case] says: &str, #[case] at: &str) {
    let dir = tempfile::tempdir().unwrap();
    let ran = run(dir.path(), &["events", "list", "--filter", filter]);
    assert_eq!(ran.status, 2);
    assert!(ran.stderr.contains(says) && ran.stderr.contains(at), "{}", ran.stderr);
}

#[test]
fn what_a_killed_session_was_doing_is_interrupted_for_a_reader() {
    let dir = tempfile::tempdir().unwrap();
    let mut session = session(dir.path(), "probe");
    let queued = run(dir.path(), &["trigger", PURCHASE, "--set", "note=bench:hang", "--json"]).object();
    session.until("the delivery", |seen| seen["kind"] == "step_started");
    assert!(queued["task_id"].is_string());
    session.child.kill().unwrap();
    session.child.wait().unwrap();
    let row = run(dir.path(), &["events", "list", "--json"]).object();
    assert_eq!(row["state"], "interrupted", "{row}");
}
