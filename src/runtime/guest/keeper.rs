//! Keeps the runner running: starts it, starts it again when it ends by itself or when its sources change, stops it.

use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use tokio::process::Child;
use tokio::sync::{mpsc, watch as channel};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::group::Group;
use super::launch::Launch;
use super::options::FindDelivery;
use super::output::Output;
use super::record::WorkerEnd;
use super::status::{GuestState, GuestStatus};
use super::strays::Mark;
use super::{About, TARGET, watch};
use crate::observe::{Level, Scope};

/// How long everybody may take to end. The official runner kills its own workers after 6 s.
const GRACE: Duration = Duration::from_secs(10);
/// How long those may take that have left the runner's group.
const STRAYS_GRACE: Duration = Duration::from_secs(2);
/// The first pause before it is started again; it doubles with each end.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Who ran that long has earned the first pause again.
const STEADY: Duration = Duration::from_secs(60);

/// See the module.
pub(super) struct Keeper {
    pub(super) launch: Launch,
    pub(super) about: About,
    pub(super) scope: Scope,
    pub(super) status: channel::Sender<GuestStatus>,
    pub(super) orders: mpsc::Receiver<String>,
    pub(super) stop: CancellationToken,
    pub(super) find: Option<FindDelivery>,
}

/// How a life of the runner ended.
enum End {
    /// It was to stop.
    Stopped,
    /// It is to start anew.
    Reload,
    /// By itself, for this reason.
    Died(String),
}

impl Keeper {
    pub(super) async fn run(mut self, project: PathBuf) {
        let mut changes = watch::start(project).await;
        let mut pause = FIRST_PAUSE;
        loop {
            let began = Instant::now();
            match self.live(&mut changes).await {
                End::Stopped => break,
                End::Reload => pause = FIRST_PAUSE,
                End::Died(why) => {
                    if began.elapsed() >= STEADY {
                        pause = FIRST_PAUSE;
                    }
                    let line =
                        format!("the runner ended: {why}; it is started again in {} s, tasks wait meanwhile", pause.as_secs());
                    self.scope.log(Level::Error, TARGET, line);
                    self.status.send_modify(|s| (s.state, s.last_end) = (GuestState::Waiting, Some(why)));
                    if !self.wait(pause, &mut changes).await {
                        break;
                    }
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
        self.scope.log(Level::Info, TARGET, "the runner was stopped");
        self.status.send_modify(|s| (s.state, s.pid) = (GuestState::Stopped, None));
    }

    /// One life of the runner, from its start to the end of its last child.
    async fn live(&mut self, changes: &mut mpsc::Receiver<Vec<PathBuf>>) -> End {
        let About { name, version, python, python_version, runner, .. } = &self.about;
        let version = version.as_ref().map(|version| format!(" {version}")).unwrap_or_default();
        let line = format!(
            "starting the official runner {runner} for {name}{version} with Python {python_version} ({})",
            python.display()
        );
        self.scope.log(Level::Info, TARGET, line);
        let mark = Mark::new();
        let mut child = match self.launch.spawn(&mark) {
            Ok(child) => child,
            Err(e) => return End::Died(format!("{} could not be started: {e}", python.display())),
        };
        self.status.send_modify(|s| (s.state, s.pid, s.starts) = (GuestState::Starting, child.id(), s.starts + 1));
        // The leash: `wait` would close it, and the launcher end everything.
        let leash = child.stdin.take();
        let (tell, ends) = mpsc::unbounded_channel();
        let output = Output::of(&mut child, &self.scope, self.find.as_ref(), &self.status, &tell);
        let group = Group::led_by(&child);
        let end = self.watch(&mut child, group, changes, ends).await;
        match (group, &end) {
            // Nobody looks after the workers any more: as long as they live, their tasks seem to be in good hands.
            (Some(group), Ended::ByItself(_)) => group.kill(&mut child).await,
            (Some(group), _) => group.end(&mut child, GRACE).await,
            (None, _) => {}
        }
        drop(leash);
        self.strayed(mark.end(STRAYS_GRACE).await);
        self.status.send_modify(|s| s.pid = None);
        let last_words = output.last_words().await;
        match end {
            Ended::Stopped => End::Stopped,
            Ended::Reload => End::Reload,
            Ended::ByItself(how) => End::Died(self.reason(&how, last_words)),
            Ended::Incomplete(worker) => {
                End::Died(format!("its {worker} worker left with exit status 0, and it does not start that one again"))
            }
        }
    }

    /// Waits for what ends a life.
    async fn watch(
        &mut self,
        child: &mut Child,
        group: Option<Group>,
        changes: &mut mpsc::Receiver<Vec<PathBuf>>,
        mut ends: mpsc::UnboundedReceiver<WorkerEnd>,
    ) -> Ended {
        let reason = loop {
            break tokio::select! {
                biased;
                () = self.stop.cancelled() => return Ended::Stopped,
                ended = child.wait() => return Ended::ByItself(ended.map_or_else(|e| e.to_string(), in_words)),
                Some(end) = ends.recv() => match end {
                    WorkerEnd::Left(worker) => return Ended::Incomplete(worker),
                    WorkerEnd::Died(worker) => {
                        self.orphaned(group, &worker);
                        continue;
                    }
                },
                Some(changed) = changes.recv() => {
                    self.status.send_modify(|s| s.changed += 1);
                    format!("{} changed", watch::names(&changed))
                }
                Some(reason) = self.orders.recv() => reason,
            };
        };
        self.scope.log(Level::Info, TARGET, format!("reload: {reason}; the runner starts anew, tasks wait meanwhile"));
        self.status.send_modify(|s| s.state = GuestState::Reloading);
        Ended::Reload
    }

    /// Ends what a worker that died left behind. The runner itself starts a new worker.
    fn orphaned(&self, group: Option<Group>, worker: &str) {
        let left = match group.map_or(0, Group::kill_orphans) {
            0 => return,
            1 => "1 process".to_owned(),
            more => format!("{more} processes"),
        };
        self.scope.log(Level::Warning, TARGET, format!("the {worker} worker died; {left} left without a parent ended with it"));
    }

    /// Says that something had left the runner's process group, and does not outlive it.
    fn strayed(&self, ended: usize) {
        let what = match ended {
            0 => return,
            1 => "1 process that the extension had started and detached".to_owned(),
            more => format!("{more} processes that the extension had started and detached"),
        };
        self.scope.log(Level::Warning, TARGET, format!("{what} from the runner ended with it"));
    }

    /// Waits before the next life; false when there is to be none. A change of the sources may be the repair.
    async fn wait(&mut self, pause: Duration, changes: &mut mpsc::Receiver<Vec<PathBuf>>) -> bool {
        tokio::select! {
            () = self.stop.cancelled() => return false,
            () = sleep(pause) => {}
            Some(changed) = changes.recv() => {
                self.status.send_modify(|s| s.changed += 1);
                self.scope.log(Level::Info, TARGET, format!("reload: {} changed", watch::names(&changed)));
            }
            Some(reason) = self.orders.recv() => self.scope.log(Level::Info, TARGET, format!("reload: {reason}")),
        }
        true
    }

    fn reason(&self, how: &str, last_words: Option<String>) -> String {
        let Some(words) = last_words else { return how.to_owned() };
        let hint = match &self.launch.install {
            Some(command) if words.starts_with("ModuleNotFoundError") => format!(" (to install what it needs: `{command}`)"),
            _ => String::new(),
        };
        format!("{how}: {words}{hint}")
    }
}

enum Ended {
    Stopped,
    Reload,
    ByItself(String),
    /// A worker left, and the runner goes on without it.
    Incomplete(String),
}

fn in_words(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => status.to_string(),
    }
}
