//! `replay`: past deliveries run again, in many ways, and compared with what they were.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args as Group;

use super::args::{Wait, pair};
use super::captures::ask;
use super::events::{HEADING, delivery_cells, unreadable};
use super::trigger::{edited, read_object, result_of};
use super::{CliError, Setting, compared, output};
use crate::journal::{DeliveryFilter, DeliveryRow, Window};
use crate::replay::Capture;
use crate::runtime::guest::watch;
use crate::workbench::{CaptureCommand, CaptureReply, RunAgain, Session, Source};

/// How many deliveries one filter may select.
const SELECTION: usize = 1_000;

#[derive(Group)]
pub(super) struct Replay {
    /// Numbers of deliveries, as `events list` shows them
    #[arg(required_unless_present = "filter", value_name = "ID")]
    deliveries: Vec<i64>,
    /// All deliveries that fit this filter (see `events list`), oldest first
    #[arg(long, value_name = "FILTER", conflicts_with = "deliveries")]
    filter: Option<String>,
    /// How often each
    #[arg(long, default_value_t = 1, value_name = "N")]
    times: u32,
    /// Change the object: a dotted path and a value
    #[arg(long, value_name = "PATH=VALUE", value_parser = pair)]
    set: Vec<(String, String)>,
    /// Another object instead of the captured one, as a JSON file
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Change the object in the editor named by VISUAL or EDITOR first
    #[arg(long, conflicts_with = "file")]
    edit: bool,
    /// Another value of a variable, for this run only; other deliveries are held meanwhile
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = pair)]
    variables: Vec<(String, String)>,
    /// The API answers as it was recorded; a call that was not recorded fails the replay
    #[arg(long)]
    hermetic: bool,
    /// With --hermetic: a call that was not recorded reaches the local Connect
    #[arg(long, requires = "hermetic")]
    allow_unrecorded: bool,
    /// Write into shadow collections, and show what is different from the original; exit status 1 where something is
    #[arg(long)]
    shadow: bool,
    /// With --shadow: leave the shadow collections for a look
    #[arg(long, requires = "shadow")]
    keep: bool,
    /// Deliver twice into the same shadow collections and show what happened twice; exit status 1 where something did
    #[arg(long, conflicts_with_all = ["shadow", "watch"])]
    twice: bool,
    /// Show what is different from the original; exit status 1 where something is
    #[arg(long)]
    diff: bool,
    /// Again whenever the sources change (of a Rust extension: whenever it was built), with the differences
    #[arg(long)]
    watch: bool,
    #[command(flatten)]
    wait: Wait,
}

impl Replay {
    fn must_wait(&self) -> bool {
        let compared = self.diff || self.shadow || self.twice || self.hermetic;
        self.wait.wait || compared || self.times > 1 || !self.variables.is_empty() || self.filter.is_some()
    }
}

/// `replay ID...`
pub(super) async fn replay(setting: Setting, args: Replay) -> Result<(), CliError> {
    if args.watch {
        return watched(&setting).await;
    }
    let session = setting.ready().await?;
    let outcome = run_all(&setting, &session, &args).await;
    session.close().await;
    outcome
}

async fn run_all(setting: &Setting, session: &Session, args: &Replay) -> Result<(), CliError> {
    let deliveries = selected(session, args)?;
    let object = args.file.as_deref().map(read_object).transpose()?;
    let mut rows = Vec::new();
    let mut failed = false;
    for delivery in deliveries {
        let mut run = RunAgain {
            delivery: Some(delivery),
            object: object.clone(),
            set: args.set.clone(),
            variables: args.variables.clone(),
            hermetic: args.hermetic,
            allow_unrecorded: args.allow_unrecorded,
            shadow: args.shadow || args.twice,
            ..RunAgain::default()
        };
        if args.edit {
            let capture = Capture::of(&session.reader()?, delivery)?;
            run.object = Some(edited(&setting.options.data_dir, &capture.object)?);
        }
        for _ in 0..args.times.max(1) {
            failed |= match args.twice {
                true => twice(setting, session, args, run.clone()).await?,
                false => once(setting, session, args, run.clone(), &mut rows).await?,
            };
        }
    }
    setting.output.table(HEADING, &rows)?;
    if failed { Err(CliError::Told) } else { Ok(()) }
}

fn selected(session: &Session, args: &Replay) -> Result<Vec<i64>, CliError> {
    let Some(line) = &args.filter else { return Ok(args.deliveries.clone()) };
    let filter = DeliveryFilter::parse(line).map_err(|error| unreadable(line, &error))?;
    let rows = session.reader()?.deliveries(&filter, &Window::newest(SELECTION))?;
    match rows.len() {
        0 => Err(CliError::usage(format!("no delivery fits `{line}`: nothing was run"))),
        SELECTION => Err(CliError::usage(format!("more than {SELECTION} deliveries fit `{line}`: narrow it; nothing was run"))),
        _ => Ok(rows.into_iter().map(|row| row.id).collect()),
    }
}

/// One run; whether it failed, or did something else where that is a failure.
async fn once(
    setting: &Setting,
    session: &Session,
    args: &Replay,
    run: RunAgain,
    rows: &mut Vec<Vec<String>>,
) -> Result<bool, CliError> {
    let original = run.delivery;
    let Some((row, shadows)) = started(setting, session, args, run).await? else { return Ok(!session.is_elsewhere()) };
    let mut failed = matches!(row.result.as_deref(), Some("fail" | "retry") | None);
    if setting.output.is_json() {
        setting.output.object(&row)?;
    } else {
        rows.push(delivery_cells(&row));
    }
    if let Some(before) = original.filter(|_| args.diff || args.shadow || args.hermetic) {
        let command = CaptureCommand::Compare { before, after: row.id, documents: args.shadow };
        let CaptureReply::Compared(found) = ask(session, command).await? else { return Ok(failed) };
        for call in &found.unrecorded {
            output::remark(&format!("not recorded in delivery {before}: {call}"));
        }
        failed |= !found.unrecorded.is_empty();
        if args.diff || args.shadow {
            // What failed before and fails now in the same way is no difference, and no failure of the replay.
            failed = compared::tell(setting.output, &found)? || !found.unrecorded.is_empty();
        }
    }
    if args.shadow && !args.keep {
        clear(session, &shadows).await?;
    }
    Ok(failed)
}

/// Variable, the collection it names, the one it names for the run.
type Shadow = (String, String, String);

async fn started(
    setting: &Setting,
    session: &Session,
    args: &Replay,
    run: RunAgain,
) -> Result<Option<(DeliveryRow, Vec<Shadow>)>, CliError> {
    let CaptureReply::Started { delivered, shadows } = ask(session, CaptureCommand::Run(Box::new(run))).await? else {
        return Err(CliError::failed("the session answered something else than was asked".into()));
    };
    if let Some(note) = &delivered.note {
        output::remark(note);
    }
    if delivered.unclaimed && !session.is_elsewhere() {
        // It is kept, and delivered when an extension that wants it runs here; waiting would be in vain.
        return Ok(None);
    }
    if !args.must_wait() && session.is_elsewhere() {
        super::trigger::tell(setting.output, &delivered)?;
        return Ok(None);
    }
    let row = result_of(session, &delivered.task_id, Duration::from_secs(args.wait.timeout)).await?;
    Ok(Some((row, shadows)))
}

/// The same delivery twice into the same shadow collections; whether something happened twice.
async fn twice(setting: &Setting, session: &Session, args: &Replay, run: RunAgain) -> Result<bool, CliError> {
    let Some((first, shadows)) = started(setting, session, args, run.clone()).await? else { return Ok(true) };
    let again: Vec<_> = shadows.iter().map(|(name, _, own)| (name.clone(), own.clone())).collect();
    let variables = [run.variables.clone(), again].concat();
    let run = RunAgain { shadow: false, variables, ..run };
    let Some((second, _)) = started(setting, session, args, run).await? else { return Ok(true) };
    let reply = ask(session, CaptureCommand::Repeated { first: first.id, second: second.id }).await?;
    clear(session, &shadows).await?;
    let CaptureReply::Repeated { repeated, differences } = reply else { return Ok(true) };
    if setting.output.is_json() {
        let told = serde_json::json!({"first": first.id, "second": second.id, "repeated": repeated, "differences": differences});
        setting.output.object(&told)?;
        return Ok(!repeated.is_empty());
    }
    setting.output.table(HEADING, &[delivery_cells(&first), delivery_cells(&second)])?;
    match repeated.is_empty() {
        true => setting.output.line("Nothing happened twice.")?,
        false => setting.output.line("Happened twice:")?,
    }
    repeated.iter().try_for_each(|line| setting.output.line(&format!("  {line}")))?;
    if !differences.is_empty() {
        setting.output.line("The second time was different:")?;
        compared::differences(setting.output, &differences)?;
    }
    Ok(!repeated.is_empty())
}

async fn clear(session: &Session, shadows: &[Shadow]) -> Result<(), CliError> {
    let collections = shadows.iter().map(|(_, _, own)| own.clone()).collect();
    ask(session, CaptureCommand::Clear { collections }).await.map(|_| ())
}

/// The same command without `--watch`, again and again: as a process of its own, so that it is the extension as it was
/// built last.
async fn watched(setting: &Setting) -> Result<(), CliError> {
    let program = std::env::current_exe().map_err(|e| CliError::failed(format!("this program can't be found again: {e}")))?;
    let mut arguments: Vec<_> = std::env::args_os().skip(1).filter(|argument| argument != "--watch").collect();
    arguments.push("--diff".into());
    let (what, mut changes) = match &setting.options.extension {
        Source::Python { project, .. } => (project.clone(), Some(watch::start(project.clone()).await)),
        _ => (program.clone(), None),
    };
    let built = || std::fs::metadata(&program).and_then(|about| about.modified()).ok();
    let mut stop = std::pin::pin!(super::run::stop_signal());
    loop {
        let before = built();
        let mut command = tokio::process::Command::new(&program);
        let mut child = command.args(&arguments).kill_on_drop(true).spawn().map_err(|e| CliError::failed(e.to_string()))?;
        tokio::select! {
            _ = child.wait() => {}
            () = &mut stop => return Ok(()),
        }
        output::remark(&format!("watching {} (Ctrl-C ends it)", what.display()));
        tokio::select! {
            changed = changed(&mut changes, &built, before) => output::remark(&format!("changed: {changed}")),
            () = &mut stop => return Ok(()),
        }
    }
}

async fn changed(
    sources: &mut Option<tokio::sync::mpsc::Receiver<Vec<PathBuf>>>,
    built: &impl Fn() -> Option<std::time::SystemTime>,
    before: Option<std::time::SystemTime>,
) -> String {
    const LOOK: Duration = Duration::from_millis(300);
    if let Some(files) = sources {
        match files.recv().await {
            Some(files) => return files.iter().map(|f| f.display().to_string()).collect::<Vec<_>>().join(", "),
            None => std::future::pending::<()>().await,
        }
    }
    loop {
        tokio::time::sleep(LOOK).await;
        let now = built();
        // A linker writes for a while: what is new must have come to rest.
        if now.is_some() && now != before {
            tokio::time::sleep(LOOK).await;
            if built() == now {
                return "the extension was built".into();
            }
        }
    }
}
