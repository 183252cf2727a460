//! One worker's line: what must not be forgotten when a socket is replaced by another.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::ws::WebSocket;
use tokio::sync::mpsc;

use super::session::Session;
use super::shared::Shared;
use super::way::Way;
use crate::observe::Level;
use crate::runtime::RuntimeError;
use crate::runtime::in_flight::InFlight;
use crate::runtime::outbox::{Outbox, Outgoing};
use crate::runtime::socket::{Reader, Writer};

/// A connection of the guest, and the one to Connect that was opened for it.
pub(super) struct Visitor {
    pub(super) guest: WebSocket,
    pub(super) connect: (Writer, Reader),
    /// What the guest calls its program.
    pub(super) agent: String,
}

/// Lives as long as the relay.
pub(super) struct Line {
    pub(super) shared: Arc<Shared>,
    pub(super) way: Way,
    pub(super) outbox: Outbox,
    pub(super) results: mpsc::UnboundedSender<Outgoing>,
    /// What Connect sent and has no result of.
    pub(super) in_flight: InFlight,
    /// What of that the guest has in hand: task ids by their keys.
    pub(super) in_hand: HashMap<String, String>,
}

impl Line {
    /// A line with the results an earlier process left behind.
    pub(super) fn open(shared: Arc<Shared>, way: Way) -> Result<Self, RuntimeError> {
        let (results, outgoing) = mpsc::unbounded_channel();
        let path = shared.connect.outbox.with_extension(format!("relay-{}", way.worker));
        let outbox = Outbox::open(&path, outgoing, shared.scope.clone())?;
        let mut in_flight = InFlight::default();
        outbox.keys().for_each(|key| in_flight.restore(key));
        if outbox.len() > 0 {
            let line = format!("{} results of an earlier run are still to be sent", outbox.len());
            shared.scope.log(Level::Info, super::TARGET, line);
        }
        Ok(Self { shared, way, outbox, results, in_flight, in_hand: HashMap::new() })
    }

    /// Serves one connection of the guest after the other.
    pub(super) async fn run(mut self, mut visitors: mpsc::Receiver<Visitor>) {
        let closing = self.shared.closing.clone();
        let mut next = None;
        loop {
            let visitor = match next.take() {
                Some(visitor) => visitor,
                None => tokio::select! {
                    () = closing.cancelled() => return,
                    visitor = visitors.recv() => match visitor {
                        Some(visitor) => visitor,
                        None => return,
                    },
                },
            };
            next = Session::new(&mut self, visitor).serve(&mut visitors).await;
        }
    }

    /// The guest's socket is gone, and with it what the guest had in hand: Connect delivers it again.
    pub(super) fn guest_is_gone(&mut self) {
        for (key, task_id) in self.in_hand.drain() {
            self.shared.foreign.lost(&task_id);
            self.in_flight.end(&key);
        }
    }

    /// Says how much is in hand and unsent.
    pub(super) fn publish(&self) {
        self.shared.counts(&self.way, self.in_hand.len(), self.outbox.len());
    }
}
