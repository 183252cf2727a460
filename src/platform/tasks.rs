//! The queue: tasks that wait to be sent, that are out at a runner, and that wait for their time.
//!
//! Everything here is plain bookkeeping under the state's lock; who gets a task is the hub's business.

use std::collections::{BTreeSet, HashMap, VecDeque};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::observe::{DeliveryKey, Origin, Secret, TaskArrived, Timestamp};
use crate::platform::catalogue::Category;
use crate::platform::foreign::Foreign;
use crate::platform::ids;
use crate::platform::state::{Disk, Write};
use crate::protocol::{Message, Output, Task as WireTask, TaskInput, TaskOptions};

/// A task that is not done yet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Task {
    /// `TQ-...`; redeliveries keep it.
    pub(crate) id: String,
    /// The event type.
    pub(crate) event_type: String,
    /// The category's name on the wire.
    category: String,
    /// What it is about.
    pub(crate) object_id: String,
    /// Interactive: the object itself.
    #[serde(default)]
    pub(crate) data: Option<Value>,
    /// Echoed by the runner.
    correlation_id: String,
    /// Why it is to be sent this time.
    pub(crate) origin: Origin,
    /// How often it was answered with `retry`.
    #[serde(default)]
    pub(crate) retries: u32,
    /// How often it was answered with `reschedule`.
    #[serde(default)]
    pub(crate) reschedules: u32,
    /// How often in a row its runner went away without an answer.
    #[serde(default)]
    pub(crate) lost: u32,
    /// What it was answered with last, where it comes again.
    #[serde(default)]
    pub(crate) said: Option<String>,
    /// The installation it is for; none for an extension of one account.
    #[serde(default)]
    pub(crate) installation: Option<String>,
    /// When it was made.
    #[serde(default)]
    pub(crate) created: Timestamp,
    /// How long handlers worked on it in all, in seconds.
    #[serde(default)]
    pub(crate) runtime_total: f64,
    /// Whether it never comes again by itself: a run that answers from a recording, or into shadow collections.
    #[serde(default)]
    pub(crate) once: bool,
    /// Whether it is delivered while all others are held.
    #[serde(default)]
    pub(crate) ahead: bool,
    /// The delivery it was sent out with last, where the platform observes it.
    #[serde(default)]
    pub(crate) delivery: Option<DeliveryKey>,
    /// The runner that has that delivery, or had it when it was lost.
    #[serde(default)]
    pub(crate) runner: Option<String>,
    /// Where it is.
    pub(crate) state: TaskState,
}

/// Where a task is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub(crate) enum TaskState {
    /// It waits for a runner.
    Queued,
    /// A runner has it, or had it when the connection of this number broke.
    Sent {
        /// Numbered anew by every process.
        connection: u64,
        /// The runner's instance.
        instance: String,
    },
    /// It comes again at its time.
    Waiting {
        /// When.
        due: Timestamp,
    },
}

impl Task {
    /// A new task, waiting for a runner.
    pub(crate) fn new(category: Category, event_type: &str, object_id: &str, data: Option<Value>, origin: Origin) -> Self {
        Self {
            id: ids::task(),
            event_type: event_type.into(),
            category: category.as_str().into(),
            object_id: object_id.into(),
            data,
            correlation_id: ids::uuid(),
            origin,
            retries: 0,
            reschedules: 0,
            lost: 0,
            said: None,
            installation: None,
            created: Timestamp::now(),
            runtime_total: 0.0,
            once: false,
            ahead: false,
            delivery: None,
            runner: None,
            state: TaskState::Queued,
        }
    }

    /// Its category.
    pub(crate) fn category(&self) -> Category {
        Category::named(&self.category).unwrap_or(Category::Background)
    }

    /// The message a runner that speaks `version` gets; `key` is its installation's.
    pub(crate) fn frame(&self, version: u8, key: Option<Secret>) -> String {
        if version == 1 {
            // Without an installation: that is an idea of version 2. The last two are there for readers that want them.
            let data = json!({
                "task_id": self.id, "task_category": self.category, "correlation_id": self.correlation_id,
                "reply_to": REPLY_TO, "task_type": self.event_type, "object_id": self.object_id, "data": self.data,
                "result": null, "countdown": 0,
            });
            return json!({"message_type": "task", "data": data}).to_string();
        }
        Message::Task(Box::new(self.wire(key))).encode()
    }

    /// As an observation shows it: what a message of version 2 holds, without the installation's key.
    pub(crate) fn arrived(&self) -> TaskArrived {
        TaskArrived {
            task_id: self.id.clone(),
            category: self.category.clone(),
            event_type: self.event_type.clone(),
            object_id: self.object_id.clone(),
            task: serde_json::to_value(self.wire(None)).unwrap_or_default(),
        }
    }

    /// Where it went out to a runner before this process began, its result is of the delivery it went out with. A task that
    /// runs only once ended with that process.
    pub(crate) fn is_out_still(&self, foreign: &Foreign) {
        let runner = match &self.state {
            TaskState::Sent { instance, .. } => Some(instance),
            _ => self.runner.as_ref(),
        };
        if let (Some(instance), Some(key), false) = (runner, &self.delivery, self.once) {
            foreign.was_sent(instance, &self.id, &self.object_id, key.clone());
        }
    }

    /// Nobody answers the delivery it was sent out with last any more.
    pub(crate) fn is_over(&mut self) {
        (self.delivery, self.runner) = (None, None);
    }

    fn wire(&self, key: Option<Secret>) -> WireTask {
        let options = TaskOptions {
            task_id: self.id.clone(),
            task_category: self.category.clone(),
            correlation_id: Some(self.correlation_id.clone()),
            reply_to: Some(REPLY_TO.into()),
            api_key: key.map(|key| key.reveal().to_owned()),
            installation_id: self.installation.clone(),
            connect_correlation_id: Some(self.trace_parent()),
        };
        let input = TaskInput { event_type: self.event_type.clone(), object_id: self.object_id.clone(), data: self.data.clone() };
        WireTask { options, input, output: None }
    }

    /// The task as a W3C trace parent.
    fn trace_parent(&self) -> String {
        let trace: String = self.correlation_id.chars().filter(|c| *c != '-').collect();
        format!("00-{trace}-{}-01", trace.get(16..).unwrap_or_default())
    }
}

/// Who is to be answered.
const REPLY_TO: &str = "connect-console";

/// Connections are numbered from 1.
const NO_CONNECTION: u64 = 0;

/// How a task ended.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Done {
    /// What it was answered with.
    #[serde(flatten)]
    pub(crate) output: Output,
    /// When.
    #[serde(default)]
    pub(crate) completed: Timestamp,
    /// How long handlers worked on it in all, in seconds.
    #[serde(default)]
    pub(crate) runtime_total: f64,
}

/// How many answers of interactive tasks are kept in memory.
const ANSWERS: usize = 256;

/// All tasks that are not done, and the last answers.
pub(crate) struct Tasks {
    disk: Disk,
    open: HashMap<String, Task>,
    queue: VecDeque<String>,
    due: BTreeSet<(Timestamp, String)>,
    /// Connect makes no second task for an object while one of the same event type is still queued.
    queued_for: HashMap<(String, String), String>,
    answers: VecDeque<(String, Output)>,
    /// How many were settled by this process.
    settled: usize,
}

impl Tasks {
    /// Those of the file. A task that was sent and not answered stays where it is until a runner connects.
    pub(crate) fn new(disk: Disk, loaded: Vec<Task>) -> Self {
        let mut tasks = Self {
            disk,
            open: HashMap::new(),
            queue: VecDeque::new(),
            due: BTreeSet::new(),
            queued_for: HashMap::new(),
            answers: VecDeque::new(),
            settled: 0,
        };
        for mut task in loaded {
            if task.once {
                // Its recording, or its variables, went with the process it was made in.
                let done = Done { output: Output::default(), completed: Timestamp::now(), runtime_total: task.runtime_total };
                tasks.disk.write(Write::TaskDone(task.id, serde_json::to_string(&done).unwrap_or_default()));
                continue;
            }
            if let TaskState::Sent { connection, .. } = &mut task.state {
                *connection = NO_CONNECTION;
            }
            tasks.index(&task);
            tasks.open.insert(task.id.clone(), task);
        }
        tasks
    }

    /// The queued task for that object and event type, if there is one.
    pub(crate) fn queued_for(&self, event_type: &str, object_id: &str) -> Option<&Task> {
        self.open.get(self.queued_for.get(&(event_type.to_owned(), object_id.to_owned()))?)
    }

    /// A task that is not done.
    pub(crate) fn get(&self, id: &str) -> Option<&Task> {
        self.open.get(id)
    }

    /// Takes a task in, or one back in another state.
    pub(crate) fn put(&mut self, task: Task) {
        self.unindex(&task.id);
        self.index(&task);
        let body = serde_json::to_string(&task).unwrap_or_default();
        self.disk.write(Write::Task(task.id.clone(), body));
        self.open.insert(task.id.clone(), task);
    }

    /// The queued tasks, oldest first.
    pub(crate) fn queued(&self) -> Vec<String> {
        self.queue.iter().cloned().collect()
    }

    /// Those sent to a runner and not answered.
    pub(crate) fn sent(&self) -> impl Iterator<Item = &Task> {
        self.open.values().filter(|task| matches!(task.state, TaskState::Sent { .. }))
    }

    /// How many are queued or out at a runner.
    pub(crate) fn pending(&self) -> usize {
        self.open.len().saturating_sub(self.due.len())
    }

    /// Those that wait for their time, the next one first.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = (&Task, Timestamp)> {
        self.due.iter().filter_map(|(due, id)| Some((self.open.get(id)?, *due)))
    }

    /// When the clock must ring next.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        self.due.first().map(|(due, _)| *due)
    }

    /// The tasks whose time has come.
    pub(crate) fn ripe(&self, now: Timestamp) -> Vec<String> {
        self.due.iter().take_while(|(due, _)| *due <= now).map(|(_, id)| id.clone()).collect()
    }

    /// A task is over; handlers worked on it for `runtime_total` seconds.
    pub(crate) fn finish(&mut self, id: &str, output: Output, runtime_total: f64) {
        self.unindex(id);
        let Some(task) = self.open.remove(id) else { return };
        self.settled += 1;
        let done = Done { output, completed: Timestamp::now(), runtime_total };
        self.disk.write(Write::TaskDone(id.into(), serde_json::to_string(&done).unwrap_or_default()));
        let output = done.output;
        if task.category() == Category::Interactive {
            if self.answers.len() == ANSWERS {
                self.answers.pop_front();
            }
            self.answers.push_back((task.id, output));
        }
    }

    /// How many were settled by this process.
    pub(crate) fn settled(&self) -> usize {
        self.settled
    }

    /// A task that is over need not be known any more.
    pub(crate) fn forget(&mut self, id: &str) {
        self.disk.write(Write::TaskGone(id.into()));
    }

    /// What the tasks that are not done are about.
    pub(crate) fn objects(&self) -> impl Iterator<Item = &str> {
        self.open.values().map(|task| task.object_id.as_str())
    }

    /// The answer of an interactive task that was answered lately.
    pub(crate) fn answer(&self, id: &str) -> Option<&Output> {
        self.answers.iter().rev().find(|(answered, _)| answered == id).map(|(_, output)| output)
    }

    fn index(&mut self, task: &Task) {
        match &task.state {
            TaskState::Queued => {
                self.queue.push_back(task.id.clone());
                self.queued_for.insert((task.event_type.clone(), task.object_id.clone()), task.id.clone());
            }
            TaskState::Waiting { due } => {
                self.due.insert((*due, task.id.clone()));
            }
            TaskState::Sent { .. } => {}
        }
    }

    fn unindex(&mut self, id: &str) {
        let Some(task) = self.open.get(id) else { return };
        match &task.state {
            TaskState::Queued => {
                // Almost always the first or the last.
                if self.queue.back().is_some_and(|last| last == id) {
                    self.queue.pop_back();
                } else if let Some(at) = self.queue.iter().position(|queued| queued == id) {
                    self.queue.remove(at);
                }
                let key = (task.event_type.clone(), task.object_id.clone());
                if self.queued_for.get(&key).is_some_and(|queued| queued == id) {
                    self.queued_for.remove(&key);
                }
            }
            TaskState::Waiting { due } => {
                self.due.remove(&(*due, id.to_owned()));
            }
            TaskState::Sent { .. } => {}
        }
    }
}
