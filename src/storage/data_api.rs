//! The way over HTTP: the Data API, `POST {endpoint}/action/{name}`, spoken in canonical Extended JSON both ways.
//!
//! MongoDB Atlas served it until 2025-09-30; others do still, the console's sandbox among them.

use std::time::Duration;

use async_trait::async_trait;
use bson::{Bson, Document, doc};
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{StatusCode, Url, redirect};
use serde_json::{Map, Value, json};

use super::query::{self, canonical};
use super::{Backend, Find, Namespace, Settings, Store, StoreError};

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(40);
/// How many documents one `find` may ask for.
const PAGE: u64 = 50_000;
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

#[async_trait]
impl Store for DataApi {
    fn backend(&self) -> Backend {
        Backend::DataApi
    }

    async fn insert_one(&self, at: &Namespace, document: Document) -> Result<Bson, StoreError> {
        let mut answer = self.action("insertOne", at, fields([("document", canonical(&document))])).await?;
        answer.remove("insertedId").ok_or_else(|| unexpected("insertOne", "the answer has no `insertedId`"))
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

    async fn count(&self, at: &Namespace, filter: &Document) -> Result<u64, StoreError> {
        let pipeline = [doc! {"$match": filter.clone()}, doc! {"$count": "n"}];
        let pipeline = pipeline.iter().map(canonical).collect();
        let answer = self.action("aggregate", at, fields([("pipeline", pipeline)])).await?;
        // Of nothing, `$count` makes no document.
        documents("aggregate", answer)?.first().map_or(Ok(0), |counted| number("aggregate", counted, "n"))
    }

    async fn delete_many(&self, at: &Namespace, filter: &Document) -> Result<u64, StoreError> {
        let answer = self.action("deleteMany", at, fields([("filter", canonical(filter))])).await?;
        number("deleteMany", &answer, "deletedCount")
    }

    async fn collections(&self, _: &str) -> Result<Vec<String>, StoreError> {
        Err(StoreError::Unsupported {
            backend: Backend::DataApi,
            operation: "list collections",
            reason: "the Data API has no action for it",
        })
    }
}
