//! The local Connect: a WebSocket hub that hands out tasks, the REST API an extension calls, and a clock that delivers
//! again, on loopback and behind a key. A runner made for the real Connect attaches to it unchanged.
//!
//! ```text
//! trigger ──> objects, tasks ──> hub ──> runner ──> rest (count, get, approve, ...)
//!                  ^                        |
//!                  └── clock <── results <──┘
//! ```
//!
//! [`seeds`] are the objects there are from the start, [`prepared`] and [`template`] what new ones are made of, [`changes`]
//! what follows from a changed object, [`schedule`] when something is due, [`tidy`] when something is forgotten.
//! [`Platform`] is the handle. All that happens is observed; all that was accepted is on disk (`platform.sqlite`) and
//! there again after a restart: a task that was sent and never answered goes out again, a redelivery keeps its time.

mod access;
mod catalogue;
mod changes;
mod core;
mod cron;
mod error;
pub(crate) mod foreign;
mod hub;
mod ids;
mod nearest;
mod prepared;
mod recording;
mod rerun;
mod rest;
mod rql;
mod schedule;
mod seeds;
mod state;
mod tasks;
mod template;
mod tidy;
mod time;
mod trigger;

#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing {
    use serde_json::json;

    /// Reads a query and asks two objects.
    pub fn ask(query: &str) {
        let Ok(query) = super::rql::Query::parse(query) else { return };
        let mut objects = [
            json!({"id": "PR-1", "a": {"b": [{"c": "x*"}, {"c": 7}]}, "at": "2024-05-06T08:15:30+00:00", "n": 1.5, "no": null}),
            json!({"id": "PR-2", "a": [], "at": "", "n": -1, "no": false}),
        ];
        query.sort(&mut objects);
        for object in &mut objects {
            query.matches(object);
            query.shorten(object);
        }
    }
}

pub use access::Access;
pub use error::PlatformError;
pub use foreign::Observed;
pub use hub::{Connection, RunnerType};
pub use recording::{Exchange, NOT_RECORDED, Recording};
pub use rerun::Rerun;
pub use state::StoredVariable;
pub use trigger::Queued;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use self::core::{Core, State};
use self::foreign::Foreign;
use self::hub::{Configuration, Outgoing, Runners};
use self::state::{Alarms, Disk, Loaded, Objects, Variables};
use self::tasks::{TaskState, Tasks};
use crate::authority::{Authority, TlsListener};
use crate::observe::{DeliveryKey, Fact, Level, Observation, Observer, Timestamp};
use crate::protocol::Output;

/// How a platform is to be started.
#[derive(Debug, Clone, Default)]
pub struct PlatformOptions {
    /// Where it keeps its state; made if it is not there.
    pub dir: PathBuf,
    /// The port it listens on. 0, or one that is taken: the system chooses.
    pub port: u16,
    /// To listen on a second port, over TLS: the official runner calls the API by https only.
    pub tls: Option<Tls>,
    /// Whose deliveries it observes.
    pub observed: Observed,
    /// How many settled tasks, with what they were about, are kept; older ones are forgotten, as many at a time. `None`: 10,000.
    pub kept: Option<usize>,
}

/// How to serve over TLS.
#[derive(Debug, Clone)]
pub struct Tls {
    /// Who vouches for the server.
    pub authority: Authority,
    /// The port. 0, or one that is taken: the system chooses.
    pub port: u16,
}

/// A task that will be delivered again by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// The task.
    pub task_id: String,
    /// What it is about.
    pub object_id: String,
    /// Its event type.
    pub event_type: String,
    /// When.
    pub due: Timestamp,
}

/// A running local Connect. Cheap to clone; it stops with [`stop`](Self::stop), or when the last clone is dropped.
#[derive(Clone)]
pub struct Platform(Arc<Running>);

struct Running {
    core: Arc<Core>,
    jobs: Mutex<Vec<JoinHandle<()>>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.core.closing.cancel();
    }
}

impl Platform {
    /// Starts it: opens the state, listens on `127.0.0.1`.
    ///
    /// # Errors
    /// [`PlatformError`] when the directory can't be used, belongs to a running one, or no port can be had.
    pub async fn start(options: PlatformOptions, observer: Arc<dyn Observer>) -> Result<Self, PlatformError> {
        let listener = listen(options.port).await?;
        let address = listener.local_addr().map_err(PlatformError::Listen)?.to_string();
        let tls = match &options.tls {
            Some(tls) => Some(
                TlsListener::new(listen(tls.port).await?, tls.authority.server_config(&[])?).map_err(PlatformError::Listen)?,
            ),
            None => None,
        };
        let dir = options.dir;
        let (disk, reader, loaded) = open(dir.clone(), Arc::clone(&observer)).await?;
        let mut access = Access::load(&loaded.meta, &disk, &address);
        access.tls_address = tls.as_ref().map(|tls| tls.address().to_string());
        access.ca_file = options.tls.map(|tls| tls.authority.ca_file().to_path_buf());
        let prefix = access.service_id.replacen("SRVC", "VAR", 1);
        let capabilities = loaded.meta.get("capabilities").and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        let mut objects = Objects::new(disk.clone(), reader);
        seeds::plant(&mut objects, &loaded.meta, &disk, &access);
        let foreign = Foreign::new(options.observed, Arc::clone(&observer));
        loaded.tasks.iter().for_each(|task| task.is_out_still(&foreign));
        let state = State {
            objects,
            variables: Variables::new(disk.clone(), prefix, loaded.variables, &loaded.meta),
            tasks: Tasks::new(disk.clone(), loaded.tasks),
            alarms: Alarms::new(disk.clone(), loaded.alarms),
            runners: Runners::default(),
            foreign,
            capabilities,
        };
        disk.flush().passed().await?;
        let core = Arc::new(Core::new(access, observer, disk, dir, options.kept.unwrap_or(tidy::KEPT), state));
        let mut jobs = vec![
            tokio::spawn(Arc::clone(&core).run_clock()),
            tokio::spawn(Arc::clone(&core).run_tidy()),
            tokio::spawn(rest::serve_plain(Arc::clone(&core), listener)),
        ];
        jobs.extend(tls.map(|tls| tokio::spawn(rest::serve(Arc::clone(&core), tls))));
        Ok(Self(Arc::new(Running { core, jobs: Mutex::new(jobs) })))
    }

    /// What a runner needs to attach itself.
    #[must_use]
    pub fn access(&self) -> &Access {
        &self.0.core.access
    }

    /// Creates an object and queues the task for it: of the event type's sample, or the one given, with fresh ids and
    /// dates; `set` changes it after that (dotted path; JSON or text). On disk when this returns.
    ///
    /// # Errors
    /// [`PlatformError`] for an event type that is not known, a path that leads nowhere, an object without an id.
    pub async fn trigger(
        &self,
        event_type: &str,
        object: Option<Value>,
        set: &[(String, String)],
    ) -> Result<Queued, PlatformError> {
        self.0.core.trigger(event_type, object, set).await
    }

    /// What an interactive task was answered with, if that was lately.
    #[must_use]
    pub fn answer(&self, task_id: &str) -> Option<Output> {
        self.0.core.answer(task_id)
    }

    /// The delivery of a task that an [observed](PlatformOptions::observed) runner has, or had lately; of `None` the one
    /// delivery that is out, if it is one.
    #[must_use]
    pub fn delivery(&self, task_id: Option<&str>) -> Option<DeliveryKey> {
        self.0.core.foreign.delivery(task_id)
    }

    /// Tells the version of the extension that is to connect: its runner tells only its own.
    pub fn expect_version(&self, version: String) {
        self.0.core.foreign.expect(version);
    }

    /// An object as it is now.
    #[must_use]
    pub fn object(&self, collection: &str, id: &str) -> Option<Value> {
        self.0.core.lock().objects.get(collection, id)
    }

    /// The environment's variables, by name.
    #[must_use]
    pub fn variables(&self) -> Vec<StoredVariable> {
        self.0.core.lock().variables.all()
    }

    /// The variables the extension declared when it introduced itself last, with whether they are secrets.
    #[must_use]
    pub fn declared(&self) -> Vec<(String, bool)> {
        self.0.core.lock().capabilities.variables.clone()
    }

    /// Gives a variable a value, creating it where there is none. Runners learn of it with [`apply`](Self::apply).
    /// `secure` of `None` leaves that as it is; a new variable is none.
    ///
    /// # Errors
    /// [`PlatformError::Variable`] for a name or a value Connect does not allow.
    pub async fn set_variable(
        &self,
        name: &str,
        value: &str,
        secure: impl Into<Option<bool>>,
    ) -> Result<StoredVariable, PlatformError> {
        let core = &self.0.core;
        let variable = core.lock().variables.set(name, value, secure.into())?;
        core.disk.barrier().passed().await?;
        Ok(variable)
    }

    /// Deletes a variable.
    ///
    /// # Errors
    /// [`PlatformError::Variable`] when there is none of that name.
    pub async fn delete_variable(&self, name: &str) -> Result<(), PlatformError> {
        let core = &self.0.core;
        {
            let mut state = core.lock();
            let none = || PlatformError::Variable(format!("there is no variable `{name}`"));
            let id = state.variables.named(name).map(|v| v.id.clone()).ok_or_else(none)?;
            state.variables.delete(&id);
        }
        core.disk.barrier().passed().await
    }

    /// Whether variables were changed that the runners were not told of.
    #[must_use]
    pub fn configuration_changed(&self) -> bool {
        self.0.core.lock().variables.changed()
    }

    /// *Apply changes*: sends the configuration to all connected runners and says how many they are.
    ///
    /// # Errors
    /// [`PlatformError::Stopped`].
    pub fn apply(&self) -> Result<usize, PlatformError> {
        self.0.core.apply()
    }

    /// The tasks that come again by themselves, the next one first.
    #[must_use]
    pub fn waiting(&self) -> Vec<Waiting> {
        let state = self.0.core.lock();
        let row = |(task, due): (&tasks::Task, Timestamp)| Waiting {
            task_id: task.id.clone(),
            object_id: task.object_id.clone(),
            event_type: task.event_type.clone(),
            due,
        };
        state.tasks.waiting().map(row).collect()
    }

    /// Whether a task is not done yet: queued, out at a runner, or waiting for its time.
    #[must_use]
    pub fn is_open(&self, task_id: &str) -> bool {
        self.0.core.lock().tasks.get(task_id).is_some()
    }

    /// The event types objects can be created for, with their categories.
    pub fn event_types() -> impl Iterator<Item = (&'static str, &'static str)> {
        catalogue::EVENT_TYPES.iter().map(|event_type| (event_type.name, event_type.category.as_str()))
    }

    /// How many tasks are queued, or out at a runner, and not answered yet.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.0.core.lock().tasks.pending()
    }

    /// How many tasks are out at a runner that is connected.
    #[must_use]
    pub fn sent(&self) -> usize {
        let state = self.0.core.lock();
        state.tasks.sent().filter(|task| state.runners.has(task)).count()
    }

    /// Delivers a waiting task now.
    ///
    /// # Errors
    /// [`PlatformError::Task`] when no such task waits.
    pub fn release(&self, task_id: &str) -> Result<(), PlatformError> {
        let mut state = self.0.core.lock();
        match state.tasks.get(task_id).map(|task| &task.state) {
            Some(TaskState::Waiting { .. }) => {
                self.0.core.release(&mut state, task_id);
                Ok(())
            }
            _ => Err(PlatformError::Task(format!("no task {task_id} waits to be delivered again"))),
        }
    }

    /// Lets time pass at once: redeliveries, schedules and planned requests that are due within `by` come now, later
    /// redeliveries wait that much less. Says how many tasks that made.
    #[must_use]
    pub fn fast_forward(&self, by: Duration) -> usize {
        self.0.core.fast_forward(by)
    }

    /// The runners that are connected and through their handshake.
    #[must_use]
    pub fn connections(&self) -> Vec<Connection> {
        let state = self.0.core.lock();
        let row = |runner: &hub::Runner| Connection {
            instance_id: runner.instance_id.clone(),
            runner_type: runner.runner_type,
            subscriptions: runner.subscriptions.clone().unwrap_or_default(),
            since: runner.since,
            told: runner.told,
            last_seen: Timestamp(runner.last_seen.load(Ordering::Relaxed)),
        };
        state.runners.ready().map(row).collect()
    }

    /// Closes the connections, writes what is left, ends. Afterwards another process may use the directory.
    pub async fn stop(&self) {
        self.0.core.closing.cancel();
        let jobs = std::mem::take(&mut *self.0.jobs.lock().unwrap_or_else(PoisonError::into_inner));
        for job in jobs {
            let _ = job.await;
        }
        self.0.core.disk.close().await;
    }
}

/// Opens the state of a directory, and begins to write it. What can't be written is observed.
async fn open(dir: PathBuf, observer: Arc<dyn Observer>) -> Result<(Disk, rusqlite::Connection, Loaded), PlatformError> {
    let opened = tokio::task::spawn_blocking(move || state::open(&dir).and_then(|found| Ok((found, state::reader(&dir)?))));
    let ((db, lock, loaded), reader) = opened.await.map_err(|e| PlatformError::Storage(e.to_string()))??;
    let disk = Disk::start(db, lock, move |reason| {
        let message = format!("the local Connect's state could not be written: {reason}");
        observer.observe(Observation::now(Fact::Log { level: Level::Error, target: "platform".into(), message }));
    })?;
    Ok((disk, reader, loaded))
}

async fn listen(port: u16) -> Result<TcpListener, PlatformError> {
    match TcpListener::bind(("127.0.0.1", port)).await {
        Ok(listener) => Ok(listener),
        Err(_) => TcpListener::bind(("127.0.0.1", 0)).await.map_err(PlatformError::Listen),
    }
}

impl Core {
    /// Sends the configuration to all runners that are through their handshake.
    pub(crate) fn apply(&self) -> Result<usize, PlatformError> {
        if self.closing.is_cancelled() {
            return Err(PlatformError::Stopped);
        }
        let mut state = self.lock();
        let instances: BTreeSet<&str> = state.runners.ready().map(|runner| runner.instance_id.as_str()).collect();
        instances.into_iter().for_each(|instance| self.foreign.configured(instance, true, state.variables.seen()));
        let tell = |r: &&hub::Runner| r.outgoing.send(Outgoing::Frame(Configuration::new(self, &state).frame(r.version))).is_ok();
        let told = state.runners.ready().filter(tell).count();
        state.variables.note_change(false);
        Ok(told)
    }
}
