use bson::{Bson, Document, doc};

use super::super::{StoreReply, WorkbenchError, Written};
use super::target::Target;
use super::undo::{self, by_id, few};
use super::{Documents, count_of, failed, parse_list};
use crate::storage::query::canonical_value;

fn id_of(document: &Document) -> Option<Bson> {
    document.get("_id").cloned()
}

/// The operators an update may begin with are the server's business; that it has some is ours.
fn check_operators(update: &Document) -> Result<(), WorkbenchError> {
    if update.is_empty() || update.keys().any(|name| !name.starts_with('$')) {
        return Err(WorkbenchError::Usage(
            "an update is made of operators, like {$set: {status: 'approved'}}; to put another document in its place, use replace"
                .into(),
        ));
    }
    Ok(())
}

impl Documents {
    pub(super) async fn insert(&self, target: &Target, text: &str) -> Result<StoreReply, WorkbenchError> {
        let documents = parse_list("document", text)?;
        let wanted = documents.len();
        let done = match <[Document; 1]>::try_from(documents) {
            // One has the store's own words for its refusal.
            Ok([document]) => {
                let id = target.store.insert_one(&target.at, document).await.map_err(|e| failed(&e))?;
                crate::storage::Inserted { ids: vec![id], refused: Vec::new() }
            }
            Err(documents) => target.store.insert_many(&target.at, documents).await.map_err(|e| failed(&e))?,
        };
        let ids = done.ids;
        let inserted = ids.len() as u64;
        let can_undo = inserted <= undo::MOST;
        if can_undo && inserted > 0 {
            let after = by_id(target, &ids).await?;
            self.remember(target, "an insert".into(), Vec::new(), after);
        }
        if let Some(first) = done.refused.first() {
            return Err(WorkbenchError::Failed(format!(
                "{inserted} of {wanted} documents were inserted into {}; number {} was refused: {}",
                target.title(),
                first.index + 1,
                first.message
            )));
        }
        let message = format!("Inserted {} into {}.", count_of(inserted), target.title());
        let ids = ids.iter().map(canonical_value).collect();
        Ok(StoreReply::Written(Written { message, matched: 0, written: inserted, ids, can_undo }))
    }

    pub(super) async fn update(
        &self,
        target: &Target,
        filter: &Document,
        update: &Document,
        many: bool,
        upsert: bool,
    ) -> Result<StoreReply, WorkbenchError> {
        check_operators(update)?;
        let before = few(target, filter, !many).await?;
        let done = if many {
            target.store.update_many(&target.at, filter, update, upsert).await
        } else {
            // The very document that is kept for the undo.
            let one = before.as_ref().and_then(|b| b.first()).and_then(id_of);
            let filter = one.map_or_else(|| filter.clone(), |id| doc! {"$and": [filter.clone(), {"_id": id}]});
            target.store.update_one(&target.at, &filter, update, upsert).await
        };
        let done = done.map_err(|e| failed(&e))?;
        self.changed(target, before, "an update", done).await
    }

    pub(super) async fn replace(
        &self,
        target: &Target,
        filter: &Document,
        replacement: &Document,
        upsert: bool,
    ) -> Result<StoreReply, WorkbenchError> {
        let before = few(target, filter, true).await?;
        let one = before.as_ref().and_then(|b| b.first()).and_then(id_of);
        let filter = one.map_or_else(|| filter.clone(), |id| doc! {"$and": [filter.clone(), {"_id": id}]});
        let done = target.store.replace_one(&target.at, &filter, replacement, upsert).await.map_err(|e| failed(&e))?;
        self.changed(target, before, "a replacement", done).await
    }

    async fn changed(
        &self,
        target: &Target,
        before: Option<Vec<Document>>,
        what: &str,
        done: crate::storage::Updated,
    ) -> Result<StoreReply, WorkbenchError> {
        let mut ids: Vec<Bson> = before.iter().flatten().filter_map(id_of).collect();
        ids.extend(done.upserted.clone());
        let written = done.modified + u64::from(done.upserted.is_some());
        let can_undo = before.is_some() && written > 0;
        if let Some(before) = before.filter(|_| can_undo) {
            let after = by_id(target, &ids).await?;
            self.remember(target, what.into(), before, after);
        }
        let message = match (&done.upserted, done.matched) {
            (Some(_), _) => format!("Nothing matched in {}: inserted 1 document.", target.title()),
            (None, 0) => format!("Nothing matched in {}: nothing was changed.", target.title()),
            (None, matched) => format!("Changed {} of {matched} that matched in {}.", count_of(done.modified), target.title()),
        };
        let ids = done.upserted.iter().map(canonical_value).collect();
        Ok(StoreReply::Written(Written { message, matched: done.matched, written, ids, can_undo }))
    }

    pub(super) async fn delete(&self, target: &Target, filter: &Document, many: bool) -> Result<StoreReply, WorkbenchError> {
        if filter.is_empty() && !many {
            return Err(WorkbenchError::Usage("an empty filter names no document; delete one by its _id".into()));
        }
        let before = few(target, filter, !many).await?;
        let deleted = if many {
            target.store.delete_many(&target.at, filter).await
        } else {
            let one = before.as_ref().and_then(|b| b.first()).and_then(id_of);
            let filter = one.map_or_else(|| filter.clone(), |id| doc! {"$and": [filter.clone(), {"_id": id}]});
            target.store.delete_one(&target.at, &filter).await
        };
        let deleted = deleted.map_err(|e| failed(&e))?;
        let can_undo = before.is_some() && deleted > 0;
        if let Some(before) = before.filter(|_| can_undo) {
            self.remember(target, "a deletion".into(), before, Vec::new());
        }
        let undo = if can_undo || deleted == 0 { "" } else { " That is more than is kept for an undo." };
        let message = format!("Deleted {} from {}.{undo}", count_of(deleted), target.title());
        Ok(StoreReply::Written(Written { message, matched: deleted, written: deleted, ids: Vec::new(), can_undo }))
    }
}

/// Makes an index; its name is made of its keys, as MongoDB's own drivers do it, where the options have none.
pub(super) async fn create_index(target: &Target, keys: Document, options: Document) -> Result<StoreReply, WorkbenchError> {
    if keys.is_empty() {
        return Err(WorkbenchError::Usage("an index needs keys, like {status: 1, created: -1}".into()));
    }
    let parts: Vec<String> = keys
        .iter()
        .map(|(name, way)| {
            let way = way.as_str().map_or_else(|| way.to_string(), str::to_owned);
            format!("{name}_{way}")
        })
        .collect();
    let mut index = doc! {"key": keys, "name": parts.join("_")};
    index.extend(options);
    target.store.create_index(&target.at, &index).await.map_err(|e| failed(&e))?;
    let name = index.get_str("name").unwrap_or_default();
    let message = format!("{} has the index {name} now.", target.title());
    Ok(StoreReply::Written(Written { message, written: 1, ..Written::default() }))
}

/// Drops an index.
pub(super) async fn drop_index(target: &Target, name: &str) -> Result<StoreReply, WorkbenchError> {
    if name == "_id_" {
        return Err(WorkbenchError::Usage("the index of _id can't be dropped: every collection has it".into()));
    }
    target.store.drop_index(&target.at, name).await.map_err(|e| failed(&e))?;
    let message = format!("Dropped the index {name} of {}.", target.title());
    Ok(StoreReply::Written(Written { message, written: 1, ..Written::default() }))
}
