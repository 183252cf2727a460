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

fn keys_of(what: &str) -> usize {
    what.chars().count()
}

#[test]
fn first_start_trigger_and_follow_to_both_documents() {
    let dir = tempfile::tempdir().unwrap();
    let mut terminal = Terminal::start(console(dir.path(), &[]), 120, 40);
    terminal.until_connected().until_text("to create a Test Subscription");
    // t: create and deliver; g d: its documents, by the object's id; b: the same through the other backend.
    let journey = ["t", "gd", "b"];
    assert!(journey.iter().map(|keys| keys_of(keys)).sum::<usize>() <= 4, "as the README promises");
    terminal.press(journey[0]).until("the delivery to succeed", |screen| {
        screen.contents().lines().any(|line| line.contains("#1 ") && line.contains("✓ success"))
    });
    let text = terminal.text();
    let object = text.split_whitespace().find(|word| word.starts_with("PR-")).unwrap().to_owned();
    terminal.press(journey[1]).until_text("[driver] data-api").until_text("driver_requests: 1 document").until_text(&object);
    terminal.press(journey[2]).until_text("driver [data-api]").until_text("http_requests: 1 document").until_text(&object);
    // And back to where one was.
    terminal.press("\x7f").until_text("▸1 Events");
    terminal.press("q");
    assert!(terminal.ended().success());
    terminal.assert_restored();
}

#[test]
fn edit_stage_apply_and_the_next_delivery_uses_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut terminal = Terminal::start(console(dir.path(), &[]), 120, 40);
    terminal.until_connected().press("3").until_text("ID ").select("DRIVER_COLLECTION");
    // e, the value, Enter: staged; a, Enter: applied; t: delivered with it.
    terminal.press("e").until_text("Edit DRIVER_COLLECTION").press("_two\r").until_text("1 staged");
    terminal.press("a").until_text("Apply changes").press("\r").until_text("Extension configuration has been updated.");
    terminal.press("3").until_text("1 Events").press("1").until_text("[1 Events]").press("t");
    terminal.until("the delivery to succeed", |screen| screen.contents().contains("✓ success"));
    terminal.press("V").until_text("What delivery #1 ran with").until_text("driver_requests_two").press("\x1b");
    terminal.until_gone("What delivery #1 ran with").press("gd").until_text("driver_requests_two");
    terminal.press("q");
    assert!(terminal.ended().success());
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
