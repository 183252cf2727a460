use serde_json::Value;
use thiserror::Error;

/// A call to Connect's REST API that did not succeed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ApiError {
    /// No answer came.
    #[error("{method} {path}: no answer from Connect: {reason}")]
    NoAnswer {
        /// The method.
        method: String,
        /// The path.
        path: String,
        /// What happened.
        reason: String,
    },
    /// Connect answered with an error: `{"error_code", "errors"}`.
    #[error("{method} {path}: {status}{}{}", error_code.as_ref().map(|c| format!(" {c}")).unwrap_or_default(), list(errors))]
    Refused {
        /// The method.
        method: String,
        /// The path.
        path: String,
        /// The HTTP status.
        status: u16,
        /// Connect's code: `VAL_001`, `REQ_003`, ...
        error_code: Option<String>,
        /// What is wrong, one text a thing.
        errors: Vec<String>,
    },
    /// An answer that is not what Connect's API promises.
    #[error("{method} {path}: {reason}")]
    Unexpected {
        /// The method.
        method: String,
        /// The path.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The client was made of settings that don't work.
    #[error("{0}")]
    Settings(String),
}

fn list(errors: &[String]) -> String {
    if errors.is_empty() { String::new() } else { format!(": {}", errors.join("; ")) }
}

impl ApiError {
    pub(super) fn unexpected(method: &str, path: &str, reason: &str) -> Self {
        Self::Unexpected { method: method.into(), path: path.into(), reason: reason.into() }
    }

    /// Reads Connect's error body, `{"error_code": "VAL_001", "errors": ["field: what"]}`.
    pub(super) fn refused(method: &str, path: &str, status: u16, body: &Value) -> Self {
        let errors = match &body["errors"] {
            Value::Array(errors) => errors.iter().map(|e| e.as_str().map_or_else(|| e.to_string(), Into::into)).collect(),
            _ => Vec::new(),
        };
        let error_code = body["error_code"].as_str().map(Into::into);
        Self::Refused { method: method.into(), path: path.into(), status, error_code, errors }
    }
}
