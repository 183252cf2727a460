use std::time::Instant;

use bson::{Document, doc};
use futures::TryStreamExt;

use super::super::{CollectionRow, Found, StagePreview, StoreQuery, StoreReply, WorkbenchError};
use super::target::Target;
use super::{failed, optional, parse, parse_list, told};
use crate::observe::Backend;
use crate::storage::query::canonical;
use crate::storage::{Find, StoreError};

/// The most documents one answer carries.
const MOST: u64 = 1_000;
/// How many bytes of documents a brief answer carries, about: it ends with the document that reaches this.
const HEAVY: usize = 8 << 20;
/// How many documents are shown after each stage of a pipeline.
const PREVIEWED: i64 = 5;
/// How many documents a preview begins with at most: a `$group` over a million would not be a preview.
const PREVIEW_OF: i64 = 10_000;

/// A query as it was typed, read; the limit is the caller's business.
pub(super) fn query(query: &StoreQuery) -> Result<Find, WorkbenchError> {
    Ok(Find {
        filter: parse("filter", &query.filter)?,
        projection: optional("projection", &query.projection)?,
        sort: optional("sort", &query.sort)?,
        skip: (query.skip > 0).then_some(query.skip),
        limit: None,
    })
}

/// Documents that match, or that a pipeline makes.
pub(super) async fn find(target: &Target, typed: &StoreQuery, brief: bool) -> Result<StoreReply, WorkbenchError> {
    let limit = if typed.limit == 0 { MOST } else { typed.limit.min(MOST) };
    let since = Instant::now();
    let found = if typed.pipeline.trim().is_empty() {
        let find = Find { limit: Some(limit + 1), ..query(typed)? };
        if brief { page(target, &find).await } else { target.store.find(&target.at, &find).await }
    } else {
        let mut pipeline = pipeline(&typed.pipeline)?;
        if !writes(&pipeline) {
            let rest = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
            pipeline.extend((typed.skip > 0).then(|| doc! {"$skip": rest(typed.skip)}));
            pipeline.push(doc! {"$limit": rest(limit + 1)});
        } else {
            return Err(WorkbenchError::Usage(
                "a pipeline that ends in $out or $merge writes; the inspector only looks: run it in mongosh".into(),
            ));
        }
        target.store.aggregate(&target.at, &pipeline).await
    };
    let mut documents = found.map_err(|e| failed(&e))?;
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = documents.len() > wanted;
    documents.truncate(wanted);
    let light = if brief { light(&documents) } else { documents.len() };
    let more = more || light < documents.len();
    documents.truncate(light);
    Ok(StoreReply::Documents(Found {
        database: target.at.database.clone(),
        collection: target.at.collection.clone(),
        documents: told(&documents),
        more,
        micros: u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX),
    }))
}

/// Documents that match, in the store's own order: where they come in batches, no more batches than are shown.
async fn page(target: &Target, find: &Find) -> Result<Vec<Document>, StoreError> {
    if target.backend() == Backend::DataApi {
        return target.store.find(&target.at, find).await;
    }
    let mut pages = target.store.pages(&target.at, find);
    let mut documents = Vec::new();
    while let Some(mut page) = pages.try_next().await? {
        documents.append(&mut page);
        // One more than fits tells that there are more.
        if light(&documents) < documents.len() {
            break;
        }
    }
    Ok(documents)
}

/// How many of the documents are not too much for one answer; at least one is.
fn light(documents: &[Document]) -> usize {
    let mut bytes = 0;
    let heavy = documents.iter().position(|document| {
        bytes += document.to_vec().map_or(0, |bytes| bytes.len());
        bytes >= HEAVY
    });
    heavy.map_or(documents.len(), |at| at + 1)
}

/// The stages of a pipeline as it was typed.
pub(super) fn pipeline(text: &str) -> Result<Vec<Document>, WorkbenchError> {
    parse_list("pipeline", text)
}

/// Whether a pipeline would write.
pub(super) fn writes(pipeline: &[Document]) -> bool {
    pipeline.iter().any(|stage| stage.contains_key("$out") || stage.contains_key("$merge"))
}

/// How many match.
pub(super) async fn count(target: &Target, filter: &str) -> Result<StoreReply, WorkbenchError> {
    let count = target.store.count(&target.at, &parse("filter", filter)?).await.map_err(|e| failed(&e))?;
    Ok(StoreReply::Count { database: target.at.database.clone(), collection: target.at.collection.clone(), count })
}

/// How much a collection holds.
pub(super) async fn statistics(target: &Target) -> Result<StoreReply, WorkbenchError> {
    let known = target.store.statistics(&target.at).await.map_err(|e| failed(&e))?;
    Ok(StoreReply::Statistics(CollectionRow {
        database: target.at.database.clone(),
        collection: target.at.collection.clone(),
        count: known.count,
        bytes: known.bytes,
        indexes: known.indexes,
    }))
}

/// Its indexes.
pub(super) async fn indexes(target: &Target) -> Result<StoreReply, WorkbenchError> {
    let indexes = target.store.indexes(&target.at).await.map_err(|e| failed(&e))?;
    let (database, collection) = (target.at.database.clone(), target.at.collection.clone());
    Ok(StoreReply::Indexes { database, collection, indexes: told(&indexes) })
}

/// The first documents after each stage, over the first 10,000 documents of the collection unless the pipeline begins with
/// a choice of its own.
pub(super) async fn preview(target: &Target, text: &str) -> Result<StoreReply, WorkbenchError> {
    let stages = pipeline(text)?;
    if writes(&stages) {
        return Err(WorkbenchError::Usage("a stage that writes ($out, $merge) can't be previewed".into()));
    }
    let mut so_far = Vec::new();
    if !stages
        .first()
        .is_some_and(|first| ["$match", "$limit", "$sample", "$sort", "$geoNear"].iter().any(|s| first.contains_key(s)))
    {
        so_far.push(doc! {"$limit": PREVIEW_OF});
    }
    let mut previews = Vec::new();
    for stage in &stages {
        so_far.push(stage.clone());
        let asked = so_far.iter().cloned().chain([doc! {"$limit": PREVIEWED}]).collect::<Vec<_>>();
        let (documents, error) = match target.store.aggregate(&target.at, &asked).await {
            Ok(documents) => (told(&documents), None),
            Err(error @ StoreError::Refused { .. }) => (Vec::new(), Some(error.to_string())),
            Err(error) => return Err(failed(&error)),
        };
        let broken = error.is_some();
        previews.push(StagePreview { stage: canonical(stage), documents, error });
        if broken {
            break;
        }
    }
    Ok(StoreReply::Preview { stages: previews })
}
