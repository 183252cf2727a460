//! The extension runtime: takes tasks from Connect, hands them to an [`Extension`], sends the results back.
//!
//! One [`link`](link::Link) owns the connection. Each of its [sessions](session) reads frames as they come; a task is
//! reported the moment it arrives and waits in the [intake](dispatch::Intake) for its turn. It is [handled](handle) in
//! a task of its own, bounded in time and number, and whatever goes wrong there becomes its result. Results go through
//! the [outbox](outbox::Outbox), which has them on disk before the socket gets them and keeps them until it took them:
//! what a lost connection or a killed process leaves unsent goes out, once, on the next connection. A result restored
//! after a crash lacks its task's own API key, because that is never written to disk.
//!
//! The protocol has no acknowledgement of results, so two windows stay open. What the system has taken and the other
//! side never read is lost with the connection: Connect, which has no result then, delivers the task again. And a
//! process killed between handing a result to the socket and noting that in the file sends this one again: results go
//! to the socket one at a time, so it is never more than one. A redelivery that crosses a kept result on its way is
//! [known](in_flight::InFlight) as such.
//!
//! An extension in Python is run by the official runner instead, as a `guest`.
//!
//! The runtime knows the wire and an [`Observer`]; it knows neither the local Connect nor the journal.

mod answer;
pub(crate) mod backoff;
mod configuration;
mod counted;
mod dispatch;
mod error;
#[cfg(feature = "console")]
pub mod guest;
mod handle;
pub(crate) mod in_flight;
mod limit;
mod link;
mod lookup;
mod options;
pub(crate) mod outbox;
mod outbox_file;
mod proxy;
pub(crate) mod session;
mod shared;
pub(crate) mod socket;
mod status;
mod template;
mod trace;

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

pub use error::RuntimeError;
pub use options::{Limits, RuntimeOptions};
pub use status::RuntimeStatus;

use crate::connect::ClientBuilder;
use crate::extension::Extension;
use crate::observe::{Fact, Level, LinkState, Observer, Scope, SeenVariable};
use shared::Shared;

/// How long the last results may take once the handlers were given up, and the shutdown hook.
const LAST_RESULTS: Duration = Duration::from_secs(3);

/// A running runtime. Cheap to clone; it runs until it is [stopped](Runtime::stop) or Connect asks it to stop.
#[derive(Clone)]
pub struct Runtime {
    shared: Arc<Shared>,
    status: watch::Receiver<RuntimeStatus>,
    ended: CancellationToken,
}

impl Runtime {
    /// Starts a runtime for `extension` in the background.
    ///
    /// # Errors
    /// [`RuntimeError`] when the options can't be used, the outbox is not to be had, or no tokio runtime is there.
    pub fn start(options: RuntimeOptions, extension: Extension, observer: Arc<dyn Observer>) -> Result<Self, RuntimeError> {
        let tokio = tokio::runtime::Handle::try_current().map_err(|_| RuntimeError::NoTokio)?;
        let scope = Scope::new(observer);
        let client = ClientBuilder::new(options.api_base(), options.api_key.clone()).user_agent(options.user_agent()).build()?;
        let (results, outgoing) = mpsc::unbounded_channel();
        let outbox = outbox::Outbox::open(&options.outbox, outgoing, scope.clone())?;
        scope.emit(Fact::Extension {
            name: extension.name().into(),
            version: extension.version().into(),
            declared: serde_json::to_value(extension.setup_request()).unwrap_or_default(),
        });
        if outbox.len() > 0 {
            let line = format!("{} results of an earlier run are still to be sent", outbox.len());
            scope.log(Level::Info, "runtime", line);
        }
        let shared = Arc::new(Shared::new(options, extension, client, scope, results));
        let (status, watched) = watch::channel(RuntimeStatus::default());
        let intake = dispatch::Intake::start(&shared);
        let link = link::Link::new(Arc::clone(&shared), intake, outbox, status.clone());
        let runtime = Self { shared, status: watched, ended: CancellationToken::new() };
        tokio.spawn(runtime.clone().supervise(tokio.spawn(link.run()), status));
        Ok(runtime)
    }

    /// How it is doing, now and whenever that changes.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<RuntimeStatus> {
        self.status.clone()
    }

    /// The variables in force now, secrets in clear: not for showing.
    #[must_use]
    pub fn variables(&self) -> Vec<SeenVariable> {
        self.shared.configuration().variables.to_vec()
    }

    /// Stops it: no more tasks are begun (those that wait are given back to Connect as `retry`), running handlers get
    /// their [grace](Limits::grace), results go out, the shutdown hook is called. Connect can ask for the same, and
    /// gives them [longer](Limits::drain).
    pub async fn stop(&self) {
        self.shared.stopped.cancel();
        self.shared.draining.cancel();
        self.ended().await;
    }

    /// Waits until it has ended, because it was stopped or because Connect asked it to stop.
    pub async fn ended(&self) {
        self.ended.cancelled().await;
    }

    /// Sees the link through to its end.
    async fn supervise(self, mut link: tokio::task::JoinHandle<()>, status: watch::Sender<RuntimeStatus>) {
        let shared = &self.shared;
        shared.draining.cancelled().await;
        let limits = &shared.options.limits;
        let in_time = tokio::select! {
            biased;
            _ = &mut link => true,
            () = shared.stopped.cancelled() => tokio::time::timeout(limits.grace, &mut link).await.is_ok(),
            () = tokio::time::sleep(limits.drain) => false,
        };
        if !in_time {
            shared.hurry.cancel();
            if tokio::time::timeout(LAST_RESULTS, &mut link).await.is_err() {
                shared.quit.cancel();
                let _ = link.await;
            }
        }
        if let Some(hook) = shared.extension.shutdown_hook() {
            shared.run_hook("on_shutdown", hook, LAST_RESULTS).await;
        }
        let detail = self.last_word();
        status.send_modify(|status| status.link = LinkState::Closed);
        shared.scope.emit(Fact::Link { state: LinkState::Closed, detail });
        self.ended.cancel();
    }

    /// What is left to do, and by whom.
    fn last_word(&self) -> String {
        let RuntimeStatus { running, unsent, .. } = *self.status.borrow();
        let given_back = self.shared.given_back.load(Ordering::Relaxed);
        let mut word = String::from("the runtime has ended");
        for (n, what) in [
            (given_back, "given back unfinished: Connect delivers them again"),
            (running, "left without an answer: Connect delivers them again"),
            (unsent, "answered, but the results could not be sent: they go out at the next start"),
        ] {
            if n > 0 {
                let _ = write!(word, "; tasks {what}: {n}");
            }
        }
        word
    }
}
