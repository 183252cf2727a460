use axum::http::{HeaderMap, header};

use super::super::credentials::{Credentials, same_secret};
use super::error::ApiError;

/// Lets in who may come in. Without credentials everybody may.
#[derive(Clone)]
pub(in crate::sandbox) struct Gate(pub(in crate::sandbox) Option<Credentials>);

impl Gate {
    /// Looks at the ways to authenticate in the documented order; the first one given decides.
    pub(super) fn admit(&self, headers: &HeaderMap) -> Result<(), ApiError> {
        let Some(known) = &self.0 else { return Ok(()) };
        let header = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
        let is_key = |given: &str| same_secret(given.as_bytes(), known.api_key.reveal().as_bytes());
        let bearer = header(header::AUTHORIZATION.as_str()).and_then(|value| {
            let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
            scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
        });
        let admitted = if let Some(token) = bearer {
            is_key(token)
        } else if let Some(key) = header("apiKey").or_else(|| header("api-key")) {
            is_key(key)
        } else if let (Some(email), Some(password)) = (header("email"), header("password")) {
            same_secret(email.as_bytes(), known.user.as_bytes())
                & same_secret(password.as_bytes(), known.password.reveal().as_bytes())
        } else if header("jwtTokenString").is_some() {
            // No issuer of tokens is configured, so there is no valid one.
            false
        } else {
            return Err(ApiError::no_authentication());
        };
        if admitted { Ok(()) } else { Err(ApiError::session()) }
    }
}
