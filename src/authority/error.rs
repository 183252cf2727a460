use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why there is no authority.
#[derive(Debug, Error)]
pub enum AuthorityError {
    /// A file can't be read or written.
    #[error("the local certificate authority can't use {path}: {error}. Check the permissions, or name another --data-dir")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A certificate could not be made.
    #[error("the local certificate authority could not issue a certificate: {0}")]
    Issue(String),
}

impl From<rcgen::Error> for AuthorityError {
    fn from(error: rcgen::Error) -> Self {
        Self::Issue(error.to_string())
    }
}
