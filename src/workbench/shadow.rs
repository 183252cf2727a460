//! Two deliveries compared: what was seen of them, and the documents they left behind in both backends.

use bson::doc;
use serde_json::Value;

use super::bench::{Workbench, usage};
use super::{CaptureReply, RunsCompared, WorkbenchError};
use crate::observe::{Backend, Fact};
use crate::replay::{Outcome, Recorded, Rules, compare, unrecorded};
use crate::storage::query::{canonical, parse_document};
use crate::storage::{Find, Namespace, Settings};

/// How many documents of one delivery are compared.
const MOST: u64 = 200;

impl Workbench {
    pub(super) async fn compare(&self, before: i64, after: i64, documents: bool) -> Result<CaptureReply, WorkbenchError> {
        self.flush().await?;
        let (first, second) = {
            let reader = self.journal_reader()?;
            let recorded = |id| Recorded::of(&reader, id).map_err(|e| usage(&e));
            (recorded(before)?, recorded(after)?)
        };
        let mut notes = Vec::new();
        let (mut one, mut other) = (Outcome::of(&first.observations), Outcome::of(&second.observations));
        let rules = Rules { same: renamed(&first, &second), ..Rules::default() };
        if documents {
            for (recorded, outcome) in [(&first, &mut one), (&second, &mut other)] {
                match self.left_behind(recorded).await {
                    Ok(found) => outcome.documents = found,
                    Err(error) => {
                        notes.push(format!("the documents of delivery {} can't be compared: {error}", recorded.delivery.id))
                    }
                }
            }
            if !notes.is_empty() {
                (one.documents, other.documents) = (Vec::new(), Vec::new());
            }
        }
        let differences = compare(&one, &other, &rules);
        let micros = (one.micros, other.micros);
        let unrecorded = unrecorded(&second.observations);
        Ok(CaptureReply::Compared(RunsCompared { before, after, differences, micros, unrecorded, notes }))
    }

    /// The documents of a delivery's object in the collections its variables named: those it wrote, where it says which.
    async fn left_behind(&self, recorded: &Recorded) -> Result<Vec<(String, Value)>, WorkbenchError> {
        let live = self.in_force().await;
        // Where the stores are, and their keys, is as it is now; which collections, as it was then.
        let value = |name: &str| {
            let then = || recorded.variables.iter().find(|v| v.name == name && !v.secure).map(|v| v.value.clone());
            let now = || live.iter().find(|v| v.name == name).map(|v| v.value.clone());
            if name.contains("COLLECTION") || name == "DB" { then().or_else(now) } else { now().or_else(then) }
        };
        let settings = Settings::from_variables(value).map_err(|e| WorkbenchError::Failed(e.to_string()))?;
        let mut found = Vec::new();
        for (backend, collection) in
            [(Backend::DataApi, &settings.http_collection), (Backend::Driver, &settings.driver_collection)]
        {
            let store = self.0.documents.open(backend, &settings).await?;
            let at = Namespace::new(settings.db.clone(), collection.clone());
            let filter = match written(recorded, backend) {
                ids if ids.is_empty() => doc! {"id": &recorded.delivery.object_id},
                ids => doc! {"_id": {"$in": ids}},
            };
            let query = Find { filter, sort: Some(doc! {"_id": -1}), limit: Some(MOST), ..Find::default() };
            let documents = store.find(&at, &query).await.map_err(|e| WorkbenchError::Failed(e.to_string()))?;
            found.extend(
                documents.iter().map(|document| (format!("{backend} {}.{collection}", settings.db), canonical(document))),
            );
        }
        Ok(found)
    }
}

impl Workbench {
    /// What a second delivery of the same object did once more: calls that change something, documents that are there
    /// twice.
    pub(super) async fn repeated(&self, first: i64, second: i64) -> Result<CaptureReply, WorkbenchError> {
        self.flush().await?;
        let (one, other) = {
            let reader = self.journal_reader()?;
            let recorded = |id| Recorded::of(&reader, id).map_err(|e| usage(&e));
            (recorded(first)?, recorded(second)?)
        };
        let rules = Rules::default();
        let calls = |recorded: &Recorded| -> Vec<String> {
            let calls = Outcome::of(&recorded.observations).calls;
            let changed = calls.into_iter().filter(|c| !c.call.starts_with("GET ") && c.status.is_some_and(|s| s < 300));
            changed.map(|c| c.call).collect()
        };
        let before = calls(&one);
        let mut repeated: Vec<String> =
            calls(&other).into_iter().filter(|call| before.contains(call)).map(|call| format!("called twice: {call}")).collect();
        let live = self.in_force().await;
        let value = |name: &str| {
            let then = || other.variables.iter().find(|v| v.name == name && !v.secure).map(|v| v.value.clone());
            let now = || live.iter().find(|v| v.name == name).map(|v| v.value.clone());
            if name.contains("COLLECTION") || name == "DB" { then().or_else(now) } else { now().or_else(then) }
        };
        let settings = Settings::from_variables(value).map_err(|e| WorkbenchError::Failed(e.to_string()))?;
        for (backend, collection) in
            [(Backend::DataApi, &settings.http_collection), (Backend::Driver, &settings.driver_collection)]
        {
            let store = self.0.documents.open(backend, &settings).await?;
            let at = Namespace::new(settings.db.clone(), collection.clone());
            let filter = doc! {"id": &other.delivery.object_id};
            let count = store.count(&at, &filter).await.map_err(|e| WorkbenchError::Failed(e.to_string()))?;
            if count > 1 {
                let id = &other.delivery.object_id;
                repeated.push(format!("{count} documents with the id {id} in {}.{collection} ({backend})", settings.db));
            }
        }
        let differences = compare(&Outcome::of(&one.observations), &Outcome::of(&other.observations), &rules);
        Ok(CaptureReply::Repeated { repeated, differences })
    }

    /// Deletes what runs left in shadow collections.
    pub(super) async fn clear(&self, collections: &[String]) -> Result<CaptureReply, WorkbenchError> {
        if let Some(other) = collections.iter().find(|name| !name.contains("__shadow_")) {
            return Err(WorkbenchError::Usage(format!("{other} is no shadow collection: nothing was deleted")));
        }
        if collections.is_empty() {
            return Ok(CaptureReply::Cleared { deleted: 0 });
        }
        let live = self.in_force().await;
        let value = |name: &str| live.iter().find(|v| v.name == name).map(|v| v.value.clone());
        let settings = Settings::from_variables(value).map_err(|e| WorkbenchError::Failed(e.to_string()))?;
        let mut deleted = 0;
        for backend in [Backend::Driver, Backend::DataApi] {
            let store = self.0.documents.open(backend, &settings).await?;
            for collection in collections {
                let at = Namespace::new(settings.db.clone(), collection.clone());
                deleted += store.delete_many(&at, &doc! {}).await.map_err(|e| WorkbenchError::Failed(e.to_string()))?;
            }
        }
        Ok(CaptureReply::Cleared { deleted })
    }
}

/// The ids of what a delivery inserted.
fn written(recorded: &Recorded, backend: Backend) -> Vec<bson::Bson> {
    let id = |fact: &Fact| match fact {
        Fact::StoreCall(call) if call.backend == backend && call.operation == "insertOne" => {
            let output = call.output.as_ref()?;
            let id = output.get("insertedId").unwrap_or(output);
            parse_document(&serde_json::json!({"_id": id}).to_string()).ok()?.get("_id").cloned()
        }
        _ => None,
    };
    recorded.observations.iter().filter_map(|seen| id(&seen.observation.fact)).collect()
}

/// Collections that are named differently by the same variable: the second name stands for the first.
fn renamed(first: &Recorded, second: &Recorded) -> Vec<(String, String)> {
    let other = |name: &str| second.variables.iter().find(|v| v.name == name).map(|v| v.value.clone());
    let mut pairs: Vec<(String, String)> = first
        .variables
        .iter()
        .filter(|v| v.name.to_ascii_uppercase().contains("COLLECTION"))
        .filter_map(|v| Some((other(&v.name).filter(|other| *other != v.value && other.contains("__shadow"))?, v.value.clone())))
        .collect();
    // The longer name first: it may contain the shorter one.
    pairs.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
    pairs
}
