//! The screen, drawn from the state. Only what is seen is laid out, however much there is.

mod events;
mod footer;
#[cfg(test)]
mod frame_tests;
mod header;
mod logs;
mod requests;
mod saga;
mod storage;
#[cfg(test)]
mod tests;
mod trace;
pub(crate) mod variables;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::layout;
use super::state::{Pane, Phase, State, Typing};
use super::text;
use super::theme::{Piece, Tone};
use super::widgets::{self, line, put};
use crate::journal::DeliveryRow;
use crate::observe::Timestamp;

/// Draws everything.
pub(crate) fn draw(frame: &mut Frame<'_>, state: &State) {
    let areas = layout::areas(state);
    header::draw(frame, state, areas.header);
    if let Some(banner) = areas.banner {
        header::banner(frame, state, banner);
    }
    if let Some(tabs) = areas.tabs {
        header::tabs(frame, state, tabs);
    }
    for (pane, area) in areas.panes {
        if area.height > 0 && area.width > 2 {
            self::pane(frame, state, pane, area);
        }
    }
    footer::draw(frame, state, areas.footer);
    for overlay in &state.overlays {
        widgets::overlay(frame, state, overlay);
    }
    footer::toast(frame, state, areas.footer);
    state.theme.finish(frame.buffer_mut());
}

fn pane(frame: &mut Frame<'_>, state: &State, pane: Pane, area: Rect) {
    match pane {
        Pane::Events => events::draw(frame, state, area),
        Pane::Trace => trace::draw(frame, state, area),
        Pane::Variables => variables::draw(frame, state, area),
        Pane::Storage => storage::draw(frame, state, area),
        Pane::Logs => logs::draw(frame, state, area),
    }
}

/// When a delivery comes again, if it does. A local Connect knows; a real one keeps its promise.
pub(crate) fn due(state: &State, delivery: &DeliveryRow) -> Option<Timestamp> {
    if state.status.as_ref().is_some_and(|s| s.mode == "local") {
        return state.waiting_after(delivery).map(|w| w.due);
    }
    let answered = later(delivery.arrived_at, delivery.micros?);
    (delivery.result.as_deref() == Some("reschedule")).then(|| later(answered, delivery.countdown.saturating_mul(1_000_000)))
}

fn later(at: Timestamp, micros: u64) -> Timestamp {
    Timestamp(at.0.saturating_add_unsigned(micros))
}

/// The frame of a pane with its number, name and what there is to say about it; what it holds goes into the area returned.
fn framed(frame: &mut Frame<'_>, state: &State, pane: Pane, area: Rect, about: &str, right: Line<'static>) -> Rect {
    let focused = state.focus == pane;
    let number = Pane::ALL.iter().position(|p| *p == pane).map_or(0, |at| at + 1);
    let tone = if focused { Tone::Key } else { Tone::Strong };
    let marker = if focused { "▸" } else { "" };
    let mut title = line(state.theme, tone, &format!(" {marker}{number} {} ", pane.title()));
    if !about.is_empty() {
        let room = usize::from(area.width).saturating_sub(title.width() + right.width() + 4);
        title.push_span(state.theme.span(&Piece::new(Tone::Dim, format!("{} ", text::fit(about, room)))));
    }
    let mut block = widgets::block(state.theme, focused).title(title.clone());
    // A pane that is too narrow for both keeps its name.
    if right.width() > 0 && title.width() + right.width() + 2 <= usize::from(area.width) {
        block = block.title(right.right_aligned());
    }
    if pane == Pane::Variables {
        block = block.title_bottom(variables::toolbar(state, usize::from(area.width.saturating_sub(2))));
    }
    // The names of the panes say the rest where there is no room for a frame.
    if area.height < 4 {
        return area;
    }
    let inner = block.inner(area);
    frame.render_widget(block, area);
    inner
}

/// A message in the middle of an empty pane.
fn notice(frame: &mut Frame<'_>, state: &State, area: Rect, lines: &[Vec<Piece>]) {
    let rows: Vec<_> = lines.iter().flat_map(|l| widgets::wrap(l, usize::from(area.width).saturating_sub(2))).collect();
    let height = u16::try_from(rows.len()).unwrap_or(u16::MAX);
    let top = area.y + area.height.saturating_sub(height) / 2;
    for (y, row) in (top..area.bottom()).zip(&rows) {
        let wide = row.iter().map(|p| text::width(p.text.trim_end())).sum::<usize>();
        let left = u16::try_from(usize::from(area.width).saturating_sub(wide) / 2).unwrap_or_default();
        put(frame.buffer_mut(), state.theme, Rect::new(area.x + left, y, area.width - left, 1), row, 0);
    }
}

/// What is said while there is no session; whether that was the case.
fn without_session(frame: &mut Frame<'_>, state: &State, area: Rect) -> bool {
    match &state.phase {
        Phase::Ready => return false,
        Phase::Starting => notice(frame, state, area, &[vec![Piece::new(Tone::Dim, "starting …")]]),
        Phase::Failed(why) => notice(
            frame,
            state,
            area,
            &[vec![Piece::new(Tone::Bad, "✗ The session could not be started.")], vec![Piece::new(Tone::Plain, why)]],
        ),
    }
    true
}

/// The line in which a filter is typed or shown, taken off the area.
fn filter_line(frame: &mut Frame<'_>, state: &State, pane: Pane, area: Rect, filter: &str) -> Rect {
    let typing: Option<&Typing> = state.typing.as_ref().filter(|t| t.pane == pane);
    if area.height < 2 || (typing.is_none() && filter.is_empty()) {
        return area;
    }
    let row = Rect { height: 1, ..area };
    let rest = Rect { y: area.y + 1, height: area.height - 1, ..area };
    match typing {
        Some(typing) => {
            put(frame.buffer_mut(), state.theme, row, &[Piece::new(Tone::Key, "/")], 0);
            let input = Rect { x: row.x + 1, width: row.width.saturating_sub(1), ..row };
            frame.render_widget(typing.input.area(), input);
        }
        None => {
            let pieces =
                [Piece::new(Tone::Warn, "filter "), Piece::new(Tone::Strong, filter), Piece::new(Tone::Dim, "  (Esc drops it)")];
            put(frame.buffer_mut(), state.theme, row, &pieces, 0);
        }
    }
    rest
}
