//! Variables in files: `.env`, JSON, a deployment file (`.connect-deployment.yml`), a workbook (`.xlsx`).
//!
//! Reading is forgiving about how a file is written and strict about what it means: whatever is left out is said in a
//! note, whatever can't be read is an error with its line. The value of a secret is written only when that is asked for;
//! otherwise a placeholder stands there, which is never taken for a value when the file is read again.

mod deployment;
mod dotenv;
mod json;
mod package;
mod workbook;

use std::path::Path;

use serde::{Deserialize, Serialize};

pub(crate) use dotenv::{quote, scan};

use crate::journal::placeholder;
use crate::observe::Secret;

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// `NAME=VALUE` lines.
    DotEnv,
    /// A JSON object or array, or one object a line.
    Json,
    /// `var:` of a `.connect-deployment.yml`.
    Deployment,
    /// A workbook with the columns Name, Value, Secure.
    Workbook,
}

impl Form {
    /// The form the name of a file tells.
    #[must_use]
    pub fn of(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_string_lossy().to_lowercase();
        let ending = name.rsplit('.').next().unwrap_or_default();
        match ending {
            "json" | "jsonl" => Some(Self::Json),
            "yml" | "yaml" => Some(Self::Deployment),
            "xlsx" => Some(Self::Workbook),
            _ if name.starts_with(".env") || ending == "env" => Some(Self::DotEnv),
            _ => None,
        }
    }
}

/// A variable as a file has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) name: String,
    /// `None` where the file withholds it.
    pub(crate) value: Option<Secret>,
    /// `None` where the file does not say.
    pub(crate) secure: Option<bool>,
}

impl Entry {
    /// A variable whose value may be the mark of one that is withheld.
    pub(crate) fn read(name: &str, value: String, secure: Option<bool>) -> Self {
        let value = (!withheld(name, &value)).then(|| Secret::new(value));
        Self { name: name.into(), value, secure }
    }
}

/// What was read.
#[derive(Debug, Default)]
pub(crate) struct Content {
    pub(crate) entries: Vec<Entry>,
    /// What was left out, and why.
    pub(crate) notes: Vec<String>,
}

/// Whether a text stands for the value of this variable, which is not shown: its own placeholder, or the stars of the portal.
/// A placeholder anywhere else is a mistake, which whoever takes the value notices.
pub(crate) fn withheld(name: &str, value: &str) -> bool {
    let value = value.trim();
    value == placeholder(name) || (value.len() >= 3 && value.bytes().all(|b| b == b'*'))
}

/// Reads a file.
///
/// # Errors
/// A sentence that names the line.
pub(crate) fn read(form: Form, bytes: &[u8]) -> Result<Content, String> {
    let text =
        || std::str::from_utf8(bytes).map(|t| t.trim_start_matches('\u{feff}')).map_err(|_| "it is not UTF-8 text".to_owned());
    let mut content = match form {
        Form::DotEnv => dotenv::read(text()?)?,
        Form::Json => json::read(text()?)?,
        Form::Deployment => deployment::read(text()?, |name| std::env::var(name).ok())?,
        Form::Workbook => workbook::read(bytes)?,
    };
    let empty = |entry: &Entry| entry.value.as_ref().is_some_and(Secret::is_empty);
    let blank: Vec<_> = content.entries.iter().filter(|e| empty(e)).map(|e| e.name.clone()).collect();
    content.entries.retain(|e| !empty(e));
    content.notes.extend(blank.iter().map(|name| format!("{name} is empty and was left out: Connect keeps no empty values")));
    Ok(content)
}

/// Writes a file; an entry without a value gets its placeholder.
///
/// # Errors
/// A sentence.
pub(crate) fn write(form: Form, entries: &[Entry]) -> Result<Vec<u8>, String> {
    match form {
        Form::DotEnv => Ok(dotenv::write(entries).into_bytes()),
        Form::Json => json::write(entries),
        Form::Deployment => Ok(deployment::write(entries).into_bytes()),
        Form::Workbook => workbook::write(entries),
    }
}

/// The value, or what stands in its place.
fn shown(entry: &Entry) -> String {
    entry.value.as_ref().map_or_else(|| placeholder(&entry.name), |value| value.reveal().to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn entry(name: &str, value: Option<&str>, secure: bool) -> Entry {
        Entry { name: name.into(), value: value.map(Secret::from), secure: Some(secure) }
    }

    /// What an entry says; that it is no secret need not be said.
    fn said(entry: &Entry) -> (&str, Option<&str>, bool) {
        (&entry.name, entry.value.as_ref().map(Secret::reveal), entry.secure.unwrap_or(false))
    }

    #[rstest]
    #[case(".env", Some(Form::DotEnv))]
    #[case("a/.env.local", Some(Form::DotEnv))]
    #[case("prod.env", Some(Form::DotEnv))]
    #[case("vars.JSON", Some(Form::Json))]
    #[case(".connect-deployment.yml", Some(Form::Deployment))]
    #[case("export.xlsx", Some(Form::Workbook))]
    #[case("notes.txt", None)]
    fn the_name_of_a_file_tells_its_form(#[case] path: &str, #[case] form: Option<Form>) {
        assert_eq!(Form::of(Path::new(path)), form);
    }

    #[rstest]
    #[case(Form::DotEnv)]
    #[case(Form::Json)]
    #[case(Form::Deployment)]
    #[case(Form::Workbook)]
    fn a_withheld_secret_is_read_back_as_withheld_and_never_as_a_value(#[case] form: Form) {
        let all = [entry("DB_HOST", Some("127.0.0.1:1"), false), entry("DB_PASSWORD", None, true)];
        let written = write(form, &all).unwrap();
        let back = read(form, &written).unwrap();
        let password = back.entries.iter().find(|e| e.name == "DB_PASSWORD").unwrap();
        assert_eq!((password.value.as_ref(), password.secure), (None, Some(true)));
        assert_eq!(back.entries.iter().find(|e| e.name == "DB_HOST").map(said), Some(said(&all[0])));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn every_form_gives_back_the_values_it_was_given(
            values in proptest::collection::vec(("[ -~äß漢]{0,24}(\\n[a-z #\"'=]{0,8})?", any::<bool>()), 1..5)
        ) {
            let all: Vec<_> = values.iter().enumerate()
                .filter(|(n, (value, _))| !value.is_empty() && !withheld(&format!("NAME_{n}"), value))
                .map(|(n, (value, secure))| entry(&format!("NAME_{n}"), Some(value), *secure)).collect();
            for form in [Form::DotEnv, Form::Json, Form::Deployment, Form::Workbook] {
                let back = read(form, &write(form, &all).unwrap()).unwrap();
                prop_assert_eq!(back.entries.iter().map(said).collect::<Vec<_>>(), all.iter().map(said).collect::<Vec<_>>(), "{:?}", form);
            }
        }
    }
}
