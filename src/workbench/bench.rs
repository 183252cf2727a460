use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, watch};

use super::control::Control;
use super::documents::{Documents, Question};
use super::local::Local;
use super::paths::private_dir;
use super::session::StartError;
use super::variables::{Mask, Staged};
use super::{
    Command, Connect, Delivered, EventTypeRow, LinkStatus, OpenOptions, Reply, Source, Status, VariableChange, WaitingRow,
    WorkbenchError,
};
use crate::extension::Extension;
use crate::journal::{Journal, JournalError};
use crate::observe::{Fact, LinkState, Observation, Observer, Secret, SeenVariable};
use crate::platform::{Platform, Queued, Waiting};
use crate::replay::Capture;
use crate::runtime::Runtime;
use crate::tutorial;

/// How long *apply changes* waits for the runtime's word.
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_secs(5);

/// A session that runs in this process. Cheap to clone.
#[derive(Clone)]
pub(super) struct Workbench(Arc<Parts>);

struct Parts {
    data_dir: PathBuf,
    journal: Journal,
    runtime: Runtime,
    local: Option<Local>,
    extension: Introduction,
    environment_id: String,
    staged: Mutex<Staged>,
    mask: Mask,
    documents: Documents,
    troubles: Vec<String>,
    control: std::sync::OnceLock<Control>,
}

/// What is worth knowing about the extension once the runtime has it.
struct Introduction {
    name: String,
    version: String,
    declared: Vec<(String, bool)>,
}

impl Introduction {
    fn of(extension: &Extension) -> Self {
        Self {
            name: extension.name().to_owned(),
            version: extension.version().to_owned(),
            declared: extension.variables().iter().map(|v| (v.name.clone(), v.secure)).collect(),
        }
    }
}

impl Workbench {
    /// Starts everything and opens the door to other commands.
    pub(super) async fn start(options: OpenOptions) -> Result<Self, StartError> {
        private_dir(&options.data_dir)?;
        let journal = Journal::open(&options.data_dir).map_err(|e| match e {
            JournalError::InUse { .. } => StartError::InUse,
            other => StartError::Other(WorkbenchError::Usage(other.to_string())),
        })?;
        let observer: Arc<dyn Observer> = Arc::new(journal.clone());
        let mut troubles = Vec::new();
        let (local, extension, runtime_options) = match options.connect.clone() {
            Connect::Local => {
                let local = Local::start(&options, &journal, &observer, &mut troubles).await?;
                let extension = match &options.extension {
                    Source::Tutorial => tutorial::extension_with(local.defaults()),
                    Source::Given(extension) => (**extension).clone(),
                };
                local.follow_the_sandbox(&options.data_dir).await?;
                let runtime_options = local.runtime_options(&options.data_dir);
                (Some(local), extension, runtime_options)
            }
            Connect::Remote(runtime_options) => {
                journal.redactor().learn("API_KEY", &runtime_options.api_key);
                let extension = match &options.extension {
                    Source::Tutorial => tutorial::extension(),
                    Source::Given(extension) => (**extension).clone(),
                };
                (None, extension, *runtime_options)
            }
        };
        let environment_id = runtime_options.environment_id.clone();
        let introduction = Introduction::of(&extension);
        let staged = Staged::load(&options.data_dir);
        let runtime = Runtime::start(runtime_options, extension, observer).map_err(|e| usage(&e))?;
        let workbench = Self(Arc::new(Parts {
            data_dir: options.data_dir.clone(),
            journal,
            runtime,
            local,
            extension: introduction,
            environment_id,
            staged: Mutex::new(staged),
            mask: Mask::default(),
            documents: Documents::default(),
            troubles,
            control: std::sync::OnceLock::new(),
        }));
        let control = Control::open(workbench.clone(), &options.data_dir).await?;
        let _ = workbench.0.control.set(control);
        Ok(workbench)
    }

    pub(super) fn news(&self) -> watch::Receiver<i64> {
        self.0.journal.news()
    }

    /// Carries out a command.
    pub(super) async fn command(&self, command: Command) -> Result<Reply, WorkbenchError> {
        match command {
            Command::Status => Ok(Reply::Status(Box::new(self.status()))),
            Command::Trigger { event_type, object, set } => {
                let queued = self.local()?.platform.trigger(&event_type, object, &set).await.map_err(|e| usage(&e))?;
                Ok(delivered(queued))
            }
            Command::EventTypes => self.event_types(),
            Command::Waiting => self.waiting(),
            Command::Release { task_id } => {
                self.local()?.platform.release(&task_id).map_err(|e| usage(&e))?;
                self.waiting()
            }
            Command::Replay { delivery } => self.replay(delivery).await,
            Command::Variables => self.rows(None).await,
            Command::Stage { changes } => self.stage(changes).await,
            Command::Unstage { names } => {
                let mut staged = self.0.staged.lock().await;
                let gone = staged.unstage(&names);
                staged.save(&self.0.data_dir)?;
                drop(staged);
                self.note("unstaged", gone);
                self.rows(None).await
            }
            Command::Apply => self.apply().await,
            Command::Reveal { name } => self.reveal(&name).await,
            Command::Collections { backend } => self.0.documents.collections(backend, &self.in_force().await).await,
            Command::Find { backend, database, collection, filter, projection, sort, skip, limit } => {
                let question = Question { backend, database, collection, filter, projection, sort, skip, limit };
                self.0.documents.find(question, &self.in_force().await).await
            }
            Command::Count { backend, database, collection, filter } => {
                let nothing = String::new;
                let (projection, sort) = (nothing(), nothing());
                let question = Question { backend, database, collection, filter, projection, sort, skip: 0, limit: 1 };
                self.0.documents.count(question, &self.in_force().await).await
            }
        }
    }

    /// Stops everything, in the order that loses nothing.
    pub(super) async fn stop(&self) {
        if let Some(control) = self.0.control.get() {
            control.close();
        }
        self.0.runtime.stop().await;
        if let Some(local) = &self.0.local {
            local.platform.stop().await;
            local.sandbox.stop().await;
        }
        // What could not be written has been said by the journal's own trouble already.
        let _ = self.0.journal.close().await;
    }

    fn local(&self) -> Result<&Local, WorkbenchError> {
        self.0.local.as_ref().ok_or_else(|| {
            WorkbenchError::Usage(
                "this session is attached to a real Connect, where only Connect itself creates events and changes \
                 variables; start one without --remote to do it here"
                    .into(),
            )
        })
    }

    fn status(&self) -> Status {
        let runtime = self.0.runtime.status().borrow().clone();
        let local = self.0.local.as_ref();
        Status {
            mode: if local.is_some() { "local" } else { "remote" }.into(),
            environment_id: self.0.environment_id.clone(),
            extension: self.0.extension.name.clone(),
            extension_version: self.0.extension.version.clone(),
            link: LinkStatus { state: runtime.link, last_seen: runtime.last_seen },
            running: runtime.running,
            unsent: runtime.unsent,
            waiting: local.map_or(0, |l| l.platform.waiting().len()),
            pending: local.map_or(0, |l| l.platform.pending()),
            endpoints: local.map_or_else(Vec::new, Local::endpoints),
            troubles: self.0.troubles.iter().cloned().chain(self.0.journal.trouble().borrow().clone()).collect(),
            data_dir: self.0.data_dir.display().to_string(),
        }
    }

    fn event_types(&self) -> Result<Reply, WorkbenchError> {
        let connections = self.local()?.platform.connections();
        let subscribed = |name: &str| connections.iter().any(|c| c.subscriptions.contains_key(name));
        let row = |(name, category): (&str, &str)| EventTypeRow {
            name: name.into(),
            category: category.into(),
            subscribed: subscribed(name),
        };
        Ok(Reply::EventTypes { types: Platform::event_types().map(row).collect() })
    }

    fn waiting(&self) -> Result<Reply, WorkbenchError> {
        let row = |task: Waiting| WaitingRow {
            task_id: task.task_id,
            object_id: task.object_id,
            event_type: task.event_type,
            due: task.due,
        };
        Ok(Reply::Waiting { tasks: self.local()?.platform.waiting().into_iter().map(row).collect() })
    }

    async fn replay(&self, delivery: i64) -> Result<Reply, WorkbenchError> {
        let local = self.local()?;
        let reader = self.0.journal.reader().map_err(|e| WorkbenchError::Failed(e.to_string()))?;
        let capture = Capture::of(&reader, delivery).map_err(|e| usage(&e))?;
        let queued = local.platform.replay(&capture.event_type, capture.object, delivery).await.map_err(|e| usage(&e))?;
        Ok(delivered(queued))
    }

    async fn rows(&self, message: Option<String>) -> Result<Reply, WorkbenchError> {
        let stored = self.0.local.as_ref().map(|l| l.platform.variables()).unwrap_or_default();
        let staged = self.0.staged.lock().await;
        let live = self.0.runtime.variables();
        let variables = self.0.mask.rows(&stored, &staged, &live, &self.0.extension.declared);
        Ok(Reply::Variables { variables, message })
    }

    async fn stage(&self, changes: Vec<VariableChange>) -> Result<Reply, WorkbenchError> {
        let platform = &self.local()?.platform;
        let secure: Vec<String> = platform.variables().into_iter().filter(|v| v.secure).map(|v| v.name).collect();
        for change in &changes {
            // Before anything can mention it.
            if let VariableChange::Set { name, value, secure: is_secret } = change
                && is_secret.unwrap_or_else(|| secure.contains(name))
            {
                self.0.journal.redactor().learn(name, &Secret::new(value.clone()));
            }
        }
        let mut staged = self.0.staged.lock().await;
        let names = staged.stage(changes, &platform.variables())?;
        staged.save(&self.0.data_dir)?;
        drop(staged);
        self.note("staged", names);
        self.rows(None).await
    }

    /// Stores what is staged, pushes it, and waits for the runtime's own word: only that makes a value live.
    async fn apply(&self) -> Result<Reply, WorkbenchError> {
        let platform = &self.local()?.platform;
        let mut status = self.0.runtime.status();
        let before = status.borrow_and_update().configured;
        let mut applied = Vec::new();
        {
            let mut staged = self.0.staged.lock().await;
            let changes: Vec<_> = staged.iter().map(|(name, draft)| (name.clone(), draft.clone())).collect();
            for (name, draft) in changes {
                let stored = match draft {
                    Some(draft) => {
                        let secure = draft.secure.unwrap_or_else(|| self.is_secure(&name));
                        platform.set_variable(&name, &draft.value, secure).await.map(|_| ())
                    }
                    None => platform.delete_variable(&name).await.map(|_| ()),
                };
                stored.map_err(|e| WorkbenchError::Failed(format!("{name} was not stored: {e}")))?;
                staged.unstage(std::slice::from_ref(&name));
                staged.save(&self.0.data_dir)?;
                applied.push(name);
            }
        }
        let told = platform.apply().map_err(|e| WorkbenchError::Failed(e.to_string()))?;
        self.note("applied", applied);
        if told == 0 {
            let message = "Stored. No runtime is connected: the values go live when it connects.";
            return self.rows(Some(message.into())).await;
        }
        let acknowledged = status.wait_for(|s| s.configured > before);
        let message = match tokio::time::timeout(ACKNOWLEDGED_WITHIN, acknowledged).await {
            Ok(Ok(_)) => "Extension configuration has been updated.".into(),
            _ => format!("Stored and sent, but the runtime has not acknowledged within {} s.", ACKNOWLEDGED_WITHIN.as_secs()),
        };
        self.rows(Some(message)).await
    }

    async fn reveal(&self, name: &str) -> Result<Reply, WorkbenchError> {
        let stored = self.0.local.as_ref().map(|l| l.platform.variables()).unwrap_or_default();
        let value = stored.into_iter().find(|v| v.name == name).map(|v| v.value);
        let staged = self.0.staged.lock().await;
        let staged = staged.get(name).and_then(Option::as_ref).map(|draft| draft.value.clone());
        if value.is_none() && staged.is_none() {
            return Err(WorkbenchError::Usage(format!("there is no variable {name}; `env list` shows all of them")));
        }
        Ok(Reply::Revealed { value, staged })
    }

    fn is_secure(&self, name: &str) -> bool {
        let stored = self.0.local.as_ref().map(|l| l.platform.variables()).unwrap_or_default();
        stored.iter().any(|v| v.name == name && v.secure)
            || self.0.extension.declared.iter().any(|(declared, secure)| declared == name && *secure)
    }

    /// The variables the runtime works with; before it has any, those that are stored.
    async fn in_force(&self) -> Vec<SeenVariable> {
        let live = self.0.runtime.variables();
        let configured = self.0.runtime.status().borrow().link == LinkState::Connected;
        match &self.0.local {
            Some(local) if live.is_empty() && !configured => {
                let seen = |v: crate::platform::StoredVariable| SeenVariable { name: v.name, value: v.value, secure: v.secure };
                local.platform.variables().into_iter().map(seen).collect()
            }
            _ => live,
        }
    }

    fn note(&self, what: &str, names: Vec<String>) {
        if !names.is_empty() {
            self.0.journal.observe(Observation::now(Fact::Variables { what: what.into(), names }));
        }
    }
}

fn delivered(queued: Queued) -> Reply {
    Reply::Delivered(Delivered {
        task_id: queued.task_id,
        object_id: queued.object_id,
        event_type: queued.event_type,
        note: queued.note,
    })
}

fn usage(error: &dyn std::error::Error) -> WorkbenchError {
    WorkbenchError::Usage(error.to_string())
}
