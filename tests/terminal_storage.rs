//! The storage inspector in a pseudo terminal: finding a document and its event, editing it, meeting somebody else's change.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test that fails is a test that panics

mod support;
#[path = "support/terminal.rs"]
mod terminal;

use std::path::Path;

use serde_json::{Value, json};
use support::run;
use terminal::{Terminal, console};

const ENTER: &str = "\r";
const ESC: &str = "\x1b";
const SAVE: &str = "\x13";

/// A console on the Storage pane.
fn storage(data_dir: &Path) -> Terminal {
    let mut terminal = Terminal::start(console(data_dir, &[]), 120, 40);
    terminal.until_connected();
    terminal.press("4").until_text("[driver] data-api");
    terminal
}

fn store(data_dir: &Path, arguments: &[&str]) -> Value {
    run(data_dir, &[&["store"], arguments, &["--json"]].concat()).object()
}

/// Moves to the end of the line that shows a text, in an editor that begins at its first line.
fn go_to_line(terminal: &mut Terminal, lines_down: usize) {
    terminal.press(&"\x1b[B".repeat(lines_down)).press("\x05");
}

#[test]
fn a_document_is_found_and_its_event_and_the_way_back() {
    let dir = tempfile::tempdir().unwrap();
    let mut terminal = storage(dir.path());
    terminal.until_text("this collection is empty");
    terminal.press("tt").until_text("driver_requests: 2 documents");
    let requests = run(dir.path(), &["store", "find", "--json"]).objects();
    let id = requests[0]["document"]["id"].as_str().unwrap().to_owned();

    // A query that can't be read points at the character, and stays open.
    terminal.press("/{id: }").press(ENTER).until_text("column 6").until_text("↑");
    terminal.press("\x01\x0b").press(&format!("{{id: '{id}'}}")).press(ENTER);
    terminal.until_text("driver_requests: 1 document").until_text(&id);
    terminal.press("o").until_text("wrote it; o goes back").until_text("▸2 Trace of #").until_text(&format!("{id} ─"));
    terminal.press("o").until_text("4 Storage").until_text("driver_requests: 1 document");
    terminal.press("4").until_text("http_requests: 1 document");
}

#[test]
fn an_edit_keeps_types_saves_only_what_changed_and_is_undone() {
    let dir = tempfile::tempdir().unwrap();
    let mut terminal = storage(dir.path());
    store(dir.path(), &["insert", "{_id: 1, l: NumberLong(5), d: 1.0, s: 'old'}"]);
    terminal.press("R").until_text("driver_requests: 1 document");
    terminal.press("e").until_text("Edit 1 of tutorial.driver_requests").until_text("{\"$numberLong\":\"5\"}");
    // `"s": "old"` is the fifth line: its end is replaced.
    go_to_line(&mut terminal, 4);
    terminal.press("\x7f\x7f\x7f\x7fnew\"").until_text("\"s\": \"new\"");
    // Meanwhile somebody changes another field.
    store(dir.path(), &["update", "--filter", "{_id: 1}", "{$set: {d: 2.5}}", "--yes"]);
    terminal.press(SAVE).until_text("Saved s; d was changed meanwhile");
    let document = store(dir.path(), &["find"])["document"].clone();
    assert_eq!(
        document,
        json!({"_id": {"$numberInt": "1"}, "l": {"$numberLong": "5"}, "d": {"$numberDouble": "2.5"}, "s": "new"}),
        "types are kept, and what somebody else changed too"
    );
    terminal.press("u").until_text("Undone");
    assert_eq!(store(dir.path(), &["find"])["document"]["s"], json!("old"));

    // A number typed plainly would be another type: that is asked.
    terminal.press("e").until_text("Edit 1 of");
    go_to_line(&mut terminal, 2);
    terminal.press("\x01\x0b  \"l\": 6,").until_text("\"l\": 6,").press(SAVE).until_text("l: long → int").press(ESC);
    terminal.until_gone("Another type");
    assert_eq!(store(dir.path(), &["find"])["document"]["l"], json!({"$numberLong": "5"}));

    terminal.press("d").until_text("will be deleted").press(ENTER).until_text("Deleted 1 document");
    terminal.press("u").until_text("Undone").until_text("driver_requests: 1 document");
}

#[test]
fn a_change_of_somebody_else_is_shown_three_ways_before_anything_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let mut terminal = storage(dir.path());
    store(dir.path(), &["insert", "{_id: 1, s: 'old', t: 1}"]);
    terminal.press("R").until_text("driver_requests: 1 document");
    terminal.press("e").until_text("Edit 1 of");
    go_to_line(&mut terminal, 2);
    terminal.press("\x7f\x7f\x7f\x7f\x7fmine\",").until_text("\"s\": \"mine\",");
    store(dir.path(), &["update", "--filter", "{_id: 1}", "{$set: {s: 'theirs', t: 2}}", "--yes"]);
    terminal.press(SAVE).until_text("Changed meanwhile").until_text("both changed it");
    for shown in ["before \"old\"", "yours  \"mine\"", "theirs \"theirs\""] {
        terminal.until_text(shown);
    }
    assert_eq!(store(dir.path(), &["find"])["document"]["s"], json!("theirs"), "nothing was written yet");
    terminal.press(ENTER).until_text("Saved s.");
    let document = store(dir.path(), &["find"])["document"].clone();
    assert_eq!(
        (&document["s"], &document["t"]),
        (&json!("mine"), &json!({"$numberInt": "2"})),
        "yours over theirs, field by field"
    );
}

#[test]
fn both_backends_stand_beside_each_other_and_a_pipeline_is_previewed_while_it_is_typed() {
    let dir = tempfile::tempdir().unwrap();
    let mut terminal = storage(dir.path());
    terminal.press("t").until_text("driver_requests: 1 document");
    terminal.press("B").until_text("[data-api | driver]").until_text("all 1 the same");
    store(dir.path(), &["update", "--filter", "{}", "{$set: {type: 'other'}}", "--yes"]);
    terminal.press("R").until_text("1 differ").until_text("≠ type").until_text("\"other\"").until_text("\"purchase\"");
    terminal.press(ESC).until_text("[driver] data-api");

    terminal.press("p").until_text("A pipeline over").until_text("1 {\"$match\":{}}");
    go_to_line(&mut terminal, 1);
    terminal.press("\r{$count: 'n'},").until_text("2 {\"$count\":\"n\"}").until_text("{\"n\":1}");
    terminal.press(SAVE).until_text("pipeline [").until_text("n=1");
    terminal.press(ESC).until_gone("Esc drops it");
    terminal
        .press("v")
        .until_text("tree (")
        .press("v")
        .until_text("  note  ")
        .press("lll")
        .until_gone("  note  ")
        .until_text("_id   ");
    terminal.press("s").until_text("Fields").until_text("100 %").press(ESC).until_gone("100 %");
    terminal.press("x").until_text("looks at every document").press(ESC).until_gone("looks at every");
    terminal.press("I").until_text("_id_").press(ESC).until_gone("_id_");
    terminal.press("q");
    assert!(terminal.ended().success());
}

#[test]
fn a_query_is_exported_and_imported_from_the_pane_and_remembered() {
    let dir = tempfile::tempdir().unwrap();
    let mut terminal = storage(dir.path());
    store(dir.path(), &["insert", "[{_id: 1, n: 1}, {_id: 2, n: 2}, {_id: 3, n: 3}]"]);
    terminal.press("R").until_text("driver_requests: 3 documents");
    terminal.press("/{n: {$gt: 1}}").press(ENTER).until_text("driver_requests: 2 documents");
    let file = dir.path().join("two.jsonl");
    terminal.press("w").until_text("Export all that the query finds");
    terminal.press("\x01\x0b").press(file.to_str().unwrap()).press(ENTER).until_text("Done: wrote 2 documents");
    assert_eq!(std::fs::read_to_string(&file).unwrap().lines().count(), 2);
    terminal.press(ESC).until_text("driver_requests: 3 documents");
    terminal.press("H").until_text("Queries of this collection").until_text("{n: {$gt: 1}}").press(ENTER);
    terminal.until_text("driver_requests: 2 documents").press("F").until_text("among the favourites");
    terminal.press("q");
    assert!(terminal.ended().success());
    let mut again = storage(dir.path());
    again.until_text("driver_requests: 3 documents").press("H").until_text("favourite");
}

#[test]
fn a_slow_query_is_told_and_stopped_and_huge_collections_are_paged_to_their_end() {
    let dir = tempfile::tempdir().unwrap();
    let mut terminal = storage(dir.path());
    let documents: String = (0..1_234).map(|n| format!("{{\"_id\":{n},\"n\":{n}}}\n")).collect();
    let file = dir.path().join("many.jsonl");
    std::fs::write(&file, documents).unwrap();
    run(dir.path(), &["store", "import", file.to_str().unwrap()]);
    terminal.press("R").until_text("documents 1 to 50 of 1,234");
    terminal.press("]").until_text("documents 51 to 100 of 1,234");
    terminal.press("}").until_text("documents 1,201 to 1,234 of 1,234").until_text("n=1200");
    terminal.press("[").until_text("documents 1,151 to 1,200").press("{").until_text("documents 1 to 50");
    // A thousand million additions for every document.
    let sum = |inner: &str| {
        format!("{{$reduce: {{input: {{$range: [0, 30000]}}, initialValue: 0, in: {{$add: ['$$value', {inner}]}}}}}}")
    };
    let endless = format!("{{$expr: {{$lt: [{}, 0]}}}}", sum(&sum("1")));
    terminal.press("/").press(&endless).press(ENTER).until_text("Esc stops it");
    terminal.press(ESC).until_text("Stopped. R asks again.").until_text("stopped before the answer came");
    terminal.press(ESC).until_text("documents 1 to 50 of 1,234");
}
