//! What follows from an object that was made or changed: what it holds of other objects is true of these too, and whoever
//! subscribes to its new status gets a task.

use serde_json::{Value, json};

use super::catalogue::{self, Category, EventType};
use super::core::{Core, State};
use super::seeds::{self, INSTALLATION};
use super::state::Objects;
use super::tasks::Task;
use crate::observe::Origin;

/// Stores an object, and what it says of others.
pub(crate) fn store(objects: &mut Objects, collection: &str, id: &str, object: &Value) {
    objects.put(collection, id, object);
    match collection {
        "requests" => {
            own(objects, "assets", object.get("asset"));
            let asset = object.get("asset");
            let of_asset = |name: &str| asset.and_then(|asset| asset.get(name));
            product(objects, of_asset("product"));
            known(objects, "contracts", of_asset("contract"));
            known(objects, "hubs", of_asset("connection").and_then(|connection| connection.get("hub")));
            known(objects, "marketplaces", object.get("marketplace").or_else(|| of_asset("marketplace")));
            let tiers = of_asset("tiers").and_then(Value::as_object);
            tiers.into_iter().flat_map(|tiers| tiers.values()).for_each(|tier| known(objects, "tier/accounts", Some(tier)));
        }
        "tier/config-requests" => {
            own(objects, "tier/configs", object.get("configuration"));
            let of_configuration = |name: &str| object.get("configuration").and_then(|c| c.get(name));
            product(objects, of_configuration("product"));
            known(objects, "tier/accounts", of_configuration("account"));
        }
        "tier/account-requests" if object.get("status").is_some_and(|s| s == "accepted") => {
            own(objects, "tier/accounts", object.get("account"));
        }
        "listing-requests" => {
            own(objects, "listings", object.get("listing"));
            product(objects, object.get("product"));
        }
        "usage/chunks" => known(objects, "usage/files", object.get("usagefile")),
        "usage/files" | "listings" | "helpdesk/cases" => product(objects, object.get("product")),
        _ => {}
    }
}

fn id_of(object: Option<&Value>) -> Option<(&Value, &str)> {
    let object = object?;
    Some((object, object.get("id")?.as_str().filter(|id| !id.is_empty() && !id.contains('/'))?))
}

/// The part is the object, as it is now.
fn own(objects: &mut Objects, collection: &str, part: Option<&Value>) {
    if let Some((part, id)) = id_of(part) {
        objects.put(collection, id, part);
    }
}

/// The part refers to an object: there is one.
fn known(objects: &mut Objects, collection: &str, part: Option<&Value>) {
    if let Some((part, id)) = id_of(part)
        && !objects.contains(collection, id)
    {
        objects.put(collection, id, part);
    }
}

/// A product somebody refers to has templates and parameters: the ones of the sample's, under ids of its own.
fn product(objects: &mut Objects, reference: Option<&Value>) {
    let Some((reference, id)) = id_of(reference) else { return };
    if objects.contains("products", id) {
        return;
    }
    objects.put("products", id, reference);
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
