//! `case`: captures as regression tests of an extension.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Subcommand;
use serde_json::json;

use super::captures::ask;
use super::run::stop_signal;
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
    verdict: Verdict,
    took: Duration,
}

enum Verdict {
    Passed,
    /// What was different, a line each.
    Differs(Vec<String>),
    /// Why nothing can be said about it.
    Error(String),
}

impl Verdict {
    fn lines(&self) -> &[String] {
        match self {
            Self::Passed => &[],
            Self::Differs(lines) => lines,
            Self::Error(why) => std::slice::from_ref(why),
        }
    }
}

async fn run(setting: &Setting, root: &Path, junit: Option<&Path>, update: bool, timeout: u64) -> Result<(), CliError> {
    // Listens from here on: what is asked to end clears its directory away first.
    let mut stop = std::pin::pin!(stop_signal());
    let dirs = Saved::find(root)?;
    let place = Place::new()?;
    let options = OpenOptions {
        data_dir: place.0.clone(),
        ports: Ports { connect: 0, mongodb: 0, data_api: 0 },
        ..setting.options.clone()
    };
    let own = Setting { options, output: setting.output, plain: setting.plain, config: setting.config.clone() };
    // What has begun to start is started and stopped: half a session would still write into a directory that is gone.
    let session = own.session().await?;
    let mut went = Vec::new();
    let mut outcome = tokio::select! {
        () = own.until_ready(&session) => Ok(()),
        () = &mut stop => Err(stopped(0, dirs.len())),
    };
    for dir in &dirs {
        if outcome.is_err() {
            break;
        }
        let one = tokio::select! {
            one = run_one(&session, name(root, dir), dir, update, timeout) => one,
            () = &mut stop => {
                outcome = Err(stopped(went.len(), dirs.len()));
                break;
            }
        };
        outcome = tell(setting, &one);
        went.push(one);
    }
    session.close().await;
    if let Some(file) = junit {
        std::fs::write(file, xml(&went)).map_err(|e| CliError::failed(format!("{} can't be written: {e}", file.display())))?;
    }
    outcome?;
    let (failed, errors) = counts(&went);
    if !setting.output.is_json() {
        let cases = output::count(went.len(), "case", "cases");
        let errors = if errors > 0 { format!(", {errors} could not be run") } else { String::new() };
        setting.output.line(&format!("{cases}, {failed} failed{errors}"))?;
    }
    if failed + errors > 0 { Err(CliError::Told) } else { Ok(()) }
}

fn stopped(run: usize, of: usize) -> CliError {
    CliError::failed(format!("stopped: {run} of {} had been run", output::count(of, "case", "cases")))
}

/// How many failed, and how many could not be run.
fn counts(went: &[Went]) -> (usize, usize) {
    let count = |wanted: fn(&Verdict) -> bool| went.iter().filter(|one| wanted(&one.verdict)).count();
    (count(|verdict| matches!(verdict, Verdict::Differs(_))), count(|verdict| matches!(verdict, Verdict::Error(_))))
}

/// What a case is called in a report: by its place, for two may have directories of one name.
fn name(root: &Path, dir: &Path) -> String {
    match dir.strip_prefix(root) {
        Ok(below) if !below.as_os_str().is_empty() => below.display().to_string(),
        _ => Saved::name(dir),
    }
}

/// Runs a case; one that can't be read or run says so, and is in nobody's way.
async fn run_one(session: &Session, name: String, dir: &Path, update: bool, timeout: u64) -> Went {
    let since = Instant::now();
    let verdict = match Saved::read(dir).map_err(CliError::from) {
        Ok(case) => verdict(session, dir, &case, update, timeout).await,
        Err(error) => Err(error),
    };
    let verdict = verdict.unwrap_or_else(|error| Verdict::Error(error.to_string()));
    Went { name, verdict, took: since.elapsed() }
}

async fn verdict(session: &Session, dir: &Path, case: &Saved, update: bool, timeout: u64) -> Result<Verdict, CliError> {
    let (outcome, missed) = outcome(session, case, timeout).await?;
    let mut lines: Vec<String> = missed.iter().map(|call| format!("! a call that was not recorded: {call}")).collect();
    lines.extend(case.differences(&outcome).iter().map(ToString::to_string));
    if lines.is_empty() {
        return Ok(Verdict::Passed);
    }
    if !update || !missed.is_empty() {
        return Ok(Verdict::Differs(lines));
    }
    let mut case = case.clone();
    case.expected.outcome = outcome;
    case.save(dir, true)?;
    output::remark(&format!("{}: what is expected was updated", case.name));
    Ok(Verdict::Passed)
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
    let lines = one.verdict.lines();
    if setting.output.is_json() {
        let millis = u64::try_from(one.took.as_millis()).unwrap_or(u64::MAX);
        let (differences, error) = match &one.verdict {
            Verdict::Error(why) => (&[][..], Some(why)),
            _ => (lines, None),
        };
        return setting.output.object(&json!({
            "case": one.name, "passed": lines.is_empty(), "differences": differences, "error": error, "millis": millis,
        }));
    }
    let (word, sign) = match one.verdict {
        Verdict::Passed => ("ok    ", ""),
        Verdict::Differs(_) => ("FAILED", ""),
        Verdict::Error(_) => ("ERROR ", "! "),
    };
    setting.output.line(&format!("{word}  {}", one.name))?;
    lines.iter().try_for_each(|line| setting.output.line(&format!("        {sign}{line}")))
}

/// As CI systems read it: a failure is a case that went otherwise than expected, an error one that did not go at all.
fn xml(went: &[Went]) -> String {
    let (failed, errors) = counts(went);
    let total: f64 = went.iter().map(|one| one.took.as_secs_f64()).sum();
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites><testsuite name=\"connect-console cases\" tests=\"{}\" failures=\"{failed}\" errors=\"{errors}\" time=\"{total:.3}\">\n",
        went.len()
    );
    for one in went {
        let (name, seconds) = (escaped(&one.name), one.took.as_secs_f64());
        text.push_str(&format!("<testcase classname=\"case\" name=\"{name}\" time=\"{seconds:.3}\">"));
        let tag = if matches!(one.verdict, Verdict::Error(_)) { "error" } else { "failure" };
        let lines = one.verdict.lines();
        if let Some(first) = lines.first() {
            text.push_str(&format!("<{tag} message=\"{}\">{}</{tag}>", escaped(first), escaped(&lines.join("\n"))));
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
        let differs = Verdict::Differs(vec!["~ x: \"\u{1}\" & more".into()]);
        let bad = Went { name: "a<b".into(), verdict: differs, took: Duration::from_millis(1_500) };
        let good = Went { name: "fine".into(), verdict: Verdict::Passed, took: Duration::ZERO };
        let text = xml(&[bad, good]);
        assert!(text.contains("tests=\"2\" failures=\"1\" errors=\"0\" time=\"1.500\""), "{text}");
        assert!(text.contains("name=\"a&lt;b\"") && text.contains("~ x: &quot;\u{fffd}&quot; &amp; more"), "{text}");
    }

    #[test]
    fn what_could_not_be_run_is_an_error_and_no_failure() {
        let late = Verdict::Error("task T was not answered within 1 s".into());
        let text = xml(&[Went { name: "late".into(), verdict: late, took: Duration::ZERO }]);
        assert!(text.contains("failures=\"0\" errors=\"1\"") && text.contains("<error message=\"task T was not"), "{text}");
        assert!(!text.contains("<failure"), "{text}");
    }
}
