//! The main journeys of a developer in a pseudo terminal, each in no more keys than the README promises.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test that fails is a test that panics

mod support;
#[path = "support/terminal.rs"]
mod terminal;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use terminal::{Terminal, console, shows_in};

/// A console whose editor is this shell script.
fn with_editor(data_dir: &Path, script: &str) -> Terminal {
    let editor = data_dir.join("editor.sh");
    std::fs::write(&editor, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&editor, std::fs::Permissions::from_mode(0o700)).unwrap();
    let mut command = console(&data_dir.join("data"), &[]);
    command.env("EDITOR", editor);
    let mut terminal = Terminal::start(command, 120, 40);
    terminal.until_connected();
    terminal
}

#[test]
fn a_long_value_is_written_in_the_developers_own_editor() {
    let dir = tempfile::tempdir().unwrap();
    // It asks for a key, as any editor would: nobody else may read that key.
    let script = r#"printf 'the editor has the terminal'; read answer; printf '%s\nsecond line\n' "$answer" > "$1""#;
    let mut terminal = with_editor(dir.path(), script);
    terminal.press("3").until_text("ID ").select("DRIVER_COLLECTION");
    terminal.press("e").until_text("Edit DRIVER_COLLECTION").press("\x0f");
    terminal.until_text("the editor has the terminal").press("typed in it\r");
    terminal.until_text("1 staged").until_text("typed in it").until_text("DRIVER_COLLECTION");
    terminal.press("u").until_gone("1 staged").press("q");
    assert!(terminal.ended().success());
    terminal.assert_restored();
    let left = std::fs::read_dir(dir.path().join("data")).unwrap().flatten();
    assert!(left.map(|e| e.file_name()).all(|name| !name.to_string_lossy().starts_with("edit-")));
}

#[test]
fn without_an_editor_the_console_says_how_to_name_one() {
    let dir = tempfile::tempdir().unwrap();
    let mut terminal = Terminal::start(console(dir.path(), &[]), 120, 40);
    terminal.until_connected().press("3").until_text("ID ").press("e").until_text("Enter stage").press("\x0f");
    terminal.until_text("no editor is set");
}

/// How many keys the README promises for a journey. What is typed as text (a name, a value, a query) is none of them, nor
/// is moving to a row.
fn promised(journey: &str) -> usize {
    let row = include_str!("../README.md").lines().find(|line| line.starts_with("| ") && line.contains(journey));
    row.unwrap_or_else(|| panic!("no such journey in the README: {journey}")).matches('`').count() / 2
}

/// Somebody on a journey, with no more keys than promised.
struct Journey<'a> {
    terminal: &'a mut Terminal,
    left: usize,
}

impl<'a> Journey<'a> {
    fn begin(terminal: &'a mut Terminal, journey: &str) -> Self {
        Self { terminal, left: promised(journey) }
    }

    /// Presses one key.
    fn key(&mut self, key: &str) -> &mut Terminal {
        self.left = self.left.checked_sub(1).expect("no more keys than the README promises");
        self.terminal.press(key)
    }

    /// Types a text into what asks for one.
    fn types(&mut self, text: &str) -> &mut Terminal {
        self.terminal.press(text)
    }
}

fn until_delivered(terminal: &mut Terminal, number: usize) {
    let number = format!("#{number} ");
    terminal.until("the delivery to succeed", |screen| {
        screen.contents().lines().any(|line| line.contains(&number) && line.contains("✓ success"))
    });
}

/// A console in which one Test Subscription was delivered.
fn with_a_delivery(data_dir: &Path) -> Terminal {
    let mut terminal = Terminal::start(console(data_dir, &[]), 120, 40);
    terminal.until_connected().press("t");
    until_delivered(&mut terminal, 1);
    terminal
}

fn ends_well(mut terminal: Terminal) {
    terminal.press("q");
    assert!(terminal.ended().success());
    terminal.assert_restored();
}

#[test]
fn first_start_trigger_and_follow_to_both_documents() {
    let dir = tempfile::tempdir().unwrap();
    let mut terminal = Terminal::start(console(dir.path(), &[]), 120, 40);
    terminal.until_connected().until_text("to create a Test Subscription");
    let mut journey = Journey::begin(&mut terminal, "create a Test Subscription, see its document");
    journey.key("t");
    until_delivered(journey.terminal, 1);
    let text = journey.terminal.text();
    let object = text.split_whitespace().find(|word| word.starts_with("PR-")).unwrap().to_owned();
    journey.key("g");
    journey.key("d").until_text("[driver] data-api").until_text("driver_requests: 1 document").until_text(&object);
    journey.key("b").until_text("driver [data-api]").until_text("http_requests: 1 document").until_text(&object);
    // And back to where one was.
    terminal.press("\x7f").until_text("▸1 Events");
    ends_well(terminal);
}

#[test]
fn edit_stage_apply_and_the_next_delivery_uses_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut terminal = Terminal::start(console(dir.path(), &[]), 120, 40);
    terminal.until_connected();
    let mut journey = Journey::begin(&mut terminal, "change a variable and use it");
    journey.key("3").until_text("ID ").select("DRIVER_COLLECTION");
    journey.key("e").until_text("Edit DRIVER_COLLECTION");
    journey.types("driver_requests_two");
    journey.key("\r").until_text("1 staged");
    journey.key("a").until_text("Apply changes").until_text("driver_requests → driver_requests_two");
    journey.key("\r").until_text("Extension configuration has been updated.");
    journey.key("t").until_text("is created and on its way");
    terminal.press("1").until_text("[1 Events]");
    until_delivered(&mut terminal, 1);
    terminal.press("V").until_text("What delivery #1 ran with").until_text("driver_requests_two").press("\x1b");
    terminal.until_gone("What delivery #1 ran with").press("gd").until_text("driver_requests_two: 1 document");
    ends_well(terminal);
}

#[test]
fn replay_with_a_changed_variable_and_read_the_difference() {
    let dir = tempfile::tempdir().unwrap();
    let mut terminal = with_a_delivery(dir.path());
    let mut journey = Journey::begin(&mut terminal, "run a delivery again with another value of a variable");
    journey.key("v").until_text("Run #1 again with another value of");
    journey.types("driver_collection").until_text("> driver_collection");
    journey.key("\r").until_text("Enter run it again");
    journey.types("driver_requests_two");
    journey.key("\r").until_text("#1 and its replay #2").until_text("tutorial.driver_requests\"");
    terminal.press("/driver_requests_two\r").until_text("tutorial.driver_requests_two");
    // Esc would leave the search first.
    terminal.press("\x03").until_gone("#1 and its replay #2");
    // It was for that run only.
    terminal.press("3").until_text("ID ").until_gone("driver_requests_two");
    ends_well(terminal);
}

#[test]
fn find_a_document_and_open_its_event() {
    let dir = tempfile::tempdir().unwrap();
    let mut terminal = with_a_delivery(dir.path());
    terminal.press("t");
    until_delivered(&mut terminal, 2);
    let text = terminal.text();
    let object = text.split_whitespace().find(|word| word.starts_with("PR-")).unwrap().to_owned();
    let mut journey = Journey::begin(&mut terminal, "find a document and go to the delivery that wrote it");
    journey.key("4").until_text("[4 Storage]").until_text("2 documents");
    journey.key("/");
    journey.types(&format!("{{id: '{object}'}}"));
    journey.key("\r").until_text("1 document").until_text(&object);
    journey.key("o").until_text("Trace of #1 ").until_text(&object);
    ends_well(terminal);
}

#[test]
fn break_on_a_step_of_a_saga_and_continue() {
    let dir = tempfile::tempdir().unwrap();
    let mut terminal = with_a_delivery(dir.path());
    let mut journey = Journey::begin(&mut terminal, "stop before a step of a saga, look, go on");
    journey.key("2").until_text("execute SaveRequest");
    journey.key("b").until_text("Stop deliveries");
    journey.types("before execute SaveRequest").until_text("> before execute SaveRequest");
    journey.key("\r").until_text("◉ 1 set");
    journey.key("t").until_text("‖ held before execute SaveRequest");
    journey.key("c").until_gone("‖ 1 held").until_text("✓ result: success");
    ends_well(terminal);
}

#[test]
fn ctrl_z_gives_the_terminal_back_to_the_shell_and_fg_takes_it_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut terminal = with_a_delivery(dir.path());
    terminal.signal("-TSTP");
    terminal.assert_restored();
    terminal.signal("-CONT");
    terminal.until("the screen to be taken again", vt100::Screen::alternate_screen);
    terminal.until_text("#1 ").press("t");
    until_delivered(&mut terminal, 2);
    ends_well(terminal);
}

#[test]
fn an_editor_that_fails_or_changes_nothing_stages_nothing_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let mut terminal = with_editor(dir.path(), "exit 3");
    terminal.press("3").until_text("ID ").press("E").until_text("ended with exit status: 3: nothing was changed");
    ends_well(terminal);
    // It starts where it was left: in the variables.
    let mut terminal = with_editor(dir.path(), "true");
    terminal.until_text("ID ").press("E").until_text("Unchanged: nothing was saved");
    ends_well(terminal);
}

#[test]
fn several_lines_that_are_pasted_are_one_value_and_no_keys() {
    let dir = tempfile::tempdir().unwrap();
    let mut terminal = Terminal::start(console(dir.path(), &[]), 120, 40);
    terminal.until_connected();
    terminal.press("\x1b[200~tq\rtq\r\x1b[201~").press("3").until_text("ID ").press("n").until_text("New variable");
    terminal.press("PASTED\r").press("\x1b[200~one\ntwo 漢字 e\u{301} \x1b[31m\x1b[201~").until_text("漢字");
    terminal.press("\r").until_text("staged: new").until_text("漢字");
    assert!(terminal.text().contains("0 running") && !terminal.text().contains("#1 "), "{}", terminal.text());
    ends_well(terminal);
}

#[test]
fn all_variables_are_edited_at_once_and_a_mistake_is_not_lost() {
    let dir = tempfile::tempdir().unwrap();
    // The first time it leaves a mistake behind, the second time it mends it.
    let script = r#"if grep -q '^CLUSTER=$' "$1"; then sed -i 's/^CLUSTER=$/CLUSTER=mine/' "$1"; else sed -i 's/^CLUSTER=.*/CLUSTER=/' "$1"; fi"#;
    let mut terminal = with_editor(dir.path(), script);
    terminal.press("3").until_text("ID ").press("E").until_text("Nothing was staged").until_text("CLUSTER needs a value");
    terminal.press("E").until_text("1 staged").until_text("mine");
    terminal.press("q");
    assert!(terminal.ended().success());
}

#[test]
fn the_console_begins_where_it_was_left() {
    let dir = tempfile::tempdir().unwrap();
    let mut terminal = Terminal::start(console(dir.path(), &[]), 120, 40);
    terminal.until_connected().press("t").until("the delivery", |screen| screen.contents().contains("✓ success"));
    terminal.press("/PR-\r").until_text("filter PR-").press("5").until_text("[5 Logs]").press("v").until_text("only");
    terminal.press("q");
    assert!(terminal.ended().success());
    let mut again = Terminal::start(console(dir.path(), &[]), 120, 40);
    again.until_text("[5 Logs]").until_text("only").press("5").until_text("filter PR-").press("q");
    assert!(again.ended().success());
}

#[test]
fn a_light_terminal_gets_colours_that_can_be_read_on_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = console(dir.path(), &[]);
    command.env("COLORTERM", "truecolor");
    let mut terminal = Terminal::start(command, 120, 40);
    terminal.until_connected();
    let asked = terminal.bytes().windows(8).any(|bytes| bytes == b"\x1b]11;?\x1b\\");
    assert!(asked, "the terminal is asked for its background");
    let dark = vt100::Color::Rgb(0x7f, 0xd8, 0x8f);
    terminal.until("colours for a dark background", |screen| shows_in(screen, "connected", dark));
    // The answer comes among keys, and is none.
    terminal.press("\x1b]11;rgb:ffff/ffff/ffff\x1b\\");
    terminal.until("colours for a light one", |screen| shows_in(screen, "connected", vt100::Color::Rgb(0x0b, 0x62, 0x22)));
    assert!(!terminal.text().contains("Not now"));
    terminal.press("q");
    assert!(terminal.ended().success());
}

#[test]
fn the_mouse_focuses_scrolls_and_moves_borders_and_can_be_given_back() {
    let dir = tempfile::tempdir().unwrap();
    let mut terminal = Terminal::start(console(dir.path(), &[]), 120, 40);
    terminal.until_connected().until_text("▸1 Events");
    let row = |terminal: &Terminal, text: &str| terminal.text().lines().position(|line| line.contains(text)).unwrap();
    let before = row(&terminal, "3 Variables");
    // A click into Variables.
    terminal.press(&format!("\x1b[<0;100;{}M\x1b[<0;100;{}m", before + 3, before + 3)).until_text("▸3 Variables");
    // The border below Events is dragged three rows down.
    terminal.press(&format!("\x1b[<0;30;{before}M\x1b[<32;30;{}M\x1b[<0;30;{}m", before + 3, before + 3));
    terminal.until("the border to move", |screen| {
        screen.contents().lines().position(|line| line.contains("3 Variables")) == Some(before + 3)
    });
    terminal.press("\x14").until_text("The mouse is the terminal's");
    assert!(String::from_utf8_lossy(&terminal.bytes()).contains("\x1b[?1000l"));
    terminal.press("q");
    assert!(terminal.ended().success());
    terminal.assert_restored();
}
