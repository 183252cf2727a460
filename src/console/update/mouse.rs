use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::{Position, Rect};

use super::super::action::Do;
use super::super::layout;
use super::super::message::Effect;
use super::super::state::{Overlay, Pane, Scroll, State};
use super::{acts, journal, moves, sizes};

/// How many lines a notch of the wheel moves.
const NOTCH: usize = 3;

/// The mouse: a click focuses and selects, the wheel scrolls what is below it, borders are dragged.
pub(crate) fn act(state: &mut State, event: MouseEvent, effects: &mut Vec<Effect>) {
    let at = Position { x: event.column, y: event.row };
    match event.kind {
        MouseEventKind::ScrollUp => wheel(state, at, Do::Up, effects),
        MouseEventKind::ScrollDown => wheel(state, at, Do::Down, effects),
        MouseEventKind::Down(MouseButton::Left) => press(state, at, effects),
        MouseEventKind::Drag(MouseButton::Left) => drag(state, at),
        MouseEventKind::Up(_) => state.dragging = None,
        _ => {}
    }
}

fn wheel(state: &mut State, at: Position, what: Do, effects: &mut Vec<Effect>) {
    state.dirty = true;
    if let Some(overlay) = state.overlays.last_mut() {
        let (scroll, len) = match overlay {
            Overlay::Help(scroll) => (scroll, usize::MAX / 2),
            Overlay::Pager(pager) => (&mut pager.scroll, pager.lines.len()),
            Overlay::Chooser(chooser) => (&mut chooser.scroll, chooser.ranked.len()),
            Overlay::Confirm(confirm) => (&mut confirm.scroll, confirm.lines.len()),
            _ => return,
        };
        let by = moves::distance(what, scroll).unwrap_or(0);
        return scroll.step(by.saturating_mul(3), len);
    }
    if let Some((pane, _)) = pane_at(state, at) {
        let focus = std::mem::replace(&mut state.focus, pane);
        for _ in 0..NOTCH {
            moves::perform(state, what, effects);
        }
        // Looking at another pane is not working in it.
        state.focus = focus;
    }
}

fn press(state: &mut State, at: Position, effects: &mut Vec<Effect>) {
    aim(state, at, effects);
    journal::looked(state);
}

fn aim(state: &mut State, at: Position, effects: &mut Vec<Effect>) {
    state.dirty = true;
    if !state.overlays.is_empty() || state.typing.is_some() {
        return;
    }
    let areas = layout::areas(state);
    if let Some((border, _)) = areas.borders.iter().find(|(_, area)| area.contains(at)) {
        state.dragging = Some((*border, at.x, at.y));
    }
    if let Some(pane) = areas.tabs.filter(|tabs| tabs.contains(at)).and_then(|tabs| tab_at(at.x - tabs.x)) {
        state.focus_on(pane);
        return;
    }
    let Some((pane, area)) = pane_at(state, at) else { return };
    state.focus_on(pane);
    // Variables has its buttons there, with borders or without.
    let bottom = area.bottom() - u16::from(!state.theme.plain || pane == Pane::Variables);
    let row = |scroll: &Scroll, len: usize, bottom: u16| scroll.row_at(at.y, bottom).filter(|row| *row < len);
    match pane {
        Pane::Events => {
            if let Some(row) = row(&state.events.scroll, state.events.rows.len(), bottom) {
                state.events.scroll.at = row;
                state.events.pause();
                if row + 1 == state.events.rows.len() {
                    acts::perform(state, Do::End, effects);
                }
            }
        }
        Pane::Variables if at.y == bottom && area.height > 3 => {
            if let Some(what) = super::super::panes::variables::button_at(state, area, at.x) {
                state.dragging = None;
                push_button(state, what, effects);
            }
        }
        Pane::Variables => {
            // What the session said last stands below them.
            let bottom = bottom - u16::from(state.variables.message.is_some() && area.height > 6);
            if let Some(row) = row(&state.variables.scroll, state.variables.rows.len(), bottom) {
                state.variables.scroll.at = row;
            }
        }
        Pane::Logs => {
            if let Some(row) = row(&state.logs.scroll, state.logs.rows.len(), bottom) {
                state.logs.scroll.at = row;
                state.logs.step(0);
            }
        }
        Pane::Trace | Pane::Storage => {}
    }
}

/// Does what a button is for; asks which, where it is for several things.
fn push_button(state: &mut State, what: &[Do], effects: &mut Vec<Effect>) {
    match what {
        [one] => acts::perform(state, *one, effects),
        several => acts::choose_action(state, several),
    }
}

fn pane_at(state: &State, at: Position) -> Option<(Pane, Rect)> {
    layout::areas(state).panes.into_iter().find(|(_, area)| area.contains(at))
}

/// The pane whose name stands at a column of the line of names: `[1 Events] 2 Trace ...`.
fn tab_at(column: u16) -> Option<Pane> {
    let mut left = usize::from(column);
    Pane::ALL.into_iter().find(|pane| {
        let wide = pane.title().len() + 4;
        let here = left < wide;
        left = left.saturating_sub(wide);
        here
    })
}

fn drag(state: &mut State, at: Position) {
    let Some((border, x, y)) = state.dragging else { return };
    let by = if border == super::super::state::Border::Trace {
        i32::from(at.x) - i32::from(x)
    } else {
        i32::from(at.y) - i32::from(y)
    };
    if by != 0 {
        sizes::shift(state, border, by);
        state.dragging = Some((border, at.x, at.y));
    }
}
