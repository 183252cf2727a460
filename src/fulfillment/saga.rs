use std::sync::Arc;

use serde_json::Value;

use super::cache::CacheProvider;
use super::kinds::Handled;
use super::{
    Bindings, ConfigurationProvider, ConnectProvider, Container, ContainerError, FromContainer, Middleware, Needs, Next,
    OfflineProvider, Request, ServiceProvider, Transaction, prepare, select, trace,
};
use crate::connect::Client;
use crate::extension::{Background, Config, Context, HandlerError};
use crate::observe::{Scope, StepKind};

/// Transactions to select from, and middlewares around whichever is selected: ready ones, or built from a
/// [`Container`] for each request.
///
/// The container has what the [providers](ServiceProvider) bind: those of the task (its variables, its client, a log and the
/// request), a cache, the rules of offline mode, and the extension's own. It is made only when something is to be built.
#[derive(Clone)]
pub struct Saga {
    name: String,
    transactions: Vec<Part<dyn Transaction>>,
    middlewares: Vec<Part<dyn Middleware>>,
    connect: Option<ConnectProvider>,
    providers: Vec<Arc<dyn ServiceProvider>>,
    swaps: Vec<Swap>,
}

type Swap = Arc<dyn Fn(&mut Bindings) + Send + Sync>;
type Build<T> = Arc<dyn Fn(&Container) -> Result<Arc<T>, ContainerError> + Send + Sync>;

enum Part<T: ?Sized> {
    Ready(Arc<T>),
    Built(Build<T>),
}

impl<T: ?Sized> Clone for Part<T> {
    fn clone(&self) -> Self {
        match self {
            Self::Ready(part) => Self::Ready(Arc::clone(part)),
            Self::Built(build) => Self::Built(Arc::clone(build)),
        }
    }
}

impl Saga {
    /// A saga without transactions yet; what is built gets variables, client and log of the task.
    pub fn new(name: impl Into<String>) -> Self {
        let (transactions, middlewares) = (Vec::new(), Vec::new());
        Self { name: name.into(), transactions, middlewares, connect: None, providers: Vec::new(), swaps: Vec::new() }
    }

    /// The same, where what is built gets these variables, this client and a log that writes to this scope.
    pub fn make(name: impl Into<String>, config: Config, client: Client, log: Scope) -> Self {
        let connect = Some(ConnectProvider::new(client, log));
        Self { connect, ..Self::new(name) }.provider(ConfigurationProvider::new(config))
    }

    /// Adds a transaction, asked after those before it.
    #[must_use]
    pub fn transaction(mut self, transaction: impl Transaction + 'static) -> Self {
        self.transactions.push(Part::Ready(Arc::new(transaction)));
        self
    }

    /// Adds a transaction that is built anew for each request.
    ///
    /// ```
    /// use connect_console::extension::{Background, Context, HandlerError};
    /// use connect_console::fulfillment::{Log, Request, Saga, Transaction, async_trait, cache::Cache};
    /// use connect_console::inject;
    /// use std::sync::Arc;
    ///
    /// struct CreateUser {
    ///     cache: Arc<dyn Cache>,
    ///     log: Arc<Log>,
    ///     api_url: String,
    /// }
    /// inject!(CreateUser { cache, log, api_url: config });
    ///
    /// #[async_trait]
    /// impl Transaction for CreateUser {
    ///     fn name(&self) -> &str {
    ///         "create user"
    ///     }
    ///
    ///     async fn should_execute(&self, _: &Context, request: &Request) -> Result<bool, HandlerError> {
    ///         Ok(request.status() == "pending" && self.cache.has("token").await?)
    ///     }
    ///
    ///     async fn execute(&self, _: &Context, _: &Request) -> Result<Background, HandlerError> {
    ///         self.log.info(format!("asking {}", self.api_url));
    ///         Ok(Background::Done)
    ///     }
    /// }
    ///
    /// let saga = Saga::new("purchase").inject::<CreateUser>();
    /// ```
    #[must_use]
    pub fn inject<T: Transaction + FromContainer + 'static>(self) -> Self {
        self.inject_with(T::from_container)
    }

    /// Adds a transaction that a function makes anew for each request: a sequence of steps, say.
    ///
    /// ```
    /// use connect_console::extension::Background;
    /// use connect_console::fulfillment::{FnStep, Log, Saga, Sequence};
    ///
    /// let saga = Saga::new("purchase").inject_with(|needs| {
    ///     let log = needs.get::<Log>()?;
    ///     let step = FnStep::new("greet", move |_, _| {
    ///         log.info("hello");
    ///         async { Ok(Background::Done) }
    ///     });
    ///     Ok(Sequence::new("greetings", |_, _| async { Ok(true) }).step(step))
    /// });
    /// ```
    #[must_use]
    pub fn inject_with<T: Transaction + 'static>(
        mut self,
        make: impl Fn(&Needs<'_>) -> Result<T, HandlerError> + Send + Sync + 'static,
    ) -> Self {
        self.transactions.push(Part::Built(Arc::new(move |container| Ok(Arc::new(container.make_with(&make)?)))));
        self
    }

    /// Adds a middleware, inside those before it.
    #[must_use]
    pub fn middleware(mut self, middleware: impl Middleware + 'static) -> Self {
        self.middlewares.push(Part::Ready(Arc::new(middleware)));
        self
    }

    /// Adds a middleware that is built anew for each request.
    #[must_use]
    pub fn inject_middleware<M: Middleware + FromContainer + 'static>(mut self) -> Self {
        self.middlewares.push(Part::Built(Arc::new(|container| Ok(Arc::new(container.make::<M>()?)))));
        self
    }

    /// Adds a provider. One with the key of a provider every saga has (`config`, `connect`, `cache`, `offline`) takes its
    /// place.
    #[must_use]
    pub fn provider(mut self, provider: impl ServiceProvider + 'static) -> Self {
        self.providers.push(Arc::new(provider));
        self
    }

    /// Puts other bindings in the place of any that are there: for tests.
    #[must_use]
    pub fn swap(mut self, swap: impl Fn(&mut Bindings) + Send + Sync + 'static) -> Self {
        self.swaps.push(Arc::new(swap));
        self
    }

    /// The container that parts are built from for this request.
    ///
    /// # Errors
    /// [`ContainerError::Conflict`] when providers bind the same.
    pub fn container(&self, cx: &Context, request: &Request) -> Result<Container, ContainerError> {
        let connect = self.connect.clone().unwrap_or_else(|| ConnectProvider::of(cx));
        let standard: [Arc<dyn ServiceProvider>; 4] = [
            Arc::new(ConfigurationProvider::new(cx.config.clone())),
            Arc::new(connect.request(request)),
            Arc::new(CacheProvider::default()),
            Arc::new(OfflineProvider::default()),
        ];
        let replaced = |key: &str| self.providers.iter().any(|own| own.key() == key);
        let container = Container::with(|bindings| {
            for provider in standard.iter().filter(|one| !replaced(one.key())).chain(&self.providers) {
                bindings.provider(provider.as_ref());
            }
        })?;
        self.swaps.iter().try_fold(container, |container, swap| container.swap(|bindings| swap(bindings)))
    }

    /// Selects the transaction for the request and runs it inside the middlewares. All parts are built before a
    /// transaction is asked; nothing but `should_execute` is called before one is selected, no middleware either.
    ///
    /// # Errors
    /// [`ContainerError`], [`TransactionError::NotSelected`](super::TransactionError), what a `should_execute` or a middleware
    /// fails with, and what the compensation of a failed execution passes on.
    pub async fn resolve(&self, cx: &Context, request: &Request) -> Result<Background, HandlerError> {
        let resolution = async {
            let (transactions, middlewares) = self.parts(cx, request)?;
            let transaction = select(cx, &transactions, request).await?;
            let way = Next::new(cx.clone(), middlewares, prepare(Arc::clone(transaction)));
            way.run(request).await
        };
        trace::step(cx, StepKind::Saga, &self.name, request, resolution, trace::answer).await
    }

    /// The saga as a handler for [`Extension::background`](crate::extension::Extension::background).
    ///
    /// ```
    /// use connect_console::extension::Extension;
    /// use connect_console::fulfillment::Saga;
    ///
    /// let purchase = Saga::new("purchase");
    /// let extension =
    ///     Extension::new("x", "1").background("asset_purchase_request_processing", &["pending"], purchase.handler());
    /// ```
    pub fn handler(self) -> impl Fn(Context, Value) -> Handled<Background> + Send + Sync + 'static {
        let saga = Arc::new(self);
        move |cx, request| {
            let saga = Arc::clone(&saga);
            Box::pin(async move { saga.resolve(&cx, &Request::from(request)).await })
        }
    }

    #[allow(clippy::type_complexity)] // both lists, as `select` and `Next` want them
    fn parts(
        &self,
        cx: &Context,
        request: &Request,
    ) -> Result<(Vec<Arc<dyn Transaction>>, Vec<Arc<dyn Middleware>>), ContainerError> {
        let ready = self.transactions.iter().all(Part::is_ready) && self.middlewares.iter().all(Part::is_ready);
        let container = if ready { Container::default() } else { self.container(cx, request)? };
        Ok((built(&self.transactions, &container)?, built(&self.middlewares, &container)?))
    }
}

impl<T: ?Sized> Part<T> {
    fn is_ready(&self) -> bool {
        matches!(self, Self::Ready(_))
    }
}

fn built<T: ?Sized>(parts: &[Part<T>], container: &Container) -> Result<Vec<Arc<T>>, ContainerError> {
    let part = |part: &Part<T>| match part {
        Part::Ready(part) => Ok(Arc::clone(part)),
        Part::Built(build) => build(container),
    };
    parts.iter().map(part).collect()
}
