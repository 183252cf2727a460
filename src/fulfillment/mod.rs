//! The fulfilment framework: an extension's decisions as *transactions*, one of which a *saga* selects and runs.
//!
//! A [`Saga`] asks its [`Transaction`]s in order whether they should execute; the first that says yes is run inside the
//! [`Middleware`]s, the first listed outermost, and when it fails its `compensate` decides what to answer. Every
//! decision, middleware, execution and compensation is a step of the delivery's trace (see [`trace`](self#traces)).
//!
//! What a transaction needs it is given by a [`Container`]: variables, a client of Connect, a [`Log`], a [`cache`], and
//! whatever the extension's own [`ServiceProvider`]s bind. A transaction of several steps that are undone together is a
//! [`Sequence`]. Requests of subscriptions that are handled elsewhere are kept away by [`Offline`]. What a
//! request is made of is read and written through [`Request`] and [`objects`]. Interactive events, validations and schedules
//! have [transactions of their own](interactive). `examples/onboarding.rs` is all of it in one file.
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

//!
//! # Where it differs from the framework in Python
//! It is modelled on the `rndi` packages for Python (`connect-devops-fulfillment-framework` and those it is made of). These
//! of their quirks are defects, which are not repeated:
//!
//! | there | here |
//! | --- | --- |
//! | things are injected by the name of an argument; one with a default is never filled | by type, and by name where that is said; what may be missing is `optional` |
//! | of two providers of one class only the last counts, silently | both count; two that bind the same are an error that names both |
//! | errors of the container say the one thing that is missing, most leak unwrapped | they name all that needed it; cycles are found |
//! | `bind_class` gives one instance, its README says a new one each time | [`Bind::class`] is shared, [`Bind::each`] is new each time |
//! | variables called `CLIENT`, `LOGGER`, `CACHE`, ... make every resolve fail; `CONFIG` replaces the variables | variables never meet the framework's own parts |
//! | `CACHE_TTL` as text, which variables always are, crashes the first `put` | it is read as a number; a bad one is reported, and there is no cache |
//! | the file cache fails where its directory is missing; keys that differ by `:`, `/`, `_` share a file | the directory is made, for its owner only; each key has its own |
//! | an explicit `ttl` for a default counts or not, by adapter; the file adapter ignores a renewal by 0 | the computation says it, else the adapter's own counts; 0 is over at once |
//! | cached values are pickled Python | they are plain JSON; one of another shape is computed anew |
//! | the bound `on_match` of the offline criteria is never injected | it is |
//! | `renew` and `transfer` are about nothing; a log takes an adjustment of a tier configuration for one of an asset | they are about assets; one rule, [`Request::model`], for all |
//! | changes of an asset the request did not have are lost | [`Request::change_asset`] puts them into the request |
//! | to write an item empties its parameters | they stay |
//! | a missing parameter of an item is a missing item | it is a missing parameter |
//! | the reason of a failure is written before Connect is asked, and stays when it refuses | a refused call leaves the request as it was |
//! | tier configurations are looked for at `tiers/` and `requests/` | at `tier/configs` and `tier/config-requests` |
//! | masked values show their length | eight stars |
//! | each selection prints its tuples to stdout | nothing is printed |
//!
//! Left out: tiers made up at random, cache adapters for servers (an extension adds its own with
//! [`CacheProvider::driver`](cache::CacheProvider::driver)), and `CACHE_SQLITE_CHECK_SAME_THREAD`, which means nothing here.
//!
//! What the test suites of the original pin is a test here, but for what Rust's types rule out (a class or a malformed tuple in the
//! list of transactions, something that is no class asked of the container), callbacks on success and error (a `Result` says
//! it), the server caches, and the two packages that are no part of the framework: its telemetry observer, in whose place
//! `sagas show --otlp` exports a trace, and the authenticator of requests to an extension's own web pages.

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
pub mod container;
pub mod objects;

/// What [`Transaction`], [`Middleware`] and the other traits here are implemented with: `#[async_trait]` above the `impl`.
pub use async_trait::async_trait;
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
