use std::path::PathBuf;

use thiserror::Error;

use crate::connect::ApiError;

/// Why a runtime cannot start.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RuntimeError {
    /// An environment variable is missing or wrong.
    #[error("{0}")]
    Environment(String),
    /// The address or the key cannot be used.
    #[error("the runtime cannot call Connect: {0}")]
    Client(#[from] ApiError),
    /// The file of unsent results cannot be used.
    #[error("the file of unsent results, {}, cannot be used: {source}", path.display())]
    Outbox {
        /// Where it is.
        path: PathBuf,
        /// What is wrong.
        source: std::io::Error,
    },
    /// Another process holds that file.
    #[error("another runtime is using the file of unsent results {}: stop it, or name another file", path.display())]
    OutboxTaken {
        /// Where it is.
        path: PathBuf,
    },
    /// Called outside of a tokio runtime.
    #[error("a runtime must be started inside a tokio runtime")]
    NoTokio,
}
