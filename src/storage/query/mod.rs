//! One language for filters, projections, sorts and documents, whichever backend they go to: Extended JSON (canonical
//! and relaxed) and what one types into `mongosh`.
//!
//! ```
//! use connect_console::storage::query;
//!
//! let typed = query::parse_document(r"{ status: 'pending', _id: ObjectId('65f0c0ffee65f0c0ffee65f0'), n: { $gt: 5 } }").unwrap();
//! let json = r#"{"status":"pending","_id":{"$oid":"65f0c0ffee65f0c0ffee65f0"},"n":{"$gt":{"$numberInt":"5"}}}"#;
//! assert_eq!(query::parse_document(json).unwrap(), typed);
//! assert_eq!(query::canonical(&typed).to_string(), json);
//! ```
//!
//! Numbers follow relaxed Extended JSON: `1` is an Int32, `3000000000` an Int64, `1.0` a Double.

mod construct;
mod cursor;
mod dates;
mod extjson;
mod literal;
mod parser;
#[cfg(test)]
mod tests;

use bson::{Bson, Document};
use thiserror::Error;

pub use extjson::{canonical, canonical_value, relaxed, relaxed_value};

/// A text that is no document, and where it stops being one.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("line {line}, column {column}: {message}")]
pub struct QueryError {
    /// Where in the text, in bytes from its beginning; always between two characters.
    pub offset: usize,
    /// The line, counted from 1.
    pub line: usize,
    /// The character in that line, counted from 1.
    pub column: usize,
    /// What is wrong there.
    pub message: String,
}

/// Reads a filter, a projection, a sort or a document. A blank text is the empty document.
///
/// # Errors
/// [`QueryError`] pointing at the character.
pub fn parse_document(text: &str) -> Result<Document, QueryError> {
    parser::document(text)
}

/// Reads a single value: a document, an array, a number, `ObjectId("...")`, ...
///
/// # Errors
/// [`QueryError`] pointing at the character.
pub fn parse_value(text: &str) -> Result<Bson, QueryError> {
    parser::single(text)
}
