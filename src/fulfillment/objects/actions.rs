use serde_json::Value;

use super::Model;
use crate::connect::{ApiError, Approve, Client, Param};
use crate::fulfillment::Request;

/// What an extension does with a request: done in Connect, and then in the request at hand. What Connect refuses leaves the
/// request as it was. Each works for asset requests and for tier configuration requests.
impl Request {
    /// The request as Connect has it: of a tier configuration (`TCR-...`), or of an asset.
    ///
    /// # Errors
    /// [`ApiError`], as for every call.
    pub async fn find(client: &Client, id: &str) -> Result<Self, ApiError> {
        let raw = if id.starts_with("TCR-") {
            client.tier_config_requests().id(id).get().await?
        } else {
            client.requests().id(id).get().await?
        };
        Ok(raw.into())
    }

    /// Approves it.
    ///
    /// ```no_run
    /// use connect_console::connect::Approve;
    /// use connect_console::extension::{Background, Context, HandlerError};
    /// use connect_console::fulfillment::Request;
    ///
    /// async fn approve(cx: Context, request: Request) -> Result<Background, HandlerError> {
    ///     request.approve(&cx.client, Approve::template("TL-123-456-789")).await?;
    ///     Ok(Background::Done)
    /// }
    /// ```
    ///
    /// # Errors
    /// [`ApiError`], as for every call.
    pub async fn approve(&self, client: &Client, with: Approve) -> Result<(), ApiError> {
        let id = self.id();
        let answer = match self.known()? {
            Known::Asset => client.requests().id(&id).approve(with).await?,
            Known::TierConfig => client.tier_config_requests().id(&id).approve(with).await?,
        };
        self.is_now("approved", &answer);
        Ok(())
    }

    /// Rejects it, and says why.
    ///
    /// # Errors
    /// [`ApiError`], as for every call.
    pub async fn fail(&self, client: &Client, reason: &str) -> Result<(), ApiError> {
        let id = self.id();
        let answer = match self.known()? {
            Known::Asset => client.requests().id(&id).fail(reason).await?,
            Known::TierConfig => client.tier_config_requests().id(&id).fail(reason).await?,
        };
        self.set("reason", reason);
        self.is_now("failed", &answer);
        Ok(())
    }

    /// Asks for other parameters; of an asset with this inquiring template, which a tier configuration does not take.
    ///
    /// # Errors
    /// [`ApiError`], as for every call.
    pub async fn inquire(&self, client: &Client, template_id: &str) -> Result<(), ApiError> {
        let id = self.id();
        let answer = match self.known()? {
            Known::Asset => client.requests().id(&id).inquire(template_id).await?,
            Known::TierConfig => client.tier_config_requests().id(&id).inquire().await?,
        };
        self.is_now("inquiring", &answer);
        Ok(())
    }

    /// Writes parameters, in Connect and here.
    ///
    /// # Errors
    /// [`ApiError`], as for every call.
    pub async fn update_params(&self, client: &Client, params: &[Param]) -> Result<(), ApiError> {
        let id = self.id();
        let (answer, part) = match self.known()? {
            Known::Asset => (client.requests().id(&id).update_params(params).await?, "asset"),
            Known::TierConfig => (client.tier_config_requests().id(&id).update_params(params).await?, "configuration"),
        };
        for part in [part, "params"] {
            if let Some(now) = answer.get(part) {
                self.set(part, now.clone());
            }
        }
        Ok(())
    }

    fn is_now(&self, status: &str, answer: &Value) {
        self.set("status", answer["status"].as_str().unwrap_or(status));
    }

    fn known(&self) -> Result<Known, ApiError> {
        match self.model() {
            Model::Asset => Ok(Known::Asset),
            Model::TierConfig => Ok(Known::TierConfig),
            Model::Undefined => {
                let (id, kind) = (self.id(), self.request_type());
                let text = format!("{id} (type `{kind}`) is neither an asset request nor a tier configuration request");
                Err(ApiError::Settings(text))
            }
        }
    }
}

enum Known {
    Asset,
    TierConfig,
}
