use ratatui::Frame;
use ratatui::layout::Rect;

use super::super::state::{Choice, Chooser, State};
use super::super::text;
use super::super::theme::{Piece, Tone};
use super::{put, window, wrap};

/// A list narrowed by typing.
pub(crate) fn draw(frame: &mut Frame<'_>, state: &State, chooser: &Chooser) {
    let screen = frame.area();
    let height = u16::try_from(chooser.all.len()).unwrap_or(u16::MAX).saturating_add(4);
    let height = height.min(screen.height.saturating_sub(2)).min(26);
    let inner = window(frame, state.theme, &chooser.title, "Enter do it · ↑↓ move · Esc close", screen.width.min(108), height);
    if inner.height < 2 || inner.width < 8 {
        return;
    }
    put(frame.buffer_mut(), state.theme, Rect::new(inner.x, inner.y, 2, 1), &[Piece::new(Tone::Key, ">")], 0);
    frame.render_widget(chooser.input.area(), Rect::new(inner.x + 2, inner.y, inner.width - 2, 1));
    let mut list = Rect { y: inner.y + 1, height: inner.height - 1, ..inner };
    // The selected one is told whole where its row has no room for that.
    if let Some(choice) = chooser.selected().filter(|c| list.height > 6 && !c.detail.is_empty()) {
        let rows = wrap(&[Piece::new(Tone::Plain, detail(choice))], usize::from(list.width));
        let height = u16::try_from(rows.len()).unwrap_or(1).min(3);
        list.height -= 3;
        for (y, row) in (list.bottom()..list.bottom() + height).zip(&rows) {
            put(frame.buffer_mut(), state.theme, Rect { y, height: 1, ..list }, row, 0);
        }
    }
    if chooser.ranked.is_empty() {
        let none = Piece::new(Tone::Dim, if chooser.all.is_empty() { chooser.empty } else { "nothing of that name" });
        return put(frame.buffer_mut(), state.theme, Rect { height: 1, ..list }, &[none], 0);
    }
    let names = chooser.all.iter().map(|c| text::width(&c.name)).max().unwrap_or_default().clamp(20, 46) + 2;
    let first = chooser.scroll.begin(chooser.ranked.len(), usize::from(list.height), |_| 1);
    let shown = chooser.ranked.iter().skip(first).filter_map(|i| chooser.all.get(*i));
    for ((y, choice), place) in (list.y..list.bottom()).zip(shown).zip(first..) {
        let area = Rect::new(list.x, y, list.width, 1);
        let tone = if choice.refused.is_some() { Tone::Dim } else { Tone::Plain };
        let wide = if choice.detail.is_empty() { usize::from(list.width) } else { names };
        let pieces = [
            Piece::new(tone, text::pad(&choice.name, wide)),
            Piece::new(Tone::Key, text::pad(&choice.keys, if choice.keys.is_empty() { 0 } else { 10 })),
            Piece::new(Tone::Dim, detail(choice)),
        ];
        put(frame.buffer_mut(), state.theme, area, &pieces, 0);
        if place == chooser.scroll.at {
            state.theme.select(frame.buffer_mut(), area, true);
        }
    }
}

/// What a choice does, or why it can't be chosen now.
fn detail(choice: &Choice) -> String {
    choice.refused.map_or_else(|| choice.detail.clone(), |reason| format!("not now: {reason}"))
}
