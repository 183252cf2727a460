//! The main journeys of a developer in a pseudo terminal, each in no more keys than the README promises.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test that fails is a test that panics

mod support;
#[path = "support/terminal.rs"]
mod terminal;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use terminal::{Terminal, console};

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
