use ratatui::Frame;
use ratatui::layout::Rect;

use super::super::super::state::{Bar, FIELDS, State};
use super::super::super::text;
use super::super::super::theme::{Piece, Tone};
use super::super::super::widgets::{put, wrap};

/// Columns of a field's name.
const NAME: u16 = 9;

/// The query that is typed or stands, taken off the area.
pub(super) fn draw(frame: &mut Frame<'_>, state: &State, area: Rect) -> Rect {
    if area.height < 2 {
        return area;
    }
    match &state.storage.bar {
        Some(bar) => typing(frame, state, area, bar),
        None if state.storage.narrowed() => standing(frame, state, area),
        None => area,
    }
}

fn below(area: Rect, rows: u16) -> Rect {
    let rows = rows.min(area.height);
    Rect { y: area.y + rows, height: area.height - rows, ..area }
}

fn standing(frame: &mut Frame<'_>, state: &State, area: Rect) -> Rect {
    let hint = "  (Esc drops it)";
    let starred = state
        .storage
        .favourites
        .iter()
        .any(|q| crate::workbench::StoreQuery { skip: 0, limit: 0, ..state.storage.query.clone() } == *q);
    let name = if starred { "favourite " } else { "filter " };
    let room = usize::from(area.width).saturating_sub(text::width(hint) + text::width(name));
    let pieces = [
        Piece::new(Tone::Warn, name),
        Piece::new(Tone::Strong, text::fit(&state.storage.summary(), room)),
        Piece::new(Tone::Dim, hint),
    ];
    put(frame.buffer_mut(), state.theme, Rect { height: 1, ..area }, &pieces, 0);
    below(area, 1)
}

/// All fields where there is room, otherwise the one that is typed in; below it what is wrong with it.
fn typing(frame: &mut Frame<'_>, state: &State, area: Rect, bar: &Bar) -> Rect {
    let all = area.height >= 12;
    let mut used = 0;
    for (at, (name, input)) in FIELDS.iter().zip(&bar.fields).enumerate() {
        let active = at == bar.at;
        if !all && !active {
            continue;
        }
        let row = Rect { y: area.y + used, height: 1, ..area };
        let tone = if active { Tone::Key } else { Tone::Dim };
        put(frame.buffer_mut(), state.theme, row, &[Piece::new(tone, *name)], 0);
        let field = Rect { x: row.x + NAME.min(row.width), width: row.width.saturating_sub(NAME), ..row };
        if active {
            frame.render_widget(input.area(), field);
        } else {
            put(frame.buffer_mut(), state.theme, field, &[Piece::new(Tone::Plain, input.text())], 0);
        }
        used += 1;
        if let (true, Some((column, why))) = (active, &bar.error) {
            // In a field that is scrolled, the cursor alone points.
            let fits = text::width(input.text()) < usize::from(field.width);
            used += wrong(frame, state, below(area, used), fits.then_some(*column), why);
        }
    }
    let rest = below(area, used);
    if bar.error.is_some() || rest.height < 2 {
        return rest;
    }
    let hint = "Enter asks · Tab next field · ↑↓ history · Esc leaves";
    put(frame.buffer_mut(), state.theme, Rect { height: 1, ..rest }, &[Piece::new(Tone::Dim, hint)], 0);
    below(rest, 1)
}

/// An arrow under the character that is wrong, and why; how many rows that took.
fn wrong(frame: &mut Frame<'_>, state: &State, area: Rect, column: Option<usize>, why: &str) -> u16 {
    if area.height < 2 {
        return 0;
    }
    let column = column.map(|column| u16::try_from(column).unwrap_or(u16::MAX).saturating_add(NAME));
    if let Some(column) = column.filter(|column| *column < area.width) {
        let arrow = Rect { x: area.x + column, width: 1, height: 1, ..area };
        put(frame.buffer_mut(), state.theme, arrow, &[Piece::new(Tone::Bad, "↑")], 0);
    }
    let rows = wrap(&[Piece::new(Tone::Bad, format!("✗ {why}"))], usize::from(area.width));
    let mut used = u16::from(column.is_some());
    for row in rows.iter().take(usize::from(area.height.saturating_sub(1)).min(3)) {
        put(frame.buffer_mut(), state.theme, Rect { y: area.y + used, height: 1, ..area }, row, 0);
        used += 1;
    }
    used
}
