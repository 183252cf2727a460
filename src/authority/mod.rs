//! The local certificate authority: the official runner always calls Connect's API over https, so the local Connect
//! needs a certificate which that runner can be made to trust.
//!
//! [`Authority::open`] makes it on the first start and finds it again ever after: `authority/ca.pem` for whoever shall
//! trust it, `authority/ca.key` (0600) for nobody else. What it issues is never on disk: a server's certificate is made
//! when the server starts and [renewed](Authority::server_config) while it runs. [`TlsListener`] accepts connections with
//! it for [`axum::serve`].
//!
//! ```no_run
//! # use connect_console::authority::{Authority, TlsListener};
//! # async fn serve(router: axum::Router) -> Result<(), Box<dyn std::error::Error>> {
//! let authority = Authority::open("/home/me/.local/share/connect-console/demo".as_ref())?;
//! let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! let listener = TlsListener::new(socket, authority.server_config(&[])?)?;
//! println!("curl --cacert {} https://{}/", authority.ca_file().display(), listener.address());
//! axum::serve(listener, router).await?;
//! # Ok(()) }
//! ```

mod error;
mod files;
mod issue;
mod listener;

pub use error::AuthorityError;
pub use listener::TlsListener;
pub(crate) use listener::serve_until;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring;

use self::issue::{Issuer, Renewing};
use crate::observe::Timestamp;

/// The names every certificate is for.
const LOOPBACK: [&str; 2] = ["127.0.0.1", "localhost"];

/// A certificate authority only this machine's console knows. Cheap to clone.
#[derive(Clone)]
pub struct Authority {
    issuer: Arc<Issuer>,
    ca_file: PathBuf,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").field("ca_file", &self.ca_file).finish_non_exhaustive()
    }
}

impl Authority {
    /// Opens the authority kept in `dir/authority`, making it where there is none, where it is damaged and where its time
    /// is nearly up.
    ///
    /// # Errors
    /// [`AuthorityError`] when the directory can't be used.
    pub fn open(dir: &Path) -> Result<Self, AuthorityError> {
        let kept = files::open(&dir.join("authority"), Timestamp::now())?;
        Ok(Self { issuer: Arc::new(Issuer::new(kept.key)), ca_file: kept.ca_file })
    }

    /// The authority's certificate as PEM: who trusts it trusts the servers of this console.
    #[must_use]
    pub fn ca_file(&self) -> &Path {
        &self.ca_file
    }

    /// What a server needs to be trusted as `127.0.0.1`, `localhost` and the `names` given. Its certificate lasts 90 days
    /// and is replaced by itself, while the server runs, when 30 are left.
    ///
    /// # Errors
    /// [`AuthorityError::Issue`] for a name that is none.
    pub fn server_config(&self, names: &[&str]) -> Result<Arc<ServerConfig>, AuthorityError> {
        let names = LOOPBACK.iter().chain(names).map(|&name| name.to_owned()).collect();
        let certificates = Renewing::new(Arc::clone(&self.issuer), names)?;
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|e| AuthorityError::Issue(e.to_string()))?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(certificates));
        Ok(Arc::new(config))
    }
}
