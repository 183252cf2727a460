use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};

use super::super::state::{Editor, EditorFor, Prompt, State};
use super::super::theme::{Piece, Pieces, Tone};
use super::{put, window, wrap};

/// A text edited in place; of a pipeline, what comes out of its stages beside it.
pub(crate) fn draw(frame: &mut Frame<'_>, state: &State, editor: &Editor) {
    let screen = frame.area();
    let hint = match editor.purpose {
        EditorFor::Replay { .. } | EditorFor::Trigger(_) => "Ctrl-S delivers it · Ctrl-O your editor · Esc leaves",
        EditorFor::Pipeline => "Ctrl-S asks it · Ctrl-O your editor · Esc leaves",
        _ => "Ctrl-S saves · Ctrl-O your editor · Esc leaves",
    };
    let inner = window(frame, state.theme, &editor.title, hint, screen.width, screen.height);
    let trouble = editor.error.as_ref().map(|why| wrap(&[Piece::new(Tone::Bad, format!("✗ {why}"))], usize::from(inner.width)));
    let trouble = trouble.unwrap_or_default();
    let rows = u16::try_from(trouble.len()).unwrap_or(0).min(inner.height / 2);
    let [text, error] = Layout::vertical([Constraint::Min(0), Constraint::Length(rows)]).areas(inner);
    let (text, preview) = if editor.purpose == EditorFor::Pipeline { beside(text) } else { (text, None) };
    frame.render_widget(editor.area(), text);
    for (y, row) in (error.y..error.bottom()).zip(&trouble) {
        put(frame.buffer_mut(), state.theme, Rect { y, height: 1, ..error }, row, 0);
    }
    let Some(preview) = preview else { return };
    if editor.preview.is_empty() && editor.previewed.is_some() {
        put(frame.buffer_mut(), state.theme, Rect { height: preview.height.min(1), ..preview }, &[Piece::new(Tone::Dim, "…")], 0);
    }
    // Where not all stages have room, the one that is typed is seen.
    let above: usize = editor.preview.iter().take(editor.stage()).map(Vec::len).sum();
    let rows: usize = editor.preview.iter().map(Vec::len).sum();
    let first = above.min(rows.saturating_sub(usize::from(preview.height)));
    for (y, row) in (preview.y..preview.bottom()).zip(editor.preview.iter().flatten().skip(first)) {
        put(frame.buffer_mut(), state.theme, Rect { y, height: 1, ..preview }, row, 0);
    }
}

/// Beside each other where it is wide, below each other where it is not.
fn beside(area: Rect) -> (Rect, Option<Rect>) {
    let [one, _, other] = if area.width >= 90 {
        Layout::horizontal([Constraint::Percentage(45), Constraint::Length(2), Constraint::Min(0)]).areas(area)
    } else {
        Layout::vertical([Constraint::Percentage(45), Constraint::Length(1), Constraint::Min(0)]).areas(area)
    };
    (one, Some(other))
}

/// One line that is asked for, with what it can become or what is wrong with it below.
pub(crate) fn prompt(frame: &mut Frame<'_>, state: &State, prompt: &Prompt) {
    let columns = frame.area().width.saturating_sub(4).min(90);
    let wide = usize::from(columns.saturating_sub(4));
    let hints = wrap(&[Piece::new(Tone::Dim, &prompt.hint)], wide);
    let below = match &prompt.error {
        Some(why) => wrap(&[Piece::new(Tone::Bad, format!("✗ {why}"))], wide),
        None => beginnings(&prompt.names, wide),
    };
    let rows = |lines: usize| u16::try_from(lines).unwrap_or(u16::MAX);
    let height = rows(hints.len() + below.len().max(2)).saturating_add(3);
    let keys =
        if prompt.purpose.is_file() { "Enter does it · Tab completes · Esc cancels" } else { "Enter does it · Esc cancels" };
    let inner = window(frame, state.theme, &prompt.title, keys, columns, height);
    // What is typed is seen in the smallest terminal, the hint where there is room.
    let hints = hints.get(..hints.len().min(usize::from(inner.height.saturating_sub(1)))).unwrap_or_default();
    let [above, line, rest] =
        Layout::vertical([Constraint::Length(rows(hints.len())), Constraint::Length(1), Constraint::Min(0)]).areas(inner);
    for (area, lines) in [(above, hints), (rest, &below)] {
        for (y, row) in (area.y..area.bottom()).zip(lines) {
            put(frame.buffer_mut(), state.theme, Rect { y, height: 1, ..area }, row, 0);
        }
    }
    frame.render_widget(prompt.input.area(), line);
}

/// Names beside each other, as many as five lines have.
fn beginnings(names: &[String], wide: usize) -> Vec<Pieces> {
    const LINES: usize = 5;
    let text = |names: &[String]| wrap(&[Piece::new(Tone::Dim, names.join("  "))], wide);
    let all = text(names);
    if names.is_empty() || all.len() <= LINES {
        return if names.is_empty() { Vec::new() } else { all };
    }
    let mut lines = all;
    lines.truncate(LINES - 1);
    lines.push(vec![Piece::new(Tone::Dim, format!("… {} in all; type on", names.len()))]);
    lines
}
