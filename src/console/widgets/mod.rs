//! What several panes are drawn with.

mod chooser;
mod confirm;
mod detail;
mod editor;
mod form;
mod go;
mod help;
mod lines;
mod pager;

pub(crate) use lines::{line, put, wrap};

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::widgets::{Block, BorderType, Borders, Clear, Padding};

use super::state::{Overlay, State};
use super::theme::{Theme, Tone};

/// Draws what lies over the panes.
pub(crate) fn overlay(frame: &mut Frame<'_>, state: &State, overlay: &Overlay) {
    match overlay {
        Overlay::Help(scroll) => help::draw(frame, state, scroll),
        Overlay::Chooser(chooser) => chooser::draw(frame, state, chooser),
        Overlay::Detail(detail) => detail::draw(frame, state, detail),
        Overlay::Pager(pager) => pager::draw(frame, state, pager),
        Overlay::Confirm(confirm) => confirm::draw(frame, state, confirm),
        Overlay::Form(form) => form::draw(frame, state, form),
        Overlay::Editor(editor) => editor::draw(frame, state, editor),
        Overlay::Prompt(prompt) => editor::prompt(frame, state, prompt),
        Overlay::Go => go::draw(frame, state),
    }
}

/// A frame around something; without borders in plain mode.
pub(crate) fn block(theme: Theme, focused: bool) -> Block<'static> {
    let tone = if focused { Tone::Key } else { Tone::Dim };
    let block = Block::new().border_style(theme.style(tone)).border_type(BorderType::Rounded);
    // Without borders a column of space keeps neighbours apart.
    if theme.plain { block.borders(Borders::NONE).padding(Padding::left(1)) } else { block.borders(Borders::ALL) }
}

/// Opens a window of at most this size in the middle; what it holds goes into the area returned.
fn window(frame: &mut Frame<'_>, theme: Theme, title: &str, hint: &str, columns: u16, rows: u16) -> Rect {
    let mut screen = frame.area();
    // The last row stays free for what is said meanwhile, unless every row counts.
    screen.height -= u16::from(screen.height > 8);
    let (columns, rows) = (columns.min(screen.width), rows.min(screen.height));
    let area = Rect::new((screen.width - columns) / 2, (screen.height - rows) / 2, columns, rows);
    frame.render_widget(Clear, area);
    let title = line(theme, Tone::Strong, &format!(" {} ", super::text::fit(title, usize::from(columns).saturating_sub(4))));
    let mut block = block(theme, true).padding(Padding::horizontal(1)).title(title);
    if !hint.is_empty() {
        let hint = fitting(hint, usize::from(columns).saturating_sub(4));
        block = block.title_bottom(line(theme, Tone::Dim, &format!(" {hint} ")));
    }
    let inner = block.inner(area);
    frame.render_widget(block, area);
    inner
}

/// As many parts of a hint as there is room for; the last one, the way out, is never left out.
fn fitting(hint: &str, room: usize) -> String {
    let mut parts: Vec<&str> = hint.split(" · ").collect();
    while parts.len() > 1 && super::text::width(&parts.join(" · ")) > room {
        parts.remove(parts.len() - 2);
    }
    parts.join(" · ")
}

#[cfg(test)]
mod tests {
    use super::fitting;

    #[test]
    fn the_way_out_of_a_window_is_told_however_narrow_it_is() {
        let hint = "↑↓ move · / search · y copy all · Esc close";
        assert_eq!(fitting(hint, 80), hint);
        assert_eq!(fitting(hint, 30), "↑↓ move · / search · Esc close");
        assert_eq!(fitting(hint, 3), "Esc close");
    }
}
