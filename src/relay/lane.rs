use std::collections::VecDeque;
use std::future::poll_fn;
use std::task::{Poll, ready};

use futures::{Sink, SinkExt};

/// More frames than this wait for nobody: the other side is not read meanwhile.
const FULL: usize = 64;

/// Frames on their way to one side, in order. Nothing that is polled beside it waits for it.
pub(super) struct Lane<S, F> {
    sink: S,
    queue: VecDeque<F>,
    unflushed: bool,
}

impl<S: Sink<F> + Unpin, F> Lane<S, F> {
    pub(super) fn new(sink: S) -> Self {
        Self { sink, queue: VecDeque::new(), unflushed: false }
    }

    pub(super) fn push(&mut self, frame: F) {
        self.queue.push_back(frame);
    }

    pub(super) fn is_full(&self) -> bool {
        self.queue.len() >= FULL
    }

    pub(super) fn is_idle(&self) -> bool {
        self.queue.is_empty() && !self.unflushed
    }

    /// Writes until the socket took everything; for ever where there is nothing to write. Cancel safe.
    pub(super) async fn drive(&mut self) -> Result<(), S::Error> {
        if self.is_idle() {
            return std::future::pending().await;
        }
        poll_fn(|cx| {
            while !self.queue.is_empty() {
                ready!(self.sink.poll_ready_unpin(cx))?;
                if let Some(frame) = self.queue.pop_front() {
                    self.unflushed = true;
                    self.sink.start_send_unpin(frame)?;
                }
            }
            ready!(self.sink.poll_flush_unpin(cx))?;
            self.unflushed = false;
            Poll::Ready(Ok(()))
        })
        .await
    }
}
