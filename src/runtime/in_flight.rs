use std::collections::HashMap;

use super::dispatch::Category;
use crate::protocol::TaskOptions;

/// The tasks that came in and whose results the socket has not taken yet. Only the link touches it.
#[derive(Debug, Default)]
pub(crate) struct InFlight(HashMap<String, Category>);

/// What makes two arrivals the same task: its id, and for interactive ones who waits for the answer.
pub(crate) fn key_of(options: &TaskOptions) -> String {
    match (Category::of(&options.task_category), &options.correlation_id) {
        (Category::Interactive, Some(correlation)) => format!("{}\n{correlation}", options.task_id),
        _ => options.task_id.clone(),
    }
}

impl InFlight {
    /// Takes note of a task; false when the same one is in flight already.
    pub(crate) fn begin(&mut self, options: &TaskOptions) -> bool {
        self.0.insert(key_of(options), Category::of(&options.task_category)).is_none()
    }

    /// Takes note of a result of an earlier process.
    pub(crate) fn restore(&mut self, key: &str) {
        self.0.insert(key.into(), Category::Background);
    }

    /// The result of a task is sent.
    pub(crate) fn end(&mut self, key: &str) {
        self.0.remove(key);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// How many background and scheduled tasks there are, as Connect wants to know it.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let count = |category| self.0.values().filter(|c| **c == category).count();
        (count(Category::Background), count(Category::Scheduled))
    }
}
