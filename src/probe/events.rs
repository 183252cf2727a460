//! The event types of Connect's catalogue.

/// Background events of objects that have statuses.
pub(super) const BACKGROUND: &[&str] = &[
    "asset_purchase_request_processing",
    "asset_change_request_processing",
    "asset_adjustment_request_processing",
    "asset_cancel_request_processing",
    "asset_suspend_request_processing",
    "asset_resume_request_processing",
    "asset_renew_request_processing",
    "asset_transfer_request_processing",
    "tier_config_setup_request_processing",
    "tier_config_change_request_processing",
    "tier_config_adjustment_request_processing",
    "tier_account_update_request_processing",
    "usage_file_request_processing",
    "part_usage_file_request_processing",
    "listing_request_processing",
    "listing_new_request_processing",
    "listing_remove_request_processing",
    "listing_processing",
    "helpdesk_case_processing",
    "installation_status_change",
    "product_changed",
    "contract_changed",
    "pricelist_version_changed",
];

/// Background events without statuses.
pub(super) const WITHOUT_STATUS: &[&str] = &["translation_change"];

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
