use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::redirect::Policy;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::RelayError;
use super::line::{Line, Visitor};
use super::way::Way;
use crate::observe::{Fact, LinkState, Observer, Scope, Secret, SeenVariable, Timestamp};
use crate::platform::Observed;
use crate::platform::foreign::Foreign;
use crate::runtime::RuntimeOptions;

/// How long the lines may take to bring out the last results.
const LAST_RESULTS: Duration = Duration::from_secs(5);

/// How the relay stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RelayStatus {
    /// The way to Connect of each of the guest's workers, by the worker's name. Empty while no guest is there.
    pub links: BTreeMap<String, LinkState>,
    /// The last proof of life of Connect.
    pub last_seen: Option<Timestamp>,
    /// Tasks the guest has in hand.
    pub running: usize,
    /// Results Connect does not have yet.
    pub unsent: usize,
    /// How many configurations Connect sent.
    pub configured: u64,
}

impl RelayStatus {
    /// The worst of the links: [`LinkState::Connected`] means that every worker has its way to Connect.
    #[must_use]
    pub fn link(&self) -> LinkState {
        let worst = self.links.values().find(|state| **state != LinkState::Connected);
        match (worst, self.links.is_empty()) {
            (Some(state), _) => *state,
            (None, true) => LinkState::Connecting,
            (None, false) => LinkState::Connected,
        }
    }
}

/// What every part of the relay sees.
pub(super) struct Shared {
    pub(super) connect: RuntimeOptions,
    /// The key the guest has.
    pub(super) api_key: Secret,
    pub(super) http: reqwest::Client,
    pub(super) scope: Scope,
    pub(super) foreign: Arc<Foreign>,
    pub(super) status: watch::Sender<RelayStatus>,
    pub(super) closing: CancellationToken,
    lines: Mutex<HashMap<&'static str, Entry>>,
    told: Mutex<Told>,
}

/// A line: the way in, and its task.
struct Entry {
    visitors: mpsc::Sender<Visitor>,
    counts: (usize, usize),
    task: JoinHandle<()>,
}

/// What both sides said of themselves.
#[derive(Default)]
struct Told {
    variables: Vec<SeenVariable>,
    declared: Vec<(String, bool)>,
}

impl Shared {
    pub(super) fn new(connect: RuntimeOptions, api_key: Secret, observer: Arc<dyn Observer>) -> Result<Self, RelayError> {
        crate::connect::tls::install();
        let client = reqwest::Client::builder().redirect(Policy::none()).connect_timeout(Duration::from_secs(15));
        // The address of a Connect on this machine is never a proxy's business.
        let host = connect.api_address.rsplit_once(':').map_or(connect.api_address.as_str(), |(host, _)| host);
        let client = if matches!(host, "localhost" | "127.0.0.1" | "[::1]") { client.no_proxy() } else { client };
        let http = client.build().map_err(|e| RelayError::Client(e.to_string()))?;
        Ok(Self {
            connect,
            api_key,
            http,
            scope: Scope::new(Arc::clone(&observer)),
            foreign: Foreign::new(Observed::Everybody, observer),
            status: watch::Sender::default(),
            closing: CancellationToken::new(),
            lines: Mutex::default(),
            told: Mutex::default(),
        })
    }

    /// The way in to a worker's line, which is made with its first connection. The error is in words.
    pub(super) fn line(self: &Arc<Self>, way: &Way) -> Result<mpsc::Sender<Visitor>, String> {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if self.closing.is_cancelled() {
            return Err("the relay is being stopped".into());
        }
        if let Some(entry) = lines.get(way.worker).filter(|entry| !entry.task.is_finished()) {
            return Ok(entry.visitors.clone());
        }
        let line = Line::open(Arc::clone(self), way.clone()).map_err(|e| e.to_string())?;
        let (visitors, inbox) = mpsc::channel(1);
        let task = tokio::spawn(line.run(inbox));
        lines.insert(way.worker, Entry { visitors: visitors.clone(), counts: (0, 0), task });
        Ok(visitors)
    }

    /// The link of a worker is in another state; `None`: the worker is gone.
    pub(super) fn link(&self, way: &Way, state: Option<LinkState>, detail: &str) {
        self.status.send_modify(|status| match state {
            Some(state) => drop(status.links.insert(way.worker.into(), state)),
            None => drop(status.links.remove(way.worker)),
        });
        let state = state.unwrap_or(LinkState::Closed);
        self.scope.emit(Fact::Link { state, detail: format!("{} (relay, {} tasks)", detail, way.worker) });
    }

    /// Connect gave a sign of life.
    pub(super) fn alive(&self) {
        self.status.send_modify(|status| status.last_seen = Some(Timestamp::now()));
    }

    /// How many tasks and results a worker's line holds now.
    pub(super) fn counts(&self, way: &Way, running: usize, unsent: usize) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = lines.get_mut(way.worker) {
            entry.counts = (running, unsent);
        }
        let sum = lines.values().fold((0, 0), |(r, u), entry| (r + entry.counts.0, u + entry.counts.1));
        drop(lines);
        self.status.send_if_modified(|status| {
            let before = (status.running, status.unsent);
            (status.running, status.unsent) = sum;
            before != sum
        });
    }

    pub(super) fn variables(&self) -> Vec<SeenVariable> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).variables.clone()
    }

    pub(super) fn declared(&self) -> Vec<(String, bool)> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).declared.clone()
    }

    /// Connect sent a configuration with these variables.
    pub(super) fn configured(&self, variables: Vec<SeenVariable>) {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).variables = variables;
        self.status.send_modify(|status| status.configured += 1);
    }

    /// The guest declared variables.
    pub(super) fn declares(&self, declared: Vec<(String, bool)>) {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).declared = declared;
    }

    /// Ends the lines, results first.
    pub(super) async fn close(&self) {
        self.closing.cancel();
        let lines: Vec<Entry> = {
            let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
            lines.drain().map(|(_, entry)| entry).collect()
        };
        let deadline = tokio::time::Instant::now() + LAST_RESULTS;
        for mut entry in lines {
            if tokio::time::timeout_at(deadline, &mut entry.task).await.is_err() {
                entry.task.abort();
            }
        }
    }
}
