//! Processes that are nobody's children here.
#![allow(dead_code, clippy::unwrap_used)] // shared by several test programs

use futures::future::join_all;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use tokio::io::unix::AsyncFd;

/// Waits until all of them have ended.
pub(crate) async fn all_ended(processes: impl IntoIterator<Item = Pid>) {
    join_all(processes.into_iter().map(ended)).await;
}

#[allow(deprecated)] // `AsyncFd::new` is unsound for descriptors somebody else may close; this one has one owner
async fn ended(pid: Pid) {
    // One that is gone already can't be opened.
    if let Ok(process) = pidfd_open(pid, PidfdFlags::NONBLOCK) {
        drop(AsyncFd::new(process).unwrap().readable().await.unwrap());
    }
}
