//! `scenario run FILE`: requests driven through their life by a short file of JSON lines.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Subcommand;
use serde::Deserialize;
use serde_json::Value;

use super::events::{HEADING, delivery_cells};
use super::trigger::{read_object, result_of};
use super::{CliError, Setting};
use crate::journal::DeliveryRow;
use crate::workbench::{Command, Reply, ScenarioAct, Session};

#[derive(Subcommand)]
pub(super) enum Scenario {
    /// Drive requests as a file says, one step a line
    Run {
        /// The file
        file: PathBuf,
        /// How many seconds one step may take
        #[arg(long, default_value_t = 60, value_name = "SECONDS")]
        timeout: u64,
    },
}

/// One line of the file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    /// An event type: its object is created and delivered.
    #[serde(default)]
    trigger: Option<String>,
    /// Its object as a file, beside the scenario's.
    #[serde(default)]
    file: Option<PathBuf>,
    /// Changes to it.
    #[serde(default)]
    set: serde_json::Map<String, Value>,
    /// What later lines call the request.
    #[serde(default, rename = "as")]
    name: Option<String>,
    /// Moves a request: `approve`, `fail`, `inquire`, `pend`.
    #[serde(default, rename = "move")]
    act: Option<String>,
    /// Orders something of the asset of a request: `change`, `cancel`, `suspend`, `resume`, `adjustment`.
    #[serde(default)]
    order: Option<String>,
    /// Which request that is done to: its name.
    #[serde(default)]
    of: Option<String>,
    /// The body of the call.
    #[serde(default)]
    body: Option<Value>,
    /// The result the delivery that follows must have.
    #[serde(default)]
    expect: Option<String>,
}

/// `scenario run FILE`
pub(super) async fn scenario(setting: Setting, verb: Scenario) -> Result<(), CliError> {
    let Scenario::Run { file, timeout } = verb;
    let steps = read(&file)?;
    let session = setting.ready().await?;
    let mut play =
        Play { session: &session, dir: file.parent().map(Path::to_owned).unwrap_or_default(), objects: HashMap::new(), timeout };
    let mut rows = Vec::new();
    let outcome = async {
        for (line, step) in steps {
            let row = play.step(line, &step).await?;
            if let Some(row) = row {
                if setting.output.is_json() {
                    setting.output.object(&row)?
                } else {
                    rows.push(delivery_cells(&row))
                }
                if let Some(wanted) = step.expect.filter(|wanted| row.result.as_ref() != Some(wanted)) {
                    let reason = row.message.as_deref().map(|m| format!(" ({m})")).unwrap_or_default();
                    let result = row.result.as_deref().unwrap_or("none");
                    return Err(CliError::failed(format!("line {line}: `{wanted}` was expected and `{result}` came{reason}")));
                }
            }
        }
        Ok(())
    }
    .await;
    session.close().await;
    setting.output.table(HEADING, &rows)?;
    outcome
}

/// Reads the steps with the numbers of their lines; empty lines and those that begin with `#` are passed over.
fn read(file: &Path) -> Result<Vec<(usize, Step)>, CliError> {
    let text = std::fs::read_to_string(file).map_err(|e| CliError::usage(format!("{} can't be read: {e}", file.display())))?;
    let mut steps = Vec::new();
    for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty() && !line.trim().starts_with('#')) {
        let wrong = |why: &str| CliError::usage(format!("{} line {number}: {why}; nothing was run", file.display()));
        let step: Step = serde_json::from_str(line).map_err(|e| wrong(&e.to_string()))?;
        match (&step.trigger, &step.act, &step.order, &step.of) {
            (Some(_), None, None, None) | (None, Some(_), None, Some(_)) | (None, None, Some(_), Some(_)) => {}
            _ => return Err(wrong("a line has `trigger`, or `move` and `of`, or `order` and `of`")),
        }
        steps.push((number, step));
    }
    if steps.is_empty() { Err(CliError::usage(format!("{} has no step in it", file.display()))) } else { Ok(steps) }
}

/// A scenario being played.
struct Play<'a> {
    session: &'a Session,
    dir: PathBuf,
    /// The requests by their names.
    objects: HashMap<String, String>,
    timeout: u64,
}

impl Play<'_> {
    /// Carries out a line; the delivery that came of it, if one did.
    async fn step(&mut self, line: usize, step: &Step) -> Result<Option<DeliveryRow>, CliError> {
        let within = Duration::from_secs(self.timeout);
        if let Some(event_type) = &step.trigger {
            let object = step.file.as_ref().map(|file| read_object(&self.dir.join(file))).transpose()?;
            let set = step.set.iter().map(|(path, value)| (path.clone(), text(value))).collect();
            let command = Command::Trigger { event_type: event_type.clone(), object, set };
            let Reply::Delivered(delivered) = self.session.command(command).await? else { return Err(unexpected()) };
            let name = step.name.clone().unwrap_or_else(|| event_type.clone());
            self.objects.insert(name, delivered.object_id.clone());
            if delivered.unclaimed {
                let why = delivered.note.unwrap_or_default();
                return Err(CliError::failed(format!("line {line}: {why}")));
            }
            return result_of(self.session, &delivered.task_id, within).await.map(Some);
        }
        let of = step.of.clone().unwrap_or_default();
        let object = self.objects.get(&of).cloned().ok_or_else(|| {
            let known = self.objects.keys().cloned().collect::<Vec<_>>().join(", ");
            CliError::usage(format!("line {line}: no request is called `{of}` so far; there are: {known}"))
        })?;
        let act = ScenarioAct { object, act: step.act.clone(), order: step.order.clone(), body: step.body.clone() };
        let Reply::Acted { object, task_id } = self.session.command(Command::Act(act)).await? else { return Err(unexpected()) };
        if let Some(name) = step.name.clone().or_else(|| step.order.clone()) {
            self.objects.insert(name, object);
        }
        match task_id {
            Some(task) => result_of(self.session, &task, within).await.map(Some),
            None if step.expect.is_some() => Err(CliError::failed(format!(
                "line {line}: nothing was delivered: the extension does not subscribe to what came of it"
            ))),
            None => Ok(None),
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), Into::into)
}

fn unexpected() -> CliError {
    CliError::failed("the session answered something else than was asked".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        read(file.path()).unwrap_err().to_string()
    }

    #[test]
    fn a_line_that_is_wrong_is_named() {
        assert!(refused("# one\n{\"trigger\": \"x\"}\n{oops").contains("line 3"));
        assert!(refused("{\"move\": \"approve\"}").contains("`move` and `of`"));
        assert!(refused("{\"tigger\": \"x\"}").contains("tigger"));
        assert!(refused("\n\n").contains("no step"));
    }
}
