//! Captured events in the console: filtered as one types, looked at in tabs, pinned, run again in other ways.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test that fails is a test that panics

mod support;
#[path = "support/terminal.rs"]
mod terminal;

use std::path::Path;

use support::run;
use terminal::{Terminal, console};

const ENTER: &str = "\r";
const ESC: &str = "\x1b";
const PURCHASE: &str = "asset_purchase_request_processing";

fn start(data_dir: &Path) -> Terminal {
    let mut terminal = Terminal::start(console(data_dir, &[]), 150, 44);
    terminal.until_connected();
    terminal
}

fn row(terminal: &mut Terminal, what: &str, words: &[&str]) {
    terminal.until(what, |screen| screen.contents().lines().any(|line| words.iter().all(|word| line.contains(word))));
}

#[test]
fn the_stream_is_filtered_as_one_types_and_errors_are_pointed_at() {
    let dir = tempfile::tempdir().unwrap();
    for note in ["one of a kind", "another one"] {
        run(dir.path(), &["trigger", PURCHASE, "--set", &format!("note={note}"), "--wait"]);
    }
    let mut terminal = start(dir.path());
    row(&mut terminal, "both deliveries", &["#2 ", "✓ success"]);
    terminal.press("1/note~\"one of a kind\"");
    terminal.until_gone("#2 ").until_text("1 fit").until_text("#1 ");
    terminal.press(ENTER).until_text("filter note~\"one of a kind\"");
    terminal.press(ESC).until_text("#2 ");
    terminal.press("/result=faild").until_text("^ there is no result `faild`");
    terminal.press(ESC).until_gone("faild");
    terminal.press("/body~\"no such text\"").until_text("no delivery fits the filter");
    terminal.press(ESC).until_text("#2 ").press("q");
    assert!(terminal.ended().success());
}

#[test]
fn what_was_imported_happened_elsewhere_and_is_in_no_metrics() {
    let dir = tempfile::tempdir().unwrap();
    let (here, there, file) = (dir.path().join("here"), dir.path().join("there"), dir.path().join("capture.json"));
    run(&here, &["trigger", PURCHASE, "--wait"]);
    let file = file.to_str().unwrap();
    assert_eq!(run(&here, &["events", "export", "1", "--to", file]).status, 0);
    assert_eq!(run(&there, &["events", "import", file]).status, 0);
    let mut terminal = start(&there);
    row(&mut terminal, "the imported delivery", &["#1 ", "✓ success"]);
    terminal.press("M").until_text("The last hour  0 tasks").press(ESC).until_gone("The last hour");
    run(&there, &["trigger", PURCHASE, "--wait"]);
    row(&mut terminal, "a delivery of here", &["#2 ", "✓ success"]);
    terminal.press("M").until_text("The last hour  1 task,").press(ESC).until_gone("The last hour").press("q");
    assert!(terminal.ended().success());
}

#[test]
fn everything_about_a_delivery_is_in_tabs_that_fold_and_are_searched() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), &["trigger", PURCHASE, "--wait"]);
    let mut terminal = start(dir.path());
    row(&mut terminal, "the delivery", &["#1 ", "✓ success"]);
    terminal.until_text("result: success").press(ENTER).until_text("[Payload]").until_text("The object as it was fetched");
    terminal.until_text("\"type\": \"purchase\"").press("-").until_gone("\"product\"").press("-");
    terminal.press("/PRD-276").press(ENTER).until_text("PRD-276-377-545");
    terminal.press("3").until_text("[API calls]").until_text("GET requests");
    terminal.press("4").until_text("[Documents]").until_text("insertOne");
    terminal.press("7").until_text("[Variables]").until_text("DRIVER_COLLECTION").until_text("«secret:DB_PASSWORD»");
    terminal.press("y").until_text("by OSC 52").press(ESC).until_gone("[Variables]").press("q");
    assert!(terminal.ended().success());
}

#[test]
fn a_delivery_is_pinned_replayed_into_shadows_and_deliveries_are_held_from_the_stream() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), &["trigger", PURCHASE, "--wait"]);
    let mut terminal = start(dir.path());
    row(&mut terminal, "the delivery", &["#1 ", "✓ success"]);
    terminal.press("p").until_text("1 delivery pinned");
    row(&mut terminal, "the pin", &["#1 ", "✓ success", " * "]);
    terminal.press("S").until_text("and its replay #2").until_text("no difference").press(ESC);
    row(&mut terminal, "the mark of the shadow replay", &["#2 ", "s ↻ of #1"]);
    terminal.press("H").until_text("Deliveries are held back");
    terminal.press("t").until_text("deliveries are held");
    terminal.press("H").until_text("Deliveries go on");
    row(&mut terminal, "the delivery that was held", &["#3 ", "✓ success"]);
    terminal.press("M").until_text("Tasks by hour, day and week").until_text("The last week");
    terminal.press(ESC).until_gone("Tasks by hour").press("q");
    assert!(terminal.ended().success());
}
