//! What Connect knows of events: the types, how their objects are looked up, which statuses they have, a sample of each.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde_json::Value;

use crate::protocol::{Definition, category};

/// Which connection takes a task, and what may be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Category {
    /// The runner fetches the object; may reschedule.
    Background,
    /// The object travels in the message.
    Interactive,
    /// A schedule is due.
    Scheduled,
}

impl Category {
    /// The name on the wire.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Background => category::BACKGROUND,
            Self::Interactive => category::INTERACTIVE,
            Self::Scheduled => category::SCHEDULED,
        }
    }

    /// The category of that name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        [Self::Background, Self::Interactive, Self::Scheduled].into_iter().find(|c| c.as_str() == name)
    }
}

/// One type of event.
#[derive(Debug)]
pub(crate) struct EventType {
    /// Its name.
    pub(crate) name: &'static str,
    /// Its category.
    pub(crate) category: Category,
    /// Where its objects live; `None` where they exist in the message only.
    pub(crate) collection: Option<&'static str>,
    /// The field that holds the status.
    pub(crate) status_field: &'static str,
    /// The statuses one can subscribe to; the first is the one a new object of a sample gets.
    pub(crate) statuses: &'static [&'static str],
    /// Whether every change is an event, not only one of the status.
    pub(crate) every_change: bool,
    sample: &'static str,
}

impl EventType {
    /// The sample object.
    pub(crate) fn sample(&self) -> Value {
        static READ: LazyLock<HashMap<&str, Value>> = LazyLock::new(|| {
            // The samples are embedded: a test reads every one of them.
            EVENT_TYPES.iter().map(|event| (event.name, serde_json::from_str(event.sample).unwrap_or_default())).collect()
        });
        READ.get(self.name).cloned().unwrap_or_default()
    }

    /// How a runner looks its objects up; background events only.
    pub(crate) fn definition(&self) -> Option<Definition> {
        let collection = self.collection.filter(|_| self.category == Category::Background)?;
        Some(Definition {
            event_type: self.name.into(),
            api_resource_endpoint: format!("{collection}/{{pk}}"),
            api_collection_endpoint: collection.into(),
            api_collection_filter: match self.statuses {
                [] => "eq(id,${_object_id_})".into(),
                _ => format!("and(eq(id,${{_object_id_}}),in({},${{_statuses_}}))", self.status_field),
            },
        })
    }
}

/// The event type of that name.
pub(crate) fn find(name: &str) -> Option<&'static EventType> {
    EVENT_TYPES.iter().find(|e| e.name == name)
}

/// The definitions a setup response carries.
pub(crate) fn definitions() -> Vec<Definition> {
    EVENT_TYPES.iter().filter_map(EventType::definition).collect()
}

/// The background events an object of a collection can be the subject of.
pub(crate) fn events_of(collection: &str, object: &Value) -> impl Iterator<Item = &'static EventType> {
    let sort = object.get("type").and_then(Value::as_str).unwrap_or_default();
    let name = match (collection, sort) {
        ("requests", sort) => Some(format!("asset_{sort}_request_processing")),
        ("tier/config-requests", "update") => Some("tier_config_change_request_processing".into()),
        ("tier/config-requests", sort) => Some(format!("tier_config_{sort}_request_processing")),
        ("listing-requests", sort) => Some(format!("listing_{sort}_request_processing")),
        _ => None,
    };
    let fits = move |event: &&EventType| {
        let named = name.as_ref().is_none_or(|name| event.name == name || event.name == "listing_request_processing");
        event.category == Category::Background && named
    };
    let collection = collection.to_owned();
    EVENT_TYPES.iter().filter(move |event| event.collection == Some(&*collection)).filter(fits)
}

const PURCHASE: &[&str] = &["pending", "approved", "failed", "inquiring", "scheduled", "revoking", "revoked"];
const LIFECYCLE: &[&str] = &["pending", "approved", "failed", "scheduled", "revoking", "revoked", "inquiring"];
const TIER: &[&str] = &["pending", "approved", "failed", "inquiring", "draft"];
const LISTING: &[&str] = &["deploying", "draft", "reviewing", "completed", "canceled"];
const USAGE: &[&str] = &[
    "ready",
    "draft",
    "uploading",
    "uploaded",
    "invalid",
    "processing",
    "processed",
    "rejected",
    "pending",
    "accepted",
    "closed",
];

const PRODUCT: &[&str] =
    &["published", "draft", "indevelopment", "oncertification", "initializationfailed", "deleted", "endofsale"];
const CONTRACT: &[&str] = &["active", "new", "enrolling", "pending", "terminated", "rejected"];

macro_rules! sample {
    ($name:literal) => {
        include_str!(concat!("../../assets/samples/", $name, ".json"))
    };
}

macro_rules! background {
    ($name:literal, $collection:literal, $field:literal, $statuses:expr) => {
        background!($name, $collection, $field, $statuses, $name)
    };
    ($name:literal, $collection:literal, $field:literal, $statuses:expr, $sample:literal) => {
        EventType {
            name: $name,
            category: Category::Background,
            collection: Some($collection),
            status_field: $field,
            statuses: $statuses,
            every_change: false,
            sample: sample!($sample),
        }
    };
}

macro_rules! every_change {
    ($name:literal, $collection:literal, $statuses:expr) => {
        EventType { every_change: true, ..background!($name, $collection, "status", $statuses) }
    };
}

macro_rules! interactive {
    ($name:literal, $collection:expr, $statuses:expr) => {
        EventType {
            name: $name,
            category: Category::Interactive,
            collection: $collection,
            status_field: "status",
            statuses: $statuses,
            every_change: false,
            sample: sample!($name),
        }
    };
}

/// All event types there are, with the statuses Connect's catalogue gives them.
pub(crate) static EVENT_TYPES: &[EventType] = &[
    background!("asset_purchase_request_processing", "requests", "status", PURCHASE),
    background!("asset_change_request_processing", "requests", "status", PURCHASE),
    background!("asset_adjustment_request_processing", "requests", "status", PURCHASE),
    background!("asset_suspend_request_processing", "requests", "status", LIFECYCLE),
    background!("asset_resume_request_processing", "requests", "status", LIFECYCLE),
    background!("asset_cancel_request_processing", "requests", "status", LIFECYCLE),
    background!("asset_renew_request_processing", "requests", "status", PURCHASE),
    background!("asset_transfer_request_processing", "requests", "status", PURCHASE),
    background!("tier_config_setup_request_processing", "tier/config-requests", "status", TIER),
    background!("tier_config_change_request_processing", "tier/config-requests", "status", TIER),
    background!("tier_config_adjustment_request_processing", "tier/config-requests", "status", TIER),
    background!("tier_account_update_request_processing", "tier/account-requests", "status", &["pending", "accepted", "ignored"]),
    background!("listing_new_request_processing", "listing-requests", "state", LISTING),
    background!("listing_remove_request_processing", "listing-requests", "state", LISTING),
    background!("listing_request_processing", "listing-requests", "state", LISTING, "listing_new_request_processing"),
    background!("usage_file_request_processing", "usage/files", "status", USAGE),
    background!("part_usage_file_request_processing", "usage/chunks", "status", &["ready", "draft", "closed", "failed"]),
    background!(
        "helpdesk_case_processing",
        "helpdesk/cases",
        "state",
        &["pending", "inquiring", "resolved", "closed"],
        "extra.helpdesk_case_processing"
    ),
    background!(
        "installation_status_change",
        "devops/installations",
        "status",
        &["installed", "uninstalled"],
        "extra.installation_status_change"
    ),
    background!("listing_processing", "listings", "status", &["listed", "unlisted"]),
    every_change!("product_changed", "products", PRODUCT),
    every_change!("contract_changed", "contracts", CONTRACT),
    every_change!("pricelist_version_changed", "pricing/versions", &["active", "draft", "processing", "scheduled", "expired"]),
    every_change!("translation_change", "localization/translations", &[]),
    interactive!("asset_purchase_request_validation", Some("requests"), &["draft"]),
    interactive!("asset_change_request_validation", Some("requests"), &["draft"]),
    interactive!("asset_renew_request_validation", Some("requests"), &["draft"]),
    interactive!("asset_transfer_request_validation", Some("requests"), &["draft"]),
    interactive!("tier_config_setup_request_validation", Some("tier/config-requests"), &["draft"]),
    interactive!("tier_config_change_request_validation", Some("tier/config-requests"), &["draft"]),
    interactive!("product_action_execution", None, &[]),
    interactive!("product_custom_event_processing", None, &[]),
    EventType {
        name: "scheduled_execution",
        category: Category::Scheduled,
        collection: Some("devops/schedules"),
        status_field: "status",
        statuses: &[],
        every_change: false,
        sample: sample!("scheduled_execution"),
    },
];

#[cfg(test)]
mod tests {
    use super::{Category, EVENT_TYPES};

    #[test]
    fn every_event_type_has_a_sample_that_is_an_object_in_its_first_status() {
        for event in EVENT_TYPES {
            let sample = event.sample();
            assert!(sample.is_object(), "{}", event.name);
            if let Some(first) = event.statuses.first() {
                assert_eq!(sample[event.status_field], *first, "{}", event.name);
            }
        }
    }

    #[test]
    fn every_background_event_type_says_how_its_object_is_looked_up() {
        for event in EVENT_TYPES.iter().filter(|e| e.category == Category::Background) {
            let definition = event.definition().unwrap();
            assert!(definition.api_resource_endpoint.ends_with("/{pk}"));
            let filter = definition.api_collection_filter;
            match event.statuses {
                [] => assert_eq!(filter, "eq(id,${_object_id_})"),
                _ => assert!(filter.starts_with("and(eq(id,${_object_id_}),in(stat"), "{}", event.name),
            }
        }
    }
}
