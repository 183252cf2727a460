use bson::{Bson, Document};

use super::error::ApiError;
use crate::storage::query;

/// A request's body: where to, and the fields of its action.
pub(super) struct Request {
    database: String,
    collection: String,
    fields: Document,
}

impl Request {
    /// Reads a body of JSON, whose values may be Extended JSON, canonical or relaxed or a mixture.
    ///
    /// # Errors
    /// What is no JSON, no Extended JSON, or does not say which collection is meant.
    pub(super) fn parse(body: &[u8]) -> Result<Self, ApiError> {
        let invalid = |error: &dyn std::fmt::Display| ApiError::invalid(format!("invalid JSON: {error}"));
        // The reader of queries takes more than JSON, which a client of an HTTP API must not get used to.
        serde_json::from_slice::<serde::de::IgnoredAny>(body).map_err(|error| invalid(&error))?;
        let text = std::str::from_utf8(body).map_err(|error| invalid(&error))?;
        let fields = query::parse_document(text).map_err(|error| invalid(&error))?;
        let text = |name: &str| match fields.get(name) {
            Some(Bson::String(text)) if !text.is_empty() => Ok(text.clone()),
            None | Some(Bson::Null | Bson::String(_)) => Err(ApiError::missing(name)),
            Some(_) => Err(ApiError::invalid(format!("'{name}' must be a string"))),
        };
        // The name of the deployment: there is only one here, but clients must not forget it.
        text("dataSource")?;
        Ok(Self { database: text("database")?, collection: text("collection")?, fields })
    }

    pub(super) fn database(&self) -> &str {
        &self.database
    }

    pub(super) fn collection(&self) -> &str {
        &self.collection
    }

    /// A field that is there and not null.
    pub(super) fn value(&self, name: &str) -> Option<&Bson> {
        self.fields.get(name).filter(|value| **value != Bson::Null)
    }

    /// A document; what is no object is refused.
    pub(super) fn document(&self, name: &str) -> Result<Option<&Document>, ApiError> {
        match self.value(name) {
            None => Ok(None),
            Some(Bson::Document(document)) => Ok(Some(document)),
            Some(_) => Err(ApiError::invalid(format!("'{name}' must be an object"))),
        }
    }

    pub(super) fn required(&self, name: &str) -> Result<&Document, ApiError> {
        self.document(name)?.ok_or_else(|| ApiError::missing(name))
    }

    /// A list of documents that must be there.
    pub(super) fn list(&self, name: &str) -> Result<Vec<&Document>, ApiError> {
        let refused = || ApiError::invalid(format!("'{name}' must be an array of objects"));
        match self.value(name) {
            None => Err(ApiError::missing(name)),
            Some(Bson::Array(values)) => values.iter().map(|value| value.as_document().ok_or_else(refused)).collect(),
            Some(_) => Err(refused()),
        }
    }

    /// A flag, which is false when it is not there.
    pub(super) fn flag(&self, name: &str) -> Result<bool, ApiError> {
        match self.value(name) {
            None => Ok(false),
            Some(Bson::Boolean(flag)) => Ok(*flag),
            Some(_) => Err(ApiError::invalid(format!("'{name}' must be a boolean"))),
        }
    }

    /// A number of documents.
    pub(super) fn count(&self, name: &str) -> Result<Option<i64>, ApiError> {
        let Some(value) = self.value(name) else { return Ok(None) };
        let number = match value {
            Bson::Int32(n) => Some(i64::from(*n)),
            Bson::Int64(n) => Some(*n),
            #[allow(clippy::cast_possible_truncation)] // saturates
            Bson::Double(n) if n.fract() == 0.0 => Some(*n as i64),
            _ => None,
        };
        let refused = || ApiError::invalid(format!("'{name}' must be a whole number that is not negative"));
        number.filter(|n| *n >= 0).map(Some).ok_or_else(refused)
    }
}
