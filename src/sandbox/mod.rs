//! An embedded MongoDB-compatible server and its Data API endpoint, for one developer's machine.
//!
//! A client's frame comes in at `wire`, or its HTTP request at `data_api`; both end as a command in `commands`. A command
//! is answered by the `engine`, which keeps documents as BSON and their indexes in one SQLite file, with the `matcher` (which
//! documents?), `sort`, `projection` (which fields?), `update` (how do they change?) and the `pipeline` of an aggregation;
//! computed values are the `expression` language's. `value` knows how BSON values compare and are calculated with. What the
//! sandbox cannot do is answered with MongoDB's own error, never with a wrong result.
//!
//! It listens on 127.0.0.1 only, with credentials made at random on the first start. The wire protocol's port takes TLS as
//! well as plain connections, with a certificate of the console's local authority for 127.0.0.1 and for [`HOST`].

mod commands;
mod credentials;
mod data_api;
mod engine;
mod error;
mod expression;
mod front;
mod matcher;
mod options;
mod pipeline;
mod projection;
mod sort;
mod update;
mod value;
mod wire;

#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing {
    pub fn decode_frame(frame: &[u8]) {
        let Some((header, _)) = frame.split_first_chunk() else { return };
        let _ = super::wire::frame::is_tls(header);
        let _ = super::wire::frame::length(*header, super::wire::frame::MAX_FRAME);
        if let Ok(request) = super::wire::frame::decode(frame) {
            // What every command goes through before anything in it is used.
            let _ = request.command.check();
        }
    }
}

pub use error::{Code, CommandError};
pub use front::{Front, FrontOptions};
pub use options::{SandboxError, SandboxOptions};

use std::fmt;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::OnceCell;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::authority::Authority;
use crate::observe::{Level, Observer, Scope, Secret};
use credentials::Credentials;
use data_api::{Embedded, Gate};
use engine::Engine;
use wire::patience::Patience;
use wire::server::Shared;

/// The sandbox's own host name, for clients that insist on `mongodb+srv`: below `localhost`, where no name ever leaves the
/// machine (RFC 6761), and of three parts, which drivers want of such a name. It is in no DNS: a guest's
/// [hook](crate::runtime::guest::Hook::sandbox) knows where it leads.
pub const HOST: &str = "sandbox.connect-console.localhost";

/// How a client reaches the sandbox.
#[derive(Debug, Clone)]
pub struct Access {
    /// `127.0.0.1:PORT` of the MongoDB wire protocol.
    pub mongodb: String,
    /// The certificate authority (PEM) who connects with TLS must trust.
    pub ca_file: PathBuf,
    /// The user; empty if nobody needs to authenticate.
    pub user: String,
    /// The user's password; empty if nobody needs to authenticate.
    pub password: Secret,
    /// The Data API's base address; an action is at `/action/NAME` below it.
    pub data_api: String,
    /// The Data API's key; empty if nobody needs to authenticate.
    pub api_key: Secret,
}

impl Access {
    /// The port of the MongoDB wire protocol.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.mongodb.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).unwrap_or_default()
    }

    /// What a driver takes: `mongodb://USER:PASSWORD@127.0.0.1:PORT/...`.
    #[must_use]
    pub fn connection_string(&self) -> Secret {
        let Self { mongodb, user, password, .. } = self;
        Secret::new(if user.is_empty() {
            format!("mongodb://{mongodb}/?directConnection=true")
        } else {
            format!("mongodb://{user}:{}@{mongodb}/?authSource=admin&directConnection=true", password.reveal())
        })
    }
}

/// A running sandbox. Cheap to clone; it runs until it is [stopped](Sandbox::stop) or the last clone is dropped.
#[derive(Clone)]
pub struct Sandbox {
    running: Arc<Running>,
}

struct Running {
    access: Access,
    engine: Engine,
    stop: CancellationToken,
    servers: tokio::sync::Mutex<Vec<JoinHandle<()>>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sandbox").field("access", &self.running.access).finish_non_exhaustive()
    }
}

impl Sandbox {
    /// Opens the files in `options.dir`, or makes them, and listens.
    ///
    /// # Errors
    /// The directory cannot be written, the file is not a sandbox of this version, or no port can be listened on.
    pub async fn start(options: SandboxOptions, observer: Arc<dyn Observer>) -> Result<Self, SandboxError> {
        let scope = Scope::new(observer);
        let dir = options.dir.clone();
        let opened = tokio::task::spawn_blocking(move || {
            make_private_dir(&dir)?;
            let credentials = Credentials::load_or_make(&dir)?;
            let authority = Authority::open(&dir)?;
            let tls = TlsAcceptor::from(authority.server_config(&[HOST])?);
            Ok::<_, SandboxError>((credentials, Engine::open(&dir.join("sandbox.sqlite"))?, authority, tls))
        });
        let (credentials, engine, authority, tls) =
            opened.await.map_err(|error| SandboxError::Thread(std::io::Error::other(error)))??;
        let credentials = options.auth.then_some(credentials);

        let (mongodb, http) = (listen(options.port, &scope).await?, listen(options.http_port, &scope).await?);
        let address = |listener: &TcpListener| listener.local_addr().map(|a| a.to_string()).map_err(SandboxError::Listen);
        let known = credentials.clone();
        let access = Access {
            mongodb: address(&mongodb)?,
            ca_file: authority.ca_file().to_owned(),
            user: known.as_ref().map(|known| known.user.clone()).unwrap_or_default(),
            password: known.as_ref().map(|known| known.password.clone()).unwrap_or_default(),
            data_api: format!("http://{}{}", address(&http)?, data_api::BASE),
            api_key: known.map(|known| known.api_key).unwrap_or_default(),
        };
        scope.log(Level::Info, "sandbox", format!("MongoDB on {}, Data API on {}", access.mongodb, access.data_api));

        let stop = CancellationToken::new();
        let router = data_api::router(Arc::new(Embedded(engine.clone())), Gate(credentials.clone()));
        let shared = Arc::new(Shared {
            engine: engine.clone(),
            credentials,
            verifier: OnceCell::new(),
            started: std::time::Instant::now(),
            patience: Patience::default(),
        });
        let servers = vec![
            tokio::spawn(expire(engine.clone(), scope.clone(), stop.clone())),
            tokio::spawn(wire::server::serve(mongodb, tls, shared, scope.clone(), stop.clone())),
            tokio::spawn(serve_http(http, router, scope, stop.clone())),
        ];
        Ok(Self { running: Arc::new(Running { access, engine, stop, servers: servers.into() }) })
    }

    /// How to reach it.
    #[must_use]
    pub fn access(&self) -> &Access {
        &self.running.access
    }

    /// Closes all connections and ends what is being written. What was acknowledged is on disk before and after.
    pub async fn stop(&self) {
        self.running.stop.cancel();
        for server in self.running.servers.lock().await.drain(..) {
            // A server that panicked has stopped as well.
            let _ = server.await;
        }
        let engine = self.running.engine.clone();
        let _ = tokio::task::spawn_blocking(move || engine.close()).await;
    }
}

/// The preferred port, or one the system chooses if that is taken.
async fn listen(preferred: u16, scope: &Scope) -> Result<TcpListener, SandboxError> {
    match TcpListener::bind((Ipv4Addr::LOCALHOST, preferred)).await {
        Ok(listener) => Ok(listener),
        Err(error) if preferred != 0 => {
            scope.log(Level::Warning, "sandbox", format!("port {preferred} cannot be used ({error}): another one is chosen"));
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(SandboxError::Listen)
        }
        Err(error) => Err(SandboxError::Listen(error)),
    }
}

/// How often documents whose time has come are looked for, as MongoDB does.
const SWEEP: std::time::Duration = std::time::Duration::from_secs(60);

/// Deletes expired documents until `stop`.
async fn expire(engine: Engine, scope: Scope, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(SWEEP) => {}
        }
        let now = bson::DateTime::now().timestamp_millis();
        if let Err(error) = engine.write(move |connection| engine::Catalog(connection).expire(now)).await {
            scope.log(Level::Warning, "sandbox", format!("expired documents could not be deleted: {error}"));
        }
    }
}

async fn serve_http(listener: TcpListener, router: axum::Router, scope: Scope, stop: CancellationToken) {
    // Open keep-alive connections must not hold up the end: what is under way may finish, for a moment.
    let server = axum::serve(listener, router).with_graceful_shutdown(stop.clone().cancelled_owned());
    let moment_after_stop = async {
        stop.cancelled().await;
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    };
    tokio::select! {
        ended = server => {
            if let Err(error) = ended {
                scope.log(Level::Error, "sandbox", format!("the Data API has ended: {error}"));
            }
        }
        () = moment_after_stop => {}
    }
}

fn make_private_dir(dir: &std::path::Path) -> Result<(), SandboxError> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir).map_err(|source| SandboxError::Directory { dir: dir.to_owned(), source })
}
