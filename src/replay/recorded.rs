use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use thiserror::Error;

use super::ReplayError;
use crate::journal::{DeliveryRow, ObservationRow, Reader, redact};
use crate::observe::{Fact, Observation, SeenVariable};

/// What the first field of a file says.
const FORMAT: &str = "connect-console capture";
/// The version of the format.
const VERSION: u64 = 1;

/// How a delivery can end.
const RESULTS: [&str; 5] = ["success", "fail", "skip", "reschedule", "retry"];

/// Everything the journal holds of one delivery, secrets replaced by placeholders: enough to run it again elsewhere.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// Its summary.
    pub delivery: DeliveryRow,
    /// The extension that handled it: name, version, and what it declared.
    pub extension: Value,
    /// The variables in force.
    pub variables: Vec<SeenVariable>,
    /// All that was seen of it, oldest first.
    pub observations: Vec<ObservationRow>,
}

/// Why a file is no capture. The texts are for a developer, as they are.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FileError {
    /// It can't be read or written.
    #[error("{} can't be {what}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// `read`, `written`.
        what: &'static str,
        /// What the system says.
        source: std::io::Error,
    },
    /// It is no JSON.
    #[error("{} is not JSON: {source}; nothing was changed", path.display())]
    NotJson {
        /// Which.
        path: PathBuf,
        /// What and where.
        source: serde_json::Error,
    },
    /// A field is not what it should be.
    #[error("{}: the field `{field}` {reason}; nothing was changed", path.display())]
    Field {
        /// Which file.
        path: PathBuf,
        /// Which field.
        field: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl Recorded {
    /// What the journal holds of a delivery.
    ///
    /// # Errors
    /// [`ReplayError::Unknown`], [`ReplayError::Journal`].
    pub fn of(reader: &Reader, id: i64) -> Result<Self, ReplayError> {
        let delivery = reader.delivery(id)?.ok_or(ReplayError::Unknown(id))?;
        let mut observations = reader.observations(id)?;
        // The summary says that it is pinned; that is no part of what happened.
        observations.retain(|seen| !matches!(seen.observation.fact, Fact::Pinned { .. }));
        let first = observations.first().map_or(0, |seen| seen.row);
        let (mut extension, mut variables) = (Value::Null, None);
        // An imported one brings its own; otherwise what was said last before it came.
        let own = observations.iter().map(|seen| seen.observation.fact.clone());
        for fact in reader.settings_before(first)?.into_iter().chain(own) {
            match fact {
                Fact::Extension { .. } => extension = serde_json::to_value(&fact).unwrap_or_default(),
                Fact::Configured { variables: seen, .. } => variables = Some(seen),
                _ => {}
            }
        }
        Ok(Self { delivery, extension, variables: variables.unwrap_or_default(), observations })
    }

    /// As a readable text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut file = Map::new();
        file.insert("format".into(), FORMAT.into());
        file.insert("version".into(), VERSION.into());
        for (name, value) in [
            ("delivery", serde_json::to_value(&self.delivery)),
            ("extension", Ok(self.extension.clone())),
            ("variables", serde_json::to_value(&self.variables)),
            ("observations", serde_json::to_value(&self.observations)),
        ] {
            file.insert(name.into(), value.unwrap_or_default());
        }
        serde_json::to_string_pretty(&file).unwrap_or_default() + "\n"
    }

    /// Reads a text back.
    ///
    /// # Errors
    /// [`FileError`] names the line or the field.
    pub fn parse(path: &Path, text: &str) -> Result<Self, FileError> {
        let not_json = |source| FileError::NotJson { path: path.into(), source };
        let file: Value = serde_json::from_str(text).map_err(not_json)?;
        let wrong =
            |field: &str, reason: &str| FileError::Field { path: path.into(), field: field.into(), reason: reason.into() };
        if file.get("format").and_then(Value::as_str) != Some(FORMAT) {
            return Err(wrong("format", &format!("does not say `{FORMAT}`: this is no exported capture")));
        }
        match file.get("version").and_then(Value::as_u64) {
            Some(VERSION) => {}
            Some(newer) if newer > VERSION => return Err(wrong("version", "is of a newer connect-console: use that one")),
            _ => return Err(wrong("version", "is no version there ever was")),
        }
        let delivery: DeliveryRow = field(path, &file, "delivery")?;
        let variables = field(path, &file, "variables")?;
        let listed: Vec<Value> = field(path, &file, "observations")?;
        let observations: Vec<ObservationRow> =
            // Files of before may hold a pin, which is no part of what happened.
            (0..).zip(listed).filter(|(_, seen)| seen.get("kind").is_none_or(|kind| kind != "pinned")).map(|(n, seen)| one(path, &format!("observations[{n}]"), seen)).collect::<Result<_, _>>()?;
        if !observations.iter().any(|seen| matches!(seen.observation.fact, Fact::TaskArrived(_))) {
            return Err(wrong("observations", "has no `task_arrived`: without the task nothing can be made of it"));
        }
        for (n, seen) in (0..).zip(&observations) {
            if let Some((what, reason)) = nonsense(&seen.observation) {
                return Err(wrong(&format!("observations[{n}].{what}"), reason));
            }
        }
        Ok(Self { delivery, extension: file.get("extension").cloned().unwrap_or_default(), variables, observations })
    }

    /// Reads a file.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn read(path: &Path) -> Result<Self, FileError> {
        let text = std::fs::read_to_string(path).map_err(|source| FileError::Io { path: path.into(), what: "read", source })?;
        Self::parse(path, &text)
    }

    /// The names of the placeholders in it.
    #[must_use]
    pub fn has_placeholders(&self) -> bool {
        redact::has_placeholder(&self.text())
    }
}

/// What of an observation can't have been: a file may be edited by hand.
fn nonsense(seen: &Observation) -> Option<(&'static str, &'static str)> {
    /// The year 2200.
    const LATEST: i64 = 7_258_118_400_000_000;
    /// A year.
    const LONGEST: u64 = 366 * 86_400 * 1_000_000;
    let micros = match &seen.fact {
        Fact::Answered(answer) if !RESULTS.contains(&answer.result.as_str()) => {
            return Some(("result", "is no result: there are success, fail, skip, reschedule and retry"));
        }
        Fact::Answered(answer) => answer.micros,
        Fact::ApiCall(call) => call.micros,
        Fact::StoreCall(call) => call.micros,
        Fact::StepEnded { micros, .. } => *micros,
        _ => 0,
    };
    if !(0..LATEST).contains(&seen.at.0) {
        return Some(("at", "is no moment, in microseconds since 1970"));
    }
    (micros > LONGEST).then_some(("micros", "is more than a year"))
}

fn field<T: DeserializeOwned>(path: &Path, file: &Value, name: &str) -> Result<T, FileError> {
    match file.get(name) {
        Some(value) => one(path, name, value.clone()),
        None => Err(FileError::Field { path: path.into(), field: name.into(), reason: "is missing".into() }),
    }
}

fn one<T: DeserializeOwned>(path: &Path, name: &str, value: Value) -> Result<T, FileError> {
    T::deserialize(value).map_err(|e| FileError::Field {
        path: path.into(),
        field: name.into(),
        reason: format!("is not understood: {e}"),
    })
}

impl Recorded {
    /// A name for its file.
    #[must_use]
    pub fn file_name(&self) -> String {
        let letter = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
        let object: String = self.delivery.object_id.chars().map(letter).collect();
        format!("capture-{}-{object}.json", self.delivery.id)
    }
}
