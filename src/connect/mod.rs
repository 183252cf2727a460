//! The Connect REST API: what an extension asks and does besides answering its tasks.

mod client;
mod error;
mod retry;
pub mod tls;

pub use client::{Client, ClientBuilder, Page};
pub use error::ApiError;
