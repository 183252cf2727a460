//! The Data API: HTTP in front of a deployment.
//!
//! A request is [authenticated](auth) and [read](request), its action becomes one or more [commands](actions), which a
//! [`Deployment`] runs. The answer is canonical Extended JSON, or [plain] JSON for who does not speak that.

mod actions;
mod auth;
mod deployment;
mod error;
mod foreign;
mod plain;
mod request;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use bson::Document;
use serde_json::Value;

use super::error::CommandError;
use crate::storage::query;
pub(super) use auth::Gate;
pub(super) use deployment::{Deployment, Embedded};
use error::ApiError;
pub(super) use foreign::Foreign;
use request::Request;

/// The path of the endpoint below the host: the form it had on Atlas, for an application named `local`.
pub(super) const BASE: &str = "/app/local/endpoint/data/v1";

/// The same for any application and either version Atlas had: a client that only lets its host be set goes on as it is.
const ROUTE: &str = "/app/{application}/endpoint/data/{version}/action/{action}";
const VERSIONS: [&str; 2] = ["v1", "beta"];

/// How long a request may take, as documented.
const PATIENCE: Duration = Duration::from_secs(300);

/// A document of 16 MiB, written as canonical Extended JSON, with room.
const MAX_BODY: usize = 96 * 1024 * 1024;

struct Endpoint {
    deployment: Arc<dyn Deployment>,
    gate: Gate,
}

/// The endpoint in front of `deployment`.
pub(super) fn router(deployment: Arc<dyn Deployment>, gate: Gate) -> Router {
    Router::new()
        .route(ROUTE, post(action))
        .fallback(unknown)
        .method_not_allowed_fallback(unknown)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(Arc::new(Endpoint { deployment, gate }))
}

async fn unknown(method: Method, uri: Uri) -> Response {
    ApiError::not_found(&method, uri.path()).into_response(uri.path())
}

async fn action(
    State(endpoint): State<Arc<Endpoint>>,
    Path((_, version, name)): Path<(String, String, String)>,
    uri: Uri,
    headers: HeaderMap,
    body: Result<Bytes, axum::extract::rejection::BytesRejection>,
) -> Response {
    let body = match body {
        Ok(body) => body,
        Err(rejected) => return ApiError::too_large(&rejected.body_text()).into_response(uri.path()),
    };
    if !VERSIONS.contains(&version.as_str()) {
        return unknown(Method::POST, uri).await;
    }
    let answered = tokio::time::timeout(PATIENCE, answer(&endpoint, &name, &uri, &headers, &body)).await;
    match answered.unwrap_or_else(|_| Err(ApiError::too_slow(PATIENCE))) {
        Ok((status, content)) => respond(status, wants_canonical(&headers), content),
        Err(error) => error.into_response(uri.path()),
    }
}

async fn answer(
    endpoint: &Endpoint,
    name: &str,
    uri: &Uri,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<(StatusCode, Value), ApiError> {
    endpoint.gate.admit(headers)?;
    let action = actions::find(name).ok_or_else(|| ApiError::not_found(&Method::POST, uri.path()))?;
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    if !matches!(media_type, "application/json" | "application/ejson") {
        return Err(ApiError::content_type(content_type));
    }
    let request = Request::parse(body)?;
    let answer = action.run(endpoint.deployment.as_ref(), &request).await?;
    let answer = Document::try_from(answer).map_err(CommandError::from)?;
    let content = if wants_canonical(headers) { query::canonical(&answer) } else { plain::plain(&answer) };
    Ok((action.status(), content))
}

/// Whether the answer is to be canonical Extended JSON. Who accepts anything gets the format it spoke itself: on Atlas that
/// was a setting of the application.
fn wants_canonical(headers: &HeaderMap) -> bool {
    let says = |name: HeaderName, media_type: &str| {
        headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).any(|value| value.contains(media_type))
    };
    says(header::ACCEPT, "application/ejson")
        || !says(header::ACCEPT, "application/json") && says(header::CONTENT_TYPE, "application/ejson")
}

fn respond(status: StatusCode, canonical: bool, content: Value) -> Response {
    let content_type = if canonical { "application/ejson" } else { "application/json" };
    (status, [(header::CONTENT_TYPE, content_type)], content.to_string()).into_response()
}
