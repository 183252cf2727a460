//! `new`: what it writes runs as it is; and what else the command line does without a session.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test that fails is a test that panics

mod support;
/// The project `new` writes, compiled as it is.
#[path = "../assets/templates/rust/main.rs"]
#[allow(dead_code, unreachable_pub)] // it is a program of its own
mod template;

use std::path::Path;
use std::process::Command;

use support::run;

fn new(dir: &Path, language: &str, name: &str) -> support::Ran {
    let dir_of_it = dir.join(name);
    let mut arguments = vec!["new", dir_of_it.to_str().unwrap(), "--json"];
    arguments.extend((language == "python").then_some("--python"));
    run(dir, &arguments)
}

#[test]
fn the_project_in_rust_is_a_whole_extension() {
    let dir = tempfile::tempdir().unwrap();
    let made = new(dir.path(), "rust", "Corner Shop").object();
    assert_eq!(made["name"], "corner-shop");
    let main = std::fs::read_to_string(dir.path().join("Corner Shop/src/main.rs")).unwrap();
    assert_eq!(main, include_str!("../assets/templates/rust/main.rs").replace("my-extension", "corner-shop"));
    let extension = template::extension();
    assert_eq!((extension.name(), extension.variables().len()), ("my-extension", 1));
    // Cargo understands the manifest, and finds this crate in it.
    let manifest = dir.path().join("Corner Shop/Cargo.toml");
    let metadata = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1", "--manifest-path"])
        .arg(manifest)
        .output()
        .unwrap();
    let text = String::from_utf8(metadata.stdout).unwrap();
    let metadata: serde_json::Value = serde_json::from_str(&text).unwrap();
    let package = &metadata["packages"][0];
    assert_eq!(package["name"], "corner-shop");
    let wanted = package["dependencies"].as_array().unwrap().iter().find(|d| d["name"] == "connect-console").unwrap();
    assert_eq!(wanted["path"], env!("CARGO_MANIFEST_DIR"));
}

#[test]
fn a_directory_that_is_there_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(new(dir.path(), "python", "shop").status, 0);
    let again = new(dir.path(), "python", "shop");
    assert_eq!(again.status, 2);
    assert!(again.stderr.contains("not empty"), "{}", again.stderr);
    let nameless = new(dir.path(), "python", "123");
    assert!(nameless.status == 2 && nameless.stderr.contains("--name"), "{}", nameless.stderr);
}

#[test]
fn the_language_may_be_said_before_the_name_and_what_to_do_is_said_in_lines() {
    let dir = tempfile::tempdir().unwrap();
    let shop = dir.path().join("shop");
    let made = run(dir.path(), &["new", "--python", shop.to_str().unwrap()]);
    assert!(shop.join("pyproject.toml").exists(), "{}", made.stderr);
    let lines: Vec<&str> = made.stdout.lines().collect();
    assert!(lines[0].ends_with("Run it with") && lines[1].is_empty() && lines[2].contains("--extension ."), "{lines:?}");
    for unclear in
        [&["new"] as &[&str], &["new", "--python"], &["--python", "/usr/bin/python3", "doctor"], &["doctor", "--python"]]
    {
        let refused = run(dir.path(), unclear);
        assert!(refused.status == 2 && !refused.stderr.is_empty(), "{unclear:?}: {}", refused.stderr);
    }
}

#[test]
fn the_project_in_python_runs_at_once_under_the_official_runner() {
    let dir = tempfile::tempdir().unwrap();
    let made = new(dir.path(), "python", "corner-shop").object();
    let project = dir.path().join("corner-shop");
    assert!(made["files"].as_array().unwrap().iter().any(|f| f.as_str().unwrap().ends_with("corner_shop/events.py")));
    let Some(python) = support::python() else { return };
    let data = dir.path().join("data");
    let (project, python) = (project.to_str().unwrap(), python.to_str().unwrap());
    let arguments =
        ["--extension", project, "--python", python, "trigger", "asset_purchase_request_processing", "--wait", "--json"];
    let ran = run(&data, &arguments);
    let last = ran.objects().pop().unwrap_or_else(|| panic!("{}", ran.stderr));
    assert_eq!((&last["result"], ran.status), (&"success".into(), 0), "{last}");
}

#[test]
fn shells_and_man_learn_every_command() {
    let dir = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = run(dir.path(), &["completions", shell]);
        assert!(script.status == 0 && script.stdout.contains("rollback"), "{shell}");
    }
    assert!(run(dir.path(), &["man"]).stdout.contains(".TH connect-console 1"));
    let pages = dir.path().join("man");
    assert_eq!(run(dir.path(), &["man", "--to", pages.to_str().unwrap()]).status, 0);
    for page in ["connect-console.1", "connect-console-env.1", "connect-console-env-rollback.1"] {
        assert!(pages.join(page).exists(), "{page}");
    }
}

#[test]
fn a_mistake_in_the_configuration_is_named_with_its_line() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("config.toml");
    let path = file.to_str().unwrap();
    let shown = run(dir.path(), &["config", "show"]);
    std::fs::write(&file, &shown.stdout).unwrap();
    assert_eq!(run(dir.path(), &["config", "check", "--config", path]).status, 0, "what is shown to begin with is right");
    std::fs::write(&file, "theme = \"dark\"\n[keys]\nreplai = \"r\"\n").unwrap();
    let checked = run(dir.path(), &["config", "check", "--config", path]);
    assert_eq!(checked.status, 1);
    assert!(checked.stdout.contains("line 3: there is no action `replai`: did you mean `replay`?"), "{}", checked.stdout);
    assert_eq!(run(dir.path(), &["config", "path", "--config", path]).stdout.trim(), path);
}
