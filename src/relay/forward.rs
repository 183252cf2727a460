//! REST calls on their way to Connect and back.

use std::time::Instant;

use axum::body::{Body, Bytes, to_bytes};
use axum::http::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE,
    TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use serde_json::Value;

use super::front::refused;
use super::shared::Shared;
use crate::connect::client::reason;
use crate::observe::{ApiCall, Fact};
use crate::platform::foreign::{Concern, micros};

/// The largest body taken: usage files are uploaded.
const LARGEST: usize = 256 << 20;
/// Where the API begins.
const PREFIX: &str = "/public/v1/";
/// Headers that are of one connection only; no `Accept-Encoding`, so that answers can be read.
const OF_THE_CONNECTION: [HeaderName; 11] = [
    HOST,
    CONNECTION,
    CONTENT_LENGTH,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    ACCEPT_ENCODING,
    HeaderName::from_static("keep-alive"),
];

/// Passes a call on, and its answer back.
pub(super) async fn forward(shared: &Shared, parts: Parts, body: Body) -> Response {
    let Ok(body) = to_bytes(body, LARGEST).await else {
        return refused(StatusCode::PAYLOAD_TOO_LARGE, "the body is larger than 256 MiB, or broke off");
    };
    let concern = shared.foreign.concern(&parts);
    let since = Instant::now();
    let answer = match send(shared, &parts, body.clone()).await {
        Ok(answer) => received(answer).await,
        Err(error) => Err(error),
    };
    let mut call = ApiCall {
        method: parts.method.to_string(),
        path: path(&parts),
        status: None,
        request: serde_json::from_slice(&body).ok(),
        response: None,
        content_range: None,
        error: None,
        micros: 0,
    };
    let response = match answer {
        Ok((response, seen)) => {
            let range = response.headers().get("content-range").and_then(|range| range.to_str().ok());
            call.content_range = range.map(Into::into);
            (call.status, call.response) = (Some(response.status().as_u16()), seen.map(Into::into));
            response
        }
        Err(error) => {
            let why = reason(&error);
            call.error = Some(why.clone());
            refused(StatusCode::BAD_GATEWAY, &format!("Connect gave no answer: {why}"))
        }
    };
    told(shared, concern, call, since);
    response
}

/// The path below the API's beginning, with its query.
fn path(parts: &Parts) -> String {
    let whole = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    whole.strip_prefix(PREFIX).unwrap_or(whole).to_owned()
}

/// A call that belongs to no delivery, at the start of an extension say, is told all the same.
fn told(shared: &Shared, concern: Option<Concern>, mut call: ApiCall, since: Instant) {
    match concern {
        Some(concern) => shared.foreign.called(concern, call),
        None => {
            call.micros = micros(since.elapsed());
            shared.scope.emit(Fact::ApiCall(call));
        }
    }
}

async fn send(shared: &Shared, parts: &Parts, body: Bytes) -> Result<reqwest::Response, reqwest::Error> {
    let connect = &shared.connect;
    let scheme = if connect.unsecure { "http" } else { "https" };
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let mut headers = of_the_message(&parts.headers);
    if headers.get(AUTHORIZATION).is_some_and(|key| key.as_bytes() == shared.api_key.reveal().as_bytes())
        && let Ok(mut key) = HeaderValue::from_str(connect.api_key.reveal())
    {
        key.set_sensitive(true);
        headers.insert(AUTHORIZATION, key);
    }
    let mut request =
        shared.http.request(parts.method.clone(), format!("{scheme}://{}{path}", connect.api_address)).headers(headers);
    if !body.is_empty() || parts.headers.contains_key(CONTENT_LENGTH) {
        request = request.body(body);
    }
    request.send().await
}

/// The answer for the guest, and what can be seen of its body: files pass without being kept.
async fn received(answer: reqwest::Response) -> Result<(Response, Option<Value>), reqwest::Error> {
    let (status, headers) = (answer.status(), of_the_message(answer.headers()));
    let sort = headers.get(CONTENT_TYPE).and_then(|sort| sort.to_str().ok()).unwrap_or_default();
    let readable = sort.contains("json") || sort.starts_with("text/");
    let (body, seen) = if readable {
        let bytes = answer.bytes().await?;
        let text = || String::from_utf8_lossy(&bytes).into_owned();
        let seen = (!bytes.is_empty()).then(|| serde_json::from_slice(&bytes).unwrap_or_else(|_| Value::String(text())));
        (Body::from(bytes), seen)
    } else {
        (Body::new(reqwest::Body::from(answer)), None)
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok((response, seen))
}

fn of_the_message(headers: &HeaderMap) -> HeaderMap {
    let mut headers = headers.clone();
    for name in &OF_THE_CONNECTION {
        headers.remove(name);
    }
    headers
}
