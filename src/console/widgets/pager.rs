use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::widgets::Clear;

use super::super::state::{Pager, State};
use super::super::text;
use super::super::theme::{Piece, Tone};
use super::{put, window, wrap};

/// A text over the whole screen; only the lines that are seen are laid out.
pub(crate) fn draw(frame: &mut Frame<'_>, state: &State, pager: &Pager) {
    let screen = frame.area();
    let hint = "↑↓ PgUp PgDn g G move · / search, n N next · y copy all · Esc close";
    let inner = window(frame, state.theme, &pager.title, hint, screen.width, screen.height);
    let columns = usize::from(inner.width);
    let first = pager.scroll.top(pager.lines.len(), usize::from(inner.height));
    let rows = pager.lines.iter().skip(first).flat_map(|line| {
        let hit = pager.hit(line);
        wrap(line, columns).into_iter().map(move |row| (row, hit))
    });
    for (y, (row, hit)) in (inner.y..inner.bottom()).zip(rows) {
        let area = Rect::new(inner.x, y, inner.width, 1);
        put(frame.buffer_mut(), state.theme, area, &row, 0);
        if hit {
            state.theme.select(frame.buffer_mut(), area, false);
        }
    }
    if let Some(input) = pager.typing.as_ref().filter(|_| inner.height > 1 && inner.width > 8) {
        let row = Rect { y: inner.bottom() - 1, height: 1, ..inner };
        frame.render_widget(Clear, row);
        put(frame.buffer_mut(), state.theme, row, &[Piece::new(Tone::Key, "/")], 0);
        frame.render_widget(input.area(), Rect { x: row.x + 1, width: row.width - 1, ..row });
    }
    if pager.lines.len() > usize::from(inner.height) && !state.theme.plain {
        let place = text::pad_left(&format!(" line {} of {} ", first + 1, pager.lines.len()), 20);
        let x = screen.right().saturating_sub(22);
        frame.buffer_mut().set_stringn(x, screen.y, place, 20, state.theme.style(Tone::Dim));
    }
}
