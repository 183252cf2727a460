//! The relay: lets the official runner serve a real Connect while everything that passes is seen.
//!
//! ```text
//!            ws, https on loopback                     wss, https, verified
//! guest ───────────────────────────> relay ──────────────────────────────────> Connect
//!        with a key of its own         │      with the real key
//!                                      └──> observations, as the local Connect makes them of foreign runners
//! ```
//!
//! [`front`] lets the guest in. Each of its worker processes gets a [`line`](line::Line): the guest's socket on one side,
//! Connect's on the other, results in between in a durable outbox. When the way to Connect breaks, the line finds a new
//! one and introduces the guest again; the guest, which would lose the tasks it has not read and may lose results, does
//! not notice. [`forward`] passes REST calls on.
//!
//! The guest never has the real key: neither its environment nor anything it prints can give it away. What it sends
//! with the key it was given goes on with the real one; what it sends with another key (an installation's) goes on
//! unchanged, for Connect to judge.

mod error;
mod forward;
mod front;
mod lane;
mod line;
mod seen;
mod session;
mod shared;
mod way;

pub use error::RelayError;
pub use shared::RelayStatus;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use self::shared::Shared;
use crate::authority::{Authority, TlsListener};
use crate::observe::{DeliveryKey, Observer, Secret, SeenVariable};
use crate::runtime::RuntimeOptions;

/// Where the relay speaks in the stream of observations about itself.
const TARGET: &str = "relay";

/// Which Connect is relayed, and how.
#[derive(Debug, Clone)]
pub struct RelayOptions {
    /// The real Connect with its key. Results that are not sent yet are kept in files beside the
    /// [`outbox`](RuntimeOptions::outbox).
    pub connect: RuntimeOptions,
    /// Who vouches for the relay's https.
    pub authority: Authority,
}

/// What a guest needs to know to attach itself. `Debug` does not show the key.
#[derive(Debug, Clone)]
pub struct RelayAccess {
    /// `127.0.0.1:PORT`: the WebSocket, without TLS.
    pub server_address: String,
    /// `127.0.0.1:PORT`: the REST API, over https.
    pub api_address: String,
    /// PEM file of the authority that vouches for it.
    pub ca_file: PathBuf,
    /// The environment.
    pub environment_id: String,
    /// What the guest is to call itself.
    pub instance_id: String,
    /// A key only this relay knows, good for nothing elsewhere.
    pub api_key: Secret,
}

/// A running relay. Cheap to clone; it listens until it is [stopped](Self::stop), or the last clone is dropped.
#[derive(Clone)]
pub struct Relay(Arc<Running>);

struct Running {
    shared: Arc<Shared>,
    access: RelayAccess,
    jobs: tokio::sync::Mutex<Vec<JoinHandle<()>>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shared.closing.cancel();
    }
}

impl Relay {
    /// Listens on `127.0.0.1`; the way to Connect is opened when the guest comes.
    ///
    /// # Errors
    /// [`RelayError`] when no port is to be had, or the authority or the key can't be used.
    pub async fn start(options: RelayOptions, observer: Arc<dyn Observer>) -> Result<Self, RelayError> {
        let RelayOptions { connect, authority } = options;
        let plain = TcpListener::bind(("127.0.0.1", 0)).await.map_err(RelayError::Listen)?;
        let tls = TcpListener::bind(("127.0.0.1", 0)).await.map_err(RelayError::Listen)?;
        let tls = TlsListener::new(tls, authority.server_config(&[])?).map_err(RelayError::Listen)?;
        let address = |address: std::io::Result<SocketAddr>| address.map(|a| a.to_string()).map_err(RelayError::Listen);
        let access = RelayAccess {
            server_address: address(plain.local_addr())?,
            api_address: tls.address().to_string(),
            ca_file: authority.ca_file().to_owned(),
            environment_id: connect.environment_id.clone(),
            instance_id: connect.instance_id.clone(),
            api_key: format!("ApiKey SU-000-000-000:{:032x}", rand::random::<u128>()).into(),
        };
        let shared = Arc::new(Shared::new(connect, access.api_key.clone(), observer)?);
        let jobs =
            vec![tokio::spawn(front::serve(Arc::clone(&shared), plain)), tokio::spawn(front::serve(Arc::clone(&shared), tls))];
        Ok(Self(Arc::new(Running { shared, access, jobs: tokio::sync::Mutex::new(jobs) })))
    }

    /// What a guest needs to attach itself.
    #[must_use]
    pub fn access(&self) -> &RelayAccess {
        &self.0.access
    }

    /// How it stands, now and whenever that changes.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<RelayStatus> {
        self.0.shared.status.subscribe()
    }

    /// The variables Connect sent last, secrets in clear: not for showing.
    #[must_use]
    pub fn variables(&self) -> Vec<SeenVariable> {
        self.0.shared.variables()
    }

    /// The variables the guest declares, with whether they are secrets.
    #[must_use]
    pub fn declared(&self) -> Vec<(String, bool)> {
        self.0.shared.declared()
    }

    /// The delivery of a task the guest has, or had lately; of `None` the one delivery that is out, if it is one.
    #[must_use]
    pub fn delivery(&self, task_id: Option<&str>) -> Option<DeliveryKey> {
        self.0.shared.foreign.delivery(task_id)
    }

    /// Stops it once the guest's results are with Connect, or cannot get there: then they go out at the next start.
    pub async fn stop(&self) {
        self.0.shared.close().await;
        for job in self.0.jobs.lock().await.drain(..) {
            let _ = job.await;
        }
    }
}
