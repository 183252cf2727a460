use std::sync::Arc;

use super::{Bindings, Log, Request};
use crate::connect::Client;
use crate::extension::{Config, Context};
use crate::observe::Scope;

/// Binds what belongs together. An extension's own stand beside, or in the place of, those every saga has:
///
/// | key | binds |
/// | --- | --- |
/// | `config` | [`Config`], and each variable as a configuration key by its lower-cased name |
/// | `connect` | [`Client`], [`Log`], [`Scope`], and in a saga the [`Request`] |
/// | `cache` | [`dyn Cache`](super::cache::Cache), see [`CacheProvider`](super::cache::CacheProvider) |
/// | `offline` | [`OfflineRules`](super::OfflineRules), see [`Offline`](super::Offline) |
///
/// ```
/// use connect_console::fulfillment::{Bindings, ServiceProvider};
/// use std::sync::Arc;
///
/// trait Mailer: Send + Sync {}
/// struct Smtp {
///     host: String,
/// }
/// impl Mailer for Smtp {}
///
/// struct MailProvider;
/// impl ServiceProvider for MailProvider {
///     fn key(&self) -> &str {
///         "mail"
///     }
///
///     fn register(&self, bindings: &mut Bindings) {
///         bindings.bind::<dyn Mailer>().provider(|needs| Ok(Arc::new(Smtp { host: needs.config("smtp_host")? })));
///     }
/// }
/// ```
pub trait ServiceProvider: Send + Sync {
    /// What it is called in errors. In a saga, a provider with the key of one the saga has takes its place.
    fn key(&self) -> &str;

    /// Binds.
    fn register(&self, bindings: &mut Bindings);
}

/// The variables: see [`ServiceProvider`].
#[derive(Debug, Clone)]
pub struct ConfigurationProvider(Config);

impl ConfigurationProvider {
    /// Binds these variables.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self(config)
    }
}

impl ServiceProvider for ConfigurationProvider {
    fn key(&self) -> &str {
        "config"
    }

    fn register(&self, bindings: &mut Bindings) {
        bindings.bind::<Config>().instance(Arc::new(self.0.clone()));
        for (name, value) in self.0.iter() {
            bindings.config(name, value);
        }
    }
}

/// Connect: see [`ServiceProvider`].
#[derive(Debug, Clone)]
pub struct ConnectProvider {
    client: Client,
    scope: Scope,
    request: Option<Request>,
}

impl ConnectProvider {
    /// Binds this client, and a log that writes to this scope.
    #[must_use]
    pub fn new(client: Client, scope: Scope) -> Self {
        Self { client, scope, request: None }
    }

    /// What a task's context has.
    #[must_use]
    pub fn of(cx: &Context) -> Self {
        Self::new(cx.client.clone(), cx.scope.clone())
    }

    /// Binds the request too; the log then names it.
    #[must_use]
    pub fn request(mut self, request: &Request) -> Self {
        self.request = Some(request.clone());
        self
    }
}

impl ServiceProvider for ConnectProvider {
    fn key(&self) -> &str {
        "connect"
    }

    fn register(&self, bindings: &mut Bindings) {
        let log = Log::new(self.scope.clone());
        let log = self.request.as_ref().map_or_else(|| log.clone(), |request| log.bind(request));
        bindings.bind::<Client>().instance(Arc::new(self.client.clone()));
        bindings.bind::<Scope>().instance(Arc::new(self.scope.clone()));
        bindings.bind::<Log>().instance(Arc::new(log));
        if let Some(request) = &self.request {
            bindings.bind::<Request>().instance(Arc::new(request.clone()));
        }
    }
}
