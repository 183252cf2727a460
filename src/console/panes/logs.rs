use ratatui::Frame;
use ratatui::layout::Rect;

use super::super::state::{Pane, State};
use super::super::story;
use super::super::text::{self, pad};
use super::super::theme::{Piece, Tone};
use super::super::widgets::{line, put};
use super::{filter_line, framed, notice, without_session};

/// The log strip.
pub(crate) fn draw(frame: &mut Frame<'_>, state: &State, area: Rect) {
    let logs = &state.logs;
    let about = logs.about();
    let shown = if about.is_empty() { String::new() } else { format!(" only {about} (Esc shows all) ") };
    let inner = framed(frame, state, Pane::Logs, area, "", line(state.theme, Tone::Warn, &shown));
    if without_session(frame, state, inner) {
        return;
    }
    let inner = filter_line(frame, state, Pane::Logs, inner, "");
    if logs.rows.is_empty() {
        let said = if !about.is_empty() {
            "no log line is like that: Esc shows all"
        } else if logs.loaded {
            "no log lines yet"
        } else {
            "reading …"
        };
        return notice(frame, state, inner, &[vec![Piece::new(Tone::Dim, said)]]);
    }
    let first = logs.scroll.begin(logs.rows.len(), usize::from(inner.height), |_| 1);
    for ((y, row), place) in (inner.y..inner.bottom()).zip(logs.rows.iter().skip(first)).zip(first..) {
        let tone = story::level(row.level);
        let delivery = row.delivery.map(|id| format!("#{id} ")).unwrap_or_default();
        let pieces = [
            Piece::new(Tone::Dim, format!("{} ", text::time(row.at, &state.zone, "%T%.3f"))),
            Piece::new(tone, pad(&row.level.to_string(), 8)),
            Piece::new(Tone::Dim, format!("{delivery}{}: ", row.target)),
            Piece::new(tone, &row.message),
        ];
        let area = Rect::new(inner.x, y, inner.width, 1);
        put(frame.buffer_mut(), state.theme, area, &pieces, 0);
        if place == logs.scroll.at && state.focus == Pane::Logs {
            state.theme.select(frame.buffer_mut(), area, true);
        }
    }
}
