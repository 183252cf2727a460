use std::time::{Duration, Instant};

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use reqwest::{Method, StatusCode};
use serde_json::Value;

use super::ApiError;
use crate::observe::{self, Fact, Scope, Secret};

/// One page of a list, with the total Connect gives in `Content-Range: items 0-9/37`.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// The objects of this page.
    pub items: Vec<Value>,
    /// How many there are in all.
    pub total: u64,
}

/// A client of the REST API with one key. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    headers: HeaderMap,
    scope: Scope,
}

/// Makes a [`Client`].
#[derive(Debug, Clone)]
pub struct ClientBuilder {
    base: String,
    api_key: Secret,
    user_agent: String,
    connect_timeout: Duration,
    timeout: Duration,
}

impl ClientBuilder {
    /// A client of the API at `base` (`https://api.connect.cloudblue.com/public/v1`), with the complete value of the
    /// `Authorization` header as its key.
    pub fn new(base: impl Into<String>, api_key: Secret) -> Self {
        Self {
            base: base.into().trim_end_matches('/').to_owned(),
            api_key,
            user_agent: concat!("connect-console/", env!("CARGO_PKG_VERSION")).into(),
            connect_timeout: Duration::from_secs(15),
            timeout: Duration::from_secs(180),
        }
    }

    /// Says who is calling.
    #[must_use]
    pub fn user_agent(mut self, user_agent: impl Into<String>) -> Self {
        self.user_agent = user_agent.into();
        self
    }

    /// The client.
    ///
    /// # Errors
    /// [`ApiError::Settings`] when the key or the user agent cannot be sent in a header.
    pub fn build(self) -> Result<Client, ApiError> {
        crate::connect::tls::install();
        let mut key = HeaderValue::from_str(self.api_key.reveal())
            .map_err(|_| ApiError::Settings("the API key holds characters that can't be sent in a header".into()))?;
        key.set_sensitive(true);
        let agent = HeaderValue::from_str(&self.user_agent)
            .map_err(|_| ApiError::Settings("the user agent holds characters that can't be sent in a header".into()))?;
        let headers = HeaderMap::from_iter([(AUTHORIZATION, key), (USER_AGENT, agent)]);
        let http = reqwest::Client::builder()
            .connect_timeout(self.connect_timeout)
            .timeout(self.timeout)
            .build()
            .map_err(|e| ApiError::Settings(format!("no HTTP client could be made: {e}")))?;
        Ok(Client { http, base: self.base, headers, scope: Scope::discard() })
    }
}

impl Client {
    /// The same client, reporting its calls to `scope`.
    #[must_use]
    pub fn with_scope(&self, scope: Scope) -> Self {
        Self { scope, ..self.clone() }
    }

    /// The same client with one more header. A value that can't be sent in a header is left out.
    #[must_use]
    pub fn with_header(&self, name: &'static str, value: &str) -> Self {
        let mut client = self.clone();
        if let Ok(value) = HeaderValue::from_str(value) {
            client.headers.insert(HeaderName::from_static(name), value);
        }
        client
    }

    /// The same client with another key.
    ///
    /// # Errors
    /// [`ApiError::Settings`] when the key cannot be sent in a header.
    pub fn with_key(&self, api_key: &Secret) -> Result<Self, ApiError> {
        let mut key = HeaderValue::from_str(api_key.reveal())
            .map_err(|_| ApiError::Settings("the API key holds characters that can't be sent in a header".into()))?;
        key.set_sensitive(true);
        let mut client = self.clone();
        client.headers.insert(AUTHORIZATION, key);
        Ok(client)
    }

    /// Gets one object.
    ///
    /// # Errors
    /// [`ApiError`], as for every call.
    pub async fn get(&self, path: &str) -> Result<Value, ApiError> {
        Ok(self.call(Method::GET, path, None).await?.0)
    }

    /// Gets one page of a list; `path` carries RQL, `limit` and `offset`.
    ///
    /// # Errors
    /// [`ApiError::Unexpected`] when the answer is no list or lacks its `Content-Range`.
    pub async fn page(&self, path: &str) -> Result<Page, ApiError> {
        let unexpected = |reason: &str| ApiError::Unexpected { method: "GET".into(), path: path.into(), reason: reason.into() };
        let (body, content_range) = self.call(Method::GET, path, None).await?;
        let Value::Array(items) = body else { return Err(unexpected("the answer is not a list")) };
        let total = content_range
            .as_deref()
            .and_then(|range| range.rsplit('/').next())
            .and_then(|total| total.trim().parse().ok())
            .ok_or_else(|| unexpected("the answer has no Content-Range header with a total"))?;
        Ok(Page { items, total })
    }

    /// Posts to a collection or an action.
    ///
    /// # Errors
    /// [`ApiError`], as for every call.
    pub async fn post(&self, path: &str, body: Option<&Value>) -> Result<Value, ApiError> {
        Ok(self.call(Method::POST, path, body).await?.0)
    }

    /// Updates an object.
    ///
    /// # Errors
    /// [`ApiError`], as for every call.
    pub async fn put(&self, path: &str, body: &Value) -> Result<Value, ApiError> {
        Ok(self.call(Method::PUT, path, Some(body)).await?.0)
    }

    /// Deletes an object.
    ///
    /// # Errors
    /// [`ApiError`], as for every call.
    pub async fn delete(&self, path: &str) -> Result<(), ApiError> {
        self.call(Method::DELETE, path, None).await.map(|_| ())
    }

    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<(Value, Option<String>), ApiError> {
        let since = Instant::now();
        let exchange = self.exchange(method.clone(), path, body).await;
        let mut seen = observe::ApiCall {
            method: method.to_string(),
            path: path.into(),
            status: None,
            request: body.cloned(),
            response: None,
            content_range: None,
            error: None,
            micros: u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX),
        };
        let outcome = match exchange {
            Ok((status, content_range, answer)) => {
                seen.status = Some(status.as_u16());
                seen.content_range.clone_from(&content_range);
                seen.response = (!answer.is_null()).then(|| answer.clone());
                if status.is_success() {
                    Ok((answer, content_range))
                } else {
                    Err(ApiError::refused(method.as_str(), path, status.as_u16(), &answer))
                }
            }
            Err(reason) => {
                seen.error = Some(reason.clone());
                Err(ApiError::NoAnswer { method: method.to_string(), path: path.into(), reason })
            }
        };
        self.scope.innermost().emit(Fact::ApiCall(seen));
        outcome
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(StatusCode, Option<String>, Value), String> {
        let url = format!("{}/{}", self.base, path.trim_start_matches('/'));
        let mut request = self.http.request(method, url).headers(self.headers.clone());
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.map_err(|e| reason(&e))?;
        let status = answer.status();
        let content_range = answer.headers().get("content-range").and_then(|v| v.to_str().ok()).map(Into::into);
        let text = answer.bytes().await.map_err(|e| reason(&e))?;
        let body = if text.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&text).unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&text).into_owned()))
        };
        Ok((status, content_range, body))
    }
}

/// The whole chain of causes, without the URL: it is named already, and may carry what must not be shown.
fn reason(error: &reqwest::Error) -> String {
    let mut text = String::new();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    if error.is_timeout() {
        text.insert_str(0, "timed out: ");
    }
    if text.is_empty() { "the exchange failed".into() } else { text }
}
