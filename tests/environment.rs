//! The environment's variables as a whole, by the built program: edited, imported, exported, brought back; and over the
//! REST API of a Connect that is elsewhere.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test that fails is a test that panics

mod support;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use connect_console::observe::Memory;
use connect_console::platform::{Platform, PlatformOptions};
use serde_json::Value;
use support::{Running, before_connect, program, run};

/// The variables as `env list` shows them, by name.
fn variable(dir: &Path, name: &str) -> Value {
    let rows = run(dir, &["env", "list", "--json"]).objects();
    rows.into_iter().find(|row| row["name"] == name).unwrap_or(Value::Null)
}

fn done(dir: &Path, arguments: &[&str]) -> String {
    let ran = run(dir, arguments);
    assert_eq!(ran.status, 0, "{arguments:?}: {}{}", ran.stdout, ran.stderr);
    ran.stdout + &ran.stderr
}

#[test]
fn a_set_that_was_applied_can_be_brought_back_and_the_history_names_no_secret() {
    let dir = tempfile::tempdir().unwrap();
    done(dir.path(), &["env", "set", "COLOUR=red", "--apply"]);
    done(dir.path(), &["env", "set", "TOKEN=hunter2", "--secure", "--apply"]);
    done(dir.path(), &["env", "set", "COLOUR=blue", "TOKEN=hunter3", "--apply"]);
    let history = run(dir.path(), &["env", "history", "--json"]);
    assert!(!history.stdout.contains("hunter"), "{}", history.stdout);
    let rows = history.objects();
    let with_red =
        rows.iter().find(|row| row["changes"][0]["name"] == "TOKEN" && row["changes"][0]["change"] == "create").unwrap();
    let last = rows.last().unwrap();
    assert_eq!((&last["changes"][0]["from"], &last["changes"][0]["to"]), (&"red".into(), &"blue".into()));

    let number = with_red["number"].to_string();
    done(dir.path(), &["env", "rollback", &number]);
    assert_eq!(variable(dir.path(), "COLOUR")["state"], "staged");
    done(dir.path(), &["env", "apply"]);
    assert_eq!(variable(dir.path(), "COLOUR")["value"], "red");
    let revealed = run(dir.path(), &["env", "list", "--reveal", "--json"]).objects();
    assert_eq!(revealed.iter().find(|row| row["name"] == "TOKEN").unwrap()["value"], "hunter2");

    let file = dir.path().join("variables-history.jsonl");
    assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(run(dir.path(), &["env", "rollback", "999"]).status, 2);
}

#[test]
fn what_is_exported_can_be_imported_elsewhere_and_withholds_secrets() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    done(here.path(), &["env", "set", "LINES=one\ntwo", "COLOUR=red", "--apply"]);
    done(here.path(), &["env", "set", "TOKEN=hunter2", "--secure", "--apply"]);
    for name in ["out.env", "out.json", "out.yml", "out.xlsx"] {
        let file = here.path().join(name);
        let path = file.to_str().unwrap();
        done(here.path(), &["env", "export", path]);
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(!String::from_utf8_lossy(&std::fs::read(&file).unwrap()).contains("hunter2"), "{name}");
        assert_eq!(run(here.path(), &["env", "export", path]).status, 2, "a file that is there is left alone");

        done(there.path(), &["env", "unstage"]);
        let said = done(there.path(), &["env", "import", path]);
        assert!(said.contains("+ COLOUR = red"), "{name}: {said}");
        assert!(said.contains("TOKEN is withheld in the file and not set here"), "{name}: {said}");
        assert_eq!(variable(there.path(), "TOKEN"), Value::Null);
    }
    done(there.path(), &["env", "apply"]);
    assert_eq!(variable(there.path(), "LINES")["value"], "one\ntwo");
    let revealed = run(here.path(), &["env", "export", "--format", "json", "--reveal"]);
    assert!(revealed.stdout.contains("hunter2"));
}

#[test]
fn what_cannot_be_read_is_named_by_its_file_or_as_standard_input_with_its_line() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("wrong.env");
    std::fs::write(&file, "A=1\n\nno value\n").unwrap();
    let refused = run(dir.path(), &["env", "import", file.to_str().unwrap()]);
    let expected = format!("{}: line 3: NAME=VALUE is expected", file.display());
    assert!(refused.status == 2 && refused.stderr.contains(&expected), "{}", refused.stderr);
    let mut command = program(dir.path());
    command.args(["env", "import", "-", "--format", "env"]).stdin(std::fs::File::open(&file).unwrap());
    let refused = support::Ran::of(command.output().unwrap());
    assert!(refused.status == 2 && refused.stderr.contains("standard input: line 3: NAME=VALUE"), "{}", refused.stderr);
}

#[test]
fn all_variables_are_edited_in_the_developers_editor() {
    let dir = tempfile::tempdir().unwrap();
    done(dir.path(), &["env", "set", "COLOUR=red", "GONE=1", "--apply"]);
    done(dir.path(), &["env", "set", "TOKEN=hunter2", "--secure", "--apply"]);
    let edit = |script: &str| program(dir.path()).args(["env", "edit", "--apply"]).env("EDITOR", script).output().unwrap();
    let seen = dir.path().join("seen");
    let script = format!("cp \"$1\" {}; sed -i -e s/COLOUR=red/COLOUR=blue/ -e /^GONE=/d", seen.display());
    // The editor is a line for the shell, as with git.
    let edited = edit(&format!("sh -c '{script} \"$1\"' editor"));
    assert!(edited.status.success(), "{edited:?}");
    let text = std::fs::read_to_string(seen).unwrap();
    assert!(text.contains("TOKEN=«secret:TOKEN»") && !text.contains("hunter2"), "{text}");
    assert_eq!(variable(dir.path(), "COLOUR")["value"], "blue");
    assert_eq!(variable(dir.path(), "GONE"), Value::Null);
    assert_eq!(variable(dir.path(), "TOKEN")["state"], "live");
    // An editor that cannot be satisfied: what it saves is never right, until it saves nothing new.
    let refused = edit("sed -i -e 's/COLOUR=.*/COLOUR=/'");
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.contains("COLOUR"), "{said}");
    assert_eq!(variable(dir.path(), "COLOUR")["value"], "blue");
}

#[test]
fn a_delivery_knows_the_values_it_ran_with() {
    let dir = tempfile::tempdir().unwrap();
    done(dir.path(), &["env", "set", "COLOUR=red", "--apply"]);
    done(dir.path(), &["env", "set", "TOKEN=hunter2", "--secure", "--apply"]);
    done(dir.path(), &["trigger", "asset_purchase_request_processing", "--wait"]);
    done(dir.path(), &["env", "set", "COLOUR=blue", "--apply"]);
    let rows = run(dir.path(), &["env", "list", "--delivery", "1", "--json"]).objects();
    let colour = rows.iter().find(|row| row["name"] == "COLOUR").unwrap();
    assert_eq!((&colour["value"], &colour["since"]), (&"red".into(), &"changed".into()));
    let token = rows.iter().find(|row| row["name"] == "TOKEN").unwrap();
    assert_eq!((&token["value"], &token["secure"]), (&Value::Null, &true.into()));
    assert_eq!(run(dir.path(), &["env", "list", "--delivery", "99"]).status, 2);
}

#[test]
fn a_file_of_secrets_that_others_could_read_is_made_private_and_that_is_said() {
    let dir = tempfile::tempdir().unwrap();
    done(dir.path(), &["env", "set", "COLOUR=red"]);
    let file = dir.path().join("staged.json");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let running = run(dir.path(), &["run", "--headless", "--until-idle", "--json"]);
    assert!(running.stderr.contains("staged.json") && running.stderr.contains("644"), "{}", running.stderr);
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test(flavor = "multi_thread")]
async fn variables_of_a_connect_elsewhere_are_staged_and_applied_over_its_api() {
    let (there, here) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let options = PlatformOptions { dir: there.path().to_owned(), port: 0, ..PlatformOptions::default() };
    let platform = Platform::start(options, Arc::new(Memory::default())).await.unwrap();
    platform.set_variable("COLOUR", "red", false).await.unwrap();
    platform.set_variable("TOKEN", "hunter2", true).await.unwrap();
    let access = platform.access();
    let running = Running::start(before_connect(here.path(), access));
    tokio::task::block_in_place(|| {
        running.until_connected();
        let token = variable(here.path(), "TOKEN");
        assert_eq!((&token["value"], &token["state"]), (&Value::Null, &"live".into()), "its stars are no value");
        done(here.path(), &["env", "set", "COLOUR=blue", "NEW=1"]);
        assert_eq!(variable(here.path(), "COLOUR")["state"], "staged");
        let said = done(here.path(), &["env", "apply"]);
        assert!(said.contains("Extension configuration has been updated."), "{said}");
        assert_eq!(variable(here.path(), "COLOUR")["state"], "live");
        done(here.path(), &["env", "unset", "NEW", "--apply"]);
    });
    let now = platform.variables();
    assert_eq!(now.iter().find(|v| v.name == "COLOUR").unwrap().value, "blue");
    assert_eq!(now.iter().find(|v| v.name == "TOKEN").unwrap().value, "hunter2", "what is withheld is never written back");
    assert!(now.iter().all(|v| v.name != "NEW"));
    assert!(tokio::task::block_in_place(|| running.terminate()).success());
    platform.stop().await;
}
