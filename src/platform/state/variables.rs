//! The environment's variables.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Disk, Write};
use crate::observe::{SeenVariable, Timestamp};
use crate::platform::PlatformError;
use crate::platform::time::iso;
use crate::protocol::{Variable, VariableDeclaration};

/// What the REST API shows for a secret's value.
pub(crate) const MASK: &str = "*****";
/// The longest value Connect takes, in characters.
const MAX_VALUE: usize = 21_960;

/// What the file calls whether there are changes that were not applied, and the names of what was deleted.
const CHANGED: &str = "configuration_changed";
const DELETED: &str = "deleted_variables";

/// A variable of the environment.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredVariable {
    /// Connect's id, `VAR-...`.
    pub id: String,
    /// Its name; never changes.
    pub name: String,
    /// Its value, in clear.
    pub value: String,
    /// Whether it is a secret.
    pub secure: bool,
    /// When it was made.
    pub created: Timestamp,
    /// When it was changed last.
    pub updated: Timestamp,
}

impl fmt::Debug for StoredVariable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = if self.secure { MASK } else { &self.value };
        f.debug_struct("StoredVariable")
            .field("id", &self.id)
            .field("name", &self.name)
            .field("value", &value)
            .finish_non_exhaustive()
    }
}

impl StoredVariable {
    /// As the REST API shows it.
    pub(crate) fn json(&self) -> Value {
        let value = if self.secure { MASK } else { &self.value };
        let event = |at| json!({"at": iso(at), "by": {"id": "UR-000-000-000", "name": "Local developer"}});
        json!({
            "id": self.id, "name": self.name, "value": value, "secure": self.secure,
            "events": {"created": event(self.created), "updated": event(self.updated)},
        })
    }
}

/// All variables, and whether the runners know them.
pub(crate) struct Variables {
    disk: Disk,
    prefix: String,
    by_id: BTreeMap<String, StoredVariable>,
    changed: bool,
    /// The names of those that were deleted: a declaration does not bring them back.
    deleted: BTreeSet<String>,
}

impl Variables {
    /// Those of the file. `prefix` begins the ids of new ones: `VAR-4400-0874`.
    pub(crate) fn new(disk: Disk, prefix: String, loaded: Vec<StoredVariable>, meta: &BTreeMap<String, String>) -> Self {
        let changed = meta.get(CHANGED).is_some_and(|v| v == "true");
        let deleted = meta.get(DELETED).and_then(|names| serde_json::from_str(names).ok()).unwrap_or_default();
        Self { disk, prefix, by_id: loaded.into_iter().map(|v| (v.id.clone(), v)).collect(), changed, deleted }
    }

    /// All, by name.
    pub(crate) fn all(&self) -> Vec<StoredVariable> {
        let mut all: Vec<_> = self.by_id.values().cloned().collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    /// All, as a setup response carries them.
    pub(crate) fn wire(&self) -> Vec<Variable> {
        self.all().into_iter().map(|v| Variable { name: v.name, value: v.value, secure: v.secure }).collect()
    }

    /// All, as they are observed.
    pub(crate) fn seen(&self) -> Vec<SeenVariable> {
        self.all().into_iter().map(|v| SeenVariable { name: v.name, value: v.value, secure: v.secure }).collect()
    }

    /// The one of that id.
    pub(crate) fn get(&self, id: &str) -> Option<&StoredVariable> {
        self.by_id.get(id)
    }

    /// The one of that name.
    pub(crate) fn named(&self, name: &str) -> Option<&StoredVariable> {
        self.by_id.values().find(|v| v.name == name)
    }

    /// Whether something was changed that the runners were not told.
    pub(crate) fn changed(&self) -> bool {
        self.changed
    }

    /// Creates the declared variables that never existed; those that do keep their value, and what was deleted stays so: a
    /// runner that starts anew because of that would bring it back. Says how many were created, and which stay deleted.
    pub(crate) fn declare(&mut self, declared: &[VariableDeclaration]) -> (usize, Vec<String>) {
        let (mut created, mut deleted) = (0, Vec::new());
        for variable in declared {
            if self.deleted.contains(&variable.name) {
                deleted.push(variable.name.clone());
            } else if self.named(&variable.name).is_none() {
                // An initial value may be empty, which the REST API does not allow: it is there to be filled in.
                self.store(self.fresh(&variable.name, variable.initial_value.clone(), variable.secure));
                created += 1;
            }
        }
        (created, deleted)
    }

    /// Gives a variable a value, creating it where there is none of that name. `secure` of `None` leaves it as it is.
    ///
    /// # Errors
    /// [`PlatformError::Variable`] when Connect does not allow the name or the value.
    pub(crate) fn set(&mut self, name: &str, value: &str, secure: Option<bool>) -> Result<StoredVariable, PlatformError> {
        check_value(value).map_err(|e| PlatformError::Variable(format!("the value of `{name}`: {e}")))?;
        let variable = match self.named(name).cloned() {
            Some(old) => {
                StoredVariable { value: value.into(), secure: secure.unwrap_or(old.secure), updated: Timestamp::now(), ..old }
            }
            None => {
                check_name(name).map_err(|e| PlatformError::Variable(format!("`{name}`: {e}")))?;
                self.fresh(name, value.into(), secure.unwrap_or(false))
            }
        };
        self.store(variable.clone());
        self.note_change(true);
        Ok(variable)
    }

    /// Deletes the variable of that id; says whether there was one.
    pub(crate) fn delete(&mut self, id: &str) -> bool {
        let Some(gone) = self.by_id.remove(id) else { return false };
        self.disk.write(Write::VariableGone(id.into()));
        self.deleted.insert(gone.name);
        self.keep_deleted();
        self.note_change(true);
        true
    }

    fn keep_deleted(&self) {
        self.disk.write(Write::Meta(DELETED, serde_json::to_string(&self.deleted).unwrap_or_default()));
    }

    /// Remembers whether the runners know of all changes.
    pub(crate) fn note_change(&mut self, changed: bool) {
        if self.changed != changed {
            self.changed = changed;
            self.disk.write(Write::Meta(CHANGED, changed.to_string()));
        }
    }

    fn fresh(&self, name: &str, value: String, secure: bool) -> StoredVariable {
        let number = |id: &str| id.rsplit('-').next().and_then(|n| n.parse::<u32>().ok());
        let last = self.by_id.keys().filter_map(|id| number(id)).max().unwrap_or(0);
        let now = Timestamp::now();
        let id = format!("{}-{:04}", self.prefix, last + 1);
        StoredVariable { id, name: name.into(), value, secure, created: now, updated: now }
    }

    fn store(&mut self, variable: StoredVariable) {
        let body = serde_json::to_string(&variable).unwrap_or_default();
        self.disk.write(Write::Variable(variable.id.clone(), body));
        if self.deleted.remove(&variable.name) {
            self.keep_deleted();
        }
        self.by_id.insert(variable.id.clone(), variable);
    }
}

/// Connect's rule for names, `^[A-Za-z](?:[A-Za-z0-9_\-.]+)*$`.
pub(crate) fn check_name(name: &str) -> Result<(), String> {
    let mut chars = name.chars();
    let starts = chars.next().is_some_and(|c| c.is_ascii_alphabetic());
    if starts && chars.all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')) && name.len() <= 256 {
        return Ok(());
    }
    Err("a name starts with a letter and goes on with letters, digits, `_`, `-` and `.`; 256 characters at most".into())
}

/// Connect's rule for values.
pub(crate) fn check_value(value: &str) -> Result<(), String> {
    match value.chars().count() {
        0 => Err("this field may not be blank.".into()),
        n if n > MAX_VALUE => Err(format!("ensure this field has no more than {MAX_VALUE} characters.")),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    #[rstest]
    #[case("A", true)]
    #[case("DB_HOST", true)]
    #[case("a-b.c_9", true)]
    #[case("", false)]
    #[case("9A", false)]
    #[case("_A", false)]
    #[case("A B", false)]
    #[case("Ä", false)]
    fn names_follow_connects_rule(#[case] name: &str, #[case] good: bool) {
        assert_eq!(super::check_name(name).is_ok(), good);
    }

    #[test]
    fn a_value_is_neither_empty_nor_endless() {
        assert!(super::check_value("").is_err());
        assert!(super::check_value(&"ä".repeat(21_960)).is_ok());
        assert!(super::check_value(&"a".repeat(21_961)).is_err());
    }
}
