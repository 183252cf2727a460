use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// How many observations may wait for the disk. Whoever observes one more waits until there is room: there is enough for most
/// of the time in which SQLite's log is worked into its file.
pub(super) const WAITING: usize = 4096;
/// More are not written at once for the sake of being many.
const PORTION: usize = 512;

/// What waits for the writer: bounded, and whoever finds it full waits too. Nothing is ever dropped to make room.
#[derive(Debug)]
pub(super) struct Queue<T> {
    state: Mutex<State<T>>,
    filled: Condvar,
    drained: Condvar,
    capacity: usize,
}

#[derive(Debug)]
struct State<T> {
    waiting: VecDeque<T>,
    /// How many were ever accepted.
    accepted: u64,
    closed: bool,
    /// Somebody waits for what was added so far.
    hurry: bool,
}

impl<T> Queue<T> {
    pub(super) fn new(capacity: usize) -> Self {
        let state = State { waiting: VecDeque::new(), accepted: 0, closed: false, hurry: false };
        Self { state: Mutex::new(state), filled: Condvar::new(), drained: Condvar::new(), capacity }
    }

    /// Adds one, when there is room. A closed queue takes nothing any more.
    pub(super) fn push(&self, item: T) {
        let mut state = self.lock();
        while state.waiting.len() >= self.capacity && !state.closed {
            state = self.drained.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.closed {
            return;
        }
        state.waiting.push_back(item);
        state.accepted += 1;
        if state.waiting.len() == 1 || state.waiting.len() == self.portion() {
            self.filled.notify_one();
        }
    }

    /// Moves everything that waits into `batch`, waiting for the first, and until `due` for more unless there are many already
    /// or somebody is in a hurry; `false` when it is closed and empty.
    pub(super) fn take(&self, batch: &mut Vec<T>, due: Instant) -> bool {
        let mut state = self.lock();
        while state.waiting.is_empty() {
            if state.closed {
                return false;
            }
            state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        while !state.closed && !state.hurry && state.waiting.len() < self.portion() {
            let left = due.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            state = self.filled.wait_timeout(state, left).map_or_else(|poisoned| poisoned.into_inner().0, |(state, _)| state);
        }
        state.hurry = false;
        batch.extend(state.waiting.drain(..));
        self.drained.notify_all();
        true
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lock().waiting.is_empty()
    }

    /// So many are worth to be written at once.
    fn portion(&self) -> usize {
        PORTION.min(self.capacity / 4)
    }

    /// How many were ever accepted. Whoever asks waits for them: they are taken now.
    pub(super) fn hurry(&self) -> u64 {
        let mut state = self.lock();
        state.hurry = !state.waiting.is_empty();
        self.filled.notify_one();
        state.accepted
    }

    /// Takes nothing any more; what waits can still be taken out.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.filled.notify_all();
        self.drained.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::mpsc;
    use std::time::{Duration, Instant};

    use super::Queue;

    #[test]
    fn whoever_finds_it_full_waits_until_there_is_room() {
        let queue = Arc::new(Queue::new(2));
        let (said, heard) = mpsc::channel();
        let pusher = std::thread::spawn({
            let queue = Arc::clone(&queue);
            move || {
                for n in 0..5 {
                    queue.push(n);
                    said.send(n).unwrap();
                }
            }
        });
        assert_eq!(heard.recv().unwrap(), 0);
        assert_eq!(heard.recv().unwrap(), 1);
        assert!(heard.recv_timeout(Duration::from_millis(50)).is_err(), "the third must wait");
        let mut taken = Vec::new();
        while taken.len() < 5 {
            assert!(queue.take(&mut taken, Instant::now()));
        }
        pusher.join().unwrap();
        assert_eq!(taken, [0, 1, 2, 3, 4]);
        assert_eq!(queue.hurry(), 5);
    }

    #[test]
    fn what_comes_shortly_after_is_taken_together_with_it_unless_somebody_is_in_a_hurry() {
        let queue = Arc::new(Queue::new(8));
        let never = Instant::now() + Duration::from_secs(3_600);
        let taker = |portion: usize| {
            let queue = Arc::clone(&queue);
            std::thread::spawn(move || {
                let mut taken = Vec::new();
                queue.take(&mut taken, never);
                assert_eq!(taken.len(), portion);
            })
        };
        let enough = taker(2);
        queue.push(1);
        queue.push(2);
        enough.join().unwrap();
        let hurried = taker(1);
        queue.push(3);
        assert_eq!(queue.hurry(), 3);
        hurried.join().unwrap();
        let closed = taker(1);
        queue.push(4);
        queue.close();
        closed.join().unwrap();
    }

    #[test]
    fn what_waits_when_it_is_closed_is_still_taken_and_nothing_more() {
        let queue = Queue::new(8);
        queue.push(1);
        queue.close();
        queue.push(2);
        let mut taken = Vec::new();
        assert!(queue.take(&mut taken, Instant::now()));
        assert!(!queue.take(&mut taken, Instant::now()));
        assert_eq!(taken, [1]);
    }
}
