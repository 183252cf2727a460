//! Stepping through sagas in a pseudo terminal: a delivery is stopped before a step, looked at and let go; a write is made
//! to fail and the compensation seen; two deliveries are compared.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test that fails is a test that panics

mod support;
#[path = "support/terminal.rs"]
mod terminal;

use terminal::{Terminal, console};

const ENTER: &str = "\r";
const ESC: &str = "\x1b";

/// Chooses what has these letters in the list that is open.
fn choose(terminal: &mut Terminal, opened: &str, letters: &str, chosen: &str) {
    terminal.until_text(opened).press(letters);
    terminal.until(&format!("'{chosen}' to be first"), |screen| screen.contents().contains(chosen));
    terminal.press(ENTER).until_gone(opened);
}

#[test]
fn a_developer_steps_through_a_saga_breaks_it_on_purpose_and_compares() {
    let dir = tempfile::tempdir().unwrap();
    let mut terminal = Terminal::start(console(dir.path(), &[]), 160, 50);
    terminal.until_connected();
    terminal.press("t").until_text("✓ success");

    terminal.press("2").until_text("execute SaveRequest");
    terminal.press("b");
    choose(&mut terminal, "Stop deliveries", "before execute SaveRequest", "before execute SaveRequest");
    terminal.until_text("◉ 1 set");
    terminal.press("t").until_text("‖ held before execute SaveRequest").until_text("‖ 1 held");
    terminal.press("c").until_gone("‖ 1 held").until_text("✓ result: success");
    // The top line may know of it before the trace does.
    terminal.press("t").until_text("Trace of #3").until_text("‖ held before execute SaveRequest ╮");
    terminal.press("K").until_text("○ result: skip").until_text("execute SaveRequest was skipped at a breakpoint");
    terminal.press("x");
    choose(&mut terminal, "Make go wrong, once", "take everything back", "take everything back");
    terminal.until_gone("◉ 1 set");

    terminal.press("x");
    choose(&mut terminal, "Make go wrong, once", "write through the driver", "the next write through the driver backend fails");
    terminal.until_text("◉ 1 set");
    terminal.press("t").until_text("✱ injected").until_text("compensate SaveRequest");
    terminal.press("m").until_text("is marked");
    terminal.press("1").until_text("◆ marked").until_text("✱injected");
    terminal.press("\x1b[H").until_text("#1 ");
    terminal.press("m").until_text("* marks what differs").until_text("— not done");
    terminal.press(ESC).until_gone("* marks what differs");
    terminal.press("q");
    assert!(terminal.ended().success());
    terminal.assert_restored();
}
