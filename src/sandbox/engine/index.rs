use std::sync::Arc;

use bson::{RawBson, RawBsonRef, RawDocument, RawDocumentBuf, rawdoc};
use rusqlite::{Connection, params};

use super::super::error::{Code, CommandError};
use super::super::matcher::{Columns, Matcher, directed, is_set};
use super::super::value::{Collation, Leaf, Path, compare, shell, type_alias, whole_number};
use super::keys;

/// An index: a table of (key, document's number), where the key's bytes sort like the values. That of `_id` is the
/// collection's own table.
#[derive(Debug, Clone)]
pub(in crate::sandbox) struct Index {
    table: Table,
    /// As it was created, with its name.
    pub(in crate::sandbox) spec: RawDocumentBuf,
    pub(in crate::sandbox) name: String,
    /// Each field, and whether its keys go down.
    pub(in crate::sandbox) paths: Vec<(Path, bool)>,
    pub(in crate::sandbox) unique: bool,
    pub(in crate::sandbox) sparse: bool,
    /// Whether queries pass it over.
    pub(in crate::sandbox) hidden: bool,
    pub(in crate::sandbox) partial: Option<Arc<Matcher>>,
    /// Seconds after the indexed date when a document goes.
    pub(in crate::sandbox) expires_after: Option<i64>,
    /// Whether a document has ever had several keys.
    pub(in crate::sandbox) multikey: bool,
    pub(in crate::sandbox) collation: Collation,
}

/// Where the keys are: in the table of this index, or of this collection.
#[derive(Debug, Clone, Copy)]
enum Table {
    Index(i64),
    Collection(i64),
}

/// Ranges of keys: each from its first key to before its second.
pub(in crate::sandbox) type Ranges = Vec<(Vec<u8>, Vec<u8>)>;

/// Kinds of index MongoDB has and the sandbox has not.
const KINDS: [&str; 5] = ["2d", "2dsphere", "columnstore", "hashed", "text"];

impl Index {
    /// The index of the `_id`s of a collection.
    pub(super) fn of_id(collection: i64, collation: &Collation) -> Self {
        let mut spec = rawdoc! { "v": 2, "key": { "_id": 1 }, "name": "_id_" };
        if let Some(collation) = collation.spec() {
            spec.append(bson::raw::cstr!("collation"), collation.to_owned());
        }
        Self {
            table: Table::Collection(collection),
            spec,
            name: "_id_".to_owned(),
            paths: vec![(Path::new("_id"), false)],
            unique: true,
            sparse: false,
            hidden: false,
            partial: None,
            expires_after: None,
            multikey: false,
            collation: collation.clone(),
        }
    }

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
            let down = match direction {
                RawBsonRef::String(kind) if KINDS.contains(&kind) => {
                    return Err(CommandError::not_implemented(&format!("a {kind} index")));
                }
                RawBsonRef::String(kind) => return Err(wrong(format!("Unknown index plugin '{kind}'"))),
                RawBsonRef::Int32(n) if n != 0 => n < 0,
                RawBsonRef::Int64(n) if n != 0 => n < 0,
                RawBsonRef::Double(n) if n != 0.0 => n < 0.0,
                other => {
                    let message = format!(
                        "Values in v:2 index key pattern must be non-zero numbers or strings. Found {} in {{ {name}: {} }}",
                        type_alias(other),
                        shell(other)
                    );
                    return Err(wrong(message));
                }
            };
            if name.as_str().contains('$') {
                return Err(CommandError::not_implemented(&format!("an index on {name}")));
            }
            paths.push((Path::new(name.as_str()), down));
        }
        let flag = |name: &str| Ok::<_, CommandError>(spec.get(name)?.is_some_and(is_set));
        let collation = Collation::of_field(spec.get("collation")?)?.unwrap_or_default();
        let partial = match spec.get("partialFilterExpression")? {
            Some(RawBsonRef::Document(filter)) => {
                let given = super::super::expression::Given::collated(collation.clone());
                Some(Arc::new(Matcher::parse_given(filter, &given)?))
            }
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
        let name = match spec.get("name")? {
            Some(RawBsonRef::String(name)) if !name.is_empty() => name.to_owned(),
            _ => return Err(wrong("The field 'name' is a required property of an index specification".into())),
        };
        Ok(Self {
            table: Table::Index(id),
            spec: spec.to_owned(),
            name,
            paths,
            unique: flag("unique")?,
            sparse: flag("sparse")?,
            hidden: flag("hidden")?,
            partial,
            expires_after,
            multikey,
            collation,
        })
    }

    /// Whether another index is of the same keys in the same way, so that the two cannot stand side by side.
    pub(in crate::sandbox) fn is_like(&self, other: &Self) -> bool {
        let same = |name: &str| match (self.spec.get(name), other.spec.get(name)) {
            (Ok(Some(a)), Ok(Some(b))) => compare(a, b).is_eq(),
            (Ok(None), Ok(None)) => true,
            _ => false,
        };
        same("key")
            && same("partialFilterExpression")
            && self.collation == other.collation
            && (self.unique, self.sparse) == (other.unique, other.sparse)
    }

    /// Whether these are its keys, whatever the types of their numbers.
    pub(in crate::sandbox) fn is_of(&self, keys: &RawDocument) -> bool {
        matches!(self.spec.get("key"), Ok(Some(own)) if compare(own, RawBsonRef::Document(keys)).is_eq())
    }

    /// Whether it is that of `_id`, which every collection has.
    pub(in crate::sandbox) fn is_of_id(&self) -> bool {
        matches!(self.paths.as_slice(), [(path, false)] if *path == Path::new("_id"))
    }

    /// Its number in the catalogue; `None` for that of `_id`.
    pub(super) fn id(&self) -> Option<i64> {
        match self.table {
            Table::Index(id) => Some(id),
            Table::Collection(_) => None,
        }
    }

    /// What a filter needs to know to narrow a search in it.
    pub(super) fn columns(&self) -> Columns<'_> {
        Columns { paths: &self.paths, collation: &self.collation, multikey: self.multikey }
    }

    /// The keys of a document; none if the index leaves the document out.
    fn keys(&self, document: &RawDocument) -> Result<Vec<Vec<u8>>, CommandError> {
        if let Some(partial) = &self.partial
            && !partial.try_matches(document)?
        {
            return Ok(Vec::new());
        }
        let mut keys = Vec::new();
        for tuple in keys::tuples(document, &self.paths)? {
            if self.sparse && tuple.iter().all(Option::is_none) {
                continue;
            }
            let mut key = Vec::new();
            for (value, (_, down)) in tuple.into_iter().zip(&self.paths) {
                key.extend(directed(&self.collation.key(value.unwrap_or(RawBsonRef::Null)), *down));
            }
            keys.push(key);
        }
        keys.sort();
        keys.dedup();
        Ok(keys)
    }

    pub(super) fn create_table(&self, connection: &Connection) -> Result<(), CommandError> {
        let Table::Index(id) = self.table else { return Ok(()) };
        let sql = format!("CREATE TABLE i_{id} (key BLOB NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (key, seq)) WITHOUT ROWID");
        Ok(connection.execute_batch(&sql)?)
    }

    pub(super) fn drop_table(&self, connection: &Connection) -> Result<(), CommandError> {
        let Table::Index(id) = self.table else { return Ok(()) };
        connection.prepare_cached("DELETE FROM indexes WHERE id = ?")?.execute([id])?;
        Ok(connection.execute_batch(&format!("DROP TABLE i_{id}"))?)
    }

    /// Takes all keys out.
    pub(super) fn clear(&self, connection: &Connection) -> Result<(), CommandError> {
        let Table::Index(id) = self.table else { return Ok(()) };
        Ok(connection.execute_batch(&format!("DELETE FROM i_{id}"))?)
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
        let Table::Index(id) = self.table else { return Ok(()) };
        let keys = self.keys(document)?;
        if keys.len() > 1 && !self.multikey {
            connection.prepare_cached("UPDATE indexes SET multikey = 1 WHERE id = ?")?.execute([id])?;
        }
        for key in keys {
            if self.unique {
                let sql = format!("SELECT 1 FROM i_{id} WHERE key = ? AND seq <> ?");
                if connection.prepare_cached(&sql)?.exists(params![key, seq])? {
                    return Err(self.duplicate(namespace, document));
                }
            }
            let sql = format!("INSERT OR IGNORE INTO i_{id} (key, seq) VALUES (?, ?)");
            connection.prepare_cached(&sql)?.execute(params![key, seq])?;
        }
        Ok(())
    }

    pub(super) fn remove(&self, connection: &Connection, seq: i64, document: &RawDocument) -> Result<(), CommandError> {
        let Table::Index(id) = self.table else { return Ok(()) };
        let sql = format!("DELETE FROM i_{id} WHERE key = ? AND seq = ?");
        let mut statement = connection.prepare_cached(&sql)?;
        for key in self.keys(document)? {
            statement.execute(params![key, seq])?;
        }
        Ok(())
    }

    /// A statement that answers (key, number, document) of one range in the index's order, forward or backward: after the
    /// key `?1` and the number `?2`, before the key `?3`.
    pub(super) fn range_sql(&self, collection: i64, backward: bool) -> String {
        let (from, key, seq) = match self.table {
            Table::Collection(id) => (format!("c_{id} c"), "c.key", "c.seq"),
            Table::Index(id) => (format!("i_{id} i CROSS JOIN c_{collection} c ON c.seq = i.seq"), "i.key", "i.seq"),
        };
        if backward {
            format!(
                "SELECT {key}, {seq}, c.body FROM {from} WHERE ({key}, {seq}) < (?1, ?2) AND {key} >= ?3 \
                 ORDER BY {key} DESC, {seq} DESC"
            )
        } else {
            format!(
                "SELECT {key}, {seq}, c.body FROM {from} WHERE ({key}, {seq}) > (?1, ?2) AND {key} < ?3 ORDER BY {key}, {seq}"
            )
        }
    }

    /// A statement that answers (key, number) of the entry after the first `?4` of one range; the range as in
    /// [`range_sql`](Self::range_sql), whose documents it does not touch.
    pub(super) fn leap_sql(&self, backward: bool) -> String {
        let table = match self.table {
            Table::Collection(id) => format!("c_{id}"),
            Table::Index(id) => format!("i_{id}"),
        };
        let (range, down) =
            if backward { ("(key, seq) < (?1, ?2) AND key >= ?3", " DESC") } else { ("(key, seq) > (?1, ?2) AND key < ?3", "") };
        format!("SELECT key, seq FROM {table} WHERE {range} ORDER BY key{down}, seq{down} LIMIT 1 OFFSET ?4")
    }

    /// The numbers of the documents with a key in the range.
    pub(super) fn numbers(&self, connection: &Connection, (low, high): (&[u8], &[u8])) -> Result<Vec<i64>, CommandError> {
        let table = match self.table {
            Table::Index(id) => format!("i_{id}"),
            Table::Collection(id) => format!("c_{id}"),
        };
        let sql = format!("SELECT DISTINCT seq FROM {table} WHERE key >= ? AND key < ?");
        let mut statement = connection.prepare_cached(&sql)?;
        let numbers = statement.query_map(params![low, high], |row| row.get::<_, i64>(0))?;
        Ok(numbers.collect::<Result<_, _>>()?)
    }

    /// The bytes its keys take.
    pub(in crate::sandbox) fn size(&self, connection: &Connection) -> Result<i64, CommandError> {
        let table = match self.table {
            Table::Index(id) => format!("i_{id}"),
            Table::Collection(id) => format!("c_{id}"),
        };
        let sql = format!("SELECT coalesce(sum(length(key) + 8), 0) FROM {table}");
        Ok(connection.prepare_cached(&sql)?.query_row([], |row| row.get(0))?)
    }

    fn duplicate(&self, namespace: &str, document: &RawDocument) -> CommandError {
        let pattern = self.spec.get_document("key").map(ToOwned::to_owned).unwrap_or_default();
        let mut values = RawDocumentBuf::new();
        for ((name, _), (path, _)) in pattern.iter().flatten().zip(&self.paths) {
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
