use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Modifier;
use ratatui::widgets::Clear;

use super::super::action::{ACTIONS, Action, Context, Do};
use super::super::keymap;
use super::super::state::State;
use super::super::text;
use super::super::theme::{Piece, Pieces, Tone};
use super::super::widgets::{put, wrap};

/// The bottom line: the keys of the focused pane.
pub(crate) fn draw(frame: &mut Frame<'_>, state: &State, area: Rect) {
    // What lies over the panes takes the keys, and says itself which.
    if !state.overlays.is_empty() {
        return frame.render_widget(Clear, area);
    }
    if let Some(keys) = typed(state) {
        let pieces: Pieces = keys
            .iter()
            .flat_map(|(key, what)| [Piece::new(Tone::Key, format!(" {key}")), Piece::new(Tone::Plain, format!(" {what}  "))])
            .collect();
        return put(frame.buffer_mut(), state.theme, area, &pieces, 0);
    }
    let here = Context::Pane(state.focus);
    let hinted = |context: Context| ACTIONS.iter().filter(move |a| a.contexts.contains(&context) && a.hint.is_some());
    let mut pieces = Vec::new();
    let mut left = usize::from(area.width);
    if let Some((_, what, seconds)) = state.work.long(state.now) {
        let said = format!(" … {what}, {seconds} s: ");
        left = left.saturating_sub(text::width(&said) + 12);
        pieces.extend([Piece::new(Tone::Note, said), Piece::new(Tone::Key, "Esc"), Piece::new(Tone::Plain, " cancels  ")]);
    }
    // What everything begins with, the way to all keys, and the way out are never left out.
    let vital = |action: &Action| matches!(action.what, Do::Trigger | Do::Help | Do::Quit);
    left = left.saturating_sub(ACTIONS.iter().filter(|a| vital(a)).map(wide).sum());
    // Where nothing can be done yet, the way to begin comes first.
    let (first, second) = if state.events.rows.is_empty() { (Context::Everywhere, here) } else { (here, Context::Everywhere) };
    for action in hinted(first).chain(hinted(second)) {
        let Some(hint) = action.hint else { continue };
        let key = keymap::first(action);
        let available = (action.available)(state).is_ok();
        // What is seldom possible takes no room while it is not.
        if matches!(action.what, Do::Release | Do::ContinueStep | Do::SkipStep | Do::AbortDelivery) && !available {
            continue;
        }
        if !vital(action) {
            let wide = wide(action);
            if wide > left {
                continue;
            }
            left -= wide;
        }
        pieces.push(Piece::new(if available { Tone::Key } else { Tone::Dim }, format!(" {key}")));
        pieces.push(Piece::new(if available { Tone::Plain } else { Tone::Dim }, format!(" {hint}  ")));
    }
    put(frame.buffer_mut(), state.theme, area, &pieces, 0);
}

/// The keys of what is being typed into: it takes all others for itself.
fn typed(state: &State) -> Option<&'static [(&'static str, &'static str)]> {
    if state.storage.bar.is_some() {
        return Some(&[]); // Its keys stand below it.
    }
    state.typing.as_ref().map(|_| [("Enter", "keep"), ("Esc", "take back")].as_slice())
}

/// The columns an action takes in the bottom line.
fn wide(action: &Action) -> usize {
    text::width(&keymap::first(action)) + action.hint.map_or(0, text::width) + 4
}

/// What is said for some seconds, just above the bottom line; in its place while something lies over the panes.
pub(crate) fn toast(frame: &mut Frame<'_>, state: &State, footer: Rect) {
    let Some(toast) = &state.toast else { return };
    if footer.y == 0 || footer.width < 8 {
        return;
    }
    let symbol = match toast.tone {
        Tone::Good => "✓ ",
        Tone::Bad => "✗ ",
        Tone::Warn => "! ",
        _ => "",
    };
    let said = Piece::new(toast.tone, format!("{symbol}{}", toast.text));
    let mut rows = wrap(&[said], usize::from(footer.width - 4));
    // On a small screen it must leave something to see.
    let over = !state.overlays.is_empty() && footer.y >= 8;
    let most = if over { 1 } else { usize::from((footer.y / 4).clamp(1, 4)) };
    if rows.len() > most {
        rows.truncate(most);
        rows.last_mut().into_iter().for_each(|row| row.push(Piece::new(toast.tone, "…")));
    }
    let wide = |row: &Pieces| row.iter().map(|p| text::width(&p.text)).sum::<usize>();
    let columns = rows.iter().map(wide).max().unwrap_or_default();
    let columns = u16::try_from(columns).unwrap_or(footer.width).saturating_add(2).min(footer.width);
    let height = u16::try_from(rows.len()).unwrap_or(1);
    let bottom = if over { footer.bottom() } else { footer.y };
    let area = Rect::new(footer.right() - columns, bottom - height, columns, height);
    frame.render_widget(Clear, area);
    // Only what went wrong is loud.
    let loud = matches!(toast.tone, Tone::Bad | Tone::Warn);
    for (y, row) in (area.y..).zip(&rows) {
        let line = Rect { y, height: 1, ..area };
        let inside = Rect { x: line.x + 1, width: line.width.saturating_sub(1), ..line };
        put(frame.buffer_mut(), state.theme, inside, row, 0);
        if loud {
            frame.buffer_mut().set_style(line, state.theme.style(toast.tone).add_modifier(Modifier::REVERSED));
        }
    }
}
