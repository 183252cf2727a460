//! Who is connected.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::observe::Timestamp;
use crate::platform::catalogue::Category;
use crate::platform::tasks::{Task, TaskState};

/// Which tasks a connection is for. The official runner opens one of each; a connection of no type takes all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunnerType {
    /// Background and scheduled tasks.
    Background,
    /// Interactive tasks.
    Interactive,
    /// None: it serves the extension's web application.
    WebApplication,
    /// None: it serves the extension's Anvil application.
    AnvilApplication,
    /// None here: it transforms spreadsheets.
    Transformations,
}

impl RunnerType {
    /// What stands behind the instance in the path of a connection that is not for events.
    pub(crate) const APPLICATIONS: [(&str, Self); 3] =
        [("webapp", Self::WebApplication), ("anvilapp", Self::AnvilApplication), ("tfnapp", Self::Transformations)];

    /// The application's name in the path; none for events.
    pub(crate) fn application(self) -> Option<&'static str> {
        Self::APPLICATIONS.iter().find(|(_, of)| *of == self).map(|(name, _)| *name)
    }

    /// In words.
    pub(crate) fn described(self) -> &'static str {
        match self {
            Self::Background => "background tasks",
            Self::Interactive => "interactive tasks",
            Self::WebApplication => "the web application",
            Self::AnvilApplication => "the Anvil application",
            Self::Transformations => "transformations",
        }
    }
}

/// A connected runner, for showing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// What the runner calls itself.
    pub instance_id: String,
    /// Which tasks it takes; `None` is all.
    pub runner_type: Option<RunnerType>,
    /// Event types it subscribes to, with their statuses.
    pub subscriptions: BTreeMap<String, Vec<String>>,
    /// Since when it is connected.
    pub since: Timestamp,
    /// When it was told the variables, all of them, in its handshake.
    pub told: Timestamp,
    /// The last sign of life it gave.
    pub last_seen: Timestamp,
}

/// What goes out through a socket.
pub(crate) enum Outgoing {
    /// A message.
    Frame(String),
    /// The end.
    Close,
}

/// A connected runner.
pub(crate) struct Runner {
    pub(crate) instance_id: String,
    pub(crate) runner_type: Option<RunnerType>,
    /// The version of the protocol it speaks, 1 or 2.
    pub(crate) version: u8,
    pub(crate) since: Timestamp,
    /// See [`Connection::told`].
    pub(crate) told: Timestamp,
    /// The last sign of life, in microseconds since 1970: its socket notes it without taking hold of the state.
    pub(crate) last_seen: Arc<AtomicI64>,
    /// How many background tasks it said it still had in hand when it connected.
    pub(crate) running: usize,
    pub(crate) outgoing: mpsc::UnboundedSender<Outgoing>,
    /// `None` until its setup request has come: it gets no tasks before.
    pub(crate) subscriptions: Option<BTreeMap<String, Vec<String>>>,
    /// Methods that can be scheduled.
    pub(crate) schedulables: Vec<String>,
    /// Whether it has announced its end.
    pub(crate) leaving: bool,
    /// Tasks sent to it and not answered yet.
    pub(crate) in_hand: usize,
}

impl Runner {
    /// Whether tasks of that sort are for it.
    pub(crate) fn takes(&self, category: Category, event_type: &str) -> bool {
        let Some(subscriptions) = self.subscriptions.as_ref().filter(|_| !self.leaving) else { return false };
        let of_type = match self.runner_type {
            None => true,
            Some(RunnerType::Interactive) => category == Category::Interactive,
            Some(RunnerType::Background) => category != Category::Interactive,
            Some(_) => false,
        };
        // Schedules are not subscribed to by event type: who declares methods runs them.
        let wanted = match category {
            Category::Scheduled => !self.schedulables.is_empty(),
            _ => subscriptions.contains_key(event_type),
        };
        of_type && wanted
    }
}

/// All connected runners, by the number of their connection.
#[derive(Default)]
pub(crate) struct Runners {
    /// Whether deliveries are held back.
    pub(crate) held: bool,
    by_number: BTreeMap<u64, Runner>,
    last: u64,
}

impl Runners {
    /// Takes one in and numbers it.
    pub(crate) fn add(&mut self, runner: Runner) -> u64 {
        self.last += 1;
        self.by_number.insert(self.last, runner);
        self.last
    }

    pub(crate) fn get(&self, number: u64) -> Option<&Runner> {
        self.by_number.get(&number)
    }

    pub(crate) fn get_mut(&mut self, number: u64) -> Option<&mut Runner> {
        self.by_number.get_mut(&number)
    }

    pub(crate) fn remove(&mut self, number: u64) -> Option<Runner> {
        self.by_number.remove(&number)
    }

    /// Whether the task is out at one that is connected.
    pub(crate) fn has(&self, task: &Task) -> bool {
        matches!(&task.state, TaskState::Sent { connection, .. } if self.by_number.contains_key(connection))
    }

    /// The one to give a task to: of those who take it the one with the least in hand.
    pub(crate) fn choose(&mut self, category: Category, event_type: &str) -> Option<(u64, &mut Runner)> {
        let takers = self.by_number.iter_mut().filter(|(_, runner)| runner.takes(category, event_type));
        takers.min_by_key(|(_, runner)| runner.in_hand).map(|(number, runner)| (*number, runner))
    }

    /// All that are through their handshake.
    pub(crate) fn ready(&self) -> impl Iterator<Item = &Runner> {
        self.by_number.values().filter(|runner| runner.subscriptions.is_some())
    }

    /// The statuses somebody subscribes to for an event type.
    pub(crate) fn statuses(&self, event_type: &str) -> Vec<String> {
        self.ready().filter_map(|r| r.subscriptions.as_ref()?.get(event_type)).flatten().cloned().collect()
    }
}
