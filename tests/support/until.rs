//! Waiting for a condition, with a deadline: the one place of the tests that looks again after a while.
#![allow(dead_code, clippy::panic)] // shared by several test programs

use std::time::Duration;

use connect_console::observe::Memory;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

/// What is not told is looked at so often.
const LOOK: Duration = Duration::from_millis(20);

/// Waits until `look` finds something: it looks at each observation, and now and then for what comes without one.
pub(crate) async fn until_seen<T>(memory: &Memory, patience: Duration, what: &str, look: impl FnMut() -> Option<T>) -> T {
    match waited(memory.count(), patience, look).await {
        Some(found) => found,
        None => panic!("still not: {what}; seen were {:#?}", memory.seen()),
    }
}

/// Waits until `look` finds something nobody tells of.
pub(crate) async fn until<T>(patience: Duration, what: &str, look: impl FnMut() -> Option<T>) -> T {
    let (_tells, told) = watch::channel(0);
    match waited(told, patience, look).await {
        Some(found) => found,
        None => panic!("still not: {what}"),
    }
}

async fn waited<T>(mut told: watch::Receiver<usize>, patience: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + patience;
    loop {
        told.borrow_and_update();
        if let Some(found) = look() {
            return Some(found);
        }
        if Instant::now() >= deadline {
            return None;
        }
        let _ = timeout(LOOK, told.changed()).await;
    }
}
