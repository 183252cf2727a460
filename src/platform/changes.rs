//! What follows from an object that was made or changed: what it holds of other objects is true of these too, and whoever
//! subscribes to its new status gets a task.

use std::sync::Arc;

use serde_json::{Value, json};

use super::catalogue::{self, Category, EventType};
use super::core::{Core, State};
use super::seeds::{self, INSTALLATION};
use super::state::{Held, Objects, json_text};
use super::tasks::Task;
use crate::observe::Origin;

/// What an object says of another one it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tie {
    /// What is in that field is the object, as it is now.
    Own(&'static str),
    /// The part refers to an object: there is one.
    Known,
    /// The same of a product, which has parts of its own.
    Product,
}

/// What an object says of others: how, which collection they are of, what it holds of them, and their ids.
pub(crate) fn ties<'a>(collection: &str, object: &'a Value) -> Vec<(Tie, &'static str, &'a Value, &'a str)> {
    let mut ties = Vec::new();
    let mut tie = |how, collection, part: Option<&'a Value>| {
        ties.extend(id_of(part).map(|(part, id)| (how, collection, part, id)));
    };
    let own = |name: &str| object.get(name);
    match collection {
        "requests" => {
            let of_asset = |name: &str| own("asset").and_then(|asset| asset.get(name));
            tie(Tie::Own("asset"), "assets", own("asset"));
            tie(Tie::Product, "products", of_asset("product"));
            tie(Tie::Known, "contracts", of_asset("contract"));
            tie(Tie::Known, "hubs", of_asset("connection").and_then(|connection| connection.get("hub")));
            tie(Tie::Known, "marketplaces", own("marketplace").or_else(|| of_asset("marketplace")));
            let tiers = of_asset("tiers").and_then(Value::as_object);
            tiers.into_iter().flat_map(|tiers| tiers.values()).for_each(|tier| tie(Tie::Known, ACCOUNTS, Some(tier)));
        }
        "tier/config-requests" => {
            let of_configuration = |name: &str| own("configuration").and_then(|c| c.get(name));
            tie(Tie::Own("configuration"), "tier/configs", own("configuration"));
            tie(Tie::Product, "products", of_configuration("product"));
            tie(Tie::Known, ACCOUNTS, of_configuration("account"));
        }
        "tier/account-requests" if own("status").is_some_and(|s| s == "accepted") => {
            tie(Tie::Own("account"), ACCOUNTS, own("account"))
        }
        "listing-requests" => {
            tie(Tie::Own("listing"), "listings", own("listing"));
            tie(Tie::Product, "products", own("product"));
        }
        "usage/chunks" => tie(Tie::Known, "usage/files", own("usagefile")),
        "usage/files" | "listings" | "helpdesk/cases" => tie(Tie::Product, "products", own("product")),
        _ => {}
    }
    ties
}

const ACCOUNTS: &str = "tier/accounts";

/// Stores an object, and what it says of others.
pub(crate) fn store(objects: &mut Objects, collection: &str, id: &str, object: &Value) {
    objects.put(collection, id, object);
    for (tie, of, part, part_id) in ties(collection, object) {
        follow(objects, (collection, id), tie, (of, part_id), || json_text(part));
    }
}

/// Lets be true what an object that was stored just now says of another; both by collection and id.
pub(crate) fn follow(
    objects: &mut Objects,
    (holders, holder): (&str, &str),
    tie: Tie,
    (collection, id): (&str, &str),
    part: impl FnOnce() -> Arc<str>,
) {
    match tie {
        Tie::Own(field) => {
            let held =
                Held { collection: collection.into(), id: id.into(), holders: holders.into(), holder: holder.into(), field };
            objects.put_held(held, part());
        }
        Tie::Known | Tie::Product if objects.contains(collection, id) => {}
        Tie::Known => objects.put_text(collection, id, part()),
        Tie::Product => product(objects, id, part()),
    }
}

fn id_of(object: Option<&Value>) -> Option<(&Value, &str)> {
    let object = object?;
    Some((object, object.get("id")?.as_str().filter(|id| !id.is_empty() && !id.contains('/'))?))
}

/// A product somebody refers to has templates and parameters: the ones of the sample's, under ids of its own.
fn product(objects: &mut Objects, id: &str, text: Arc<str>) {
    let reference: Value = serde_json::from_str(&text).unwrap_or_default();
    objects.put_text("products", id, text);
    for part in seeds::PARTS_OF_A_PRODUCT {
        for mut object in seeds::parts_of_a_product(part) {
            let Some(own) = object.get("id").and_then(Value::as_str) else { continue };
            // `PRM-276-377-545-0001` is numbered after its product; a template is not: its last group is kept.
            let prefix = own.split('-').next().unwrap_or_default();
            let number = own.rsplit('-').next().unwrap_or_default();
            let own = format!("{prefix}-{}-{number}", id.trim_start_matches("PRD-"));
            if let Some(fields) = object.as_object_mut() {
                fields.insert("id".into(), own.as_str().into());
                fields.insert("product".into(), reference.clone());
            }
            objects.put(&format!("products/{id}/{part}"), &own, &object);
        }
    }
}

impl Core {
    /// Stores an object a call made or changed, and queues the tasks that follow. `before` is its status before.
    pub(crate) fn keep(&self, state: &mut State, collection: &str, before: Option<&str>, object: &Value) {
        let Some((_, id)) = id_of(Some(object)) else { return };
        store(&mut state.objects, collection, id, object);
        for event in catalogue::events_of(collection, object) {
            let status = object.get(event.status_field).and_then(Value::as_str).unwrap_or_default();
            let happened = event.every_change || before != Some(status);
            if happened && state.capabilities.wants(event.name, status) {
                self.order(state, event, id, None, Origin::Trigger);
            }
        }
    }

    /// Queues a task, or gives the one that is queued for the object already; says whether it is a new one.
    pub(crate) fn order(
        &self,
        state: &mut State,
        event: &EventType,
        object_id: &str,
        data: Option<Value>,
        origin: Origin,
    ) -> (String, bool) {
        // A replay is an order to deliver now: it is never taken for a task that happens to wait already.
        let already = (origin == Origin::Trigger).then(|| state.tasks.queued_for(event.name, object_id)).flatten();
        if let Some(task) = already {
            return (task.id.clone(), false);
        }
        let mut task = Task::new(event.category, event.name, object_id, data, origin);
        task.installation = installation(state, event, object_id);
        let id = task.id.clone();
        self.enqueue(state, task);
        (id, true)
    }
}

/// For whom a task is, where the extension is one of many accounts.
pub(super) fn installation(state: &mut State, event: &EventType, object_id: &str) -> Option<String> {
    if state.capabilities.audience.is_empty() || event.category == Category::Interactive {
        return None;
    }
    if event.collection == Some(INSTALLATIONS) {
        return Some(object_id.into());
    }
    let installed = |object: &Value| object.get("status") == Some(&json!("installed"));
    if state.objects.get(INSTALLATIONS, INSTALLATION).as_ref().is_some_and(installed) {
        return Some(INSTALLATION.into());
    }
    let other = state.objects.all(INSTALLATIONS).into_iter().find(installed)?;
    other.get("id")?.as_str().map(Into::into)
}

/// Where installations are.
pub(crate) const INSTALLATIONS: &str = "devops/installations";

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;
    use crate::platform::rql::Query;
    use crate::platform::state::{self, Disk};

    /// What may happen to requests and their assets.
    #[derive(Debug, Clone)]
    enum Step {
        Request { id: u8, asset: u8, note: String, number: f64 },
        Asset { id: u8, note: String },
        Forget { collection: &'static str, id: u8 },
        Written,
        Restart,
    }

    fn step() -> impl Strategy<Value = Step> {
        let request = (0..4u8, 0..3u8, any::<String>(), any::<i32>().prop_map(|n| f64::from(n) / 8.0));
        prop_oneof![
            4 => request.prop_map(|(id, asset, note, number)| Step::Request { id, asset, note, number }),
            1 => (0..3u8, any::<String>()).prop_map(|(id, note)| Step::Asset { id, note }),
            2 => (prop_oneof![Just("requests"), Just("assets")], 0..4u8).prop_map(|(collection, id)| Step::Forget { collection, id }),
            2 => Just(Step::Written),
            1 => Just(Step::Restart),
        ]
    }

    type Known = BTreeMap<(&'static str, String), Value>;

    fn open(dir: &Path) -> (Disk, Objects) {
        let (db, lock, _) = state::open(dir).unwrap();
        let disk = Disk::start(db, lock, |reason| panic!("{reason}")).unwrap();
        (disk.clone(), Objects::new(disk, state::reader(dir).unwrap()))
    }

    fn same(objects: &mut Objects, known: &Known) {
        for collection in ["requests", "assets"] {
            for id in 0..4u8 {
                let expected = known.get(&(collection, id.to_string())).map(json_text);
                assert_eq!(objects.text(collection, &id.to_string()), expected, "{collection}/{id}");
            }
            let mut all = objects.all(collection);
            all.sort_by_key(|object| object["id"].to_string());
            let expected: Vec<&Value> = known.iter().filter(|((of, _), _)| *of == collection).map(|(_, object)| object).collect();
            assert_eq!(all.iter().collect::<Vec<_>>(), expected);
        }
    }

    /// What is on disk, read by somebody who remembers nothing.
    fn same_on_disk(dir: &Path, disk: &Disk, known: &Known) {
        let reader = state::reader(dir).unwrap();
        let query = Query::parse("ordering(id)&limit=1000").unwrap();
        for collection in ["requests", "assets"] {
            let found = state::search(&reader, collection, &query).unwrap().items;
            let expected = known.iter().filter(|((of, _), _)| *of == collection).map(|(_, object)| object.clone());
            assert_eq!(found, expected.collect::<Vec<_>>());
        }
        same(&mut Objects::new(disk.clone(), reader), known);
    }

    async fn live(steps: Vec<Step>) {
        let dir = tempfile::tempdir().unwrap();
        let (mut disk, mut objects) = open(dir.path());
        let mut known = Known::new();
        for step in steps {
            match step {
                Step::Request { id, asset, note, number } => {
                    let (id, asset) = (id.to_string(), asset.to_string());
                    let part = json!({"id": asset, "note": note, "numbers": [number, 0.1, -7, 1e300, null], "\u{1}\" ": {}});
                    let request = json!({"id": id, "note": note, "asset": part});
                    store(&mut objects, "requests", &id, &request);
                    known.insert(("requests", id), request);
                    known.insert(("assets", asset), part);
                }
                Step::Asset { id, note } => {
                    let asset = json!({"id": id.to_string(), "note": note});
                    store(&mut objects, "assets", &id.to_string(), &asset);
                    known.insert(("assets", id.to_string()), asset);
                }
                Step::Forget { collection, id } => {
                    objects.forget(collection, &id.to_string());
                    known.remove(&(collection, id.to_string()));
                }
                Step::Written => {
                    disk.flush().passed().await.unwrap();
                    same_on_disk(dir.path(), &disk, &known);
                }
                Step::Restart => {
                    disk.hand_over();
                    disk.close().await;
                    drop(objects);
                    (disk, objects) = open(dir.path());
                }
            }
            same(&mut objects, &known);
        }
        disk.flush().passed().await.unwrap();
        same_on_disk(dir.path(), &disk, &known);
        disk.close().await;
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_request_and_its_asset_are_read_as_they_were_put_whatever_becomes_of_the_other(
            steps in prop::collection::vec(step(), 1..24)
        ) {
            tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(live(steps));
        }
    }

    #[tokio::test]
    async fn what_a_request_holds_is_not_written_twice() {
        let dir = tempfile::tempdir().unwrap();
        let (disk, mut objects) = open(dir.path());
        let note = "n".repeat(9_000);
        store(&mut objects, "requests", "PR-1", &json!({"id": "PR-1", "asset": {"id": "AS-1", "note": note}}));
        disk.flush().passed().await.unwrap();
        let bytes = "SELECT sum(length(body)) FROM objects WHERE collection IN ('requests', 'assets')";
        let bytes: i64 = state::reader(dir.path()).unwrap().query_row(bytes, [], |row| row.get(0)).unwrap();
        assert!(bytes < 9_200, "{bytes}");
        disk.close().await;
    }
}
