use bson::{Bson, Document, RawDocument, RawDocumentBuf};

use super::super::error::{Code, CommandError};
use super::super::expression::Expression;

/// What `$redact` leaves of a document; `None` if nothing. The expression sees each document inside as the current one.
pub(super) fn redact(document: &RawDocument, decide: &Expression) -> Result<Option<RawDocumentBuf>, CommandError> {
    match decide.evaluate(document)?.as_ref().and_then(Bson::as_str) {
        Some("keep") => Ok(Some(document.to_owned())),
        Some("prune") => Ok(None),
        Some("descend") => {
            let mut kept = Document::new();
            for (name, value) in document.iter().flatten() {
                if let Some(value) = within(Bson::try_from(value)?, decide)? {
                    kept.insert(name.as_str(), value);
                }
            }
            Ok(Some(RawDocumentBuf::try_from(&kept)?))
        }
        _ => {
            let message =
                "$redact's expression should not return anything aside from the variables $$KEEP, $$DESCEND, and $$PRUNE";
            Err(CommandError::new(Code::location(17053), message))
        }
    }
}

fn within(value: Bson, decide: &Expression) -> Result<Option<Bson>, CommandError> {
    match value {
        Bson::Document(inner) => match redact(&RawDocumentBuf::try_from(&inner)?, decide)? {
            Some(kept) => Ok(Some(Bson::Document(Document::try_from(kept.as_ref())?))),
            None => Ok(None),
        },
        Bson::Array(elements) => {
            let kept = elements.into_iter().filter_map(|element| within(element, decide).transpose());
            kept.collect::<Result<_, _>>().map(|kept| Some(Bson::Array(kept)))
        }
        value => Ok(Some(value)),
    }
}
