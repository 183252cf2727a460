use thiserror::Error;

use crate::authority::AuthorityError;

/// Why a relay does not start.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RelayError {
    /// No port.
    #[error("the relay can't listen on 127.0.0.1: {0}")]
    Listen(std::io::Error),
    /// No certificate.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// The address or the key can't be used.
    #[error("Connect can't be called: {0}")]
    Client(String),
}
