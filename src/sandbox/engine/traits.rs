use std::sync::Arc;

use bson::raw::cstr;
use bson::{RawBsonRef, RawDocument, RawDocumentBuf, rawdoc};

use super::super::error::{Code, CommandError};
use super::super::expression::Given;
use super::super::matcher::Matcher;
use super::super::value::{Collation, type_alias};

/// What a collection was created with that changes how it is used.
#[derive(Debug, Clone, Default)]
pub(in crate::sandbox) struct Traits {
    /// How strings are compared where a command does not say.
    pub(in crate::sandbox) collation: Collation,
    pub(in crate::sandbox) view: Option<View>,
    pub(in crate::sandbox) validation: Option<Arc<Validation>>,
}

/// A view: a pipeline over a collection, or over another view, of the same database.
#[derive(Debug, Clone)]
pub(in crate::sandbox) struct View {
    pub(in crate::sandbox) on: String,
    pub(in crate::sandbox) pipeline: Vec<RawDocumentBuf>,
}

/// What documents of a collection must look like.
#[derive(Debug)]
pub(in crate::sandbox) struct Validation {
    rule: Matcher,
    spec: RawDocumentBuf,
    /// Whether documents that did not pass before may go on not passing.
    moderate: bool,
}

impl Traits {
    /// Understands the options of a collection.
    ///
    /// # Errors
    /// A collation, a view or a validator that is wrong in itself.
    pub(in crate::sandbox) fn parse(options: &RawDocument) -> Result<Self, CommandError> {
        if options.is_empty() {
            return Ok(Self::default());
        }
        let collation = Collation::of_field(options.get("collation")?)?.unwrap_or_default();
        let view = match options.get("viewOn")? {
            Some(RawBsonRef::String(on)) => Some(View { on: on.to_owned(), pipeline: stages(options.get("pipeline")?)? }),
            _ => None,
        };
        let validation = Validation::parse(options, &collation)?.map(Arc::new);
        Ok(Self { collation, view, validation })
    }

    /// An insertion must pass.
    pub(super) fn check_new(&self, document: &RawDocument) -> Result<(), CommandError> {
        self.validation.as_ref().map_or(Ok(()), |validation| validation.check(document))
    }

    /// So must a change, unless the document did not pass before and need not.
    pub(super) fn check_change(&self, old: &RawDocument, new: &RawDocument) -> Result<(), CommandError> {
        match &self.validation {
            Some(validation) if !validation.moderate || validation.rule.try_matches(old)? => validation.check(new),
            _ => Ok(()),
        }
    }
}

fn stages(pipeline: Option<RawBsonRef<'_>>) -> Result<Vec<RawDocumentBuf>, CommandError> {
    let one = |stage: RawBsonRef<'_>| match stage {
        RawBsonRef::Document(stage) => Ok(stage.to_owned()),
        other => {
            let message =
                format!("BSON field 'create.pipeline' is the wrong type '{}', expected type 'object'", type_alias(other));
            Err(CommandError::new(Code::TYPE_MISMATCH, message))
        }
    };
    match pipeline {
        Some(RawBsonRef::Array(stages)) => stages.into_iter().map(|stage| one(stage?)).collect(),
        Some(other) => Err(one(other).err().unwrap_or_else(|| CommandError::bad_value("pipeline must be an array"))),
        None => Ok(Vec::new()),
    }
}

impl Validation {
    fn parse(options: &RawDocument, collation: &Collation) -> Result<Option<Self>, CommandError> {
        let text = |name: &str, otherwise: &'static str, known: &[&str]| match options.get(name)? {
            None => Ok(otherwise.to_owned()),
            Some(RawBsonRef::String(value)) if known.contains(&value) => Ok(value.to_owned()),
            Some(other) => {
                let value = super::super::value::shell(other);
                let value = value.trim_matches('"');
                let message = format!("Enumeration value '{value}' for field '{name}' is not a valid value.");
                Err(CommandError::bad_value(message))
            }
        };
        let level = text("validationLevel", "strict", &["off", "strict", "moderate"])?;
        let action = text("validationAction", "error", &["error", "warn"])?;
        let spec = match options.get("validator")? {
            Some(RawBsonRef::Document(spec)) if !spec.is_empty() => spec,
            _ => return Ok(None),
        };
        let rule = Matcher::parse_given(spec, &Given::collated(collation.clone()))?;
        // A warning would go to a log nobody reads here.
        let enforced = level != "off" && action != "warn";
        Ok(enforced.then(|| Self { rule, spec: spec.to_owned(), moderate: level == "moderate" }))
    }

    fn check(&self, document: &RawDocument) -> Result<(), CommandError> {
        if self.rule.try_matches(document)? {
            return Ok(());
        }
        let mut info = RawDocumentBuf::new();
        info.append(cstr!("failingDocumentId"), document.get("_id")?.unwrap_or(RawBsonRef::Null));
        info.append(cstr!("details"), rawdoc! { "operatorName": "validator", "specifiedAs": self.spec.clone() });
        let details = rawdoc! { "errInfo": info };
        let error = CommandError::new(Code::DOCUMENT_VALIDATION_FAILURE, "Document failed validation");
        Err(CommandError { details: Some(details), ..error })
    }
}
