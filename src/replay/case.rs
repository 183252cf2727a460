use std::collections::HashSet;
use std::fs::DirEntry;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use super::{Difference, FileError, Outcome, Recorded, Rules, compare};
use crate::observe::Mark;

/// The recording in the directory of a case.
const CAPTURE: &str = "capture.json";
/// What is expected of it.
const EXPECTED: &str = "expected.json";

/// A recorded delivery, and what is to come of it whenever it is run again.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// What it is called: its directory.
    pub name: String,
    /// What is run.
    pub recorded: Recorded,
    /// What is to come of it, and what of that may differ.
    pub expected: Expected,
}

/// `expected.json`: made to be read and edited.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Expected {
    /// What is not compared besides new ids and times.
    #[serde(flatten)]
    pub rules: Rules,
    /// What is to come of it.
    pub outcome: Outcome,
}

/// Why a case can't be saved or read. The texts are for a developer, as they are.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CaseError {
    /// A file of it can't be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// The delivery makes no case.
    #[error("delivery {delivery} makes no case: {why}")]
    Unfit {
        /// Its number.
        delivery: i64,
        /// Why.
        why: &'static str,
    },
    /// There is one already.
    #[error("{} holds a case already: give another directory, or say --force to replace it", .0.display())]
    There(PathBuf),
    /// There is none.
    #[error("there is no case in {} or below: `case save DELIVERY --to DIR` makes one", .0.display())]
    None(PathBuf),
}

impl Case {
    /// The case a delivery makes.
    ///
    /// # Errors
    /// [`CaseError::Unfit`] for one without an end, or with faults that were injected.
    pub fn of(recorded: Recorded) -> Result<Self, CaseError> {
        let unfit = |why| Err(CaseError::Unfit { delivery: recorded.delivery.id, why });
        if recorded.delivery.injected > 0 || recorded.delivery.marks.iter().any(|mark| mark == Mark::Fault.as_str()) {
            return unfit("faults were injected into it, so what came of it is not what the extension does");
        }
        let outcome = Outcome::of(&recorded.observations);
        if outcome.result.is_none() {
            return unfit("it was never answered");
        }
        let name = recorded.delivery.object_id.clone();
        Ok(Self { name, recorded, expected: Expected { rules: Rules::default(), outcome } })
    }

    /// Writes it into a directory, which is made.
    ///
    /// # Errors
    /// [`CaseError::There`] where one is there already and is not to be replaced; [`CaseError::File`].
    pub fn save(&self, dir: &Path, replace: bool) -> Result<(), CaseError> {
        if !replace && dir.join(CAPTURE).exists() {
            return Err(CaseError::There(dir.into()));
        }
        let io = |path: PathBuf| move |source| FileError::Io { path, what: "written", source };
        std::fs::create_dir_all(dir).map_err(io(dir.into()))?;
        let expected = serde_json::to_string_pretty(&self.expected).unwrap_or_default() + "\n";
        for (name, text) in [(CAPTURE, self.recorded.text()), (EXPECTED, expected)] {
            std::fs::write(dir.join(name), text).map_err(io(dir.join(name)))?;
        }
        Ok(())
    }

    /// Reads one from its directory.
    ///
    /// # Errors
    /// [`CaseError::File`] names file, line and field.
    pub fn read(dir: &Path) -> Result<Self, CaseError> {
        let recorded = Recorded::read(&dir.join(CAPTURE))?;
        let path = dir.join(EXPECTED);
        let text = std::fs::read_to_string(&path).map_err(|source| FileError::Io { path: path.clone(), what: "read", source })?;
        let value: Value = serde_json::from_str(&text).map_err(|source| FileError::NotJson { path: path.clone(), source })?;
        let wrong = |field: &str, e: &serde_json::Error| FileError::Field {
            path: path.clone(),
            field: field.into(),
            reason: format!("is not understood: {e}"),
        };
        let outcome = value.get("outcome").cloned().unwrap_or_default();
        let outcome = Outcome::deserialize(outcome).map_err(|e| wrong("outcome", &e))?;
        let rules = Rules::deserialize(&value).map_err(|e| wrong("volatile", &e))?;
        Ok(Self { name: Self::name(dir), recorded, expected: Expected { rules, outcome } })
    }

    /// What the case in a directory is called.
    #[must_use]
    pub fn name(dir: &Path) -> String {
        dir.file_name().map_or_else(|| dir.display().to_string(), |name| name.to_string_lossy().into_owned())
    }

    /// The directories of cases below one, however deep, or itself; in the order of their paths. What is below a case is
    /// the case's own, and what two ways lead to is found once.
    ///
    /// # Errors
    /// [`CaseError::None`] where there is none; [`CaseError::File`] for a directory that can't be read.
    pub fn find(dir: &Path) -> Result<Vec<PathBuf>, CaseError> {
        let (mut found, mut seen) = (Vec::new(), HashSet::new());
        let mut left = vec![dir.to_path_buf()];
        while let Some(dir) = left.pop() {
            let unread = |source| FileError::Io { path: dir.clone(), what: "read", source };
            // Links may lead in a circle.
            if !seen.insert(dir.canonicalize().map_err(unread)?) {
                continue;
            }
            if dir.join(CAPTURE).exists() {
                found.push(dir);
                continue;
            }
            let entries = std::fs::read_dir(&dir).and_then(Iterator::collect::<Result<Vec<_>, _>>).map_err(unread)?;
            let mut below: Vec<PathBuf> = entries.iter().map(DirEntry::path).filter(|path| path.is_dir()).collect();
            below.sort_by(|a, b| b.cmp(a));
            left.append(&mut below);
        }
        if found.is_empty() { Err(CaseError::None(dir.into())) } else { Ok(found) }
    }

    /// What a run of it did otherwise than expected.
    #[must_use]
    pub fn differences(&self, outcome: &Outcome) -> Vec<Difference> {
        compare(&self.expected.outcome, outcome, &self.expected.rules)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// A directory with cases at these places.
    fn cases(places: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for place in places {
            std::fs::create_dir_all(dir.path().join(place)).unwrap();
            std::fs::write(dir.path().join(place).join(CAPTURE), "{}").unwrap();
        }
        dir
    }

    fn found(dir: &Path) -> Vec<String> {
        let names = |path: PathBuf| path.strip_prefix(dir).unwrap().display().to_string();
        Case::find(dir).unwrap().into_iter().map(names).collect()
    }

    #[test]
    fn cases_are_found_at_any_depth_in_the_order_of_their_paths_and_none_within_another() {
        let dir = cases(&["shop/refund/late", "shop/a", "b", "a/b/c/d/e", "b/inner", "a-z"]);
        assert_eq!(found(dir.path()), ["a/b/c/d/e", "a-z", "b", "shop/a", "shop/refund/late"]);
        assert_eq!(found(&dir.path().join("b")), [""], "itself");
        std::fs::create_dir(dir.path().join("empty")).unwrap();
        let none = Case::find(&dir.path().join("empty")).unwrap_err().to_string();
        assert!(none.contains("empty or below: `case save"), "{none}");
    }

    #[test]
    fn links_that_lead_in_a_circle_or_nowhere_end_and_what_two_ways_lead_to_is_found_once() {
        let dir = cases(&["shop/one", "shop/two"]);
        symlink(dir.path(), dir.path().join("shop/up")).unwrap();
        symlink(dir.path().join("shop"), dir.path().join("other")).unwrap();
        symlink(dir.path().join("nothing"), dir.path().join("broken")).unwrap();
        assert_eq!(found(dir.path()), ["other/one", "other/two"]);
    }

    #[test]
    fn a_directory_that_cannot_be_read_is_named_for_its_cases_would_be_missed() {
        let missing = Case::find(Path::new("/no/such/cases")).unwrap_err().to_string();
        assert!(missing.contains("/no/such/cases"), "{missing}");
    }
}
