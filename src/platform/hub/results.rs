//! What runners send besides their setup request.

use std::time::Duration;

use crate::observe::{Fact, Level, Origin};
use crate::platform::catalogue::Category;
use crate::platform::core::Core;
use crate::platform::tasks::TaskState;
use crate::protocol::{self, Output, Task as WireTask, TaskResult};

/// The first pause before a retry; it doubles with each one.
const RETRY_FIRST: u64 = 30;
/// The longest.
const RETRY_LONGEST: u64 = 15 * 60;

impl Core {
    /// Takes a result.
    pub(crate) fn take_result(&self, number: u64, result: WireTask) {
        let id = result.options.task_id;
        let Some(output) = result.output else {
            return self.log(Level::Warning, format!("runner sent the task {id} back without a result; it is ignored"));
        };
        let mut guard = self.lock();
        let state = &mut *guard;
        let Some(mut task) = state.tasks.get(&id).cloned() else {
            return self
                .log(Level::Warning, format!("a result for {id} came, which is done already or was never sent; it is ignored"));
        };
        // The result may come over another connection than the task went out on: after a reconnect it does.
        let sent_over = match task.state {
            TaskState::Sent { connection, .. } => connection,
            _ => number,
        };
        if let Some(runner) = state.runners.get_mut(sent_over) {
            runner.in_hand = runner.in_hand.saturating_sub(1);
        }
        if let Some(scope) = self.foreign.answered(&id, &output) {
            scope.emit(Fact::ResultSent { task_id: id.clone() });
        }
        // JSON has no infinity: it could not be read back.
        task.runtime_total = (task.runtime_total + output.runtime).min(f64::MAX);
        task.lost = 0;
        task.said.clone_from(&output.message);
        task.is_over();
        self.recordings.end(&id);
        match (output.result, task.category()) {
            (_, _) if task.once => state.tasks.finish(&id, output, task.runtime_total),
            (TaskResult::Reschedule, Category::Background) => {
                self.postpone(state, task, Origin::Reschedule, Duration::from_secs(output.countdown));
            }
            (TaskResult::Retry, Category::Background | Category::Scheduled) => {
                let pause = retry_pause(task.retries);
                task.retries = task.retries.saturating_add(1);
                self.postpone(state, task, Origin::Retry, pause);
            }
            (_, category) => {
                state.tasks.finish(&id, output, task.runtime_total);
                // Not at each one: looking for the old ones costs something.
                if state.tasks.settled().is_multiple_of(self.kept.max(1)) {
                    self.settled.notify_one();
                }
                if category == Category::Interactive {
                    self.answered.notify_waiters();
                }
            }
        }
    }

    /// A runner says it takes no more tasks.
    pub(crate) fn take_leave(&self, number: u64) {
        let mut state = self.lock();
        let Some(runner) = state.runners.get_mut(number) else { return };
        runner.leaving = true;
        self.log(Level::Info, format!("runner {} is shutting down: it gets no more tasks", runner.instance_id));
    }

    /// A frame that was not understood; the connection goes on.
    pub(crate) fn reject(&self, frame: &[u8], reason: &str) {
        let excerpt = protocol::excerpt(&String::from_utf8_lossy(frame));
        self.observe(Fact::FrameRejected { reason: format!("from a runner: {reason}"), bytes: frame.len(), excerpt });
    }

    /// A frame that was not read, for it was too large: the connection is over.
    pub(crate) fn refuse_frame(&self, bytes: usize, reason: &str) {
        self.observe(Fact::FrameRejected { reason: format!("from a runner: {reason}"), bytes, excerpt: String::new() });
    }

    /// What an interactive task was answered with.
    pub(crate) fn answer(&self, task_id: &str) -> Option<Output> {
        self.lock().tasks.answer(task_id).cloned()
    }
}

/// The pause before a task is tried once more that was tried in vain so often.
pub(super) fn retry_pause(retries: u32) -> Duration {
    let doubled = RETRY_FIRST.saturating_mul(2u64.saturating_pow(retries));
    Duration::from_secs(doubled.min(RETRY_LONGEST))
}

#[cfg(test)]
mod tests {
    #[test]
    fn retries_come_after_thirty_seconds_then_twice_as_long_but_never_longer_than_a_quarter_of_an_hour() {
        let pauses: Vec<u64> = (0..7).map(|retries| super::retry_pause(retries).as_secs()).collect();
        assert_eq!(pauses, [30, 60, 120, 240, 480, 900, 900]);
        assert_eq!(super::retry_pause(u32::MAX).as_secs(), 900);
    }
}
