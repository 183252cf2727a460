//! `events pin|unpin|export|import|retention`: what is kept of deliveries.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Subcommand;

use super::output::{self, Output};
use super::{CliError, Setting};
use crate::journal::{Retention, Usage};
use crate::replay::{FileError, Recorded};
use crate::workbench::{CaptureCommand, CaptureReply, Command, Reply, Session};

#[derive(Subcommand)]
pub(super) enum Keep {
    /// Keep deliveries whatever retention takes away
    Pin {
        /// Their numbers
        #[arg(required = true, value_name = "ID")]
        ids: Vec<i64>,
    },
    /// Let retention have them again
    Unpin {
        /// Their numbers
        #[arg(required = true, value_name = "ID")]
        ids: Vec<i64>,
    },
    /// Write captures as readable JSON files, secrets replaced by placeholders
    Export {
        /// Numbers of deliveries
        #[arg(required = true, value_name = "ID")]
        ids: Vec<i64>,
        /// The file, or the directory for several; `-` for stdout
        #[arg(long, value_name = "PATH", default_value = ".")]
        to: PathBuf,
        /// Replace files that are there
        #[arg(long)]
        force: bool,
    },
    /// Take exported captures into the journal
    Import {
        /// The files
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// How much is kept, and how much of that is used
    Retention {
        /// At most so much on disk, such as 4GiB or 500MiB; 0 for no limit
        #[arg(long, value_parser = bytes)]
        size: Option<u64>,
        /// At most so old, such as 90d or 12h; 0 for no limit
        #[arg(long, value_parser = seconds)]
        age: Option<u64>,
    },
}

pub(super) async fn keep(setting: Setting, verb: Keep) -> Result<(), CliError> {
    match verb {
        Keep::Pin { ids } => change(&setting, CaptureCommand::Pin { deliveries: ids, pinned: true }).await,
        Keep::Unpin { ids } => change(&setting, CaptureCommand::Pin { deliveries: ids, pinned: false }).await,
        Keep::Export { ids, to, force } => export(&setting, &ids, &to, force),
        Keep::Import { files } => import(&setting, &files).await,
        Keep::Retention { size, age } => retention(&setting, size, age).await,
    }
}

/// Has a command about captures carried out.
pub(super) async fn ask(session: &Session, command: CaptureCommand) -> Result<CaptureReply, CliError> {
    match session.command(Command::Captures(command)).await? {
        Reply::Captures(reply) => Ok(reply),
        _ => Err(CliError::failed("the session answered something else than was asked".into())),
    }
}

async fn change(setting: &Setting, command: CaptureCommand) -> Result<(), CliError> {
    let session = setting.session().await?;
    let reply = ask(&session, command).await;
    session.close().await;
    match reply? {
        CaptureReply::Usage(usage) => gauge(setting.output, &usage),
        _ => Ok(()),
    }
}

async fn retention(setting: &Setting, size: Option<u64>, age: Option<u64>) -> Result<(), CliError> {
    if size.is_none() && age.is_none() {
        let Some(reader) = setting.reader()? else {
            return setting.output.line("Nothing is kept yet: there is no journal in this data directory.");
        };
        return gauge(setting.output, &reader.usage()?);
    }
    let retention = match (size, age) {
        (Some(bytes), Some(seconds)) => Retention { bytes, seconds },
        (size, age) => {
            let before = Retention::load(&setting.options.data_dir)?;
            Retention { bytes: size.unwrap_or(before.bytes), seconds: age.unwrap_or(before.seconds) }
        }
    };
    change(setting, CaptureCommand::Retain { retention }).await
}

/// How full it is, with a bar.
fn gauge(output: Output, usage: &Usage) -> Result<(), CliError> {
    if output.is_json() {
        return output.object(usage);
    }
    const WIDE: u64 = 30;
    let filled = match usage.retention.bytes {
        0 => 0,
        most => (usage.bytes.saturating_mul(WIDE) / most).min(WIDE),
    };
    let bar: String = (0..WIDE).map(|n| if n < filled { '#' } else { '.' }).collect();
    let most = if usage.retention.bytes == 0 { "no limit".into() } else { size_words(usage.retention.bytes) };
    output.line(&format!("[{bar}] {} of {most}", size_words(usage.bytes)))?;
    if let Some(more) = usage.bytes.checked_sub(usage.retention.bytes).filter(|more| *more > 0 && usage.retention.bytes > 0) {
        output.line(&format!("{} too much: the oldest deliveries go, in a running session, until it fits", size_words(more)))?;
    }
    if usage.is_indexing() {
        let left = output::count(usize::try_from(usage.unindexed).unwrap_or(usize::MAX), "observation", "observations");
        output.line(&format!(
            "the index of texts lacks {left}, which a running session takes in; until then a text few deliveries have takes longer to find"
        ))?;
    }
    let age = usage.retention.age().map_or_else(|| "any age".into(), |age| format!("{age} at most"));
    output.line(&format!(
        "{}, {} of them pinned; {age}; taken away so far: {}",
        output::count(usize::try_from(usage.deliveries).unwrap_or(usize::MAX), "delivery", "deliveries"),
        usage.pinned,
        usage.removed
    ))
}

fn size_words(bytes: u64) -> String {
    match bytes {
        0..1_048_576 => format!("{} KiB", bytes >> 10),
        1_048_576..1_073_741_824 => format!("{} MiB", bytes >> 20),
        _ => format!("{}.{} GiB", bytes >> 30, (bytes % (1 << 30)) * 10 / (1 << 30)),
    }
}

fn export(setting: &Setting, ids: &[i64], to: &Path, force: bool) -> Result<(), CliError> {
    let reader = setting.reader()?.ok_or_else(|| CliError::usage("nothing was captured here yet".into()))?;
    let all = ids.iter().map(|id| Recorded::of(&reader, *id)).collect::<Result<Vec<_>, _>>()?;
    for recorded in all {
        if to == Path::new("-") {
            recorded.text().lines().try_for_each(|line| setting.output.line(line))?;
            continue;
        }
        let directory = to.is_dir() || ids.len() > 1 || to.as_os_str().as_encoded_bytes().ends_with(b"/");
        if directory {
            std::fs::create_dir_all(to).map_err(|source| FileError::Io { path: to.into(), what: "made", source })?;
        }
        let path = if directory { to.join(recorded.file_name()) } else { to.to_owned() };
        write_new(&path, &recorded.text(), force)?;
        if setting.output.is_json() {
            setting.output.object(&serde_json::json!({"delivery": recorded.delivery.id, "file": path}))?;
        } else {
            setting.output.line(&path.display().to_string())?;
        }
    }
    Ok(())
}

/// Writes a file for its owner alone: there may be more in a payload than one thinks.
fn write_new(path: &Path, text: &str, force: bool) -> Result<(), CliError> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(!force).create(force).truncate(force);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path).and_then(|mut file| file.write_all(text.as_bytes())) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Err(CliError::usage(format!(
            "{} is there already: give another name, or say --force to replace it; nothing was written over it",
            path.display()
        ))),
        written => Ok(written.map_err(|source| FileError::Io { path: path.into(), what: "written", source })?),
    }
}

async fn import(setting: &Setting, files: &[PathBuf]) -> Result<(), CliError> {
    // All of them are read before the first is taken over: a broken one changes nothing.
    let mut texts = Vec::new();
    for path in files {
        let text = std::fs::read_to_string(path).map_err(|source| FileError::Io { path: path.clone(), what: "read", source })?;
        Recorded::parse(path, &text)?;
        texts.push((text, path.display().to_string()));
    }
    let session = setting.session().await?;
    let work = async {
        for (text, name) in texts {
            if let CaptureReply::Imported { delivery } =
                ask(&session, CaptureCommand::Import { text, name: name.clone() }).await?
            {
                if setting.output.is_json() {
                    setting.output.object(&serde_json::json!({"delivery": delivery, "file": name}))?;
                } else {
                    setting.output.line(&format!("{name} is delivery {delivery}"))?;
                }
            }
        }
        Ok(())
    };
    let outcome = work.await;
    session.close().await;
    outcome
}

/// `4GiB`, `500MiB`, `1000`
fn bytes(text: &str) -> Result<u64, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit: u64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" | "kib" => 1 << 10,
        "m" | "mb" | "mib" => 1 << 20,
        "g" | "gb" | "gib" => 1 << 30,
        "t" | "tb" | "tib" => 1 << 40,
        _ => return Err("it takes the form 4GiB, 500MiB or 0".into()),
    };
    number.parse::<u64>().ok().and_then(|n| n.checked_mul(unit)).ok_or_else(|| "it takes the form 4GiB, 500MiB or 0".into())
}

/// `90d`, `12h`, `0`
fn seconds(text: &str) -> Result<u64, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "w" => 604_800,
        "" if number == "0" => 1,
        _ => return Err("it takes the form 90d, 12h or 0".into()),
    };
    number.parse::<u64>().ok().and_then(|n| n.checked_mul(unit)).ok_or_else(|| "it takes the form 90d, 12h or 0".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case("4GiB", Some(4 << 30))]
    #[case("500 MiB", Some(500 << 20))]
    #[case("0", Some(0))]
    #[case("much", None)]
    fn a_size_is_read(#[case] text: &str, #[case] expected: Option<u64>) {
        assert_eq!(bytes(text).ok(), expected);
    }

    #[rstest::rstest]
    #[case("90d", Some(90 * 86_400))]
    #[case("0", Some(0))]
    #[case("5", None)]
    fn an_age_is_read(#[case] text: &str, #[case] expected: Option<u64>) {
        assert_eq!(seconds(text).ok(), expected);
    }
}
