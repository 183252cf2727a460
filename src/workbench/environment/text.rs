//! The whole set as a text for the developer's editor, and the changes an edited one asks for.

use super::Effective;
use crate::exchange::{quote, scan};
use crate::journal::placeholder;
use crate::workbench::VariableChange;

/// The text: a line a variable, secrets by their placeholders, what is declared and not set as comments.
pub(super) fn compose(environment: &str, set: &[Effective], unset: &[String]) -> String {
    let mut text = format!(
        "# The variables of {environment}. Saving stages what you change; it is applied when you say so.\n\
         # A line that is deleted stages the deletion of its variable. Values with spaces, # or several lines go in double\n\
         # quotes: \"two\\nlines\". \"# secure\" above a variable makes it a secret; «secret:NAME» stands for a value that is\n\
         # not shown: leave it as it is, or type another value in its place.\n\n"
    );
    for variable in set {
        if variable.secure {
            text.push_str("# secure\n");
        }
        let value = if variable.secure { placeholder(&variable.name) } else { variable.value.clone().unwrap_or_default() };
        text.push_str(&format!("{}={}\n", variable.name, quote(&value)));
    }
    if !unset.is_empty() {
        text.push_str("\n# Declared by the extension and not set:\n");
        text.extend(unset.iter().map(|name| format!("# {name}=\n")));
    }
    text
}

/// What an edited text changes.
pub(super) fn changes(text: &str, set: &[Effective]) -> Result<Vec<VariableChange>, String> {
    let lines = scan(text)?;
    let mut changes = Vec::new();
    for (line, entry) in &lines {
        let secure = entry.secure == Some(true);
        let known = set.iter().find(|v| v.name == entry.name);
        let change = |value: &str| VariableChange::Set { name: entry.name.clone(), value: value.into(), secure: Some(secure) };
        match (&entry.value, known) {
            (Some(value), Some(known)) if known.value.as_deref() == Some(value.reveal()) && known.secure == secure => {}
            (Some(value), _) => {
                super::super::variables::check(&entry.name, value.reveal()).map_err(|why| format!("line {line}: {why}"))?;
                changes.push(change(value.reveal()));
            }
            (None, Some(known)) if known.secure && secure => {}
            (None, Some(known)) if !known.secure => {
                let name = &entry.name;
                return Err(format!("line {line}: {name} is no secret: a placeholder or stars stand for no value of it"));
            }
            (None, Some(_)) => {
                return Err(format!("line {line}: {} stops being a secret only with its value: type it here", entry.name));
            }
            (None, None) => {
                return Err(format!("line {line}: there is no secret {}: its placeholder stands for nothing", entry.name));
            }
        }
    }
    let gone = set.iter().filter(|v| !lines.iter().any(|(_, e)| e.name == v.name));
    changes.extend(gone.map(|v| VariableChange::Unset { name: v.name.clone() }));
    Ok(changes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set() -> Vec<Effective> {
        let one = |name: &str, value: &str, secure| Effective { name: name.into(), value: Some(value.into()), secure };
        vec![one("DB", "con nect", false), one("LINES", "a\nb # c", false), one("TOKEN", "hunter2", true)]
    }

    #[test]
    fn an_untouched_text_changes_nothing_and_shows_no_secret() {
        let text = compose("ENV-1", &set(), &["EXTRA".into()]);
        assert!(!text.contains("hunter2") && text.contains("TOKEN=«secret:TOKEN»") && text.contains("# EXTRA="));
        assert_eq!(changes(&text, &set()), Ok(Vec::new()));
    }

    #[test]
    fn edited_added_and_deleted_lines_become_changes() {
        let text = compose("ENV-1", &set(), &[]).replace("DB=\"con nect\"\n", "").replace("a\\nb", "z");
        let text = text.replace("«secret:TOKEN»", "hunter3") + "NEW=1\n";
        let set_to = |name: &str, value: &str, secure| VariableChange::Set {
            name: name.into(),
            value: value.into(),
            secure: Some(secure),
        };
        let expected = vec![
            set_to("LINES", "z # c", false),
            set_to("TOKEN", "hunter3", true),
            set_to("NEW", "1", false),
            VariableChange::Unset { name: "DB".into() },
        ];
        assert_eq!(changes(&text, &set()), Ok(expected));
    }

    #[rstest::rstest]
    #[case("TOKEN=«secret:TOKEN»", "line 1: TOKEN stops being a secret only with its value")]
    #[case("# secure\nOTHER=«secret:OTHER»", "line 2: there is no secret OTHER")]
    #[case("DB=«secret:DB»", "line 1: DB is no secret")]
    #[case("DB=mongodb://u:«secret:TOKEN»@host", "line 1: the value of DB has the placeholder of a secret in it")]
    #[case("# secure\nTOKEN=«secret:DB»", "line 2: the value of TOKEN has the placeholder of a secret in it")]
    #[case("9LIVES=1", "line 1: ")]
    #[case("EMPTY=", "line 1: EMPTY needs a value")]
    fn what_cannot_be_is_said_with_its_line(#[case] text: &str, #[case] said: &str) {
        let why = changes(text, &set()).unwrap_err();
        assert!(why.contains(said), "{why}");
    }
}
