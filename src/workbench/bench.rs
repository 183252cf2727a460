use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::{Mutex, watch};

use super::control::Control;
use super::documents::{Documents, Surroundings};
use super::environment::Store;
use super::host::Host;
use super::local::Local;
use super::paths::private_dir;
use super::runner::Runner;
use super::runs::Runs;
use super::sagas::Watched;
use super::session::StartError;
use super::variables::{Mask, Staged};
use super::{
    Command, Connect, Delivered, EventTypeRow, OpenOptions, Reply, RunAgain, STOPPED, Source, Status, StoreCommand, StoreReply,
    WorkbenchError,
};
use crate::extension::Extension;
use crate::journal::{Follower, Journal, JournalError};
use crate::observe::{Controls, Fact, Observation, Observer, Places, Timestamp};
use crate::platform::{Connection, Platform, Queued, RunnerType};
use crate::relay::{Relay, RelayOptions};
use crate::runtime::RuntimeOptions;
use crate::runtime::guest::Hook;
use crate::sandbox;
use crate::tutorial;

/// A session that runs in this process. Cheap to clone.
#[derive(Clone)]
pub(super) struct Workbench(pub(super) Arc<Parts>);

pub(super) struct Parts {
    pub(super) data_dir: PathBuf,
    pub(super) journal: Journal,
    pub(super) runner: Runner,
    pub(super) local: Option<Local>,
    pub(super) extension: Introduction,
    pub(super) environment_id: String,
    pub(super) staged: Mutex<Staged>,
    pub(super) store: Store,
    pub(super) mask: Mask,
    pub(super) documents: Documents,
    pub(super) controls: Controls,
    pub(super) troubles: Vec<String>,
    pub(super) notes: Vec<String>,
    pub(super) control: std::sync::OnceLock<Control>,
    pub(super) runs: Runs,
}

/// What is worth knowing about the extension once the runtime has it.
pub(super) struct Introduction {
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

    /// Whoever comes.
    fn of_nobody() -> Self {
        Self { name: "(started elsewhere)".into(), version: String::new(), declared: Vec::new() }
    }

    fn of_guest(runner: &Runner) -> Self {
        let (name, version) = runner.about().unwrap_or_default();
        Self { name, version, declared: Vec::new() }
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
        let (controls, places) = (Controls::default(), Places::default());
        let watched = Watched { journal: journal.clone(), controls: controls.clone(), places: places.clone() };
        let observer: Arc<dyn Observer> = Arc::new(watched);
        let mut troubles: Vec<String> = journal.mended().map(ToString::to_string).into_iter().collect();
        let mut notes = Vec::new();
        let local = match &options.connect {
            Connect::Local => Some(Local::start(&options, &journal, &observer, &mut notes).await?),
            Connect::Remote(_) => None,
        };
        if let Some(local) = &local {
            local.follow_the_sandbox(&options.data_dir).await?;
        }
        let environment_id = match (&options.connect, &local) {
            (Connect::Remote(runtime), _) => runtime.environment_id.clone(),
            (Connect::Local, Some(local)) => local.platform.access().environment_id.clone(),
            (Connect::Local, None) => String::new(),
        };
        let (runner, introduction) = run_extension(&options, local.as_ref(), &journal, observer, places).await?;
        let staged = Staged::load(&options.data_dir, |said| troubles.push(said));
        let store = match (&options.connect, &local) {
            (Connect::Remote(runtime), _) => Store::remote(runtime)?,
            (Connect::Local, Some(local)) => Store::Local(local.platform.clone()),
            (Connect::Local, None) => return Err(WorkbenchError::Failed("the local Connect is not there".into()).into()),
        };
        let workbench = Self(Arc::new(Parts {
            data_dir: options.data_dir.clone(),
            journal,
            runner,
            local,
            extension: introduction,
            environment_id,
            staged: Mutex::new(staged),
            store,
            mask: Mask::default(),
            documents: Documents::default(),
            controls,
            troubles,
            notes,
            control: std::sync::OnceLock::new(),
            runs: Runs::default(),
        }));
        let control = Control::open(workbench.clone(), &options.data_dir).await?;
        let _ = workbench.0.control.set(control);
        Ok(workbench)
    }

    /// The variables the extension declares, with whether they are secrets.
    pub(super) fn declared(&self) -> Vec<(String, bool)> {
        self.0.runner.declared().unwrap_or_else(|| self.0.extension.declared.clone())
    }

    pub(super) fn news(&self) -> watch::Receiver<i64> {
        self.0.journal.news()
    }

    pub(super) async fn ended(&self) {
        self.0.runner.ended().await;
    }

    pub(super) fn follow(&self, last: i64) -> Result<Follower, JournalError> {
        self.0.journal.follow(last)
    }

    /// Carries out a command.
    pub(super) async fn command(&self, command: Command) -> Result<Reply, WorkbenchError> {
        match command {
            Command::Status => Ok(Reply::Status(Box::new(self.status()))),
            Command::Flush => {
                self.0.journal.flush().await.map_err(|e| WorkbenchError::Failed(e.to_string()))?;
                Ok(Reply::Status(Box::new(self.status())))
            }
            Command::Trigger { event_type, object, set } => {
                let (object, set) = self.with_secrets(object, set);
                let queued = self.local()?.platform.trigger(&event_type, object, &set).await.map_err(|e| usage(&e))?;
                Ok(Reply::Delivered(as_delivered(queued, None)))
            }
            Command::EventTypes => self.event_types(),
            Command::Waiting => self.waiting(),
            Command::Release { task_id } => {
                self.local()?.platform.release(&task_id).map_err(|e| usage(&e))?;
                self.waiting()
            }
            Command::Clock(command) => self.clock(&command),
            Command::Replay { delivery } => {
                let run = RunAgain { delivery: Some(delivery), ..RunAgain::default() };
                self.run_again(run).await.map(|(delivered, _)| Reply::Delivered(delivered))
            }
            Command::Act(act) => self.act(act).await,
            Command::Captures(command) => self.captures(command).await.map(Reply::Captures),
            Command::Variables => self.rows(None).await,
            Command::Access => Ok(self.local()?.access_reply()),
            Command::Sandbox => self.local()?.sandbox_reply(),
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
            Command::Environment(command) => self.environment(command).await,
            Command::Reveal { name } => self.reveal(&name).await,
            Command::Store(command) => self.store(command).await.map(Reply::Store),
            Command::Sagas(command) => self.sagas(command).await,
        }
    }

    async fn store(&self, command: StoreCommand) -> Result<StoreReply, WorkbenchError> {
        let (parts, variables) = (&self.0, self.in_force().await);
        let surroundings = Surroundings { dir: &parts.data_dir, journal: &parts.journal, variables: &variables };
        parts.documents.carry_out(command, surroundings).await
    }

    /// Stops everything, in the order that loses nothing.
    pub(super) async fn stop(&self) {
        if let Some(control) = self.0.control.get() {
            control.close();
        }
        // Who stands at a breakpoint would only wait for its time to be over. Its task comes again.
        self.0.controls.close();
        self.0.runner.stop().await;
        if let Some(local) = &self.0.local {
            local.stop().await;
        }
        // What could not be written has been said by the journal's own trouble already.
        let _ = self.0.journal.close().await;
    }

    pub(super) fn local(&self) -> Result<&Local, WorkbenchError> {
        self.0.local.as_ref().ok_or_else(|| {
            WorkbenchError::Usage(
                "this session is attached to a real Connect, where only Connect itself creates events; start one without --remote to do it here"
                    .into(),
            )
        })
    }

    fn status(&self) -> Status {
        let local = self.0.local.as_ref();
        let set = self.0.controls.set();
        Status {
            mode: if local.is_some() { "local" } else { "remote" }.into(),
            environment_id: self.0.environment_id.clone(),
            environment_status: self.0.store.stands(),
            extension: self.0.extension.name.clone(),
            extension_version: self.0.extension.version.clone(),
            link: self.0.runner.link(),
            running: self.0.runner.running(),
            unsent: self.0.runner.unsent(),
            waiting: local.map_or(0, |l| l.platform.waiting().len()),
            pending: local.map_or(0, |l| l.platform.pending()),
            held: set.held.len(),
            changed: self.0.runner.changed(),
            stepping: *self.0.controls.changes().borrow(),
            armed: set.breakpoints.len() + set.faults.len() + set.writes.len(),
            endpoints: local.map_or_else(Vec::new, Local::endpoints),
            troubles: self.troubles(),
            notes: self.0.notes.clone(),
            holding: local.is_some_and(|l| l.platform.is_held()),
            data_dir: self.0.data_dir.display().to_string(),
            joined: false,
        }
    }

    fn troubles(&self) -> Vec<String> {
        let stopped = self.0.journal.trouble().borrow().as_ref().map(|why| format!("{STOPPED}{why}"));
        stopped.into_iter().chain(self.0.troubles.iter().cloned()).collect()
    }

    fn event_types(&self) -> Result<Reply, WorkbenchError> {
        let connections = self.local()?.platform.connections();
        // A runner of one sort of tasks declares the whole extension, and takes only its own.
        let own = |runner: Option<RunnerType>, category: &str| match runner {
            None => true,
            Some(RunnerType::Interactive) => category == "interactive",
            Some(RunnerType::Background) => category != "interactive",
            Some(_) => false,
        };
        let takes =
            |c: &Connection, name: &str, category: &str| own(c.runner_type, category) && c.subscriptions.contains_key(name);
        let subscribed = |name: &str, category: &str| connections.iter().any(|c| takes(c, name, category));
        let row = |(name, category): (&str, &str)| EventTypeRow {
            name: name.into(),
            category: category.into(),
            subscribed: subscribed(name, category),
        };
        Ok(Reply::EventTypes { types: Platform::event_types().map(row).collect() })
    }

    fn waiting(&self) -> Result<Reply, WorkbenchError> {
        Ok(Reply::Waiting { tasks: self.waiting_rows()? })
    }

    pub(super) fn note(&self, what: &str, names: Vec<String>) {
        if !names.is_empty() {
            self.0.journal.observe(Observation::now(Fact::Variables { what: what.into(), names }));
        }
    }
}

/// Starts what runs the extension, in this process or beside it.
async fn run_extension(
    options: &OpenOptions,
    local: Option<&Local>,
    journal: &Journal,
    observer: Arc<dyn Observer>,
    places: Places,
) -> Result<(Runner, Introduction), WorkbenchError> {
    let runtime_options = match (&options.connect, local) {
        (Connect::Remote(runtime), _) => {
            journal.redactor().learn("API_KEY", &runtime.api_key);
            (**runtime).clone()
        }
        (Connect::Local, Some(local)) => local.runtime_options(&options.data_dir)?,
        (Connect::Local, None) => return Err(WorkbenchError::Failed("the local Connect is not there".into())),
    };
    let extension = match (&options.extension, local) {
        (Source::Tutorial, Some(local)) => tutorial::extension_with(local.defaults()?),
        (Source::Tutorial, None) => tutorial::extension(),
        (Source::Given(extension), _) => (**extension).clone(),
        (Source::Elsewhere { .. }, Some(local)) => {
            return Ok((Runner::Elsewhere(Host::Local(local.platform.clone())), Introduction::of_nobody()));
        }
        (Source::Elsewhere { .. }, None) => {
            return Err(WorkbenchError::Usage("an extension started elsewhere attaches itself to a real Connect".into()));
        }
        (Source::Python { project, python, trace }, local) => {
            let host = match local {
                Some(local) => Host::Local(local.platform.clone()),
                None => relay(runtime_options, &options.data_dir, journal, &observer).await?,
            };
            // In a guest the name the documentation gives the database is the sandbox's; before a real Connect there is none.
            let sandbox = local.map(Local::sandbox).transpose()?;
            let hooks = sandbox.map(|sandbox| Hook::sandbox(sandbox::HOST, sandbox.access().port())).into_iter().collect();
            let places = trace.then_some(places);
            let project = (project.as_path(), python.as_deref());
            let runner = Runner::guest(project, host, hooks, &options.data_dir, observer, places).await?;
            if let (Some(local), Some(version)) = (local, runner.version()) {
                local.platform.expect_version(version);
            }
            let introduction = Introduction::of_guest(&runner);
            return Ok((runner, introduction));
        }
    };
    let introduction = Introduction::of(&extension);
    Ok((Runner::own(runtime_options, extension, observer)?, introduction))
}

/// The relay between a guest and a real Connect.
async fn relay(
    connect: RuntimeOptions,
    data_dir: &Path,
    journal: &Journal,
    observer: &Arc<dyn Observer>,
) -> Result<Host, WorkbenchError> {
    let options = RelayOptions { connect, authority: Runner::authority(data_dir)? };
    let relay = Relay::start(options, Arc::clone(observer)).await.map_err(|e| WorkbenchError::Usage(e.to_string()))?;
    journal.redactor().learn("RELAY_KEY", &relay.access().api_key);
    Ok(Host::Remote(relay))
}

/// The task of a delivery that is replayed is not done itself: the object is handled once more for it.
pub(super) fn comes_again(platform: &Platform, task: &str, delivery: i64) -> String {
    let due = platform.waiting().into_iter().find(|waiting| waiting.task_id == task).map(|waiting| waiting.due);
    let seconds = due.map(|due| due.0.saturating_sub(Timestamp::now().0).max(0) / 1_000_000);
    let when = seconds.map(|seconds| format!(", in {seconds} s")).unwrap_or_default();
    format!("The task of delivery {delivery} itself, {task}, is not done either: it is delivered again, too{when}.")
}

/// What is told of a task that was queued.
pub(super) fn as_delivered(queued: Queued, warning: Option<String>) -> Delivered {
    let Queued { task_id, object_id, event_type, note } = queued;
    Delivered { task_id, object_id, event_type, unclaimed: note.is_some(), note: note.or(warning) }
}

pub(super) fn usage(error: &dyn std::error::Error) -> WorkbenchError {
    WorkbenchError::Usage(error.to_string())
}
