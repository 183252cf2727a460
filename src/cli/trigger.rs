//! `trigger`: a task is made and, if wanted, its result waited for.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args as Group;
use serde_json::Value;

use super::args::{Wait, pair};
use super::events::{HEADING, delivery_cells};
use super::{CliError, Output, Setting, output};
use crate::journal::{DeliveryRow, DeliveryState};
use crate::platform::Platform;
use crate::replay::Capture;
use crate::workbench::{CaptureCommand, CaptureReply, Command, Delivered, Editing, Reply, SavedEvent, Session};

/// How often a session without news is asked what is wrong.
const LOOK_EVERY: Duration = Duration::from_secs(1);

#[derive(Group)]
pub(super) struct Trigger {
    /// The event type, `asset_purchase_request_processing` for instance; or @NAME of a saved event; or #ID of a delivery,
    /// for a new object like its
    #[arg(value_name = "EVENT_TYPE|@NAME|#ID")]
    pub(super) event: String,
    /// The object as a JSON file (`-` for stdin) instead of the built-in sample
    #[arg(long, value_name = "FILE")]
    pub(super) file: Option<PathBuf>,
    /// Change the object: a dotted path and a JSON value or text (`asset.params.0.value=hello`)
    #[arg(long, value_name = "PATH=VALUE", value_parser = pair)]
    pub(super) set: Vec<(String, String)>,
    /// Change the object in the editor named by VISUAL or EDITOR first
    #[arg(long)]
    pub(super) edit: bool,
    /// Remember the event by a name, for `trigger @NAME`
    #[arg(long, value_name = "NAME")]
    pub(super) save: Option<String>,
    #[command(flatten)]
    pub(super) wait: Wait,
}

/// `trigger EVENT_TYPE`
pub(super) async fn trigger(setting: Setting, args: Trigger) -> Result<(), CliError> {
    let object = args.file.as_deref().map(read_object).transpose()?;
    let session = setting.ready().await?;
    let made = async {
        let mut event = event(&session, &args.event).await?;
        event.object = object.or(event.object);
        event.set.extend(args.set);
        if args.edit {
            let sample = event.object.take().or_else(|| Platform::sample(&event.event_type)).unwrap_or_default();
            event.object = Some(edited(&setting.options.data_dir, &sample)?);
        }
        let SavedEvent { event_type, object, set } = event.clone();
        let delivered = delivered(&session, Command::Trigger { event_type, object, set }).await?;
        // What can't be triggered is not worth a name, and does not take that of another.
        if let Some(name) = args.save {
            session.command(Command::Captures(CaptureCommand::SaveEvent { name, event })).await?;
        }
        followed(&session, setting.output, &delivered, &args.wait).await
    };
    let outcome = made.await;
    session.close().await;
    outcome
}

/// What is to be triggered: a type, a saved event, an object like that of a delivery.
async fn event(session: &Session, given: &str) -> Result<SavedEvent, CliError> {
    if let Some(name) = given.strip_prefix('@') {
        let Reply::Captures(CaptureReply::Saved { events }) =
            session.command(Command::Captures(CaptureCommand::SavedEvents)).await?
        else {
            return Err(unexpected());
        };
        let names = events.iter().map(|(name, _)| format!("@{name}")).collect::<Vec<_>>().join(", ");
        let known = if names.is_empty() {
            "none is saved yet: `trigger TYPE --save NAME` does".into()
        } else {
            format!("there are {names}")
        };
        let found = events.into_iter().find(|(saved, _)| saved == name).map(|(_, event)| event);
        return found.ok_or_else(|| CliError::usage(format!("there is no saved event @{name}; {known}")));
    }
    match given.strip_prefix('#').map(str::parse) {
        Some(Ok(id)) => {
            let capture = Capture::of(&session.reader()?, id).map_err(|e| CliError::usage(e.to_string()))?;
            Ok(SavedEvent { event_type: capture.event_type, object: Some(capture.object), set: Vec::new() })
        }
        Some(Err(_)) => Err(CliError::usage(format!("{given} is no number of a delivery, such as #12"))),
        None => Ok(SavedEvent { event_type: given.into(), object: None, set: Vec::new() }),
    }
}

/// An object as the developer's editor leaves it.
pub(super) fn edited(data_dir: &Path, object: &Value) -> Result<Value, CliError> {
    let text = serde_json::to_string_pretty(object).unwrap_or_default() + "\n";
    let editing = Editing::begin(data_dir, "object.json", &text)?;
    let status = editing.command().status().map_err(|e| CliError::failed(format!("the editor can't be started: {e}")))?;
    match editing.end(status)? {
        Some(text) => json_object("the edited object", &text),
        None => Ok(object.clone()),
    }
}

fn unexpected() -> CliError {
    CliError::failed("the session answered something else than was asked".into())
}

async fn delivered(session: &Session, command: Command) -> Result<Delivered, CliError> {
    let Reply::Delivered(delivered) = session.command(command).await? else { return Err(unexpected()) };
    if let Some(note) = &delivered.note {
        output::remark(note);
    }
    Ok(delivered)
}

/// Tells what came of a task, or that it is on its way.
async fn followed(session: &Session, output: Output, delivered: &Delivered, wait: &Wait) -> Result<(), CliError> {
    if delivered.unclaimed && !session.is_elsewhere() {
        // It is kept, and delivered when an extension that wants it runs here; waiting would be in vain.
        return Err(CliError::Told);
    }
    // A session of our own ends with this command: without waiting nothing would come of the task.
    if !wait.wait && session.is_elsewhere() {
        return tell(output, delivered);
    }
    let row = result_of(session, &delivered.task_id, Duration::from_secs(wait.timeout)).await?;
    if output.is_json() {
        output.object(&row)?;
    } else {
        output.table(HEADING, &[delivery_cells(&row)])?;
    }
    match row.result.as_deref() {
        Some("fail" | "retry") | None => Err(CliError::Told),
        Some(_) => Ok(()),
    }
}

pub(super) fn tell(output: Output, delivered: &Delivered) -> Result<(), CliError> {
    if output.is_json() {
        return output.object(delivered);
    }
    output.line(&format!("{} for {} as task {}", delivered.event_type, delivered.object_id, delivered.task_id))
}

/// Waits until the delivery of a task is over and its result with the platform.
pub(super) async fn result_of(session: &Session, task_id: &str, within: Duration) -> Result<DeliveryRow, CliError> {
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
    let late = |_| {
        let why = match reader.delivery_of_task(task_id).ok().flatten().map(|row| row.state) {
            None => ": no runner has taken it yet",
            Some(DeliveryState::NoRunner) => ": its runner is gone, and it waits for one",
            Some(_) => "",
        };
        CliError::failed(format!("task {task_id} was not answered within {} s{why}", within.as_secs()))
    };
    tokio::time::timeout(within, over).await.map_err(late)?
}

/// What is not as it should be.
async fn troubles(session: &Session) -> Result<Vec<String>, CliError> {
    match session.command(Command::Status).await? {
        Reply::Status(status) => Ok(status.troubles),
        _ => Ok(Vec::new()),
    }
}

/// Reads a JSON object from a file or stdin.
pub(super) fn read_object(path: &Path) -> Result<Value, CliError> {
    let name = path.display();
    let mut text = String::new();
    let read = if path == Path::new("-") {
        std::io::stdin().lock().read_to_string(&mut text)
    } else {
        std::fs::File::open(path).and_then(|mut file| file.read_to_string(&mut text))
    };
    read.map_err(|e| CliError::usage(format!("{name} can't be read: {e}")))?;
    json_object(&name.to_string(), &text)
}

fn json_object(name: &str, text: &str) -> Result<Value, CliError> {
    // Some editors begin a file with a byte order mark.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let value: Value =
        serde_json::from_str(text).map_err(|e| CliError::usage(format!("{name} is not JSON: {e}; nothing was delivered")))?;
    if value.is_object() { Ok(value) } else { Err(CliError::usage(format!("{name} holds JSON, but not an object"))) }
}
