//! What a fulfilment request is made of, with readers and writers: [`Asset`]s and [`TierConfiguration`]s.
//!
//! An [`Object`] is a copy of a part of the request; [`Request::change_asset`](super::Request::change_asset) and its like put
//! the changed one back. Parameters and items are known by their ids and never double: who writes one that is there
//! changes it.
//!
//! ```
//! use connect_console::connect::Param;
//! use connect_console::fulfillment::Request;
//! use serde_json::json;
//!
//! let request = Request::from(json!({"type": "purchase", "asset": {"id": "AS-1", "params": [{"id": "seats", "value": "5"}]}}));
//! request.change_asset(|asset| {
//!     asset.set_param(Param::new("user_id").value("u-1"));
//!     asset.set_param(Param::new("seats").error("only 3 are left"));
//! });
//! let asset = request.asset();
//! assert_eq!(asset.param_text("user_id"), Some("u-1"));
//! assert_eq!(asset.param("seats")?["value_error"], "only 3 are left");
//! # Ok::<(), connect_console::fulfillment::objects::ObjectError>(())
//! ```

mod actions;
mod asset;
mod lists;
mod merge;
mod model;
mod object;
#[cfg(test)]
mod tests;

use thiserror::Error;

pub use asset::{Asset, Tier, TierConfiguration};
pub use merge::merge;
pub use model::Model;
pub use object::Object;

/// What an object does not have, or is not.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ObjectError {
    /// A JSON value that is no object.
    #[error("no {kind}: that is a JSON object, and this is {found}")]
    NoObject {
        /// What was wanted.
        kind: &'static str,
        /// What there was.
        found: &'static str,
    },
    /// There is no such parameter.
    #[error("the {of} has no parameter `{id}`")]
    MissingParameter {
        /// What should have it: an asset, a tier configuration, a request, a configuration, an item.
        of: String,
        /// Which.
        id: String,
    },
    /// There is no such item.
    #[error("the asset has no item `{id}`")]
    MissingItem {
        /// Which.
        id: String,
    },
}
