use std::fmt;
use std::path::Path;

use bson::{RawDocument, RawDocumentBuf};
use rusqlite::{Connection, OptionalExtension, params};

use super::super::error::{Code, CommandError};
use super::super::options::SandboxError;
use super::super::value::Collation;
use super::{Collection, Index, Traits, View, upgrade};

/// The version of the file's layout; a file of a newer one is refused.
const LAYOUT: i64 = 4;

/// Makes the catalogue in a new file, and checks that of an old one.
pub(super) fn prepare(connection: &Connection, file: &Path) -> Result<(), SandboxError> {
    let failed = |source| SandboxError::open(file, source);
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(failed)?;
    if found > LAYOUT {
        return Err(SandboxError::Newer { file: file.to_owned(), found, known: LAYOUT });
    }
    if found == LAYOUT {
        return upgrade::collations(connection).map_err(|error| SandboxError::upgrade(file, &error));
    }
    let sql = format!(
        "BEGIN IMMEDIATE;
         CREATE TABLE IF NOT EXISTS collections (
             id INTEGER PRIMARY KEY AUTOINCREMENT, db TEXT NOT NULL, name TEXT NOT NULL,
             uuid BLOB NOT NULL, options BLOB NOT NULL, UNIQUE (db, name));
         CREATE TABLE IF NOT EXISTS indexes (
             id INTEGER PRIMARY KEY AUTOINCREMENT, collection INTEGER NOT NULL, spec BLOB NOT NULL,
             multikey INTEGER NOT NULL DEFAULT 0);
         CREATE INDEX IF NOT EXISTS indexes_of_collection ON indexes (collection);
         PRAGMA user_version = {LAYOUT};
         COMMIT;"
    );
    if (2..LAYOUT).contains(&found) {
        upgrade::keys(connection, found).map_err(|error| SandboxError::upgrade(file, &error))?;
    }
    connection.execute_batch(&sql).map_err(failed)
}

/// A collection's full name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::sandbox) struct Namespace {
    pub(in crate::sandbox) db: String,
    pub(in crate::sandbox) collection: String,
}

impl Namespace {
    /// # Errors
    /// `InvalidNamespace` for names MongoDB does not allow.
    pub(in crate::sandbox) fn new(db: &str, collection: &str) -> Result<Self, CommandError> {
        let invalid = |what: String| Err(CommandError::new(Code::INVALID_NAMESPACE, what));
        if db.is_empty() || db.len() > 63 || db.contains(['/', '\\', '.', ' ', '"', '$', '\0']) {
            return invalid(format!("Invalid database name: '{db}'"));
        }
        if collection.is_empty()
            || collection.len() > 255 - db.len()
            || collection.contains(['$', '\0'])
            || collection.starts_with('.')
            || collection.ends_with('.')
        {
            return invalid(format!("Invalid namespace specified '{db}.{collection}'"));
        }
        Ok(Self { db: db.to_owned(), collection: collection.to_owned() })
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.db, self.collection)
    }
}

/// One entry of the catalogue.
#[derive(Debug, Clone)]
pub(in crate::sandbox) struct Entry {
    pub(in crate::sandbox) namespace: Namespace,
    /// `None` for a view.
    pub(in crate::sandbox) collection: Option<Collection>,
    pub(in crate::sandbox) uuid: Vec<u8>,
    pub(in crate::sandbox) options: RawDocumentBuf,
}

/// What a name stands for.
#[derive(Debug, Clone)]
pub(in crate::sandbox) enum Source {
    Nothing,
    Collection(Collection),
    View { view: View, collation: Collation },
}

impl Source {
    /// How strings are compared where a command does not say.
    pub(in crate::sandbox) fn collation(&self) -> Collation {
        match self {
            Self::Nothing => Collation::SIMPLE,
            Self::Collection(collection) => collection.traits().collation.clone(),
            Self::View { collation, .. } => collation.clone(),
        }
    }
}

/// The catalogue, seen through a connection.
pub(in crate::sandbox) struct Catalog<'c>(pub(in crate::sandbox) &'c Connection);

impl Catalog<'_> {
    /// What this name stands for.
    pub(in crate::sandbox) fn source(&self, namespace: &Namespace) -> Result<Source, CommandError> {
        let Some((id, options)) = self.entry(namespace)? else { return Ok(Source::Nothing) };
        let traits = Traits::parse(&options)?;
        Ok(match traits.view {
            Some(view) => Source::View { view, collation: traits.collation },
            None => Source::Collection(Collection::new(id, namespace.clone(), traits, self.indexes(id)?)),
        })
    }

    /// The collection of this name, if there is one.
    ///
    /// # Errors
    /// `CommandNotSupportedOnView`.
    pub(in crate::sandbox) fn find(&self, namespace: &Namespace) -> Result<Option<Collection>, CommandError> {
        match self.source(namespace)? {
            Source::Nothing => Ok(None),
            Source::Collection(collection) => Ok(Some(collection)),
            Source::View { .. } => {
                let message = format!("Namespace {namespace} is a view, not a collection");
                Err(CommandError::new(Code::COMMAND_NOT_SUPPORTED_ON_VIEW, message))
            }
        }
    }

    /// The number and the options of a collection or view.
    pub(in crate::sandbox) fn entry(&self, namespace: &Namespace) -> Result<Option<(i64, RawDocumentBuf)>, CommandError> {
        let mut statement = self.0.prepare_cached("SELECT id, options FROM collections WHERE db = ? AND name = ?")?;
        let found = statement
            .query_row(params![namespace.db, namespace.collection], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?)));
        found.optional()?.map(|(id, options)| Ok((id, RawDocumentBuf::from_bytes(options)?))).transpose()
    }

    /// Gives a collection or view other options. Writes.
    ///
    /// # Errors
    /// As of [`Traits::parse`].
    pub(in crate::sandbox) fn set_options(&self, id: i64, options: &RawDocument) -> Result<(), CommandError> {
        Traits::parse(options)?;
        self.0.prepare_cached("UPDATE collections SET options = ? WHERE id = ?")?.execute(params![options.as_bytes(), id])?;
        Ok(())
    }

    /// Gives an index another specification with the same keys. Writes.
    pub(in crate::sandbox) fn set_index(&self, index: &Index, spec: &RawDocument) -> Result<(), CommandError> {
        let Some(id) = index.id() else { return Ok(()) };
        Index::parse(id, spec, index.multikey)?;
        self.0.prepare_cached("UPDATE indexes SET spec = ? WHERE id = ?")?.execute(params![spec.as_bytes(), id])?;
        Ok(())
    }

    pub(super) fn indexes(&self, collection: i64) -> Result<Vec<Index>, CommandError> {
        let sql = "SELECT id, spec, multikey FROM indexes WHERE collection = ? ORDER BY id";
        let mut statement = self.0.prepare_cached(sql)?;
        let rows = statement.query_map([collection], |row| Ok((row.get(0)?, row.get::<_, Vec<u8>>(1)?, row.get(2)?)))?;
        let parsed = rows.map(|row| {
            let (id, spec, multikey) = row?;
            Index::parse(id, &RawDocumentBuf::from_bytes(spec)?, multikey)
        });
        parsed.collect()
    }

    /// Adds an index and fills it. Writes.
    ///
    /// # Errors
    /// As of [`Index::parse`]; documents that break its uniqueness.
    pub(in crate::sandbox) fn create_index(&self, collection: &Collection, spec: &RawDocument) -> Result<(), CommandError> {
        Index::parse(0, spec, false)?;
        let sql = "INSERT INTO indexes (collection, spec) VALUES (?, ?)";
        self.0.prepare_cached(sql)?.execute(params![collection.id(), spec.as_bytes()])?;
        let index = Index::parse(self.0.last_insert_rowid(), spec, false)?;
        index.create_table(self.0)?;
        self.fill(collection, &index)
    }

    /// Adds all documents to an index. Writes.
    pub(super) fn fill(&self, collection: &Collection, index: &Index) -> Result<(), CommandError> {
        let namespace = collection.namespace().to_string();
        collection.scan(self.0, &mut |seq, document| {
            index.add(self.0, &namespace, seq, document)?;
            Ok(std::ops::ControlFlow::Continue(()))
        })
    }

    /// Takes an index away. Writes.
    pub(in crate::sandbox) fn drop_index(&self, index: &Index) -> Result<(), CommandError> {
        index.drop_table(self.0)
    }

    /// Gives a collection another name, in the place of one that has it if `replace`. Writes.
    ///
    /// # Errors
    /// `NamespaceNotFound`, `NamespaceExists`.
    pub(in crate::sandbox) fn rename(&self, from: &Namespace, to: &Namespace, replace: bool) -> Result<(), CommandError> {
        let Some(collection) = self.find(from)? else {
            return Err(CommandError::new(Code::NAMESPACE_NOT_FOUND, format!("Source collection {from} does not exist")));
        };
        self.check_name(to)?;
        if self.entry(to)?.is_some() {
            if !replace {
                return Err(CommandError::new(Code::NAMESPACE_EXISTS, "target namespace exists"));
            }
            self.drop(to)?;
        }
        let sql = "UPDATE collections SET db = ?, name = ? WHERE id = ?";
        self.0.prepare_cached(sql)?.execute(params![to.db, to.collection, collection.id()])?;
        Ok(())
    }

    /// Deletes the documents whose time has come, by `now` in milliseconds since 1970. Writes.
    pub(in crate::sandbox) fn expire(&self, now: i64) -> Result<usize, CommandError> {
        let mut expired = 0;
        for db in self.databases()? {
            for collection in self.list(&db)?.into_iter().filter_map(|entry| entry.collection) {
                for index in collection.indexes() {
                    let Some(seconds) = index.expires_after else { continue };
                    expired += collection.expire(self.0, index, now.saturating_sub(seconds.saturating_mul(1_000)))?;
                }
            }
        }
        Ok(expired)
    }

    /// The collection of this name, made if there is none. Writes.
    pub(in crate::sandbox) fn find_or_create(&self, namespace: &Namespace) -> Result<Collection, CommandError> {
        match self.find(namespace)? {
            Some(collection) => Ok(collection),
            None => {
                self.create(namespace, &RawDocumentBuf::new())?;
                let missing = || CommandError::new(Code::NAMESPACE_NOT_FOUND, format!("ns not found {namespace}"));
                self.find(namespace)?.ok_or_else(missing)
            }
        }
    }

    /// Makes a collection or a view. Writes.
    ///
    /// # Errors
    /// `NamespaceExists`; a name that is the server's, or of a database that differs from another in case only; as of
    /// [`Traits::parse`].
    pub(in crate::sandbox) fn create(&self, namespace: &Namespace, options: &RawDocument) -> Result<(), CommandError> {
        if self.entry(namespace)?.is_some() {
            let message = format!("Collection {namespace} already exists.");
            return Err(CommandError::new(Code::NAMESPACE_EXISTS, message));
        }
        self.check_name(namespace)?;
        let traits = Traits::parse(options)?;
        let uuid = bson::Uuid::new();
        self.0.prepare_cached("INSERT INTO collections (db, name, uuid, options) VALUES (?, ?, ?, ?)")?.execute(params![
            namespace.db,
            namespace.collection,
            uuid.bytes(),
            options.as_bytes()
        ])?;
        if traits.view.is_none() {
            let id = self.0.last_insert_rowid();
            Collection::new(id, namespace.clone(), traits, Vec::new()).create_table(self.0)?;
        }
        Ok(())
    }

    /// Whether something of this name may be made.
    fn check_name(&self, Namespace { db, collection }: &Namespace) -> Result<(), CommandError> {
        let known = ["system.js", "system.profile", "system.views"].contains(&collection.as_str());
        if collection.starts_with("system.") && !known && !collection.starts_with("system.buckets.") {
            return Err(CommandError::new(Code::INVALID_NAMESPACE, format!("Invalid system namespace: {db}.{collection}")));
        }
        let sql = "SELECT db FROM collections WHERE db = ?1 COLLATE NOCASE AND db <> ?1 LIMIT 1";
        match self.0.prepare_cached(sql)?.query_row([db], |row| row.get::<_, String>(0)).optional()? {
            Some(other) => {
                let message = format!("db already exists with different case already have: [{other}] trying to create [{db}]");
                Err(CommandError::new(Code::DATABASE_DIFFER_CASE, message))
            }
            None => Ok(()),
        }
    }

    /// Removes a collection and all in it, or a view; whether there was one. Writes.
    pub(in crate::sandbox) fn drop(&self, namespace: &Namespace) -> Result<bool, CommandError> {
        match self.source(namespace)? {
            Source::Nothing => return Ok(false),
            Source::View { .. } => {}
            Source::Collection(collection) => {
                for index in collection.indexes() {
                    index.drop_table(self.0)?;
                }
                collection.drop_table(self.0)?;
            }
        }
        self.0
            .prepare_cached("DELETE FROM collections WHERE db = ? AND name = ?")?
            .execute(params![namespace.db, namespace.collection])?;
        Ok(true)
    }

    /// All collections and views of a database, by name.
    pub(in crate::sandbox) fn list(&self, db: &str) -> Result<Vec<Entry>, CommandError> {
        let mut statement =
            self.0.prepare_cached("SELECT id, name, uuid, options FROM collections WHERE db = ? ORDER BY name")?;
        let rows = statement.query_map([db], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, Vec<u8>>(2)?, row.get::<_, Vec<u8>>(3)?))
        })?;
        rows.map(|row| {
            let (id, name, uuid, options) = row?;
            let (namespace, options) = (Namespace { db: db.to_owned(), collection: name }, RawDocumentBuf::from_bytes(options)?);
            let traits = Traits::parse(&options)?;
            let collection = match traits.view {
                Some(_) => None,
                None => Some(Collection::new(id, namespace.clone(), traits, self.indexes(id)?)),
            };
            Ok(Entry { namespace, collection, uuid, options })
        })
        .collect()
    }

    /// All databases that have a collection, by name.
    pub(in crate::sandbox) fn databases(&self) -> Result<Vec<String>, CommandError> {
        let mut statement = self.0.prepare_cached("SELECT DISTINCT db FROM collections ORDER BY db")?;
        let names = statement.query_map([], |row| row.get(0))?;
        Ok(names.collect::<Result<_, _>>()?)
    }
}
