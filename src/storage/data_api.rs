//! The way over HTTP: the Data API, `POST {endpoint}/action/{name}`, spoken in canonical Extended JSON both ways.
//!
//! MongoDB Atlas served it until 2025-09-30; others do still, the console's sandbox among them.

use std::time::Duration;

use async_trait::async_trait;
use bson::{Bson, Document, doc};
use futures::StreamExt;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{StatusCode, Url, redirect};
use serde_json::{Map, Value, json};

use super::order::Place;
use super::query::{self, canonical};
use super::{Backend, DatabaseInfo, Find, Inserted, Namespace, Pages, Settings, Statistics, Store, StoreError, Updated};

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(40);
/// How many documents one `find` may ask for.
const PAGE: u64 = 50_000;
/// How many are asked for at once where they are taken page by page.
const STREAMED: u64 = 5_000;
/// Where Atlas served its Data API.
const RETIRED: &str = "data.mongodb-api.com";

/// The documents behind a Data API endpoint. Keeps its connections: make one and share it.
#[derive(Debug, Clone)]
pub struct DataApi {
    http: reqwest::Client,
    base: String,
    server: String,
    cluster: String,
}

impl DataApi {
    /// A client of the endpoint the settings name. Nothing is connected before the first call.
    ///
    /// # Errors
    /// [`StoreError::Settings`] when the endpoint can't be one, or is the one Atlas has switched off.
    pub fn new(settings: &Settings) -> Result<Self, StoreError> {
        crate::connect::tls::install();
        let endpoint = settings.data_api_endpoint.as_str();
        let wrong = |what: &str| StoreError::Settings(format!("DATA_API_ENDPOINT is `{endpoint}`: {what}"));
        let url = Url::parse(endpoint).map_err(|e| wrong(&format!("that is no URL ({e}); write http://host:port/path")))?;
        let host = url.host_str().unwrap_or_default().to_owned();
        if !matches!(url.scheme(), "http" | "https") || host.is_empty() {
            return Err(wrong("only http:// and https:// can be spoken to"));
        }
        if host == RETIRED || host.ends_with(&format!(".{RETIRED}")) {
            return Err(wrong(
                "MongoDB Atlas switched its Data API off on 2025-09-30. Name an endpoint that serves the same actions, \
                 like the one of the console's sandbox",
            ));
        }
        let server = url.port().map_or_else(|| host.clone(), |port| format!("{host}:{port}"));
        // Who copies the URL out of an example may have the action with it.
        let base = endpoint.split("/action").next().unwrap_or(endpoint).trim_end_matches('/').to_owned();
        let mut builder = reqwest::Client::builder()
            .default_headers(headers(settings)?)
            .connect_timeout(CONNECT)
            .timeout(ANSWER)
            // The key is for this host and no other.
            .redirect(redirect::Policy::none());
        if matches!(host.as_str(), "localhost" | "127.0.0.1" | "[::1]") {
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|e| wrong(&format!("no HTTP client could be made: {e}")))?;
        Ok(Self { http, base, server, cluster: settings.cluster.clone() })
    }

    /// Asks for one action and returns the answer's body.
    async fn action(&self, name: &'static str, at: &Namespace, fields: Map<String, Value>) -> Result<Document, StoreError> {
        let mut body = Map::from_iter([
            ("dataSource".to_owned(), json!(self.cluster)),
            ("database".to_owned(), json!(at.database)),
            ("collection".to_owned(), json!(at.collection)),
        ]);
        body.extend(fields);
        let request = self.http.post(format!("{}/action/{name}", self.base)).body(Value::Object(body).to_string());
        let answer = request.send().await.map_err(|e| self.unreachable(&e))?;
        let status = answer.status();
        let text = answer.text().await.map_err(|e| self.unreachable(&e))?;
        if !status.is_success() {
            return Err(self.refused(name, status, &text));
        }
        query::parse_document(&text).map_err(|e| unexpected(name, &format!("the answer is not Extended JSON: {e}")))
    }

    fn unreachable(&self, error: &reqwest::Error) -> StoreError {
        // The innermost cause says it; the outer ones only repeat the URL.
        let mut cause: &dyn std::error::Error = error;
        while let Some(inner) = cause.source() {
            cause = inner;
        }
        let reason = if error.is_timeout() { "it did not answer in time".into() } else { cause.to_string() };
        StoreError::Unreachable { backend: Backend::DataApi, server: self.server.clone(), reason }
    }

    /// Reads the documented error body, `{"error", "error_code", "link"}`.
    fn refused(&self, operation: &'static str, status: StatusCode, text: &str) -> StoreError {
        let body: Value = serde_json::from_str(text).unwrap_or_default();
        let message = match (body["error_code"].as_str(), body["error"].as_str()) {
            (Some(code), Some(error)) => format!("{code}: {error}"),
            (None, Some(error)) => error.to_owned(),
            _ => format!("HTTP status {status}: {}", text.chars().take(200).collect::<String>()),
        };
        let wrong_key = matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
            || message.contains("no authentication methods were specified");
        if wrong_key {
            StoreError::Unauthorized { backend: Backend::DataApi, server: self.server.clone(), reason: message }
        } else {
            StoreError::Refused { backend: Backend::DataApi, operation, code: None, message }
        }
    }
}

/// The headers of every call.
fn headers(settings: &Settings) -> Result<HeaderMap, StoreError> {
    let ejson = HeaderValue::from_static("application/ejson");
    let mut headers = HeaderMap::from_iter([(CONTENT_TYPE, ejson.clone()), (ACCEPT, ejson)]);
    if !settings.api_key.is_empty() {
        let mut key = HeaderValue::from_str(settings.api_key.reveal())
            .map_err(|_| StoreError::Settings("API_KEY holds characters that can't be sent in a header".into()))?;
        key.set_sensitive(true);
        headers.insert(HeaderName::from_static("api-key"), key);
    }
    Ok(headers)
}

fn unexpected(operation: &'static str, message: &str) -> StoreError {
    StoreError::Refused { backend: Backend::DataApi, operation, code: None, message: message.into() }
}

fn fields<const N: usize>(fields: [(&str, Value); N]) -> Map<String, Value> {
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// A number the endpoint counted: plain or as Extended JSON, whatever its size.
fn number(operation: &'static str, answer: &Document, key: &str) -> Result<u64, StoreError> {
    let number = match answer.get(key) {
        Some(Bson::Int32(n)) => u64::try_from(*n).ok(),
        Some(Bson::Int64(n)) => u64::try_from(*n).ok(),
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a count, checked to be one
        Some(Bson::Double(n)) if *n >= 0.0 && n.fract() == 0.0 => Some(*n as u64),
        _ => None,
    };
    number.ok_or_else(|| unexpected(operation, &format!("the answer has no number `{key}`")))
}

fn documents(operation: &'static str, mut answer: Document) -> Result<Vec<Document>, StoreError> {
    let wrong = || unexpected(operation, "the answer has no list `documents`");
    let Some(Bson::Array(values)) = answer.remove("documents") else { return Err(wrong()) };
    values.into_iter().map(|value| if let Bson::Document(d) = value { Ok(d) } else { Err(wrong()) }).collect()
}

/// What the Data API has no action for.
fn no_action(operation: &'static str) -> StoreError {
    const REASON: &str = "the Data API has no action for it";
    StoreError::Unsupported { backend: Backend::DataApi, operation, reason: REASON }
}

fn updated(operation: &'static str, mut answer: Document) -> Result<Updated, StoreError> {
    Ok(Updated {
        matched: number(operation, &answer, "matchedCount")?,
        modified: number(operation, &answer, "modifiedCount")?,
        upserted: answer.remove("upsertedId").filter(|id| *id != Bson::Null),
    })
}

impl DataApi {
    /// The actions that change documents in place; `contents` is what the field for the change is called.
    async fn change(
        &self,
        action: &'static str,
        at: &Namespace,
        filter: &Document,
        (contents, change): (&'static str, &Document),
        upsert: bool,
    ) -> Result<Updated, StoreError> {
        let body = fields([("filter", canonical(filter)), (contents, canonical(change)), ("upsert", json!(upsert))]);
        updated(action, self.action(action, at, body).await?)
    }
}

/// A walk through what a query finds.
struct Walk {
    store: DataApi,
    at: Namespace,
    query: Find,
    /// Where it stands, where it goes by `_id`; otherwise it skips what it has seen.
    place: Option<Place>,
    left: u64,
}

impl Walk {
    async fn next(mut self) -> Result<Option<(Vec<Document>, Self)>, StoreError> {
        let wanted = self.left.min(STREAMED);
        if wanted == 0 {
            return Ok(None);
        }
        let Some(place) = self.place.take() else {
            let page = self.store.find(&self.at, &Find { limit: Some(wanted), ..self.query.clone() }).await?;
            let got = page.len() as u64;
            self.query.skip = Some(self.query.skip.unwrap_or(0).saturating_add(got));
            self.left = if got < wanted { 0 } else { self.left - got };
            return Ok((got > 0).then_some((page, self)));
        };
        let mut place = place;
        while let Some(filter) = place.filter(&self.query.filter) {
            let query = Find { filter, sort: Some(doc! {"_id": 1}), limit: Some(wanted), ..self.query.clone() };
            let page = self.store.find(&self.at, &query).await?;
            let (got, last) = (page.len() as u64, page.last().and_then(|d| d.get("_id")).cloned());
            place = place.after(last, got, wanted);
            if got > 0 {
                self.left -= got.min(self.left);
                self.place = Some(place);
                return Ok(Some((page, self)));
            }
        }
        Ok(None)
    }
}

#[async_trait]
impl Store for DataApi {
    fn backend(&self) -> Backend {
        Backend::DataApi
    }

    async fn insert_one(&self, at: &Namespace, document: Document) -> Result<Bson, StoreError> {
        let mut answer = self.action("insertOne", at, fields([("document", canonical(&document))])).await?;
        answer.remove("insertedId").ok_or_else(|| unexpected("insertOne", "the answer has no `insertedId`"))
    }

    /// The endpoint does not tell which document it refused, nor how many before it were taken.
    async fn insert_many(&self, at: &Namespace, documents: Vec<Document>) -> Result<Inserted, StoreError> {
        if documents.is_empty() {
            return Ok(Inserted::default());
        }
        let documents = documents.iter().map(canonical).collect();
        let mut answer = self.action("insertMany", at, fields([("documents", documents)])).await?;
        match answer.remove("insertedIds") {
            Some(Bson::Array(ids)) => Ok(Inserted { ids, refused: Vec::new() }),
            _ => Err(unexpected("insertMany", "the answer has no `insertedIds`")),
        }
    }

    /// One action gives at most 50,000 documents; more are asked for page by page.
    async fn find(&self, at: &Namespace, query: &Find) -> Result<Vec<Document>, StoreError> {
        let mut found = Vec::new();
        let mut skip = query.skip.unwrap_or(0);
        let mut wanted = query.limit.unwrap_or(u64::MAX);
        while wanted > 0 {
            let page = wanted.min(PAGE);
            let mut body = fields([("filter", canonical(&query.filter)), ("limit", json!(page))]);
            if skip > 0 {
                body.insert("skip".into(), json!(skip));
            }
            for (name, part) in [("projection", &query.projection), ("sort", &query.sort)] {
                if let Some(part) = part {
                    body.insert(name.into(), canonical(part));
                }
            }
            let mut batch = documents("find", self.action("find", at, body).await?)?;
            let got = batch.len() as u64;
            found.append(&mut batch);
            if got < page {
                break;
            }
            skip += got;
            wanted = wanted.saturating_sub(got);
        }
        Ok(found)
    }

    fn pages(&self, at: &Namespace, query: &Find) -> Pages {
        let left = query.limit.unwrap_or(u64::MAX);
        // By `_id` no page costs more than the one before; but it must come with the documents.
        let by_id = query.sort.is_none() && query.skip.is_none_or(|n| n == 0) && query.projection.is_none();
        let place = by_id.then(Place::default);
        let walk = Walk { store: self.clone(), at: at.clone(), query: query.clone(), place, left };
        futures::stream::try_unfold(walk, Walk::next).boxed()
    }

    async fn aggregate(&self, at: &Namespace, pipeline: &[Document]) -> Result<Vec<Document>, StoreError> {
        let pipeline = pipeline.iter().map(canonical).collect();
        documents("aggregate", self.action("aggregate", at, fields([("pipeline", pipeline)])).await?)
    }

    fn made(&self, at: &Namespace, pipeline: &[Document]) -> Pages {
        let (store, at, pipeline) = (self.clone(), at.clone(), pipeline.to_vec());
        futures::stream::once(async move { store.aggregate(&at, &pipeline).await }).boxed()
    }

    async fn count(&self, at: &Namespace, filter: &Document) -> Result<u64, StoreError> {
        let counted = self.aggregate(at, &[doc! {"$match": filter.clone()}, doc! {"$count": "n"}]).await?;
        // Of nothing, `$count` makes no document.
        counted.first().map_or(Ok(0), |counted| number("aggregate", counted, "n"))
    }

    async fn update_one(
        &self,
        at: &Namespace,
        filter: &Document,
        update: &Document,
        upsert: bool,
    ) -> Result<Updated, StoreError> {
        self.change("updateOne", at, filter, ("update", update), upsert).await
    }

    async fn update_many(
        &self,
        at: &Namespace,
        filter: &Document,
        update: &Document,
        upsert: bool,
    ) -> Result<Updated, StoreError> {
        self.change("updateMany", at, filter, ("update", update), upsert).await
    }

    async fn replace_one(
        &self,
        at: &Namespace,
        filter: &Document,
        replacement: &Document,
        upsert: bool,
    ) -> Result<Updated, StoreError> {
        self.change("replaceOne", at, filter, ("replacement", replacement), upsert).await
    }

    async fn delete_one(&self, at: &Namespace, filter: &Document) -> Result<u64, StoreError> {
        let answer = self.action("deleteOne", at, fields([("filter", canonical(filter))])).await?;
        number("deleteOne", &answer, "deletedCount")
    }

    async fn delete_many(&self, at: &Namespace, filter: &Document) -> Result<u64, StoreError> {
        let answer = self.action("deleteMany", at, fields([("filter", canonical(filter))])).await?;
        number("deleteMany", &answer, "deletedCount")
    }

    async fn databases(&self) -> Result<Vec<DatabaseInfo>, StoreError> {
        Err(no_action("list databases"))
    }

    async fn collections(&self, _: &str) -> Result<Vec<String>, StoreError> {
        Err(no_action("list collections"))
    }

    /// The number alone: counted, for there is no action that knows it.
    async fn statistics(&self, at: &Namespace) -> Result<Statistics, StoreError> {
        Ok(Statistics { count: self.count(at, &Document::new()).await?, ..Statistics::default() })
    }

    async fn indexes(&self, _: &Namespace) -> Result<Vec<Document>, StoreError> {
        Err(no_action("list indexes"))
    }

    async fn create_index(&self, _: &Namespace, _: &Document) -> Result<(), StoreError> {
        Err(no_action("create indexes"))
    }

    async fn drop_index(&self, _: &Namespace, _: &str) -> Result<(), StoreError> {
        Err(no_action("drop indexes"))
    }

    async fn drop_collection(&self, _: &Namespace) -> Result<(), StoreError> {
        Err(no_action("drop a collection"))
    }

    async fn explain(&self, _: &Namespace, _: &Find) -> Result<Document, StoreError> {
        Err(no_action("explain a query"))
    }
}
