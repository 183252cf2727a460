//! The Data API alone, in front of somebody else's deployment.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::credentials::Credentials;
use super::data_api::{self, Foreign, Gate};
use super::{SandboxError, listen, make_private_dir, serve_http};
use crate::observe::{Level, Observer, Scope, Secret};

/// Which deployment is to have a Data API, and where.
#[derive(Debug, Clone)]
pub struct FrontOptions {
    /// Where the key is kept, or will be made: the same as the sandbox's in that directory.
    pub dir: PathBuf,
    /// The preferred port; 0 for any. If it is taken, another one is chosen.
    pub http_port: u16,
    /// Whether clients must authenticate.
    pub auth: bool,
    /// The deployment's connection string, with what it takes to authenticate there.
    pub deployment: Secret,
}

/// A Data API endpoint in front of a MongoDB deployment. It runs until it is [stopped](Front::stop) or dropped.
#[derive(Debug)]
pub struct Front {
    /// The Data API's base address; an action is at `/action/NAME` below it.
    pub data_api: String,
    /// The Data API's key; empty if nobody needs to authenticate.
    pub api_key: Secret,
    /// The deployment's servers, without credentials.
    pub servers: String,
    stop: CancellationToken,
    server: JoinHandle<()>,
}

impl Front {
    /// Connects to the deployment and listens on 127.0.0.1.
    ///
    /// # Errors
    /// [`SandboxError::Deployment`] if it cannot be reached or does not let us in; the directory cannot be written, no port
    /// can be listened on.
    pub async fn start(options: FrontOptions, observer: Arc<dyn Observer>) -> Result<Self, SandboxError> {
        let scope = Scope::new(observer);
        let dir = options.dir.clone();
        let opened = tokio::task::spawn_blocking(move || {
            make_private_dir(&dir)?;
            Credentials::load_or_make(&dir)
        });
        let credentials = opened.await.map_err(|error| SandboxError::Thread(std::io::Error::other(error)))??;
        let known = options.auth.then_some(credentials);
        let api_key = known.as_ref().map(|known| known.api_key.clone()).unwrap_or_default();
        let foreign = Foreign::open(&options.deployment).await.map_err(|error| SandboxError::Deployment(error.to_string()))?;
        let listener = listen(options.http_port, &scope).await?;
        let address = listener.local_addr().map_err(SandboxError::Listen)?;
        let data_api = format!("http://{address}{}", data_api::BASE);
        let servers = foreign.servers.clone();
        scope.log(Level::Info, "data-api", format!("Data API on {data_api} for {servers}"));
        let stop = CancellationToken::new();
        let router = data_api::router(Arc::new(foreign), Gate(known));
        let server = tokio::spawn(serve_http(listener, router, scope, stop.clone()));
        Ok(Self { data_api, api_key, servers, stop, server })
    }

    /// Lets what is under way finish, and ends.
    pub async fn stop(mut self) {
        self.stop.cancel();
        // A server that panicked has stopped as well.
        let _ = (&mut self.server).await;
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
