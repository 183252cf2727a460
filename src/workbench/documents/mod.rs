//! The storage inspector: what a developer asks of the stores the extension's own variables name, and changes in them.
//!
//! [`target`] finds the store, [`read`] looks, [`write`] changes and remembers how to undo it, [`save`] writes an edited
//! document back, [`compare`] lays two collections beside each other, [`transfer`] moves whole queries into files and back
//! in the background, [`queries`] keeps what was asked, [`writers`] finds the delivery a document came from.

mod changes;
mod compare;
mod explain;
mod queries;
mod read;
mod save;
mod schema;
mod target;
mod transfer;
mod undo;
mod write;
mod writers;

use std::collections::HashSet;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use bson::Document;
use serde_json::Value;

use self::transfer::Jobs;
use self::undo::Undo;
use super::{DatabaseRow, StoreCommand, StoreReply, WorkbenchError};
use crate::journal::Journal;
use crate::observe::SeenVariable;
use crate::storage::query::{canonical, parse_document, parse_value};
use crate::storage::{StoreError, Stores};

/// The stores, kept open between questions, and what a session remembers about them.
#[derive(Default)]
pub(super) struct Documents {
    stores: Stores,
    /// The places that may be written to although they are not on this machine.
    unlocked: Mutex<HashSet<String>>,
    /// How to undo the last writes, the latest last.
    undo: Mutex<Vec<Undo>>,
    jobs: Jobs,
}

/// What a command may need of the session.
#[derive(Clone, Copy)]
pub(super) struct Surroundings<'a> {
    /// The data directory.
    pub(super) dir: &'a Path,
    pub(super) journal: &'a Journal,
    /// The variables in force.
    pub(super) variables: &'a [SeenVariable],
}

impl Documents {
    /// Carries out a command.
    pub(super) async fn carry_out(&self, command: StoreCommand, around: Surroundings<'_>) -> Result<StoreReply, WorkbenchError> {
        use StoreCommand as Do;
        match command {
            Do::Databases { backend } => self.databases(backend, around).await,
            Do::Collections { backend, database } => self.collections(backend, database, around).await,
            Do::Statistics { target } => read::statistics(&self.at(&target, around).await?).await,
            Do::Find { target, query, brief } => read::find(&self.at(&target, around).await?, &query, brief).await,
            Do::Count { target, filter } => read::count(&self.at(&target, around).await?, &filter).await,
            Do::Preview { target, pipeline } => read::preview(&self.at(&target, around).await?, &pipeline).await,
            Do::Explain { target, query } => explain::explain(&self.at(&target, around).await?, &query).await,
            Do::Schema { target, filter, sample } => schema::schema(&self.at(&target, around).await?, &filter, sample).await,
            Do::Indexes { target } => read::indexes(&self.at(&target, around).await?).await,
            Do::Compare { left, right, query, key } => {
                let (left, right) = tokio::try_join!(self.at(&left, around), self.at(&right, around))?;
                compare::compare(&left, &right, &query, &key).await
            }
            Do::Insert { target, documents } => self.insert(&self.writable(&target, around).await?, &documents).await,
            Do::Update { target, filter, update, many, upsert } => {
                let filter = parse("filter", &filter)?;
                let update = parse("update", &update)?;
                self.update(&self.writable(&target, around).await?, &filter, &update, many, upsert).await
            }
            Do::Replace { target, filter, replacement, upsert } => {
                let filter = parse("filter", &filter)?;
                let replacement = parse("replacement", &replacement)?;
                self.replace(&self.writable(&target, around).await?, &filter, &replacement, upsert).await
            }
            Do::Delete { target, filter, many } => {
                let filter = parse("filter", &filter)?;
                self.delete(&self.writable(&target, around).await?, &filter, many).await
            }
            Do::Save { target, base, edited, retype } => {
                let (base, edited) = (stored(&base)?, parse("document", &edited)?);
                self.save(&self.writable(&target, around).await?, &base, edited, retype).await
            }
            Do::Undo => self.undo().await,
            Do::CreateIndex { target, keys, options } => {
                let (keys, options) = (parse("keys", &keys)?, parse("options", &options)?);
                write::create_index(&self.writable(&target, around).await?, keys, options).await
            }
            Do::DropIndex { target, name } => write::drop_index(&self.writable(&target, around).await?, &name).await,
            Do::Export { to, overwrite: false, .. } if to.exists() => Ok(StoreReply::Exists { path: to }),
            Do::Export { target, query, format, to, .. } => self.jobs.export(self.at(&target, around).await?, &query, format, to),
            Do::Import { target, from, format } => self.jobs.import(self.writable(&target, around).await?, from, format),
            Do::Job { job } => self.jobs.row(job),
            Do::Cancel { job } => self.jobs.cancel(job),
            Do::Queries { target } => {
                let at = self.at(&target, around).await?.at;
                queries::Queries::load(around.dir).reply(&at)
            }
            Do::Remember { target, query, favourite } => {
                let at = self.at(&target, around).await?.at;
                queries::remember(around, &at, &query, favourite)
            }
            Do::Writers { target, document } => {
                let at = self.at(&target, around).await?;
                writers::writers(around.journal, &at.at, &document)
            }
            Do::Unlock { backend } => {
                let place = target::place(backend, &target::settings(around.variables)?);
                self.unlocked.lock().unwrap_or_else(PoisonError::into_inner).insert(place.clone());
                Ok(StoreReply::Unlocked { place })
            }
        }
    }

    async fn databases(&self, backend: crate::observe::Backend, around: Surroundings<'_>) -> Result<StoreReply, WorkbenchError> {
        let at = self.at(&super::StoreTarget::own(backend), around).await?;
        let own = |name: &str| name == at.settings.db;
        let databases = match at.store.databases().await {
            Ok(all) => all.into_iter().map(|d| DatabaseRow { own: own(&d.name), database: d.name, bytes: d.bytes }).collect(),
            Err(error) => return Err(failed(&error)),
        };
        Ok(StoreReply::Databases { databases })
    }

    async fn collections(
        &self,
        backend: crate::observe::Backend,
        database: Option<String>,
        around: Surroundings<'_>,
    ) -> Result<StoreReply, WorkbenchError> {
        let at = self.at(&super::StoreTarget { database, ..super::StoreTarget::own(backend) }, around).await?;
        let settings = &at.settings;
        let known = || {
            let mut known = vec![settings.driver_collection.clone(), settings.http_collection.clone()];
            known.sort();
            known.dedup();
            known
        };
        let (collections, note, error) = match at.store.collections(&at.at.database).await {
            Ok(names) => (names, None, None),
            // The Data API has no way to list them: the extension's own are all there is to know.
            Err(error @ StoreError::Unsupported { .. }) => (known(), Some(format!("the extension's own; {error}")), None),
            // A user may be allowed to read what it may not list.
            Err(error) => (known(), None, Some(error.to_string())),
        };
        let own = (at.at.database == settings.db).then(|| settings.namespace(backend).collection);
        let read_only = !self.may_write(&at);
        Ok(StoreReply::Collections { database: at.at.database, collections, own, note, error, read_only })
    }
}

fn failed(error: &StoreError) -> WorkbenchError {
    WorkbenchError::Failed(error.to_string())
}

fn parse(what: &str, text: &str) -> Result<Document, WorkbenchError> {
    parse_document(text).map_err(|e| WorkbenchError::Usage(format!("the {what} can't be read: {e}")))
}

/// A part of a query that may be left out.
fn optional(what: &str, text: &str) -> Result<Option<Document>, WorkbenchError> {
    if text.trim().is_empty() { Ok(None) } else { parse(what, text).map(Some) }
}

/// An array of documents, or one of them.
fn parse_list(what: &str, text: &str) -> Result<Vec<Document>, WorkbenchError> {
    let wrong = |why: String| WorkbenchError::Usage(format!("the {what} can't be read: {why}"));
    match parse_value(text).map_err(|e| wrong(e.to_string()))? {
        bson::Bson::Document(document) => Ok(vec![document]),
        bson::Bson::Array(values) => (1..)
            .zip(values)
            .map(|(place, value)| match value {
                bson::Bson::Document(document) => Ok(document),
                other => Err(wrong(format!("number {place} of the array is no document but {other}"))),
            })
            .collect(),
        other => Err(wrong(format!("expected a document or an array of documents, found {other}"))),
    }
}

/// A document that was given out by this room before.
fn stored(document: &Value) -> Result<Document, WorkbenchError> {
    parse("document", &document.to_string())
}

fn told(documents: &[Document]) -> Vec<Value> {
    documents.iter().map(canonical).collect()
}

/// `1 document`, `2 documents`.
fn count_of(n: u64) -> String {
    format!("{n} document{}", if n == 1 { "" } else { "s" })
}
