use ratatui::Frame;
use ratatui::layout::Rect;

use super::super::action::{ACTIONS, Action, Context};
use super::super::keymap;
use super::super::state::{Scroll, State};
use super::super::text;
use super::super::theme::{Piece, Pieces, Tone};
use super::{put, window, wrap};

/// All keys: those of the focused pane first, then those of everywhere, then the other panes'.
pub(crate) fn draw(frame: &mut Frame<'_>, state: &State, scroll: &Scroll) {
    let screen = frame.area();
    let columns = screen.width.min(96);
    let lines = lines(state, usize::from(columns.saturating_sub(4)));
    let height = u16::try_from(lines.len()).unwrap_or(u16::MAX).saturating_add(2);
    let inner = window(frame, state.theme, "Keys", "↑↓ move · Esc close", columns, height.min(screen.height));
    let first = scroll.top(lines.len(), usize::from(inner.height));
    for (y, row) in (inner.y..inner.bottom()).zip(lines.iter().skip(first)) {
        put(frame.buffer_mut(), state.theme, Rect::new(inner.x, y, inner.width, 1), row, 0);
    }
}

fn lines(state: &State, room: usize) -> Vec<Pieces> {
    let here = Context::Pane(state.focus);
    let others = Context::ALL.into_iter().filter(|c| *c != here && *c != Context::Everywhere);
    let mut lines = Vec::new();
    for context in [here, Context::Everywhere].into_iter().chain(others) {
        let mut actions = ACTIONS.iter().filter(|a| a.contexts.contains(&context)).peekable();
        if actions.peek().is_none() {
            continue;
        }
        if !lines.is_empty() {
            lines.push(Vec::new());
        }
        lines.push(vec![Piece::new(Tone::Strong, context.title())]);
        lines.extend(actions.flat_map(|a| rows(state, a, room)));
    }
    lines
}

/// The columns of the keys.
const KEYS: usize = 20;

/// An action: its keys, and what it does, broken over as many rows as it needs.
fn rows(state: &State, action: &Action, room: usize) -> Vec<Pieces> {
    let keys = keymap::keys(action).map(keymap::shown).collect::<Vec<_>>().join(" ");
    let refused = (action.available)(state).err();
    let tone = if refused.is_some() { Tone::Dim } else { Tone::Plain };
    let mut said = vec![Piece::new(tone, action.description)];
    if let Some(reason) = refused {
        said.push(Piece::new(Tone::Dim, format!(" · not now: {reason}")));
    }
    let key = Piece::new(if refused.is_some() { Tone::Dim } else { Tone::Key }, text::pad(&format!("  {keys} "), KEYS));
    let margin = Piece::new(Tone::Plain, " ".repeat(KEYS));
    wrap(&said, room.saturating_sub(KEYS).max(12))
        .into_iter()
        .zip(std::iter::once(key).chain(std::iter::repeat(margin)))
        .map(|(row, before)| std::iter::once(before).chain(row).collect())
        .collect()
}
