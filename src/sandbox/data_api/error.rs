use std::time::Duration;

use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::super::error::{Code, CommandError};

/// Why a request failed, as the Data API says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: String,
}

impl ApiError {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    pub(super) fn no_authentication() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "InvalidParameter", "no authentication methods were specified")
    }

    pub(super) fn session() -> Self {
        let message = "invalid session: error finding user for endpoint";
        Self::new(StatusCode::UNAUTHORIZED, "InvalidSession", message)
    }

    pub(super) fn missing(field: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "MissingParameter", format!("'{field}' is required but was not provided"))
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "InvalidParameter", message)
    }

    pub(super) fn content_type(given: &str) -> Self {
        let message = format!("content type must be application/json or application/ejson, not {given:?}");
        Self::new(StatusCode::BAD_REQUEST, "InvalidParameter", message)
    }

    pub(super) fn not_found(method: &Method, path: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "EndpointNotFound", format!("no matching endpoint found for {method} {path}"))
    }

    pub(super) fn too_large(message: &str) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "InvalidParameter", message)
    }

    pub(super) fn too_slow(patience: Duration) -> Self {
        let message = format!("the request took more than {} s; it may have had its effect all the same", patience.as_secs());
        Self::new(StatusCode::GATEWAY_TIMEOUT, "ExecutionTimeLimitExceeded", message)
    }

    pub(super) fn into_response(self, link: &str) -> Response {
        let body = json!({ "error": self.message, "error_code": self.code, "link": link });
        (self.status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
    }
}

impl From<CommandError> for ApiError {
    fn from(error: CommandError) -> Self {
        // What the caller could not have done better is not a bad request: its own credentials were right.
        let own = [Code::INTERNAL_ERROR, Code::OUT_OF_DISK_SPACE, Code::AUTHENTICATION_FAILED].contains(&error.code);
        let (status, code) = match () {
            () if own => (StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError"),
            () if error.code == Code::HOST_UNREACHABLE => (StatusCode::SERVICE_UNAVAILABLE, "InternalServerError"),
            () => (StatusCode::BAD_REQUEST, "MongoDBError"),
        };
        Self::new(status, code, format!("({}) {}", error.code.name, error.message))
    }
}
