//! `events waiting`, `events release` and `events forward`: what the local Connect delivers again by itself, and sooner.

use std::time::{Duration, Instant};

use super::output::{clock, remark};
use super::{CliError, Setting};
use crate::observe::Timestamp;
use crate::workbench::{ClockCommand, ClockReply, Command, Reply, Session, WaitingRow};

/// How long a session of our own goes on for what was delivered at once.
const SETTLED_WITHIN: Duration = Duration::from_secs(300);
/// How often it is asked whether anything is left.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Reads a stretch of time: `90s`, `1h 30m`, `2d`, or a number of seconds. In seconds.
pub(super) fn time(text: &str) -> Result<u64, String> {
    let wrong = || "give a time such as `30s`, `5m`, `1h`, `2d` or `1h 30m`".to_owned();
    if let Ok(seconds) = text.trim().parse() {
        return Ok(seconds);
    }
    let span: jiff::Span = text.trim().parse().map_err(|_| wrong())?;
    let seconds = span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()).map_err(|_| wrong())?.as_secs();
    u64::try_from(seconds).map_err(|_| "the clock can't be put back".to_owned())
}

/// `events waiting`
pub(super) async fn waiting(setting: &Setting) -> Result<(), CliError> {
    let session = setting.settled().await?;
    let tasks = rows(&session).await;
    session.close().await;
    show(setting, &tasks?)
}

/// `events release TASK|OBJECT...`
pub(super) async fn release(setting: &Setting, which: &[String]) -> Result<(), CliError> {
    let session = setting.ready().await?;
    let outcome = release_in(&session, which).await;
    let left = settle(&session).await;
    session.close().await;
    outcome?;
    show(setting, &left?)
}

async fn release_in(session: &Session, which: &[String]) -> Result<(), CliError> {
    for wanted in which {
        let waiting = rows(session).await?;
        let meant: Vec<&WaitingRow> =
            waiting.iter().filter(|task| task.task_id == *wanted || task.object_id == *wanted).collect();
        if meant.is_empty() {
            return Err(CliError::usage(format!(
                "nothing of {wanted} waits to be delivered again; `events waiting` shows what does"
            )));
        }
        for task in meant {
            session.command(Command::Release { task_id: task.task_id.clone() }).await?;
            remark(&format!("{} for {} is delivered now", task.event_type, task.object_id));
        }
    }
    Ok(())
}

/// `events forward TIME`
pub(super) async fn forward(setting: &Setting, seconds: u64) -> Result<(), CliError> {
    let session = setting.ready().await?;
    let reply = session.command(Command::Clock(ClockCommand::Forward { seconds })).await;
    let left = settle(&session).await;
    session.close().await;
    match reply? {
        Reply::Clock(ClockReply::Forwarded { came, .. }) => {
            remark(&match came {
                0 => "nothing came due".to_owned(),
                1 => "1 came due and is delivered now".to_owned(),
                n => format!("{n} came due and are delivered now"),
            });
            show(setting, &left?)
        }
        _ => Err(other()),
    }
}

/// A session of our own ends with the command: what was delivered is answered first. Gives what still waits.
async fn settle(session: &Session) -> Result<Vec<WaitingRow>, CliError> {
    let deadline = Instant::now() + SETTLED_WITHIN;
    while !session.is_elsewhere() && Instant::now() < deadline {
        let Reply::Status(status) = session.command(Command::Status).await? else { return Err(other()) };
        if status.pending == 0 && status.running == 0 && status.unsent == 0 {
            break;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    rows(session).await
}

async fn rows(session: &Session) -> Result<Vec<WaitingRow>, CliError> {
    match session.command(Command::Waiting).await? {
        Reply::Waiting { tasks } => Ok(tasks),
        _ => Err(other()),
    }
}

fn other() -> CliError {
    CliError::failed("the session answered something else than was asked".into())
}

fn show(setting: &Setting, tasks: &[WaitingRow]) -> Result<(), CliError> {
    let output = setting.output;
    if output.is_json() {
        return tasks.iter().try_for_each(|task| output.object(task));
    }
    if tasks.is_empty() {
        return output.line("Nothing waits to be delivered again.");
    }
    let now = Timestamp::now();
    let cells = |task: &WaitingRow| {
        vec![task.task_id.clone(), clock(task.due), until(now, task.due), task.event_type.clone(), task.object_id.clone()]
    };
    output.table(&["TASK", "DUE", "IN", "EVENT TYPE", "OBJECT"], &tasks.iter().map(cells).collect::<Vec<_>>())
}

/// How long it is until then, in the units that matter.
fn until(now: Timestamp, due: Timestamp) -> String {
    let seconds = due.0.saturating_sub(now.0).max(0) / 1_000_000;
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m {}s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{}h {}m", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{}d {}h", seconds / 86_400, seconds / 3_600 % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case("30s", Ok(30))]
    #[case("5m", Ok(300))]
    #[case("1h", Ok(3_600))]
    #[case("1h 30m", Ok(5_400))]
    #[case("2d", Ok(172_800))]
    #[case("45", Ok(45))]
    #[case("-1h", Err("the clock can't be put back"))]
    #[case("soon", Err("give a time such as `30s`, `5m`, `1h`, `2d` or `1h 30m`"))]
    fn a_stretch_of_time_is_read_as_people_write_it(#[case] text: &str, #[case] expected: Result<u64, &str>) {
        assert_eq!(time(text), expected.map_err(str::to_owned));
    }

    #[rstest::rstest]
    #[case(0, "0s")]
    #[case(59, "59s")]
    #[case(61, "1m 1s")]
    #[case(3_660, "1h 1m")]
    #[case(90_000, "1d 1h")]
    fn the_time_until_then_is_short(#[case] seconds: i64, #[case] expected: &str) {
        assert_eq!(until(Timestamp(0), Timestamp(seconds * 1_000_000)), expected);
    }
}
