//! The console in a pseudo terminal: the built program, its keys, and what its screen shows.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test that fails is a test that panics

mod support;
#[path = "support/terminal.rs"]
mod terminal;

use std::path::Path;
use std::time::Duration;

use support::{program, run};
use terminal::{Terminal, console, shows_in};

const ENTER: &str = "\r";
const ESC: &str = "\x1b";
const RED: vt100::Color = vt100::Color::Idx(1);

fn start(data_dir: &Path) -> Terminal {
    let mut terminal = Terminal::start(console(data_dir, &[]), 120, 40);
    terminal.until_connected();
    terminal
}

/// Creates a Test Subscription and waits for the delivery with this number to succeed.
fn deliver(terminal: &mut Terminal, number: usize) {
    terminal.press("t");
    let id = format!("#{number} ");
    terminal.until(&format!("delivery {id}to succeed"), |screen| {
        screen.contents().lines().any(|line| line.contains(&id) && line.contains("✓ success"))
    });
}

/// The object of a delivery, as the event stream shows it.
fn object_of(terminal: &Terminal, number: usize) -> String {
    let text = terminal.text();
    let row = text.lines().find(|line| line.contains(&format!("#{number} ")) && line.contains("PR-")).unwrap();
    row.split_whitespace().find(|word| word.starts_with("PR-")).unwrap().to_owned()
}

#[test]
fn a_new_user_develops_browses_edits_and_replays_on_one_screen() {
    let dir = tempfile::tempdir().unwrap();
    let mut terminal = start(dir.path());
    terminal.until_text("to create a Test Subscription");
    deliver(&mut terminal, 1);
    let object = object_of(&terminal, 1);

    reads_the_trace(&mut terminal, &object);
    browses_both_collections(&mut terminal, &object);
    edits_a_variable(&mut terminal);
    deliver(&mut terminal, 2);
    let second = object_of(&terminal, 2);
    terminal.press("4").until_text("driver_requests_two: 1 document").until_text(&second).press("4");
    replays_the_first(&mut terminal, &object);
    survives_another_size(&mut terminal);
    explains_itself(&mut terminal);

    terminal.press("q");
    assert!(terminal.ended().success());
    terminal.assert_restored();
    finds_everything_again(dir.path(), &object);
}

fn reads_the_trace(terminal: &mut Terminal, object: &str) {
    terminal.press("2").until_text(&format!("object {object} fetched"));
    terminal.until_text("SaveRequest").until_text("✓ result: success");
    for written in ["data-api insertOne tutorial.http_requests", "driver insertOne tutorial.driver_requests"] {
        terminal.until_text(written);
    }
    terminal.press("2").until_text("1 Events");
}

fn browses_both_collections(terminal: &mut Terminal, object: &str) {
    terminal.press("4").until_text("[driver] data-api").until_text("driver_requests: 1 document");
    terminal.until_text(object).until_text("  http_requests");
    terminal.press("hj").until_text("http_requests: 1 document").until_text(object);
    terminal.press("b").until_text("driver [data-api]").until_text("http_requests: 1 document").until_text(object);
    terminal.press("k").until_text("driver_requests: 1 document").until_text(object);
    terminal.press("l").press(ENTER).until_text("(data-api)").until_text("\"connection\"");
    terminal.press(ESC).until_text("driver [data-api]");
    terminal.press("/{status: 'approved'}\r").until_text("no document fits the filter");
    terminal.press(&format!("/\x01\x0b{{id: '{object}'}}\r")).until_text("driver_requests: 1 document");
    terminal.press("/\x01\x0b{id: \r").until_text("✗ the filter can't be read");
    terminal.press(ESC).until_gone("✗ the filter").press(ESC).until_gone("Esc drops it");
    terminal.press("b").until_text("[driver] data-api").until_text("driver_requests: 1 document");
    terminal.press("4").until_text("1 Events");
}

fn edits_a_variable(terminal: &mut Terminal) {
    terminal.press("3").until_text("ID ");
    terminal.select("DRIVER_COLLECTION");
    terminal.press("e").until_text("Edit DRIVER_COLLECTION");
    terminal.press("driver_requests_two\r").until_text("1 staged");
    terminal.press("a").until_text("Apply changes").until_text("driver_requests → driver_requests_two");
    terminal.press(ENTER).until_text("Extension configuration has been updated.").until_gone("staged");
    terminal.press("3").until_text("1 Events");
}

fn replays_the_first(terminal: &mut Terminal, object: &str) {
    terminal.press("1gg").until("the first delivery to be selected", |screen| {
        screen.contents().lines().count() > 2 && (0..6).any(|y| screen.cell(y, 1).is_some_and(vt100::Cell::inverse))
    });
    terminal.select("#1 ");
    terminal.press("r").until("the replay to be selected and to say what it is", |screen| {
        (0..40).any(|y| {
            let row = screen.rows(0, 120).nth(y.into()).unwrap_or_default();
            let selected = screen.cell(y, 1).is_some_and(vt100::Cell::inverse);
            selected && row.contains("#3 ") && row.contains(object) && row.contains("↻ of #1") && row.contains("✓ success")
        })
    });
    terminal.press("1").until_text("2 Trace of #3 ↻ of #1");
}

fn survives_another_size(terminal: &mut Terminal) {
    terminal.resize(60, 16);
    terminal.until("one pane in 60x16", |screen| {
        let text = screen.contents();
        text.contains("[1 Events]") && text.contains("✓ success") && !text.contains("3 Variables of")
    });
    for (key, shown) in [("2", "SaveRequest"), ("3", "DRIVER_COLLECTION"), ("4", "driver_requests"), ("5", "5 Logs")] {
        terminal.press(key).until_text(shown);
    }
    terminal.press("1").until_text("[1 Events]");
    terminal.resize(120, 40);
    // At the very moment the size changes: no key is lost by that.
    terminal.press("1").until_gone("[1 Events]").until_text("3 Variables").until_text("4 Storage").until_text("↻ of #1");
}

fn explains_itself(terminal: &mut Terminal) {
    terminal
        .press("?")
        .until_text("run the selected delivery again")
        .until_text("Everywhere")
        .press(ESC)
        .until_gone("Everywhere");
    terminal.press(":").until_text("Commands").press("backend").until_text("switch backend").press(ENTER);
    terminal.until_text("driver [data-api]");
}

fn finds_everything_again(data_dir: &Path, object: &str) {
    let mut terminal = start(data_dir);
    terminal.until_text("3 deliveries").until_text("↻ of #1").until_text(object);
    terminal.press("3").until_text("driver_requests_two").press("3").until_text("1 Events");
    terminal.press("4").until_text("driver_requests_two: 2 documents").press("q");
    assert!(terminal.ended().success());
}

#[rstest::rstest]
#[case("-TERM")]
#[case("-HUP")]
fn a_signal_gives_the_terminal_back(#[case] signal: &str) {
    let dir = tempfile::tempdir().unwrap();
    let mut terminal = start(dir.path());
    terminal.until("the screen to be taken over", |screen| screen.alternate_screen() && screen.hide_cursor());
    terminal.signal(signal);
    assert!(terminal.ended().success());
    terminal.assert_restored();
}

#[test]
fn without_a_terminal_it_says_so_and_ends_with_2() {
    let dir = tempfile::tempdir().unwrap();
    let ran = run(dir.path(), &[]);
    assert_eq!(ran.status, 2);
    assert!(ran.stderr.contains("no terminal"), "{}", ran.stderr);
    assert!(ran.stdout.is_empty());
}

/// Whether bytes for a terminal choose a colour.
fn chooses_a_colour(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let codes = text.split("\x1b[").skip(1).filter_map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != ';')?;
        rest[end..].starts_with('m').then(|| rest[..end].to_owned())
    });
    let numbers: Vec<u16> = codes.flat_map(|c| c.split(';').filter_map(|n| n.parse().ok()).collect::<Vec<_>>()).collect();
    numbers.iter().any(|n| matches!(n, 30..=38 | 40..=48 | 90..=107))
}

#[test]
fn with_no_color_no_colour_is_sent() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = console(dir.path(), &[]);
    command.env("NO_COLOR", "1");
    let mut terminal = Terminal::start(command, 120, 40);
    terminal.until_connected();
    deliver(&mut terminal, 1);
    terminal.press("?").until_text("Everywhere").press(ESC).until_gone("Everywhere").press("q");
    assert!(terminal.ended().success());
    assert!(!chooses_a_colour(&terminal.bytes()));

    let mut coloured = start(dir.path());
    coloured.press("q");
    coloured.ended();
    assert!(chooses_a_colour(&coloured.bytes()), "otherwise this test proves nothing");
}

#[test]
fn an_idle_console_sends_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut terminal = start(dir.path());
    deliver(&mut terminal, 1);
    terminal.until_quiet_for(Duration::from_secs(2));
    terminal.press("?").until_text("Everywhere");
}

#[test]
fn a_second_console_shows_the_same_and_acts_in_the_first() {
    let dir = tempfile::tempdir().unwrap();
    let mut first = start(dir.path());
    deliver(&mut first, 1);
    let mut second = start(dir.path());
    second.until_text(&object_of(&first, 1));
    deliver(&mut second, 2);
    first.until_text("2 deliveries").until_text(&object_of(&second, 2));
    second.press("q");
    assert!(second.ended().success());
    second.assert_restored();
    deliver(&mut first, 3);
}

#[test]
fn a_database_that_is_down_is_a_red_row_and_the_runtime_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let mut terminal = start(dir.path());
    let set = |host: &str| {
        assert_eq!(run(dir.path(), &["env", "set", &format!("DB_HOST={host}")]).status, 0);
        assert_eq!(run(dir.path(), &["env", "apply"]).status, 0);
    };
    let before = program(dir.path()).args(["env", "list", "--json"]).output().unwrap();
    let host = String::from_utf8(before.stdout).unwrap();
    let host = host.lines().find(|line| line.contains("\"DB_HOST\"")).unwrap().to_owned();
    let host = host.split('"').find(|word| word.starts_with("127.0.0.1:")).unwrap();

    set("127.0.0.1:1");
    terminal.press("t").until("a red row", |screen| shows_in(screen, "! retry", RED));
    terminal.press("2").until_text("127.0.0.1:1").until_text("result: retry").press("2");
    // Connect will deliver it again; the developer need not wait for that.
    set(host);
    terminal.until_text("n deliver now").press("n").until("the second try to succeed", |screen| {
        screen.contents().lines().any(|line| line.contains("try 2") && line.contains("✓ success"))
    });
    terminal.press("2").until_text("TRANSACTION").until_text("✓ done").until_text("! retry").press("2");
    deliver(&mut terminal, 3);
}
