use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore, mpsc};

use super::answer::Handled;
use super::handle::process;
use super::shared::{Job, Shared};
use crate::protocol::category;

/// How a task is handled; see [`category`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Category {
    Background,
    Interactive,
    Scheduled,
    /// None that this runtime knows.
    Unknown,
}

impl Category {
    pub(super) fn of(name: &str) -> Self {
        match name {
            category::BACKGROUND => Self::Background,
            category::INTERACTIVE => Self::Interactive,
            category::SCHEDULED => Self::Scheduled,
            _ => Self::Unknown,
        }
    }
}

type Queue = mpsc::UnboundedSender<(Job, OwnedSemaphorePermit)>;

/// Where tasks wait until they are begun: one queue and one measure of concurrency per category, so that slow
/// background tasks don't keep somebody waiting for an interactive answer. What waits is bounded by its size.
pub(super) struct Intake {
    background: Queue,
    interactive: Queue,
    scheduled: Queue,
    /// KiB of memory for waiting tasks.
    backlog: Arc<Semaphore>,
    backlog_kib: u32,
}

impl Intake {
    /// Spawns the dispatchers.
    pub(super) fn start(shared: &Arc<Shared>) -> Self {
        let kib = shared.options.limits.backlog_kib.clamp(1024, 1024 * 1024);
        let queue = || {
            let (queue, jobs) = mpsc::unbounded_channel();
            tokio::spawn(dispatch(Arc::clone(shared), jobs));
            queue
        };
        let backlog_kib = u32::try_from(kib).unwrap_or(u32::MAX);
        Self {
            background: queue(),
            interactive: queue(),
            scheduled: queue(),
            backlog: Arc::new(Semaphore::new(kib)),
            backlog_kib,
        }
    }

    /// Waits for room for a task that came in a frame of so many bytes. Cancel safe.
    pub(super) async fn room(&self, bytes: usize) -> Result<OwnedSemaphorePermit, AcquireError> {
        let kib = u32::try_from(bytes / 1024 + 1).unwrap_or(u32::MAX).min(self.backlog_kib);
        Arc::clone(&self.backlog).acquire_many_owned(kib).await
    }

    /// Puts a task into its queue.
    pub(super) fn push(&self, job: Job, room: OwnedSemaphorePermit) {
        let queue = match Category::of(&job.task.options.task_category) {
            Category::Background | Category::Unknown => &self.background,
            Category::Interactive => &self.interactive,
            Category::Scheduled => &self.scheduled,
        };
        // A dispatcher ends when its queue is dropped, not before.
        let _ = queue.send((job, room));
    }
}

/// Begins the tasks of one queue in the order they came, as many at a time as the limits allow.
async fn dispatch(shared: Arc<Shared>, mut jobs: mpsc::UnboundedReceiver<(Job, OwnedSemaphorePermit)>) {
    let places = Arc::new(Semaphore::new(shared.options.limits.concurrency.max(1)));
    while let Some((job, room)) = jobs.recv().await {
        let place = tokio::select! {
            biased;
            () = shared.draining.cancelled() => None,
            place = Arc::clone(&places).acquire_owned() => place.ok(),
        };
        drop(room);
        match place {
            Some(place) => drop(tokio::spawn(handle(Arc::clone(&shared), job, place))),
            None => give_back(&shared, job, "the extension was stopped before it could handle this task"),
        }
    }
}

async fn handle(shared: Arc<Shared>, job: Job, place: OwnedSemaphorePermit) {
    let handled = tokio::select! {
        handled = process(&shared, &job) => handled,
        () = shared.hurry.cancelled() => {
            return give_back(&shared, job, "the extension was stopped while it was handling this task");
        }
    };
    shared.answer(job, handled);
    drop(place);
}

/// Answers a task that can't be handled here any more, so that Connect delivers it again.
fn give_back(shared: &Shared, job: Job, why: &str) {
    let category = Category::of(&job.task.options.task_category);
    if matches!(category, Category::Background | Category::Scheduled) {
        shared.given_back.fetch_add(1, Ordering::Relaxed);
    }
    let handled = Handled::broken(category, &job.task.input.event_type, why.into());
    shared.answer(job, handled);
}
