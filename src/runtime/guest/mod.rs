//! The guest: somebody's Python extension, run unchanged by the official `connect-extension-runner` as a child process.
//!
//! ```text
//! project   what is in the directory           output   its lines, as log rows of the delivery they belong to
//! python    which interpreter, what it has     watch    what changed in the sources
//! launch    the command and its environment    keeper   starts, restarts and stops it
//! hooks     Python of ours in its processes    group    it and all its children, to the last
//! trace     what the trace hook tells
//! ```
//!
//! The child attaches itself to whatever Connect the [access](GuestAccess) names; nothing here knows who that is.

mod bundle;
mod error;
mod group;
mod hooks;
mod keeper;
mod launch;
mod lines;
mod options;
mod output;
mod project;
mod python;
mod record;
mod status;
mod strays;
mod trace;
mod watch;

pub use error::GuestError;
pub use hooks::Hook;
pub use options::{FindDelivery, GuestAccess, GuestOptions};
pub use status::{GuestState, GuestStatus};
pub use trace::Trace;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::{mpsc, watch as channel};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use self::keeper::Keeper;
use self::launch::Launch;
use self::project::Project;
use self::python::Surroundings;
use crate::observe::{Level, Observer, Scope};

/// Where the guest speaks in the stream of observations about itself.
const TARGET: &str = "guest";

/// A Python extension kept running. It is [stopped](Self::stop) explicitly; dropped without that it is stopped in the
/// background.
#[derive(Debug)]
pub struct Guest {
    about: About,
    status: channel::Receiver<GuestStatus>,
    orders: mpsc::Sender<String>,
    stop: CancellationToken,
    keeping: tokio::sync::Mutex<Option<JoinHandle<()>>>,
}

/// What is known of the project before it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// The distribution's name, or the directory's.
    pub name: String,
    /// Its version, where its files say one.
    pub version: Option<String>,
    /// The interpreter.
    pub python: PathBuf,
    /// Its version.
    pub python_version: String,
    /// The version of the official runner.
    pub runner: String,
    /// What the runner calls itself to Connect.
    pub instance_id: String,
}

impl Guest {
    /// Finds project, interpreter and runner, then starts it; returns when the process was started, which is 8 to 15
    /// seconds before the official runner connects.
    ///
    /// # Errors
    /// [`GuestError`] says what is missing and how to get it.
    pub async fn start(options: GuestOptions, observer: Arc<dyn Observer>) -> Result<Self, GuestError> {
        let scope = Scope::new(observer);
        let project = Project::find(&options.project)?;
        let interpreter = python::find(options.python.as_deref(), &project.dir, &Surroundings::of_process())?;
        let report = python::probe(&interpreter, &project.dir, &options).await?;
        let plan = python::judge(&interpreter, &project.dir, &report)?;
        if let Some(advice) = &plan.advice {
            scope.log(Level::Warning, TARGET, advice.clone());
        }
        let launch = Launch::prepare(&interpreter, &project.dir, &report, &plan, &options)?;
        let about = About {
            name: launch.name.clone(),
            version: report.declared.version.clone(),
            python: interpreter,
            python_version: report.python,
            runner: report.runner.map(|runner| runner.version).unwrap_or_default(),
            instance_id: launch.instance_id.clone(),
        };
        let (status, watched) = channel::channel(GuestStatus::default());
        let (orders, inbox) = mpsc::channel(8);
        let stop = CancellationToken::new();
        let keeper = Keeper {
            launch,
            about: about.clone(),
            scope,
            status,
            orders: inbox,
            stop: stop.clone(),
            find: options.find_delivery,
        };
        let keeping = tokio::spawn(keeper.run(project.dir));
        Ok(Self { about, status: watched, orders, stop, keeping: tokio::sync::Mutex::new(Some(keeping)) })
    }

    /// The project and what runs it.
    #[must_use]
    pub fn about(&self) -> &About {
        &self.about
    }

    /// How it is doing, now and whenever that changes.
    #[must_use]
    pub fn status(&self) -> channel::Receiver<GuestStatus> {
        self.status.clone()
    }

    /// Starts it anew, which the official runner needs to notice that the last variable was deleted; `reason` is told in
    /// the stream. Returns before it is done.
    pub fn restart(&self, reason: &str) {
        // A full queue means that restarts are coming already.
        let _ = self.orders.try_send(reason.to_owned());
    }

    /// Stops it with all its children and returns when none is left.
    pub async fn stop(&self) {
        self.stop.cancel();
        if let Some(keeping) = self.keeping.lock().await.take() {
            let _ = keeping.await;
        }
    }

    /// Whether `dir` looks like a Python project.
    #[must_use]
    pub fn fits(dir: &Path) -> bool {
        Project::find(dir).is_ok()
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
