use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use serde_json::Value;

use super::super::json;
use super::super::state::{Pane, Part, State};
use super::super::text;
use super::super::theme::{Piece, Pieces, Tone};
use super::super::widgets::{line, put};
use super::variables::error;
use super::{filter_line, framed, notice, without_session};
use crate::observe::Backend;

/// The documents of both stores.
pub(crate) fn draw(frame: &mut Frame<'_>, state: &State, area: Rect) {
    let storage = &state.storage;
    let backends = match storage.backend {
        Backend::Driver => "[driver] data-api",
        Backend::DataApi => "driver [data-api]",
    };
    let right = match (&storage.found, storage.busy) {
        (_, true) => line(state.theme, Tone::Note, " … "),
        (Some(found), _) => line(state.theme, Tone::Dim, &format!(" {} ", text::duration(found.micros))),
        _ => line(state.theme, Tone::Dim, ""),
    };
    let inner = framed(frame, state, Pane::Storage, area, backends, right);
    if without_session(frame, state, inner) {
        return;
    }
    let inner = filter_line(frame, state, Pane::Storage, inner, &storage.filter);
    let inner = error(frame, state, inner, storage.error.as_deref().or(storage.collections_error.as_deref()));
    let side = if inner.width >= 100 { 28 } else { inner.width.min(60) / 3 };
    let [left, right] = Layout::horizontal([Constraint::Length(side), Constraint::Min(0)]).areas(inner);
    collections(frame, state, left);
    let [documents, document] = divide(right, storage.documents.len());
    self::documents(frame, state, documents);
    self::document(frame, state, document);
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

fn collections(frame: &mut Frame<'_>, state: &State, area: Rect) {
    let storage = &state.storage;
    let title = if storage.database.is_empty() { "collections" } else { &storage.database };
    let list = heading(frame, state, area, Part::Collections, title);
    let chosen = storage.collections.iter().position(|c| Some(c) == storage.collection.as_ref()).unwrap_or_default();
    let first = (chosen + 1).saturating_sub(usize::from(list.height));
    for (y, name) in (list.y..list.bottom()).zip(storage.collections.iter().skip(first)) {
        let own = if Some(name) == storage.own.as_ref() { "• " } else { "  " };
        let row = Rect::new(list.x, y, list.width.saturating_sub(1), 1);
        put(frame.buffer_mut(), state.theme, row, &[Piece::new(Tone::Note, own), Piece::new(Tone::Plain, name)], 0);
        if Some(name) == storage.collection.as_ref() {
            let active = state.focus == Pane::Storage && storage.part == Part::Collections;
            state.theme.select(frame.buffer_mut(), row, active);
        }
    }
}

fn documents(frame: &mut Frame<'_>, state: &State, area: Rect) {
    let storage = &state.storage;
    let collection = storage.collection.as_deref().unwrap_or("-");
    let more = if storage.more() { "+" } else { "" };
    let from = if storage.skip > 0 { format!("from {} ", storage.skip + 1) } else { String::new() };
    let title = match &storage.found {
        Some(_) => format!("{collection}: {from}{}{more}", text::count(storage.documents.len(), "document")),
        None => collection.into(),
    };
    let list = heading(frame, state, area, Part::Documents, &title);
    if storage.documents.is_empty() {
        let said = match (&storage.found, &storage.error) {
            (Some(_), _) if !storage.filter.is_empty() => "no document fits the filter",
            (Some(_), _) => "this collection is empty",
            (None, Some(_)) => "",
            (None, None) => "reading …",
        };
        return notice(frame, state, list, &[vec![Piece::new(Tone::Dim, said)]]);
    }
    let first = storage.scroll.begin(storage.documents.len(), usize::from(list.height), |_| 1);
    for ((y, document), place) in (list.y..list.bottom()).zip(storage.documents.iter().skip(first)).zip(first..) {
        let row = Rect::new(list.x, y, list.width, 1);
        put(frame.buffer_mut(), state.theme, row, &summary(document), 0);
        if place == storage.scroll.at {
            let active = state.focus == Pane::Storage && storage.part == Part::Documents;
            state.theme.select(frame.buffer_mut(), row, active);
        }
    }
}

/// A document on one line: its id, then what else there is, the simple values first.
fn summary(document: &Value) -> Pieces {
    let mut pieces = Vec::new();
    let Value::Object(fields) = document else { return vec![Piece::new(Tone::Plain, json::line(document))] };
    if let Some(id) = fields.get("_id") {
        let oid = id.get("$oid").and_then(Value::as_str).or_else(|| id.as_str());
        pieces.push(Piece::new(Tone::Value, oid.map_or_else(|| json::line(id), str::to_owned)));
    }
    let simple = |v: &Value| !v.is_object() && !v.is_array();
    for (name, value) in fields.iter().filter(|(name, value)| *name != "_id" && simple(value)).take(8) {
        pieces.push(Piece::new(Tone::Dim, format!("  {name}=")));
        pieces.push(Piece::new(Tone::Plain, value.as_str().map_or_else(|| json::line(value), |t| text::fit(t, 40))));
    }
    pieces
}

fn document(frame: &mut Frame<'_>, state: &State, area: Rect) {
    let Some(document) = state.storage.selected().filter(|_| area.height > 1) else { return };
    let inner = heading(frame, state, area, Part::Document, "document (Enter: whole screen)");
    let lines = json::lines(document);
    let first = state.storage.inside.top(lines.len(), usize::from(inner.height));
    for (y, row) in (inner.y..inner.bottom()).zip(lines.iter().skip(first)) {
        put(frame.buffer_mut(), state.theme, Rect::new(inner.x, y, inner.width, 1), row, 0);
    }
}
