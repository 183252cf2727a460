//! Keys: from their names in the [action table](super::action) to the actions, and back to how they are shown.

use std::collections::HashMap;
use std::sync::OnceLock;

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
    ("backspace", KeyCode::Backspace, "Backspace"),
    ("delete", KeyCode::Delete, "Delete"),
    ("insert", KeyCode::Insert, "Insert"),
];

/// Reads a key's name: `q`, `G`, `enter`, `ctrl-p`.
pub(crate) fn parse(name: &str) -> Option<Chord> {
    let (ctrl, name) = name.strip_prefix("ctrl-").map_or((false, name), |rest| (true, rest));
    let named = NAMED.iter().find(|(n, ..)| *n == name).map(|(_, code, _)| *code);
    let function = name.strip_prefix('f').and_then(|n| n.parse().ok()).filter(|n| (1..=24).contains(n)).map(KeyCode::F);
    let named = named.or(function);
    let mut letters = name.chars();
    let code = named.or_else(|| letters.next().filter(|_| letters.next().is_none()).map(KeyCode::Char))?;
    Some(Chord { code, ctrl })
}

/// How a key is shown.
pub(crate) fn shown(name: &str) -> String {
    match name.strip_prefix("ctrl-") {
        Some(rest) => format!("Ctrl-{}", rest.to_uppercase()),
        None if name.len() > 1 && name.starts_with('f') => name.to_uppercase(),
        None => NAMED.iter().find(|(n, ..)| *n == name).map_or_else(|| name.into(), |(_, _, shown)| (*shown).into()),
    }
}

/// The names of keys that are not a character.
pub(crate) fn names() -> Vec<&'static str> {
    NAMED.iter().map(|(name, ..)| *name).chain(["f1 to f24"]).collect()
}

/// Keys the developer's configuration gives to actions, by the action's name. Set once, before anything is drawn: keys are
/// asked for wherever something is explained.
static OWN: OnceLock<HashMap<&'static str, Vec<String>>> = OnceLock::new();

/// Gives actions other keys, for as long as the process lives.
pub(crate) fn remap(own: HashMap<&'static str, Vec<String>>) {
    // A second console in one process has the keys of the first.
    let _ = OWN.set(own);
}

/// The keys of an action, the one to show first.
pub(crate) fn keys(action: &Action) -> impl Iterator<Item = &str> {
    let own = OWN.get().and_then(|own| own.get(action.name));
    let table = if own.is_some() { &[] } else { action.keys };
    own.into_iter().flatten().map(String::as_str).chain(table.iter().copied())
}

/// How the first key of an action is shown.
pub(crate) fn first(action: &Action) -> String {
    keys(action).next().map(shown).unwrap_or_default()
}

/// The action a key means where the focus is: that of the pane before that of everywhere.
pub(crate) fn find(chord: Chord, context: Context) -> Option<&'static Action> {
    let within = |wanted: Context| {
        ACTIONS.iter().find(move |a| a.contexts.contains(&wanted) && keys(a).any(|key| parse(key) == Some(chord)))
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

    #[test]
    fn function_keys_have_names() {
        assert_eq!(parse("f5").map(|c| c.code), Some(KeyCode::F(5)));
        assert_eq!(
            (shown("f5").as_str(), shown("f").as_str(), parse("f")),
            ("F5", "f", Some(Chord { code: KeyCode::Char('f'), ctrl: false }))
        );
    }
}
