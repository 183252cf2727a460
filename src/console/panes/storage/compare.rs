use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};

use super::super::super::json;
use super::super::super::state::{Pane, Side, State, differing};
use super::super::super::text;
use super::super::super::theme::{Piece, Pieces, Tone};
use super::super::super::widgets::{put, wrap};
use super::super::notice;
use crate::workbench::{Compared, ComparedRow};

/// Both backends beside each other: the documents by their key above, what differs of the selected one below.
pub(super) fn draw(frame: &mut Frame<'_>, state: &State, side: &Side, area: Rect) {
    if let Some(why) = &side.error {
        let said = [
            vec![Piece::new(Tone::Bad, format!("✗ {why}"))],
            vec![Piece::new(Tone::Dim, "R asks again, Esc goes back to one backend")],
        ];
        return notice(frame, state, area, &said);
    }
    let Some(compared) = &side.compared else {
        return notice(frame, state, area, &[vec![Piece::new(Tone::Dim, "asking both …")]]);
    };
    if area.height < 3 {
        return;
    }
    let differ = compared.rows.len() as u64 - compared.same;
    let more = if compared.more { ", and there are more" } else { "" };
    let tone = if differ == 0 { Tone::Good } else { Tone::Warn };
    let told = if differ == 0 {
        format!("all {} the same", compared.same)
    } else {
        format!("{differ} differ, {} the same", compared.same)
    };
    let head = [Piece::new(Tone::Dim, format!("by {}: ", compared.key)), Piece::new(tone, told), Piece::new(Tone::Dim, more)];
    put(frame.buffer_mut(), state.theme, Rect { height: 1, ..area }, &head, 0);
    let rest = Rect { y: area.y + 1, height: area.height - 1, ..area };
    if compared.rows.is_empty() {
        return notice(frame, state, rest, &[vec![Piece::new(Tone::Dim, "neither has a document that fits")]]);
    }
    let rows = u16::try_from(compared.rows.len()).unwrap_or(u16::MAX).clamp(2, (rest.height / 2).max(2));
    let [list, detail] = Layout::vertical([Constraint::Length(rows), Constraint::Min(0)]).areas(rest);
    pairs(frame, state, side, compared, list);
    fields(frame, state, side, compared, detail);
}

fn pairs(frame: &mut Frame<'_>, state: &State, side: &Side, compared: &Compared, area: Rect) {
    let first = side.scroll.begin(compared.rows.len(), usize::from(area.height), |_| 1);
    for ((y, row), place) in (area.y..area.bottom()).zip(compared.rows.iter().skip(first)).zip(first..) {
        let line = Rect { y, height: 1, ..area };
        put(frame.buffer_mut(), state.theme, line, &pair(row), 0);
        if place == side.scroll.at {
            state.theme.select(frame.buffer_mut(), line, state.focus == Pane::Storage);
        }
    }
}

fn pair(row: &ComparedRow) -> Pieces {
    let key = row.key.as_str().map_or_else(|| json::line(&json::relaxed(&row.key)), str::to_owned);
    let (tone, said) = match (&row.left, &row.right) {
        (Some(_), None) => (Tone::Bad, "only through data-api".to_owned()),
        (None, Some(_)) => (Tone::Bad, "only through driver".to_owned()),
        _ if row.is_same() => (Tone::Good, "✓ the same".to_owned()),
        _ => {
            let paths: Vec<&str> = row.differences.iter().map(|d| d.path.as_str()).collect();
            (Tone::Warn, format!("≠ {}", paths.join(", ")))
        }
    };
    vec![Piece::new(Tone::Value, text::pad(&key, 28)), Piece::new(tone, format!("  {said}"))]
}

/// What differs of the selected pair, one side beside the other.
fn fields(frame: &mut Frame<'_>, state: &State, side: &Side, compared: &Compared, area: Rect) {
    let Some(row) = side.selected().filter(|_| area.height > 2) else { return };
    let names = usize::from(area.width) / 4;
    let half = (usize::from(area.width).saturating_sub(names + 2)) / 2;
    let heading = [
        Piece::new(Tone::Dim, text::pad("field", names)),
        Piece::new(Tone::Dim, text::pad(&format!(" {}", compared.left), half + 1)),
        Piece::new(Tone::Dim, text::pad(&format!(" {}", compared.right), half + 1)),
    ];
    let mut y = area.y + 1;
    put(frame.buffer_mut(), state.theme, Rect { y, height: 1, ..area }, &heading, 0);
    for (path, left, right) in differing(row) {
        let [left, right] = [left, right].map(|value| match value {
            Some(value) => wrap(&[Piece::new(Tone::Plain, json::line(&json::relaxed(value)))], half),
            None => vec![vec![Piece::new(Tone::Dim, "(not there)")]],
        });
        for at in 0..left.len().max(right.len()).min(4) {
            y += 1;
            if y >= area.bottom() {
                return;
            }
            let name = if at == 0 { text::pad(&path, names) } else { " ".repeat(names) };
            let line = Rect { y, height: 1, ..area };
            put(frame.buffer_mut(), state.theme, line, &[Piece::new(Tone::Key, name)], 0);
            for (column, side) in [(0, &left), (1, &right)] {
                let x = area.x + u16::try_from(names + 1 + column * (half + 1)).unwrap_or(u16::MAX);
                let cell = Rect { x, y, width: u16::try_from(half).unwrap_or(0), height: 1 };
                if let Some(pieces) = side.get(at).filter(|_| x < area.right()) {
                    put(frame.buffer_mut(), state.theme, cell.intersection(area), pieces, 0);
                }
            }
        }
    }
}
