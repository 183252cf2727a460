use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::widgets::Clear;

use super::super::state::{Detail, State};
use super::super::theme::{Piece, Tone};
use super::{put, window, wrap};

/// A delivery in tabs, over the whole screen.
pub(crate) fn draw(frame: &mut Frame<'_>, state: &State, detail: &Detail) {
    let screen = frame.area();
    let Some((_, pager, folds)) = detail.tabs.get(detail.at) else { return };
    let hint = "←→ tab · ↑↓ move · space fold, - all · / search, n N · y value, Y all · Esc close";
    let inner = window(frame, state.theme, &pager.title, hint, screen.width, screen.height);
    if inner.height < 3 {
        return;
    }
    let mut names = Vec::new();
    for (place, (name, ..)) in detail.tabs.iter().enumerate() {
        let here = place == detail.at;
        let label = if here { format!("[{name}]") } else { format!(" {name} ") };
        names.push(Piece::new(if here { Tone::Key } else { Tone::Dim }, label));
    }
    put(frame.buffer_mut(), state.theme, Rect { height: 1, ..inner }, &names, 0);
    let body = Rect { y: inner.y + 1, height: inner.height - 1, ..inner };
    let seen = folds.seen(&pager.lines);
    let columns = usize::from(body.width);
    let lines: Vec<_> = seen
        .iter()
        .filter_map(|at| {
            let mut line = pager.lines.get(*at)?.clone();
            if folds.is_folded(*at) {
                line.push(Piece::new(Tone::Dim, " … "));
            }
            Some((*at, line))
        })
        .collect();
    let place = seen.iter().position(|at| *at >= pager.scroll.at).unwrap_or_default();
    let mut scroll = pager.scroll.clone();
    scroll.at = place;
    let first = scroll
        .begin(lines.len(), usize::from(body.height), |at| lines.get(at).map_or(1, |(_, line)| wrap(line, columns).len().max(1)));
    pager.scroll.adopt(&scroll);
    let mut y = body.y;
    for (at, line) in lines.iter().skip(first) {
        let rows = wrap(line, columns);
        let rows = if rows.is_empty() { vec![Vec::new()] } else { rows };
        for row in rows {
            if y >= body.bottom() {
                break;
            }
            let area = Rect::new(body.x, y, body.width, 1);
            put(frame.buffer_mut(), state.theme, area, &row, 0);
            if *at == pager.scroll.at || pager.hit(line) {
                state.theme.select(frame.buffer_mut(), area, *at == pager.scroll.at);
            }
            y += 1;
        }
    }
    if let Some(input) = pager.typing.as_ref().filter(|_| inner.width > 8) {
        let row = Rect { y: inner.bottom() - 1, height: 1, ..inner };
        frame.render_widget(Clear, row);
        put(frame.buffer_mut(), state.theme, row, &[Piece::new(Tone::Key, "/")], 0);
        frame.render_widget(input.area(), Rect { x: row.x + 1, width: row.width - 1, ..row });
    }
}
