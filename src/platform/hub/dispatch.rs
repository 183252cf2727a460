//! Who gets a task, and when it comes again.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use super::results::retry_pause;
use super::{Outgoing, Runner};
use crate::observe::{Fact, Level, Origin, Timestamp};
use crate::platform::core::{Core, State};
use crate::platform::tasks::{Task, TaskState};

/// How long a runner that lost its connection with tasks in hand may take to come back with their results, before they
/// are delivered again.
const GRACE: Duration = Duration::from_secs(10);
/// How long a runner that has just come may take to hand in results it kept from an earlier connection.
const SETTLE: Duration = Duration::from_millis(300);
/// A task whose runner went away so often in a row without an answer may be the reason: it waits longer each time.
const SUSPECT: u32 = 3;
/// Suspects come one after the other, so that those that only happened to be there get their answer.
const APART: Duration = Duration::from_secs(2);
/// The clock looks up at least this often: a laptop's sleep does not count for its timers.
const LOOK_UP: Duration = Duration::from_secs(30);

impl Core {
    /// Queues a task: says so, then sends it at once if somebody takes it.
    pub(crate) fn enqueue(&self, state: &mut State, mut task: Task) {
        self.observe(Fact::TaskQueued {
            task_id: task.id.clone(),
            event_type: task.event_type.clone(),
            object_id: task.object_id.clone(),
            origin: task.origin.clone(),
        });
        task.state = TaskState::Queued;
        if let Some(undelivered) = self.deliver(state, task) {
            state.tasks.put(undelivered);
        }
    }

    /// Sends what waits for a runner, oldest first, as far as there is one for it.
    pub(crate) fn send_queued(&self, state: &mut State) {
        for id in state.tasks.queued() {
            if let Some(task) = state.tasks.get(&id).cloned() {
                self.deliver(state, task);
            }
        }
    }

    /// Lets a task come again after `pause`.
    pub(crate) fn postpone(&self, state: &mut State, mut task: Task, origin: Origin, pause: Duration) {
        let due = after(Timestamp::now(), pause);
        let origin_is_reschedule = origin == Origin::Reschedule;
        task.origin = origin;
        task.state = TaskState::Waiting { due };
        task.reschedules += u32::from(origin_is_reschedule);
        self.observe(Fact::RedeliveryScheduled { task_id: task.id.clone(), object_id: task.object_id.clone(), due });
        state.tasks.put(task);
        self.clock.notify_one();
    }

    /// Brings a task that waits, or that nobody answered, back into the queue.
    pub(crate) fn release(&self, state: &mut State, id: &str) {
        let Some(mut task) = state.tasks.get(id).cloned() else { return };
        if matches!(task.state, TaskState::Sent { .. }) {
            self.foreign.waits(id);
            task.origin = Origin::Redelivery;
        }
        self.enqueue(state, task);
    }

    /// A runner is ready: what is queued goes out, and what was sent to somebody who is gone and never answered.
    ///
    /// An instance that comes back and says it still has as many tasks in hand as it was sent keeps them. Otherwise there
    /// is a moment for results the runner kept: they are the first it sends.
    pub(crate) fn welcome(self: &Arc<Self>, state: &mut State, number: u64) {
        self.send_queued(state);
        let Some(runner) = state.runners.get(number) else { return };
        let (instance, running) = (runner.instance_id.clone(), runner.running);
        let (mine, others): (Vec<Task>, Vec<Task>) = orphans(state)
            .filter(|task| runner.takes(task.category(), &task.event_type))
            .cloned()
            .partition(|task| matches!(&task.state, TaskState::Sent { instance: had, .. } if *had == instance));
        self.release_later(&others, SETTLE);
        if mine.len() > running {
            self.release_later(&mine, if running == 0 { SETTLE } else { GRACE });
            return;
        }
        for mut task in mine {
            task.state = TaskState::Sent { connection: number, instance: instance.clone() };
            state.runners.get_mut(number).into_iter().for_each(|runner| runner.in_hand += 1);
            self.foreign.kept(&task.id);
            state.tasks.put(task);
        }
    }

    /// A connection is gone; what it had in hand is delivered again at once if its runner had announced its end.
    pub(crate) fn farewell(self: &Arc<Self>, state: &mut State, runner: &Runner) {
        let left: Vec<Task> = orphans(state).cloned().collect();
        left.iter().for_each(|task| self.foreign.waits(&task.id));
        if runner.leaving {
            left.iter().for_each(|task| self.release(state, &task.id));
        } else {
            self.release_later(&left, GRACE);
        }
        self.send_queued(state);
    }

    /// Sends a task to whoever takes it; gives it back where nobody does.
    fn deliver(&self, state: &mut State, mut task: Task) -> Option<Task> {
        if state.runners.held && !task.ahead {
            return Some(task);
        }
        let Some((number, runner)) = state.runners.choose(task.category(), &task.event_type) else { return Some(task) };
        let key = task.installation.as_deref().map(|installation| self.access.installation_key(installation));
        if runner.outgoing.send(Outgoing::Frame(task.frame(runner.version, key))).is_err() {
            return Some(task);
        }
        runner.in_hand += 1;
        task.delivery = self.foreign.sent(&runner.instance_id, &task.id, || task.arrived());
        task.runner = task.delivery.is_some().then(|| runner.instance_id.clone());
        task.state = TaskState::Sent { connection: number, instance: runner.instance_id.clone() };
        state.tasks.put(task);
        None
    }

    /// Releases those of `tasks` that nobody has answered after `pause`. Where no runner is connected then, they stay for
    /// the one that comes.
    fn release_later(self: &Arc<Self>, tasks: &[Task], pause: Duration) {
        if tasks.is_empty() {
            return;
        }
        let ids: HashSet<String> = tasks.iter().map(|task| task.id.clone()).collect();
        let core = Arc::clone(self);
        tokio::spawn(async move {
            tokio::select! {
                () = core.closing.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
            let mut state = core.lock();
            let mut still: Vec<Task> = orphans(&state).filter(|task| ids.contains(&task.id)).cloned().collect();
            still.sort_by_key(|task| task.created);
            if state.runners.ready().next().is_some() {
                core.try_again(&mut state, still);
            }
        });
    }

    /// Lets tasks come again whose runner went away without answering them: at once, but not for ever.
    fn try_again(&self, state: &mut State, tasks: Vec<Task>) {
        let mut suspects = 0;
        for mut task in tasks {
            task.lost += 1;
            let Some(more) = task.lost.checked_sub(SUSPECT) else {
                task.origin = Origin::Redelivery;
                self.enqueue(state, task);
                continue;
            };
            self.foreign.lost(&task.id);
            task.is_over();
            let pause = retry_pause(more) + APART * suspects;
            suspects += 1;
            let (id, times, seconds) = (&task.id, task.lost, pause.as_secs());
            let line =
                format!("task {id} was out at a runner that went away {times} times in a row: it comes again in {seconds} s");
            self.log(Level::Warning, line);
            self.postpone(state, task, Origin::Redelivery, pause);
        }
    }

    /// Delivers what is due, until the platform closes.
    pub(crate) async fn run_clock(self: Arc<Self>) {
        loop {
            let pause = self.deliver_due();
            tokio::select! {
                () = self.closing.cancelled() => return,
                () = self.clock.notified() => {}
                () = pause => {}
            }
        }
    }

    /// Lets `by` pass at once: what is due within it happens now, what is due later waits that much less. Says how many
    /// deliveries there were.
    pub(crate) fn fast_forward(&self, by: Duration) -> usize {
        let mut guard = self.lock();
        let state = &mut *guard;
        let until = after(Timestamp::now(), by);
        let mut happened = self.ring(state, until);
        let ripe = state.tasks.ripe(until);
        happened += ripe.len();
        ripe.iter().for_each(|id| self.release(state, id));
        let later: Vec<Task> = state.tasks.waiting().map(|(task, _)| task.clone()).collect();
        let by = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
        for mut task in later {
            if let TaskState::Waiting { due } = &mut task.state {
                *due = Timestamp(due.0.saturating_sub(by));
            }
            state.tasks.put(task);
        }
        self.clock.notify_one();
        happened
    }

    /// Queues what is ripe and says how long until there may be more.
    fn deliver_due(&self) -> impl Future<Output = ()> + use<> {
        let mut state = self.lock();
        let now = Timestamp::now();
        for id in state.tasks.ripe(now) {
            self.release(&mut state, &id);
        }
        self.ring(&mut state, now);
        let next = [state.tasks.next_due(), state.alarms.next()].into_iter().flatten().min();
        async move {
            match next {
                None => std::future::pending().await,
                Some(due) => {
                    let micros = u64::try_from(due.0.saturating_sub(now.0)).unwrap_or(0);
                    tokio::time::sleep(Duration::from_micros(micros).min(LOOK_UP)).await;
                }
            }
        }
    }
}

/// Tasks sent over a connection that is no more.
fn orphans(state: &State) -> impl Iterator<Item = &Task> {
    state.tasks.sent().filter(|task| !state.runners.has(task))
}

fn after(moment: Timestamp, pause: Duration) -> Timestamp {
    let pause = i64::try_from(pause.as_micros()).unwrap_or(i64::MAX);
    Timestamp(moment.0.saturating_add(pause))
}
