//! Write, run and look into CloudBlue Connect extensions.
//!
//! An extension is a program that Connect sends *tasks* to over a WebSocket: it fetches the object a task names over
//! REST, acts, and answers. This crate is two things: the library such an extension is written against, and the
//! terminal console it is developed in.
//!
//! The library face ([`extension`], [`fulfillment`], [`storage`], [`connect`], [`runtime`], and below them [`protocol`]
//! and [`observe`]) builds without the terminal (`default-features = false`): an extension is deployed headless. The
//! rest, behind the feature `console`, is the developer's session around it.

#![forbid(unsafe_code)]

pub mod connect;
pub mod extension;
pub mod fulfillment;
pub mod observe;
pub mod probe;
pub mod protocol;
pub mod runtime;
pub mod storage;
pub mod tutorial;

#[cfg(feature = "console")]
pub mod authority;
#[cfg(feature = "console")]
pub mod cli;
#[cfg(feature = "console")]
pub mod console;
#[cfg(feature = "console")]
mod exchange;
#[cfg(feature = "console")]
pub mod journal;
#[cfg(feature = "console")]
pub mod platform;
#[cfg(feature = "console")]
pub mod relay;
#[cfg(feature = "console")]
pub mod replay;
#[cfg(feature = "console")]
pub mod sagas;
#[cfg(feature = "console")]
pub mod sandbox;
#[cfg(feature = "console")]
pub mod workbench;

/// Runs connect-console around your extension: the whole `main` of an extension written in Rust.
///
/// Without arguments it opens the console; `run --headless --remote` runs the extension against a real Connect.
///
/// ```no_run
/// use connect_console::extension::{Background, Extension};
/// use serde_json::Value;
///
/// fn main() -> std::process::ExitCode {
///     let extension = Extension::new("greeter", "0.1.0")
///         .background("asset_purchase_request_processing", &["pending"], |_cx, _request: Value| async { Ok(Background::Done) });
///     connect_console::main(extension)
/// }
/// ```
#[cfg(feature = "console")]
#[must_use]
pub fn main(extension: extension::Extension) -> std::process::ExitCode {
    cli::main(workbench::Source::Given(Box::new(extension)))
}
