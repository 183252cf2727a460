//! The event types of Connect's catalogue.

/// What waits for an extension to act.
const OPEN: &[&str] = &["pending", "inquiring"];
const PENDING: &[&str] = &["pending"];
const LISTING: &[&str] = &["deploying", "draft", "reviewing", "completed", "canceled"];
const CHUNK: &[&str] = &["ready", "draft", "closed", "failed"];
const INSTALLATION: &[&str] = &["installed", "uninstalled"];
const LISTED: &[&str] = &["listed", "unlisted"];
const PRODUCT: &[&str] =
    &["published", "draft", "indevelopment", "oncertification", "initializationfailed", "deleted", "endofsale"];
const CONTRACT: &[&str] = &["active", "new", "enrolling", "pending", "terminated", "rejected"];
const PRICELIST: &[&str] = &["active", "draft", "processing", "scheduled", "expired"];

/// Background events with the statuses subscribed to: what is open, or all where objects of the type are never open to an
/// extension; none where they have no status.
pub(super) const BACKGROUND: &[(&str, &[&str])] = &[
    ("asset_purchase_request_processing", OPEN),
    ("asset_change_request_processing", OPEN),
    ("asset_adjustment_request_processing", OPEN),
    ("asset_cancel_request_processing", OPEN),
    ("asset_suspend_request_processing", OPEN),
    ("asset_resume_request_processing", OPEN),
    ("asset_renew_request_processing", OPEN),
    ("asset_transfer_request_processing", OPEN),
    ("tier_config_setup_request_processing", OPEN),
    ("tier_config_change_request_processing", OPEN),
    ("tier_config_adjustment_request_processing", OPEN),
    ("tier_account_update_request_processing", PENDING),
    ("usage_file_request_processing", PENDING),
    ("part_usage_file_request_processing", CHUNK),
    ("listing_request_processing", LISTING),
    ("listing_new_request_processing", LISTING),
    ("listing_remove_request_processing", LISTING),
    ("listing_processing", LISTED),
    ("helpdesk_case_processing", OPEN),
    ("installation_status_change", INSTALLATION),
    ("product_changed", PRODUCT),
    ("contract_changed", CONTRACT),
    ("pricelist_version_changed", PRICELIST),
    ("translation_change", &[]),
];

/// Events somebody waits for.
pub(super) const INTERACTIVE: &[&str] = &[
    "asset_purchase_request_validation",
    "asset_change_request_validation",
    "asset_renew_request_validation",
    "asset_transfer_request_validation",
    "tier_config_setup_request_validation",
    "tier_config_change_request_validation",
    "product_action_execution",
    "product_custom_event_processing",
];

#[cfg(all(test, feature = "console"))]
mod tests {
    use super::*;
    use crate::platform::Platform;

    #[test]
    fn every_event_type_of_the_local_connect_is_subscribed_to_with_a_status_its_objects_come_in() {
        for (name, category) in Platform::event_types() {
            if category != "background" {
                assert!(category == "scheduled" || INTERACTIVE.contains(&name), "{name}");
                continue;
            }
            let (_, statuses) =
                BACKGROUND.iter().find(|(known, _)| *known == name).unwrap_or_else(|| panic!("{name} is missing"));
            let sample = Platform::sample(name).unwrap();
            let status =
                sample.get("state").or_else(|| sample.get("status")).and_then(|status| status.as_str()).unwrap_or_default();
            // A sample is given a status somebody subscribes to, where the type has such.
            let comes = statuses.is_empty() || statuses.contains(&status) || statuses.contains(&"pending");
            assert!(comes, "{name} comes as `{status}`, subscribed to are {statuses:?}");
        }
    }
}
