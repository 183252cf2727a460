//! Processes that are nobody's children here.
#![allow(dead_code, clippy::unwrap_used)] // shared by several test programs

use futures::future::join_all;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use tokio::io::unix::AsyncFd;

/// Waits until all of them have ended.
pub(crate) async fn all_ended(processes: impl IntoIterator<Item = Pid>) {
    join_all(processes.into_iter().map(ended)).await;
}

#[allow(deprecated)] // `AsyncFd::new` is unsound for descriptors somebody else may close; this one has one owner
async fn ended(pid: Pid) {
    match pidfd_open(pid, PidfdFlags::NONBLOCK) {
        // It is told at the end of the process, whether or not somebody takes note of it.
        Ok(process) => drop(AsyncFd::new(process).unwrap().readable().await.unwrap()),
        // It is gone already.
        Err(error) => assert_eq!(error, Errno::SRCH),
    }
}
