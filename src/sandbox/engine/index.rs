use std::sync::Arc;

use bson::{RawBson, RawBsonRef, RawDocument, RawDocumentBuf};
use rusqlite::{Connection, params};

use super::super::error::{Code, CommandError};
use super::super::matcher::Matcher;
use super::super::value::{Leaf, Path, encode, shell, type_alias, whole_number};

/// An index: a table of (key, document's number), where the key's bytes sort like the values.
#[derive(Debug, Clone)]
pub(in crate::sandbox) struct Index {
    id: i64,
    /// As it was created, with its name.
    pub(in crate::sandbox) spec: RawDocumentBuf,
    pub(in crate::sandbox) name: String,
    pub(in crate::sandbox) paths: Vec<Path>,
    unique: bool,
    sparse: bool,
    pub(in crate::sandbox) partial: Option<Arc<Matcher>>,
    /// Seconds after the indexed date when a document goes.
    pub(in crate::sandbox) expires_after: Option<i64>,
    /// Whether a document has ever had several keys.
    pub(in crate::sandbox) multikey: bool,
}

/// Ranges of keys: each from its first key to before its second.
pub(in crate::sandbox) type Ranges = Vec<(Vec<u8>, Vec<u8>)>;

/// More keys than this of one document are refused.
const MAX_KEYS: usize = 100_000;

impl Index {
    /// Understands the specification of an index.
    ///
    /// # Errors
    /// A kind of index the sandbox has not; options of the wrong type.
    pub(in crate::sandbox) fn parse(id: i64, spec: &RawDocument, multikey: bool) -> Result<Self, CommandError> {
        let wrong = |message: String| CommandError::new(Code::CANNOT_CREATE_INDEX, message);
        let key = match spec.get("key")? {
            Some(RawBsonRef::Document(key)) if !key.is_empty() => key,
            _ => return Err(wrong("Index keys cannot be empty.".into())),
        };
        let mut paths = Vec::new();
        for field in key.iter() {
            let (name, direction) = field?;
            match direction {
                RawBsonRef::String(kind) => return Err(CommandError::not_implemented(&format!("a {kind} index"))),
                RawBsonRef::Int32(n) if n != 0 => {}
                RawBsonRef::Int64(n) if n != 0 => {}
                RawBsonRef::Double(n) if n != 0.0 => {}
                other => {
                    let message = format!(
                        "Values in v:2 index key pattern must be non-zero numbers or strings. Found {} in {{ {name}: {} }}",
                        type_alias(other),
                        shell(other)
                    );
                    return Err(wrong(message));
                }
            }
            if name.as_str().contains('$') {
                return Err(CommandError::not_implemented(&format!("an index on {name}")));
            }
            paths.push(Path::new(name.as_str()));
        }
        let flag =
            |name: &str| Ok::<_, CommandError>(matches!(spec.get(name)?, Some(RawBsonRef::Boolean(true) | RawBsonRef::Int32(1))));
        let partial = match spec.get("partialFilterExpression")? {
            Some(RawBsonRef::Document(filter)) => Some(Arc::new(Matcher::parse(filter)?)),
            _ => None,
        };
        let expires_after = match spec.get("expireAfterSeconds")? {
            None => None,
            Some(value) => match bson::Bson::try_from(value).ok().as_ref().and_then(whole_number).filter(|n| *n >= 0) {
                Some(seconds) if paths.len() == 1 => Some(seconds),
                _ => {
                    return Err(wrong(
                        "TTL index 'expireAfterSeconds' must be a non-negative number, and its key one field".into(),
                    ));
                }
            },
        };
        if matches!(spec.get("collation")?, Some(RawBsonRef::Document(collation)) if !collation.is_empty()) {
            return Err(CommandError::not_implemented("an index with a collation"));
        }
        let name = match spec.get("name")? {
            Some(RawBsonRef::String(name)) if !name.is_empty() => name.to_owned(),
            _ => return Err(wrong("The field 'name' is a required property of an index specification".into())),
        };
        Ok(Self {
            id,
            spec: spec.to_owned(),
            name,
            paths,
            unique: flag("unique")?,
            sparse: flag("sparse")?,
            partial,
            expires_after,
            multikey,
        })
    }

    /// The keys of a document: of an array's every element; none if the index leaves the document out.
    fn keys(&self, document: &RawDocument) -> Result<Vec<Vec<u8>>, CommandError> {
        if let Some(partial) = &self.partial
            && !partial.try_matches(document)?
        {
            return Ok(Vec::new());
        }
        let (mut keys, mut there, mut array) = (vec![Vec::new()], false, None::<&str>);
        for path in &self.paths {
            let mut values: Vec<Vec<u8>> = Vec::new();
            path.any(document, Leaf::Elements, &mut |value| {
                there |= value.is_some();
                let mut key = Vec::with_capacity(16);
                encode(value.unwrap_or(RawBsonRef::Null), &mut key);
                values.push(key);
                false
            });
            values.sort();
            values.dedup();
            if values.len() > 1 {
                let first = path.parts().first().map(String::as_str);
                if array.is_some() && array != first {
                    let message =
                        format!("cannot index parallel arrays [{}] [{}]", path.parts().join("."), array.unwrap_or_default());
                    return Err(CommandError::new(Code::CANNOT_INDEX_PARALLEL_ARRAYS, message));
                }
                array = first;
            }
            if values.is_empty() {
                values.push(super::super::value::key(RawBsonRef::Null));
            }
            keys = keys.iter().flat_map(|key| values.iter().map(move |value| [key.as_slice(), value].concat())).collect();
            if keys.len() > MAX_KEYS {
                return Err(CommandError::new(Code::CANNOT_CREATE_INDEX, "a document has too many index keys"));
            }
        }
        Ok(if self.sparse && !there { Vec::new() } else { keys })
    }

    pub(super) fn create_table(&self, connection: &Connection) -> Result<(), CommandError> {
        let id = self.id;
        let sql = format!("CREATE TABLE i_{id} (key BLOB NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (key, seq)) WITHOUT ROWID");
        Ok(connection.execute_batch(&sql)?)
    }

    pub(super) fn drop_table(&self, connection: &Connection) -> Result<(), CommandError> {
        connection.prepare_cached("DELETE FROM indexes WHERE id = ?")?.execute([self.id])?;
        Ok(connection.execute_batch(&format!("DROP TABLE i_{}", self.id))?)
    }

    /// Adds a document.
    ///
    /// # Errors
    /// The index is unique and another document has one of its keys.
    pub(super) fn add(
        &self,
        connection: &Connection,
        namespace: &str,
        seq: i64,
        document: &RawDocument,
    ) -> Result<(), CommandError> {
        let keys = self.keys(document)?;
        if keys.len() > 1 && !self.multikey {
            connection.prepare_cached("UPDATE indexes SET multikey = 1 WHERE id = ?")?.execute([self.id])?;
        }
        for key in keys {
            if self.unique {
                let sql = format!("SELECT 1 FROM i_{} WHERE key = ? AND seq <> ?", self.id);
                if connection.prepare_cached(&sql)?.exists(params![key, seq])? {
                    return Err(self.duplicate(namespace, document));
                }
            }
            let sql = format!("INSERT OR IGNORE INTO i_{} (key, seq) VALUES (?, ?)", self.id);
            connection.prepare_cached(&sql)?.execute(params![key, seq])?;
        }
        Ok(())
    }

    pub(super) fn remove(&self, connection: &Connection, seq: i64, document: &RawDocument) -> Result<(), CommandError> {
        let sql = format!("DELETE FROM i_{} WHERE key = ? AND seq = ?", self.id);
        let mut statement = connection.prepare_cached(&sql)?;
        for key in self.keys(document)? {
            statement.execute(params![key, seq])?;
        }
        Ok(())
    }

    /// The numbers of the documents with a key in one of the ranges, in natural order.
    pub(super) fn seek(&self, connection: &Connection, ranges: &[(Vec<u8>, Vec<u8>)]) -> Result<Vec<i64>, CommandError> {
        let sql = format!("SELECT seq FROM i_{} WHERE key >= ? AND key < ?", self.id);
        let mut statement = connection.prepare_cached(&sql)?;
        let mut numbers = Vec::new();
        for (low, high) in ranges {
            for seq in statement.query_map(params![low, high], |row| row.get::<_, i64>(0))? {
                numbers.push(seq?);
            }
        }
        numbers.sort_unstable();
        numbers.dedup();
        Ok(numbers)
    }

    fn duplicate(&self, namespace: &str, document: &RawDocument) -> CommandError {
        let pattern = self.spec.get_document("key").map(ToOwned::to_owned).unwrap_or_default();
        let mut values = RawDocumentBuf::new();
        for ((name, _), path) in pattern.iter().flatten().zip(&self.paths) {
            let mut found = RawBson::Null;
            path.any(document, Leaf::Whole, &mut |value| {
                found = value.map_or(RawBson::Null, RawBson::from);
                value.is_some()
            });
            values.append(name, found);
        }
        let message = format!(
            "E11000 duplicate key error collection: {namespace} index: {} dup key: {}",
            self.name,
            shell(RawBsonRef::Document(&values))
        );
        let mut details = RawDocumentBuf::new();
        details.append(bson::raw::cstr!("keyPattern"), pattern);
        details.append(bson::raw::cstr!("keyValue"), values);
        CommandError { details: Some(details), ..CommandError::new(Code::DUPLICATE_KEY, message) }
    }
}
