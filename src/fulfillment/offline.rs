use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use super::{Bindings, FromContainer, Log, Middleware, Needs, Next, Request, ServiceProvider};
use crate::connect::Approve;
use crate::extension::{Background, Context, HandlerError};

/// A rule that says whether a request is about a subscription that is handled elsewhere.
pub type OfflineRule = Arc<dyn Fn(&Request) -> bool + Send + Sync>;

/// When a request is *offline*: all of these rules say so. Without rules none is.
#[derive(Clone, Default)]
pub struct OfflineRules(Vec<OfflineRule>);

impl OfflineRules {
    /// The framework's own: a cancellation or suspension of a subscription that is listed, on itself or for its marketplace.
    #[must_use]
    pub fn standard() -> Self {
        Self::default().rule(listed).rule(ends)
    }

    /// Adds a rule.
    #[must_use]
    pub fn rule(mut self, rule: impl Fn(&Request) -> bool + Send + Sync + 'static) -> Self {
        self.0.push(Arc::new(rule));
        self
    }

    /// Whether there are rules, and all say yes; those after a no are not asked.
    #[must_use]
    pub fn matches(&self, request: &Request) -> bool {
        !self.0.is_empty() && self.0.iter().all(|rule| rule(request))
    }
}

impl fmt::Debug for OfflineRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OfflineRules({})", self.0.len())
    }
}

/// The request cancels or suspends.
#[must_use]
pub fn ends(request: &Request) -> bool {
    matches!(request.request_type().as_str(), "cancel" | "suspend")
}

/// The parameter `offline_mode`, of the request or of its asset, names the asset.
#[must_use]
pub fn listed_on_asset(request: &Request) -> bool {
    let asset = request.asset();
    let names_it = |param: &Value| !asset.id().is_empty() && param["value"] == asset.id();
    request.param("offline_mode").is_ok_and(|param| names_it(&param)) || asset.param("offline_mode").is_ok_and(names_it)
}

/// The configuration parameter `offline_mode_list` of the asset, which a marketplace may set, lists the asset.
#[must_use]
pub fn listed_for_marketplace(request: &Request) -> bool {
    let asset = request.asset();
    let lists_it = |param: &Value| {
        let list = param["structured_value"].as_array();
        !asset.id().is_empty() && list.is_some_and(|ids| ids.iter().any(|id| id == asset.id()))
    };
    asset.configuration_param("offline_mode_list").is_ok_and(lists_it)
}

/// One of the two.
#[must_use]
pub fn listed(request: &Request) -> bool {
    listed_on_asset(request) || listed_for_marketplace(request)
}

/// What is answered for a request that is offline.
#[async_trait]
pub trait OnMatch: Send + Sync {
    /// Answers.
    async fn on_match(&self, cx: &Context, request: &Request) -> Result<Background, HandlerError>;
}

/// Skips the request.
#[derive(Debug, Clone, Copy, Default)]
pub struct SkipOnMatch;

#[async_trait]
impl OnMatch for SkipOnMatch {
    async fn on_match(&self, _: &Context, _: &Request) -> Result<Background, HandlerError> {
        Ok(Background::Skip(Some("the subscription is in offline mode".into())))
    }
}

/// Approves the request with a template and does nothing else.
#[derive(Debug, Clone)]
pub struct ApproveOnMatch {
    template_id: String,
}

impl ApproveOnMatch {
    /// With this template, `TL-...`.
    pub fn new(template_id: impl Into<String>) -> Self {
        Self { template_id: template_id.into() }
    }
}

#[async_trait]
impl OnMatch for ApproveOnMatch {
    async fn on_match(&self, cx: &Context, request: &Request) -> Result<Background, HandlerError> {
        let log = Log::new(cx.scope.clone());
        log.info(format!("The subscription {} is in offline mode.", request.asset().id()));
        request.approve(&cx.client, Approve::template(&self.template_id)).await?;
        Ok(Background::Done)
    }
}

/// The middleware that keeps requests of subscriptions handled elsewhere away from the transactions.
///
/// ```
/// use connect_console::fulfillment::{ApproveOnMatch, Offline, OfflineRules, Saga};
///
/// let saga = Saga::new("cancel").middleware(Offline::new(OfflineRules::standard()).on_match(ApproveOnMatch::new("TL-1")));
/// // or with what is bound for `OfflineRules` and `dyn OnMatch`:
/// let saga = Saga::new("cancel").inject_middleware::<Offline>();
/// ```
///
/// It stands around the transaction that was selected: where none is, it is not asked either.
#[derive(Clone)]
pub struct Offline {
    rules: OfflineRules,
    on_match: Arc<dyn OnMatch>,
}

impl Offline {
    /// Skips what the rules match.
    #[must_use]
    pub fn new(rules: OfflineRules) -> Self {
        Self { rules, on_match: Arc::new(SkipOnMatch) }
    }

    /// Says what to answer instead.
    #[must_use]
    pub fn on_match(mut self, on_match: impl OnMatch + 'static) -> Self {
        self.on_match = Arc::new(on_match);
        self
    }
}

/// Of the [`OfflineRules`] that are bound, and the `dyn OnMatch` if one is.
impl FromContainer for Offline {
    fn from_container(needs: &Needs<'_>) -> Result<Self, HandlerError> {
        let on_match = needs.find::<dyn OnMatch>()?.unwrap_or_else(|| Arc::new(SkipOnMatch));
        Ok(Self { rules: (*needs.get::<OfflineRules>()?).clone(), on_match })
    }
}

#[async_trait]
impl Middleware for Offline {
    fn name(&self) -> &str {
        "offline"
    }

    async fn handle(&self, cx: &Context, request: &Request, next: Next) -> Result<Background, HandlerError> {
        if self.rules.matches(request) { self.on_match.on_match(cx, request).await } else { next.run(request).await }
    }
}

/// Binds [`OfflineRules`]: the standard ones, or those given.
#[derive(Debug, Clone)]
pub struct OfflineProvider(OfflineRules);

impl OfflineProvider {
    /// Binds these rules.
    #[must_use]
    pub fn new(rules: OfflineRules) -> Self {
        Self(rules)
    }
}

impl Default for OfflineProvider {
    fn default() -> Self {
        Self(OfflineRules::standard())
    }
}

impl ServiceProvider for OfflineProvider {
    fn key(&self) -> &str {
        "offline"
    }

    fn register(&self, bindings: &mut Bindings) {
        bindings.bind::<OfflineRules>().instance(Arc::new(self.0.clone()));
    }
}
