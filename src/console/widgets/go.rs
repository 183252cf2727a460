use ratatui::Frame;
use ratatui::layout::Rect;

use super::super::state::State;
use super::super::theme::{Piece, Tone};
use super::super::update::PLACES;
use super::{put, window};

/// Where one can go from here: the next key decides.
pub(crate) fn draw(frame: &mut Frame<'_>, state: &State) {
    let height = u16::try_from(PLACES.len()).unwrap_or(u16::MAX).saturating_add(2);
    let inner = window(frame, state.theme, "Go to", "a key · Esc stay", frame.area().width.min(76), height);
    for (y, (key, place)) in (inner.y..inner.bottom()).zip(PLACES) {
        let pieces = [Piece::new(Tone::Key, format!("{key}  ")), Piece::new(Tone::Plain, *place)];
        put(frame.buffer_mut(), state.theme, Rect::new(inner.x, y, inner.width, 1), &pieces, 0);
    }
}
