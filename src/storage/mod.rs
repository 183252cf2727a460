//! Document storage: one trait, [`Store`], and two ways to a MongoDB: [`Driver`] over TCP and [`DataApi`] over HTTP.
//!
//! [`Settings`] say where it is, [`connect`] opens it, [`Stores`] keeps it open as long as the settings stay the same, and
//! [`Observed`] reports what is done with it. Documents are BSON everywhere; text forms are Extended JSON ([`query`]).
//! What one backend cannot do it says ([`StoreError::Unsupported`]), with the reason.

mod answer;
mod data_api;
mod driver;
mod error;
mod observed;
mod order;
pub mod query;
mod settings;
mod stores;

use async_trait::async_trait;
use bson::{Bson, Document};
use futures::stream::BoxStream;

/// The documents of a [`Store`], in the version it takes: `use connect_console::storage::bson::doc`.
pub use bson;

pub use self::answer::{DatabaseInfo, Inserted, RefusedDocument, Statistics, Updated};
pub use self::data_api::DataApi;
pub use self::driver::Driver;
pub use self::error::StoreError;
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

/// Documents as they come, page by page; it ends after an error.
pub type Pages = BoxStream<'static, Result<Vec<Document>, StoreError>>;

/// A place documents are kept in. Timeouts are the implementation's: no call hangs for ever.
#[async_trait]
pub trait Store: Send + Sync {
    /// Which way it goes.
    fn backend(&self) -> Backend;

    /// Inserts one document and returns its `_id`, made by the store where the document has none.
    async fn insert_one(&self, at: &Namespace, document: Document) -> Result<Bson, StoreError>;

    /// Inserts all documents it can. Those the store refuses are named in the answer where the backend tells which; the Data
    /// API does not, so there a refusal is an error for all of them.
    async fn insert_many(&self, at: &Namespace, documents: Vec<Document>) -> Result<Inserted, StoreError>;

    /// The documents that match, in order.
    async fn find(&self, at: &Namespace, query: &Find) -> Result<Vec<Document>, StoreError>;

    /// The first document that matches.
    async fn find_one(&self, at: &Namespace, query: &Find) -> Result<Option<Document>, StoreError> {
        let query = Find { limit: Some(1), ..query.clone() };
        Ok(self.find(at, &query).await?.into_iter().next())
    }

    /// The documents that match, page by page, however many they are. Without a sort the Data API gives them by `_id`.
    fn pages(&self, at: &Namespace, query: &Find) -> Pages;

    /// What a pipeline makes of the collection.
    async fn aggregate(&self, at: &Namespace, pipeline: &[Document]) -> Result<Vec<Document>, StoreError>;

    /// What a pipeline makes, page by page where the backend can do that: the Data API answers all of it at once.
    fn made(&self, at: &Namespace, pipeline: &[Document]) -> Pages;

    /// How many documents match.
    async fn count(&self, at: &Namespace, filter: &Document) -> Result<u64, StoreError>;

    /// Changes the first document that matches by update operators (`$set`, ...); with `upsert` inserts one where none
    /// matches.
    async fn update_one(&self, at: &Namespace, filter: &Document, update: &Document, upsert: bool)
    -> Result<Updated, StoreError>;

    /// Changes every document that matches.
    async fn update_many(
        &self,
        at: &Namespace,
        filter: &Document,
        update: &Document,
        upsert: bool,
    ) -> Result<Updated, StoreError>;

    /// Puts another document in place of the first that matches; its `_id` stays.
    async fn replace_one(
        &self,
        at: &Namespace,
        filter: &Document,
        replacement: &Document,
        upsert: bool,
    ) -> Result<Updated, StoreError>;

    /// Deletes the first document that matches and returns how many that were.
    async fn delete_one(&self, at: &Namespace, filter: &Document) -> Result<u64, StoreError>;

    /// Deletes what matches and returns how many that were.
    async fn delete_many(&self, at: &Namespace, filter: &Document) -> Result<u64, StoreError>;

    /// The databases, by name.
    async fn databases(&self) -> Result<Vec<DatabaseInfo>, StoreError>;

    /// The collections of a database, by name.
    async fn collections(&self, database: &str) -> Result<Vec<String>, StoreError>;

    /// How many documents a collection has, and how large it is.
    async fn statistics(&self, at: &Namespace) -> Result<Statistics, StoreError>;

    /// The indexes of a collection as MongoDB describes them: `name`, `key`, and what else there is of `unique`, `sparse`, ...
    async fn indexes(&self, at: &Namespace) -> Result<Vec<Document>, StoreError>;

    /// Makes an index, described as [`indexes`](Self::indexes) does it.
    async fn create_index(&self, at: &Namespace, index: &Document) -> Result<(), StoreError>;

    /// Drops the index of this name.
    async fn drop_index(&self, at: &Namespace, name: &str) -> Result<(), StoreError>;

    /// Drops a collection with all that is in it; one that is not there is no error.
    async fn drop_collection(&self, at: &Namespace) -> Result<(), StoreError>;

    /// How the store would find what matches, and what that costs: MongoDB's `explain` with `executionStats`.
    async fn explain(&self, at: &Namespace, query: &Find) -> Result<Document, StoreError>;
}
