use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use bson::{Bson, Document, doc};
use serde_json::{Value, json};

use super::query::{canonical, canonical_value};
use super::{Backend, Find, Namespace, Store, StoreError};
use crate::observe::{Fact, Scope, StoreCall};

/// A store that reports every call to a [`Scope`], inside the step that makes it.
///
/// The input of an `insertOne` is the document, of `find` and `findOne` the query (`filter` and what there is of
/// `projection`, `sort`, `skip` and `limit`), of everything else the filter. The output is the inserted id, the number of
/// documents, or the names of the collections.
#[derive(Clone)]
pub struct Observed {
    store: Arc<dyn Store>,
    scope: Scope,
}

impl Observed {
    /// Reports the calls to `store` to `scope`.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, scope: Scope) -> Self {
        Self { store, scope }
    }

    /// Runs a call and reports it.
    async fn observe<T>(
        &self,
        operation: &'static str,
        at: &Namespace,
        input: Value,
        call: impl Future<Output = Result<T, StoreError>> + Send,
        output: impl Fn(&T) -> Value + Send,
    ) -> Result<T, StoreError> {
        let since = Instant::now();
        let scope = self.scope.innermost();
        let backend = self.store.backend();
        let spoilt = scope.controls().filter(|_| writes(operation)).and_then(|controls| controls.before_write(&scope, backend));
        let result = match spoilt {
            Some(message) => Err(StoreError::Refused { backend, operation, code: None, message }),
            None => call.await,
        };
        scope.emit(Fact::StoreCall(StoreCall {
            backend,
            operation: operation.into(),
            database: at.database.clone(),
            collection: at.collection.clone(),
            input,
            output: result.as_ref().ok().map(output),
            error: result.as_ref().err().map(ToString::to_string),
            micros: u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX),
        }));
        result
    }
}

/// Whether an operation changes documents.
fn writes(operation: &str) -> bool {
    ["insert", "update", "replace", "delete", "findOneAnd", "bulk"].iter().any(|verb| operation.starts_with(verb))
}

/// The whole query, as the Data API writes it.
fn whole(query: &Find) -> Value {
    let mut whole = doc! {"filter": query.filter.clone()};
    for (name, part) in [("projection", &query.projection), ("sort", &query.sort)] {
        if let Some(part) = part {
            whole.insert(name, part.clone());
        }
    }
    for (name, part) in [("skip", query.skip), ("limit", query.limit)] {
        if let Some(part) = part {
            whole.insert(name, i64::try_from(part).unwrap_or(i64::MAX));
        }
    }
    canonical(&whole)
}

#[async_trait]
impl Store for Observed {
    fn backend(&self) -> Backend {
        self.store.backend()
    }

    async fn insert_one(&self, at: &Namespace, document: Document) -> Result<Bson, StoreError> {
        let input = canonical(&document);
        self.observe("insertOne", at, input, self.store.insert_one(at, document), canonical_value).await
    }

    async fn find(&self, at: &Namespace, query: &Find) -> Result<Vec<Document>, StoreError> {
        self.observe("find", at, whole(query), self.store.find(at, query), |found| json!(found.len())).await
    }

    async fn find_one(&self, at: &Namespace, query: &Find) -> Result<Option<Document>, StoreError> {
        let count = |found: &Option<Document>| json!(usize::from(found.is_some()));
        self.observe("findOne", at, whole(query), self.store.find_one(at, query), count).await
    }

    async fn count(&self, at: &Namespace, filter: &Document) -> Result<u64, StoreError> {
        self.observe("count", at, canonical(filter), self.store.count(at, filter), |n| json!(n)).await
    }

    async fn delete_many(&self, at: &Namespace, filter: &Document) -> Result<u64, StoreError> {
        self.observe("deleteMany", at, canonical(filter), self.store.delete_many(at, filter), |n| json!(n)).await
    }

    async fn collections(&self, database: &str) -> Result<Vec<String>, StoreError> {
        let at = Namespace::new(database, "");
        self.observe("listCollections", &at, json!({}), self.store.collections(database), |names| json!(names)).await
    }
}
