use ratatui::Frame;
use ratatui::layout::Rect;

use super::super::state::{Confirm, State};
use super::{put, window, wrap};

/// A question: what will happen, and the keys that answer it.
pub(crate) fn draw(frame: &mut Frame<'_>, state: &State, confirm: &Confirm) {
    let columns = frame.area().width.saturating_sub(4).min(90);
    let rows: Vec<_> = confirm.lines.iter().flat_map(|line| wrap(line, usize::from(columns.saturating_sub(4)))).collect();
    let height = u16::try_from(rows.len()).unwrap_or(u16::MAX).saturating_add(2);
    let inner = window(frame, state.theme, &confirm.title, "Enter yes · Esc no", columns, height);
    let first = confirm.scroll.top(rows.len(), usize::from(inner.height));
    for (y, row) in (inner.y..inner.bottom()).zip(rows.iter().skip(first)) {
        put(frame.buffer_mut(), state.theme, Rect::new(inner.x, y, inner.width, 1), row, 0);
    }
}
