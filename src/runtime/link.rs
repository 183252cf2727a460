use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{OwnedSemaphorePermit, watch};

use super::RuntimeStatus;
use super::backoff::Backoff;
use super::dispatch::Intake;
use super::in_flight::InFlight;
use super::outbox::Outbox;
use super::session::{self, Ended};
use super::shared::{Job, Shared};
use super::socket;
use crate::observe::{Fact, LinkState};

/// The connection to Connect, for as long as the runtime lives: one session after the other. It alone knows what is
/// in flight and what is unsent, so nothing of that needs a lock.
pub(super) struct Link {
    pub(super) shared: Arc<Shared>,
    pub(super) intake: Intake,
    pub(super) outbox: Outbox,
    pub(super) in_flight: InFlight,
    /// A task for which there is no room yet, and the size of its frame. Nothing is read meanwhile. It came in, so it outlives
    /// the session it came by.
    pub(super) held: Option<(Job, usize)>,
    status: watch::Sender<RuntimeStatus>,
}

impl Link {
    pub(super) fn new(shared: Arc<Shared>, intake: Intake, outbox: Outbox, status: watch::Sender<RuntimeStatus>) -> Self {
        let mut in_flight = InFlight::default();
        outbox.keys().for_each(|key| in_flight.restore(key));
        Self { shared, intake, outbox, in_flight, held: None, status }
    }

    /// Connects, and connects again, until the runtime is stopped and has nothing left to send.
    pub(super) async fn run(mut self) {
        let quit = self.shared.quit.clone();
        tokio::select! {
            () = quit.cancelled() => {}
            () = self.stay_connected() => {}
        }
        self.publish(|_| {});
    }

    async fn stay_connected(&mut self) {
        let mut backoff = Backoff::default();
        while !self.finished() {
            let (running, scheduled) = self.in_flight.counts();
            let url = self.shared.options.socket_url(running, scheduled);
            self.change(LinkState::Connecting, url.split('?').next().unwrap_or_default().into());
            let shared = Arc::clone(&self.shared);
            let agent = shared.options.user_agent();
            let opened = self.keeping_results(socket::open(&url, &shared.options.api_key, &agent)).await;
            let why = match opened {
                Ok(opened) => {
                    let since = Instant::now();
                    match session::run(self, opened).await {
                        Ended::Finished => return,
                        Ended::Lost { why, configured } => {
                            if configured {
                                backoff.session(since.elapsed());
                            }
                            why
                        }
                    }
                }
                Err(refusal) => refusal.why,
            };
            self.outbox.lost();
            let pause = backoff.pause();
            self.change(LinkState::Waiting, format!("{why}; trying again in {:.1} s", pause.as_secs_f64()));
            let draining = self.shared.draining.clone();
            let nothing_left = async {
                draining.cancelled().await;
                // While stopping there is no point in a pause for politeness, but in a short one.
                tokio::time::sleep(pause.min(std::time::Duration::from_millis(200))).await;
            };
            self.keeping_results(async {
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = nothing_left => {}
                }
            })
            .await;
        }
    }

    /// Awaits `work`; results that come to exist meanwhile are put on disk.
    async fn keeping_results<F: Future>(&mut self, work: F) -> F::Output {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return done,
                () = self.outbox.absorb() => {}
            }
            self.publish(|_| {});
        }
    }

    /// Puts the task that was held into its queue, where there is room now.
    pub(super) fn begin_held(&mut self, room: OwnedSemaphorePermit) {
        if let Some((job, _)) = self.held.take() {
            self.intake.push(job, room);
        }
    }

    /// Whether the runtime is being stopped and nothing is left to do.
    pub(super) fn finished(&self) -> bool {
        self.shared.draining.is_cancelled() && self.in_flight.len() == 0
    }

    /// Reports another state of the link.
    pub(super) fn change(&mut self, state: LinkState, detail: String) {
        self.publish(|status| status.link = state);
        self.shared.scope.emit(Fact::Link { state, detail });
    }

    /// Brings the status up to date.
    pub(super) fn publish(&self, and: impl FnOnce(&mut RuntimeStatus)) {
        let unsent = self.outbox.len();
        let running = self.in_flight.len().saturating_sub(unsent);
        self.status.send_if_modified(|status| {
            let before = status.clone();
            and(status);
            status.unsent = unsent;
            status.running = running;
            *status != before
        });
    }
}
