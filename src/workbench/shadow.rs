//! Two deliveries compared: what was seen of them, and the documents they left behind in both backends.

use std::sync::Arc;
use std::time::Duration;

use bson::doc;
use serde_json::Value;

use super::bench::{Workbench, usage};
use super::{CaptureReply, RunsCompared, WorkbenchError};
use crate::journal::{DeliveryFilter, ObservationRow, Window};
use crate::observe::{Backend, Fact, StoreCall};
use crate::replay::{Outcome, Recorded, Rules, compare, unrecorded};
use crate::storage::query::{canonical, parse_document};
use crate::storage::{Find, Namespace, Settings, Store, StoreError};

/// How many documents of one delivery are compared.
const MOST: u64 = 200;
/// How long a run whose collections are to go may still take.
const OVER_WITHIN: Duration = Duration::from_secs(10);
/// How many of the latest runs into shadow collections are asked where they wrote.
const LOOKED_THROUGH: usize = 50;

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

    /// The documents of a delivery's object in the collections it wrote to: those it inserted, where it says which.
    async fn left_behind(&self, recorded: &Recorded) -> Result<Vec<(String, Value)>, WorkbenchError> {
        let mut found = Vec::new();
        for (backend, at) in written_to(&recorded.observations) {
            let store = self.store_of(backend, Some(recorded)).await?;
            let filter = match written(recorded, backend, &at) {
                ids if ids.is_empty() => of_object(&recorded.delivery.object_id),
                ids => doc! {"_id": {"$in": ids}},
            };
            let query = Find { filter, sort: Some(doc! {"_id": -1}), limit: Some(MOST), ..Find::default() };
            let documents = store.find(&at, &query).await.map_err(|e| WorkbenchError::Failed(e.to_string()))?;
            found.extend(documents.iter().map(|document| (place(backend, &at), canonical(document))));
        }
        Ok(found)
    }

    /// The store behind a backend, as the variables name it now, or did then: no more of them than it needs.
    async fn store_of(&self, backend: Backend, recorded: Option<&Recorded>) -> Result<Arc<dyn Store>, WorkbenchError> {
        let live = self.in_force().await;
        let then = |name: &str| {
            let seen = recorded?.variables.iter().find(|v| v.name == name && !v.secure)?;
            Some(seen.value.clone())
        };
        let value = |name: &str| live.iter().find(|v| v.name == name).map(|v| v.value.clone()).or_else(|| then(name));
        let settings = Settings::of(backend, value).map_err(|e| WorkbenchError::Failed(e.to_string()))?;
        self.0.documents.open(backend, &settings).await
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
        let calls = |recorded: &Recorded| -> Vec<String> {
            let calls = Outcome::of(&recorded.observations).calls;
            let changed = calls.into_iter().filter(|c| !c.call.starts_with("GET ") && c.status.is_some_and(|s| s < 300));
            changed.map(|c| c.call).collect()
        };
        let before = calls(&one);
        let mut repeated: Vec<String> =
            calls(&other).into_iter().filter(|call| before.contains(call)).map(|call| format!("called twice: {call}")).collect();
        let mut notes = Vec::new();
        for (backend, at) in written_to(&other.observations) {
            match self.there_twice(&one, &other, backend, &at).await {
                Ok(line) => repeated.extend(line),
                Err(error) => notes.push(format!("the documents in {} can't be counted: {error}", place(backend, &at))),
            }
        }
        let differences = compare(&Outcome::of(&one.observations), &Outcome::of(&other.observations), &Rules::default());
        Ok(CaptureReply::Repeated { repeated, differences, notes })
    }

    /// What of two deliveries is in a collection twice, in words.
    async fn there_twice(
        &self,
        one: &Recorded,
        other: &Recorded,
        backend: Backend,
        at: &Namespace,
    ) -> Result<Option<String>, WorkbenchError> {
        let store = self.store_of(backend, Some(other)).await?;
        let id = &other.delivery.object_id;
        let count = store.count(at, &of_object(id)).await.map_err(|e| WorkbenchError::Failed(e.to_string()))?;
        let Namespace { database, collection } = at;
        if count > 1 {
            return Ok(Some(format!("{count} documents with the id {id} in {database}.{collection} ({backend})")));
        }
        // Not every document is known by the id of its object.
        let (before, after) = (written(one, backend, at).len(), written(other, backend, at).len());
        let again = before > 0 && after > 0;
        Ok(again.then(|| format!("inserted twice: {before} and then {after} more in {database}.{collection} ({backend})")))
    }

    /// Drops the shadow collections runs wrote to. What can't be dropped is told in words, and still there.
    pub(super) async fn clear(&self, collections: &[String]) -> Result<CaptureReply, WorkbenchError> {
        if let Some(other) = collections.iter().find(|name| !name.contains("__shadow_")) {
            return Err(WorkbenchError::Usage(format!("{other} is no shadow collection: nothing was deleted")));
        }
        let (mut deleted, mut notes) = (0, Vec::new());
        if !collections.is_empty() && !self.0.runs.over(OVER_WITHIN).await {
            notes.push(format!("a run still goes on: what it writes from now on stays in {}", collections.join(", ")));
        }
        self.flush().await?;
        for (backend, at) in self.shadows_written(collections)? {
            match self.drop_shadow(backend, &at).await {
                Ok(documents) => deleted += documents,
                Err(error) => notes.push(format!("{} is still there: {error}", place(backend, &at))),
            }
        }
        Ok(CaptureReply::Cleared { deleted, notes })
    }

    /// Where the latest runs into shadow collections wrote to these, or tried to.
    fn shadows_written(&self, collections: &[String]) -> Result<Vec<(Backend, Namespace)>, WorkbenchError> {
        let failed = |e: &dyn std::error::Error| WorkbenchError::Failed(e.to_string());
        if collections.is_empty() {
            return Ok(Vec::new());
        }
        let reader = self.journal_reader()?;
        let filter = DeliveryFilter::parse("is=shadow").map_err(|e| failed(&e))?;
        let mut places = Vec::new();
        for row in reader.deliveries(&filter, &Window::newest(LOOKED_THROUGH)).map_err(|e| failed(&e))? {
            for (backend, at) in written_to(&reader.observations(row.id).map_err(|e| failed(&e))?) {
                if collections.contains(&at.collection) && !places.contains(&(backend, at.clone())) {
                    places.push((backend, at));
                }
            }
        }
        Ok(places)
    }

    /// The Data API knows no way to drop a collection: what went there is deleted, and dropped where the driver of this
    /// extension finds it, too.
    async fn drop_shadow(&self, backend: Backend, at: &Namespace) -> Result<u64, WorkbenchError> {
        let failed = |e: StoreError| WorkbenchError::Failed(e.to_string());
        let deleted = self.store_of(backend, None).await?.delete_many(at, &doc! {}).await.map_err(failed)?;
        match (backend, self.store_of(Backend::Driver, None).await) {
            (Backend::Driver, driver) => driver?.drop_collection(at).await.map_err(failed)?,
            // It is empty now: more could not be done.
            (Backend::DataApi, Ok(driver)) => driver.drop_collection(at).await.unwrap_or_default(),
            (Backend::DataApi, Err(_)) => {}
        }
        Ok(deleted)
    }
}

/// `driver shop.orders`
fn place(backend: Backend, at: &Namespace) -> String {
    format!("{backend} {}.{}", at.database, at.collection)
}

/// The documents about an object, as most write them.
fn of_object(id: &str) -> bson::Document {
    doc! {"$or": [{"id": id}, {"_id": id}]}
}

/// The collections that were written to among what was seen, each once.
fn written_to(observations: &[ObservationRow]) -> Vec<(Backend, Namespace)> {
    let mut places = Vec::new();
    for seen in observations {
        if let Fact::StoreCall(call) = &seen.observation.fact
            && StoreCall::writes(&call.operation)
        {
            let place = (call.backend, Namespace::new(&call.database, &call.collection));
            if !places.contains(&place) {
                places.push(place);
            }
        }
    }
    places
}

/// The ids of what a delivery inserted into a collection.
fn written(recorded: &Recorded, backend: Backend, at: &Namespace) -> Vec<bson::Bson> {
    let there = |call: &StoreCall| call.backend == backend && call.database == at.database && call.collection == at.collection;
    let id = |fact: &Fact| match fact {
        Fact::StoreCall(call) if there(call) && call.operation == "insertOne" => {
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
