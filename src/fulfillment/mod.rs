//! The fulfilment framework: an extension's decisions as *transactions*, one of which a *saga* selects and runs.
//!
//! A [`Saga`] asks its [`Transaction`]s in order whether they should execute; the first that says yes is run inside the
//! [`Middleware`]s, the first listed outermost, and when it fails its `compensate` decides what to answer. Every
//! decision, middleware, execution and compensation is a step of the delivery's trace (see [`trace`](self#traces)).
//!
//! ```
//! use connect_console::extension::{Background, Context, HandlerError};
//! use connect_console::fulfillment::{FnTransaction, Request, Saga};
//! use serde_json::Value;
//! use std::time::Duration;
//!
//! async fn purchase(cx: Context, request: Value) -> Result<Background, HandlerError> {
//!     let saga = Saga::new("purchase")
//!         .transaction(FnTransaction::new(
//!             "create user",
//!             |_, request| async move { Ok(request.get("/asset/external_uid").is_none()) },
//!             |_, request| async move {
//!                 request.update(|raw| raw["asset"]["external_uid"] = "u-1".into());
//!                 Ok(Background::Reschedule(Duration::from_secs(30)))
//!             },
//!         ))
//!         .transaction(FnTransaction::new("approve", |_, _| async { Ok(true) }, |_, _| async { Ok(Background::Done) }));
//!     saga.resolve(&cx, &Request::from(request)).await
//! }
//! ```
//!
//! # Traces
//! Each step's start carries the request as it was found (except a decision's), its end the request as it was left if
//! that changed, and the answer or the error in words.

mod container;
mod kinds;
mod log;
mod middleware;
mod offline;
mod provider;
mod request;
mod saga;
mod select;
mod sequence;
#[cfg(test)]
mod tests;
mod trace;
mod transaction;

pub mod cache;
pub mod objects;

pub use container::{Bind, Bindings, Chain, Container, ContainerError, FromContainer, Needs};
pub use kinds::{
    FnInteractive, FnScheduled, FnValidation, Handled, InteractiveTransaction, ScheduledTransaction, ValidationTransaction,
    interactive, scheduled, validation,
};
pub use log::{Log, mask};
pub use middleware::{FnMiddleware, Middleware, Next};
pub use offline::{
    ApproveOnMatch, Offline, OfflineProvider, OfflineRule, OfflineRules, OnMatch, SkipOnMatch, ends, listed,
    listed_for_marketplace, listed_on_asset,
};
pub use provider::{ConfigurationProvider, ConnectProvider, ServiceProvider};
pub use request::Request;
pub use saga::Saga;
pub use select::{Prepared, prepare, select};
pub use sequence::{FnStep, Left, Sequence, SequenceError, SequenceStep};
pub use transaction::{FnTransaction, Transaction, TransactionError};
