use std::collections::HashMap;

use super::dispatch::Category;
use crate::protocol::TaskOptions;

/// The tasks that came in and whose results the socket has not taken yet. Only the link touches it.
///
/// A task that came over an earlier connection may come again over this one: Connect has no result of it. Its result and
/// the redelivery can cross each other on the way. So such a task stays known after its result went out, until a ping
/// sent behind the result is answered: what Connect sent before it had read the result has come in by then.
#[derive(Debug, Default)]
pub(crate) struct InFlight {
    tasks: HashMap<String, Entry>,
    /// Which connection this is, counted.
    session: u64,
    /// Answered, but perhaps under way to us again; with the number of the ping that tells.
    crossing: HashMap<String, u64>,
    /// The number pings carry now.
    ping: u64,
}

#[derive(Debug)]
struct Entry {
    category: Category,
    session: u64,
}

/// What a task is that came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// One to handle.
    New,
    /// One that is being handled, or whose result waits.
    InHand,
    /// One whose result has just gone out.
    Answered,
}

/// What makes two arrivals the same task: its id, and for interactive ones who waits for the answer.
pub(crate) fn key_of(options: &TaskOptions) -> String {
    match (Category::of(&options.task_category), &options.correlation_id) {
        (Category::Interactive, Some(correlation)) => format!("{}\n{correlation}", options.task_id),
        _ => options.task_id.clone(),
    }
}

impl InFlight {
    /// Another connection begins: whatever comes again over it is wanted.
    pub(crate) fn reconnected(&mut self) {
        self.session += 1;
        self.crossing.clear();
    }

    /// Takes note of a task.
    pub(crate) fn begin(&mut self, options: &TaskOptions) -> Arrival {
        let key = key_of(options);
        if self.tasks.contains_key(&key) {
            Arrival::InHand
        } else if self.crossing.contains_key(&key) {
            Arrival::Answered
        } else {
            self.tasks.insert(key, Entry { category: Category::of(&options.task_category), session: self.session });
            Arrival::New
        }
    }

    /// Takes note of a result of an earlier process.
    pub(crate) fn restore(&mut self, key: &str) {
        self.tasks.insert(key.into(), Entry { category: Category::Background, session: self.session });
    }

    /// The result of a task is sent. Whether a [ping](Self::ping) must follow.
    pub(crate) fn end(&mut self, key: &str) -> bool {
        match self.tasks.remove(key) {
            Some(Entry { session, .. }) if session != self.session => {
                self.crossing.insert(key.to_owned(), self.ping + 1);
                true
            }
            _ => false,
        }
    }

    /// A ping goes out now: what it says.
    pub(crate) fn ping(&mut self) -> [u8; 8] {
        self.ping += 1;
        self.ping.to_be_bytes()
    }

    /// A ping was answered.
    pub(crate) fn pong(&mut self, said: &[u8]) {
        if let Ok(number) = said.try_into().map(u64::from_be_bytes) {
            self.crossing.retain(|_, ping| *ping > number);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.tasks.len()
    }

    /// How many background and scheduled tasks there are, as Connect wants to know it.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let count = |category| self.tasks.values().filter(|entry| entry.category == category).count();
        (count(Category::Background), count(Category::Scheduled))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(id: &str) -> TaskOptions {
        TaskOptions { task_id: id.into(), task_category: "background".into(), ..TaskOptions::default() }
    }

    #[test]
    fn a_task_of_this_connection_can_come_again_as_soon_as_it_is_answered() {
        let mut tasks = InFlight::default();
        tasks.reconnected();
        assert_eq!(tasks.begin(&task("TQ-1")), Arrival::New);
        assert_eq!(tasks.begin(&task("TQ-1")), Arrival::InHand);
        assert!(!tasks.end("TQ-1"));
        assert_eq!(tasks.begin(&task("TQ-1")), Arrival::New, "released at once, say");
    }

    #[test]
    fn a_task_of_an_earlier_connection_only_after_the_ping_behind_its_result_was_answered() {
        let mut tasks = InFlight::default();
        tasks.restore("TQ-0");
        tasks.reconnected();
        tasks.begin(&task("TQ-1"));
        tasks.reconnected();
        let early = tasks.ping();
        assert!(tasks.end("TQ-0") && tasks.end("TQ-1"));
        let behind = tasks.ping();
        tasks.pong(&early);
        tasks.pong(b"");
        assert_eq!(tasks.begin(&task("TQ-1")), Arrival::Answered);
        tasks.pong(&behind);
        assert_eq!(tasks.begin(&task("TQ-1")), Arrival::New);
        assert_eq!(tasks.begin(&task("TQ-0")), Arrival::New);
    }

    #[test]
    fn a_connection_that_broke_before_the_ping_was_answered_may_have_lost_the_result_too() {
        let mut tasks = InFlight::default();
        tasks.restore("TQ-1");
        tasks.reconnected();
        assert!(tasks.end("TQ-1"));
        tasks.reconnected();
        assert_eq!(tasks.begin(&task("TQ-1")), Arrival::New);
    }
}
