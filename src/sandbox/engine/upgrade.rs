//! What is done to a file of an older version when it is opened: keys that would be made otherwise today are made anew.

use bson::raw::cstr;
use bson::{RawBsonRef, RawDocument, RawDocumentBuf};
use rusqlite::{Connection, params};

use super::super::error::CommandError;
use super::super::value::{Collation, RULES};
use super::{Catalog, Collection, Index};

/// In the second layout all keys went up; up to the third the fields of a key were not of one element of an array.
pub(super) fn keys(connection: &Connection, layout: i64) -> Result<(), CommandError> {
    as_one(connection, || {
        each(connection, |catalog, collection| {
            let turned = |index: &Index| layout == 2 && index.paths.iter().any(|(_, down)| *down);
            for index in collection.indexes().iter().filter(|index| index.multikey || turned(index)) {
                if let Err(error) = refill(catalog, collection, index) {
                    // A document can have had keys that MongoDB does not make: it is kept rather than the index.
                    let namespace = collection.namespace();
                    tracing::warn!("the index {} of {namespace} cannot be made anew and is dropped: {error}", index.name);
                    catalog.drop_index(index)?;
                }
            }
            Ok(())
        })
    })
}

/// Keys of strings that were made by other rules of comparison than today's.
pub(super) fn collations(connection: &Connection) -> Result<(), CommandError> {
    let old = |spec: &RawDocument| {
        let collation = spec.get_document("collation").ok()?;
        (collation.get_str("version").ok() != Some(RULES)).then(|| collation.to_owned())
    };
    // Nearly always there is nothing to do: then nothing is written.
    let mut stale = false;
    each(connection, |catalog, collection| {
        let entry = catalog.entry(collection.namespace())?;
        stale |= entry.is_some_and(|(_, options)| old(&options).is_some());
        stale |= collection.indexes().iter().any(|index| old(&index.spec).is_some());
        Ok(())
    })?;
    if !stale {
        return Ok(());
    }
    as_one(connection, || {
        each(connection, |catalog, collection| {
            if let Some((id, options)) = catalog.entry(collection.namespace())?
                && let Some(collation) = old(&options)
            {
                catalog.set_options(id, &with_collation(&options, &Collation::parse(&collation)?)?)?;
                collection.rekey(connection)?;
            }
            for index in collection.indexes() {
                if let Some(collation) = old(&index.spec) {
                    catalog.set_index(index, &with_collation(&index.spec, &Collation::parse(&collation)?)?)?;
                    refill(catalog, collection, index)?;
                }
            }
            Ok(())
        })
    })
}

fn as_one(connection: &Connection, work: impl FnOnce() -> Result<(), CommandError>) -> Result<(), CommandError> {
    connection.execute_batch("BEGIN IMMEDIATE")?;
    let done = work();
    connection.execute_batch(if done.is_ok() { "COMMIT" } else { "ROLLBACK" })?;
    done
}

fn each(
    connection: &Connection,
    mut work: impl FnMut(&Catalog<'_>, &Collection) -> Result<(), CommandError>,
) -> Result<(), CommandError> {
    let catalog = Catalog(connection);
    for db in catalog.databases()? {
        for collection in catalog.list(&db)?.into_iter().filter_map(|entry| entry.collection) {
            work(&catalog, &collection)?;
        }
    }
    Ok(())
}

fn refill(catalog: &Catalog<'_>, collection: &Collection, index: &Index) -> Result<(), CommandError> {
    index.clear(catalog.0)?;
    catalog.fill(collection, index)
}

/// A specification with its collation written out, or without one if that is the simple one.
pub(in crate::sandbox) fn with_collation(spec: &RawDocument, collation: &Collation) -> Result<RawDocumentBuf, CommandError> {
    let mut whole = RawDocumentBuf::new();
    for (name, value) in spec.iter().flatten().filter(|(name, _)| name.as_str() != "collation") {
        whole.append(name, value);
    }
    if let Some(collation) = collation.spec() {
        whole.append(cstr!("collation"), RawBsonRef::Document(collation));
    }
    Ok(whole)
}

impl Collection {
    /// Makes the keys of all `_id`s anew.
    fn rekey(&self, connection: &Connection) -> Result<(), CommandError> {
        let mut keys = Vec::new();
        self.scan(connection, &mut |seq, document| {
            let id = document.get("_id")?.unwrap_or(RawBsonRef::Null);
            keys.push((seq, self.traits().collation.key(id)));
            Ok(std::ops::ControlFlow::Continue(()))
        })?;
        let mut statement = connection.prepare_cached(&format!("UPDATE c_{} SET key = ? WHERE seq = ?", self.id()))?;
        keys.iter().try_for_each(|(seq, key)| statement.execute(params![key, seq]).map(drop))?;
        Ok(())
    }
}
