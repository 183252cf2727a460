use std::path::{Path, PathBuf};

use crate::authority::AuthorityError;

/// How a sandbox is started.
#[derive(Debug, Clone)]
pub struct SandboxOptions {
    /// Where `sandbox.sqlite` and `sandbox-credentials.json` are, or will be made.
    pub dir: PathBuf,
    /// The preferred port of the MongoDB wire protocol; 0 for any. If it is taken, another one is chosen.
    pub port: u16,
    /// The preferred port of the Data API; 0 for any. If it is taken, another one is chosen.
    pub http_port: u16,
    /// Whether clients must authenticate, on both.
    pub auth: bool,
}

/// Why the sandbox could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SandboxError {
    /// The directory could not be made.
    #[error("the sandbox's directory {} cannot be made: {source}", .dir.display())]
    Directory {
        /// Which.
        dir: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file could not be opened or made.
    #[error("the sandbox's file {} cannot be opened: {source}; check that it is sound (or move it away), the directory writable and the disk not full", .file.display())]
    Open {
        /// Which.
        file: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// The file was written by a newer version.
    #[error("the sandbox's file {} has layout {found}, this version knows {known}: update connect-console or choose another data directory", .file.display())]
    Newer {
        /// Which.
        file: PathBuf,
        /// The layout found.
        found: i64,
        /// The newest layout known.
        known: i64,
    },
    /// What is in the file could not be brought up to this version.
    #[error("the sandbox's file {} cannot be brought up to this version: {reason}; move it away to begin with a new one", .file.display())]
    Upgrade {
        /// Which.
        file: PathBuf,
        /// What went wrong.
        reason: String,
    },
    /// The credentials could not be read or written.
    #[error("the sandbox's credentials {}: {reason}; remove the file to have new ones made", .file.display())]
    Credentials {
        /// Which file.
        file: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// There is no certificate for connections with TLS.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// The deployment the Data API shall be in front of cannot be used.
    #[error("{0}; check the connection string, the network, and who may connect to the deployment from here")]
    Deployment(String),
    /// No port of 127.0.0.1 could be listened on.
    #[error("the sandbox cannot listen on 127.0.0.1: {0}")]
    Listen(#[source] std::io::Error),
    /// The writer could not be started.
    #[error("the sandbox's writer cannot be started: {0}")]
    Thread(#[source] std::io::Error),
}

impl SandboxError {
    pub(super) fn open(file: &Path, source: rusqlite::Error) -> Self {
        Self::Open { file: file.to_owned(), source }
    }

    pub(super) fn upgrade(file: &Path, error: &super::error::CommandError) -> Self {
        Self::Upgrade { file: file.to_owned(), reason: error.to_string() }
    }
}
