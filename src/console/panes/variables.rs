use ratatui::Frame;
use ratatui::layout::Rect;

use super::super::state::{Pane, Revealed, State};
use super::super::story::{shown, value_of};
use super::super::text::{self, pad};
use super::super::theme::{Piece, Pieces, Tone};
use super::super::widgets::{line, put, wrap};
use super::{framed, notice, without_session};
use crate::workbench::VariableRow;

struct Columns {
    id: usize,
    name: usize,
    value: usize,
    secure: usize,
    state: usize,
}

impl Columns {
    /// `longest` are the widths of the longest id and name.
    fn of(room: usize, longest: [usize; 2]) -> Self {
        let [longest_id, longest] = longest;
        let id = if room >= 84 { longest_id.clamp(2, 24) } else { 0 };
        let secure = if room >= 64 { 6 } else { 0 };
        let name = longest.clamp(3, 28);
        let state = 16;
        let taken = 2 + name + 1 + 1 + state + if id > 0 { id + 1 } else { 0 } + if secure > 0 { secure + 1 } else { 0 };
        Self { id, name, value: room.saturating_sub(taken).max(6), secure, state }
    }
}

/// The environment's variables: stored, staged, live.
pub(crate) fn draw(frame: &mut Frame<'_>, state: &State, area: Rect) {
    let variables = &state.variables;
    let staged = variables.staged().count();
    let right = match (variables.busy, staged) {
        (true, _) => line(state.theme, Tone::Note, " … "),
        (false, 0) => line(state.theme, Tone::Dim, ""),
        (false, n) => line(state.theme, Tone::Warn, &format!(" {n} staged: a applies ")),
    };
    let inner = framed(frame, state, Pane::Variables, area, "", right);
    if without_session(frame, state, inner) {
        return;
    }
    let inner = error(frame, state, inner, variables.error.as_deref());
    let mut list = inner;
    if let Some(message) = variables.message.as_ref().filter(|_| inner.height > 4) {
        list.height -= 1;
        let row = Rect { y: list.bottom(), height: 1, ..list };
        put(frame.buffer_mut(), state.theme, row, &[Piece::new(Tone::Note, format!("· {message}"))], 0);
    }
    if variables.rows.is_empty() {
        let said = if variables.loaded { "no variables: n adds one" } else { "reading …" };
        if variables.error.is_none() {
            notice(frame, state, list, &[vec![Piece::new(Tone::Dim, said)]]);
        }
        return;
    }
    let widest = |of: fn(&VariableRow) -> &str| variables.rows.iter().map(|v| text::width(of(v))).max().unwrap_or_default();
    let longest = [widest(|v| v.id.as_deref().unwrap_or_default()), widest(|v| &v.name)];
    let columns = Columns::of(usize::from(list.width), longest);
    if list.height > 3 {
        put(frame.buffer_mut(), state.theme, Rect { height: 1, ..list }, &heading(&columns), 0);
        list = Rect { y: list.y + 1, height: list.height - 1, ..list };
    }
    let first = variables.scroll.begin(variables.rows.len(), usize::from(list.height), |_| 1);
    for ((y, variable), place) in (list.y..list.bottom()).zip(variables.rows.iter().skip(first)).zip(first..) {
        let row = Rect::new(list.x, y, list.width, 1);
        put(frame.buffer_mut(), state.theme, row, &cells(variable, variables.revealed.as_ref(), &columns), 0);
        if place == variables.scroll.at && state.focus == Pane::Variables {
            state.theme.select(frame.buffer_mut(), row, true);
        }
    }
}

/// An error at the top of a pane, whole, in red; what is below it is returned.
pub(crate) fn error(frame: &mut Frame<'_>, state: &State, area: Rect, error: Option<&str>) -> Rect {
    let Some(error) = error else { return area };
    let rows = wrap(&[Piece::new(Tone::Bad, format!("✗ {error}"))], usize::from(area.width));
    let height = u16::try_from(rows.len()).unwrap_or(u16::MAX).min(area.height);
    for (y, row) in (area.y..area.y + height).zip(&rows) {
        put(frame.buffer_mut(), state.theme, Rect { y, height: 1, ..area }, row, 0);
    }
    Rect { y: area.y + height, height: area.height - height, ..area }
}

fn heading(columns: &Columns) -> Pieces {
    let cells = [
        (columns.id, "ID"),
        (columns.name, "KEY"),
        (columns.value, "VALUE"),
        (columns.secure, "SECURE"),
        (columns.state, "STATE"),
    ];
    let shown = cells.into_iter().filter(|(wide, _)| *wide > 0);
    let cells = shown.map(|(wide, name)| Piece::new(Tone::Dim, format!("{} ", pad(name, wide))));
    std::iter::once(Piece::new(Tone::Dim, "  ")).chain(cells).collect()
}

fn cells(variable: &VariableRow, revealed: Option<&Revealed>, columns: &Columns) -> Pieces {
    let (symbol, words, tone) = shown(variable);
    let muted = !variable.declared && variable.staged.is_none();
    let plain = if muted { Tone::Dim } else { Tone::Plain };
    let value = match (&variable.staged, revealed.filter(|r| r.name == variable.name)) {
        (_, Some(revealed)) => revealed.value.reveal().to_owned(),
        (Some(staged), None) => value_of(staged),
        (None, None) => value_of(&variable.stored),
    };
    let value = if value.contains('\n') { value.replace('\n', "⏎") } else { value };
    let cells = [
        (columns.id, Tone::Dim, pad(variable.id.as_deref().unwrap_or("-"), columns.id)),
        (columns.name, if muted { Tone::Dim } else { Tone::Strong }, pad(&variable.name, columns.name)),
        (columns.value, if variable.staged.is_some() { tone } else { plain }, pad(&value, columns.value)),
        (columns.secure, Tone::Dim, pad(if variable.secure { "yes" } else { "no" }, columns.secure)),
        (columns.state, tone, pad(words, columns.state)),
    ];
    let shown = cells.into_iter().filter(|(wide, ..)| *wide > 0);
    let cells = shown.map(|(_, tone, text)| Piece::new(tone, format!("{text} ")));
    std::iter::once(Piece::new(tone, format!("{symbol} "))).chain(cells).collect()
}
