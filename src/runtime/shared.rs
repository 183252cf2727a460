use std::sync::atomic::AtomicUsize;
use std::time::{Duration, Instant};

use futures::FutureExt;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::RuntimeOptions;
use super::answer::Handled;
use super::configuration::Configuration;
use super::outbox::Outgoing;
use crate::connect::Client;
use crate::extension::{Extension, Hook};
use crate::observe::{Answer, Fact, Level, Scope};
use crate::protocol::{SetupResponse, Task};

/// One task being handled.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) task: Box<Task>,
    /// Of its delivery.
    pub(super) scope: Scope,
    pub(super) arrived: Instant,
}

/// What every part of the runtime sees.
pub(super) struct Shared {
    pub(super) options: RuntimeOptions,
    pub(super) extension: Extension,
    /// With the runner's own key.
    pub(super) client: Client,
    pub(super) scope: Scope,
    configuration: watch::Sender<Configuration>,
    /// The start-up hook has ended: tasks may be handled.
    ready: watch::Sender<bool>,
    results: mpsc::UnboundedSender<Outgoing>,
    /// How many tasks were given back to Connect because the runtime is stopped.
    pub(super) given_back: AtomicUsize,
    /// The runtime is stopped by whoever runs it, not only by Connect.
    pub(super) stopped: CancellationToken,
    /// No more tasks are begun.
    pub(super) draining: CancellationToken,
    /// Running handlers are given up.
    pub(super) hurry: CancellationToken,
    /// The link ends, whatever is left to send.
    pub(super) quit: CancellationToken,
}

impl Shared {
    pub(super) fn new(
        options: RuntimeOptions,
        extension: Extension,
        client: Client,
        scope: Scope,
        results: mpsc::UnboundedSender<Outgoing>,
    ) -> Self {
        Self {
            options,
            extension,
            client,
            scope,
            configuration: watch::Sender::default(),
            ready: watch::Sender::new(false),
            results,
            given_back: AtomicUsize::new(0),
            stopped: CancellationToken::new(),
            draining: CancellationToken::new(),
            hurry: CancellationToken::new(),
            quit: CancellationToken::new(),
        }
    }

    /// The configuration in force now.
    pub(super) fn configuration(&self) -> Configuration {
        self.configuration.borrow().clone()
    }

    /// The extension's id, `SRVC-...`.
    pub(super) fn service_id(&self) -> String {
        self.configuration.borrow().service_id.as_deref().map_or_else(|| self.options.service_id(), Into::into)
    }

    /// Takes over what Connect sent; true the first time.
    pub(super) fn configure(&self, message: SetupResponse, update: bool) -> bool {
        self.configuration.send_modify(|configuration| *configuration = configuration.merge(message));
        let now = self.configuration();
        let message =
            if update { "Extension configuration has been updated." } else { "Extension configuration has been received." };
        self.scope.emit(Fact::Configured { message: message.into(), update, variables: now.variables.to_vec() });
        now.generation == 1
    }

    /// Runs the start-up hook, then lets tasks begin.
    pub(super) async fn start_up(&self) {
        if let Some(hook) = self.extension.startup_hook() {
            self.run_hook("on_startup", hook, self.options.limits.background).await;
        }
        self.ready.send_replace(true);
    }

    /// Runs a hook; whatever goes wrong in it is logged and nothing more.
    pub(super) async fn run_hook(&self, name: &str, hook: &Hook, limit: Duration) {
        let work = std::panic::AssertUnwindSafe(async { hook(self.configuration().config, self.scope.clone()).await });
        let trouble = match tokio::time::timeout(limit, work.catch_unwind()).await {
            Ok(Ok(Ok(()))) => return,
            Ok(Ok(Err(error))) => super::answer::report(&*error),
            Ok(Err(payload)) => super::answer::panic_report(&*payload),
            Err(_) => format!("it did not end within {} s", limit.as_secs()),
        };
        self.scope.log(Level::Error, "runtime", format!("{name} failed: {trouble}"));
    }

    /// Waits until tasks may be handled.
    pub(super) async fn ready(&self) {
        if !*self.ready.borrow() {
            // The sender lives in this very struct.
            let _ = self.ready.subscribe().wait_for(|ready| *ready).await;
        }
    }

    /// Reports what came of a task and hands its result to the outbox.
    pub(super) fn answer(&self, job: Job, handled: Handled) {
        let Job { mut task, scope, arrived } = job;
        let Handled { output, report } = handled;
        scope.emit(Fact::Answered(Answer {
            result: output.result.as_str().into(),
            message: report.or_else(|| output.message.clone()),
            countdown: output.countdown,
            data: output.data.clone(),
            micros: u64::try_from(arrived.elapsed().as_micros()).unwrap_or(u64::MAX),
        }));
        task.output = Some(output);
        // The link, which holds the other end, outlives all handlers; after a forced end nobody waits for results.
        let _ = self.results.send(Outgoing { task, scope });
    }
}
