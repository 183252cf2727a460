use ratatui::Frame;
use ratatui::layout::Rect;

use super::super::state::{Pager, State};
use super::super::text;
use super::{put, window, wrap};

/// A text over the whole screen; only the lines that are seen are laid out.
pub(crate) fn draw(frame: &mut Frame<'_>, state: &State, pager: &Pager) {
    let screen = frame.area();
    let hint = "↑↓ PgUp PgDn g G move · y copy all · Esc close";
    let inner = window(frame, state.theme, &pager.title, hint, screen.width, screen.height);
    let columns = usize::from(inner.width);
    let first = pager.scroll.top(pager.lines.len(), usize::from(inner.height));
    let rows = pager.lines.iter().skip(first).flat_map(|line| wrap(line, columns));
    for (y, row) in (inner.y..inner.bottom()).zip(rows) {
        put(frame.buffer_mut(), state.theme, Rect::new(inner.x, y, inner.width, 1), &row, 0);
    }
    if pager.lines.len() > usize::from(inner.height) && !state.theme.plain {
        let place = text::pad_left(&format!(" line {} of {} ", first + 1, pager.lines.len()), 20);
        let x = screen.right().saturating_sub(22);
        frame.buffer_mut().set_stringn(x, screen.y, place, 20, state.theme.style(super::super::theme::Tone::Dim));
    }
}
