use std::path::PathBuf;

use thiserror::Error;

use super::nearest;
use crate::authority::AuthorityError;

/// The local Connect could not do what it was asked. The texts are for the developer, as they are.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PlatformError {
    /// The directory cannot be used.
    #[error("the local Connect can't keep its state in {}: {reason}; choose another directory or make it writable", dir.display())]
    Directory {
        /// Which.
        dir: PathBuf,
        /// Why.
        reason: String,
    },
    /// Another process has it.
    #[error("another local Connect already runs in {}; stop it, or choose another data directory", dir.display())]
    InUse {
        /// Which directory.
        dir: PathBuf,
    },
    /// The state was written by a newer version.
    #[error("{} was written by a newer version of this program (format {found}, this one knows up to {known}); update it", path.display())]
    Newer {
        /// Which file.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// The newest known here.
        known: i64,
    },
    /// SQLite failed.
    #[error(
        "the local Connect's state could not be read or written: {0}; check that platform.sqlite in the data directory is sound (or move it away) and the disk not full"
    )]
    Storage(String),
    /// No port could be had.
    #[error("the local Connect can't listen on 127.0.0.1: {0}")]
    Listen(std::io::Error),
    /// There is no certificate to listen with over TLS.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// No such event type.
    #[error("there is no event type `{event_type}`; {}", nearest::advice(event_type, known))]
    UnknownEventType {
        /// What was asked for.
        event_type: String,
        /// What there is.
        known: Vec<&'static str>,
    },
    /// The object can't be one of its event type.
    #[error("{0}")]
    Object(String),
    /// A path of a change that leads nowhere.
    #[error("`{path}`: {reason}")]
    Path {
        /// The path.
        path: String,
        /// What is wrong, and what is there.
        reason: String,
    },
    /// A variable's name or value is not allowed, or it does not exist.
    #[error("{0}")]
    Variable(String),
    /// No such task, or not in a state for it.
    #[error("{0}")]
    Task(String),
    /// It was stopped.
    #[error("the local Connect was stopped")]
    Stopped,
}
