//! The storage inspector: collections at the left, documents beside them, as JSON, as a tree or as a table; or both
//! backends beside each other.

mod bar;
mod compare;
mod documents;
mod table;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};

use super::super::state::{Pane, Part, State, View};
use super::super::text;
use super::super::theme::{Piece, Tone};
use super::super::widgets::{line, put};
use super::variables::error;
use super::{framed, notice, without_session};
use crate::observe::Backend;
use crate::workbench::{CollectionRow, JobState};

/// The documents of both stores.
pub(crate) fn draw(frame: &mut Frame<'_>, state: &State, area: Rect) {
    let storage = &state.storage;
    let backends = match (&storage.side, storage.backend) {
        (Some(_), _) => "[data-api | driver]",
        (None, Backend::Driver) => "[driver] data-api",
        (None, Backend::DataApi) => "driver [data-api]",
    };
    let about =
        format!("{backends}{}{}", if storage.read_only { " read-only" } else { "" }, if storage.live { " live" } else { "" });
    let right = line(state.theme, if storage.busy { Tone::Note } else { Tone::Dim }, &doing(state));
    let inner = framed(frame, state, Pane::Storage, area, &about, right);
    if without_session(frame, state, inner) {
        return;
    }
    let inner = bar::draw(frame, state, inner);
    if let Some(side) = &storage.side {
        return compare::draw(frame, state, side, inner);
    }
    let inner = error(frame, state, inner, storage.error.as_deref().or(storage.collections_error.as_deref()));
    let side = if inner.width >= 100 { 30 } else { inner.width.min(60) / 3 };
    let [left, right] = Layout::horizontal([Constraint::Length(side), Constraint::Min(0)]).areas(inner);
    collections(frame, state, left);
    if storage.view == View::Table {
        return table::draw(frame, state, right);
    }
    if storage.documents.is_empty() {
        return documents::list(frame, state, right);
    }
    let [list, document] = divide(right, storage.documents.len());
    documents::list(frame, state, list);
    documents::document(frame, state, document);
}

/// What goes on: a job, a question, or how long the last answer took.
fn doing(state: &State) -> String {
    let storage = &state.storage;
    if let Some(job) = storage.job.as_ref().filter(|job| job.state == JobState::Running) {
        let of = job.total.map(|total| format!("/{}", text::number(total))).unwrap_or_default();
        let verb = job.what.split(' ').next().unwrap_or_default();
        // A table's columns are found before its rows are written.
        let (verb, done) = if job.looked > 0 && job.done == 0 { ("finding columns", job.looked) } else { (verb, job.done) };
        return format!(" {verb} {}{of} · X stops it ", text::number(done));
    }
    let waits = |verb: &str, since| match text::seconds_between(since, state.now) {
        0 => " … ".to_owned(),
        seconds => format!(" {verb} {seconds} s · Esc stops it "),
    };
    if let Some((verb, since)) = storage.looking.as_ref().and_then(|(look, since)| Some((look.verb()?, *since))) {
        return waits(verb, since);
    }
    match (&storage.found, storage.busy) {
        // What is read again every second would flicker.
        (_, true) if !storage.live => waits("reading", storage.since),
        (Some(found), _) => format!(" {} ", text::duration(found.micros)),
        _ => String::new(),
    }
}

/// The list and, where there is room, the selected document: beside it when wide, below it when high.
fn divide(area: Rect, documents: usize) -> [Rect; 2] {
    if area.width >= 90 {
        return Layout::horizontal([Constraint::Percentage(40), Constraint::Min(0)]).areas(area);
    }
    let list = u16::try_from(documents + 1).unwrap_or(u16::MAX).clamp(2, (area.height / 3).max(3));
    let list = if area.height < 6 { area.height } else { list };
    Layout::vertical([Constraint::Length(list), Constraint::Min(0)]).areas(area)
}

fn heading(frame: &mut Frame<'_>, state: &State, area: Rect, part: Part, text: &str) -> Rect {
    if area.height == 0 || area.width < 3 {
        return area;
    }
    let active = state.focus == Pane::Storage && state.storage.part == part;
    let tone = if active { Tone::Key } else { Tone::Dim };
    let row = Rect { height: 1, width: area.width - 1, ..area };
    put(frame.buffer_mut(), state.theme, row, &[Piece::new(tone, text)], 0);
    Rect { y: area.y + 1, height: area.height - 1, ..area }
}

/// The collections with their counts and, where there is room, their sizes.
fn collections(frame: &mut Frame<'_>, state: &State, area: Rect) {
    let storage = &state.storage;
    let title = if storage.database.is_empty() { "collections" } else { &storage.database };
    let list = heading(frame, state, area, Part::Collections, title);
    let chosen = storage.collections.iter().position(|c| Some(c) == storage.collection.as_ref()).unwrap_or_default();
    let first = (chosen + 1).saturating_sub(usize::from(list.height));
    let room = usize::from(list.width.saturating_sub(1));
    let sized = |name: &String| storage.sizes.get(name);
    let count = |row: &CollectionRow| text::number(row.count);
    let size = |row: &CollectionRow| row.bytes.filter(|_| room >= 28).map(text::bytes).unwrap_or_default();
    let widest = |what: &dyn Fn(&CollectionRow) -> String| {
        storage.collections.iter().filter_map(sized).map(|row| text::width(&what(row))).max().unwrap_or(0)
    };
    let (counts, sizes) = (widest(&count), widest(&size));
    for (y, name) in (list.y..list.bottom()).zip(storage.collections.iter().skip(first)) {
        let own = if Some(name) == storage.own.as_ref() { "• " } else { "  " };
        let told = sized(name).map(|row| {
            let size = if sizes > 0 { format!(" {}", text::pad_left(&size(row), sizes)) } else { String::new() };
            format!(" {}{size}", text::pad_left(&count(row), counts))
        });
        let told = told.unwrap_or_default();
        let names = room.saturating_sub(2 + text::width(&told));
        let row = Rect::new(list.x, y, list.width.saturating_sub(1), 1);
        let pieces = [Piece::new(Tone::Note, own), Piece::new(Tone::Plain, text::pad(name, names)), Piece::new(Tone::Dim, told)];
        put(frame.buffer_mut(), state.theme, row, &pieces, 0);
        if Some(name) == storage.collection.as_ref() {
            let active = state.focus == Pane::Storage && storage.part == Part::Collections;
            state.theme.select(frame.buffer_mut(), row, active);
        }
    }
    let below = list.y.saturating_add(u16::try_from(storage.collections.len()).unwrap_or(u16::MAX)).saturating_add(1);
    if let Some(note) = storage.note.as_ref().filter(|_| below < list.bottom()) {
        let area = Rect { y: below, height: list.bottom() - below, width: list.width.saturating_sub(2), ..list };
        let rows = super::super::widgets::wrap(&[Piece::new(Tone::Dim, note)], usize::from(area.width));
        for (y, row) in (area.y..area.bottom()).zip(rows) {
            put(frame.buffer_mut(), state.theme, Rect { y, height: 1, ..area }, &row, 0);
        }
    }
}

/// What is said where documents would be, if there are none; whether that was the case.
fn without_documents(frame: &mut Frame<'_>, state: &State, area: Rect) -> bool {
    let storage = &state.storage;
    if !storage.documents.is_empty() {
        return false;
    }
    let dim = |text: &str| vec![Piece::new(Tone::Dim, text)];
    let said = match (&storage.found, &storage.error) {
        (Some(_), _) if storage.query.skip > 0 => vec![dim("there are no more documents"), dim("[ goes back a page")],
        (Some(_), _) if storage.narrowed() => vec![dim("no document fits the filter"), dim("Esc drops it, / types another")],
        (Some(_), _) => {
            // The extension writes to its own collections, and nobody to what is locked.
            let own = storage.collection == storage.own && storage.elsewhere.is_none();
            let next = match (storage.read_only, own) {
                (true, _) => "it is open for reading only: L unlocks it for this session",
                (false, true) => "t has the extension write to it, i inserts a document, W a file",
                (false, false) => "i inserts a document, W those of a file",
            };
            vec![dim("this collection is empty"), dim(next)]
        }
        (None, Some(_)) => vec![dim("R asks again")],
        (None, None) if storage.stopped => {
            vec![dim("stopped before the answer came"), dim("R asks again, / asks for something else")]
        }
        (None, None) => vec![dim("reading …")],
    };
    notice(frame, state, area, &said);
    true
}

/// `requests: documents 51 to 100 of 1,234`
fn title(state: &State) -> String {
    let storage = &state.storage;
    let collection = storage.collection.as_deref().unwrap_or("-");
    let Some(found) = &storage.found else { return collection.into() };
    let here = storage.documents.len() as u64;
    let skipped = storage.query.skip;
    if here == 0 || (skipped == 0 && !found.more) {
        return format!("{collection}: {}", text::count(storage.documents.len(), "document"));
    }
    let of = match (storage.total, &storage.uncounted) {
        (Some(total), _) => format!(" of {}", text::number(total)),
        (None, _) if !storage.query.pipeline.trim().is_empty() => ", and more".into(),
        (None, Some(why)) => format!(", and more (not counted: {why})"),
        (None, None) => ", counting …".into(),
    };
    let (first, last) = (text::number(skipped + 1), text::number(skipped + here));
    format!("{collection}: documents {first} to {last}{of}")
}
