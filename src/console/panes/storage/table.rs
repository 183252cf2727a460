use ratatui::Frame;
use ratatui::layout::Rect;
use serde_json::Value;

use super::super::super::json;
use super::super::super::state::{Pane, Part, State, cell};
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
    let columns = storage.columns.len();
    let more =
        if columns > 1 { format!(" · {} and _id, ←→ moves", text::count(columns - 1, "column")) } else { String::new() };
    let area = heading(frame, state, area, Part::Documents, &format!("{}{more}", title(state)));
    if without_documents(frame, state, area) || area.height < 2 {
        return;
    }
    let height = usize::from(area.height - 1);
    let first = storage.scroll.begin(storage.documents.len(), height, |_| 1);
    // Only what is seen is laid out: the rows, and of the columns those there is room for. The `_id` never scrolls away.
    let seen: Vec<&Value> = storage.documents.iter().skip(first).take(height).collect();
    let mut room = usize::from(area.width);
    let ids = storage.columns.iter().take(1);
    let mut columns: Vec<(&String, usize, Vec<String>)> = Vec::new();
    for name in ids.chain(storage.columns.iter().skip(1 + storage.first_column)) {
        if room == 0 {
            break;
        }
        let cells: Vec<String> = seen.iter().map(|d| cell(d, name).map(shown).unwrap_or_default()).collect();
        let widest = cells.iter().map(|cell| text::width(cell)).max().unwrap_or(0);
        let wide = widest.max(text::width(name)).min(WIDEST);
        room = room.saturating_sub(wide + 2);
        columns.push((name, wide, cells));
    }
    let mut names: Pieces = vec![Piece::new(Tone::Plain, " ")];
    names.extend(columns.iter().map(|(name, wide, _)| Piece::new(Tone::Dim, text::pad(name, *wide) + "  ")));
    put(frame.buffer_mut(), state.theme, Rect { height: 1, ..area }, &names, 0);
    for ((y, row), place) in (area.y + 1..area.bottom()).zip(0..seen.len()).zip(first..) {
        let mut pieces = vec![mark(storage.marks.get(place).copied().flatten())];
        for (at, (_, wide, cells)) in columns.iter().enumerate() {
            let tone = if at == 0 { Tone::Value } else { Tone::Plain };
            pieces.push(Piece::new(tone, text::pad(cells.get(row).map_or("", String::as_str), *wide) + "  "));
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
fn shown(value: &Value) -> String {
    let one = value.as_object().filter(|map| map.len() == 1).and_then(|map| map.iter().next());
    match (value, one) {
        (Value::String(text), _) => text::fit(text, WIDEST),
        (_, Some((name, inside))) if name == "$binary" => text::fit(&json::binary(inside).unwrap_or_default(), WIDEST),
        (_, Some((name, Value::String(text)))) if name.starts_with('$') => text::fit(text, WIDEST),
        (Value::Array(items), _) => format!("[{}]", items.len()),
        (other, _) => text::fit(&json::line(other), WIDEST),
    }
}
