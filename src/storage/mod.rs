//! Document storage: one trait, [`Store`], and two ways to a MongoDB: [`Driver`] over TCP and [`DataApi`] over HTTP.
//!
//! [`Settings`] say where it is, [`connect`] opens it, [`Stores`] keeps it open as long as the settings stay the same, and
//! [`Observed`] reports what is done with it. Documents are BSON everywhere; text forms are Extended JSON ([`query`]).
//! What one backend cannot do it says ([`StoreError::Unsupported`]), with the reason.

mod data_api;
mod driver;
mod observed;
pub mod query;
mod settings;
mod stores;

use async_trait::async_trait;
use bson::{Bson, Document};
use thiserror::Error;

pub use self::data_api::DataApi;
pub use self::driver::Driver;
pub use self::observed::Observed;
pub use self::settings::Settings;
pub use self::stores::{Stores, connect};
pub use crate::observe::Backend;

/// A collection of a database.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Namespace {
    /// The database.
    pub database: String,
    /// The collection.
    pub collection: String,
}

impl Namespace {
    /// `database.collection`.
    pub fn new(database: impl Into<String>, collection: impl Into<String>) -> Self {
        Self { database: database.into(), collection: collection.into() }
    }
}

/// What to find, in which order, and how much of it. The default finds everything.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Find {
    /// MongoDB's query language.
    pub filter: Document,
    /// Which fields to return.
    pub projection: Option<Document>,
    /// In which order.
    pub sort: Option<Document>,
    /// How many to pass over first.
    pub skip: Option<u64>,
    /// How many at most.
    pub limit: Option<u64>,
}

/// A place documents are kept in. Timeouts are the implementation's: no call hangs for ever.
#[async_trait]
pub trait Store: Send + Sync {
    /// Which way it goes.
    fn backend(&self) -> Backend;

    /// Inserts one document and returns its `_id`, made by the store where the document has none.
    async fn insert_one(&self, at: &Namespace, document: Document) -> Result<Bson, StoreError>;

    /// The documents that match, in order.
    async fn find(&self, at: &Namespace, query: &Find) -> Result<Vec<Document>, StoreError>;

    /// The first document that matches.
    async fn find_one(&self, at: &Namespace, query: &Find) -> Result<Option<Document>, StoreError> {
        let query = Find { limit: Some(1), ..query.clone() };
        Ok(self.find(at, &query).await?.into_iter().next())
    }

    /// How many documents match.
    async fn count(&self, at: &Namespace, filter: &Document) -> Result<u64, StoreError>;

    /// Deletes what matches and returns how many that were.
    async fn delete_many(&self, at: &Namespace, filter: &Document) -> Result<u64, StoreError>;

    /// The collections of a database, by name.
    async fn collections(&self, database: &str) -> Result<Vec<String>, StoreError>;
}

/// Why a store could not do what was asked. The texts name what to look at and carry no secret.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The settings don't say where the store is, or say it wrongly.
    #[error("{0}")]
    Settings(String),
    /// The store was not reached, or did not answer in time.
    #[error("{backend} backend: {server} was not reached: {reason}")]
    Unreachable {
        /// Which way.
        backend: Backend,
        /// Where to.
        server: String,
        /// What happened.
        reason: String,
    },
    /// The store wants other credentials.
    #[error("{backend} backend: {server} refused the credentials: {reason}")]
    Unauthorized {
        /// Which way.
        backend: Backend,
        /// Where to.
        server: String,
        /// What it said.
        reason: String,
    },
    /// The store answered with an error.
    #[error("{backend} backend: {operation} failed: {message}{}", code.map(|c| format!(" (code {c})")).unwrap_or_default())]
    Refused {
        /// Which way.
        backend: Backend,
        /// MongoDB's name of the operation.
        operation: &'static str,
        /// MongoDB's error code, where there is one.
        code: Option<i32>,
        /// What it said.
        message: String,
    },
    /// This backend cannot do that at all.
    #[error("the {backend} backend cannot {operation}: {reason}")]
    Unsupported {
        /// Which way.
        backend: Backend,
        /// What was asked.
        operation: &'static str,
        /// Why not.
        reason: &'static str,
    },
}
