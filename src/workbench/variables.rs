//! The three states of a variable: stored in Connect's environment, staged here, live in the runtime.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::environment::{Known, Stored};
use super::paths::{read_private, write_private};
use super::{VariableChange, VariableRow, VariableState, WorkbenchError};
use crate::journal::has_placeholder;
use crate::observe::SeenVariable;

/// Changes that are not applied yet, by name: `None` is a deletion. They outlive the session.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Staged(BTreeMap<String, Option<Draft>>);

#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Draft {
    pub(super) value: String,
    pub(super) secure: Option<bool>,
}

impl std::fmt::Debug for Draft {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Draft").field("secure", &self.secure).finish_non_exhaustive()
    }
}

impl Staged {
    /// What was staged in this data directory and never applied; what was mended about the file's mode is told with `say`.
    pub(super) fn load(data_dir: &Path, say: impl FnOnce(String)) -> Self {
        read_private(&Self::file(data_dir), say).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
    }

    /// Keeps it for the next session.
    pub(super) fn save(&self, data_dir: &Path) -> Result<(), WorkbenchError> {
        let file = Self::file(data_dir);
        let text = serde_json::to_vec(self).unwrap_or_default();
        write_private(&file, &text).map_err(|e| WorkbenchError::Failed(format!("{} can't be written: {e}", file.display())))
    }

    fn file(data_dir: &Path) -> PathBuf {
        data_dir.join("staged.json")
    }

    /// Stages changes, all of them or, where one breaks Connect's rules, none.
    pub(super) fn stage(&mut self, changes: Vec<VariableChange>, stored: &[Stored]) -> Result<Vec<String>, WorkbenchError> {
        let mut next = self.clone();
        let mut names = Vec::new();
        for change in changes {
            let name = match change {
                VariableChange::Set { name, value, secure } => {
                    check(&name, &value)?;
                    let same = stored
                        .iter()
                        .any(|v| v.name == name && v.value.as_ref() == Some(&value) && secure.is_none_or(|s| s == v.secure));
                    if same {
                        next.0.remove(&name);
                    } else {
                        next.0.insert(name.clone(), Some(Draft { value, secure }));
                    }
                    name
                }
                VariableChange::Unset { name } => {
                    if stored.iter().any(|v| v.name == name) {
                        next.0.insert(name.clone(), None);
                    } else if next.0.remove(&name).is_none() {
                        return Err(WorkbenchError::Usage(format!("there is no variable {name}; `env list` shows all of them")));
                    }
                    name
                }
            };
            names.push(name);
        }
        *self = next;
        Ok(names)
    }

    /// Forgets changes: these, or all where the list is empty.
    pub(super) fn unstage(&mut self, names: &[String]) -> Vec<String> {
        let gone: Vec<String> = self.0.keys().filter(|n| names.is_empty() || names.contains(n)).cloned().collect();
        for name in &gone {
            self.0.remove(name);
        }
        gone
    }

    /// All changes, by name.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&String, &Option<Draft>)> {
        self.0.iter()
    }

    /// One change.
    pub(super) fn get(&self, name: &str) -> Option<&Option<Draft>> {
        self.0.get(name)
    }
}

/// Connect's rules for variables (OpenAPI schema `eaas.Variable`): a name is a letter, then letters, digits, `_`, `-`,
/// `.`; a value is not empty and has 21,960 characters at most. The mark of a secret that is not shown is no value.
pub(crate) fn check(name: &str, value: &str) -> Result<(), WorkbenchError> {
    let mut letters = name.chars();
    let well_named = letters.next().is_some_and(|c| c.is_ascii_alphabetic())
        && letters.all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'));
    if !well_named {
        return Err(WorkbenchError::Usage(format!(
            "`{name}` can't be the name of a variable: a letter first, then letters, digits, `_`, `-` and `.`"
        )));
    }
    if has_placeholder(value) {
        return Err(WorkbenchError::Usage(format!(
            "the value of {name} has the placeholder of a secret in it, which stands for no value"
        )));
    }
    match value.chars().count() {
        0 => Err(WorkbenchError::Usage(format!("{name} needs a value: Connect keeps no empty ones; unset it instead"))),
        n if n > 21_960 => Err(WorkbenchError::Usage(format!("the value of {name} has {n} characters; Connect takes 21,960"))),
        _ => Ok(()),
    }
}

/// Shows values without showing secrets: equal secrets get equal numbers, different from run to run.
#[derive(Debug, Default)]
pub(super) struct Mask(RandomState);

impl Mask {
    fn state(&self, value: &str, secure: bool) -> VariableState {
        if secure { VariableState::Secret(self.0.hash_one(value)) } else { VariableState::Value(value.to_owned()) }
    }

    /// Every variable that is stored, staged, live or declared, by name.
    pub(super) fn rows(
        &self,
        known: &Known,
        staged: &Staged,
        live: &[SeenVariable],
        declared: &[(String, bool)],
    ) -> Vec<VariableRow> {
        let stored = &known.variables;
        let names: BTreeSet<&str> = stored
            .iter()
            .map(|v| v.name.as_str())
            .chain(staged.iter().map(|(name, _)| name.as_str()))
            .chain(live.iter().map(|v| v.name.as_str()))
            .chain(declared.iter().map(|(name, _)| name.as_str()))
            .collect();
        let row = |name: &str| {
            let in_store = stored.iter().find(|v| v.name == name);
            let in_runtime = live.iter().find(|v| v.name == name);
            let declaration = declared.iter().find(|(declared, _)| declared == name);
            let draft = staged.get(name);
            // Once any of the states is a secret, all are: a value must not show because one side forgot.
            let secure = in_store.is_some_and(|v| v.secure)
                || in_runtime.is_some_and(|v| v.secure)
                || declaration.is_some_and(|(_, secure)| *secure)
                || matches!(draft, Some(Some(Draft { secure: Some(true), .. })));
            VariableRow {
                id: in_store.map(|v| v.id.clone()).filter(|id| !id.is_empty()),
                name: name.to_owned(),
                secure,
                stored: in_store.map_or(VariableState::Absent, |v| match (&v.value, in_runtime) {
                    (Some(value), _) => self.state(value, secure),
                    // Connect does not tell it; nothing being unapplied, it is the one the runtime has.
                    (None, Some(live)) if !known.unapplied => self.state(&live.value, secure),
                    (None, _) => VariableState::Secret(0),
                }),
                staged: draft.map(|draft| draft.as_ref().map_or(VariableState::Absent, |draft| self.state(&draft.value, secure))),
                live: in_runtime.map_or(VariableState::Absent, |v| self.state(&v.value, secure)),
                declared: declaration.is_some(),
            }
        };
        names.into_iter().map(row).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(name: &str, value: &str, secure: bool) -> Stored {
        Stored { id: format!("VAR-{name}"), name: name.into(), value: Some(value.into()), secure }
    }

    fn set(name: &str, value: &str) -> VariableChange {
        VariableChange::Set { name: name.into(), value: value.into(), secure: None }
    }

    #[test]
    fn a_value_set_back_to_what_is_stored_is_no_change() {
        let before = [stored("DB", "one", false)];
        let mut staged = Staged::default();
        staged.stage(vec![set("DB", "two")], &before).unwrap();
        assert_eq!(staged.iter().count(), 1);
        staged.stage(vec![set("DB", "one")], &before).unwrap();
        assert_eq!(staged.iter().count(), 0);
    }

    #[test]
    fn one_bad_change_stages_none() {
        let mut staged = Staged::default();
        for bad in [
            set("9LIVES", "x"),
            set("A", ""),
            set("A B", "x"),
            set("P", "«secret:P»"),
            VariableChange::Unset { name: "NOPE".into() },
        ] {
            assert!(staged.stage(vec![set("GOOD", "x"), bad], &[]).is_err());
            assert_eq!(staged.iter().count(), 0);
        }
    }

    #[test]
    fn a_secret_is_never_in_a_row_and_equal_secrets_look_equal() {
        let mask = Mask::default();
        let before = [stored("TOKEN", "hunter2", true)];
        let live = [SeenVariable { name: "TOKEN".into(), value: "hunter2".into(), secure: false }];
        let mut staged = Staged::default();
        staged.stage(vec![set("TOKEN", "hunter3")], &before).unwrap();
        let known = Known { variables: before.into(), unapplied: false };
        let rows = mask.rows(&known, &staged, &live, &[("TOKEN".into(), true), ("ELSE".into(), false)]);
        assert!(!format!("{rows:?}").contains("hunter"));
        let token = rows.iter().find(|r| r.name == "TOKEN").unwrap();
        assert_eq!(token.stored, token.live);
        assert_ne!(Some(&token.stored), token.staged.as_ref());
        let other = rows.iter().find(|r| r.name == "ELSE").unwrap();
        assert!(other.declared && other.stored == VariableState::Absent);
    }

    #[test]
    fn a_secret_connect_does_not_tell_is_live_unless_something_is_unapplied() {
        let mask = Mask::default();
        let variables = vec![Stored { value: None, ..stored("TOKEN", "", true) }];
        let live = [SeenVariable { name: "TOKEN".into(), value: "hunter2".into(), secure: true }];
        let row =
            |unapplied| mask.rows(&Known { variables: variables.clone(), unapplied }, &Staged::default(), &live, &[]).remove(0);
        assert_eq!(row(false).stored, row(false).live);
        assert_ne!(row(true).stored, row(true).live);
    }
}
