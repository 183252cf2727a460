//! What may be done with a request in which status, and what it does to the request. No I/O.

use serde_json::{Map, Value, json};

use super::refusal::Refusal;
use super::requests::Kind;
use crate::platform::time;

/// Something done with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// `PUT`: change parameters.
    Update,
    /// The vendor has done it.
    Approve,
    /// The vendor can't or won't.
    Fail,
    /// The customer must correct parameters.
    Inquire,
    /// The customer has.
    Pend,
}

impl Action {
    /// The action of that name in a path.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "approve" => Some(Self::Approve),
            "fail" => Some(Self::Fail),
            "inquire" => Some(Self::Inquire),
            "pend" => Some(Self::Pend),
            _ => None,
        }
    }

    /// In which statuses, in Connect's words for it, and the status after it.
    fn rule(self) -> (&'static [&'static str], &'static str, Option<&'static str>) {
        match self {
            Self::Update => {
                (&["pending", "draft", "inquiring"], "Only pending, draft or inquiring requests can be updated.", None)
            }
            Self::Approve => (&["pending"], "Only pending requests can be approved.", Some("approved")),
            Self::Fail => (&["pending", "inquiring"], "Only pending or inquiring requests can be failed.", Some("failed")),
            Self::Inquire => (&["pending"], "Only pending requests can be moved to the inquiring status.", Some("inquiring")),
            Self::Pend => (&["inquiring"], "Only inquiring requests can be moved to the pending status.", Some("pending")),
        }
    }
}

/// The status of a request.
pub(crate) fn status(object: &Value) -> &str {
    object.get("status").and_then(Value::as_str).unwrap_or_default()
}

/// Carries `action` out on `object`, or leaves it as it was.
pub(crate) fn perform(kind: &Kind, action: Action, object: &mut Value, body: &Value) -> Result<(), Refusal> {
    let (statuses, refusal, next) = action.rule();
    if !statuses.contains(&status(object)) {
        return Err(Refusal::state(refusal));
    }
    let mut changed = object.clone();
    match action {
        Action::Update => update(kind, &mut changed, body)?,
        Action::Approve => approve(kind, &mut changed, body),
        Action::Fail => fail(kind, &mut changed, body)?,
        Action::Inquire => inquire(kind, &mut changed, body)?,
        Action::Pend => {}
    }
    let now = time::now();
    if let Some(next) = next {
        put(&mut changed, "status", next.into());
        stamp(&mut changed, event_of(next), &now);
    }
    put(&mut changed, "updated", now.as_str().into());
    stamp(&mut changed, "updated", &now);
    if let Some(subject) = changed.get_mut(kind.subject) {
        stamp(subject, "updated", &now);
    }
    *object = changed;
    Ok(())
}

fn event_of(status: &str) -> &str {
    match status {
        "inquiring" => "inquired",
        "pending" => "pended",
        status => status,
    }
}

/// Changes the parameters named in the body; everything else in it is ignored, as Connect does.
fn update(kind: &Kind, object: &mut Value, body: &Value) -> Result<(), Refusal> {
    // Asset requests: `{"asset": {"params": [...]}}`; tier configuration requests: `{"params": [...]}`.
    let (wanted, field) = match body.get(kind.subject).and_then(|s| s.get("params")).or_else(|| body.get("params")) {
        Some(Value::Array(wanted)) => (wanted, format!("{}.params", kind.subject)),
        Some(_) => return Err(Refusal::invalid("params: Expected a list of items.")),
        None => return Ok(()),
    };
    for (number, change) in wanted.iter().enumerate() {
        let wrong = |reason: &str| Refusal::invalid(&format!("{field}[{number}]: {reason}"));
        let id = change.get("id").and_then(Value::as_str).ok_or_else(|| wrong("the id of the parameter is missing."))?;
        let mut known = 0;
        for list in [object.pointer_mut(&format!("/{}/params", kind.subject))].into_iter().flatten() {
            known += assign(list, id, change);
        }
        known += object.get_mut("params").map_or(0, |list| assign(list, id, change));
        if known == 0 {
            return Err(wrong(&format!("there is no parameter `{id}`.")));
        }
    }
    Ok(())
}

/// Takes the values of `change` over into the parameter of that id; says how many there were.
fn assign(list: &mut Value, id: &str, change: &Value) -> usize {
    let named = list.as_array_mut().into_iter().flatten().filter(|p| p.get("id").and_then(Value::as_str) == Some(id));
    let mut found = 0;
    for parameter in named {
        found += 1;
        for name in ["value", "structured_value", "value_error", "structured_error"] {
            if let Some(value) = change.get(name) {
                put(parameter, name, value.clone());
            }
        }
    }
    found
}

fn approve(kind: &Kind, object: &mut Value, body: &Value) {
    let template = body.get("template_id").or_else(|| body.pointer("/template/id")).and_then(Value::as_str);
    if let Some(id) = template {
        put(object, "template", json!({"id": id, "name": "Fulfillment template"}));
    }
    let tile = body.get("activation_tile").and_then(Value::as_str).unwrap_or("Your subscription is ready.");
    put(object, "activation_key", tile.into());
    put(object, "answered", true.into());
    let effective = body.get("effective_date").filter(|date| date.is_string()).cloned();
    put(object, "effective_date", effective.unwrap_or_else(|| time::now().into()));
    let subject = match object.get("type").and_then(Value::as_str) {
        Some("suspend") => "suspended",
        Some("cancel") => "terminated",
        _ => "active",
    };
    put_in(object, kind.subject, "status", subject.into());
}

fn fail(kind: &Kind, object: &mut Value, body: &Value) -> Result<(), Refusal> {
    let reason = body.get("reason").and_then(Value::as_str).filter(|reason| !reason.trim().is_empty());
    put(object, "reason", reason.ok_or_else(|| Refusal::missing("reason"))?.into());
    // A purchase that failed leaves nothing behind; anything else leaves the subscription as it was.
    let subject = match object.get("type").and_then(Value::as_str) {
        Some("purchase") => "terminated",
        Some("resume") => "suspended",
        _ => "active",
    };
    if kind.subject == "asset" {
        put_in(object, kind.subject, "status", subject.into());
    }
    Ok(())
}

fn inquire(kind: &Kind, object: &mut Value, body: &Value) -> Result<(), Refusal> {
    let wrong = |parameter: &Value| {
        let said = |name: &str| parameter.get(name).is_some_and(|e| !e.is_null() && e != "" && *e != json!({}));
        said("value_error") || said("structured_error")
    };
    let lists = [object.pointer(&format!("/{}/params", kind.subject)), object.get("params")];
    if !lists.into_iter().flatten().filter_map(Value::as_array).flatten().any(wrong) {
        return Err(Refusal::state("At least one parameter should be marked as invalid."));
    }
    if let Some(id) = body.get("template_id").and_then(Value::as_str) {
        put(object, "template", json!({"id": id, "name": "Inquiring template"}));
    }
    Ok(())
}

fn put(object: &mut Value, name: &str, value: Value) {
    if let Value::Object(fields) = object {
        fields.insert(name.into(), value);
    }
}

fn put_in(object: &mut Value, part: &str, name: &str, value: Value) {
    if let Some(part) = object.get_mut(part) {
        put(part, name, value);
    }
}

fn stamp(object: &mut Value, event: &str, now: &str) {
    if let Value::Object(fields) = object {
        let events = fields.entry("events").or_insert_with(|| Map::new().into());
        put(events, event, json!({"at": now}));
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::{Action, perform, status};
    use crate::platform::catalogue;
    use crate::platform::rest::requests::{REQUESTS, TIER_CONFIG_REQUESTS};

    fn purchase(status: &str) -> Value {
        let mut object = catalogue::find("asset_purchase_request_processing").unwrap().sample();
        object["status"] = status.into();
        object["asset"]["params"][0]["value_error"] = "Give a mailbox that exists.".into();
        object
    }

    #[rstest]
    #[case(Action::Approve, "pending", Ok("approved"))]
    #[case(Action::Approve, "inquiring", Err("Only pending requests can be approved."))]
    #[case(Action::Approve, "approved", Err("Only pending requests can be approved."))]
    #[case(Action::Fail, "pending", Ok("failed"))]
    #[case(Action::Fail, "approved", Err("Only pending or inquiring requests can be failed."))]
    #[case(Action::Inquire, "pending", Ok("inquiring"))]
    #[case(Action::Inquire, "failed", Err("Only pending requests can be moved to the inquiring status."))]
    #[case(Action::Pend, "inquiring", Ok("pending"))]
    #[case(Action::Pend, "pending", Err("Only inquiring requests can be moved to the pending status."))]
    #[case(Action::Update, "draft", Ok("draft"))]
    #[case(Action::Update, "approved", Err("Only pending, draft or inquiring requests can be updated."))]
    fn a_request_goes_only_where_connect_lets_it(#[case] action: Action, #[case] from: &str, #[case] to: Result<&str, &str>) {
        let mut object = purchase(from);
        let outcome = perform(&REQUESTS, action, &mut object, &json!({"reason": "no"}));
        match to {
            Ok(to) => {
                outcome.unwrap();
                assert_eq!(status(&object), to);
            }
            Err(text) => {
                assert_eq!(outcome.unwrap_err().told(), ("REQ_003", text));
                assert_eq!(object, purchase(from));
            }
        }
    }

    #[rstest]
    #[case("purchase", "active", "terminated")]
    #[case("suspend", "suspended", "active")]
    #[case("resume", "active", "suspended")]
    #[case("cancel", "terminated", "active")]
    #[case("change", "active", "active")]
    fn the_asset_follows_its_request(#[case] kind: &str, #[case] approved: &str, #[case] failed: &str) {
        for (action, expected) in [(Action::Approve, approved), (Action::Fail, failed)] {
            let mut object = purchase("pending");
            object["type"] = kind.into();
            perform(&REQUESTS, action, &mut object, &json!({"reason": "no", "template_id": "TL-1"})).unwrap();
            assert_eq!(object["asset"]["status"], expected);
        }
    }

    #[test]
    fn failing_needs_a_reason() {
        let refusal = perform(&REQUESTS, Action::Fail, &mut purchase("pending"), &Value::Null).unwrap_err();
        assert_eq!(refusal.told(), ("REQ_005", "Missed fields: reason."));
    }

    #[test]
    fn inquiring_needs_a_parameter_that_is_wrong() {
        let mut object = purchase("pending");
        object["asset"]["params"][0]["value_error"] = "".into();
        let refusal = perform(&REQUESTS, Action::Inquire, &mut object, &Value::Null).unwrap_err();
        assert_eq!(refusal.told().0, "REQ_003");
    }

    #[test]
    fn parameters_change_by_id_and_unknown_ones_are_refused() {
        let mut object = purchase("pending");
        let change = json!({"asset": {"params": [{"id": "backup_tenant_id", "value": "fbt-1"}]}, "status": "approved"});
        perform(&REQUESTS, Action::Update, &mut object, &change).unwrap();
        assert_eq!(object["asset"]["params"][3]["value"], "fbt-1");
        assert_eq!(status(&object), "pending");
        let change = json!({"asset": {"params": [{"id": "nope", "value": "1"}]}});
        let refusal = perform(&REQUESTS, Action::Update, &mut object, &change).unwrap_err();
        assert_eq!(refusal.told(), ("VAL_001", "asset.params[0]: there is no parameter `nope`."));
    }

    #[test]
    fn a_tier_configuration_request_takes_its_parameters_on_top() {
        let mut object = catalogue::find("tier_config_setup_request_processing").unwrap().sample();
        let change = json!({"params": [{"id": "reseller_account", "value": "acme"}]});
        perform(&TIER_CONFIG_REQUESTS, Action::Update, &mut object, &change).unwrap();
        assert!(object.to_string().contains("\"acme\""));
    }
}
