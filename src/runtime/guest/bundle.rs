//! Whom the guest trusts.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::GuestError;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// Writes to `path` the authority's certificate and all those of `others` that can be read, each once: the libraries of
/// the runner take one file, and an extension calls others than Connect too.
pub(super) fn write(path: &Path, authority: &Path, others: &[PathBuf]) -> Result<(), GuestError> {
    let own = fs::read_to_string(authority).map_err(GuestError::of(authority))?;
    let others = others.iter().filter_map(|file| fs::read_to_string(file).ok());
    let texts: Vec<String> = std::iter::once(own).chain(others).collect();
    let mut known = HashSet::new();
    let mut bundle = String::new();
    for certificate in texts.iter().flat_map(|text| certificates(text)).filter(|certificate| known.insert(*certificate)) {
        bundle.push_str(BEGIN);
        bundle.push_str(certificate);
        bundle.push_str(END);
        bundle.push('\n');
    }
    fs::write(path, bundle).map_err(GuestError::of(path))
}

fn certificates(text: &str) -> impl Iterator<Item = &str> {
    text.split(BEGIN).skip(1).filter_map(|rest| rest.split_once(END).map(|(body, _)| body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bundle_holds_every_certificate_once_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = dir.path().join(name);
            fs::write(&path, text).unwrap();
            path
        };
        let one = |body: &str| format!("{BEGIN}\n{body}\n{END}\n");
        let own = file("own", &format!("a comment\n{}", one("own")));
        let system = file("system", &format!("{}# two\n{}", one("one"), one("own")));
        let bundle = dir.path().join("bundle");
        write(&bundle, &own, &[system, dir.path().join("missing")]).unwrap();
        assert_eq!(fs::read_to_string(bundle).unwrap(), one("own") + &one("one"));
    }
}
