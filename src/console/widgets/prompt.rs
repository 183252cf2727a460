use ratatui::Frame;
use ratatui::layout::Rect;

use super::super::state::{FileName, State};
use super::super::theme::{Piece, Tone};
use super::{put, window, wrap};

/// A line being asked for, with what may be typed below it.
pub(crate) fn draw(frame: &mut Frame<'_>, state: &State, prompt: &FileName) {
    let columns = frame.area().width.saturating_sub(4).min(80);
    let hints = wrap(&[Piece::new(Tone::Dim, prompt.hint)], usize::from(columns.saturating_sub(4)));
    let height = u16::try_from(hints.len()).unwrap_or(1).saturating_add(3);
    let inner = window(frame, state.theme, &prompt.title, "Enter do it · Esc cancel", columns, height);
    if inner.height == 0 || inner.width < 4 {
        return;
    }
    put(frame.buffer_mut(), state.theme, Rect { height: 1, width: 2, ..inner }, &[Piece::new(Tone::Key, ">")], 0);
    frame.render_widget(prompt.input.area(), Rect { x: inner.x + 2, width: inner.width - 2, height: 1, ..inner });
    for (y, row) in (inner.y + 1..inner.bottom()).zip(&hints) {
        put(frame.buffer_mut(), state.theme, Rect { y, height: 1, ..inner }, row, 0);
    }
}
