use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::super::state::{Pane, State, TraceLine};
use super::super::text;
use super::super::theme::{Piece, Pieces, Tone};
use super::super::widgets::{line, put, wrap};
use super::{framed, notice, without_session};

/// Columns for the time since the arrival, and for how long it took.
const OFFSET: usize = 9;
const TOOK: usize = 8;

/// The trace of the selected delivery.
pub(crate) fn draw(frame: &mut Frame<'_>, state: &State, area: Rect) {
    let trace = &state.trace;
    let (about, right) = match &trace.delivery {
        Some(d) => {
            let replay = d.replay_of.map(|of| format!(" ↻ of #{of}")).unwrap_or_default();
            (format!("of #{}{replay} {}", d.id, d.object_id), line(state.theme, Tone::Dim, &shift_note(trace.shift)))
        }
        None => (String::new(), Line::default()),
    };
    let inner = framed(frame, state, Pane::Trace, area, &about, right);
    if without_session(frame, state, inner) {
        return;
    }
    if trace.lines.is_empty() {
        let said =
            if state.events.selected().is_some() { "reading …" } else { "the trace of the selected delivery is shown here" };
        return notice(frame, state, inner, &[vec![Piece::new(Tone::Dim, said)]]);
    }
    let room = usize::from(inner.width);
    let first = trace
        .scroll
        .begin(trace.lines.len(), usize::from(inner.height), |at| trace.lines.get(at).map_or(1, |l| rows(l, room).len()));
    let mut y = inner.y;
    for (traced, place) in trace.lines.iter().skip(first).zip(first..) {
        for (nth, row) in rows(traced, room).iter().enumerate() {
            if y >= inner.bottom() {
                return;
            }
            let area = Rect::new(inner.x, y, inner.width, 1);
            draw_row(frame, state, area, traced, row, nth == 0);
            if place == trace.scroll.at && state.focus == Pane::Trace {
                frame.buffer_mut().set_style(area, state.theme.selection(true));
            }
            y += 1;
        }
    }
}

fn shift_note(shift: usize) -> String {
    if shift > 0 { format!(" ← {shift} ") } else { String::new() }
}

/// The rows a line takes: one, or as many as its text needs.
fn rows(traced: &TraceLine, room: usize) -> Vec<Pieces> {
    if !traced.wraps {
        return vec![traced.pieces.clone()];
    }
    wrap(&traced.pieces, room.saturating_sub(OFFSET + 1 + 2 * traced.depth).max(12))
}

fn draw_row(frame: &mut Frame<'_>, state: &State, area: Rect, traced: &TraceLine, row: &Pieces, first: bool) {
    let offset = traced.offset.filter(|_| first).map(|o| format!("+{}", text::duration(o))).unwrap_or_default();
    let theme = state.theme;
    put(frame.buffer_mut(), theme, area, &[Piece::new(Tone::Dim, text::pad_left(&offset, OFFSET))], 0);
    let took = traced.micros.filter(|_| first).map(text::duration).unwrap_or_default();
    let took_room = if took.is_empty() { 0 } else { u16::try_from(TOOK).unwrap_or_default() + 1 };
    let left = u16::try_from(OFFSET + 1).unwrap_or_default();
    let text_area = Rect { x: area.x.saturating_add(left), width: area.width.saturating_sub(left + took_room), ..area };
    let mut pieces = vec![Piece::new(Tone::Plain, "  ".repeat(traced.depth))];
    pieces.extend(row.iter().cloned());
    let shift = if traced.wraps { 0 } else { state.trace.shift };
    if area.width > left + took_room {
        put(frame.buffer_mut(), theme, text_area, &pieces, shift);
        let at = Rect { x: area.right() - took_room, width: took_room, ..area };
        put(frame.buffer_mut(), theme, at, &[Piece::new(Tone::Dim, text::pad_left(&took, usize::from(took_room)))], 0);
    }
}
