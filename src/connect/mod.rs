//! The Connect REST API: what an extension asks and does besides answering its tasks.
//!
//! [`Client`] knows how to call; what can be called is written as one says it:
//! `client.requests().id("PR-1").approve(Approve::template("TL-1"))`. Lists are [`Collection`]s, filtered by [`Rql`] and
//! read page by page; what has no method of its own is reached by [`Client::collection`] and [`Resource::action`].

mod catalogue;
pub(crate) mod client;
mod error;
mod pages;
mod param;
mod requests;
mod resource;
mod retry;
mod rql;
pub mod tls;

pub use catalogue::{Conversation, Product};
pub use client::{Client, ClientBuilder, Page};
pub use error::ApiError;
pub use pages::Pages;
pub use param::Param;
pub use requests::{Approve, AssetRequest, TierConfigRequest};
pub use resource::{Collection, Resource};
pub use rql::Rql;
