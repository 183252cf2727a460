//! `run --headless`: the session without a screen; what happens goes to stdout.

use std::fmt::Write as _;
use std::task::Poll;
use std::time::{Duration, Instant};

use super::args::Run;
use super::describe::describe;
use super::output::{self, Clock, Output};
use super::{CliError, Setting};
use crate::journal::{Follower, ObservationRow};
use crate::observe::{Fact, LinkState};
use crate::runtime::RuntimeOptions;
use crate::workbench::{Command, Connect, OpenOptions, Reply, STOPPED, Session, Status, WorkbenchError};

/// How long a real Connect may stay silent before nothing is taken to be left to do.
const REMOTE_SILENCE: Duration = Duration::from_secs(2);
/// How often the state is looked at: while it is waited for that nothing is left to do, and otherwise.
const LOOK_IDLE: Duration = Duration::from_millis(50);
const LOOK: Duration = Duration::from_secs(1);
/// How many bytes are written to stdout together, at most about.
const PRINTED_AT_ONCE: usize = 64 << 10;

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
    let (standing, mut told) = (status(&session).await?, Told::default());
    told.tell(&standing.troubles).iter().chain(&standing.notes).for_each(|line| output::remark(line));
    let (follower, printer) = (session.follow(last)?, Printer::new(&setting));
    let mut printed = Printed { follower, printer, failed: false, told };
    let outcome = follow(&session, &mut printed, args.until_idle, stop).await;
    session.close().await;
    outcome?;
    // What was observed while everything stopped: results that still went out, the link going down.
    printed.catch_up()?;
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
    follower: Follower,
    printer: Printer,
    /// Whether an answer among it was a failure.
    failed: bool,
    /// What was said to be wrong.
    told: Told,
}

/// The troubles that were told: what is new of them is told when it comes, and that nothing is lost any more as well.
#[derive(Default)]
struct Told {
    known: Vec<String>,
    stopped: bool,
}

impl Told {
    /// What is to be said of the troubles there are now.
    fn tell(&mut self, troubles: &[String]) -> Vec<String> {
        let is_stopped = |trouble: &&String| trouble.starts_with(STOPPED);
        let stopped = troubles.iter().find(is_stopped);
        // The number of what is lost grows: that is no news.
        let mut news: Vec<String> = stopped.filter(|_| !self.stopped).cloned().into_iter().collect();
        if self.stopped && stopped.is_none() {
            news.push("capture goes on: the journal is written again".into());
        }
        self.stopped = stopped.is_some();
        let others: Vec<String> = troubles.iter().filter(|trouble| !is_stopped(trouble)).cloned().collect();
        news.extend(others.iter().filter(|trouble| !self.known.contains(trouble)).cloned());
        self.known = others;
        news
    }
}

impl Printed {
    /// Waits for news and prints it; false when there will be no more. Cancel safe.
    async fn next(&mut self) -> Result<bool, CliError> {
        let Self { follower, printer, failed, .. } = self;
        let more = follower.next(|row| printer.row(row, failed)).await?;
        printer.flush()?;
        Ok(more)
    }

    /// Prints what is new, and says whether anything was.
    fn catch_up(&mut self) -> Result<bool, CliError> {
        let Self { follower, printer, failed, .. } = self;
        let any = follower.catch_up(|row| printer.row(row, failed))?;
        printer.flush()?;
        Ok(any)
    }
}

/// Prints rows, many with one write.
struct Printer {
    output: Output,
    clock: Clock,
    text: String,
}

impl Printer {
    fn new(setting: &Setting) -> Self {
        Self { output: setting.output, clock: Clock::default(), text: String::new() }
    }

    fn row(&mut self, row: &ObservationRow, failed: &mut bool) -> Result<(), CliError> {
        let fact = &row.observation.fact;
        *failed |= matches!(fact, Fact::Answered(answer) if matches!(answer.result.as_str(), "fail" | "retry"));
        if self.output.is_json() {
            self.text.push_str(&output::json(row)?);
        } else {
            self.clock.write(row.observation.at, &mut self.text);
            // Writing to a String does not fail.
            let _ = match row.delivery {
                Some(id) => write!(self.text, " {id:>5} "),
                None => write!(self.text, "     - "),
            };
            output::push_harmless(&mut self.text, describe(fact, false).lines().next().unwrap_or_default());
        }
        self.text.push('\n');
        if self.text.len() > PRINTED_AT_ONCE { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), CliError> {
        if !self.text.is_empty() {
            self.output.raw(&self.text)?;
            self.text.clear();
        }
        Ok(())
    }
}

/// Prints what is observed until a signal, until Connect asks the extension to stop, or until nothing is left to do.
async fn follow(
    session: &Session,
    printed: &mut Printed,
    until_idle: bool,
    mut stop: impl Future<Output = ()> + Unpin,
) -> Result<(), CliError> {
    let mut quiet_since = Instant::now();
    printed.catch_up()?;
    loop {
        // The state is looked at again now and then: a change need not be news.
        let again = tokio::time::sleep(if until_idle { LOOK_IDLE } else { LOOK });
        tokio::select! {
            more = printed.next() => {
                if !more? { return Ok(()) }
                quiet_since = Instant::now();
            }
            // A journal that can't be written has no news.
            () = again => {
                let troubles = status(session).await?.troubles;
                printed.told.tell(&troubles).iter().for_each(|line| output::remark(line));
            }
            () = &mut stop => return Ok(()),
            () = session.ended() => return Ok(()),
        }
        // What made it idle may be behind what was read: it counts once the journal has it and nothing new came of it.
        if until_idle && is_idle(&status(session).await?, quiet_since) {
            session.command(Command::Flush).await?;
            if !printed.catch_up()? && is_idle(&status(session).await?, quiet_since) {
                return Ok(());
            }
            quiet_since = Instant::now();
        }
    }
}

fn is_idle(status: &Status, quiet_since: Instant) -> bool {
    let nothing_to_do = status.running == 0 && status.unsent == 0 && status.pending == 0;
    let long_enough = status.mode == "local" || quiet_since.elapsed() > REMOTE_SILENCE;
    status.link.state == LinkState::Connected && nothing_to_do && long_enough
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_once_and_so_is_that_capture_goes_on() {
        let mut told = Told::default();
        let full =
            |n: u32| vec![format!("{STOPPED}database or disk is full: {n} observations were lost"), "port taken".to_owned()];
        assert_eq!(told.tell(&["port taken".into()]), ["port taken"]);
        assert_eq!(told.tell(&full(2)), [full(2)[0].clone()]);
        assert!(told.tell(&full(9)).is_empty(), "the number alone is no news");
        assert_eq!(told.tell(&["port taken".into()]), ["capture goes on: the journal is written again"]);
        assert!(told.tell(&["port taken".into()]).is_empty());
    }
}
