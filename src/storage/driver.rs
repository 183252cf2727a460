//! The way over TCP: the official MongoDB driver.

use std::future::Future;
use std::time::Duration;

use async_trait::async_trait;
use bson::oid::ObjectId;
use bson::{Bson, Document, doc};
use futures::{StreamExt, TryStreamExt};
use mongodb::error::{Error, ErrorKind};
use mongodb::options::ClientOptions;
use mongodb::{Client, Collection, Cursor};

use super::{
    Backend, DatabaseInfo, Find, Inserted, Namespace, Pages, RefusedDocument, Settings, Statistics, Store, StoreError, Updated,
};
use trouble::{translate, unreachable};

mod trouble;

/// How long a server is looked for. The driver's own default, 30 s, is longer than anybody watches.
const FIND_SERVER: Duration = Duration::from_secs(5);
/// How long the server may work on one operation (`maxTimeMS`).
const SERVER_TIME: Duration = Duration::from_secs(30);
/// How long an operation may take as seen from here: the server's own refusal shall come first.
const OVERALL_TIME: Duration = Duration::from_secs(40);

/// How many documents a page of a cursor holds at most.
const PAGE: usize = 1_000;

/// The documents of a MongoDB server, through the official driver. Keeps its connections: make one and share it.
#[derive(Debug, Clone)]
pub struct Driver {
    client: Client,
    server: String,
}

impl Driver {
    /// A client of the server the settings name. A bare host is looked up in DNS here; nothing is connected before the
    /// first call.
    ///
    /// # Errors
    /// [`StoreError::Settings`] for a host that can't be one, [`StoreError::Unreachable`] when DNS does not know it.
    pub async fn new(settings: &Settings) -> Result<Self, StoreError> {
        crate::connect::tls::install();
        let server = settings.db_host.clone();
        let uri = settings.connection_string()?;
        let mut options = match tokio::time::timeout(FIND_SERVER, ClientOptions::parse(uri.reveal())).await {
            Ok(options) => options.map_err(|e| translate(&server, "connect", &e))?,
            Err(_) => return Err(unreachable(&server, "DNS did not answer in time")),
        };
        options.app_name = Some("connect-console".into());
        options.server_selection_timeout = Some(FIND_SERVER);
        options.connect_timeout = Some(FIND_SERVER);
        let client = Client::with_options(options).map_err(|e| translate(&server, "connect", &e))?;
        Ok(Self { client, server })
    }

    fn collection(&self, at: &Namespace) -> Collection<Document> {
        self.client.database(&at.database).collection(&at.collection)
    }

    async fn within<T>(
        &self,
        operation: &'static str,
        work: impl Future<Output = Result<T, Error>> + Send,
    ) -> Result<T, StoreError> {
        match tokio::time::timeout(OVERALL_TIME, work).await {
            Ok(done) => done.map_err(|e| translate(&self.server, operation, &e)),
            Err(_) => {
                let seconds = OVERALL_TIME.as_secs();
                Err(unreachable(
                    &self.server,
                    &format!("{operation} was not answered in {seconds} s; it may have happened all the same"),
                ))
            }
        }
    }
}

impl Driver {
    /// The documents of a cursor in pages: what the server sent at once is one.
    fn batches(
        &self,
        operation: &'static str,
        opening: impl Future<Output = Result<Cursor<Document>, Error>> + Send + 'static,
    ) -> Pages {
        let store = self.clone();
        let opening = Box::pin(async move {
            let cursor = store.within(operation, opening).await?;
            let state = (store, cursor.try_ready_chunks(PAGE).boxed());
            Ok::<_, StoreError>(futures::stream::try_unfold(state, |(store, mut chunks)| async move {
                let page = store.within("getMore", async { chunks.try_next().await.map_err(|e| e.1) }).await?;
                Ok(page.map(|page| (page, (store, chunks))))
            }))
        });
        futures::stream::once(opening).try_flatten().boxed()
    }
}

/// The `find` of a query, with the server's time bounded.
async fn start(collection: &Collection<Document>, query: &Find) -> Result<Cursor<Document>, Error> {
    let mut find = collection.find(query.filter.clone()).max_time(SERVER_TIME);
    if let Some(projection) = &query.projection {
        find = find.projection(projection.clone());
    }
    if let Some(sort) = &query.sort {
        find = find.sort(sort.clone());
    }
    if let Some(skip) = query.skip {
        find = find.skip(skip);
    }
    if let Some(limit) = query.limit {
        find = find.limit(i64::try_from(limit).unwrap_or(i64::MAX));
    }
    find.await
}

/// A number out of a server's answer, whatever its type.
fn number(answer: &Document, key: &str) -> Option<u64> {
    match answer.get(key)? {
        Bson::Int32(n) => u64::try_from(*n).ok(),
        Bson::Int64(n) => u64::try_from(*n).ok(),
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a count or a size
        Bson::Double(n) if *n >= 0.0 => Some(*n as u64),
        _ => None,
    }
}

fn updated(result: mongodb::results::UpdateResult) -> Updated {
    Updated { matched: result.matched_count, modified: result.modified_count, upserted: result.upserted_id }
}

#[async_trait]
impl Store for Driver {
    fn backend(&self) -> Backend {
        Backend::Driver
    }

    async fn insert_one(&self, at: &Namespace, document: Document) -> Result<Bson, StoreError> {
        let collection = self.collection(at);
        Ok(self.within("insertOne", async { collection.insert_one(document).await }).await?.inserted_id)
    }

    async fn insert_many(&self, at: &Namespace, mut documents: Vec<Document>) -> Result<Inserted, StoreError> {
        if documents.is_empty() {
            return Ok(Inserted::default());
        }
        for document in documents.iter_mut().filter(|d| !d.contains_key("_id")) {
            let rest = std::mem::replace(document, doc! {"_id": ObjectId::new()});
            document.extend(rest);
        }
        let ids = |refused: &[RefusedDocument]| {
            let taken = |(place, d): (usize, &Document)| {
                refused.iter().all(|r| r.index != place).then(|| d.get("_id").cloned().unwrap_or(Bson::Null))
            };
            documents.iter().enumerate().filter_map(taken).collect()
        };
        let collection = self.collection(at);
        let work = async { Ok(collection.insert_many(&documents).ordered(false).await.map(|_| ())) };
        match self.within("insertMany", work).await? {
            Ok(()) => Ok(Inserted { ids: ids(&[]), refused: Vec::new() }),
            Err(error) => match error.kind.as_ref() {
                ErrorKind::InsertMany(many) if many.write_concern_error.is_none() && many.write_errors.is_some() => {
                    let errors = many.write_errors.iter().flatten();
                    let refused: Vec<_> = errors
                        .map(|e| RefusedDocument { index: e.index, code: Some(e.code), message: e.message.clone() })
                        .collect();
                    Ok(Inserted { ids: ids(&refused), refused })
                }
                _ => Err(translate(&self.server, "insertMany", &error)),
            },
        }
    }

    async fn find(&self, at: &Namespace, query: &Find) -> Result<Vec<Document>, StoreError> {
        // To MongoDB a limit of 0 is none.
        if query.limit == Some(0) {
            return Ok(Vec::new());
        }
        let collection = self.collection(at);
        self.within("find", async { start(&collection, query).await?.try_collect().await }).await
    }

    fn pages(&self, at: &Namespace, query: &Find) -> Pages {
        // To MongoDB a limit of 0 is none.
        if query.limit == Some(0) {
            return futures::stream::empty().boxed();
        }
        let (collection, query) = (self.collection(at), query.clone());
        self.batches("find", async move { start(&collection, &query).await })
    }

    fn made(&self, at: &Namespace, pipeline: &[Document]) -> Pages {
        let (collection, pipeline) = (self.collection(at), pipeline.to_vec());
        self.batches("aggregate", async move { collection.aggregate(pipeline).max_time(SERVER_TIME).await })
    }

    async fn aggregate(&self, at: &Namespace, pipeline: &[Document]) -> Result<Vec<Document>, StoreError> {
        let collection = self.collection(at);
        let work = async { collection.aggregate(pipeline.to_vec()).max_time(SERVER_TIME).await?.try_collect().await };
        self.within("aggregate", work).await
    }

    async fn count(&self, at: &Namespace, filter: &Document) -> Result<u64, StoreError> {
        let collection = self.collection(at);
        self.within("count", async { collection.count_documents(filter.clone()).max_time(SERVER_TIME).await }).await
    }

    async fn update_one(
        &self,
        at: &Namespace,
        filter: &Document,
        update: &Document,
        upsert: bool,
    ) -> Result<Updated, StoreError> {
        let collection = self.collection(at);
        let work = async { collection.update_one(filter.clone(), update.clone()).upsert(upsert).await };
        self.within("updateOne", work).await.map(updated)
    }

    async fn update_many(
        &self,
        at: &Namespace,
        filter: &Document,
        update: &Document,
        upsert: bool,
    ) -> Result<Updated, StoreError> {
        let collection = self.collection(at);
        let work = async { collection.update_many(filter.clone(), update.clone()).upsert(upsert).await };
        self.within("updateMany", work).await.map(updated)
    }

    async fn replace_one(
        &self,
        at: &Namespace,
        filter: &Document,
        replacement: &Document,
        upsert: bool,
    ) -> Result<Updated, StoreError> {
        let collection = self.collection(at);
        let work = async { collection.replace_one(filter.clone(), replacement).upsert(upsert).await };
        self.within("replaceOne", work).await.map(updated)
    }

    async fn delete_one(&self, at: &Namespace, filter: &Document) -> Result<u64, StoreError> {
        let collection = self.collection(at);
        Ok(self.within("deleteOne", async { collection.delete_one(filter.clone()).await }).await?.deleted_count)
    }

    async fn delete_many(&self, at: &Namespace, filter: &Document) -> Result<u64, StoreError> {
        let collection = self.collection(at);
        Ok(self.within("deleteMany", async { collection.delete_many(filter.clone()).await }).await?.deleted_count)
    }

    async fn databases(&self) -> Result<Vec<DatabaseInfo>, StoreError> {
        let found = self.within("listDatabases", async { self.client.list_databases().await }).await?;
        let mut all: Vec<_> = found.into_iter().map(|d| DatabaseInfo { name: d.name, bytes: Some(d.size_on_disk) }).collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(all)
    }

    async fn collections(&self, database: &str) -> Result<Vec<String>, StoreError> {
        let database = self.client.database(database);
        let mut names = self.within("listCollections", async { database.list_collection_names().await }).await?;
        names.sort();
        Ok(names)
    }

    async fn statistics(&self, at: &Namespace) -> Result<Statistics, StoreError> {
        let database = self.client.database(&at.database);
        let command = doc! {"collStats": &at.collection};
        let answer = self.within("collStats", async { database.run_command(command).await }).await?;
        Ok(Statistics {
            count: number(&answer, "count").unwrap_or(0),
            bytes: number(&answer, "size"),
            indexes: number(&answer, "nindexes"),
        })
    }

    async fn indexes(&self, at: &Namespace) -> Result<Vec<Document>, StoreError> {
        let database = self.client.database(&at.database);
        let command = doc! {"listIndexes": &at.collection};
        let work = async { database.run_cursor_command(command).await?.try_collect().await };
        match self.within("listIndexes", work).await {
            // A collection nobody has written to has none.
            Err(StoreError::Refused { code: Some(26), .. }) => Ok(Vec::new()),
            found => found,
        }
    }

    async fn create_index(&self, at: &Namespace, index: &Document) -> Result<(), StoreError> {
        let database = self.client.database(&at.database);
        let command = doc! {"createIndexes": &at.collection, "indexes": [index.clone()]};
        self.within("createIndexes", async { database.run_command(command).await }).await.map(|_| ())
    }

    async fn drop_index(&self, at: &Namespace, name: &str) -> Result<(), StoreError> {
        let database = self.client.database(&at.database);
        let command = doc! {"dropIndexes": &at.collection, "index": name};
        self.within("dropIndexes", async { database.run_command(command).await }).await.map(|_| ())
    }

    async fn drop_collection(&self, at: &Namespace) -> Result<(), StoreError> {
        self.within("drop", async { self.collection(at).drop().await }).await
    }

    async fn explain(&self, at: &Namespace, query: &Find) -> Result<Document, StoreError> {
        let mut find = doc! {"find": &at.collection, "filter": query.filter.clone()};
        for (name, part) in [("projection", &query.projection), ("sort", &query.sort)] {
            find.extend(part.clone().map(|part| (name.to_owned(), Bson::Document(part))));
        }
        for (name, part) in [("skip", query.skip), ("limit", query.limit)] {
            find.extend(part.and_then(|n| i64::try_from(n).ok()).map(|n| (name.to_owned(), Bson::Int64(n))));
        }
        let time = i64::try_from(SERVER_TIME.as_millis()).unwrap_or(i64::MAX);
        let command = doc! {"explain": find, "verbosity": "executionStats", "maxTimeMS": time};
        let database = self.client.database(&at.database);
        self.within("explain", async { database.run_command(command).await }).await
    }
}
