//! Keys: from their names in the [action table](super::action) to the actions, and back to how they are shown.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::action::{ACTIONS, Action, Context};

/// A key with or without Ctrl; Shift is part of the character.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Chord {
    pub(crate) code: KeyCode,
    pub(crate) ctrl: bool,
}

impl From<KeyEvent> for Chord {
    fn from(key: KeyEvent) -> Self {
        let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
        let code = match key.code {
            KeyCode::Tab if key.modifiers.contains(KeyModifiers::SHIFT) => KeyCode::BackTab,
            KeyCode::Char(c) if ctrl => KeyCode::Char(c.to_ascii_lowercase()),
            code => code,
        };
        Self { code, ctrl }
    }
}

/// Names of keys that are not a character, as they are written in the table and as they are shown.
const NAMED: &[(&str, KeyCode, &str)] = &[
    ("enter", KeyCode::Enter, "Enter"),
    ("esc", KeyCode::Esc, "Esc"),
    ("tab", KeyCode::Tab, "Tab"),
    ("backtab", KeyCode::BackTab, "Shift-Tab"),
    ("up", KeyCode::Up, "↑"),
    ("down", KeyCode::Down, "↓"),
    ("left", KeyCode::Left, "←"),
    ("right", KeyCode::Right, "→"),
    ("pgup", KeyCode::PageUp, "PgUp"),
    ("pgdn", KeyCode::PageDown, "PgDn"),
    ("home", KeyCode::Home, "Home"),
    ("end", KeyCode::End, "End"),
    ("space", KeyCode::Char(' '), "Space"),
    ("f1", KeyCode::F(1), "F1"),
];

/// Reads a key's name: `q`, `G`, `enter`, `ctrl-p`.
pub(crate) fn parse(name: &str) -> Option<Chord> {
    let (ctrl, name) = name.strip_prefix("ctrl-").map_or((false, name), |rest| (true, rest));
    let named = NAMED.iter().find(|(n, ..)| *n == name).map(|(_, code, _)| *code);
    let mut letters = name.chars();
    let code = named.or_else(|| letters.next().filter(|_| letters.next().is_none()).map(KeyCode::Char))?;
    Some(Chord { code, ctrl })
}

/// How a key is shown.
pub(crate) fn shown(name: &str) -> String {
    match name.strip_prefix("ctrl-") {
        Some(rest) => format!("Ctrl-{}", rest.to_uppercase()),
        None => NAMED.iter().find(|(n, ..)| *n == name).map_or_else(|| name.into(), |(_, _, shown)| (*shown).into()),
    }
}

/// The action a key means where the focus is: that of the pane before that of everywhere.
pub(crate) fn find(chord: Chord, context: Context) -> Option<&'static Action> {
    let within = |wanted: Context| {
        ACTIONS.iter().find(move |a| a.contexts.contains(&wanted) && a.keys.iter().any(|key| parse(key) == Some(chord)))
    };
    within(context).or_else(|| within(Context::Everywhere))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_of_the_table_can_be_pressed() {
        for action in ACTIONS {
            for key in action.keys {
                assert!(parse(key).is_some(), "{key} of {}", action.name);
            }
        }
    }

    #[test]
    fn no_key_means_two_things_at_one_place() {
        for context in Context::ALL {
            let mut seen = std::collections::HashMap::new();
            for action in ACTIONS.iter().filter(|a| a.contexts.contains(&context)) {
                for key in action.keys {
                    let before = seen.insert(parse(key), action.name);
                    assert_eq!(before, None, "{key} in {context:?} means {} too", action.name);
                }
            }
        }
    }

    #[test]
    fn shift_tab_is_recognised_however_the_terminal_sends_it() {
        let shifted = KeyEvent::new(KeyCode::Tab, KeyModifiers::SHIFT);
        assert_eq!(Some(Chord::from(shifted)), parse("backtab"));
        assert_eq!(Some(Chord::from(KeyEvent::new(KeyCode::Char('P'), KeyModifiers::CONTROL))), parse("ctrl-p"));
    }
}
