//! What is in the directory.

use std::path::{Path, PathBuf};

use super::GuestError;

/// The files that make a directory a Python project.
pub(super) const MARKERS: [&str; 3] = ["pyproject.toml", "setup.py", "setup.cfg"];

/// A Python project.
pub(super) struct Project {
    /// Absolute, links resolved: it is compared with where modules come from.
    pub(super) dir: PathBuf,
}

impl Project {
    pub(super) fn find(dir: &Path) -> Result<Self, GuestError> {
        let found = dir.canonicalize().ok().filter(|dir| dir.is_dir());
        let found = found.ok_or_else(|| GuestError::NoDirectory(dir.to_path_buf()))?;
        if MARKERS.iter().any(|name| found.join(name).is_file()) {
            Ok(Self { dir: found })
        } else {
            Err(GuestError::NoProject(dir.to_path_buf()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_is_not_there_and_one_without_a_project_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let error = |path: &Path| Project::find(path).err().unwrap().to_string();
        assert!(error(&dir.path().join("nowhere")).starts_with("there is no directory"));
        assert!(error(dir.path()).ends_with("it has neither pyproject.toml nor setup.py nor setup.cfg"));
        std::fs::write(dir.path().join("setup.py"), "").unwrap();
        assert!(Project::find(dir.path()).is_ok());
    }
}
