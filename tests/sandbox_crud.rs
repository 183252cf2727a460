//! PyMongo's own CRUD specification suite against the sandbox. Its source distribution is named by
//! `CONNECT_CONSOLE_TEST_PYMONGO` (the unpacked directory), a Python with PyMongo and pytest by `CONNECT_CONSOLE_TEST_PYTHON`;
//! without them the test says that it was skipped. `.ci/run` brings both. What has to come out stands in `sandbox_crud.md`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)] // a test may fail by panicking

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use connect_console::observe::Discard;
use connect_console::sandbox::{Sandbox, SandboxOptions};

/// How many tests pass, fail and are skipped.
#[derive(Debug, PartialEq, Eq)]
struct Counts {
    passed: usize,
    failed: usize,
    skipped: usize,
}

/// What `sandbox_crud.md` records: the first row of numbers.
fn recorded() -> Counts {
    let text = include_str!("sandbox_crud.md");
    let numbers = |line: &str| line.split('|').filter_map(|cell| cell.trim().parse().ok()).collect::<Vec<usize>>();
    let row = text.lines().map(numbers).find(|row| row.len() == 3).expect("a row of three numbers");
    Counts { passed: row[0], failed: row[1], skipped: row[2] }
}

/// pytest's last line: `293 passed, 144 skipped in 9.87s`.
fn counted(output: &str) -> Counts {
    let summary = output.lines().rev().find(|line| line.contains(" passed")).unwrap_or_else(|| panic!("no summary:\n{output}"));
    let of = |what: &str| {
        let words: Vec<_> = summary.split([' ', ',', '=']).filter(|word| !word.is_empty()).collect();
        let at = words.iter().position(|word| *word == what);
        at.map_or(0, |at| words[at - 1].parse().unwrap())
    };
    Counts { passed: of("passed"), failed: of("failed") + of("errors") + of("error"), skipped: of("skipped") }
}

#[tokio::test(flavor = "multi_thread")]
async fn pymongos_own_suite_finds_the_sandbox_as_it_finds_mongodb() {
    let (Some(python), Some(source)) =
        (std::env::var_os("CONNECT_CONSOLE_TEST_PYTHON"), std::env::var_os("CONNECT_CONSOLE_TEST_PYMONGO"))
    else {
        eprintln!(
            "skipped: CONNECT_CONSOLE_TEST_PYTHON and CONNECT_CONSOLE_TEST_PYMONGO name no Python and no source of PyMongo"
        );
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let options = SandboxOptions { dir: dir.path().to_owned(), port: 0, http_port: 0, auth: false };
    let sandbox = Sandbox::start(options, Arc::new(Discard)).await.unwrap();
    let (host, port) = sandbox.access().mongodb.rsplit_once(':').unwrap();

    let mut pytest = Command::new(&python);
    pytest.args([
        "-m",
        "pytest",
        "test/test_crud_unified.py",
        "-q",
        "--tb=line",
        "-rfE",
        "-p",
        "no:cacheprovider",
        "-c",
        "/dev/null",
        "--rootdir",
        ".",
    ]);
    pytest.current_dir(PathBuf::from(source)).env("DB_IP", host).env("DB_PORT", port).env("PYTHONDONTWRITEBYTECODE", "1");
    // What other packages bring for pytest is not for this suite.
    pytest.env("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1");
    pytest.stdin(Stdio::null());
    let run = tokio::task::spawn_blocking(move || pytest.output().unwrap());
    let Output { stdout, stderr, .. } = run.await.unwrap();
    sandbox.stop().await;

    let output = String::from_utf8_lossy(&stdout);
    let failures: Vec<_> = output.lines().filter(|line| line.starts_with("FAILED") || line.starts_with("ERROR")).collect();
    let unlisted: Vec<_> = failures
        .iter()
        .filter(|line| {
            let name = line.split("::").last().and_then(|rest| rest.split(' ').next()).unwrap_or_default();
            !include_str!("sandbox_crud.md").contains(name)
        })
        .collect();
    assert!(unlisted.is_empty(), "failures that are not listed: {unlisted:#?}\n{output}{}", String::from_utf8_lossy(&stderr));
    assert_eq!(counted(&output), recorded(), "other counts than tests/sandbox_crud.md records:\n{output}");
}
