//! Captured deliveries of a Python extension under the official runner: run again in every way there is, and whenever its
//! sources change.
//!
//! Needs what `guest_official_runner.rs` needs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test that fails is a test that panics

mod support;
#[path = "support/terminal.rs"]
mod terminal;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::{Running, copy, program, python, run};
use terminal::{Terminal, console};

const PURCHASE: &str = "asset_purchase_request_processing";
/// The runner takes some 10 s to start, several times that on a machine that has much else to do.
const PATIENCE: Duration = Duration::from_secs(120);

/// A session with the documentation's example in Python, which stores in the sandbox.
struct Guest {
    dir: tempfile::TempDir,
    _session: Running,
}

impl Guest {
    fn start() -> Option<Self> {
        Self::with(&[])
    }

    /// The same with a source that is changed before it starts.
    fn with(changes: &[(&str, &str)]) -> Option<Self> {
        let python = python()?;
        let dir = tempfile::tempdir().unwrap();
        let project = dir.path().join("project");
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/tutorial"), &project);
        changes.iter().for_each(|(old, new)| change(&project, old, new));
        let mut command = program(&dir.path().join("data"));
        command.args(["run", "--headless", "--json", "--extension"]).arg(&project).arg("--python").arg(python);
        let session = Running::start(command);
        let connected = |seen: &Value| {
            seen["kind"] == "log" && seen["message"].as_str().is_some_and(|m| m.contains("BackgroundEventsWorker connected"))
        };
        session.until_within(PATIENCE, "the official runner", connected);
        let guest = Self { dir, _session: session };
        let set = run(&guest.data(), &["env", "set", "--sandbox", "--apply"]);
        assert_eq!(set.status, 0, "{}", set.stderr);
        Some(guest)
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn run(&self, arguments: &[&str]) -> support::Ran {
        run(&self.data(), arguments)
    }

    fn trigger(&self) -> Value {
        self.run(&["trigger", PURCHASE, "--wait", "--json"]).object()
    }

    fn documents(&self) -> usize {
        self.run(&["store", "find", "--backend", "both", "--json"]).objects().len()
    }

    /// What `events show` tells of a delivery once all of this is in it: lines of its log take their own way, through the
    /// process's output, and may come after its result.
    fn until_shown(&self, delivery: &str, wanted: &[&str]) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let shown = self.run(&["events", "show", delivery, "--json"]).stdout;
            if wanted.iter().all(|text| shown.contains(text)) {
                return shown;
            }
            assert!(Instant::now() < deadline, "{wanted:?} in {shown}");
        }
    }

    /// Changes the source.
    fn edit(&self, old: &str, new: &str) {
        change(&self.dir.path().join("project"), old, new);
    }
}

fn change(project: &Path, old: &str, new: &str) {
    let file = project.join("tutorial/events.py");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains(old), "{old} is not in the source");
    std::fs::write(&file, text.replace(old, new)).unwrap();
}

fn id(delivery: &Value) -> String {
    delivery["id"].to_string()
}

#[test]
fn a_delivery_of_a_python_extension_runs_again_with_other_variables_into_shadows_twice_and_without_the_api() {
    let Some(guest) = Guest::start() else { return };
    let first = guest.trigger();
    assert_eq!(first["result"], "success", "{first}");
    assert_eq!(guest.documents(), 2);

    let shadow = guest.run(&["replay", &id(&first), "--shadow", "--json"]);
    assert_eq!(shadow.status, 0, "{}\n{}", shadow.stdout, shadow.stderr);
    assert_eq!(shadow.objects()[1]["differences"], json!([]));
    assert_eq!(guest.documents(), 2, "the collections are as they were");

    let other = guest.run(&["replay", &id(&first), "--var", "HTTP_COLLECTION=elsewhere", "--diff", "--json"]);
    assert_eq!(other.status, 1, "{}", other.stderr);
    assert_eq!(other.objects()[0]["marks"], json!(["variables"]));
    let told = other.objects()[1]["differences"].to_string();
    assert!(told.contains("data-api insertOne tutorial.elsewhere"), "{told}");
    assert_eq!(guest.documents(), 3, "only the driver wrote to the collection that is stored");
    let after = guest.trigger();
    assert_eq!((&after["result"], guest.documents()), (&"success".into(), 5), "the stored variables are in force again");

    let twice = guest.run(&["replay", &id(&first), "--twice", "--json"]);
    assert_eq!(twice.status, 1, "{}", twice.stderr);
    assert_eq!(twice.objects()[0]["repeated"].as_array().unwrap().len(), 2);

    let hermetic = guest.run(&["replay", &id(&first), "--hermetic", "--json"]);
    assert_eq!((hermetic.status, &hermetic.objects()[0]["result"]), (0, &"success".into()), "{}", hermetic.stderr);

    // What is needed to run it again is in its capture, each call tied to it.
    guest.until_shown(&id(&first), &["\"log\""]);
    let text = guest.run(&["events", "export", &id(&first), "--to", "-"]).stdout;
    let capture: Value = serde_json::from_str(&text).unwrap();
    assert!(capture["extension"]["declared"]["event_subscriptions"].is_object(), "{}", capture["extension"]);
    assert_eq!(capture["extension"]["version"], "0.2.0", "that of the project, not of its runner");
    let names: Vec<&str> = capture["variables"].as_array().unwrap().iter().map(|v| v["name"].as_str().unwrap()).collect();
    assert!(names.contains(&"DRIVER_COLLECTION"), "{names:?}");
    let kinds: Vec<&str> = capture["observations"].as_array().unwrap().iter().map(|o| o["kind"].as_str().unwrap()).collect();
    for wanted in ["task_arrived", "api_call", "object_fetched", "store_call", "log", "answered"] {
        assert!(kinds.contains(&wanted), "{wanted} is missing in {kinds:?}");
    }
}

#[test]
fn the_next_write_through_either_backend_is_made_to_fail_in_a_python_extension_too() {
    let Some(guest) = Guest::start() else { return };
    // It writes through the Data API first.
    for (backend, calls) in [("data-api", 1), ("driver", 2)] {
        assert_eq!(guest.run(&["sagas", "spoil-write", "--backend", backend]).status, 0);
        let delivery = guest.run(&["trigger", PURCHASE, "--wait", "--json"]).objects().remove(0);
        assert_eq!((&delivery["result"], &delivery["injected"]), (&json!("retry"), &json!(1)), "{delivery}");
        assert_eq!((&delivery["store_calls"], &delivery["store_errors"]), (&json!(calls), &json!(1)), "{delivery}");
        let said = format!("injected: this write through the {backend} backend was made to fail");
        assert!(delivery["message"].as_str().unwrap().contains(&said), "{delivery}");
    }
    assert_eq!(guest.trigger()["result"], "success", "the next one only");
}

#[test]
fn an_extension_with_variables_of_its_own_is_compared_where_it_wrote() {
    // As small ones are: one collection, the database named in the source, nothing of the Data API.
    let guest = Guest::with(&[
        ("        await self.save_through_data_api(request)\n", ""),
        ("client[self.config['DB']][self.config['DRIVER_COLLECTION']]", "client['shop'][self.config['DB_COLLECTION']]"),
        ("    {'name': 'CLUSTER', 'initial_value': 'Cluster0', 'secure': False},\n", ""),
        ("    {'name': 'DB', 'initial_value': 'tutorial', 'secure': False},\n", ""),
        ("    {'name': 'HTTP_COLLECTION', 'initial_value': 'http_requests', 'secure': False},\n", ""),
        ("'DRIVER_COLLECTION', 'initial_value': 'driver_requests'", "'DB_COLLECTION', 'initial_value': 'requests'"),
    ]);
    let Some(guest) = guest else { return };
    let first = guest.trigger();
    assert_eq!(first["result"], "success", "{first}");

    let shadow = guest.run(&["replay", &id(&first), "--shadow", "--json"]);
    assert_eq!(shadow.status, 0, "{}\n{}", shadow.stdout, shadow.stderr);
    let compared = &shadow.objects()[1];
    assert_eq!((&compared["differences"], &compared["notes"]), (&json!([]), &json!([])));
    let edited = guest.run(&["replay", &id(&first), "--shadow", "--set", "note=another note", "--json"]);
    let told = edited.objects()[1]["differences"].to_string();
    assert!(edited.status == 1 && told.contains("documents."), "{told}\n{}", edited.stderr);

    let twice = guest.run(&["replay", &id(&first), "--twice", "--json"]);
    assert_eq!(twice.status, 1, "{}", twice.stderr);
    let repeated = twice.objects()[0]["repeated"].to_string();
    assert!(repeated.contains("2 documents with the id PR-") && repeated.contains("shop.requests__shadow_"), "{repeated}");
}

#[test]
fn a_secret_of_several_lines_that_is_printed_is_seen_in_no_log_row_and_is_not_in_the_journals_file() {
    let told = "        for line in self.config['PRIVATE_KEY'].splitlines():\n            print('line', line)\n        \
                print(self.config['PRIVATE_KEY'], flush=True)\n        \
                self.logger.warning(repr(self.config['PRIVATE_KEY']))\n        \
                self.logger.info(f\"Received";
    let guest = Guest::with(&[("        self.logger.info(f\"Received", told)]);
    let Some(guest) = guest else { return };
    let lines =
        ["MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcw", "ggSjAgEAAoIBAQC7VJTUt9Us8cKjMzEfYyji", "WA4R4/M2bS1GB4t7NXp98C3SC6dVMvDuictG"];
    let key = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n"));
    let set = guest.run(&["env", "set", &format!("PRIVATE_KEY={key}"), "--secure", "--apply"]);
    assert_eq!(set.status, 0, "{}", set.stderr);
    let delivery = guest.trigger();
    assert_eq!(delivery["result"], "success", "{delivery}");

    let all = guest.until_shown(&id(&delivery), &["line «secret:PRIVATE_KEY", "WARNING"]);
    for line in lines {
        assert!(!all.contains(line), "{line}: {all}");
    }
    let files = std::fs::read_dir(guest.data()).unwrap().flatten().map(|entry| entry.path());
    let of_journal: Vec<PathBuf> = files.filter(|path| path.to_string_lossy().contains("journal.sqlite")).collect();
    assert!(of_journal.len() > 1, "{of_journal:?}");
    for path in of_journal {
        let bytes = std::fs::read(&path).unwrap();
        for line in lines {
            assert!(!bytes.windows(line.len()).any(|part| part == line.as_bytes()), "{line} is in {}", path.display());
        }
    }
}

#[test]
fn code_that_says_mongodb_without_srv_gets_a_port_in_a_session_and_in_a_case() {
    let Some(guest) = Guest::with(&[("mongodb+srv://", "mongodb://")]) else { return };
    let variables = guest.run(&["env", "list", "--json"]).objects();
    let host = variables.iter().find(|v| v["name"] == "DB_HOST").unwrap()["value"].as_str().unwrap().to_owned();
    assert!(host.starts_with("127.0.0.1:"), "{host}");
    let first = guest.trigger();
    assert_eq!(first["result"], "success", "{first}");
    let case = guest.dir.path().join("case");
    assert_eq!(guest.run(&["case", "save", &id(&first), "--to", case.to_str().unwrap()]).status, 0);
    let mut command = program(&guest.data());
    command.args(["case", "run", case.to_str().unwrap(), "--extension"]).arg(guest.dir.path().join("project"));
    command.arg("--python").arg(python().unwrap());
    let ran = support::Ran::of(command.output().unwrap());
    assert_eq!(ran.status, 0, "{}\n{}", ran.stdout, ran.stderr);
}

#[test]
fn a_pinned_delivery_runs_again_whenever_a_source_changes_with_the_difference_on_the_screen() {
    let Some(guest) = Guest::start() else { return };
    let first = guest.trigger();
    let data = guest.data();
    let mut command = program(&data);
    command.args(["replay", &id(&first), "--watch", "--json"]);
    let watch = Running::start(command);
    let compared = |wanted: usize| {
        move |line: &Value| {
            let found = line["differences"].as_array();
            found.is_some_and(|found| found.len() == wanted)
        }
    };
    watch.until_within(PATIENCE, "the first run, which is as before", compared(0));

    let mut terminal = Terminal::start(console(&data, &[]), 150, 44);
    terminal.until_text("#1 ");
    terminal.press("/!is=replay").press("\r").until_gone("↻ of #1");
    terminal.press("W").until_text("watching #1").until_text("◎ watched");
    guest.edit("return BackgroundResponse.done()", "return BackgroundResponse.fail('it was changed')");
    // The result and its reason.
    let found = watch.until_within(PATIENCE, "the run with the changed source", compared(2));
    let paths: Vec<&str> = found["differences"].as_array().unwrap().iter().map(|d| d["path"].as_str().unwrap()).collect();
    assert_eq!(paths, ["result", "message"]);
    let shows = |text: &'static str| move |screen: &vt100::Screen| screen.contents().contains(text);
    terminal.until_within(PATIENCE, "the difference", shows("replay with the changed sources"));
    terminal.until_text("it was changed").until_text("+ \"fail\"");

    guest.edit("return BackgroundResponse.fail('it was changed')", "return BackgroundResponse.done()");
    watch.until_within(PATIENCE, "the run with the source as it was", compared(0));
    terminal.until_within(PATIENCE, "no difference", shows("✓ no difference"));
    terminal.press("\x1b").until_text("◎ the same");
    // It was pinned, and what ran because of a source went into shadow collections.
    terminal.press("W").until_text("no longer watched").until_gone("watching #1");
    assert_eq!(guest.run(&["events", "list", "--filter", "is=pinned", "--json"]).objects().len(), 1);
    assert_eq!(guest.run(&["events", "list", "--filter", "is=shadow", "--json"]).objects().len(), 2);
    terminal.press("q");
    assert!(terminal.ended().success());
}
