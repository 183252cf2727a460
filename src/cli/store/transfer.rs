use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::super::output;
use super::args::{Format, Place, WritePlace};
use super::{CliError, Desk, unexpected};
use crate::workbench::{JobRow, JobState, StoreCommand, StoreQuery, StoreReply};

/// How often progress is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);

pub(super) async fn export(
    desk: &Desk<'_>,
    place: &Place,
    (to, overwrite): (&Path, bool),
    format: Option<Format>,
    query: StoreQuery,
) -> Result<(), CliError> {
    let [backend] = place.backend.backends() else { return Err(one_backend()) };
    let format = Format::of(format, to);
    let to = absolute(to)?;
    follow(desk, StoreCommand::Export { target: place.target(*backend), query, format, to, overwrite }).await
}

pub(super) async fn import(desk: &Desk<'_>, place: &WritePlace, from: &Path, format: Option<Format>) -> Result<(), CliError> {
    let [backend] = place.place.backend.backends() else { return Err(one_backend()) };
    let format = Format::of(format, from);
    follow(desk, StoreCommand::Import { target: place.target(*backend), from: absolute(from)?, format }).await
}

fn one_backend() -> CliError {
    CliError::usage("a file goes with one backend: --backend driver or --backend data-api".into())
}

/// The session may run in another directory.
fn absolute(path: &Path) -> Result<PathBuf, CliError> {
    std::path::absolute(path).map_err(|e| CliError::usage(format!("{} is no path: {e}", path.display())))
}

/// Starts a job and shows how it stands until it is over; Ctrl-C stops it.
async fn follow(desk: &Desk<'_>, start: StoreCommand) -> Result<(), CliError> {
    let mut row = match desk.ask(start).await? {
        StoreReply::Job(row) => row,
        StoreReply::Exists { path } => {
            let told = format!("{} exists already: give another name, or say --force to replace it", path.display());
            return Err(CliError::usage(told));
        }
        _ => return Err(unexpected()),
    };
    let shows = std::io::stderr().is_terminal();
    let mut stopping = false;
    while row.state == JobState::Running {
        let stop = tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => false,
            pressed = tokio::signal::ctrl_c(), if !stopping => pressed.is_ok(),
        };
        stopping |= stop;
        let ask = if stop { StoreCommand::Cancel { job: row.job } } else { StoreCommand::Job { job: row.job } };
        let StoreReply::Job(now) = desk.ask(ask).await? else { return Err(unexpected()) };
        row = now;
        if shows {
            progress(&row);
        }
    }
    if shows {
        let _ = writeln!(std::io::stderr());
    }
    ended(desk, &row)
}

fn progress(row: &JobRow) {
    let of = row.total.map(|total| format!(" of {total}")).unwrap_or_default();
    if row.looked > 0 && row.done == 0 {
        let _ = write!(std::io::stderr(), "\rcolumns: {}{of} documents ", row.looked).and_then(|()| std::io::stderr().flush());
        return;
    }
    // A progress that nobody can read is no reason to stop.
    let _ = write!(std::io::stderr(), "\r{}{of} documents          ", row.done).and_then(|()| std::io::stderr().flush());
}

fn ended(desk: &Desk<'_>, row: &JobRow) -> Result<(), CliError> {
    for (line, why) in &row.refused {
        let place = if why.starts_with("line ") { String::new() } else { format!("line {line}: ") };
        output::remark(&format!("{place}{why}"));
    }
    let told = row.refused.len() as u64;
    if row.refusals > told {
        output::remark(&format!("... and {} more", row.refusals - told));
    }
    if desk.setting.output.is_json() {
        desk.setting.output.object(row)?;
    }
    let message = row.message.clone().unwrap_or_default();
    match row.state {
        JobState::Done => {
            output::remark(&format!("{message}."));
            Ok(())
        }
        JobState::Cancelled => Err(CliError::failed(format!("the {} was stopped after {} documents", row.what, row.done))),
        _ => Err(CliError::failed(message)),
    }
}
