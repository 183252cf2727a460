use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bson::{Bson, Document, doc};

use crate::extension::{Background, Context, HandlerError};
use crate::fulfillment::{Request, Transaction};
use crate::observe::Backend;
use crate::storage::{Namespace, Observed, Settings, Store, StoreError, Stores, query};

/// The order of the documentation's example.
const BACKENDS: [Backend; 2] = [Backend::DataApi, Backend::Driver];

/// Saves the whole request through both backends, or through none.
pub(super) struct SaveRequest {
    stores: Stores,
    /// What this task has inserted so far, for the compensation.
    inserted: Mutex<Vec<Inserted>>,
}

#[derive(Clone)]
struct Inserted {
    store: Arc<dyn Store>,
    at: Namespace,
    id: Bson,
}

impl SaveRequest {
    /// For one task: it remembers what it has inserted.
    pub(super) fn new(stores: Stores) -> Self {
        Self { stores, inserted: Mutex::default() }
    }

    async fn insert(&self, cx: &Context, backend: Backend, settings: &Settings, document: Document) -> Result<(), StoreError> {
        let store = self.stores.get(backend, settings).await?;
        let store = Arc::new(Observed::new(store, cx.scope.clone()));
        let at = settings.namespace(backend);
        let id = store.insert_one(&at, document).await?;
        cx.info(format!("Inserted through the {backend} backend into {}.{}: {}", at.database, at.collection, shown(&id)));
        self.inserted.lock().unwrap_or_else(PoisonError::into_inner).push(Inserted { store, at, id });
        Ok(())
    }
}

#[async_trait]
impl Transaction for SaveRequest {
    fn name(&self) -> &str {
        "SaveRequest"
    }

    async fn should_execute(&self, _: &Context, request: &Request) -> Result<bool, HandlerError> {
        Ok(request.status() == "pending")
    }

    async fn execute(&self, cx: &Context, request: &Request) -> Result<Background, HandlerError> {
        let settings = Settings::from_variables(|name| cx.config.get(name).map(Into::into))?;
        // As relaxed Extended JSON, which is how an endpoint reads what the documentation's example sends.
        let document = query::parse_document(&request.raw().to_string())?;
        for backend in BACKENDS {
            self.insert(cx, backend, &settings, document.clone()).await?;
        }
        Ok(Background::Done)
    }

    /// Deletes what was inserted through the other backend and passes the error on: the task is delivered again.
    async fn compensate(&self, cx: &Context, _: &Request, error: HandlerError) -> Result<Background, HandlerError> {
        let inserted = std::mem::take(&mut *self.inserted.lock().unwrap_or_else(PoisonError::into_inner));
        for Inserted { store, at, id } in inserted {
            let backend = store.backend();
            if let Err(also) = store.delete_many(&at, &doc! {"_id": id.clone()}).await {
                let left = format!("{error}; and {} stays in {}.{}: {also}", shown(&id), at.database, at.collection);
                return Err(left.into());
            }
            cx.warning(format!("Deleted again through the {backend} backend: {}", shown(&id)));
        }
        Err(error)
    }
}

/// An id as people know it.
fn shown(id: &Bson) -> String {
    match id {
        Bson::ObjectId(id) => id.to_hex(),
        Bson::String(text) => text.clone(),
        other => other.to_string(),
    }
}
