//! `replay`: past deliveries run again, in many ways, and compared with what they were.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use clap::Args as Group;
use serde_json::Value;

use super::args::{Wait, pair};
use super::captures::ask;
use super::events::{HEADING, delivery_cells, unreadable};
use super::trigger::{edited, read_object, result_of};
use super::{CliError, Setting, compared, output};
use crate::journal::{DeliveryFilter, DeliveryRow, Window};
use crate::observe::{Fact, Level};
use crate::replay::Capture;
use crate::workbench::{CaptureCommand, CaptureReply, Command, Reply, RunAgain, Session, Status};

/// How often it is looked whether the sources changed.
const LOOK: Duration = Duration::from_millis(300);
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
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
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
    /// Again whenever the sources change (of a Rust extension: whenever it was built), with the differences. Where a session
    /// runs with a Python extension, in it; a Rust extension needs no other session to run here
    #[arg(long)]
    watch: bool,
    #[command(flatten)]
    wait: Wait,
}

impl Replay {
    fn must_wait(&self) -> bool {
        let compared = self.diff || self.watch || self.shadow || self.twice || self.hermetic;
        self.wait.wait || compared || self.times > 1 || !self.variables.is_empty() || self.filter.is_some()
    }
}

/// `replay ID...`
pub(super) async fn replay(setting: Setting, args: Replay) -> Result<(), CliError> {
    if args.watch {
        return watched(&setting, &args).await;
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
    let alone = deliveries.len() == 1 && args.times == 1;
    for delivery in deliveries {
        for _ in 0..args.times {
            failed |= match run_one(setting, session, args, delivery, object.as_ref(), &mut rows).await {
                Ok(failed) => failed,
                Err(error) if alone || matches!(error, CliError::Quiet) => return Err(error),
                // The others are run, and told, all the same.
                Err(error) => {
                    output::remark(&format!("delivery {delivery}: {error}"));
                    true
                }
            };
        }
    }
    setting.output.table(HEADING, &rows)?;
    if failed { Err(CliError::Told) } else { Ok(()) }
}

async fn run_one(
    setting: &Setting,
    session: &Session,
    args: &Replay,
    delivery: i64,
    object: Option<&Value>,
    rows: &mut Vec<Vec<String>>,
) -> Result<bool, CliError> {
    let mut run = RunAgain {
        delivery: Some(delivery),
        object: object.cloned(),
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
    let Some(begun) = begun(setting, session, args, run.clone()).await? else { return Ok(!session.is_elsewhere()) };
    let told = match args.twice {
        true => twice(setting, session, args, run, &begun).await,
        false => once(setting, session, args, delivery, &begun, rows).await,
    };
    // Also of a run that failed or takes too long.
    if (args.shadow || args.twice) && !args.keep {
        clear(session, &begun.shadows).await;
    }
    told
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

/// What came of one run; whether it failed, or did something else where that is a failure.
async fn once(
    setting: &Setting,
    session: &Session,
    args: &Replay,
    before: i64,
    begun: &Begun,
    rows: &mut Vec<Vec<String>>,
) -> Result<bool, CliError> {
    let row = begun.result(session, args).await?;
    let mut failed = matches!(row.result.as_deref(), Some("fail" | "retry") | None);
    if setting.output.is_json() {
        setting.output.object(&row)?;
    } else {
        rows.push(delivery_cells(&row));
    }
    if args.diff || args.watch || args.shadow || args.hermetic {
        let command = CaptureCommand::Compare { before, after: row.id, documents: args.shadow };
        let CaptureReply::Compared(found) = ask(session, command).await? else { return Ok(failed) };
        for call in &found.unrecorded {
            output::remark(&format!("not recorded in delivery {before}: {call}"));
        }
        failed |= !found.unrecorded.is_empty();
        if args.diff || args.watch || args.shadow {
            // What failed before and fails now in the same way is no difference, and no failure of the replay.
            failed = compared::tell(setting.output, &found, args.shadow)? || !found.unrecorded.is_empty();
        }
    }
    Ok(failed)
}

/// A run that is on its way.
struct Begun {
    task_id: String,
    /// Variable, the collection it names, the one it names for the run.
    shadows: Vec<(String, String, String)>,
}

impl Begun {
    async fn result(&self, session: &Session, args: &Replay) -> Result<DeliveryRow, CliError> {
        result_of(session, &self.task_id, Duration::from_secs(args.wait.timeout)).await
    }
}

/// Starts a run; `None` where nothing is to be waited for.
async fn begun(setting: &Setting, session: &Session, args: &Replay, run: RunAgain) -> Result<Option<Begun>, CliError> {
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
    Ok(Some(Begun { task_id: delivered.task_id, shadows }))
}

/// The same delivery once more into the same shadow collections; whether something happened twice.
async fn twice(
    setting: &Setting,
    session: &Session,
    args: &Replay,
    run: RunAgain,
    begun_first: &Begun,
) -> Result<bool, CliError> {
    let first = begun_first.result(session, args).await?;
    let collections = begun_first.shadows.iter().map(|(name, _, own)| (name.clone(), own.clone())).collect();
    let Some(again) = begun(setting, session, args, RunAgain { collections, ..run }).await? else { return Ok(true) };
    let second = again.result(session, args).await?;
    // They are cleared away by whoever began.
    let command = CaptureCommand::Repeated { first: first.id, second: second.id, collections: Vec::new() };
    let reply = ask(session, command).await?;
    let CaptureReply::Repeated { repeated, differences, notes } = reply else { return Ok(true) };
    if setting.output.is_json() {
        let (first, second) = (first.id, second.id);
        let told = serde_json::json!({
            "first": first, "second": second, "repeated": repeated, "differences": differences, "notes": notes,
        });
        setting.output.object(&told)?;
        return Ok(!repeated.is_empty());
    }
    setting.output.table(HEADING, &[delivery_cells(&first), delivery_cells(&second)])?;
    notes.iter().try_for_each(|note| setting.output.line(&format!("note: {note}")))?;
    match repeated.is_empty() {
        true if notes.is_empty() => setting.output.line("Nothing happened twice.")?,
        true => setting.output.line("As far as could be seen nothing happened twice.")?,
        false => setting.output.line("Happened twice:")?,
    }
    repeated.iter().try_for_each(|line| setting.output.line(&format!("  {line}")))?;
    if !differences.is_empty() {
        setting.output.line("The second time was different:")?;
        compared::differences(setting.output, &differences)?;
    }
    Ok(!repeated.is_empty())
}

/// Drops shadow collections; what is left of them is told.
async fn clear(session: &Session, shadows: &[(String, String, String)]) {
    let collections = shadows.iter().map(|(_, _, own)| own.clone()).collect();
    match ask(session, CaptureCommand::Clear { collections }).await {
        Ok(CaptureReply::Cleared { notes, .. }) => notes.iter().for_each(|note| output::remark(note)),
        Ok(_) => {}
        Err(error) => output::remark(&format!("the shadow collections are still there: {error}")),
    }
}

/// The same replay again whenever the sources changed, with the differences.
async fn watched(setting: &Setting, args: &Replay) -> Result<(), CliError> {
    let session = setting.ready().await?;
    let outcome = match status(&session).await?.changed {
        Some(with) => of_guest(setting, &session, args, with).await,
        None if session.is_elsewhere() => Err(CliError::usage(
            "the session that runs here has its extension built in, so it never changes: end it, and `replay --watch` runs \
             the extension as it was built last"
                .into(),
        )),
        None => {
            session.close().await;
            return of_program(args).await;
        }
    };
    session.close().await;
    outcome
}

/// The runner of a guest starts anew with its sources: here it is only waited for.
async fn of_guest(setting: &Setting, session: &Session, args: &Replay, mut with: u64) -> Result<(), CliError> {
    let mut stop = std::pin::pin!(super::run::stop_signal());
    let mut first = true;
    loop {
        let outcome = tokio::select! {
            outcome = run_all(setting, session, args) => outcome,
            () = &mut stop => return Ok(()),
        };
        match outcome {
            Ok(()) | Err(CliError::Told) => {}
            // What can't be run at all is no matter of the sources; what can't be run now may be.
            Err(error) if first => return Err(error),
            Err(error) => output::remark(&error.to_string()),
        }
        first = false;
        output::remark("watching the sources of the extension (Ctrl-C ends it)");
        with = tokio::select! {
            next = newer(session, with) => next?,
            () = &mut stop => return Ok(()),
        };
    }
}

/// Waits until the extension runs with other sources; what is heard of it meanwhile is said.
async fn newer(session: &Session, with: u64) -> Result<u64, CliError> {
    let reader = session.reader()?;
    let (mut news, mut last) = (session.news(), reader.last_row()?);
    loop {
        news.borrow_and_update();
        for seen in reader.after(last, 500)? {
            last = seen.row;
            match seen.observation.fact {
                Fact::Log { level, target, message }
                    if target == "guest" && (message.starts_with("reload") || level == Level::Error) =>
                {
                    output::remark(&message);
                }
                _ => {}
            }
        }
        if let Some(changed) = status(session).await?.changed.filter(|changed| *changed != with) {
            return Ok(changed);
        }
        if let Ok(Err(_)) = tokio::time::timeout(LOOK, news.changed()).await {
            return Err(CliError::failed("the session has ended".into()));
        }
    }
}

async fn status(session: &Session) -> Result<Box<Status>, CliError> {
    match session.command(Command::Status).await? {
        Reply::Status(status) => Ok(status),
        _ => Err(CliError::failed("the session answered something else than was asked".into())),
    }
}

/// An extension that is part of this program: the same command without `--watch` after each build, as a process of its
/// own.
async fn of_program(args: &Replay) -> Result<(), CliError> {
    let program = std::env::current_exe().map_err(|e| CliError::failed(format!("this program can't be found again: {e}")))?;
    let mut arguments: Vec<_> = std::env::args_os().skip(1).filter(|argument| argument != "--watch").collect();
    if !args.diff && !args.twice {
        arguments.push("--diff".into());
    }
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
        output::remark(&format!("watching {} (Ctrl-C ends it)", program.display()));
        tokio::select! {
            () = rebuilt(&built, before) => output::remark("the extension was built"),
            () = &mut stop => return Ok(()),
        }
    }
}

async fn rebuilt(built: &impl Fn() -> Option<SystemTime>, before: Option<SystemTime>) {
    loop {
        tokio::time::sleep(LOOK).await;
        let now = built();
        // A linker writes for a while: what is new must have come to rest.
        if now.is_some() && now != before {
            tokio::time::sleep(LOOK).await;
            if built() == now {
                return;
            }
        }
    }
}
