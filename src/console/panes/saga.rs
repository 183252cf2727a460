use std::ops::Range;

use ratatui::Frame;
use ratatui::layout::Rect;

use super::super::state::{Cell, Saga, State};
use super::super::text::{self, pad};
use super::super::theme::{Piece, Tone};
use super::super::widgets::put;
use super::events;

/// Columns a delivery takes.
const CELL: usize = 16;
/// Rows the waterfall below the grid keeps.
const BELOW: u16 = 8;

/// The decision grid of the request: a row a transaction, a column a delivery. What is left of the area is returned.
pub(super) fn draw(frame: &mut Frame<'_>, state: &State, area: Rect) -> Rect {
    let Some(saga) = state.trace.grid() else { return area };
    let room = usize::from(area.height.saturating_sub(BELOW + 3));
    if saga.transactions.is_empty() || room < saga.transactions.len().min(2) || area.width < 40 {
        return area;
    }
    let selected = state.trace.delivery.as_ref().map(|d| d.id);
    let seen = rows(saga, selected, room);
    let height = u16::try_from(seen.len() + 3).unwrap_or(u16::MAX);
    let longest = saga.transactions.iter().map(|name| text::width(name)).max().unwrap_or_default();
    let names = longest.clamp(11, usize::from(area.width) / 3);
    let fit = (usize::from(area.width).saturating_sub(names + 2) / (CELL + 1)).max(1);
    let first = first(saga, selected, fit);
    let heading = match seen.len() {
        all if all == saga.transactions.len() => "TRANSACTION".to_owned(),
        _ => format!("{}-{} OF {}", seen.start + 1, seen.end, saga.transactions.len()),
    };
    let titles = saga.transactions.get(seen.clone()).unwrap_or_default().iter().map(|name| Piece::new(Tone::Strong, name));
    let titles = [Piece::new(Tone::Dim, heading)].into_iter().chain(titles).chain([Piece::new(Tone::Dim, "result")]);
    for (title, y) in titles.zip(area.y..area.bottom()) {
        let title = Piece::new(title.tone, pad(&title.text, names));
        put(frame.buffer_mut(), state.theme, Rect { y, height: 1, ..area }, &[Piece::new(Tone::Plain, " "), title], 0);
    }
    let mut x = area.x + u16::try_from(names + 2).unwrap_or_default();
    for column in saga.columns.iter().skip(first).take(fit) {
        let here = Some(column.delivery.id) == selected;
        let replay = if column.delivery.replay_of.is_some() { "↻" } else { "" };
        let time = text::time(column.delivery.arrived_at, &state.zone, "%T");
        let heading = Piece::new(if here { Tone::Key } else { Tone::Dim }, format!("#{}{replay} {time}", column.delivery.id));
        let (tone, result) = events::result(state, &column.delivery);
        let cells = column.cells.get(seen.clone()).unwrap_or_default().iter().map(cell);
        let pieces = std::iter::once(heading).chain(cells).chain([Piece::new(tone, result)]);
        for (piece, y) in pieces.zip(area.y..) {
            let spot = Rect::new(x, y, u16::try_from(CELL).unwrap_or_default().min(area.right().saturating_sub(x)), 1);
            put(frame.buffer_mut(), state.theme, spot, &[Piece::new(piece.tone, pad(&piece.text, CELL))], 0);
            if here {
                state.theme.select(frame.buffer_mut(), spot, false);
            }
        }
        x = x.saturating_add(u16::try_from(CELL + 1).unwrap_or_default());
    }
    let line = Rect { y: area.y + height - 1, height: 1, ..area };
    put(frame.buffer_mut(), state.theme, line, &[Piece::new(Tone::Dim, "─".repeat(usize::from(area.width)))], 0);
    Rect { y: area.y + height, height: area.height - height, ..area }
}

/// The transactions to show where not all have room: those around the one that the selected delivery came to.
fn rows(saga: &Saga, selected: Option<i64>, room: usize) -> Range<usize> {
    let all = saga.transactions.len();
    let column = saga.columns.iter().find(|c| Some(c.delivery.id) == selected).or(saga.columns.last());
    let came_to = column.and_then(|c| c.cells.iter().rposition(|cell| !matches!(cell, Cell::NotAsked | Cell::No)));
    let first = came_to.unwrap_or(0).saturating_sub(room / 2).min(all.saturating_sub(room));
    first..all.min(first + room)
}

/// The first column to show, so that the selected one and as many of the newest as possible are seen.
fn first(saga: &Saga, selected: Option<i64>, fit: usize) -> usize {
    let newest = saga.columns.len().saturating_sub(fit);
    saga.columns.iter().position(|c| Some(c.delivery.id) == selected).map_or(newest, |at| at.min(newest))
}

fn cell(cell: &Cell) -> Piece {
    let took = |symbol: &str, word: &str, micros: u64| format!("{symbol} {word}{}", text::duration(micros));
    let (tone, text) = match *cell {
        Cell::NotAsked => (Tone::Dim, "· not asked".into()),
        Cell::No => (Tone::Dim, "○ no".into()),
        Cell::Yes => (Tone::Note, "● selected".into()),
        Cell::Running => (Tone::Note, "● running".into()),
        Cell::Executed(micros) => (Tone::Good, took("✓", "done ", micros)),
        Cell::Failed(micros) => (Tone::Bad, took("✗", "failed ", micros)),
        Cell::Compensated(micros) => (Tone::Warn, took("↶", "undone ", micros)),
        Cell::NotCompensated(_) => (Tone::Bad, "✗ undo failed".into()),
    };
    Piece::new(tone, text)
}
