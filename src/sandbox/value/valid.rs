use bson::oid::ObjectId;
use bson::raw::cstr;
use bson::{RawBsonRef, RawDocument, RawDocumentBuf};

use super::super::error::{Code, CommandError};
use super::type_alias;

/// The largest document, in bytes: 16 MiB, as in MongoDB (`maxBsonObjectSize`).
pub(in crate::sandbox) const MAX_DOCUMENT: usize = 16 * 1024 * 1024;

/// Documents nested deeper than this are refused, as by MongoDB.
const MAX_DEPTH: usize = 180;

/// Every element readable, every text UTF-8, not nested too deep: after this, reading it cannot fail.
pub(in crate::sandbox) fn check_document(document: &RawDocument) -> Result<(), CommandError> {
    check(document, 1)
}

fn check(document: &RawDocument, depth: usize) -> Result<(), CommandError> {
    for element in document.iter() {
        check_value(element?.1, depth)?;
    }
    Ok(())
}

fn check_value(value: RawBsonRef<'_>, depth: usize) -> Result<(), CommandError> {
    if depth > MAX_DEPTH {
        let message = format!("Document exceeds maximum nested object depth: {MAX_DEPTH}");
        return Err(CommandError::new(Code::OVERFLOW, message));
    }
    match value {
        RawBsonRef::Document(inner) => check(inner, depth + 1),
        RawBsonRef::Array(array) => array.into_iter().try_for_each(|element| check_value(element?, depth + 1)),
        RawBsonRef::JavaScriptCodeWithScope(code) => check(code.scope, depth + 1),
        _ => Ok(()),
    }
}

/// Whether `id` may be an `_id`.
pub(in crate::sandbox) fn check_id(id: RawBsonRef<'_>) -> Result<(), CommandError> {
    match id {
        RawBsonRef::Array(_) | RawBsonRef::RegularExpression(_) | RawBsonRef::Undefined => {
            let message = format!("The '_id' value cannot be of type {}", type_alias(id));
            Err(CommandError::new(Code::INVALID_ID_FIELD, message))
        }
        RawBsonRef::Document(inner) => match inner.iter().flatten().find(|(name, _)| name.as_str().starts_with('$')) {
            Some((name, _)) => {
                let message = format!("_id fields may not contain '$'-prefixed fields: {name} is not valid for storage.");
                Err(CommandError::new(Code::DOLLAR_PREFIXED_FIELD_NAME, message))
            }
            None => Ok(()),
        },
        _ => Ok(()),
    }
}

/// The document with its `_id` in front, made when there is none; everything else byte for byte as it came.
pub(in crate::sandbox) fn with_id_first(document: &RawDocument) -> Result<RawDocumentBuf, CommandError> {
    if let Some(first) = document.iter().next()
        && first?.0.as_str() == "_id"
    {
        return Ok(document.to_owned());
    }
    let mut ordered = RawDocumentBuf::new();
    match document.get("_id")? {
        Some(id) => ordered.append(cstr!("_id"), id),
        None => ordered.append(cstr!("_id"), ObjectId::new()),
    }
    for element in document.iter() {
        let (name, value) = element?;
        if name.as_str() != "_id" {
            ordered.append(name, value);
        }
    }
    Ok(ordered)
}
