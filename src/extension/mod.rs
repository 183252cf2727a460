//! What an extension author writes against: an [`Extension`] is a name, declarations and handlers.
//!
//! ```
//! use connect_console::extension::{Background, Context, Extension, HandlerError};
//! use serde_json::Value;
//!
//! async fn purchase(cx: Context, request: Value) -> Result<Background, HandlerError> {
//!     cx.info(format!("a purchase: {}", request["id"]));
//!     Ok(Background::Done)
//! }
//!
//! let extension = Extension::new("greeter", "0.1.0")
//!     .variable("GREETING", "hello")
//!     .secure_variable("TOKEN", "change-me")
//!     .background("asset_purchase_request_processing", &["pending"], purchase);
//! # assert_eq!(extension.name(), "greeter");
//! ```
//!
//! A handler takes the object as the type it wants: a [`Value`] has everything in it; a struct names the fields that matter,
//! and the others are passed over without being read; a [`Body`] is read when somebody looks into it. An object that isn't
//! what the handler wants is reported like every error of a handler, with the place.
//!
//! ```
//! use connect_console::extension::{Background, Context, Extension, HandlerError};
//! use serde::Deserialize;
//!
//! #[derive(Deserialize)]
//! struct Purchase {
//!     id: String,
//!     asset: Asset,
//! }
//!
//! #[derive(Deserialize)]
//! struct Asset {
//!     external_id: String,
//! }
//!
//! async fn purchase(cx: Context, request: Purchase) -> Result<Background, HandlerError> {
//!     cx.info(format!("{} is for {}", request.id, request.asset.external_id));
//!     Ok(Background::Done)
//! }
//!
//! let extension =
//!     Extension::new("greeter", "0.1.0").background("asset_purchase_request_processing", &["pending"], purchase);
//! ```
//!
//! The declarations are what `connect-eaas-core`'s decorators (`@event`, `@variables`, `@schedulable`) declare; the
//! answers are its response classes.

mod context;
mod response;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;

use futures::future::BoxFuture;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

pub use context::{Config, Context, TaskInfo};
pub use response::{Background, Interactive, Scheduled};

use crate::observe::{Body, Scope};
use crate::protocol::{Repository, Schedulable, SetupRequest, VariableDeclaration};

/// Whatever went wrong in a handler: the task becomes a `retry` (an interactive one a `fail`) with this as its report.
pub type HandlerError = Box<dyn std::error::Error + Send + Sync>;

/// A handler as the runtime calls it.
pub type Handler<R> = Arc<dyn Fn(Context, Body) -> BoxFuture<'static, Result<R, HandlerError>> + Send + Sync>;

/// A hook called once when the runtime starts or stops, with the variables of that moment.
pub type Hook = Arc<dyn Fn(Config, Scope) -> BoxFuture<'static, Result<(), HandlerError>> + Send + Sync>;

/// What handles an event type.
#[derive(Clone)]
#[non_exhaustive]
pub enum EventHandler {
    /// The object is fetched, the answer may be to deliver it again.
    Background(Handler<Background>),
    /// Somebody waits for the answer.
    Interactive(Handler<Interactive>),
}

/// A subscription to an event type.
#[derive(Clone)]
pub struct Subscription {
    /// The statuses an object must be in to be handled; empty where the event has none.
    pub statuses: Vec<String>,
    /// What handles it.
    pub handler: EventHandler,
}

/// An extension: declarations and handlers. See the [module](self).
#[derive(Clone)]
pub struct Extension {
    name: String,
    version: String,
    subscriptions: BTreeMap<String, Subscription>,
    variables: Vec<VariableDeclaration>,
    schedulables: Vec<(Schedulable, Handler<Scheduled>)>,
    audience: Vec<String>,
    repository: Repository,
    on_startup: Option<Hook>,
    on_shutdown: Option<Hook>,
}

impl Extension {
    /// An extension that does nothing yet.
    pub fn new(name: impl Into<String>, version: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            version: version.into(),
            subscriptions: BTreeMap::new(),
            variables: Vec::new(),
            schedulables: Vec::new(),
            audience: Vec::new(),
            repository: Repository::default(),
            on_startup: None,
            on_shutdown: None,
        }
    }

    /// Declares a variable with the value it gets when it is created.
    #[must_use]
    pub fn variable(self, name: &str, initial_value: &str) -> Self {
        self.declare(name, initial_value, false)
    }

    /// Declares a secret variable.
    #[must_use]
    pub fn secure_variable(self, name: &str, initial_value: &str) -> Self {
        self.declare(name, initial_value, true)
    }

    fn declare(mut self, name: &str, initial_value: &str, secure: bool) -> Self {
        self.variables.push(VariableDeclaration { name: name.into(), initial_value: initial_value.into(), secure });
        self
    }

    /// Handles a background event for objects in one of `statuses`.
    #[must_use]
    pub fn background<T, F, Fut>(mut self, event_type: &str, statuses: &[&str], handler: F) -> Self
    where
        T: DeserializeOwned + Send + 'static,
        F: Fn(Context, T) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Background, HandlerError>> + Send + 'static,
    {
        let handler = EventHandler::Background(taking(handler));
        let statuses = statuses.iter().map(|s| (*s).to_owned()).collect();
        self.subscriptions.insert(event_type.into(), Subscription { statuses, handler });
        self
    }

    /// Handles an interactive event: a validation (`statuses` is `["draft"]`), a product action, a custom event.
    #[must_use]
    pub fn interactive<T, F, Fut>(mut self, event_type: &str, statuses: &[&str], handler: F) -> Self
    where
        T: DeserializeOwned + Send + 'static,
        F: Fn(Context, T) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Interactive, HandlerError>> + Send + 'static,
    {
        let handler = EventHandler::Interactive(taking(handler));
        let statuses = statuses.iter().map(|s| (*s).to_owned()).collect();
        self.subscriptions.insert(event_type.into(), Subscription { statuses, handler });
        self
    }

    /// Offers a method for schedules; it is called with the schedule object.
    #[must_use]
    pub fn schedulable<T, F, Fut>(mut self, method: &str, name: &str, description: &str, handler: F) -> Self
    where
        T: DeserializeOwned + Send + 'static,
        F: Fn(Context, T) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Scheduled, HandlerError>> + Send + 'static,
    {
        let schedulable = Schedulable { method: method.into(), name: name.into(), description: description.into() };
        self.schedulables.push((schedulable, taking(handler)));
        self
    }

    /// Says who may install it: `vendor`, `distributor`, `reseller`.
    #[must_use]
    pub fn audience(mut self, roles: &[&str]) -> Self {
        self.audience = roles.iter().map(|r| (*r).to_owned()).collect();
        self
    }

    /// Says where to read about it.
    #[must_use]
    pub fn repository(mut self, readme_url: &str, changelog_url: &str) -> Self {
        self.repository = Repository { readme_url: Some(readme_url.into()), changelog_url: Some(changelog_url.into()) };
        self
    }

    /// Is called once, after the first configuration has arrived.
    #[must_use]
    pub fn on_startup<F, Fut>(mut self, hook: F) -> Self
    where
        F: Fn(Config, Scope) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), HandlerError>> + Send + 'static,
    {
        self.on_startup = Some(Arc::new(move |config, scope| Box::pin(hook(config, scope))));
        self
    }

    /// Is called once, when the runtime stops.
    #[must_use]
    pub fn on_shutdown<F, Fut>(mut self, hook: F) -> Self
    where
        F: Fn(Config, Scope) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), HandlerError>> + Send + 'static,
    {
        self.on_shutdown = Some(Arc::new(move |config, scope| Box::pin(hook(config, scope))));
        self
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its version.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The subscription to an event type.
    #[must_use]
    pub fn subscription(&self, event_type: &str) -> Option<&Subscription> {
        self.subscriptions.get(event_type)
    }

    /// All subscriptions, by event type.
    pub fn subscriptions(&self) -> impl Iterator<Item = (&str, &Subscription)> {
        self.subscriptions.iter().map(|(event_type, subscription)| (event_type.as_str(), subscription))
    }

    /// The handler of a schedulable method.
    #[must_use]
    pub fn scheduled(&self, method: &str) -> Option<&Handler<Scheduled>> {
        self.schedulables.iter().find(|(s, _)| s.method == method).map(|(_, handler)| handler)
    }

    /// The declared variables.
    #[must_use]
    pub fn variables(&self) -> &[VariableDeclaration] {
        &self.variables
    }

    /// The start-up hook.
    #[must_use]
    pub fn startup_hook(&self) -> Option<&Hook> {
        self.on_startup.as_ref()
    }

    /// The shutdown hook.
    #[must_use]
    pub fn shutdown_hook(&self) -> Option<&Hook> {
        self.on_shutdown.as_ref()
    }

    /// What the runtime tells Connect about it.
    #[must_use]
    pub fn setup_request(&self) -> SetupRequest {
        let subscriptions: Map<String, Value> =
            self.subscriptions.iter().map(|(event_type, s)| (event_type.clone(), s.statuses.clone().into())).collect();
        SetupRequest {
            event_subscriptions: Some(subscriptions),
            variables: Some(self.variables.clone()),
            schedulables: Some(self.schedulables.iter().map(|(s, _)| s.clone()).collect()),
            audience: (!self.audience.is_empty()).then(|| self.audience.clone()),
            repository: Some(self.repository.clone()),
            runner_version: Some(env!("CARGO_PKG_VERSION").into()),
            ..SetupRequest::default()
        }
    }
}

/// The handler as the runtime calls it: with what came, read as what it takes.
fn taking<T, R, F, Fut>(handler: F) -> Handler<R>
where
    T: DeserializeOwned + Send + 'static,
    F: Fn(Context, T) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<R, HandlerError>> + Send + 'static,
    R: Send + 'static,
{
    Arc::new(move |cx, object| match object.read() {
        Ok(object) => Box::pin(handler(cx, object)),
        Err(error) => {
            let wanted = std::any::type_name::<T>();
            Box::pin(std::future::ready(Err(format!("the object is no `{wanted}`, which the handler takes: {error}").into())))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_setup_request_says_what_was_declared() {
        let extension = Extension::new("x", "1")
            .variable("PLAIN", "p")
            .secure_variable("SECRET", "s")
            .background("asset_purchase_request_processing", &["pending"], |_, _: Body| async { Ok(Background::Done) })
            .interactive("product_action_execution", &[], |_, data: Value| async { Ok(Interactive::ok(data)) });
        let request = serde_json::to_value(extension.setup_request()).unwrap();
        assert_eq!(request["event_subscriptions"]["asset_purchase_request_processing"], serde_json::json!(["pending"]));
        assert_eq!(request["event_subscriptions"]["product_action_execution"], serde_json::json!([]));
        assert_eq!(request["variables"][1], serde_json::json!({"name": "SECRET", "initial_value": "s", "secure": true}));
        assert_eq!(request["schedulables"], serde_json::json!([]));
    }
}
