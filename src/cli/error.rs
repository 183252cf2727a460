use std::fmt;
use std::io;
use std::process::ExitCode;

use crate::journal::JournalError;
use crate::replay::{CaseError, FileError, ReplayError};
use crate::workbench::WorkbenchError;

/// Why a command ends with a status other than 0.
#[derive(Debug)]
pub(super) enum CliError {
    /// What was asked makes no sense, or can't be done here: status 2.
    Usage(String),
    /// It failed: status 1.
    Failed(String),
    /// It failed and has said so on stdout already: status 1.
    Told,
    /// Whoever read the output has gone away (`| head`): nothing to tell.
    Quiet,
}

impl CliError {
    pub(super) fn usage(message: String) -> Self {
        Self::Usage(message)
    }

    pub(super) fn failed(message: String) -> Self {
        Self::Failed(message)
    }

    pub(super) fn status(&self) -> ExitCode {
        match self {
            Self::Usage(_) => ExitCode::from(2),
            Self::Failed(_) | Self::Told => ExitCode::from(1),
            Self::Quiet => ExitCode::SUCCESS,
        }
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(message) | Self::Failed(message) => f.write_str(message),
            Self::Told | Self::Quiet => Ok(()),
        }
    }
}

impl From<WorkbenchError> for CliError {
    fn from(error: WorkbenchError) -> Self {
        match error {
            WorkbenchError::Usage(message) => Self::Usage(message),
            WorkbenchError::Failed(message) => Self::Failed(message),
        }
    }
}

impl From<JournalError> for CliError {
    fn from(error: JournalError) -> Self {
        match error {
            // Nothing was tried: the directory is the wrong one for this program, as the session's own start says too.
            JournalError::Newer { .. } | JournalError::Foreign { .. } | JournalError::Corrupt { .. } => {
                Self::Usage(error.to_string())
            }
            _ => Self::Failed(error.to_string()),
        }
    }
}

impl From<ReplayError> for CliError {
    fn from(error: ReplayError) -> Self {
        Self::Usage(error.to_string())
    }
}

impl From<FileError> for CliError {
    fn from(error: FileError) -> Self {
        Self::Usage(error.to_string())
    }
}

impl From<CaseError> for CliError {
    fn from(error: CaseError) -> Self {
        Self::Usage(error.to_string())
    }
}

impl From<io::Error> for CliError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::Quiet,
            _ => Self::Failed(format!("the output can't be written: {error}")),
        }
    }
}
