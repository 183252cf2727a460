//! What follows from an object that was made or changed: what it holds of other objects is true of these too, and whoever
//! subscribes to its new status gets a task.

use std::sync::Arc;

use serde_json::{Value, json};

use super::catalogue::{self, Category, EventType};
use super::core::{Core, State};
use super::seeds::{self, INSTALLATION};
use super::state::{Objects, json_text};
use super::tasks::Task;
use crate::observe::Origin;

/// What an object says of another one it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tie {
    /// The part is the object, as it is now.
    Own,
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
            tie(Tie::Own, "assets", own("asset"));
            tie(Tie::Product, "products", of_asset("product"));
            tie(Tie::Known, "contracts", of_asset("contract"));
            tie(Tie::Known, "hubs", of_asset("connection").and_then(|connection| connection.get("hub")));
            tie(Tie::Known, "marketplaces", own("marketplace").or_else(|| of_asset("marketplace")));
            let tiers = of_asset("tiers").and_then(Value::as_object);
            tiers.into_iter().flat_map(|tiers| tiers.values()).for_each(|tier| tie(Tie::Known, ACCOUNTS, Some(tier)));
        }
        "tier/config-requests" => {
            let of_configuration = |name: &str| own("configuration").and_then(|c| c.get(name));
            tie(Tie::Own, "tier/configs", own("configuration"));
            tie(Tie::Product, "products", of_configuration("product"));
            tie(Tie::Known, ACCOUNTS, of_configuration("account"));
        }
        "tier/account-requests" if own("status").is_some_and(|s| s == "accepted") => tie(Tie::Own, ACCOUNTS, own("account")),
        "listing-requests" => {
            tie(Tie::Own, "listings", own("listing"));
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
    for (tie, collection, part, id) in ties(collection, object) {
        follow(objects, tie, collection, id, || json_text(part));
    }
}

/// Lets be true what an object says of another.
pub(crate) fn follow(objects: &mut Objects, tie: Tie, collection: &str, id: &str, part: impl FnOnce() -> Arc<str>) {
    match tie {
        Tie::Own => objects.put_text(collection, id, part()),
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
