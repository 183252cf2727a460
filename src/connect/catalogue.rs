//! What requests are about: assets, tier configurations, products, and what is said about them.

use serde_json::{Value, json};

use super::resource::resource;
use super::{ApiError, Client, Collection, Rql};

impl Client {
    /// Assets, which Connect also calls subscriptions: `assets`.
    #[must_use]
    pub fn assets(&self) -> Collection {
        self.collection("assets")
    }

    /// Tier configurations: `tier/configs`.
    #[must_use]
    pub fn tier_configs(&self) -> Collection {
        self.collection("tier/configs")
    }

    /// Tier accounts: `tier/accounts`.
    #[must_use]
    pub fn tier_accounts(&self) -> Collection {
        self.collection("tier/accounts")
    }

    /// Products: `products`.
    #[must_use]
    pub fn products(&self) -> Collection<Product> {
        Collection::new(self.clone(), "products")
    }

    /// Conversations: `conversations`. Connect makes them, one for each request.
    #[must_use]
    pub fn conversations(&self) -> Collection<Conversation> {
        Collection::new(self.clone(), "conversations")
    }
}

resource! {
    /// One product, `PRD-...`.
    ///
    /// ```no_run
    /// # async fn example(client: connect_console::connect::Client) -> Result<(), connect_console::connect::ApiError> {
    /// use connect_console::connect::Rql;
    ///
    /// let activation = Rql::eq("scope", "asset").and(Rql::eq("type", "fulfillment"));
    /// let template = client.products().id("PRD-123-456-789").templates().filter(activation).first().await?;
    /// # Ok(())
    /// # }
    /// ```
    Product
}

impl Product {
    /// Its templates: `scope` is `asset`, `tier1` or `tier2`, `type` is `inquire`, `fulfillment` or `pending`.
    #[must_use]
    pub fn templates(&self) -> Collection {
        self.collection("templates")
    }

    /// Its parameters.
    #[must_use]
    pub fn parameters(&self) -> Collection {
        self.collection("parameters")
    }

    /// Its items.
    #[must_use]
    pub fn items(&self) -> Collection {
        self.collection("items")
    }
}

impl Collection<Conversation> {
    /// Only those about an object: `PR-...`, `TCR-...`.
    #[must_use]
    pub fn about(self, object_id: &str) -> Self {
        self.filter(Rql::eq("instance_id", object_id))
    }
}

resource! {
    /// One conversation, by its id or by the id of the object it is about.
    Conversation
}

impl Conversation {
    /// Says something in it.
    ///
    /// # Errors
    /// [`ApiError`], as for every call.
    pub async fn say(&self, text: &str) -> Result<Value, ApiError> {
        self.collection("messages").create(&json!({"type": "message", "text": text})).await
    }

    /// What was said in it.
    #[must_use]
    pub fn messages(&self) -> Collection {
        self.collection("messages")
    }
}
