//! The storage inspector's questions, asked of the stores the extension's own variables name.

use std::sync::Arc;
use std::time::Instant;

use bson::Document;

use super::{Found, Reply, WorkbenchError};
use crate::observe::{Backend, SeenVariable};
use crate::storage::query::{canonical, parse_document};
use crate::storage::{Find, Namespace, Settings, Store, StoreError, Stores};

/// The most documents one answer carries.
const MOST: u64 = 1_000;

/// A question as it was typed.
pub(super) struct Question {
    pub(super) backend: Backend,
    pub(super) database: Option<String>,
    pub(super) collection: Option<String>,
    pub(super) filter: String,
    pub(super) projection: String,
    pub(super) sort: String,
    pub(super) skip: u64,
    pub(super) limit: u64,
}

/// The stores, kept open between questions.
#[derive(Default)]
pub(super) struct Documents {
    stores: Stores,
}

impl Documents {
    /// The collections of the extension's database.
    pub(super) async fn collections(&self, backend: Backend, variables: &[SeenVariable]) -> Result<Reply, WorkbenchError> {
        let (settings, store) = self.store(backend, variables).await?;
        let own = own_collection(backend, &settings);
        let collections = match store.collections(&settings.db).await {
            Ok(names) => names,
            // The Data API has no way to list them: the extension's own are all there is to know.
            Err(StoreError::Unsupported { .. }) => {
                let mut known = vec![settings.driver_collection.clone(), settings.http_collection.clone()];
                known.sort();
                known.dedup();
                known
            }
            Err(error) => return Err(WorkbenchError::Failed(error.to_string())),
        };
        Ok(Reply::Collections { database: settings.db, collections, own: Some(own) })
    }

    /// Documents that match.
    pub(super) async fn find(&self, question: Question, variables: &[SeenVariable]) -> Result<Reply, WorkbenchError> {
        let optional = |name: &str, text: &str| -> Result<Option<Document>, WorkbenchError> {
            if text.trim().is_empty() { Ok(None) } else { parse(name, text).map(Some) }
        };
        let limit = question.limit.clamp(1, MOST);
        let query = Find {
            filter: parse("filter", &question.filter)?,
            projection: optional("projection", &question.projection)?,
            sort: optional("sort", &question.sort)?,
            skip: Some(question.skip),
            limit: Some(limit + 1),
        };
        let (settings, store) = self.store(question.backend, variables).await?;
        let collection = question.collection.unwrap_or_else(|| own_collection(question.backend, &settings));
        let at = Namespace::new(question.database.unwrap_or(settings.db), collection);
        let since = Instant::now();
        let mut documents = store.find(&at, &query).await.map_err(|e| WorkbenchError::Failed(e.to_string()))?;
        let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = documents.len() > wanted;
        documents.truncate(wanted);
        Ok(Reply::Documents(Found {
            database: at.database,
            collection: at.collection,
            documents: documents.iter().map(canonical).collect(),
            more,
            micros: u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX),
        }))
    }

    /// How many match.
    pub(super) async fn count(&self, question: Question, variables: &[SeenVariable]) -> Result<Reply, WorkbenchError> {
        let filter = parse("filter", &question.filter)?;
        let (settings, store) = self.store(question.backend, variables).await?;
        let collection = question.collection.unwrap_or_else(|| own_collection(question.backend, &settings));
        let at = Namespace::new(question.database.unwrap_or(settings.db), collection);
        let count = store.count(&at, &filter).await.map_err(|e| WorkbenchError::Failed(e.to_string()))?;
        Ok(Reply::Count { database: at.database, collection: at.collection, count })
    }

    async fn store(&self, backend: Backend, variables: &[SeenVariable]) -> Result<(Settings, Arc<dyn Store>), WorkbenchError> {
        let value = |name: &str| variables.iter().find(|v| v.name == name).map(|v| v.value.clone());
        let settings = Settings::from_variables(value).map_err(|e| WorkbenchError::Failed(e.to_string()))?;
        let store = self.stores.get(backend, &settings).await.map_err(|e| WorkbenchError::Failed(e.to_string()))?;
        Ok((settings, store))
    }
}

fn own_collection(backend: Backend, settings: &Settings) -> String {
    match backend {
        Backend::Driver => settings.driver_collection.clone(),
        Backend::DataApi => settings.http_collection.clone(),
    }
}

fn parse(what: &str, text: &str) -> Result<Document, WorkbenchError> {
    parse_document(text).map_err(|e| WorkbenchError::Usage(format!("the {what} can't be read: {e}")))
}
