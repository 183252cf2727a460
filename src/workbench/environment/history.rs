//! What the variables were after every *apply changes*, so that any of these sets can be staged again. One JSON object a
//! line in `variables-history.jsonl`, readable by its owner alone: it holds the values.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Effective;
use crate::observe::Timestamp;
use crate::workbench::paths::{read_private, write_private};
use crate::workbench::{HistoryChange, HistoryRow, VariableChange, WorkbenchError};

/// How many sets are kept.
const KEPT: usize = 200;

/// A value as it was; `None` where Connect did not give it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Value {
    value: Option<String>,
    secure: bool,
}

type Set = BTreeMap<String, Value>;

fn set_of(variables: &[Effective]) -> Set {
    variables.iter().map(|v| (v.name.clone(), Value { value: v.value.clone(), secure: v.secure })).collect()
}

#[derive(Clone, Serialize, Deserialize)]
struct Entry {
    number: u64,
    at: Timestamp,
    who: String,
    what: String,
    set: Set,
}

/// The history of a data directory.
pub(super) struct History {
    path: PathBuf,
    entries: Vec<Entry>,
}

impl History {
    /// Reads it; what was mended about the file's mode is told with `say`.
    pub(super) fn open(data_dir: &Path, say: impl FnOnce(String)) -> Result<Self, WorkbenchError> {
        let path = data_dir.join("variables-history.jsonl");
        let failed = |e: &dyn std::fmt::Display| WorkbenchError::Failed(format!("{} can't be read: {e}", path.display()));
        let text = match read_private(&path, say) {
            Ok(text) => String::from_utf8(text).map_err(|e| failed(&e))?,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(e) => return Err(failed(&e)),
        };
        let entries = text.lines().map(serde_json::from_str).collect::<Result<_, _>>().map_err(|e| failed(&e))?;
        Ok(Self { path, entries })
    }

    /// Notes what was found before the first change, or was changed elsewhere since the last one, and then what is now.
    pub(super) fn note(&mut self, before: &[Effective], after: &[Effective], what: &str) -> Result<(), WorkbenchError> {
        let found = set_of(before);
        match self.entries.last() {
            None => self.push("found", "as found before the first change", found),
            Some(last) if last.set != found => self.push("elsewhere", "changed elsewhere", found),
            Some(_) => {}
        }
        let who = std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).unwrap_or_else(|_| "developer".into());
        self.push(&who, what, set_of(after));
        let surplus = self.entries.len().saturating_sub(KEPT);
        self.entries.drain(..surplus);
        let lines: Vec<_> = self.entries.iter().map(serde_json::to_string).collect::<Result<_, _>>().unwrap_or_default();
        write_private(&self.path, (lines.join("\n") + "\n").as_bytes())
            .map_err(|e| WorkbenchError::Failed(format!("{} can't be written: {e}", self.path.display())))
    }

    fn push(&mut self, who: &str, what: &str, set: Set) {
        let number = self.entries.last().map_or(1, |last| last.number + 1);
        self.entries.push(Entry { number, at: Timestamp::now(), who: who.into(), what: what.into(), set });
    }

    /// All of it, oldest first, with what every entry changed; no value of a secret.
    pub(super) fn rows(&self) -> Vec<HistoryRow> {
        let none = Set::new();
        let befores = std::iter::once(&none).chain(self.entries.iter().map(|e| &e.set));
        self.entries.iter().zip(befores).map(|(entry, before)| row(entry, before)).collect()
    }

    /// The changes that make the variables what they were after an entry, and the secrets whose values nobody has.
    pub(super) fn back_to(&self, number: u64, now: &[Effective]) -> Result<(Vec<VariableChange>, Vec<String>), WorkbenchError> {
        let entry = self
            .entries
            .iter()
            .find(|e| e.number == number)
            .ok_or_else(|| WorkbenchError::Usage(format!("there is no change {number}; `env history` shows all of them")))?;
        let now = set_of(now);
        let mut changes = Vec::new();
        let mut lost = Vec::new();
        for (name, was) in &entry.set {
            match (&was.value, now.get(name)) {
                (_, Some(is)) if is == was => {}
                (Some(value), _) => {
                    changes.push(VariableChange::Set { name: name.clone(), value: value.clone(), secure: Some(was.secure) });
                }
                (None, _) => lost.push(name.clone()),
            }
        }
        let gone = now.keys().filter(|name| !entry.set.contains_key(*name));
        changes.extend(gone.map(|name| VariableChange::Unset { name: name.clone() }));
        Ok((changes, lost))
    }
}

fn row(entry: &Entry, before: &Set) -> HistoryRow {
    let names: std::collections::BTreeSet<&String> = before.keys().chain(entry.set.keys()).collect();
    let change = |name: &String| {
        let (from, to) = (before.get(name), entry.set.get(name));
        let secure = [from, to].into_iter().flatten().any(|v| v.secure);
        let shown = |v: Option<&Value>| v.filter(|_| !secure).and_then(|v| v.value.clone());
        let change = match (from, to) {
            (None, Some(_)) => "create",
            (Some(_), None) => "delete",
            (from, to) if from != to => "update",
            _ => return None,
        };
        Some(HistoryChange { change: change.into(), name: name.clone(), from: shown(from), to: shown(to), secure })
    };
    let changes = names.into_iter().filter_map(change).collect();
    HistoryRow { number: entry.number, at: entry.at, who: entry.who.clone(), what: entry.what.clone(), changes }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(values: &[(&str, &str)]) -> Vec<Effective> {
        let one = |(name, value): &(&str, &str)| Effective {
            name: (*name).into(),
            value: Some((*value).into()),
            secure: name.starts_with("SECRET"),
        };
        values.iter().map(one).collect()
    }

    fn history(dir: &Path) -> History {
        History::open(dir, |said| panic!("{said}")).unwrap()
    }

    #[test]
    fn any_set_there_was_can_be_brought_back() {
        let dir = tempfile::tempdir().unwrap();
        let (one, two) = (set(&[("A", "1"), ("SECRET", "s")]), set(&[("A", "2"), ("B", "b")]));
        history(dir.path()).note(&one, &two, "applied").unwrap();
        let kept = history(dir.path());
        assert_eq!(kept.rows().iter().map(|r| (r.number, r.who != "found")).collect::<Vec<_>>(), [(1, false), (2, true)]);
        let (changes, lost) = kept.back_to(1, &two).unwrap();
        let back = |name: &str, value: &str, secure| VariableChange::Set {
            name: name.into(),
            value: value.into(),
            secure: Some(secure),
        };
        assert_eq!(changes, [back("A", "1", false), back("SECRET", "s", true), VariableChange::Unset { name: "B".into() }]);
        assert!(lost.is_empty() && kept.back_to(2, &two).unwrap().0.is_empty());
        assert!(kept.back_to(9, &two).unwrap_err().to_string().contains("change 9"));
    }

    #[test]
    fn the_history_tells_what_changed_and_no_secret() {
        let dir = tempfile::tempdir().unwrap();
        let (one, two) = (set(&[("A", "1"), ("SECRET", "hunter2")]), set(&[("A", "2"), ("SECRET", "hunter3")]));
        history(dir.path()).note(&one, &two, "applied").unwrap();
        // Somebody else changes something before the next apply.
        let three = set(&[("A", "3"), ("SECRET", "hunter3")]);
        history(dir.path()).note(&three, &one, "applied").unwrap();
        let rows = history(dir.path()).rows();
        assert!(!format!("{rows:?}").contains("hunter"));
        assert_eq!(
            rows[1].changes.iter().map(|c| (c.name.as_str(), c.to.as_deref())).collect::<Vec<_>>(),
            [("A", Some("2")), ("SECRET", None)]
        );
        assert_eq!(
            rows.iter().map(|r| r.what.as_str()).collect::<Vec<_>>(),
            ["as found before the first change", "applied", "changed elsewhere", "applied"]
        );
    }

    #[test]
    #[cfg(unix)]
    fn a_history_others_could_read_is_made_private_again_and_that_is_said() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        history(dir.path()).note(&set(&[]), &set(&[("A", "1")]), "applied").unwrap();
        let file = dir.path().join("variables-history.jsonl");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
        let mut said = String::new();
        History::open(dir.path(), |what| said = what).unwrap();
        assert!(said.contains("variables-history.jsonl") && said.contains("644"), "{said}");
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
