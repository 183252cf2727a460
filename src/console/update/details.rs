//! Keys in the tabs of a delivery.

use crossterm::event::{KeyCode, KeyEvent};

use super::super::action::Do;
use super::super::message::Effect;
use super::super::state::{Detail, Input, Overlay, Pager, State};
use super::super::story;
use super::super::theme::Tone;
use super::{acts, moves};

/// A key; whatever stays open comes back.
pub(crate) fn press(
    state: &mut State,
    mut detail: Box<Detail>,
    key: KeyEvent,
    what: Option<Do>,
    effects: &mut Vec<Effect>,
) -> Option<Overlay> {
    match (key.code, what) {
        (KeyCode::Enter, _) | (_, Some(Do::Quit)) => return None,
        (KeyCode::Right | KeyCode::Tab, _) | (_, Some(Do::Right)) => detail.turn(1),
        (KeyCode::Left | KeyCode::BackTab, _) | (_, Some(Do::Left)) => detail.turn(-1),
        (KeyCode::Char(digit @ '1'..='7'), _) => {
            detail.at = usize::try_from(u32::from(digit) - u32::from('1')).unwrap_or_default();
        }
        _ => {
            if let Some((pager, folds)) = detail.shown() {
                within(state, pager, folds, key, what, effects);
            }
        }
    }
    Some(Overlay::Detail(detail))
}

fn within(
    state: &mut State,
    pager: &mut Pager,
    folds: &mut super::super::state::Folds,
    key: KeyEvent,
    what: Option<Do>,
    effects: &mut Vec<Effect>,
) {
    match (key.code, what) {
        (KeyCode::Char(' '), _) => pager.scroll.at = folds.toggle(&pager.lines, pager.scroll.at),
        (KeyCode::Char('-'), _) => {
            folds.all(&pager.lines);
            let seen = folds.seen(&pager.lines);
            pager.scroll.at = seen.into_iter().rev().find(|at| *at <= pager.scroll.at).unwrap_or_default();
        }
        (KeyCode::Char('/'), _) => pager.typing = Some(Box::new(Input::new(""))),
        (KeyCode::Char(next @ ('n' | 'N')), _) => {
            pager.seek(next == 'n');
            folds.show(&pager.lines, pager.scroll.at);
        }
        (KeyCode::Char('y'), _) => {
            if let Some(line) = pager.lines.get(pager.scroll.at) {
                acts::put_on_clipboard(state, "the value", story::copied(line), effects);
            }
        }
        (KeyCode::Char('Y'), _) => acts::put_on_clipboard(state, "all of it", pager.whole.clone(), effects),
        (_, Some(what)) => {
            // Movements go over the lines that are seen.
            let seen = folds.seen(&pager.lines);
            let place = seen.iter().position(|at| *at >= pager.scroll.at).unwrap_or_default();
            let mut scroll = pager.scroll.clone();
            scroll.at = place;
            if let Some(by) = moves::distance(what, &scroll) {
                scroll.step(by, seen.len());
                pager.scroll.at = seen.get(scroll.at).copied().unwrap_or_default();
            }
        }
        _ => {}
    }
}

/// A key while what to search for is typed.
pub(crate) fn search(state: &mut State, detail: &mut Detail, key: KeyEvent) {
    let Some((pager, folds)) = detail.shown() else { return };
    let Some(mut input) = pager.typing.take() else { return };
    match key.code {
        KeyCode::Esc => {}
        KeyCode::Enter => {
            pager.needle = input.text().to_lowercase();
            if pager.needle.is_empty() || pager.seek(true) {
                folds.show(&pager.lines, pager.scroll.at);
            } else {
                state.say(Tone::Warn, pager.in_vain(input.text()));
                pager.needle.clear();
            }
        }
        _ => {
            input.key(key);
            pager.typing = Some(input);
        }
    }
}
