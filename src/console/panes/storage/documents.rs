use ratatui::Frame;
use ratatui::layout::Rect;
use serde_json::Value;

use super::super::super::json;
use super::super::super::state::{Mark, Node, Pane, Part, State, View};
use super::super::super::text;
use super::super::super::theme::{Piece, Pieces, Tone};
use super::super::super::widgets::put;
use super::{heading, title, without_documents};

/// The documents of the page, one a line.
pub(super) fn list(frame: &mut Frame<'_>, state: &State, area: Rect) {
    let storage = &state.storage;
    let list = heading(frame, state, area, Part::Documents, &title(state));
    if without_documents(frame, state, list) {
        return;
    }
    let first = storage.scroll.begin(storage.documents.len(), usize::from(list.height), |_| 1);
    for ((y, document), place) in (list.y..list.bottom()).zip(storage.documents.iter().skip(first)).zip(first..) {
        let row = Rect::new(list.x, y, list.width, 1);
        let mut pieces = vec![mark(storage.marks.get(place).copied().flatten())];
        pieces.extend(summary(document));
        put(frame.buffer_mut(), state.theme, row, &pieces, 0);
        if place == storage.scroll.at {
            let active = state.focus == Pane::Storage && storage.part == Part::Documents;
            state.theme.select(frame.buffer_mut(), row, active);
        }
    }
}

/// What is new or changed since the page was read before.
pub(super) fn mark(mark: Option<Mark>) -> Piece {
    match mark {
        Some(Mark::New) => Piece::new(Tone::Good, "+"),
        Some(Mark::Changed) => Piece::new(Tone::Warn, "~"),
        None => Piece::new(Tone::Plain, " "),
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

/// The selected document.
pub(super) fn document(frame: &mut Frame<'_>, state: &State, area: Rect) {
    let Some(document) = state.storage.selected().filter(|_| area.height > 1) else { return };
    if state.storage.view == View::Tree {
        return tree(frame, state, area);
    }
    let inner = heading(frame, state, area, Part::Document, "document (Enter: whole screen)");
    let height = usize::from(inner.height);
    let first = state.storage.inside.top(json::height(document), height);
    for (y, row) in (inner.y..inner.bottom()).zip(json::window(document, first, height)) {
        put(frame.buffer_mut(), state.theme, Rect::new(inner.x, y, inner.width, 1), &row, 0);
    }
}

fn tree(frame: &mut Frame<'_>, state: &State, area: Rect) {
    let storage = &state.storage;
    let inner = heading(frame, state, area, Part::Document, "tree (→ then Space folds)");
    let height = usize::from(inner.height);
    let first = storage.inside.begin(storage.height(), height, |_| 1);
    for ((y, node), place) in (inner.y..inner.bottom()).zip(storage.nodes(first, height)).zip(first..) {
        let row = Rect::new(inner.x, y, inner.width, 1);
        put(frame.buffer_mut(), state.theme, row, &branch(&node), 0);
        if place == storage.inside.at && storage.part == Part::Document {
            state.theme.select(frame.buffer_mut(), row, state.focus == Pane::Storage);
        }
    }
}

fn branch(node: &Node) -> Pieces {
    let sign = match node.folded {
        Some(true) => "▸ ",
        Some(false) => "▾ ",
        None => "  ",
    };
    let tone = match (node.folded, node.kind) {
        (Some(_), _) => Tone::Dim,
        (None, "") => Tone::Good,
        _ => Tone::Note,
    };
    vec![
        Piece::new(Tone::Dim, format!("{}{sign}", "  ".repeat(node.depth))),
        Piece::new(Tone::Key, &node.name),
        Piece::new(Tone::Dim, ": "),
        Piece::new(tone, &node.value),
        Piece::new(Tone::Dim, format!("  {}", node.kind)),
    ]
}
