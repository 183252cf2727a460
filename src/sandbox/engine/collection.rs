use std::ops::ControlFlow;
use std::sync::Arc;

use bson::raw::cstr;
use bson::{RawBsonRef, RawDocument, RawDocumentBuf, rawdoc};
use rusqlite::{Connection, OptionalExtension, params};

use super::super::error::{Code, CommandError};
use super::super::matcher::directed;
use super::super::value::{MAX_DOCUMENT, check_id, key, shell, with_id_first};
use super::traits::Traits;
use super::{Index, Namespace};

/// Shown a document and its number; says whether it wants more.
pub(in crate::sandbox) type Visit<'v> = &'v mut dyn FnMut(i64, &RawDocument) -> Result<ControlFlow<()>, CommandError>;

/// One collection. Its documents are numbered in the order they came.
#[derive(Debug, Clone)]
pub(in crate::sandbox) struct Collection {
    id: i64,
    namespace: Namespace,
    traits: Arc<Traits>,
    id_index: Arc<Index>,
    indexes: Arc<Vec<Index>>,
}

impl Collection {
    pub(super) fn new(id: i64, namespace: Namespace, traits: Traits, indexes: Vec<Index>) -> Self {
        let id_index = Arc::new(Index::of_id(id, &traits.collation));
        Self { id, namespace, traits: Arc::new(traits), id_index, indexes: Arc::new(indexes) }
    }

    /// How it was made.
    pub(in crate::sandbox) fn traits(&self) -> &Traits {
        &self.traits
    }

    /// The same collection, whose documents may be as they like.
    pub(in crate::sandbox) fn without_validation(mut self) -> Self {
        Arc::make_mut(&mut self.traits).validation = None;
        self
    }

    pub(super) fn id(&self) -> i64 {
        self.id
    }

    /// The indexes beside that of `_id`.
    pub(in crate::sandbox) fn indexes(&self) -> &[Index] {
        &self.indexes
    }

    /// All indexes, that of `_id` first.
    pub(in crate::sandbox) fn all_indexes(&self) -> impl Iterator<Item = &Index> {
        std::iter::once(&*self.id_index).chain(self.indexes.iter())
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
        self.traits.check_new(&document)?;
        let mut statement = connection.prepare_cached(&format!("INSERT INTO c_{} (key, body) VALUES (?, ?)", self.id))?;
        match statement.execute(params![self.traits.collation.key(id), document.as_bytes()]) {
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

    /// The error of a second document with this `_id`.
    pub(in crate::sandbox) fn duplicate(&self, id: RawBsonRef<'_>) -> CommandError {
        let message =
            format!("E11000 duplicate key error collection: {} index: _id_ dup key: {{ _id: {} }}", self.namespace, shell(id));
        let mut value = RawDocumentBuf::new();
        value.append(cstr!("_id"), id);
        let details = rawdoc! { "keyPattern": { "_id": 1 }, "keyValue": value };
        CommandError { details: Some(details), ..CommandError::new(Code::DUPLICATE_KEY, message) }
    }

    /// Puts a changed document in the place of the old one; the `_id` is the same.
    pub(in crate::sandbox) fn replace(
        &self,
        connection: &Connection,
        seq: i64,
        old: &RawDocument,
        new: &RawDocument,
    ) -> Result<(), CommandError> {
        check_size(new)?;
        self.traits.check_change(old, new)?;
        self.reindex(connection, seq, old, new)?;
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
        let (first, end) = (date(i64::MIN), date(limit.saturating_add(1)));
        let (first, end) = match index.paths.as_slice() {
            [(_, true)] => (directed(&end, true), directed(&first, true)),
            _ => (first, end),
        };
        let gone = index.numbers(connection, (&first, &end))?;
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

    /// Shows `visit` every document, in the order they came, until it breaks.
    pub(in crate::sandbox) fn scan(&self, connection: &Connection, visit: Visit<'_>) -> Result<(), CommandError> {
        self.scan_after(connection, 0, false, visit)
    }

    /// The same of those that came after number `after`, or, backward, before it.
    pub(super) fn scan_after(
        &self,
        connection: &Connection,
        after: i64,
        backward: bool,
        visit: Visit<'_>,
    ) -> Result<(), CommandError> {
        let order = if backward { "seq < ? ORDER BY seq DESC" } else { "seq > ? ORDER BY seq" };
        let sql = format!("SELECT seq, body FROM c_{} WHERE {order}", self.id);
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

    /// The number of the document after the first `skip`, forward or backward.
    pub(super) fn leap(&self, connection: &Connection, backward: bool, skip: i64) -> Result<Option<i64>, CommandError> {
        let order = if backward { " DESC" } else { "" };
        let sql = format!("SELECT seq FROM c_{} ORDER BY seq{order} LIMIT 1 OFFSET ?", self.id);
        let mut statement = self.still_there(connection.prepare_cached(&sql))?;
        Ok(statement.query_row([skip], |row| row.get(0)).optional()?)
    }

    /// The document with this number.
    pub(in crate::sandbox) fn by_seq(&self, connection: &Connection, seq: i64) -> Result<Option<RawDocumentBuf>, CommandError> {
        let sql = format!("SELECT body FROM c_{} WHERE seq = ?", self.id);
        let mut statement = self.still_there(connection.prepare_cached(&sql))?;
        let body = statement.query_row([seq], |row| row.get::<_, Vec<u8>>(0)).optional()?;
        Ok(body.map(RawDocumentBuf::from_bytes).transpose()?)
    }

    /// A cursor may outlive its collection or its index.
    pub(super) fn still_there<T>(&self, prepared: rusqlite::Result<T>) -> Result<T, CommandError> {
        prepared.map_err(|error| match &error {
            rusqlite::Error::SqlInputError { msg, .. } if msg.starts_with("no such table") => {
                CommandError::new(Code::QUERY_PLAN_KILLED, format!("collection dropped. {}", self.namespace))
            }
            _ => error.into(),
        })
    }
}

/// # Errors
/// It is over 16 MiB.
pub(in crate::sandbox) fn check_size(document: &RawDocument) -> Result<(), CommandError> {
    let size = document.as_bytes().len();
    if size <= MAX_DOCUMENT {
        return Ok(());
    }
    let message = format!("BSONObj size: {size} (0x{size:X}) is invalid. Size must be between 0 and {MAX_DOCUMENT}(16MB)");
    Err(CommandError::new(Code::BSON_OBJECT_TOO_LARGE, message))
}
