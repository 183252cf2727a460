//! The collections: what each of them offers.

use super::verbs::{self, Verb};

/// A collection of objects.
#[derive(Debug)]
pub(crate) struct Resource {
    /// Its path.
    pub(crate) path: &'static str,
    /// The field that holds the status.
    pub(crate) field: &'static str,
    /// The part a request is about; its parameters are changed with the request.
    pub(crate) subject: Option<&'static str>,
    /// What can be done with its objects.
    pub(crate) verbs: &'static [Verb],
    /// Verbs answered with nothing; all others are answered with the object.
    pub(crate) silent: &'static [&'static str],
    /// What `PUT` changes.
    pub(crate) update: Update,
    /// How objects come to be with `POST`.
    pub(crate) create: Create,
    /// Whether `DELETE` is offered.
    pub(crate) delete: bool,
}

/// What `PUT` changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Update {
    /// It is not offered.
    No,
    /// Values of parameters.
    Parameters,
    /// Any field, except id, status and events.
    Fields,
}

/// How objects come to be with `POST`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Create {
    /// It is not offered.
    No,
    /// As an order of an asset, a change of it, and so on.
    Order,
    /// As an account of a customer or a reseller.
    Account,
    /// As the sample of this event, with the fields of the body, in this status.
    Like(&'static str, &'static str),
}

const PLAIN: Resource = Resource {
    path: "",
    field: "status",
    subject: None,
    verbs: &[],
    silent: &[],
    update: Update::No,
    create: Create::No,
    delete: false,
};

/// All of them, besides those of the environment and of conversations.
pub(crate) const RESOURCES: &[Resource] = &[
    Resource {
        path: "requests",
        subject: Some("asset"),
        verbs: verbs::REQUEST,
        update: Update::Parameters,
        create: Create::Order,
        ..PLAIN
    },
    Resource {
        path: "tier/config-requests",
        subject: Some("configuration"),
        verbs: verbs::TIER_CONFIG,
        silent: &["fail", "inquire", "pend", "assign", "unassign"],
        update: Update::Parameters,
        create: Create::Like("tier_config_setup_request_processing", "pending"),
        ..PLAIN
    },
    Resource {
        path: "tier/account-requests",
        verbs: verbs::TIER_ACCOUNT,
        create: Create::Like("tier_account_update_request_processing", "pending"),
        ..PLAIN
    },
    Resource { path: "tier/configs", ..PLAIN },
    Resource { path: "tier/accounts", update: Update::Fields, create: Create::Account, delete: true, ..PLAIN },
    Resource { path: "assets", ..PLAIN },
    Resource {
        path: "listing-requests",
        field: "state",
        verbs: verbs::LISTING,
        create: Create::Like("listing_new_request_processing", "draft"),
        ..PLAIN
    },
    Resource { path: "listings", update: Update::Fields, ..PLAIN },
    Resource {
        path: "usage/files",
        verbs: verbs::USAGE_FILE,
        update: Update::Fields,
        create: Create::Like("usage_file_request_processing", "draft"),
        ..PLAIN
    },
    Resource { path: "usage/records", verbs: verbs::USAGE_RECORD, update: Update::Fields, ..PLAIN },
    Resource { path: "usage/chunks", verbs: verbs::USAGE_CHUNK, update: Update::Fields, ..PLAIN },
    Resource {
        path: "helpdesk/cases",
        field: "state",
        verbs: verbs::CASE,
        update: Update::Fields,
        create: Create::Like("helpdesk_case_processing", "pending"),
        ..PLAIN
    },
    Resource { path: "products", verbs: verbs::PRODUCT, update: Update::Fields, ..PLAIN },
    Resource { path: "contracts", verbs: verbs::CONTRACT, update: Update::Fields, ..PLAIN },
    Resource { path: "pricing/lists", update: Update::Fields, ..PLAIN },
    Resource { path: "pricing/versions", verbs: verbs::PRICELIST_VERSION, update: Update::Fields, ..PLAIN },
    Resource { path: "localization/translations", verbs: verbs::TRANSLATION, update: Update::Fields, ..PLAIN },
    Resource { path: "marketplaces", update: Update::Fields, ..PLAIN },
    Resource { path: "hubs", update: Update::Fields, ..PLAIN },
    Resource {
        path: "devops/installations",
        verbs: verbs::INSTALLATION,
        update: Update::Fields,
        create: Create::Like("installation_status_change", "installed"),
        ..PLAIN
    },
];

/// The collection of that path.
pub(crate) fn named(path: &str) -> Option<&'static Resource> {
    RESOURCES.iter().find(|resource| resource.path == path)
}

/// The collection a path begins with, and what follows.
pub(crate) fn find<'a>(segments: &'a [&'a str]) -> Option<(&'static Resource, &'a [&'a str])> {
    RESOURCES.iter().find_map(|resource| {
        let (head, rest) = segments.split_at_checked(resource.path.split('/').count())?;
        resource.path.split('/').eq(head.iter().copied()).then_some((resource, rest))
    })
}

#[cfg(test)]
mod tests {
    use super::{Create, RESOURCES, named};
    use crate::platform::catalogue;

    #[test]
    fn every_event_whose_object_is_looked_up_has_a_collection_that_is_served() {
        for event in catalogue::EVENT_TYPES.iter().filter(|event| event.category == catalogue::Category::Background) {
            let resource = named(event.collection.unwrap()).unwrap();
            assert_eq!(resource.field, event.status_field, "{}", event.name);
        }
    }

    #[test]
    fn what_is_created_like_a_sample_names_one() {
        for resource in RESOURCES {
            if let Create::Like(event, _) = resource.create {
                assert_eq!(catalogue::find(event).unwrap().collection, Some(resource.path));
            }
        }
    }
}
