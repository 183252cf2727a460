//! The example extension of Connect's documentation, in Rust: it saves every subscription request to MongoDB, once
//! through the HTTP Data API and once through the driver. It is what the console runs when it is given nothing else.

mod save;
#[cfg(test)]
mod tests;

use serde_json::Value;

use crate::extension::{Context, Extension};
use crate::fulfillment::{Request, Saga};
use crate::observe::Secret;
use crate::storage::Stores;
use save::SaveRequest;

/// The events it saves the request of.
const EVENTS: [&str; 6] = [
    "asset_purchase_request_processing",
    "asset_change_request_processing",
    "asset_suspend_request_processing",
    "asset_resume_request_processing",
    "asset_cancel_request_processing",
    "asset_adjustment_request_processing",
];

/// What the variables that depend on the place are created with: in the console, where the sandbox is.
#[derive(Debug, Clone, Default)]
pub struct Defaults {
    /// `DATA_API_ENDPOINT`.
    pub data_api_endpoint: String,
    /// `API_KEY`.
    pub api_key: Secret,
    /// `DB_HOST`.
    pub db_host: String,
    /// `DB_USER`.
    pub db_user: String,
    /// `DB_PASSWORD`.
    pub db_password: Secret,
}

/// The tutorial with the documentation's variables, those that depend on the place empty.
#[must_use]
pub fn extension() -> Extension {
    extension_with(Defaults::default())
}

/// The tutorial with the documentation's variables. Connections are kept between tasks, and made anew when the variables
/// change.
#[must_use]
pub fn extension_with(defaults: Defaults) -> Extension {
    let stores = Stores::default();
    let declared = Extension::new("tutorial", env!("CARGO_PKG_VERSION"))
        .variable("DATA_API_ENDPOINT", &defaults.data_api_endpoint)
        .secure_variable("API_KEY", defaults.api_key.reveal())
        .variable("CLUSTER", "Cluster0")
        .variable("DB", "tutorial")
        .variable("HTTP_COLLECTION", "http_requests")
        .variable("DB_HOST", &defaults.db_host)
        .variable("DB_USER", &defaults.db_user)
        .secure_variable("DB_PASSWORD", defaults.db_password.reveal())
        .variable("DRIVER_COLLECTION", "driver_requests");
    EVENTS.into_iter().fold(declared, |extension, event_type| {
        let stores = stores.clone();
        extension.background(event_type, &["pending"], move |cx: Context, request: Value| {
            let saga = Saga::new("save").transaction(SaveRequest::new(stores.clone()));
            async move {
                let request = Request::from(request);
                cx.info(format!("Event received: {} for {}", cx.task.event_type, request.id()));
                saga.resolve(&cx, &request).await
            }
        })
    })
}
