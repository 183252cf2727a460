use bson::{RawBsonRef, RawDocument, RawDocumentBuf};

use super::super::engine::{Deadline, Namespace};
use super::super::error::{Code, CommandError};
use super::super::value::{Collation, type_alias};

/// The fields of a command, or of one operation of a batch, with their types checked.
#[derive(Clone, Copy)]
pub(in crate::sandbox) struct Args<'a> {
    command: &'a str,
    body: &'a RawDocument,
}

impl<'a> Args<'a> {
    /// `command` is for the messages.
    pub(in crate::sandbox) fn new(command: &'a str, body: &'a RawDocument) -> Self {
        Self { command, body }
    }

    pub(in crate::sandbox) fn get(&self, name: &str) -> Result<Option<RawBsonRef<'a>>, CommandError> {
        Ok(self.body.get(name)?)
    }

    pub(in crate::sandbox) fn document(&self, name: &str) -> Result<Option<&'a RawDocument>, CommandError> {
        match self.get(name)? {
            None | Some(RawBsonRef::Null) => Ok(None),
            Some(RawBsonRef::Document(document)) => Ok(Some(document)),
            Some(other) => Err(self.mismatch(name, other, "object")),
        }
    }

    pub(in crate::sandbox) fn text(&self, name: &str) -> Result<Option<&'a str>, CommandError> {
        match self.get(name)? {
            None | Some(RawBsonRef::Null) => Ok(None),
            Some(RawBsonRef::String(text)) => Ok(Some(text)),
            Some(other) => Err(self.mismatch(name, other, "string")),
        }
    }

    /// Numbers count too, as everywhere in MongoDB's commands.
    pub(in crate::sandbox) fn flag(&self, name: &str) -> Result<Option<bool>, CommandError> {
        match self.get(name)? {
            None | Some(RawBsonRef::Null) => Ok(None),
            Some(RawBsonRef::Boolean(flag)) => Ok(Some(flag)),
            Some(RawBsonRef::Int32(n)) => Ok(Some(n != 0)),
            Some(RawBsonRef::Int64(n)) => Ok(Some(n != 0)),
            Some(RawBsonRef::Double(n)) => Ok(Some(n != 0.0)),
            Some(other) => Err(self.mismatch(name, other, "bool")),
        }
    }

    pub(in crate::sandbox) fn integer(&self, name: &str) -> Result<Option<i64>, CommandError> {
        match self.get(name)? {
            None | Some(RawBsonRef::Null) => Ok(None),
            Some(RawBsonRef::Int32(n)) => Ok(Some(i64::from(n))),
            Some(RawBsonRef::Int64(n)) => Ok(Some(n)),
            #[allow(clippy::cast_possible_truncation)] // saturates
            Some(RawBsonRef::Double(n)) if n.fract() == 0.0 => Ok(Some(n as i64)),
            Some(other) => Err(self.mismatch(name, other, "long")),
        }
    }

    /// A count: an integer that is not negative.
    pub(in crate::sandbox) fn size(&self, name: &str) -> Result<Option<usize>, CommandError> {
        self.integer(name)?
            .map(|n| {
                usize::try_from(n).map_err(|_| {
                    let message = format!("BSON field '{name}' value must be >= 0, actual value '{n}'");
                    CommandError::new(Code::location(51024), message)
                })
            })
            .transpose()
    }

    pub(in crate::sandbox) fn documents(&self, name: &str) -> Result<Vec<RawDocumentBuf>, CommandError> {
        let array = match self.get(name)? {
            Some(RawBsonRef::Array(array)) => array,
            Some(other) => return Err(self.mismatch(name, other, "array")),
            None => return Err(self.missing(name)),
        };
        array
            .into_iter()
            .map(|entry| match entry? {
                RawBsonRef::Document(document) => Ok(document.to_owned()),
                other => Err(self.mismatch(name, other, "object")),
            })
            .collect()
    }

    /// The database the command is for.
    pub(in crate::sandbox) fn db(&self) -> Result<&'a str, CommandError> {
        self.text("$db")?.ok_or_else(|| self.missing("$db"))
    }

    /// The collection named by the field `name`, which for most commands is their own.
    pub(in crate::sandbox) fn namespace(&self, name: &str) -> Result<Namespace, CommandError> {
        match self.get(name)? {
            Some(RawBsonRef::String(collection)) => Namespace::new(self.db()?, collection),
            Some(other) => {
                let message = format!("collection name has invalid type {}", type_alias(other));
                Err(CommandError::new(Code::INVALID_NAMESPACE, message))
            }
            None => Err(self.missing(name)),
        }
    }

    /// How strings are to be compared, if the command says so.
    pub(super) fn collation(&self) -> Result<Option<Collation>, CommandError> {
        Collation::of_field(self.get("collation")?)
    }

    /// When the command has to give up, if it says so (`maxTimeMS`).
    pub(super) fn deadline(&self) -> Result<Deadline, CommandError> {
        let millis = self.integer("maxTimeMS")?.unwrap_or(0);
        match u64::try_from(millis) {
            Ok(0) => Ok(Deadline::default()),
            Ok(millis) if i32::try_from(millis).is_ok() => {
                Ok(Deadline(std::time::Instant::now().checked_add(std::time::Duration::from_millis(millis))))
            }
            _ => Err(CommandError::bad_value(format!("{millis} value for maxTimeMS is out of range [0, {}]", i32::MAX))),
        }
    }

    /// Refuses fields that a command of this name does not have.
    pub(super) fn only(&self, known: &[&str]) -> Result<(), CommandError> {
        for field in self.body.iter() {
            let (name, _) = field?;
            if !known.contains(&name.as_str()) {
                return Err(self.unknown(name.as_str()));
            }
        }
        Ok(())
    }

    pub(super) fn unknown(&self, name: &str) -> CommandError {
        let message = format!("BSON field '{}.{name}' is an unknown field.", self.command);
        CommandError::new(Code::location(40415), message)
    }

    pub(in crate::sandbox) fn missing(&self, name: &str) -> CommandError {
        let message = format!("BSON field '{}.{name}' is missing but a required field", self.command);
        CommandError::new(Code::location(40414), message)
    }

    fn mismatch(&self, name: &str, value: RawBsonRef<'_>, expected: &str) -> CommandError {
        let message =
            format!("BSON field '{}.{name}' is the wrong type '{}', expected type '{expected}'", self.command, type_alias(value));
        CommandError::new(Code::TYPE_MISMATCH, message)
    }
}

impl Args<'_> {
    /// The namespace a `getMore` names; it may be one no collection can have, such as `$cmd.listCollections`.
    pub(super) fn namespace_of_cursor(&self) -> Result<String, CommandError> {
        let collection = self.text("collection")?.ok_or_else(|| self.missing("collection"))?;
        Ok(format!("{}.{collection}", self.db()?))
    }
}
