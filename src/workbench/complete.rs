//! The names of files, completed while they are typed.

use std::path::{Path, PathBuf};

/// What the typed beginning of a path can become.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Completed {
    /// The path as far as it is certain: what was typed, and what all names that begin so have in common.
    pub(crate) text: String,
    /// The names, where there are several; a directory ends with `/`.
    pub(crate) names: Vec<String>,
    /// Why there is none.
    pub(crate) none: Option<String>,
}

/// A path as a developer types it: `~` is the home directory, and what begins nowhere begins here.
///
/// # Errors
/// In words, where it is no path.
pub(crate) fn path(typed: &str) -> Result<PathBuf, String> {
    let home = typed.strip_prefix("~/").and_then(|rest| Some(directories::BaseDirs::new()?.home_dir().join(rest)));
    std::path::absolute(home.unwrap_or_else(|| typed.into())).map_err(|e| format!("That is no path: {e}"))
}

/// Completes what was typed, as a shell does. Hidden files count where a dot was typed.
pub(crate) fn complete(typed: &str) -> Completed {
    let text = if typed == "~" { "~/" } else { typed };
    let (dir, begun) = text.rsplit_once('/').map_or(("", text), |(dir, name)| (text.get(..=dir.len()).unwrap_or(dir), name));
    let failed = |why: String| Completed { text: text.into(), names: Vec::new(), none: Some(why) };
    let there = match path(if dir.is_empty() { "." } else { dir }) {
        Ok(there) => there,
        Err(why) => return failed(why),
    };
    let mut names = match names(&there, begun) {
        Ok(names) => names,
        Err(e) => return failed(format!("{} can't be read: {e}", there.display())),
    };
    let Some(first) = names.first() else {
        return failed(if begun.is_empty() {
            "there is nothing in it".into()
        } else {
            format!("no name there begins with {begun}")
        });
    };
    let common = names.iter().fold(first.as_str(), |common, name| in_common(common, name));
    let text = format!("{dir}{common}");
    if names.len() == 1 {
        names.clear();
    }
    Completed { text, names, none: None }
}

/// The names in a directory that begin so, in order.
fn names(dir: &Path, begun: &str) -> std::io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        // What can't be typed can't be completed.
        let Ok(mut name) = entry.file_name().into_string() else { continue };
        let hidden = name.starts_with('.') && begun.is_empty();
        if hidden || !name.starts_with(begun) || name.contains(char::is_control) {
            continue;
        }
        if entry.path().is_dir() {
            name.push('/');
        }
        names.push(name);
    }
    names.sort();
    Ok(names)
}

fn in_common<'a>(one: &'a str, other: &str) -> &'a str {
    let until = one.char_indices().zip(other.chars()).find(|((_, a), b)| a != b).map(|((at, _), _)| at);
    one.get(..until.unwrap_or(one.len().min(other.len()))).unwrap_or(one)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> (tempfile::TempDir, String) {
        let dir = tempfile::tempdir().unwrap();
        for name in ["staging.env", "staging.json", "stäge", "stähle", ".env", "tab\there"] {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        std::fs::create_dir(dir.path().join("folder")).unwrap();
        std::fs::write(dir.path().join("folder/only.csv"), "").unwrap();
        let at = format!("{}/", dir.path().display());
        (dir, at)
    }

    #[test]
    fn a_name_is_completed_as_far_as_it_is_certain_and_the_others_are_shown() {
        let (_dir, at) = place();
        let done = |typed: &str| complete(&format!("{at}{typed}"));
        let several = done("sta");
        assert_eq!(several.text, format!("{at}staging."));
        assert_eq!(several.names, ["staging.env", "staging.json"]);
        assert_eq!(done("staging.j"), Completed { text: format!("{at}staging.json"), ..Completed::default() });
        assert_eq!(done("stä").text, format!("{at}stä"), "letters are not cut in two");
        assert_eq!(done("fo").text, format!("{at}folder/"), "a directory goes on");
        assert_eq!(done("folder/").text, format!("{at}folder/only.csv"));
    }

    #[test]
    fn hidden_files_count_only_where_a_dot_was_typed_and_nothing_that_cannot_be_typed_does() {
        let (_dir, at) = place();
        assert_eq!(complete(&at).names, ["folder/", "staging.env", "staging.json", "stäge", "stähle"]);
        assert_eq!(complete(&format!("{at}.")).text, format!("{at}.env"));
        assert!(complete(&format!("{at}tab")).none.is_some());
    }

    #[test]
    fn what_is_not_there_is_said_and_what_was_typed_stays() {
        let (_dir, at) = place();
        let none = complete(&format!("{at}nothing"));
        assert_eq!((none.text, none.none.as_deref()), (format!("{at}nothing"), Some("no name there begins with nothing")));
        let missing = complete("/no/such/directory/x");
        assert!(missing.none.as_ref().is_some_and(|why| why.contains("/no/such/directory/ can't be read")), "{missing:?}");
        assert_eq!(complete("~").text.get(..2), Some("~/"), "the home directory");
    }
}
