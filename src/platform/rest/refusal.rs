//! What a wrong call gets: Connect's error body, `{"error_code": "VAL_001", "errors": ["field: what"]}`.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::observe::Body;

/// A call that is not carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    status: StatusCode,
    code: &'static str,
    errors: Vec<String>,
}

impl Refusal {
    fn new(status: StatusCode, code: &'static str, error: &str) -> Self {
        Self { status, code, errors: vec![error.into()] }
    }

    /// The key is missing or wrong.
    pub(crate) fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "AUTH_001", "Authentication credentials were not provided or are not valid.")
    }

    /// There is nothing of that name.
    pub(crate) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "RES_001", "Not found.")
    }

    /// It is there, but this can't be done with it.
    pub(crate) fn method() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "RES_002", "The local Connect does not offer this method here.")
    }

    /// A value is not allowed.
    pub(crate) fn invalid(error: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "VAL_001", error)
    }

    /// The local Connect itself is in trouble.
    pub(crate) fn broken(error: &str) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "SRV_001", error)
    }

    /// The request's status does not allow it.
    pub(crate) fn state(error: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "REQ_003", error)
    }

    /// Something that is needed is missing.
    pub(crate) fn missing(fields: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "REQ_005", &format!("Missed fields: {fields}."))
    }
}

impl Refusal {
    fn body(&self) -> Value {
        json!({"error_code": self.code, "errors": self.errors})
    }

    /// Status and body, as they are observed.
    pub(crate) fn observed(&self) -> (u16, Option<Body>, Option<String>) {
        (self.status.as_u16(), Some(self.body().into()), None)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.status, Json(self.body())).into_response()
    }
}

#[cfg(test)]
impl Refusal {
    /// For tests: the code and the first text.
    pub(crate) fn told(&self) -> (&str, &str) {
        (self.code, self.errors.first().map_or("", String::as_str))
    }
}
