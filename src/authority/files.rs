//! The authority on disk.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rcgen::KeyPair;

use super::AuthorityError;
use super::issue::{CA_LIFE, DAY, ca_certificate};
use crate::observe::Timestamp;

/// Before its certificate in `ca.pem`: readers of PEM skip what is outside the markers.
const UNTIL: &str = "connect-console local authority, valid until unix time ";

/// What is kept.
pub(super) struct Kept {
    pub(super) key: KeyPair,
    pub(super) ca_file: PathBuf,
}

/// Reads the authority in `dir`, or makes one. Two consoles starting at once get the same one.
pub(super) fn open(dir: &Path, now: Timestamp) -> Result<Kept, AuthorityError> {
    let failed = |path: &Path| {
        let path = path.to_path_buf();
        move |error| AuthorityError::File { path, error }
    };
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(failed(dir))?;
    let lock = dir.join("lock");
    let held = options(0o600).truncate(false).open(&lock).map_err(failed(&lock))?;
    held.lock().map_err(failed(&lock))?;
    let (key_file, ca_file) = (dir.join("ca.key"), dir.join("ca.pem"));
    if let (Ok(key), Ok(ca)) = (fs::read_to_string(&key_file), fs::read_to_string(&ca_file))
        && let Ok(key) = KeyPair::from_pem(&key)
        && is_of(&ca, &key)
        && seconds(now).saturating_add(365 * DAY.as_secs()) < valid_until(&ca)
    {
        return Ok(Kept { key, ca_file });
    }
    let key = KeyPair::generate()?;
    let until = seconds(now).saturating_add(CA_LIFE.as_secs());
    let ca = format!("{UNTIL}{until}\n{}", ca_certificate(&key, now)?);
    write(&key_file, 0o600, &key.serialize_pem()).map_err(failed(&key_file))?;
    write(&ca_file, 0o644, &ca).map_err(failed(&ca_file))?;
    Ok(Kept { key, ca_file })
}

fn seconds(at: Timestamp) -> u64 {
    u64::try_from(at.0).unwrap_or(0) / 1_000_000
}

fn valid_until(ca: &str) -> u64 {
    ca.lines().find_map(|line| line.strip_prefix(UNTIL)?.trim().parse().ok()).unwrap_or(0)
}

/// Whether the certificate is for that key: it holds the public half as it is.
fn is_of(ca: &str, key: &KeyPair) -> bool {
    let body: String =
        ca.lines().skip_while(|l| !l.starts_with("-----BEGIN")).skip(1).take_while(|l| !l.starts_with('-')).collect();
    let public = key.public_key_raw();
    BASE64_STANDARD.decode(body).is_ok_and(|der| der.windows(public.len()).any(|window| window == public))
}

fn options(mode: u32) -> OpenOptions {
    let mut options = File::options();
    options.write(true).create(true).mode(mode);
    options
}

/// Writes a file of that mode, whole or not at all.
fn write(path: &Path, mode: u32, text: &str) -> io::Result<()> {
    let draft = path.with_extension("new");
    // A draft left behind may have been made with another mode.
    let _ = fs::remove_file(&draft);
    let mut file = options(mode).create_new(true).open(&draft)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&draft, path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn now() -> Timestamp {
        Timestamp::now()
    }

    #[test]
    fn the_authority_of_the_first_start_is_the_one_of_the_next() {
        let dir = tempfile::tempdir().unwrap();
        let first = open(dir.path(), now()).unwrap();
        let text = fs::read_to_string(&first.ca_file).unwrap();
        let second = open(dir.path(), now()).unwrap();
        assert_eq!(first.key.serialize_der(), second.key.serialize_der());
        assert_eq!(text, fs::read_to_string(&second.ca_file).unwrap());
    }

    #[test]
    fn nobody_else_may_read_the_key_and_everybody_may_read_the_certificate() {
        let dir = tempfile::tempdir().unwrap();
        open(dir.path(), now()).unwrap();
        let mode = |name: &str| fs::metadata(dir.path().join(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode("ca.key"), 0o600);
        assert_eq!(mode("ca.pem") & 0o444, 0o444);
    }

    #[test]
    fn a_damaged_or_foreign_or_ageing_authority_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let key = || open(dir.path(), now()).unwrap().key.serialize_der();
        let first = key();
        fs::write(dir.path().join("ca.pem"), "nothing").unwrap();
        let second = key();
        assert_ne!(first, second);
        fs::write(dir.path().join("ca.key"), KeyPair::generate().unwrap().serialize_pem()).unwrap();
        let third = key();
        assert_ne!(second, third);
        let nine_years = i64::try_from(9 * 366 * DAY.as_micros()).unwrap();
        let later = open(dir.path(), Timestamp(now().0 + nine_years)).unwrap().key.serialize_der();
        assert_ne!(third, later);
    }
}
