use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::super::action::{self, Do};
use super::super::keymap;
use super::super::state::{Pane, Revealed, State, Variables};
use super::super::story::{shown, value_of};
use super::super::text::{self, pad};
use super::super::theme::{Piece, Pieces, Tone};
use super::super::widgets::{line, put, wrap};
use super::{filter_line, framed, notice, without_session};
use crate::workbench::VariableRow;

struct Columns {
    id: usize,
    name: usize,
    value: usize,
    secure: usize,
    state: usize,
}

impl Columns {
    /// The widths for these variables: the portal's columns first, and no wider than what stands in them.
    fn of(room: usize, variables: &Variables) -> Self {
        let widest = |of: &dyn Fn(&VariableRow) -> usize| variables.rows.iter().map(of).max().unwrap_or_default();
        let name = widest(&|v| text::width(&v.name)).clamp(3, 28);
        let state = widest(&|v| text::width(shown(v).1)).clamp(5, 19);
        let longest = widest(&|v| text::width(&value(v, variables.revealed.as_ref()))).max(8);
        let left = room.saturating_sub(2 + name + 1 + 1 + state);
        let secure = if left >= 8 + 7 { 6 } else { 0 };
        let left = left.saturating_sub(secure + usize::from(secure > 0));
        let id = widest(&|v| v.id.as_deref().map_or(1, text::width)).clamp(2, 24);
        let id = if left > id + 24 { id } else { 0 };
        let left = left.saturating_sub(id + usize::from(id > 0));
        Self { id, name, value: left.min(longest).max(6), secure, state }
    }
}

/// What the portal's buttons above its table are called, with the actions that do the same here.
const BUTTONS: [(&[Do], &str); 3] = [
    (&[Do::Apply], "APPLY CHANGES"),
    (&[Do::ExportVariables, Do::ImportVariables], "EXPORT & IMPORT"),
    (&[Do::AddVariable], "ADD"),
];

/// The portal's buttons, as far as there is room: what each does, and its pieces.
fn buttons(state: &State, room: usize) -> Vec<(&'static [Do], Pieces)> {
    let mut left = room;
    let mut all = Vec::new();
    for (acts, word) in BUTTONS {
        let actions: Vec<_> = acts.iter().filter_map(|act| action::of(*act)).collect();
        let can = actions.iter().any(|a| (a.available)(state).is_ok());
        let keys = actions.iter().map(|a| keymap::first(a)).collect::<Vec<_>>().join(" ");
        let tone = |tone| if can { tone } else { Tone::Dim };
        let pieces = vec![Piece::new(tone(Tone::Key), format!(" {keys}")), Piece::new(tone(Tone::Plain), format!(" {word} "))];
        let wide: usize = pieces.iter().map(|p| text::width(&p.text)).sum();
        if wide > left {
            break;
        }
        left -= wide;
        all.push((acts, pieces));
    }
    all
}

/// The portal's buttons, for the lower border.
pub(super) fn toolbar(state: &State, room: usize) -> Line<'static> {
    let pieces = buttons(state, room).into_iter().flat_map(|(_, pieces)| pieces);
    Line::from(pieces.map(|piece| state.theme.span(&piece)).collect::<Vec<_>>())
}

/// The actions of the button at this column of the lower border.
pub(crate) fn button_at(state: &State, area: Rect, column: u16) -> Option<&'static [Do]> {
    let mut left = usize::from(column.checked_sub(area.x + u16::from(!state.theme.plain))?);
    buttons(state, usize::from(area.width.saturating_sub(2))).into_iter().find_map(|(acts, pieces)| {
        let wide = pieces.iter().map(|p| text::width(&p.text)).sum::<usize>();
        let here = left < wide;
        left = left.saturating_sub(wide);
        here.then_some(acts)
    })
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
    list = filter_line(frame, state, Pane::Variables, list, &variables.filter);
    if variables.rows.is_empty() {
        let said = match (variables.loaded, variables.all.is_empty()) {
            (false, _) => "reading …",
            (true, true) => "no variables: n adds one, i imports some",
            (true, false) => "no variable fits the filter: Esc drops it",
        };
        if variables.error.is_none() {
            notice(frame, state, list, &[vec![Piece::new(Tone::Dim, said)]]);
        }
        return;
    }
    let columns = Columns::of(usize::from(list.width), variables);
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

/// The value as it is shown, in one line.
fn value(variable: &VariableRow, revealed: Option<&Revealed>) -> String {
    let value = match (&variable.staged, revealed.filter(|r| r.name == variable.name)) {
        (_, Some(revealed)) => revealed.value.reveal().to_owned(),
        (Some(staged), None) => value_of(staged),
        (None, None) => value_of(&variable.stored),
    };
    if value.contains('\n') { value.replace('\n', "⏎") } else { value }
}

fn cells(variable: &VariableRow, revealed: Option<&Revealed>, columns: &Columns) -> Pieces {
    let (symbol, words, tone) = shown(variable);
    let muted = !variable.declared && variable.staged.is_none();
    let plain = if muted { Tone::Dim } else { Tone::Plain };
    let value = value(variable, revealed);
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
