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
    #[error("there is no case in {}: `case save DELIVERY --to DIR` makes one", .0.display())]
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

    /// The directories of cases below one, or itself; by name.
    ///
    /// # Errors
    /// [`CaseError::None`] where there is none.
    pub fn find(dir: &Path) -> Result<Vec<PathBuf>, CaseError> {
        if dir.join(CAPTURE).exists() {
            return Ok(vec![dir.into()]);
        }
        let below = std::fs::read_dir(dir).map_err(|source| FileError::Io { path: dir.into(), what: "read", source })?;
        let mut found: Vec<PathBuf> =
            below.flatten().map(|entry| entry.path()).filter(|path| path.join(CAPTURE).exists()).collect();
        found.sort();
        if found.is_empty() { Err(CaseError::None(dir.into())) } else { Ok(found) }
    }

    /// What a run of it did otherwise than expected.
    #[must_use]
    pub fn differences(&self, outcome: &Outcome) -> Vec<Difference> {
        compare(&self.expected.outcome, outcome, &self.expected.rules)
    }
}
