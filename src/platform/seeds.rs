//! The objects there are from the start: the product of the samples with its templates, parameters and items, the
//! marketplace it is sold on, the accounts of its customers, an installation of the extension.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::access::Access;
use super::catalogue;
use super::state::{Disk, Objects, Write};

/// Raised when objects are added: those a state of an earlier version lacks are planted then.
const VERSION: &str = "1";
/// The installation tasks are for when the extension is one of many accounts.
pub(crate) const INSTALLATION: &str = "EIN-2879-0245-8671";
/// The product of the samples.
pub(crate) const PRODUCT: &str = "PRD-276-377-545";
/// What belongs to a product.
pub(crate) const PARTS_OF_A_PRODUCT: &[&str] = &["templates", "parameters", "items", "actions"];
/// Samples of events that are objects there are from the start.
const SAMPLES: &[&str] = &[
    "product_changed",
    "contract_changed",
    "pricelist_version_changed",
    "translation_change",
    "listing_processing",
    "installation_status_change",
];

#[derive(Deserialize)]
struct Bed {
    collection: String,
    objects: Vec<Value>,
}

/// Creates those objects that are not there yet, once.
pub(crate) fn plant(objects: &mut Objects, meta: &BTreeMap<String, String>, disk: &Disk, access: &Access) {
    if meta.get("seeds").is_some_and(|version| version == VERSION) {
        return;
    }
    for event in SAMPLES.iter().filter_map(|name| catalogue::find(name)) {
        let mut object = event.sample();
        localise(&mut object, access);
        put(objects, event.collection.unwrap_or_default(), &object);
    }
    for bed in beds() {
        bed.objects.iter().for_each(|object| put(objects, &bed.collection, object));
    }
    disk.write(Write::Meta("seeds", VERSION.into()));
}

/// What a product there is no more known of than a reference has: the templates, parameters and items of the sample's.
pub(crate) fn parts_of_a_product(part: &str) -> Vec<Value> {
    let collection = format!("products/{PRODUCT}/{part}");
    beds().into_iter().find(|bed| bed.collection == collection).map(|bed| bed.objects).unwrap_or_default()
}

fn beds() -> Vec<Bed> {
    // Embedded: a test reads it.
    serde_json::from_str(include_str!("../../assets/seeds.json")).unwrap_or_default()
}

fn put(objects: &mut Objects, collection: &str, object: &Value) {
    if let Some(id) = object.get("id").and_then(Value::as_str)
        && !objects.contains(collection, id)
    {
        objects.put(collection, id, object);
    }
}

/// Puts this environment in the place of the samples'.
pub(crate) fn localise(value: &mut Value, access: &Access) {
    match value {
        Value::String(text) if text == "ENV-4400-0874-01" => text.clone_from(&access.environment_id),
        Value::String(text) if text == "SRVC-4400-0874" => text.clone_from(&access.service_id),
        Value::Array(items) => items.iter_mut().for_each(|item| localise(item, access)),
        Value::Object(fields) => fields.values_mut().for_each(|field| localise(field, access)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_product_of_the_samples_has_what_an_extension_looks_for() {
        for part in super::PARTS_OF_A_PRODUCT {
            assert!(!super::parts_of_a_product(part).is_empty(), "{part}");
        }
        let templates = super::parts_of_a_product("templates");
        assert!(templates.iter().any(|t| t["scope"] == "asset" && t["type"] == "fulfillment"));
        for bed in super::beds() {
            assert!(bed.objects.iter().all(|object| object["id"].is_string()), "{}", bed.collection);
        }
    }
}
