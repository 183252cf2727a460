use std::fs;
use std::io::{ErrorKind, Write};
use std::path::Path;

use rand::Rng;
use serde::{Deserialize, Serialize};

use super::options::SandboxError;
use crate::observe::Secret;

const FILE: &str = "sandbox-credentials.json";
const USER: &str = "console";

/// What a client of the sandbox must know. Made at random on the first start and kept in a file only its owner can read.
#[derive(Debug, Clone)]
pub(super) struct Credentials {
    pub(super) user: String,
    pub(super) password: Secret,
    pub(super) api_key: Secret,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    user: String,
    password: String,
    api_key: String,
}

impl Credentials {
    /// Reads those in `dir`, or makes them. Blocks.
    pub(super) fn load_or_make(dir: &Path) -> Result<Self, SandboxError> {
        let file = dir.join(FILE);
        let failed = |reason: String| SandboxError::Credentials { file: file.clone(), reason };
        let stored: Stored = match fs::read(&file) {
            Ok(text) => serde_json::from_slice(&text).map_err(|error| failed(error.to_string()))?,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let made = Stored { user: USER.into(), password: random_text(24), api_key: random_text(48) };
                write_private(&file, &serde_json::to_vec_pretty(&made).unwrap_or_default())
                    .map_err(|error| failed(error.to_string()))?;
                made
            }
            Err(error) => return Err(failed(error.to_string())),
        };
        if stored.user.is_empty() || stored.password.is_empty() || stored.api_key.is_empty() {
            return Err(failed("user, password and api_key must not be empty".into()));
        }
        Ok(Self { user: stored.user, password: stored.password.into(), api_key: stored.api_key.into() })
    }
}

/// Whole or not at all: a second start never finds half a file.
fn write_private(file: &Path, content: &[u8]) -> std::io::Result<()> {
    let temporary = file.with_extension("json.new");
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut out = options.open(&temporary)?;
    out.write_all(content)?;
    out.sync_all()?;
    fs::rename(temporary, file)
}

/// Letters and digits only: they need no escaping in a connection string or a header.
fn random_text(length: usize) -> String {
    rand::rng().sample_iter(rand::distr::Alphanumeric).take(length).map(char::from).collect()
}

/// Compares in a time that tells nothing about where they differ.
pub(super) fn same_secret(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |difference, (x, y)| difference | (x ^ y)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_made_once_and_only_their_owner_can_read_them() {
        let dir = tempfile::tempdir().unwrap();
        let first = Credentials::load_or_make(dir.path()).unwrap();
        let second = Credentials::load_or_make(dir.path()).unwrap();
        assert_eq!((&first.password, &first.api_key), (&second.password, &second.api_key));
        assert_ne!(
            first.password.reveal(),
            Credentials::load_or_make(tempfile::tempdir().unwrap().path()).unwrap().password.reveal()
        );
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(dir.path().join(FILE)).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn a_broken_file_is_named_with_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(FILE), "{").unwrap();
        let error = Credentials::load_or_make(dir.path()).unwrap_err().to_string();
        assert!(error.contains(FILE) && error.contains("remove the file"), "{error}");
    }
}
