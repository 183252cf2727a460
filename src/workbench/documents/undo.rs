use std::sync::PoisonError;

use bson::{Bson, Document, doc};

use super::super::{StoreReply, WorkbenchError, Written};
use super::target::Target;
use super::{Documents, count_of, failed};
use crate::storage::Find;

/// More documents than this are not kept for an undo.
pub(super) const MOST: u64 = 1_000;
/// How many writes can be undone, one after the other.
const DEEP: usize = 20;

/// A write, and what it takes to undo it.
pub(super) struct Undo {
    target: Target,
    /// What was done, in words.
    what: String,
    before: Vec<Document>,
    after: Vec<Document>,
}

fn id(document: &Document) -> Bson {
    document.get("_id").cloned().unwrap_or(Bson::Null)
}

fn of<'a>(documents: &'a [Document], wanted: &Bson) -> Option<&'a Document> {
    documents.iter().find(|d| d.get("_id") == Some(wanted))
}

/// The documents a filter finds, if they are few enough to be kept.
pub(super) async fn few(target: &Target, filter: &Document, one: bool) -> Result<Option<Vec<Document>>, WorkbenchError> {
    let limit = if one { 1 } else { MOST + 1 };
    let find = Find { filter: filter.clone(), limit: Some(limit), ..Find::default() };
    let found = target.store.find(&target.at, &find).await.map_err(|e| failed(&e))?;
    Ok((found.len() as u64 <= MOST).then_some(found))
}

/// The documents of these ids, as they are now.
pub(super) async fn by_id(target: &Target, ids: &[Bson]) -> Result<Vec<Document>, WorkbenchError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let find = Find { filter: doc! {"_id": {"$in": ids.to_vec()}}, ..Find::default() };
    target.store.find(&target.at, &find).await.map_err(|e| failed(&e))
}

impl Documents {
    /// Remembers a write that is done: what was there before it, and what is there after it.
    pub(super) fn remember(&self, target: &Target, what: String, before: Vec<Document>, after: Vec<Document>) {
        let mut all = self.undo.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(Undo { target: target.clone(), what, before, after });
        if all.len() > DEEP {
            all.remove(0);
        }
    }

    /// Undoes the last write, if what it wrote is still as it left it.
    pub(super) async fn undo(&self) -> Result<StoreReply, WorkbenchError> {
        let last = self.undo.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let Some(last) = last else {
            return Err(WorkbenchError::Usage("this session has written nothing that can be undone".into()));
        };
        match last.run().await {
            Ok(written) => {
                let can_undo = !self.undo.lock().unwrap_or_else(PoisonError::into_inner).is_empty();
                Ok(StoreReply::Written(Written { can_undo, ..written }))
            }
            Err(error) => {
                self.undo.lock().unwrap_or_else(PoisonError::into_inner).push(last);
                Err(error)
            }
        }
    }
}

impl Undo {
    async fn run(&self) -> Result<Written, WorkbenchError> {
        let Self { target, what, before, after } = self;
        let mut ids: Vec<Bson> = before.iter().chain(after).map(id).collect();
        ids.dedup();
        let now = by_id(target, &ids).await?;
        for wanted in &ids {
            if of(&now, wanted) != of(after, wanted) {
                return Err(WorkbenchError::Failed(format!(
                    "not undone: {wanted} of {} was changed after it was written ({what}); nothing was touched",
                    target.title()
                )));
            }
        }
        let (store, at) = (&target.store, &target.at);
        for document in after.iter().filter(|d| of(before, &id(d)).is_none()) {
            store.delete_one(at, &doc! {"_id": id(document)}).await.map_err(|e| failed(&e))?;
        }
        for document in before {
            if of(after, &id(document)).is_some() {
                store.replace_one(at, &doc! {"_id": id(document)}, document, false).await.map_err(|e| failed(&e))?;
            } else {
                store.insert_one(at, document.clone()).await.map_err(|e| failed(&e))?;
            }
        }
        let written = before.len().max(after.len()) as u64;
        let message = format!("Undone in {}: {what} ({}).", target.title(), count_of(written));
        Ok(Written { message, matched: written, written, ..Written::default() })
    }
}
