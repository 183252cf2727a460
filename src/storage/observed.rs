use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use bson::{Bson, Document, doc};
use futures::StreamExt;
use serde_json::{Value, json};

use super::query::{canonical, canonical_value};
use super::{Backend, DatabaseInfo, Find, Inserted, Namespace, Pages, Statistics, Store, StoreError, Updated};
use crate::observe::{Fact, Scope, StoreCall};

/// A store that reports every call to a [`Scope`], inside the step that makes it.
///
/// The input of an `insertOne` is the document, of an `insertMany` their list, of `find` and `findOne` the query (`filter`
/// and what there is of `projection`, `sort`, `skip` and `limit`), of an update `filter` and `update`, of a replacement
/// `filter` and `replacement`, of `aggregate` the pipeline, of everything else the filter. The output is the inserted id or
/// ids, the number of documents, the counts of an update as the Data API names them, or the names of what is listed.
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
        let spoilt =
            scope.controls().filter(|_| StoreCall::writes(operation)).and_then(|controls| controls.before_write(&scope, backend));
        let result = match spoilt {
            Some(message) => Err(StoreError::Refused { backend, operation, code: None, message }),
            None => call.await,
        };
        let told = result.as_ref().map(output);
        report(&scope, backend, (operation, at, input), told, since);
        result
    }
}

fn report(
    scope: &Scope,
    backend: Backend,
    (operation, at, input): (&str, &Namespace, Value),
    told: Result<Value, &StoreError>,
    since: Instant,
) {
    scope.emit(Fact::StoreCall(StoreCall {
        backend,
        operation: operation.into(),
        database: at.database.clone(),
        collection: at.collection.clone(),
        input,
        error: told.as_ref().err().map(ToString::to_string),
        output: told.ok(),
        micros: u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX),
    }));
}

/// Counts as the Data API names them.
fn counts(updated: &Updated) -> Value {
    let mut counts = json!({"matchedCount": updated.matched, "modifiedCount": updated.modified});
    if let (Some(id), Value::Object(counts)) = (&updated.upserted, &mut counts) {
        counts.insert("upsertedId".into(), canonical_value(id));
    }
    counts
}

fn change(filter: &Document, name: &str, change: &Document, upsert: bool) -> Value {
    let mut input = json!({"filter": canonical(filter), name: canonical(change)});
    if let (true, Value::Object(input)) = (upsert, &mut input) {
        input.insert("upsert".into(), true.into());
    }
    input
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

impl Observed {
    fn paged(&self, operation: &'static str, at: &Namespace, input: Value, pages: Pages) -> Pages {
        let (scope, backend, at) = (self.scope.clone(), self.store.backend(), at.clone());
        let mut since = Instant::now();
        let told = move |page: &Result<Vec<Document>, StoreError>| {
            let told = page.as_ref().map(|page| json!(page.len()));
            let since = std::mem::replace(&mut since, Instant::now());
            report(&scope.innermost(), backend, (operation, &at, input.clone()), told, since);
        };
        pages.inspect(told).boxed()
    }
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

    async fn insert_many(&self, at: &Namespace, documents: Vec<Document>) -> Result<Inserted, StoreError> {
        let input = documents.iter().map(canonical).collect();
        let output = |done: &Inserted| done.ids.iter().map(canonical_value).collect();
        self.observe("insertMany", at, input, self.store.insert_many(at, documents), output).await
    }

    async fn find(&self, at: &Namespace, query: &Find) -> Result<Vec<Document>, StoreError> {
        self.observe("find", at, whole(query), self.store.find(at, query), |found| json!(found.len())).await
    }

    async fn find_one(&self, at: &Namespace, query: &Find) -> Result<Option<Document>, StoreError> {
        let count = |found: &Option<Document>| json!(usize::from(found.is_some()));
        self.observe("findOne", at, whole(query), self.store.find_one(at, query), count).await
    }

    /// Every page is reported as a call of its own.
    fn pages(&self, at: &Namespace, query: &Find) -> Pages {
        self.paged("find", at, whole(query), self.store.pages(at, query))
    }

    fn made(&self, at: &Namespace, pipeline: &[Document]) -> Pages {
        self.paged("aggregate", at, pipeline.iter().map(canonical).collect(), self.store.made(at, pipeline))
    }

    async fn aggregate(&self, at: &Namespace, pipeline: &[Document]) -> Result<Vec<Document>, StoreError> {
        let input = pipeline.iter().map(canonical).collect();
        self.observe("aggregate", at, input, self.store.aggregate(at, pipeline), |found| json!(found.len())).await
    }

    async fn update_one(
        &self,
        at: &Namespace,
        filter: &Document,
        update: &Document,
        upsert: bool,
    ) -> Result<Updated, StoreError> {
        let input = change(filter, "update", update, upsert);
        self.observe("updateOne", at, input, self.store.update_one(at, filter, update, upsert), counts).await
    }

    async fn update_many(
        &self,
        at: &Namespace,
        filter: &Document,
        update: &Document,
        upsert: bool,
    ) -> Result<Updated, StoreError> {
        let input = change(filter, "update", update, upsert);
        self.observe("updateMany", at, input, self.store.update_many(at, filter, update, upsert), counts).await
    }

    async fn replace_one(
        &self,
        at: &Namespace,
        filter: &Document,
        replacement: &Document,
        upsert: bool,
    ) -> Result<Updated, StoreError> {
        let input = change(filter, "replacement", replacement, upsert);
        self.observe("replaceOne", at, input, self.store.replace_one(at, filter, replacement, upsert), counts).await
    }

    async fn delete_one(&self, at: &Namespace, filter: &Document) -> Result<u64, StoreError> {
        self.observe("deleteOne", at, canonical(filter), self.store.delete_one(at, filter), |n| json!(n)).await
    }

    async fn databases(&self) -> Result<Vec<DatabaseInfo>, StoreError> {
        let names = |all: &Vec<DatabaseInfo>| all.iter().map(|d| d.name.as_str()).collect();
        self.observe("listDatabases", &Namespace::new("admin", ""), json!({}), self.store.databases(), names).await
    }

    async fn statistics(&self, at: &Namespace) -> Result<Statistics, StoreError> {
        self.observe("collStats", at, json!({}), self.store.statistics(at), |s| json!(s.count)).await
    }

    async fn indexes(&self, at: &Namespace) -> Result<Vec<Document>, StoreError> {
        self.observe("listIndexes", at, json!({}), self.store.indexes(at), |all| all.iter().map(canonical).collect()).await
    }

    async fn create_index(&self, at: &Namespace, index: &Document) -> Result<(), StoreError> {
        self.observe("createIndexes", at, canonical(index), self.store.create_index(at, index), |()| json!(1)).await
    }

    async fn drop_index(&self, at: &Namespace, name: &str) -> Result<(), StoreError> {
        self.observe("dropIndexes", at, json!(name), self.store.drop_index(at, name), |()| json!(1)).await
    }

    async fn drop_collection(&self, at: &Namespace) -> Result<(), StoreError> {
        self.observe("drop", at, json!({}), self.store.drop_collection(at), |()| json!(1)).await
    }

    async fn explain(&self, at: &Namespace, query: &Find) -> Result<Document, StoreError> {
        self.observe("explain", at, whole(query), self.store.explain(at, query), canonical).await
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
