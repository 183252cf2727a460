use bson::{Bson, Document, RawBsonRef, RawDocument, RawDocumentBuf};

use super::super::error::{Code, CommandError};
use super::super::expression::{Expression, Given};

/// `$addFields` and `$set`.
#[derive(Debug, Clone)]
pub(super) struct Assign(Vec<(Vec<String>, Expression)>);

impl Assign {
    pub(super) fn parse(name: &str, spec: &RawDocument, given: &Given) -> Result<Self, CommandError> {
        let mut fields = Vec::new();
        collect(spec, &[], given, &mut fields)?;
        if fields.is_empty() {
            let message = format!("Invalid {name} :: caused by :: specification must have at least one field");
            return Err(CommandError::new(Code::location(40177), message));
        }
        Ok(Self(fields))
    }

    pub(super) fn apply(&self, document: &RawDocument) -> Result<RawDocumentBuf, CommandError> {
        let mut changed = Document::try_from(document)?;
        for (path, expression) in &self.0 {
            let value = expression.evaluate(document)?;
            set(&mut changed, path, value.as_ref());
        }
        Ok(RawDocumentBuf::try_from(&changed)?)
    }
}

/// A document without an operator names fields inside.
fn collect(
    spec: &RawDocument,
    prefix: &[String],
    given: &Given,
    fields: &mut Vec<(Vec<String>, Expression)>,
) -> Result<(), CommandError> {
    for field in spec.iter() {
        let (name, value) = field?;
        let parts = name.as_str().split('.').map(str::to_owned);
        let path: Vec<String> = prefix.iter().cloned().chain(parts).collect();
        if let Some(wrong) = path.iter().find(|part| part.is_empty() || part.starts_with('$')) {
            let (location, message) = match wrong.as_str() {
                "" => (15998, "FieldPath field names may not be empty strings."),
                _ => (16410, "FieldPath field names may not start with '$'. Consider using $getField or $setField."),
            };
            return Err(CommandError::new(Code::location(location), message));
        }
        let operator = |inner: &RawDocument| {
            inner.iter().next().is_none_or(|first| first.is_ok_and(|(name, _)| name.as_str().starts_with('$')))
        };
        match value {
            RawBsonRef::Document(inner) if !operator(inner) => collect(inner, &path, given, fields)?,
            value => fields.push((path, Expression::parse(value, given)?)),
        }
    }
    Ok(())
}

/// Sets a value, or takes it away if it is missing; in an array, in each of its documents.
fn set(document: &mut Document, path: &[String], value: Option<&Bson>) {
    let Some((first, rest)) = path.split_first() else { return };
    if rest.is_empty() {
        match value {
            Some(value) => drop(document.insert(first, value.clone())),
            None => drop(document.remove(first)),
        }
        return;
    }
    match document.get_mut(first) {
        Some(inner @ (Bson::Document(_) | Bson::Array(_))) => set_inside(inner, rest, value),
        // What leads nowhere becomes a document, even for a value that is missing.
        _ => {
            let mut inner = Document::new();
            set(&mut inner, rest, value);
            document.insert(first, inner);
        }
    }
}

fn set_inside(target: &mut Bson, path: &[String], value: Option<&Bson>) {
    match target {
        Bson::Document(inner) => set(inner, path, value),
        Bson::Array(elements) => elements.iter_mut().for_each(|element| set_inside(element, path, value)),
        other => {
            let mut inner = Document::new();
            set(&mut inner, path, value);
            *other = Bson::Document(inner);
        }
    }
}
