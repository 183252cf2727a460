//! The requests an extension answers: of assets, and of tier configurations.

use serde_json::{Map, Value, json};

use super::resource::resource;
use super::{ApiError, Client, Collection, Param};

impl Client {
    /// Fulfilment requests of assets: `requests`.
    #[must_use]
    pub fn requests(&self) -> Collection<AssetRequest> {
        Collection::new(self.clone(), "requests")
    }

    /// Tier configuration requests: `tier/config-requests`.
    #[must_use]
    pub fn tier_config_requests(&self) -> Collection<TierConfigRequest> {
        Collection::new(self.clone(), "tier/config-requests")
    }
}

/// With what a request is approved.
///
/// ```
/// use connect_console::connect::Approve;
///
/// let approve = Approve::template("TL-1").effective_date("2024-05-01T00:00:00+00:00");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approve {
    by: By,
    effective_date: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum By {
    Template(String),
    Tile(String),
}

impl Approve {
    /// With an activation template of the product, `TL-...`.
    pub fn template(id: impl Into<String>) -> Self {
        Self { by: By::Template(id.into()), effective_date: None }
    }

    /// With a text of its own; requests of assets only, and Connect means to drop it.
    pub fn tile(text: impl Into<String>) -> Self {
        Self { by: By::Tile(text.into()), effective_date: None }
    }

    /// Says since when it holds, in ISO 8601.
    #[must_use]
    pub fn effective_date(mut self, date: impl Into<String>) -> Self {
        self.effective_date = Some(date.into());
        self
    }

    fn flat(&self) -> Value {
        let mut body = Map::new();
        match &self.by {
            By::Template(id) => body.insert("template_id".into(), id.as_str().into()),
            By::Tile(text) => body.insert("activation_tile".into(), text.as_str().into()),
        };
        self.dated(body)
    }

    fn nested(&self) -> Result<Value, ApiError> {
        match &self.by {
            By::Template(id) => {
                Ok(json!({"template": self.dated(Map::from_iter([("id".to_owned(), Value::from(id.as_str()))]))}))
            }
            By::Tile(_) => Err(ApiError::Settings("a tier configuration request is approved with a template, not a tile".into())),
        }
    }

    fn dated(&self, mut body: Map<String, Value>) -> Value {
        if let Some(date) = &self.effective_date {
            body.insert("effective_date".into(), date.as_str().into());
        }
        body.into()
    }
}

resource! {
    /// One request of an asset. Every action answers the request as it is after it.
    ///
    /// ```no_run
    /// # async fn example(client: connect_console::connect::Client) -> Result<(), connect_console::connect::ApiError> {
    /// use connect_console::connect::{Approve, Param};
    ///
    /// let request = client.requests().id("PR-1234-5678-001");
    /// request.update_params(&[Param::new("user_id").value("u-1")]).await?;
    /// request.approve(Approve::template("TL-123-456-789")).await?;
    /// # Ok(())
    /// # }
    /// ```
    AssetRequest
}

impl AssetRequest {
    /// Approves it: the end of the request, and its asset is as it was asked for.
    ///
    /// # Errors
    /// [`ApiError`], as for every call.
    pub async fn approve(&self, with: Approve) -> Result<Value, ApiError> {
        self.action("approve", Some(&with.flat())).await
    }

    /// Rejects it, and says why.
    ///
    /// # Errors
    /// [`ApiError`], as for every call; `REQ_005` without a reason.
    pub async fn fail(&self, reason: &str) -> Result<Value, ApiError> {
        self.action("fail", Some(&json!({"reason": reason}))).await
    }

    /// Asks the customer for other parameters, with an inquiring template.
    ///
    /// # Errors
    /// [`ApiError`], as for every call; `REQ_003` while no parameter is marked as wrong.
    pub async fn inquire(&self, template_id: &str) -> Result<Value, ApiError> {
        self.action("inquire", Some(&json!({"template_id": template_id}))).await
    }

    /// Makes an inquiring one pending again.
    ///
    /// # Errors
    /// [`ApiError`], as for every call.
    pub async fn pend(&self) -> Result<Value, ApiError> {
        self.action("pend", None).await
    }

    /// Puts it off until a date in ISO 8601.
    ///
    /// # Errors
    /// [`ApiError`], as for every call.
    pub async fn schedule(&self, planned_date: &str) -> Result<Value, ApiError> {
        self.action("schedule", Some(&json!({"planned_date": planned_date}))).await
    }

    /// Changes fulfilment parameters of the asset, or marks ordering parameters as wrong.
    ///
    /// # Errors
    /// [`ApiError`], as for every call; `REQ_003` when the request is neither pending, draft nor inquiring.
    pub async fn update_params(&self, params: &[Param]) -> Result<Value, ApiError> {
        self.update(&json!({"asset": {"params": Param::bodies(params)}})).await
    }
}

resource! {
    /// One request of a tier configuration.
    TierConfigRequest
}

impl TierConfigRequest {
    /// Approves it.
    ///
    /// # Errors
    /// [`ApiError`], as for every call, and for an [`Approve::tile`], which there is none of here.
    pub async fn approve(&self, with: Approve) -> Result<Value, ApiError> {
        self.action("approve", Some(&with.nested()?)).await
    }

    /// Rejects it, and says why.
    ///
    /// # Errors
    /// [`ApiError`], as for every call.
    pub async fn fail(&self, reason: &str) -> Result<Value, ApiError> {
        self.action("fail", Some(&json!({"reason": reason}))).await
    }

    /// Asks for other parameters.
    ///
    /// # Errors
    /// [`ApiError`], as for every call.
    pub async fn inquire(&self) -> Result<Value, ApiError> {
        self.action("inquire", None).await
    }

    /// Makes an inquiring one pending again.
    ///
    /// # Errors
    /// [`ApiError`], as for every call.
    pub async fn pend(&self) -> Result<Value, ApiError> {
        self.action("pend", None).await
    }

    /// Changes its parameters, or marks them as wrong.
    ///
    /// # Errors
    /// [`ApiError`], as for every call.
    pub async fn update_params(&self, params: &[Param]) -> Result<Value, ApiError> {
        self.update(&json!({"params": Param::bodies(params)})).await
    }
}
