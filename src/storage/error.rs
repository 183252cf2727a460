use thiserror::Error;

use super::Backend;

/// Why a store could not do what was asked. The texts name what to look at and carry no secret.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The settings don't say where the store is, or say it wrongly.
    #[error("{0}")]
    Settings(String),
    /// The store was not reached, or did not answer in time.
    #[error("{backend} backend: {server} was not reached: {reason}")]
    Unreachable {
        /// Which way.
        backend: Backend,
        /// Where to.
        server: String,
        /// What happened.
        reason: String,
    },
    /// The store wants other credentials.
    #[error("{backend} backend: {server} refused the credentials: {reason}; check {}", credentials(*backend))]
    Unauthorized {
        /// Which way.
        backend: Backend,
        /// Where to.
        server: String,
        /// What it said.
        reason: String,
    },
    /// The store answered with an error.
    #[error("{backend} backend: {operation} failed: {message}{}", code.map(|c| format!(" (code {c})")).unwrap_or_default())]
    Refused {
        /// Which way.
        backend: Backend,
        /// MongoDB's name of the operation.
        operation: &'static str,
        /// MongoDB's error code, where there is one.
        code: Option<i32>,
        /// What it said.
        message: String,
    },
    /// This backend cannot do that at all.
    #[error("the {backend} backend cannot {operation}: {reason}")]
    Unsupported {
        /// Which way.
        backend: Backend,
        /// What was asked.
        operation: &'static str,
        /// Why not.
        reason: &'static str,
    },
}

/// The variables a backend's credentials are in.
fn credentials(backend: Backend) -> &'static str {
    match backend {
        Backend::Driver => "DB_USER and DB_PASSWORD, and what that user may do",
        Backend::DataApi => "API_KEY",
    }
}
