//! `config`: where the configuration is looked for, whether it is right, and what is used.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Subcommand;

use super::CliError;
use super::output::Output;
use crate::console::Config;

/// `config` and its verbs.
#[derive(Subcommand)]
pub(super) enum Verbs {
    /// Where the file is looked for
    Path,
    /// Write a file to begin with where it is looked for, if none is there
    Init,
    /// Whether it is right; every mistake with its line
    Check,
    /// The file, or where there is none what is used without one
    Show,
}

/// The file asked for, or the one in the platform's configuration directory.
fn path(asked: Option<&Path>) -> Option<PathBuf> {
    let own = || directories::ProjectDirs::from("", "", "connect-console").map(|dirs| dirs.config_dir().join("config.toml"));
    asked.map(Path::to_owned).or_else(own)
}

/// The text of the file; `None` where there is none, which is as good.
fn text(asked: Option<&Path>) -> Result<Option<(PathBuf, String)>, CliError> {
    let Some(path) = path(asked) else { return Ok(None) };
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(Some((path, text))),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound && asked.is_none() => Ok(None),
        Err(e) => Err(CliError::usage(format!("the configuration {} can't be read: {e}", path.display()))),
    }
}

/// The configuration the console is opened with.
pub(super) fn load(asked: Option<&Path>) -> Result<Config, CliError> {
    let Some((path, text)) = text(asked)? else { return Ok(Config::default()) };
    Config::parse(&text)
        .map_err(|wrong| CliError::usage(format!("the configuration {} has mistakes:\n  {}", path.display(), wrong.join("\n  "))))
}

/// `config path|init|check|show`
pub(super) fn config(output: Output, asked: Option<&Path>, verb: &Verbs) -> Result<(), CliError> {
    let nowhere = || CliError::usage("no home directory is known: name the file with --config FILE".into());
    match verb {
        Verbs::Path => {
            let path = path(asked).ok_or_else(nowhere)?;
            if output.is_json() {
                return output.object(&serde_json::json!({ "path": path, "exists": path.exists() }));
            }
            output.line(&path.display().to_string())
        }
        Verbs::Init => {
            let path = path(asked).ok_or_else(nowhere)?;
            let failed = |e: std::io::Error| match e.kind() {
                std::io::ErrorKind::AlreadyExists => CliError::usage(format!("{} is there already: edit it", path.display())),
                _ => CliError::usage(format!("{} can't be written: {e}", path.display())),
            };
            path.parent().map_or(Ok(()), std::fs::create_dir_all).map_err(failed)?;
            let mut file = std::fs::File::create_new(&path).map_err(failed)?;
            file.write_all(Config::EXAMPLE.as_bytes()).map_err(failed)?;
            if output.is_json() {
                return output.object(&serde_json::json!({ "path": path }));
            }
            output.line(&format!("{} is written: everything in it is as it is without it. Edit it.", path.display()))
        }
        Verbs::Check => {
            let Some((path, text)) = text(asked)? else {
                return output.line(
                    "There is no configuration file, and none is needed; `connect-console config init` writes one to begin with.",
                );
            };
            match Config::parse(&text) {
                Ok(_) => output.line(&format!("{} is right.", path.display())),
                Err(wrong) => {
                    for sentence in &wrong {
                        output.line(&format!("{}: {sentence}", path.display()))?;
                    }
                    Err(CliError::Told)
                }
            }
        }
        Verbs::Show => {
            let text = text(asked)?.map_or_else(|| Config::EXAMPLE.to_owned(), |(_, text)| text);
            text.lines().try_for_each(|line| output.line(line))
        }
    }
}
