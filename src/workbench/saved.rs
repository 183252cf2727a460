//! Events remembered by a name: one small JSON file each, in the data directory.

use std::path::PathBuf;

use super::bench::Workbench;
use super::paths::{private_dir, write_private};
use super::{SavedEvent, WorkbenchError};

/// Where they are.
pub(super) struct Saved(PathBuf);

impl Workbench {
    pub(super) fn saved(&self) -> Saved {
        Saved(self.0.data_dir.join("events"))
    }
}

impl Saved {
    pub(super) fn save(&self, name: &str, event: &SavedEvent) -> Result<(), WorkbenchError> {
        let good = !name.is_empty() && name.len() <= 100 && name.chars().all(|c| c.is_alphanumeric() || "-_.".contains(c));
        if !good || name.starts_with('.') {
            return Err(WorkbenchError::Usage(format!(
                "`{name}` can't be the name of an event: letters, digits, `-`, `_` and `.`, a letter or digit first"
            )));
        }
        private_dir(&self.0)?;
        let file = self.0.join(format!("{name}.json"));
        let text = serde_json::to_string_pretty(event).unwrap_or_default();
        write_private(&file, text.as_bytes())
            .map_err(|e| WorkbenchError::Failed(format!("{} can't be written: {e}", file.display())))
    }

    /// All of them, by name.
    pub(super) fn all(&self) -> Result<Vec<(String, SavedEvent)>, WorkbenchError> {
        let Ok(entries) = std::fs::read_dir(&self.0) else { return Ok(Vec::new()) };
        let mut events = Vec::new();
        for path in entries.flatten().map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|e| e == "json")) {
            let name = path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let wrong = |e: &dyn std::fmt::Display| {
                WorkbenchError::Usage(format!("the saved event {} can't be read: {e}", path.display()))
            };
            let text = std::fs::read(&path).map_err(|e| wrong(&e))?;
            events.push((name, serde_json::from_slice(&text).map_err(|e| wrong(&e))?));
        }
        events.sort_by(|(one, _), (other, _)| one.cmp(other));
        Ok(events)
    }
}
