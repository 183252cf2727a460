use ratatui::Frame;
use ratatui::layout::Rect;

use super::super::state::{Form, Input, State};
use super::super::theme::{Piece, Tone};
use super::{put, window};

/// A variable being typed: its name where it is new, its value, and what the keys do.
pub(crate) fn draw(frame: &mut Frame<'_>, state: &State, form: &Form) {
    let columns = frame.area().width.saturating_sub(4).min(80);
    let hint = match (form.new, form.run) {
        (true, _) => "Enter next · Tab field · Ctrl-S secure · Ctrl-O editor · Esc cancel",
        (false, None) => "Enter stage · Ctrl-O in $EDITOR · Esc cancel",
        (false, Some(_)) => "Enter run it again · Esc cancel",
    };
    let inner = window(frame, state.theme, &form.title, hint, columns, 7);
    let secure = if form.secure { "yes: its value is never shown" } else { "no" };
    field(frame, state, inner, 0, "KEY", &form.name, form.new && !form.on_value);
    field(frame, state, inner, 1, "VALUE", &form.value, form.on_value);
    let row = Rect { y: inner.y.saturating_add(2), height: 1, ..inner };
    if inner.height > 2 {
        let pieces = [Piece::new(Tone::Dim, "SECURE  "), Piece::new(Tone::Plain, secure)];
        put(frame.buffer_mut(), state.theme, row, &pieces, 0);
    }
    if let Some(error) = form.error.as_ref().filter(|_| inner.height > 4) {
        let row = Rect { y: inner.y.saturating_add(4), height: 1, ..inner };
        put(frame.buffer_mut(), state.theme, row, &[Piece::new(Tone::Bad, format!("✗ {error}"))], 0);
    }
}

fn field(frame: &mut Frame<'_>, state: &State, inner: Rect, row: u16, label: &str, input: &Input, active: bool) {
    if row >= inner.height || inner.width < 12 {
        return;
    }
    let label_area = Rect::new(inner.x, inner.y + row, 8, 1);
    let tone = if active { Tone::Key } else { Tone::Dim };
    put(frame.buffer_mut(), state.theme, label_area, &[Piece::new(tone, label)], 0);
    let area = Rect::new(inner.x + 8, inner.y + row, inner.width - 8, 1);
    if active {
        frame.render_widget(input.area(), area);
    } else {
        let shown = if input.area().mask_char().is_some() && !input.text().is_empty() { "********" } else { input.text() };
        put(frame.buffer_mut(), state.theme, area, &[Piece::new(Tone::Plain, shown)], 0);
    }
}
