//! Whether the terminal's background is light: asked for (OSC 11) without ever waiting for the answer.
//!
//! The answer comes like typed keys: Alt-], `11;rgb:ffff/ffff/ffff`, then Alt-\ or Ctrl-G. Whatever begins like that is held
//! back until it is an answer, or is none: then its keys go on as if nothing had been. So an answer that is late, or that
//! never comes, is no matter.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// Asks the terminal for its background.
pub(crate) const QUESTION: &str = "\x1b]11;?\x1b\\";

/// How an answer begins, behind Alt-].
const BEGIN: &str = "11;rgb:";
/// The longest answer.
const LONGEST: usize = 40;

/// What became of a key.
#[derive(Debug, PartialEq)]
pub(crate) enum Heard {
    /// It may be part of an answer.
    Nothing,
    /// The answer: whether the background is light.
    Light(bool),
    /// These are keys.
    Keys(Vec<KeyEvent>),
}

/// Looks for the answer among the keys.
#[derive(Debug, Default)]
pub(crate) struct Ear {
    held: Vec<KeyEvent>,
}

impl Ear {
    /// Takes a key.
    pub(crate) fn hear(&mut self, key: KeyEvent) -> Heard {
        let alt = key.modifiers.contains(KeyModifiers::ALT);
        if self.held.is_empty() {
            if alt && key.code == KeyCode::Char(']') {
                self.held.push(key);
                return Heard::Nothing;
            }
            return Heard::Keys(vec![key]);
        }
        let ended = (alt && key.code == KeyCode::Char('\\'))
            || (key.modifiers.contains(KeyModifiers::CONTROL) && matches!(key.code, KeyCode::Char('g' | 'G')));
        let text: String = self.held.iter().skip(1).filter_map(|k| k.code.as_char()).collect();
        if ended && let Some(light) = light(&text) {
            self.held.clear();
            return Heard::Light(light);
        }
        self.held.push(key);
        let fits = |c: char, at: usize| BEGIN.chars().nth(at).map_or(c.is_ascii_hexdigit() || c == '/', |wanted| wanted == c);
        let goes_on =
            !ended && !alt && self.held.len() < LONGEST && key.code.as_char().is_some_and(|c| fits(c, self.held.len() - 2));
        if goes_on { Heard::Nothing } else { Heard::Keys(std::mem::take(&mut self.held)) }
    }
}

/// Whether the colour of an answer is light.
fn light(answer: &str) -> Option<bool> {
    let mut parts = answer.strip_prefix(BEGIN)?.split('/').map(|part| {
        let most = 16_u32.checked_pow(u32::try_from(part.len()).ok()?)?.checked_sub(1)?;
        Some(f64::from(u32::from_str_radix(part, 16).ok()?) / f64::from(most))
    });
    let (r, g, b) = (parts.next()??, parts.next()??, parts.next()??);
    // As bright as it is seen (ITU-R BT.601).
    Some(0.299 * r + 0.587 * g + 0.114 * b > 0.5)
}

/// What the environment tells: `COLORFGBG`, which some terminals set, ends in the number of the background.
pub(crate) fn told(colorfgbg: Option<&str>) -> bool {
    matches!(colorfgbg.and_then(|text| text.rsplit(';').next()), Some("7" | "15"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The keys crossterm makes of bytes.
    fn keys(text: &str) -> Vec<KeyEvent> {
        let mut alt = false;
        let mut all = Vec::new();
        for c in text.chars() {
            match c {
                '\x1b' => alt = true,
                '\x07' => all.push(KeyEvent::new(KeyCode::Char('g'), KeyModifiers::CONTROL)),
                c => {
                    let modifiers = if std::mem::take(&mut alt) { KeyModifiers::ALT } else { KeyModifiers::NONE };
                    all.push(KeyEvent::new(KeyCode::Char(c), modifiers));
                }
            }
        }
        all
    }

    fn heard(text: &str) -> (Option<bool>, String) {
        let (mut ear, mut light, mut typed) = (Ear::default(), None, Vec::new());
        for key in keys(text) {
            match ear.hear(key) {
                Heard::Nothing => {}
                Heard::Light(answer) => light = Some(answer),
                Heard::Keys(keys) => typed.extend(keys),
            }
        }
        typed.extend(ear.held);
        (light, typed.iter().filter_map(|k| k.code.as_char()).collect())
    }

    #[rstest::rstest]
    #[case("\x1b]11;rgb:ffff/ffff/ffff\x1b\\", Some(true), "")]
    #[case("\x1b]11;rgb:1e1e/1e1e/2e2e\x07", Some(false), "")]
    #[case("\x1b]11;rgb:ff/ff/dd\x1b\\", Some(true), "")]
    #[case("t\x1b]11;rgb:0/0/0\x1b\\q", Some(false), "tq")]
    #[case("\x1b]12", None, "]12")]
    #[case("\x1b]11;rgb:zz", None, "]11;rgb:zz")]
    #[case("\x1b]", None, "]")]
    #[case("\x1b]11;rgb:ffff\x1b\\", None, "]11;rgb:ffff\\")]
    fn an_answer_is_heard_and_everything_else_stays_keys(#[case] typed: &str, #[case] light: Option<bool>, #[case] keys: &str) {
        assert_eq!(heard(typed), (light, keys.to_owned()));
    }

    #[test]
    fn what_the_environment_tells_is_a_first_guess() {
        assert!(told(Some("0;15")) && told(Some("0;default;7")));
        assert!(!told(Some("15;0")) && !told(None) && !told(Some("")));
    }
}
