//! The parts of a path that stand for elements of an array: `$`, `$[]` and `$[name]`.

use bson::{Bson, Document, RawBsonRef, RawDocument, RawDocumentBuf};

use super::super::error::{Code, CommandError};
use super::super::expression::Given;
use super::super::matcher::Matcher;
use super::super::value::shell;
use super::edit::find;
use super::operators::Operation;

/// The `arrayFilters` of an update, by the names they give to the elements.
#[derive(Debug, Clone, Default)]
pub(in crate::sandbox) struct ArrayFilters(Vec<(String, Matcher)>);

impl ArrayFilters {
    /// Understands the filters, of which each names one kind of element.
    ///
    /// # Errors
    /// A filter of none or of several names; two filters of one name.
    pub(in crate::sandbox) fn parse(filters: &[RawDocumentBuf], given: &Given) -> Result<Self, CommandError> {
        let mut all: Vec<(String, Matcher)> = Vec::new();
        for filter in filters {
            let mut names = Vec::new();
            collect_names(filter, &mut names)?;
            names.dedup();
            let name = match names.as_slice() {
                [name]
                    if !name.starts_with(|c: char| c.is_ascii_lowercase())
                        || !name.bytes().all(|byte| byte.is_ascii_alphanumeric()) =>
                {
                    let message = format!(
                        "Error parsing array filter :: caused by :: The top-level field name must be an alphanumeric string \
                         beginning with a lowercase letter, found '{name}'"
                    );
                    return Err(CommandError::bad_value(message));
                }
                [name] => name.clone(),
                [] => {
                    let message = "Cannot use an expression without a top-level field name in arrayFilters";
                    return Err(CommandError::new(Code::FAILED_TO_PARSE, message));
                }
                [a, b, ..] => {
                    let message = format!(
                        "Error parsing array filter :: caused by :: Expected a single top-level field name, found '{a}' and '{b}'"
                    );
                    return Err(CommandError::new(Code::FAILED_TO_PARSE, message));
                }
            };
            if all.iter().any(|(known, _)| *known == name) {
                let message = format!("Found multiple array filters with the same top-level field name {name}");
                return Err(CommandError::new(Code::FAILED_TO_PARSE, message));
            }
            all.push((name, Matcher::parse_given(filter, given)?));
        }
        Ok(Self(all))
    }

    fn get(&self, name: &str) -> Option<&Matcher> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, matcher)| matcher)
    }

    /// Every filter must be used by a path, and every name in a path have its filter.
    pub(super) fn check(&self, operations: &[Operation], update: &RawDocument) -> Result<(), CommandError> {
        let mut used = Vec::new();
        for path in operations.iter().flat_map(Operation::paths) {
            for name in path.split('.').filter_map(identifier).filter(|name| !name.is_empty()) {
                if self.get(name).is_none() {
                    let message = format!("No array filter found for identifier '{name}' in path '{path}'");
                    return Err(CommandError::bad_value(message));
                }
                used.push(name);
            }
        }
        match self.0.iter().find(|(name, _)| !used.contains(&name.as_str())) {
            Some((name, _)) => {
                let update = shell(RawBsonRef::Document(update));
                let message = format!("The array filter for identifier '{name}' was not used in the update {update}");
                Err(CommandError::new(Code::FAILED_TO_PARSE, message))
            }
            None => Ok(()),
        }
    }

    /// The paths that `path` stands for in `document`; `matched` is the element its filter found.
    pub(super) fn expand(&self, document: &Document, path: &str, matched: Option<usize>) -> Result<Vec<String>, CommandError> {
        let mut paths = vec![String::new()];
        for part in path.split('.') {
            let mut longer = Vec::new();
            for so_far in paths {
                match identifier(part) {
                    None if part == "$" => {
                        let missing =
                            || CommandError::bad_value("The positional operator did not find the match needed from the query.");
                        longer.push(joined(&so_far, &matched.ok_or_else(missing)?.to_string()));
                    }
                    None => longer.push(joined(&so_far, part)),
                    Some(name) => {
                        let elements = self.elements(document, &so_far, name, part)?;
                        longer.extend(elements.into_iter().map(|index| joined(&so_far, &index.to_string())));
                    }
                }
            }
            paths = longer;
        }
        Ok(paths)
    }

    fn elements(&self, document: &Document, path: &str, name: &str, part: &str) -> Result<Vec<usize>, CommandError> {
        let array = match find(document, path) {
            Some(Bson::Array(array)) => array,
            None => {
                let message = format!("The path '{path}' must exist in the document in order to apply array updates.");
                return Err(CommandError::bad_value(message));
            }
            Some(other) => {
                let value = super::super::value::shell_of(other);
                let field = path.rsplit('.').next().unwrap_or(path);
                let message = format!("Cannot apply array updates to non-array element {field}: {value}");
                return Err(CommandError::bad_value(message));
            }
        };
        if name.is_empty() {
            return Ok((0..array.len()).collect());
        }
        let Some(matcher) = self.get(name) else {
            let message = format!("No array filter found for identifier '{name}' in path '{path}.{part}'");
            return Err(CommandError::bad_value(message));
        };
        let mut passing = Vec::new();
        for (index, element) in array.iter().enumerate() {
            let mut wrapped = Document::new();
            wrapped.insert(name, element.clone());
            if matcher.matches(&RawDocumentBuf::try_from(&wrapped)?) {
                passing.push(index);
            }
        }
        Ok(passing)
    }
}

/// Whether a path has parts that stand for elements.
pub(super) fn is_positional(path: &str) -> bool {
    path.split('.').any(|part| part.starts_with('$'))
}

/// `name` of `$[name]`.
fn identifier(part: &str) -> Option<&str> {
    part.strip_prefix("$[")?.strip_suffix(']')
}

fn joined(path: &str, part: &str) -> String {
    if path.is_empty() { part.to_owned() } else { format!("{path}.{part}") }
}

fn collect_names(filter: &RawDocument, names: &mut Vec<String>) -> Result<(), CommandError> {
    for element in filter.iter() {
        let (name, value) = element?;
        if name.as_str().starts_with('$') {
            for part in value.as_array().into_iter().flatten() {
                if let RawBsonRef::Document(part) = part? {
                    collect_names(part, names)?;
                }
            }
        } else {
            names.push(name.as_str().split('.').next().unwrap_or_default().to_owned());
        }
    }
    Ok(())
}
