//! How a document is changed: by a replacement, or by operators each of which edits the value at one path.

mod edit;
mod operators;
mod parse;
mod positional;
mod push;
#[cfg(test)]
mod tests;

use bson::raw::cstr;
use bson::{Document, RawBson, RawBsonRef, RawDocument, RawDocumentBuf};

use super::error::{Code, CommandError};
use super::expression::Given;
use super::matcher::Matcher;
use super::pipeline::Pipeline;
use super::value::{check_id, compare, shell};
use operators::Operation;
pub(super) use positional::ArrayFilters;

/// A parsed update.
#[derive(Debug, Clone)]
pub(super) enum Update {
    /// The document becomes this one; only its `_id` stays.
    Replace(RawDocumentBuf),
    /// These are applied in order, to the elements of arrays that the filters name.
    Operators(Vec<Operation>, ArrayFilters),
    /// The document becomes what the pipeline makes of it.
    Pipeline(Pipeline),
}

impl Update {
    /// Understands the `u` of an update.
    ///
    /// # Errors
    /// What is wrong with it, with MongoDB's code and words.
    pub(super) fn parse(update: RawBsonRef<'_>, filters: ArrayFilters, given: &Given) -> Result<Self, CommandError> {
        let document = match update {
            RawBsonRef::Document(document) => document,
            RawBsonRef::Array(stages) => {
                let one = |stage: RawBsonRef<'_>| match stage {
                    RawBsonRef::Document(stage) => Ok(stage.to_owned()),
                    _ => Err(CommandError::new(Code::TYPE_MISMATCH, "Each element of the 'pipeline' array must be an object")),
                };
                let stages = stages.into_iter().map(|stage| one(stage?)).collect::<Result<Vec<_>, _>>()?;
                return Pipeline::parse_update(&stages, given).map(Self::Pipeline);
            }
            _ => {
                let message = "Update argument must be either an object or an array";
                return Err(CommandError::new(Code::FAILED_TO_PARSE, message));
            }
        };
        let by_operators = match document.iter().next() {
            Some(first) => first?.0.as_str().starts_with('$'),
            None => false,
        };
        if by_operators {
            let operations = parse::operations(document, given)?;
            filters.check(&operations, document)?;
            return Ok(Self::Operators(operations, filters));
        }
        if let Some((name, _)) = document.iter().flatten().find(|(name, _)| name.as_str().starts_with('$')) {
            let message = format!(
                "The dollar ($) prefixed field '{name}' in '{name}' is not allowed in the context of an update's replacement document."
            );
            return Err(CommandError::new(Code::DOLLAR_PREFIXED_FIELD_NAME, message));
        }
        Ok(Self::Replace(document.to_owned()))
    }

    /// Whether it may be applied to several documents at once.
    pub(super) fn is_replacement(&self) -> bool {
        matches!(self, Self::Replace(_))
    }

    /// The changed document; `None` if nothing changes. `found_by` is the filter that found it.
    ///
    /// # Errors
    /// An operator that does not fit the value it finds, or a changed `_id`.
    pub(super) fn apply(&self, document: &RawDocument, found_by: &Matcher) -> Result<Option<RawDocumentBuf>, CommandError> {
        let changed = match self {
            Self::Replace(replacement) => replace(document, replacement)?,
            Self::Pipeline(pipeline) => replace(document, &pipeline.change(document)?)?,
            Self::Operators(operations, filters) => {
                let mut edited = Document::try_from(document)?;
                let mut of_no_number = false;
                for operation in operations {
                    if positional::is_positional(&operation.path) {
                        for path in filters.expand(&edited, &operation.path, found_by.position(document))? {
                            operation.apply(&mut edited, &path, false)?;
                            of_no_number |= operation.calculated_no_number(&edited, &path);
                        }
                    } else {
                        operation.apply(&mut edited, &operation.path, false)?;
                        of_no_number |= operation.calculated_no_number(&edited, &operation.path);
                    }
                }
                let edited = RawDocumentBuf::try_from(&edited)?;
                let words = "Performing an update on the path '_id' would modify the immutable field '_id'";
                if document.get("_id")?.is_some() && edited.get("_id")?.is_none() {
                    return Err(CommandError::new(Code::IMMUTABLE_FIELD, words));
                }
                same_id(document, &edited, |_| words.to_owned())?;
                if of_no_number {
                    return Ok(Some(edited));
                }
                edited
            }
        };
        Ok((changed.as_bytes() != document.as_bytes()).then_some(changed))
    }

    /// The document an upsert inserts when nothing matched; it may still lack an `_id`.
    ///
    /// # Errors
    /// As for [`apply`](Self::apply).
    pub(super) fn new_document(&self, filter: &Matcher) -> Result<RawDocumentBuf, CommandError> {
        let fixed = filter.fixed_values();
        check_fixed(&fixed)?;
        match self {
            Self::Replace(replacement) => {
                let id = fixed.into_iter().find(|(path, _)| path == "_id").map(|(_, id)| id);
                match (replacement.get("_id")?, id) {
                    (None, Some(id)) => Ok(with_id(id.as_raw_bson_ref(), replacement)),
                    _ => Ok(replacement.clone()),
                }
            }
            Self::Pipeline(pipeline) => pipeline.change(&RawDocumentBuf::try_from(&fixed_fields(fixed)?)?),
            Self::Operators(operations, filters) => {
                let mut made = fixed_fields(fixed)?;
                for operation in operations {
                    for path in filters.expand(&made, &operation.path, None)? {
                        operation.apply(&mut made, &path, true)?;
                    }
                }
                Ok(RawDocumentBuf::try_from(&made)?)
            }
        }
    }
}

/// A new document can take only one value from the filter at each place.
fn check_fixed(fixed: &[(String, RawBson)]) -> Result<(), CommandError> {
    let refused = |message: String| Err(CommandError::new(Code::NOT_SINGLE_VALUE_FIELD, message));
    for (index, (path, _)) in fixed.iter().enumerate() {
        for (other, _) in fixed.iter().skip(index + 1) {
            if path == other {
                return refused(format!("cannot infer query fields to set, path '{path}' is matched twice"));
            }
            let (short, long) = if path.len() < other.len() { (path, other) } else { (other, path) };
            if long.strip_prefix(short.as_str()).is_some_and(|rest| rest.starts_with('.')) {
                return refused(format!("cannot infer query fields to set, both paths '{short}' and '{long}' are matched"));
            }
        }
    }
    Ok(())
}

fn fixed_fields(fixed: Vec<(String, RawBson)>) -> Result<Document, CommandError> {
    let mut made = Document::new();
    for (path, value) in fixed {
        edit::set(&mut made, &path, RawBson::try_into(value)?)?;
    }
    Ok(made)
}

fn replace(document: &RawDocument, replacement: &RawDocument) -> Result<RawDocumentBuf, CommandError> {
    let Some(id) = document.get("_id")? else { return Ok(replacement.to_owned()) };
    same_id(document, replacement, |id| {
        format!("After applying the update, the (immutable) field '_id' was found to have been altered to _id: {id}")
    })?;
    Ok(with_id(id, replacement))
}

fn with_id(id: RawBsonRef<'_>, document: &RawDocument) -> RawDocumentBuf {
    let mut out = RawDocumentBuf::new();
    out.append(cstr!("_id"), id);
    for (name, value) in document.iter().flatten().filter(|(name, _)| name.as_str() != "_id") {
        out.append(name, value);
    }
    out
}

/// A document keeps its `_id`, which a replacement may leave out.
fn same_id(old: &RawDocument, new: &RawDocument, words: impl Fn(String) -> String) -> Result<(), CommandError> {
    match (old.get("_id")?, new.get("_id")?) {
        (Some(old), Some(new)) if compare(old, new).is_eq() => check_id(new),
        (Some(_), Some(new)) => Err(CommandError::new(Code::IMMUTABLE_FIELD, words(shell(new)))),
        _ => Ok(()),
    }
}
