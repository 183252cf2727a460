use bson::{Bson, Document, RawBsonRef, RawDocument, RawDocumentBuf};

use super::super::error::{Code, CommandError};
use super::super::value::type_alias;

/// `$unwind`: a document for every element of an array.
#[derive(Debug, Clone)]
pub(super) struct Unwind {
    path: Vec<String>,
    index: Option<Vec<String>>,
    keep_empty: bool,
}

impl Unwind {
    pub(super) fn parse(spec: RawBsonRef<'_>) -> Result<Self, CommandError> {
        let fault = |location: i32, message: String| CommandError::new(Code::location(location), message);
        let (path, index, keep_empty) = match spec {
            RawBsonRef::String(path) => (path, None, false),
            RawBsonRef::Document(spec) => {
                let path = match spec.get("path")? {
                    Some(RawBsonRef::String(path)) => path,
                    None => return Err(fault(28812, "no path specified to $unwind stage".into())),
                    Some(other) => {
                        return Err(fault(
                            28808,
                            format!("expected a string as the path for $unwind stage, got {}", type_alias(other)),
                        ));
                    }
                };
                let index = match spec.get("includeArrayIndex")? {
                    None => None,
                    Some(RawBsonRef::String(index)) if !index.is_empty() && !index.starts_with('$') => Some(index),
                    Some(_) => {
                        return Err(fault(
                            28810,
                            "expected a non-empty string for the includeArrayIndex option to $unwind stage".into(),
                        ));
                    }
                };
                let keep = match spec.get("preserveNullAndEmptyArrays")? {
                    None => false,
                    Some(RawBsonRef::Boolean(keep)) => keep,
                    Some(_) => {
                        return Err(fault(
                            28809,
                            "expected a boolean for the preserveNullAndEmptyArrays option to $unwind stage".into(),
                        ));
                    }
                };
                (path, index, keep)
            }
            other => {
                let kind = type_alias(other);
                return Err(fault(
                    15981,
                    format!("expected either a string or an object as specification for $unwind stage, got {kind}"),
                ));
            }
        };
        let Some(path) = path.strip_prefix('$') else {
            return Err(fault(28818, format!("path option to $unwind stage should be prefixed with a '$': {path}")));
        };
        let parts = |path: &str| path.split('.').map(str::to_owned).collect::<Vec<_>>();
        Ok(Self { path: parts(path), index: index.map(parts), keep_empty })
    }

    pub(super) fn apply(&self, document: &RawDocument) -> Result<Vec<RawDocumentBuf>, CommandError> {
        let whole = Document::try_from(document)?;
        let found = find(&whole, &self.path).cloned();
        let made = |value: Option<Bson>, index: Option<usize>| {
            let mut made = whole.clone();
            match value {
                Some(value) => put(&mut made, &self.path, Some(value)),
                None => put(&mut made, &self.path, None),
            }
            if let Some(path) = &self.index {
                let index = index.and_then(|index| i64::try_from(index).ok()).map_or(Bson::Null, Bson::Int64);
                put(&mut made, path, Some(index));
            }
            RawDocumentBuf::try_from(&made).map_err(CommandError::from)
        };
        match found {
            Some(Bson::Array(elements)) if elements.is_empty() && self.keep_empty => Ok(vec![made(None, None)?]),
            Some(Bson::Array(elements)) => {
                elements.into_iter().enumerate().map(|(index, element)| made(Some(element), Some(index))).collect()
            }
            Some(Bson::Null | Bson::Undefined) | None if !self.keep_empty => Ok(Vec::new()),
            None => Ok(vec![made(None, None)?]),
            Some(other) => Ok(vec![made(Some(other), None)?]),
        }
    }
}

fn find<'a>(document: &'a Document, path: &[String]) -> Option<&'a Bson> {
    let (first, rest) = path.split_first()?;
    let value = document.get(first)?;
    if rest.is_empty() { Some(value) } else { find(value.as_document()?, rest) }
}

/// Sets the value at a path through documents, or takes it away.
pub(super) fn put(document: &mut Document, path: &[String], value: Option<Bson>) {
    let Some((first, rest)) = path.split_first() else { return };
    match (rest.is_empty(), value) {
        (true, Some(value)) => drop(document.insert(first, value)),
        (true, None) => drop(document.remove(first)),
        (false, value) => {
            if value.is_some() && !matches!(document.get(first), Some(Bson::Document(_))) {
                document.insert(first, Document::new());
            }
            if let Some(Bson::Document(inner)) = document.get_mut(first) {
                put(inner, rest, value);
            }
        }
    }
}
