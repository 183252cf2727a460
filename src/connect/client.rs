use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use reqwest::{Method, StatusCode};
use serde_json::Value;

use super::ApiError;
use super::retry::{self, Attempt};
use crate::observe::{self, Body, Fact, Scope, Secret};

/// One page of a list, with the total Connect gives in `Content-Range: items 0-9/37`.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// The objects of this page.
    pub items: Vec<Value>,
    /// How many there are in all.
    pub total: u64,
}

/// A client of the REST API with one key. Cheap to clone.
///
/// ```no_run
/// use connect_console::connect::{ApiError, Approve, ClientBuilder};
///
/// async fn approve(key: &str) -> Result<(), ApiError> {
///     let client = ClientBuilder::new("https://api.connect.cloudblue.com/public/v1", key.into()).build()?;
///     client.requests().id("PR-5852-1608-0000-001").approve(Approve::template("TL-827-840-476")).await?;
///     // What is not typed is asked for by its path.
///     let product = client.get("products/PRD-276-377-545").await?;
///     println!("{}", product["name"]);
///     Ok(())
/// }
/// ```
///
/// A call that got no answer or a 5xx is tried again, three times at most and about a second apart, if repeating it
/// can do no harm; 429 and 503 are waited out as their `Retry-After` says. Each try is an observation of its own.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base: Arc<str>,
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

    /// The client. Proxies are taken from the environment (`HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`), except for this
    /// machine itself.
    ///
    /// # Errors
    /// [`ApiError::Settings`] when the address, the key or the user agent cannot be used.
    pub fn build(self) -> Result<Client, ApiError> {
        super::tls::install();
        let url = reqwest::Url::parse(&self.base)
            .map_err(|e| ApiError::Settings(format!("`{}` is no address of an API: {e}", self.base)))?;
        let agent = HeaderValue::from_str(&self.user_agent)
            .map_err(|_| ApiError::Settings("the user agent holds characters that can't be sent in a header".into()))?;
        let headers = HeaderMap::from_iter([(AUTHORIZATION, key_header(&self.api_key)?), (USER_AGENT, agent)]);
        let mut http = reqwest::Client::builder().connect_timeout(self.connect_timeout).timeout(self.timeout);
        if matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]")) {
            http = http.no_proxy();
        }
        let http = http.build().map_err(|e| ApiError::Settings(format!("no HTTP client could be made: {e}")))?;
        Ok(Client { http, base: self.base.into(), headers, scope: Scope::discard() })
    }
}

fn key_header(api_key: &Secret) -> Result<HeaderValue, ApiError> {
    let mut key = HeaderValue::from_str(api_key.reveal())
        .map_err(|_| ApiError::Settings("the API key holds characters that can't be sent in a header".into()))?;
    key.set_sensitive(true);
    Ok(key)
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
        self.with_headers(&[(name, value)])
    }

    /// The same client with more headers; their names in lower case. Values that can't be sent are left out.
    #[must_use]
    pub fn with_headers(&self, headers: &[(&'static str, &str)]) -> Self {
        let mut client = self.clone();
        for (name, value) in headers {
            if let Ok(value) = HeaderValue::from_str(value) {
                client.headers.insert(HeaderName::from_static(name), value);
            }
        }
        client
    }

    /// The same client with another key.
    ///
    /// # Errors
    /// [`ApiError::Settings`] when the key cannot be sent in a header.
    pub fn with_key(&self, api_key: &Secret) -> Result<Self, ApiError> {
        let mut client = self.clone();
        client.headers.insert(AUTHORIZATION, key_header(api_key)?);
        Ok(client)
    }

    /// Gets one object.
    ///
    /// # Errors
    /// [`ApiError`], as for every call.
    pub async fn get(&self, path: &str) -> Result<Value, ApiError> {
        Ok(self.call(Method::GET, path, None).await?.body.into_value())
    }

    /// Gets one object which the caller reports itself: the observation of the call leaves it out, so that it is not
    /// recorded twice. It is not read yet.
    ///
    /// # Errors
    /// [`ApiError`], as for every call.
    pub(crate) async fn fetch(&self, path: &str) -> Result<Body, ApiError> {
        Ok(self.reported(Method::GET, path, None, false).await?.body)
    }

    /// Gets one page of a list; `path` carries RQL, `limit` and `offset`.
    ///
    /// # Errors
    /// [`ApiError::Unexpected`] when the answer is no list or lacks its `Content-Range`.
    pub async fn page(&self, path: &str) -> Result<Page, ApiError> {
        let answer = self.call(Method::GET, path, None).await?;
        let total = answer.total(path)?;
        match answer.body.into_value() {
            Value::Array(items) => Ok(Page { items, total }),
            _ => Err(ApiError::unexpected("GET", path, "the answer is not a list")),
        }
    }

    /// How many objects `path` (a collection and RQL) has, by the `Content-Range` of an empty page.
    ///
    /// # Errors
    /// [`ApiError::Unexpected`] when the answer lacks its `Content-Range`.
    pub async fn count(&self, path: &str) -> Result<u64, ApiError> {
        let page = format!("{path}{}limit=0&offset=0", if path.contains('?') { '&' } else { '?' });
        self.call(Method::GET, &page, None).await?.total(&page)
    }

    /// Posts to a collection or an action.
    ///
    /// # Errors
    /// [`ApiError`], as for every call.
    pub async fn post(&self, path: &str, body: Option<&Value>) -> Result<Value, ApiError> {
        Ok(self.call(Method::POST, path, body).await?.body.into_value())
    }

    /// Updates an object.
    ///
    /// # Errors
    /// [`ApiError`], as for every call.
    pub async fn put(&self, path: &str, body: &Value) -> Result<Value, ApiError> {
        Ok(self.call(Method::PUT, path, Some(body)).await?.body.into_value())
    }

    /// Deletes an object.
    ///
    /// # Errors
    /// [`ApiError`], as for every call.
    pub async fn delete(&self, path: &str) -> Result<(), ApiError> {
        self.call(Method::DELETE, path, None).await.map(|_| ())
    }

    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Answer, ApiError> {
        self.reported(method, path, body, true).await
    }

    /// `whole`: the observation has the body of a good answer.
    async fn reported(&self, method: Method, path: &str, body: Option<&Value>, whole: bool) -> Result<Answer, ApiError> {
        let mut tried = 0;
        loop {
            let exchange = self.exchange(&method, path, body, whole).await;
            tried += 1;
            let attempt = match &exchange {
                Ok(answer) => Attempt::Answered { status: answer.status.as_u16(), retry_after: answer.retry_after },
                Err(failure) => Attempt::Unanswered { connected: failure.connected },
            };
            if let Some(pause) = retry::pause(&method, attempt, tried) {
                tokio::time::sleep(pause).await;
                continue;
            }
            return match exchange {
                Ok(answer) if answer.status.is_success() => Ok(answer),
                Ok(answer) => Err(ApiError::refused(method.as_str(), path, answer.status.as_u16(), &answer.body)),
                Err(Failure { reason, .. }) => {
                    let reason = format!("{reason} ({})", self.base);
                    Err(ApiError::NoAnswer { method: method.to_string(), path: path.into(), reason })
                }
            };
        }
    }

    /// One try, reported.
    async fn exchange(&self, method: &Method, path: &str, body: Option<&Value>, whole: bool) -> Result<Answer, Failure> {
        let since = Instant::now();
        let exchange = self.send(method.clone(), path, body).await;
        let answer = exchange.as_ref().ok();
        self.scope.innermost().emit(Fact::ApiCall(observe::ApiCall {
            method: method.to_string(),
            path: path.into(),
            status: answer.map(|a| a.status.as_u16()),
            request: body.cloned(),
            response: answer.filter(|a| (whole || !a.status.is_success()) && !a.body.is_null()).map(|a| a.body.clone()),
            content_range: answer.and_then(|a| a.content_range.clone()),
            error: exchange.as_ref().err().map(|f| f.reason.clone()),
            micros: u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX),
        }));
        exchange
    }

    async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Answer, Failure> {
        let url = format!("{}/{}", self.base, path.trim_start_matches('/'));
        let mut request = self.http.request(method, url).headers(self.headers.clone());
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await?;
        let status = answer.status();
        let header = |name| answer.headers().get(name).and_then(|v| v.to_str().ok());
        let content_range = header("content-range").map(Into::into);
        let retry_after = header("retry-after").and_then(|seconds| seconds.trim().parse().ok()).map(Duration::from_secs);
        let bytes = answer.bytes().await?;
        let text = String::from_utf8_lossy(&bytes);
        let body = match text.is_empty() {
            true => Body::default(),
            false => Body::from_text(&*text).unwrap_or_else(|| Value::String(text.into_owned()).into()),
        };
        Ok(Answer { status, content_range, retry_after, body })
    }
}

struct Answer {
    status: StatusCode,
    content_range: Option<String>,
    retry_after: Option<Duration>,
    /// Not read yet. Null where there is none; the text itself where it is no JSON.
    body: Body,
}

impl Answer {
    /// The total of `Content-Range: items <first>-<last>/<total>`.
    fn total(&self, path: &str) -> Result<u64, ApiError> {
        let range = self.content_range.as_deref();
        let total = range.and_then(|range| range.rsplit('/').next()).and_then(|total| total.trim().parse().ok());
        total.ok_or_else(|| ApiError::unexpected("GET", path, "the answer has no Content-Range header with a total"))
    }
}

struct Failure {
    /// Whether the request may have reached Connect.
    connected: bool,
    reason: String,
}

impl From<reqwest::Error> for Failure {
    fn from(error: reqwest::Error) -> Self {
        Self { connected: !error.is_connect() && !error.is_builder(), reason: reason(&error) }
    }
}

/// The whole chain of causes, without the URL: it is named already, and may carry what must not be shown.
pub(crate) fn reason(error: &reqwest::Error) -> String {
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
