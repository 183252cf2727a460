use std::collections::HashMap;

use ratatui::Frame;
use ratatui::layout::Rect;
use serde_json::Value;

use super::super::super::state::{Pane, Part, State, cells};
use super::super::super::text;
use super::super::super::theme::{Piece, Pieces, Tone};
use super::super::super::widgets::put;
use super::documents::mark;
use super::{heading, title, without_documents};

/// The widest a column may be.
const WIDEST: usize = 32;

/// The documents as rows, their simple values under dotted names.
pub(super) fn draw(frame: &mut Frame<'_>, state: &State, area: Rect) {
    let storage = &state.storage;
    let area = heading(frame, state, area, Part::Documents, &title(state));
    if without_documents(frame, state, area) || area.height < 2 {
        return;
    }
    let height = usize::from(area.height - 1);
    let first = storage.scroll.begin(storage.documents.len(), height, |_| 1);
    // Only what is seen is laid out.
    let seen: Vec<HashMap<String, String>> = storage
        .documents
        .iter()
        .skip(first)
        .take(height)
        .map(|d| cells(d).into_iter().map(|(n, v)| (n, cell(v))).collect())
        .collect();
    let columns: Vec<&String> = storage.columns.iter().skip(storage.first_column).collect();
    let widths: Vec<usize> = columns
        .iter()
        .map(|name| {
            let widest = seen.iter().filter_map(|row| row.get(*name)).map(|cell| text::width(cell)).max().unwrap_or(0);
            widest.max(text::width(name)).min(WIDEST)
        })
        .collect();
    let mut names: Pieces = vec![Piece::new(Tone::Plain, " ")];
    names.extend(columns.iter().zip(&widths).map(|(name, wide)| Piece::new(Tone::Dim, text::pad(name, *wide) + "  ")));
    put(frame.buffer_mut(), state.theme, Rect { height: 1, ..area }, &names, 0);
    for ((y, row), place) in (area.y + 1..area.bottom()).zip(&seen).zip(first..) {
        let mut pieces = vec![mark(storage.marks.get(place).copied().flatten())];
        for (name, wide) in columns.iter().zip(&widths) {
            let tone = if *name == "_id" { Tone::Value } else { Tone::Plain };
            pieces.push(Piece::new(tone, text::pad(row.get(*name).map_or("", String::as_str), *wide) + "  "));
        }
        let line = Rect { y, height: 1, ..area };
        put(frame.buffer_mut(), state.theme, line, &pieces, 0);
        if place == storage.scroll.at {
            let active = state.focus == Pane::Storage && storage.part != Part::Collections;
            state.theme.select(frame.buffer_mut(), line, active);
        }
    }
}

/// A value in a cell.
fn cell(value: &Value) -> String {
    let typed = value.as_object().filter(|map| map.len() == 1).and_then(|map| map.values().next()).and_then(Value::as_str);
    match (value, typed) {
        (Value::String(text), _) => text::fit(text, WIDEST),
        (_, Some(text)) => text::fit(text, WIDEST),
        (Value::Array(items), _) => format!("[{}]", items.len()),
        (other, _) => text::fit(&other.to_string(), WIDEST),
    }
}
