use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why a Python extension can't be run.
#[derive(Debug, Error)]
pub enum GuestError {
    /// There is no such directory.
    #[error("there is no directory {0}: name the one that holds the extension's pyproject.toml")]
    NoDirectory(PathBuf),
    /// The directory holds something else.
    #[error("{0} is no Python project: it has neither pyproject.toml nor setup.py nor setup.cfg")]
    NoProject(PathBuf),
    /// It is no extension.
    #[error(
        "{project} declares no extension: its {file} needs an entry point of the group `connect.eaas.ext`, \
         for example `eventsapp = \"{module}.events:EventsApplication\"`{problem}"
    )]
    NoEntryPoint {
        /// The project.
        project: PathBuf,
        /// Where it would be.
        file: &'static str,
        /// What the package might be called.
        module: String,
        /// What could not be read, if that may be why.
        problem: String,
    },
    /// No interpreter.
    #[error("{0}")]
    NoPython(String),
    /// The interpreter could not be asked.
    #[error("{python} can't be used: {reason}. Name another interpreter with --python")]
    Python {
        /// The interpreter.
        python: PathBuf,
        /// Why.
        reason: String,
    },
    /// The official runner is not there.
    #[error("the official runner is not installed for {python}: run `{command}`")]
    NoRunner {
        /// The interpreter.
        python: PathBuf,
        /// What installs it.
        command: String,
    },
    /// The project is not there.
    #[error("{project} is not installed for {python}: run `{command}`")]
    NotInstalled {
        /// The project.
        project: PathBuf,
        /// The interpreter.
        python: PathBuf,
        /// What installs it.
        command: String,
    },
    /// A file the guest needs.
    #[error("{path} can't be used: {error}. Check the permissions, or name another --data-dir")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}

impl GuestError {
    /// Makes an I/O error one of `path`.
    pub(super) fn of(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |error| Self::File { path, error }
    }
}
