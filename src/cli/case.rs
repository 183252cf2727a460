//! `case`: captures as regression tests of an extension.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Subcommand;
use serde_json::json;

use super::captures::ask;
use super::trigger::result_of;
use super::{CliError, Setting, output};
use crate::replay::{Case as Saved, Outcome, Recorded, unrecorded};
use crate::workbench::{CaptureCommand, CaptureReply, OpenOptions, Ports, RunAgain, Session};

#[derive(Subcommand)]
pub(super) enum Case {
    /// Write a delivery and what came of it into a directory, secrets replaced by placeholders
    Save {
        /// The number of the delivery
        #[arg(value_name = "DELIVERY")]
        id: i64,
        /// The directory to make of it
        #[arg(long = "to", value_name = "DIR")]
        dir: PathBuf,
        /// Replace the case that is there
        #[arg(long)]
        force: bool,
    },
    /// Run cases again with their recorded answers; exit status 1 where something else comes of one
    Run {
        /// The directory of a case, or of several
        dir: PathBuf,
        /// Write the results as JUnit XML
        #[arg(long, value_name = "FILE")]
        junit: Option<PathBuf>,
        /// Take what came of them for what is expected from now on
        #[arg(long)]
        update: bool,
        /// How many seconds one may take
        #[arg(long, default_value_t = 60, value_name = "SECONDS")]
        timeout: u64,
    },
}

/// `case save|run`
pub(super) async fn case(setting: Setting, verb: Case) -> Result<(), CliError> {
    match verb {
        Case::Save { id, dir, force } => save(&setting, id, &dir, force),
        Case::Run { dir, junit, update, timeout } => run(&setting, &dir, junit.as_deref(), update, timeout).await,
    }
}

fn save(setting: &Setting, id: i64, dir: &Path, force: bool) -> Result<(), CliError> {
    let missing = || CliError::usage(format!("there is no delivery {id}; `events list` shows which there are"));
    let reader = setting.reader()?.ok_or_else(missing)?;
    let case = Saved::of(Recorded::of(&reader, id)?)?;
    case.save(dir, force)?;
    if setting.output.is_json() {
        return setting.output.object(&json!({"delivery": id, "case": dir}));
    }
    setting.output.line(&format!("Saved. `connect-console case run {}` runs it.", dir.display()))
}

/// How one case went.
struct Went {
    name: String,
    /// What was different, a line each; empty where nothing was.
    lines: Vec<String>,
    took: Duration,
}

async fn run(setting: &Setting, dir: &Path, junit: Option<&Path>, update: bool, timeout: u64) -> Result<(), CliError> {
    let dirs = Saved::find(dir)?;
    let cases = dirs.into_iter().map(|dir| Saved::read(&dir).map(|case| (dir, case))).collect::<Result<Vec<_>, _>>()?;
    let place = Place::new()?;
    let options = OpenOptions {
        data_dir: place.0.clone(),
        ports: Ports { connect: 0, mongodb: 0, data_api: 0 },
        ..setting.options.clone()
    };
    let own = Setting { options, output: setting.output, plain: setting.plain, config: setting.config.clone() };
    let session = own.ready().await?;
    let mut went = Vec::new();
    for (dir, case) in cases {
        let since = Instant::now();
        let lines = match outcome(&session, &case, timeout).await {
            Ok((outcome, missed)) => {
                let mut lines: Vec<String> =
                    missed.iter().map(|call| format!("! a call that was not recorded: {call}")).collect();
                lines.extend(case.differences(&outcome).iter().map(ToString::to_string));
                if update && missed.is_empty() && !lines.is_empty() {
                    let mut case = case.clone();
                    case.expected.outcome = outcome;
                    case.save(&dir, true)?;
                    output::remark(&format!("{}: what is expected was updated", case.name));
                    lines.clear();
                }
                lines
            }
            Err(error) => vec![format!("! {error}")],
        };
        let one = Went { name: case.name, lines, took: since.elapsed() };
        tell(setting, &one)?;
        went.push(one);
    }
    session.close().await;
    if let Some(file) = junit {
        std::fs::write(file, xml(&went)).map_err(|e| CliError::failed(format!("{} can't be written: {e}", file.display())))?;
    }
    let failed = went.iter().filter(|one| !one.lines.is_empty()).count();
    if !setting.output.is_json() {
        setting.output.line(&format!("{} cases, {failed} failed", went.len()))?;
    }
    if failed > 0 { Err(CliError::Told) } else { Ok(()) }
}

async fn outcome(session: &Session, case: &Saved, timeout: u64) -> Result<(Outcome, Vec<String>), CliError> {
    let run = RunAgain { capture: Some(case.recorded.text()), hermetic: true, as_recorded: true, ..RunAgain::default() };
    let CaptureReply::Started { delivered, .. } = ask(session, CaptureCommand::Run(Box::new(run))).await? else {
        return Err(CliError::failed("the session answered something else than was asked".into()));
    };
    if delivered.unclaimed {
        return Err(CliError::failed(delivered.note.unwrap_or_else(|| "nobody takes the task".into())));
    }
    let row = result_of(session, &delivered.task_id, Duration::from_secs(timeout)).await?;
    let observations = session.reader()?.observations(row.id)?;
    Ok((Outcome::of(&observations), unrecorded(&observations)))
}

fn tell(setting: &Setting, one: &Went) -> Result<(), CliError> {
    let passed = one.lines.is_empty();
    if setting.output.is_json() {
        let millis = u64::try_from(one.took.as_millis()).unwrap_or(u64::MAX);
        return setting.output.object(&json!({"case": one.name, "passed": passed, "differences": one.lines, "millis": millis}));
    }
    setting.output.line(&format!("{}  {}", if passed { "ok    " } else { "FAILED" }, one.name))?;
    one.lines.iter().try_for_each(|line| setting.output.line(&format!("        {line}")))
}

/// As CI systems read it.
fn xml(went: &[Went]) -> String {
    let failed = went.iter().filter(|one| !one.lines.is_empty()).count();
    let total: f64 = went.iter().map(|one| one.took.as_secs_f64()).sum();
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites><testsuite name=\"connect-console cases\" tests=\"{}\" failures=\"{failed}\" time=\"{total:.3}\">\n",
        went.len()
    );
    for one in went {
        let (name, seconds) = (escaped(&one.name), one.took.as_secs_f64());
        text.push_str(&format!("<testcase classname=\"case\" name=\"{name}\" time=\"{seconds:.3}\">"));
        if let Some(first) = one.lines.first() {
            text.push_str(&format!("<failure message=\"{}\">{}</failure>", escaped(first), escaped(&one.lines.join("\n"))));
        }
        text.push_str("</testcase>\n");
    }
    text + "</testsuite></testsuites>\n"
}

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            // XML 1.0 has no way to write the others.
            letter if letter.is_control() && !matches!(letter, '\n' | '\t') => safe.push('\u{fffd}'),
            letter => safe.push(letter),
        }
    }
    safe
}

/// A data directory for these runs alone: nothing of the developer's own is touched. Removed with the value.
struct Place(PathBuf);

impl Place {
    fn new() -> Result<Self, CliError> {
        let dir = std::env::temp_dir().join(format!("connect-console-case-{}-{:08x}", std::process::id(), rand::random::<u32>()));
        crate::workbench::private_dir(&dir)?;
        Ok(Self(dir))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // Whatever is left in the system's place for such things is the system's to sweep.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_is_xml_whatever_a_payload_says() {
        let bad = Went { name: "a<b".into(), lines: vec!["~ x: \"\u{1}\" & more".into()], took: Duration::from_millis(1_500) };
        let good = Went { name: "fine".into(), lines: Vec::new(), took: Duration::ZERO };
        let text = xml(&[bad, good]);
        assert!(text.contains("tests=\"2\" failures=\"1\" time=\"1.500\""), "{text}");
        assert!(text.contains("name=\"a&lt;b\"") && text.contains("~ x: &quot;\u{fffd}&quot; &amp; more"), "{text}");
    }
}
