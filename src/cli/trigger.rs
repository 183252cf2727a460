//! `trigger` and `replay`: a task is made and, if wanted, its result waited for.

use std::io::Read;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::args::{Replay, Trigger, Wait};
use super::events::{HEADING, delivery_cells};
use super::{CliError, Output, Setting, output};
use crate::journal::{DeliveryRow, DeliveryState};
use crate::workbench::{Command, Delivered, Reply, Session};

/// How often a session without news is asked what is wrong.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// `trigger EVENT_TYPE`
pub(super) async fn trigger(setting: Setting, args: Trigger) -> Result<(), CliError> {
    let object = args.file.as_deref().map(read_object).transpose()?;
    let session = setting.ready().await?;
    let command = Command::Trigger { event_type: args.event_type, object, set: args.set };
    let outcome = send(&session, setting.output, vec![command], &args.wait).await;
    session.close().await;
    outcome
}

/// `replay ID...`
pub(super) async fn replay(setting: Setting, args: Replay) -> Result<(), CliError> {
    let session = setting.ready().await?;
    let commands = args.deliveries.into_iter().map(|delivery| Command::Replay { delivery }).collect();
    let outcome = send(&session, setting.output, commands, &args.wait).await;
    session.close().await;
    outcome
}

async fn send(session: &Session, output: Output, commands: Vec<Command>, wait: &Wait) -> Result<(), CliError> {
    let mut failed = false;
    let mut rows = Vec::new();
    for command in commands {
        let Reply::Delivered(delivered) = session.command(command).await? else {
            return Err(CliError::failed("the session answered something else than was asked".into()));
        };
        if let Some(note) = &delivered.note {
            output::remark(note);
        }
        if delivered.unclaimed && !session.is_elsewhere() {
            // It is kept, and delivered when an extension that wants it runs here; waiting would be in vain.
            failed = true;
            continue;
        }
        // A session of our own ends with this command: without waiting nothing would come of the task.
        if !wait.wait && session.is_elsewhere() {
            tell(output, &delivered)?;
            continue;
        }
        let row = result_of(session, &delivered.task_id, Duration::from_secs(wait.timeout)).await?;
        failed |= matches!(row.result.as_deref(), Some("fail" | "retry") | None);
        if output.is_json() {
            output.object(&row)?;
        } else {
            rows.push(delivery_cells(&row));
        }
    }
    output.table(HEADING, &rows)?;
    if failed { Err(CliError::Told) } else { Ok(()) }
}

fn tell(output: Output, delivered: &Delivered) -> Result<(), CliError> {
    if output.is_json() {
        return output.object(delivered);
    }
    output.line(&format!("{} for {} as task {}", delivered.event_type, delivered.object_id, delivered.task_id))
}

/// Waits until the delivery of a task is over and its result with the platform.
async fn result_of(session: &Session, task_id: &str, within: Duration) -> Result<DeliveryRow, CliError> {
    let reader = session.reader()?;
    let mut news = session.news();
    let before = troubles(session).await?;
    let over = async {
        loop {
            news.borrow_and_update();
            if let Some(row) = reader.delivery_of_task(task_id)?
                && matches!(row.state, DeliveryState::Sent | DeliveryState::Interrupted)
            {
                return Ok(row);
            }
            match tokio::time::timeout(LOOK_EVERY, news.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Err(CliError::failed("the session ended before the result was there".into())),
                // No news may be bad news: a journal that can't be written has nothing to tell.
                Err(_) => {
                    if let Some(trouble) = troubles(session).await?.into_iter().find(|trouble| !before.contains(trouble)) {
                        return Err(CliError::failed(trouble));
                    }
                }
            }
        }
    };
    tokio::time::timeout(within, over)
        .await
        .map_err(|_| CliError::failed(format!("task {task_id} was not answered within {} s", within.as_secs())))?
}

/// What is not as it should be.
async fn troubles(session: &Session) -> Result<Vec<String>, CliError> {
    match session.command(Command::Status).await? {
        Reply::Status(status) => Ok(status.troubles),
        _ => Ok(Vec::new()),
    }
}

/// Reads a JSON object from a file or stdin.
fn read_object(path: &Path) -> Result<Value, CliError> {
    let name = path.display();
    let mut text = String::new();
    let read = if path == Path::new("-") {
        std::io::stdin().lock().read_to_string(&mut text)
    } else {
        std::fs::File::open(path).and_then(|mut file| file.read_to_string(&mut text))
    };
    read.map_err(|e| CliError::usage(format!("{name} can't be read: {e}")))?;
    // Some editors begin a file with a byte order mark.
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let value: Value =
        serde_json::from_str(text).map_err(|e| CliError::usage(format!("{name} is not JSON: {e}; nothing was delivered")))?;
    if value.is_object() { Ok(value) } else { Err(CliError::usage(format!("{name} holds JSON, but not an object"))) }
}
