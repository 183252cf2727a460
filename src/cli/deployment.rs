//! `sandbox --data-api-for WHERE`: where a connection string comes from, so that no password is on a command line.

use std::path::Path;

use super::CliError;
use crate::observe::Secret;

/// The connection string `wanted` is or names: `env:NAME`, `file:PATH`, or itself if it holds no password.
///
/// # Errors
/// It holds a password (which is not repeated), or what it names holds none.
pub(super) fn read(wanted: &str, variable: impl Fn(&str) -> Option<String>) -> Result<Secret, CliError> {
    let (text, from) = if let Some(name) = wanted.strip_prefix("env:") {
        let value = variable(name);
        (value.ok_or_else(|| CliError::usage(format!("the environment has no variable {name}")))?, format!("the variable {name}"))
    } else if let Some(path) = wanted.strip_prefix("file:") {
        let text = std::fs::read_to_string(Path::new(path));
        (text.map_err(|e| CliError::usage(format!("{path} can't be read: {e}")))?, path.to_owned())
    } else if has_password(wanted) {
        return Err(CliError::usage(
            "a password on the command line can be seen by everybody on this machine: put the connection string into a variable or \
             a file, and say --data-api-for env:NAME or --data-api-for file:PATH"
                .into(),
        ));
    } else {
        (wanted.to_owned(), "--data-api-for".to_owned())
    };
    let text = text.trim();
    if !(text.starts_with("mongodb://") || text.starts_with("mongodb+srv://")) {
        return Err(CliError::usage(format!("{from} holds no connection string: it begins with mongodb:// or mongodb+srv://")));
    }
    Ok(text.into())
}

/// Whether there is a password before the host.
fn has_password(uri: &str) -> bool {
    // A slash in it should have been written as %2F, and may not have been.
    let rest = uri.split_once("://").map_or(uri, |(_, rest)| rest);
    rest.rsplit_once('@').is_some_and(|(user, _)| user.contains(':'))
}

/// The password of a connection string, as it stands there.
pub(super) fn password(uri: &Secret) -> Option<Secret> {
    let authority = uri.reveal().split_once("://")?.1.split(['/', '?']).next()?;
    let (_, password) = authority.rsplit_once('@')?.0.split_once(':')?;
    Some(password.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variable(name: &str) -> Option<String> {
        (name == "URI").then(|| "mongodb+srv://u:pässword@c.example/?w=1\n".into())
    }

    #[test]
    fn a_password_comes_from_the_environment_or_a_file_and_never_from_the_command_line() {
        assert_eq!(read("env:URI", variable).unwrap().reveal(), "mongodb+srv://u:pässword@c.example/?w=1");
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("uri");
        std::fs::write(&file, "mongodb://u:p@h:1/").unwrap();
        let secret = read(&format!("file:{}", file.display()), variable).unwrap();
        assert_eq!(password(&secret).unwrap().reveal(), "p");
        assert_eq!(read("mongodb://me@127.0.0.1:1/?w=1", variable).unwrap().reveal(), "mongodb://me@127.0.0.1:1/?w=1");
        for given in ["mongodb://u:hunter2@h/", "mongodb://u:hun/ter2@h/"] {
            let refused = read(given, variable).unwrap_err().to_string();
            assert!(refused.contains("env:NAME") && !refused.contains("ter2"), "{refused}");
        }
    }

    #[rstest::rstest]
    #[case("env:NONE", "no variable NONE")]
    #[case("file:/nowhere/uri", "/nowhere/uri can't be read")]
    #[case("cluster0.example", "no connection string")]
    fn what_is_missing_is_named(#[case] wanted: &str, #[case] says: &str) {
        let error = read(wanted, variable).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
}
