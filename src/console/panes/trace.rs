use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::super::state::{Pane, State, TraceLine};
use super::super::text;
use super::super::theme::{Piece, Pieces, Tone};
use super::super::widgets::{line, put, wrap};
use super::{filter_line, framed, notice, without_session};
use crate::journal::DeliveryRow;

/// Columns for the time since the arrival, and for how long it took.
const OFFSET: usize = 9;
const TOOK: usize = 8;
/// Columns for the bars, where the pane is at least this wide.
const BAR: usize = 24;
const ROOMY: u16 = 96;

/// The trace of the selected delivery.
pub(crate) fn draw(frame: &mut Frame<'_>, state: &State, area: Rect) {
    let trace = &state.trace;
    let (about, right) = match &trace.delivery {
        Some(d) => {
            let replay = d.replay_of.map(|of| format!(" ↻ of #{of}")).unwrap_or_default();
            (format!("of #{}{replay} {}", d.id, d.object_id), ending(state, d, trace.shift))
        }
        None => (String::new(), Line::default()),
    };
    let inner = framed(frame, state, Pane::Trace, area, &about, right);
    if without_session(frame, state, inner) {
        return;
    }
    let inner = filter_line(frame, state, Pane::Trace, inner, &trace.filter);
    if trace.lines.is_empty() && !trace.all.is_empty() {
        return notice(
            frame,
            state,
            inner,
            &[vec![Piece::new(Tone::Dim, "no line of this trace fits the filter: Esc drops it")]],
        );
    }
    if trace.lines.is_empty() {
        let said =
            if state.events.selected().is_some() { "reading …" } else { "the trace of the selected delivery is shown here" };
        return notice(frame, state, inner, &[vec![Piece::new(Tone::Dim, said)]]);
    }
    // The requests beside it take no bars away.
    let bars = if inner.width >= ROOMY { BAR + 1 } else { 0 };
    let inner = super::requests::draw(frame, state, inner);
    let inner = super::saga::draw(frame, state, inner);
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
            draw_row(frame, state, area, (traced, row, nth == 0), bars);
            if place == trace.scroll.at && state.focus == Pane::Trace {
                state.theme.select(frame.buffer_mut(), area, true);
            }
            y += 1;
        }
    }
}

/// How the delivery ended, at the right of the frame, where it is seen however long the trace is.
fn ending(state: &State, delivery: &DeliveryRow, shift: usize) -> Line<'static> {
    let (tone, result) = super::events::result(state, delivery);
    let (tone, result) = match state.sagas.held(delivery.id) {
        Some(held) => (Tone::Warn, format!("‖ held before {} {}", held.step_kind, held.name)),
        None => (tone, result),
    };
    let took = delivery.micros.map(|m| format!(" {}", text::duration(m))).unwrap_or_default();
    let shifted = if shift > 0 { format!(" ← {shift}") } else { String::new() };
    let mut ending = line(state.theme, tone, &format!(" {result}"));
    ending.push_span(state.theme.span(&Piece::new(Tone::Dim, format!("{took}{shifted} "))));
    ending
}

/// The rows a line takes: one, or as many as its text needs.
fn rows(traced: &TraceLine, room: usize) -> Vec<Pieces> {
    if !traced.wraps {
        return vec![traced.pieces.clone()];
    }
    wrap(&traced.pieces, room.saturating_sub(OFFSET + 1 + 2 * traced.depth).max(12))
}

fn draw_row(frame: &mut Frame<'_>, state: &State, area: Rect, (traced, row, first): (&TraceLine, &Pieces, bool), bars: usize) {
    let offset = traced.offset.filter(|_| first).map(|o| format!("+{}", text::duration(o))).unwrap_or_default();
    let theme = state.theme;
    let took = traced.micros.filter(|_| first).map(text::duration).unwrap_or_default();
    let right = match (bars, took.is_empty()) {
        (0, true) => 0,
        _ => bars + TOOK + 1,
    };
    let (left, right) = (columns(OFFSET + 1), columns(right));
    put(frame.buffer_mut(), theme, area, &[Piece::new(Tone::Dim, text::pad_left(&offset, OFFSET))], 0);
    if area.width <= left + right {
        return;
    }
    let mut pieces = vec![Piece::new(Tone::Plain, "  ".repeat(traced.depth))];
    if first && traced.step.as_ref().is_some_and(|(kind, name)| state.sagas.breakpoint(*kind, name).is_some()) {
        pieces.push(Piece::new(Tone::Bad, "◉ "));
    }
    pieces.extend(row.iter().cloned());
    // Text that is broken over rows may use the room of the bars.
    let right = if traced.wraps { 0 } else { right };
    let text_area = Rect { x: area.x + left, width: area.width - left - right, ..area };
    put(frame.buffer_mut(), theme, text_area, &pieces, if traced.wraps { 0 } else { state.trace.shift });
    if right == 0 {
        return;
    }
    let mut end = vec![Piece::new(Tone::Plain, " ")];
    if bars > 0 {
        end.extend(bar(state, traced));
    }
    end.push(Piece::new(Tone::Dim, text::pad_left(&took, TOOK)));
    put(frame.buffer_mut(), theme, Rect { x: area.right() - right, width: right, ..area }, &end, 0);
}

/// When it was and how long it took, to the scale of the whole delivery.
fn bar(state: &State, traced: &TraceLine) -> Pieces {
    let total = state.trace.delivery.as_ref().and_then(|d| d.micros).map(|total| total.max(1));
    let (Some(begun), Some(micros), Some(total)) = (traced.begun, traced.micros, total) else {
        return vec![Piece::new(Tone::Plain, " ".repeat(BAR + 1))];
    };
    let place = |at: u64| usize::try_from(at.saturating_mul(BAR as u64) / total).unwrap_or(BAR).min(BAR);
    let from = place(begun).min(BAR - 1);
    let long = place(begun.saturating_add(micros)).saturating_sub(from).max(1);
    let failed = traced.pieces.first().is_some_and(|p| p.tone == Tone::Bad);
    vec![
        Piece::new(Tone::Dim, "·".repeat(from)),
        Piece::new(if failed { Tone::Bad } else { Tone::Note }, "━".repeat(long)),
        Piece::new(Tone::Dim, "·".repeat(BAR - from - long)),
        Piece::new(Tone::Plain, " "),
    ]
}

fn columns(n: usize) -> u16 {
    u16::try_from(n).unwrap_or(u16::MAX)
}
