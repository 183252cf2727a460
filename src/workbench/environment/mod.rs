//! What a session can be asked about variables: shown, edited as a whole, imported and exported, staged, applied,
//! revealed, brought back.
//!
//! They are stored in the environment of a Connect ([`store`]): the local one or a real one. Changes are staged in the data
//! directory until they are applied; every set that was applied is kept ([`history`]).

mod history;
mod ran_with;
mod store;
mod text;

use std::path::Path;
use std::time::Duration;

use super::bench::Workbench;
use super::runner::ACKNOWLEDGED;
use super::{EnvironmentCommand, EnvironmentReply, Reply, VariableChange, WorkbenchError};
use crate::exchange::{self, Content, Entry, Form};
use crate::observe::{Fact, Level, LinkState, Observation, Secret, SeenVariable};
use history::History;
pub(super) use store::{Known, Store, Stored};

/// How long *apply changes* waits for the runtime's word.
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_secs(5);

/// A variable as it will be once what is staged is applied. `value` is `None` where Connect does not tell it.
#[derive(Clone)]
struct Effective {
    name: String,
    value: Option<String>,
    secure: bool,
}

impl Workbench {
    /// Carries out what is asked about the environment as a whole.
    pub(super) async fn environment(&self, command: EnvironmentCommand) -> Result<Reply, WorkbenchError> {
        match command {
            EnvironmentCommand::Text => {
                let unset = self.unset().await?;
                let text = text::compose(&self.0.environment_id, &self.effective().await?, &unset);
                Ok(Reply::Environment(EnvironmentReply::Text { text }))
            }
            EnvironmentCommand::TakeText { text } => {
                let changes = text::changes(&text, &self.effective().await?).map_err(WorkbenchError::Usage)?;
                let message = if changes.is_empty() { "Nothing was changed.".into() } else { staged(changes.len()) };
                self.stage_saying(changes, Some(message)).await
            }
            EnvironmentCommand::Import { form, content, name } => self.import_variables(read(form, &content, &name)?).await,
            EnvironmentCommand::ImportFile { path } => {
                let file = Path::new(&path);
                let form = Form::of(file).ok_or_else(|| WorkbenchError::Usage(unknown_form(&path)))?;
                let bytes = std::fs::read(file).map_err(|e| WorkbenchError::Usage(format!("{path} can't be read: {e}")))?;
                self.import_variables(read(form, &bytes, &path)?).await
            }
            EnvironmentCommand::Export { form, reveal } => {
                let content = self.export(form, reveal).await?;
                Ok(Reply::Environment(EnvironmentReply::Exported { content }))
            }
            EnvironmentCommand::ExportFile { path, reveal } => self.export_file(&path, reveal).await,
            EnvironmentCommand::History => {
                let rows = self.history()?.rows();
                Ok(Reply::Environment(EnvironmentReply::History { rows }))
            }
            EnvironmentCommand::Rollback { number } => self.rollback(number).await,
            EnvironmentCommand::RanWith { delivery } => self.ran_with(delivery).await,
        }
    }

    pub(super) async fn rows(&self, message: Option<String>) -> Result<Reply, WorkbenchError> {
        let live = self.0.runner.variables();
        let (known, message) = match self.0.store.all().await {
            Ok(known) => (known, message),
            Err(why) if self.0.local.is_some() => return Err(why),
            // A real Connect sends its variables to runners, whether or not it lets them be listed.
            Err(why) => {
                let sent = |v: &SeenVariable| Stored {
                    id: String::new(),
                    name: v.name.clone(),
                    value: Some(v.value.clone()),
                    secure: v.secure,
                };
                let known = Known { variables: live.iter().map(sent).collect(), unapplied: false };
                (known, message.or_else(|| Some(format!("Shown is what the runtime was sent: {why}"))))
            }
        };
        let staged = self.0.staged.lock().await;
        let variables = self.0.mask.rows(&known, &staged, &live, &self.declared());
        Ok(Reply::Variables { variables, message })
    }

    pub(super) async fn stage(&self, changes: Vec<VariableChange>) -> Result<Reply, WorkbenchError> {
        self.stage_saying(changes, None).await
    }

    async fn stage_saying(&self, changes: Vec<VariableChange>, message: Option<String>) -> Result<Reply, WorkbenchError> {
        let known = self.0.store.all().await?;
        for change in &changes {
            // Before anything can mention it.
            if let VariableChange::Set { name, value, secure } = change
                && secure.unwrap_or_else(|| self.secure_in(&known, name))
            {
                self.0.journal.redactor().learn(name, &Secret::new(value.clone()));
            }
        }
        let mut staged = self.0.staged.lock().await;
        let names = staged.stage(changes, &known.variables)?;
        staged.save(&self.0.data_dir)?;
        drop(staged);
        self.note("staged", names);
        self.rows(message).await
    }

    /// Stores what is staged, pushes it, and waits for the runtime's own word: only that makes a value live.
    pub(super) async fn apply(&self) -> Result<Reply, WorkbenchError> {
        let before = self.stored().await?;
        let expected = self.0.runner.expect();
        let mut applied = Vec::new();
        let stored = self.store_staged(&mut applied).await;
        if !applied.is_empty() {
            let after = self.stored().await?;
            self.history()?.note(&before, &after, "applied")?;
        }
        stored?;
        let told = self.0.store.apply().await?;
        self.note("applied", applied);
        if told == 0 {
            let message = "Stored. No runtime is connected: the values go live when it connects.";
            return self.rows(Some(message.into())).await;
        }
        let message = if !self.0.runner.tells() {
            format!(
                "Stored and sent to the {told} connections there are; a runner started elsewhere does not tell here what it took over."
            )
        } else if self.0.runner.acknowledged(expected, told, ACKNOWLEDGED_WITHIN).await {
            ACKNOWLEDGED.into()
        } else {
            format!("Stored and sent, but the runtime has not acknowledged within {} s.", ACKNOWLEDGED_WITHIN.as_secs())
        };
        self.rows(Some(message)).await
    }

    async fn store_staged(&self, applied: &mut Vec<String>) -> Result<(), WorkbenchError> {
        let mut staged = self.0.staged.lock().await;
        let known = self.0.store.all().await?;
        let changes: Vec<_> = staged.iter().map(|(name, draft)| (name.clone(), draft.clone())).collect();
        for (name, draft) in changes {
            match draft {
                Some(draft) => {
                    let secure = draft.secure.unwrap_or_else(|| self.secure_in(&known, &name));
                    self.0.store.set(&name, &draft.value, secure).await?;
                }
                None => self.0.store.delete(&name).await?,
            }
            staged.unstage(std::slice::from_ref(&name));
            staged.save(&self.0.data_dir)?;
            applied.push(name);
        }
        Ok(())
    }

    pub(super) async fn reveal(&self, name: &str) -> Result<Reply, WorkbenchError> {
        let variable = self.0.store.all().await?.variables.into_iter().find(|v| v.name == name);
        let exists = variable.is_some();
        // A real Connect does not tell; the runtime was told.
        let live = || self.0.runner.variables().into_iter().find(|v| v.name == name).map(|v| v.value);
        let value = variable.and_then(|v| v.value).or_else(live);
        let staged = self.0.staged.lock().await;
        let staged = staged.get(name).and_then(Option::as_ref).map(|draft| draft.value.clone());
        match (&value, &staged) {
            (None, None) if exists => Err(WorkbenchError::Failed(format!(
                "Connect does not tell the value of {name}, and no runtime is connected that was told"
            ))),
            (None, None) => Err(WorkbenchError::Usage(format!("there is no variable {name}; `env list` shows all of them"))),
            _ => Ok(Reply::Revealed { value, staged }),
        }
    }

    fn secure_in(&self, known: &Known, name: &str) -> bool {
        known.variables.iter().any(|v| v.name == name && v.secure)
            || self.declared().iter().any(|(declared, secure)| declared == name && *secure)
    }

    /// What is stored now.
    async fn stored(&self) -> Result<Vec<Effective>, WorkbenchError> {
        let effective = |v: Stored| Effective { name: v.name, value: v.value, secure: v.secure };
        Ok(self.0.store.all().await?.variables.into_iter().map(effective).collect())
    }

    /// What would be stored if what is staged were applied, by name.
    async fn effective(&self) -> Result<Vec<Effective>, WorkbenchError> {
        let known = self.0.store.all().await?;
        let mut all = self.stored().await?;
        let staged = self.0.staged.lock().await;
        for (name, draft) in staged.iter() {
            let at = all.iter().position(|v| v.name == *name);
            match (draft, at.and_then(|at| all.get_mut(at))) {
                (None, _) => all.retain(|v| v.name != *name),
                (Some(draft), Some(known)) => {
                    known.value = Some(draft.value.clone());
                    known.secure = draft.secure.unwrap_or(known.secure);
                }
                (Some(draft), None) => {
                    let secure = draft.secure.unwrap_or_else(|| self.secure_in(&known, name));
                    all.push(Effective { name: name.clone(), value: Some(draft.value.clone()), secure });
                }
            }
        }
        all.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(all)
    }

    /// What the extension declares and nobody has set.
    async fn unset(&self) -> Result<Vec<String>, WorkbenchError> {
        let set = self.effective().await?;
        let declared = self.declared().into_iter().map(|(name, _)| name);
        Ok(declared.filter(|name| !set.iter().any(|v| v.name == *name)).collect())
    }

    /// Stages what a file has; whatever it does not name stays as it is.
    async fn import_variables(&self, content: Content) -> Result<Reply, WorkbenchError> {
        let now = self.effective().await?;
        let mut notes = content.notes;
        let mut changes = Vec::new();
        let mut same = 0;
        for Entry { name, value, secure } in content.entries {
            let known = now.iter().find(|v| v.name == name);
            match (value, known) {
                (Some(value), Some(known))
                    if known.value.as_deref() == Some(value.reveal()) && secure.is_none_or(|s| s == known.secure) =>
                {
                    same += 1
                }
                // A secret stays one, whatever a file forgets to say.
                (Some(value), known) => changes.push(VariableChange::Set {
                    name,
                    value: value.reveal().into(),
                    secure: secure.filter(|secure| *secure || !known.is_some_and(|k| k.secure)),
                }),
                (None, Some(known)) if known.secure => same += 1,
                (None, Some(_)) => notes.push(format!("{name} is withheld in the file and no secret here: it stays as it is")),
                (None, None) => notes.push(format!("{name} is withheld in the file and not set here: give it a value yourself")),
            }
        }
        let mut message = format!("{} staged, {same} as before.", changes.len());
        for note in notes {
            message.push_str(&format!(" {note}."));
        }
        self.stage_saying(changes, Some(message)).await
    }

    async fn export(&self, form: Form, reveal: bool) -> Result<Vec<u8>, WorkbenchError> {
        let entry = |v: Effective| Entry {
            value: v.value.filter(|_| reveal || !v.secure).map(Secret::new),
            name: v.name,
            secure: Some(v.secure),
        };
        let entries: Vec<_> = self.stored().await?.into_iter().map(entry).collect();
        exchange::write(form, &entries).map_err(WorkbenchError::Failed)
    }

    async fn export_file(&self, path: &str, reveal: bool) -> Result<Reply, WorkbenchError> {
        let form = Form::of(Path::new(path)).ok_or_else(|| WorkbenchError::Usage(unknown_form(path)))?;
        let content = self.export(form, reveal).await?;
        super::paths::new_private(Path::new(path), &content).map_err(|e| match e.kind() {
            std::io::ErrorKind::AlreadyExists => WorkbenchError::Usage(format!("{path} is there already; give another name")),
            _ => WorkbenchError::Usage(format!("{path} can't be written: {e}")),
        })?;
        let secrets = if reveal { "with the values of secrets" } else { "the values of secrets are withheld in it" };
        self.rows(Some(format!("Exported to {path}; {secrets}."))).await
    }

    async fn rollback(&self, number: u64) -> Result<Reply, WorkbenchError> {
        let now = self.stored().await?;
        let (changes, lost) = self.history()?.back_to(number, &now)?;
        self.0.staged.lock().await.unstage(&[]);
        let mut message = match changes.len() {
            0 => format!("The variables are as they were after change {number}."),
            n => format!("{} Apply them to have the variables as they were after change {number}.", staged(n)),
        };
        for name in lost {
            message.push_str(&format!(" Connect never told the value {name} had then: it stays as it is."));
        }
        self.stage_saying(changes, Some(message)).await
    }

    fn history(&self) -> Result<History, WorkbenchError> {
        History::open(&self.0.data_dir, |said| self.warn(said))
    }

    /// Says something that is not as it should be, where it is seen: as a log line.
    pub(super) fn warn(&self, message: String) {
        let fact = Fact::Log { level: Level::Warning, target: "workbench".into(), message };
        crate::observe::Observer::observe(&self.0.journal, Observation::now(fact));
    }

    /// The variables the runtime works with; before it has any, those that are stored.
    pub(super) async fn in_force(&self) -> Vec<SeenVariable> {
        let live = self.0.runner.variables();
        let configured = self.0.runner.link().state == LinkState::Connected;
        let Some(local) = &self.0.local else { return live };
        local.resolved(if live.is_empty() && !configured {
            let seen = |v: crate::platform::StoredVariable| SeenVariable { name: v.name, value: v.value, secure: v.secure };
            local.platform.variables().into_iter().map(seen).collect()
        } else {
            live
        })
    }
}

/// What a file of that name has.
fn read(form: Form, content: &[u8], name: &str) -> Result<exchange::Content, WorkbenchError> {
    exchange::read(form, content).map_err(|why| WorkbenchError::Usage(format!("{name}: {why}")))
}

fn staged(n: usize) -> String {
    format!("{n} {} staged.", if n == 1 { "change is" } else { "changes are" })
}

fn unknown_form(path: &str) -> String {
    format!("{path}: its name does not tell what it is; .env, .json, .yml and .xlsx are understood")
}
