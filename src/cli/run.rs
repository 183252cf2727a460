//! `run --headless`: the session without a screen; what happens goes to stdout.

use std::task::Poll;
use std::time::{Duration, Instant};

use super::args::Run;
use super::describe::describe;
use super::output::clock;
use super::{CliError, Setting, output};
use crate::journal::{ObservationRow, Reader};
use crate::observe::{Fact, LinkState};
use crate::runtime::RuntimeOptions;
use crate::workbench::{Command, Connect, OpenOptions, Reply, Session, Status, WorkbenchError};

/// How long a real Connect may stay silent before nothing is taken to be left to do.
const REMOTE_SILENCE: Duration = Duration::from_secs(2);

/// `run --headless [--until-idle] [--remote [--unsecure]]`, and `run --remote [--unsecure]` for the console.
pub(super) async fn run(mut setting: Setting, args: Run) -> Result<(), CliError> {
    if !args.headless && !args.remote {
        return Err(CliError::usage(
            "`run` works without a screen: say `run --headless`, or nothing at all for the console (`run --remote` for the \
             console before a real Connect)"
                .into(),
        ));
    }
    if args.remote {
        let mut options = RuntimeOptions::from_env().map_err(|e| CliError::usage(e.to_string()))?;
        options.unsecure = args.unsecure;
        options.outbox = setting.options.data_dir.join("outbox");
        setting.options.connect = Connect::Remote(Box::new(options));
    }
    if !args.headless {
        return super::open_console(setting).await;
    }
    let stop = stop_signal();
    let last = setting.reader()?.map(|r| r.last_row()).transpose()?.unwrap_or(0);
    let session = setting.session().await?;
    refuse_another(&session, &setting.options)?;
    for trouble in status(&session).await?.troubles {
        output::remark(&trouble);
    }
    let mut printed = Printed { reader: session.reader()?, last, failed: false };
    let outcome = follow(&setting, &session, &mut printed, args.until_idle, stop).await;
    session.close().await;
    outcome?;
    // What was observed while everything stopped: results that still went out, the link going down.
    printed.catch_up(&setting)?;
    if args.until_idle && printed.failed { Err(CliError::Told) } else { Ok(()) }
}

/// A session that runs already is not the one that was asked for, where that is one before a real Connect.
pub(super) fn refuse_another(session: &Session, options: &OpenOptions) -> Result<(), WorkbenchError> {
    if session.is_elsewhere() && matches!(options.connect, Connect::Remote(_)) {
        return Err(WorkbenchError::Usage(format!(
            "a console is running in {}; stop it, or give another directory with --data-dir DIR",
            options.data_dir.display()
        )));
    }
    Ok(())
}

/// How far the journal has been printed.
struct Printed {
    reader: Reader,
    last: i64,
    /// Whether an answer among it was a failure.
    failed: bool,
}

impl Printed {
    /// Prints what is new, and says whether anything was.
    fn catch_up(&mut self, setting: &Setting) -> Result<bool, CliError> {
        let before = self.last;
        loop {
            let rows = self.reader.after(self.last, 500)?;
            for row in &rows {
                self.last = row.row;
                self.failed |=
                    matches!(&row.observation.fact, Fact::Answered(answer) if matches!(answer.result.as_str(), "fail" | "retry"));
                show(setting, row)?;
            }
            if rows.len() < 500 {
                return Ok(self.last != before);
            }
        }
    }
}

/// Prints what is observed until a signal, or until nothing is left to do.
async fn follow(
    setting: &Setting,
    session: &Session,
    printed: &mut Printed,
    until_idle: bool,
    mut stop: impl Future<Output = ()> + Unpin,
) -> Result<(), CliError> {
    let mut news = session.news();
    let mut quiet_since = Instant::now();
    loop {
        news.borrow_and_update();
        if printed.catch_up(setting)? {
            quiet_since = Instant::now();
        }
        // What made it idle may be behind what was read: it counts once the journal has it and nothing new came of it.
        if until_idle && is_idle(&status(session).await?, quiet_since) {
            session.command(Command::Flush).await?;
            if !printed.catch_up(setting)? && is_idle(&status(session).await?, quiet_since) {
                return Ok(());
            }
            quiet_since = Instant::now();
            continue;
        }
        // With `--until-idle` the state is looked at again now and then: the last change need not be news.
        let again = tokio::time::sleep(Duration::from_millis(if until_idle { 50 } else { 3_600_000 }));
        tokio::select! {
            changed = news.changed() => if changed.is_err() { return Ok(()) },
            () = again => {}
            () = &mut stop => return Ok(()),
        }
    }
}

fn is_idle(status: &Status, quiet_since: Instant) -> bool {
    let nothing_to_do = status.running == 0 && status.unsent == 0 && status.pending == 0;
    let long_enough = status.mode == "local" || quiet_since.elapsed() > REMOTE_SILENCE;
    status.link.state == LinkState::Connected && nothing_to_do && long_enough
}

fn show(setting: &Setting, row: &ObservationRow) -> Result<(), CliError> {
    if setting.output.is_json() {
        return setting.output.object(row);
    }
    let delivery = row.delivery.map_or_else(|| "    -".into(), |id| format!("{id:>5}"));
    let text = describe(&row.observation.fact, false);
    setting.output.line(&format!("{} {delivery} {}", clock(row.observation.at), text.lines().next().unwrap_or_default()))
}

async fn status(session: &Session) -> Result<Status, CliError> {
    match session.command(Command::Status).await? {
        Reply::Status(status) => Ok(*status),
        _ => Err(CliError::failed("the session answered something else than was asked".into())),
    }
}

/// Resolves when the process is asked to end: Ctrl-C, SIGTERM, SIGHUP. Listens from the call on, not from the first poll:
/// a signal that comes while something starts is not lost, and does not kill what has things to put away.
pub(super) fn stop_signal() -> impl Future<Output = ()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
        let mut listening: Vec<_> = kinds.into_iter().filter_map(|kind| signal(kind).ok()).collect();
        std::future::poll_fn(move |cx| {
            if listening.iter_mut().any(|signal| signal.poll_recv(cx).is_ready()) { Poll::Ready(()) } else { Poll::Pending }
        })
    }
    #[cfg(not(unix))]
    async {
        let _ = tokio::signal::ctrl_c().await;
    }
}
