use std::ops::ControlFlow;
use std::sync::Arc;

use bson::raw::cstr;
use bson::{RawBsonRef, RawDocument, RawDocumentBuf, rawdoc};
use rusqlite::{Connection, OptionalExtension, params};

use super::super::error::{Code, CommandError};
use super::super::matcher::Matcher;
use super::super::value::{MAX_DOCUMENT, check_id, key, shell, with_id_first};
use super::index::Ranges;
use super::{Index, Namespace};

/// Shown a document and its number; says whether it wants more.
pub(in crate::sandbox) type Visit<'v> = &'v mut dyn FnMut(i64, &RawDocument) -> Result<ControlFlow<()>, CommandError>;

/// One collection. Its documents are numbered in the order they came.
#[derive(Debug, Clone)]
pub(in crate::sandbox) struct Collection {
    id: i64,
    namespace: Namespace,
    indexes: Arc<Vec<Index>>,
}

impl Collection {
    pub(super) fn new(id: i64, namespace: Namespace, indexes: Arc<Vec<Index>>) -> Self {
        Self { id, namespace, indexes }
    }

    pub(super) fn id(&self) -> i64 {
        self.id
    }

    /// The indexes beside that of `_id`.
    pub(in crate::sandbox) fn indexes(&self) -> &[Index] {
        &self.indexes
    }

    /// The index that narrows a search the most, and its ranges.
    pub(in crate::sandbox) fn plan(&self, matcher: &Matcher) -> Option<(&Index, Ranges)> {
        let usable = self.indexes.iter().filter(|index| index.partial.is_none());
        let plans = usable.filter_map(|index| Some((index, matcher.ranges(&index.paths, index.multikey)?)));
        // The longer its keys are fixed, the less is found.
        plans.max_by_key(|(_, ranges)| ranges.first().map_or(usize::MAX, |(low, _)| low.len()))
    }

    pub(in crate::sandbox) fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    pub(super) fn create_table(&self, connection: &Connection) -> Result<(), CommandError> {
        let id = self.id;
        let sql = format!("CREATE TABLE c_{id} (seq INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, body BLOB NOT NULL)");
        Ok(connection.execute_batch(&sql)?)
    }

    pub(super) fn drop_table(&self, connection: &Connection) -> Result<(), CommandError> {
        Ok(connection.execute_batch(&format!("DROP TABLE c_{}", self.id))?)
    }

    /// Stores a document, its `_id` in front, made when missing. Returns it as stored.
    ///
    /// # Errors
    /// A duplicate `_id`, an `_id` of a type that cannot be one, a document over 16 MiB.
    pub(in crate::sandbox) fn insert(
        &self,
        connection: &Connection,
        document: &RawDocument,
    ) -> Result<RawDocumentBuf, CommandError> {
        check_size(document)?;
        let document = with_id_first(document)?;
        check_size(&document)?;
        let id = document.get("_id")?.unwrap_or(RawBsonRef::Null);
        check_id(id)?;
        let mut statement = connection.prepare_cached(&format!("INSERT INTO c_{} (key, body) VALUES (?, ?)", self.id))?;
        match statement.execute(params![key(id), document.as_bytes()]) {
            Ok(_) => {
                let seq = connection.last_insert_rowid();
                for index in self.indexes.iter() {
                    if let Err(error) = index.add(connection, &self.namespace.to_string(), seq, &document) {
                        self.delete(connection, seq)?;
                        return Err(error);
                    }
                }
                Ok(document)
            }
            Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::ConstraintViolation) => Err(self.duplicate(id)),
            Err(error) => Err(error.into()),
        }
    }

    fn duplicate(&self, id: RawBsonRef<'_>) -> CommandError {
        let message =
            format!("E11000 duplicate key error collection: {} index: _id_ dup key: {{ _id: {} }}", self.namespace, shell(id));
        let mut value = RawDocumentBuf::new();
        value.append(cstr!("_id"), id);
        let details = rawdoc! { "keyPattern": { "_id": 1 }, "keyValue": value };
        CommandError { details: Some(details), ..CommandError::new(Code::DUPLICATE_KEY, message) }
    }

    /// Puts a changed document in the place of the old one; the `_id` is the same.
    pub(in crate::sandbox) fn replace(&self, connection: &Connection, seq: i64, new: &RawDocument) -> Result<(), CommandError> {
        check_size(new)?;
        if !self.indexes.is_empty()
            && let Some(old) = self.by_seq(connection, seq)?
        {
            self.reindex(connection, seq, &old, new)?;
        }
        let mut statement = connection.prepare_cached(&format!("UPDATE c_{} SET body = ? WHERE seq = ?", self.id))?;
        statement.execute(params![new.as_bytes(), seq])?;
        Ok(())
    }

    /// Moves a document in the indexes; if it may not be where it goes, it stays where it was.
    fn reindex(&self, connection: &Connection, seq: i64, old: &RawDocument, new: &RawDocument) -> Result<(), CommandError> {
        let namespace = self.namespace.to_string();
        for (done, index) in self.indexes.iter().enumerate() {
            index.remove(connection, seq, old)?;
            if let Err(error) = index.add(connection, &namespace, seq, new) {
                for index in self.indexes.iter().take(done + 1) {
                    index.remove(connection, seq, new)?;
                    index.add(connection, &namespace, seq, old)?;
                }
                return Err(error);
            }
        }
        Ok(())
    }

    /// Deletes the documents whose indexed date is not after `limit`, in milliseconds since 1970.
    pub(super) fn expire(&self, connection: &Connection, index: &Index, limit: i64) -> Result<usize, CommandError> {
        let date = |millis| key(RawBsonRef::DateTime(bson::DateTime::from_millis(millis)));
        let gone = index.seek(connection, &[(date(i64::MIN), date(limit.saturating_add(1)))])?;
        for seq in &gone {
            self.delete(connection, *seq)?;
        }
        Ok(gone.len())
    }

    pub(in crate::sandbox) fn delete(&self, connection: &Connection, seq: i64) -> Result<(), CommandError> {
        if !self.indexes.is_empty()
            && let Some(old) = self.by_seq(connection, seq)?
        {
            self.indexes.iter().try_for_each(|index| index.remove(connection, seq, &old))?;
        }
        connection.prepare_cached(&format!("DELETE FROM c_{} WHERE seq = ?", self.id))?.execute([seq])?;
        Ok(())
    }

    /// How many documents there are.
    pub(in crate::sandbox) fn count(&self, connection: &Connection) -> Result<i64, CommandError> {
        let mut statement = connection.prepare_cached(&format!("SELECT count(*) FROM c_{}", self.id))?;
        Ok(statement.query_row([], |row| row.get(0))?)
    }

    /// The bytes of all documents.
    pub(in crate::sandbox) fn size(&self, connection: &Connection) -> Result<i64, CommandError> {
        let sql = format!("SELECT coalesce(sum(length(body)), 0) FROM c_{}", self.id);
        Ok(connection.prepare_cached(&sql)?.query_row([], |row| row.get(0))?)
    }

    /// Shows `visit` every document after number `after`, in order, until it breaks.
    pub(in crate::sandbox) fn scan(&self, connection: &Connection, after: i64, visit: Visit<'_>) -> Result<(), CommandError> {
        let sql = format!("SELECT seq, body FROM c_{} WHERE seq > ? ORDER BY seq", self.id);
        let mut statement = self.still_there(connection.prepare_cached(&sql))?;
        let mut rows = statement.query([after])?;
        while let Some(row) = rows.next()? {
            let body = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
            if visit(row.get(0)?, RawDocument::from_bytes(body)?)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// The document with this key of its `_id`.
    pub(in crate::sandbox) fn by_key(
        &self,
        connection: &Connection,
        key: &[u8],
    ) -> Result<Option<(i64, RawDocumentBuf)>, CommandError> {
        self.one(connection, &format!("SELECT seq, body FROM c_{} WHERE key = ?", self.id), params![key])
    }

    /// The document with this number.
    pub(in crate::sandbox) fn by_seq(&self, connection: &Connection, seq: i64) -> Result<Option<RawDocumentBuf>, CommandError> {
        let sql = format!("SELECT seq, body FROM c_{} WHERE seq = ?", self.id);
        Ok(self.one(connection, &sql, params![seq])?.map(|(_, body)| body))
    }

    fn one(
        &self,
        connection: &Connection,
        sql: &str,
        params: impl rusqlite::Params,
    ) -> Result<Option<(i64, RawDocumentBuf)>, CommandError> {
        let mut statement = self.still_there(connection.prepare_cached(sql))?;
        let row = statement.query_row(params, |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?))).optional()?;
        row.map(|(seq, body)| Ok((seq, RawDocumentBuf::from_bytes(body)?))).transpose()
    }

    /// A cursor may outlive its collection.
    fn still_there<T>(&self, prepared: rusqlite::Result<T>) -> Result<T, CommandError> {
        prepared.map_err(|error| match &error {
            rusqlite::Error::SqlInputError { msg, .. } if msg.starts_with("no such table") => {
                CommandError::new(Code::QUERY_PLAN_KILLED, format!("collection dropped. {}", self.namespace))
            }
            _ => error.into(),
        })
    }
}

fn check_size(document: &RawDocument) -> Result<(), CommandError> {
    let size = document.as_bytes().len();
    if size <= MAX_DOCUMENT {
        return Ok(());
    }
    let message = format!("BSONObj size: {size} (0x{size:X}) is invalid. Size must be between 0 and {MAX_DOCUMENT}(16MB)");
    Err(CommandError::new(Code::BSON_OBJECT_TOO_LARGE, message))
}
