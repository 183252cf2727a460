//! What is done with an object, and what it does to the object. No I/O.

use serde_json::{Map, Value, json};

use super::refusal::Refusal;
use super::resources::{Resource, Update};
use super::verbs::{Step, Verb};
use crate::platform::time;

/// The statuses in which parameters of a request can be changed.
const OPEN: &[&str] = &["pending", "draft", "inquiring"];

/// The status of an object.
pub(crate) fn status<'a>(resource: &Resource, object: &'a Value) -> &'a str {
    object.get(resource.field).and_then(Value::as_str).unwrap_or_default()
}

/// Carries `verb` out on `object`, or leaves it as it was.
pub(crate) fn perform(resource: &Resource, verb: &Verb, object: &mut Value, body: &Value) -> Result<(), Refusal> {
    if !verb.from.is_empty() && !verb.from.contains(&status(resource, object)) {
        return Err(Refusal::state(&wrong_status(resource, verb)));
    }
    let mut changed = object.clone();
    match verb.step {
        Step::Plain => {}
        Step::Approve => approve(resource, &mut changed, body),
        Step::Fail => {
            need(&mut changed, body, "reason")?;
            let before = outcome_of_failure(&changed);
            put_in(&mut changed, resource.subject, "status", before.into());
        }
        Step::Inquire => inquire(resource, &mut changed, body)?,
        Step::Assign => assign(&mut changed, body)?,
        Step::Unassign => put(&mut changed, "assignee", Value::Null),
        Step::Schedule => {
            need(&mut changed, body, "planned_date")?;
            let planned = changed.get("planned_date").and_then(Value::as_str).and_then(time::parse);
            planned.ok_or_else(|| Refusal::invalid("planned_date: not a date and time of ISO 8601."))?;
        }
        Step::Needs(field) => need(&mut changed, body, field)?,
        Step::Takes(fields) => {
            for field in fields {
                if let Some(value) = body.get(*field) {
                    put(&mut changed, field, value.clone());
                }
            }
        }
        Step::List => {
            let listed = if changed.get("type").is_some_and(|sort| sort == "remove") { "unlisted" } else { "listed" };
            put_in(&mut changed, Some("listing"), "status", listed.into());
            put_in(&mut changed, Some("listing"), "pending_request", Value::Null);
        }
    }
    if verb.to == Some("revoked") {
        let before = outcome_of_failure(&changed);
        put_in(&mut changed, resource.subject, "status", before.into());
    }
    touch(resource, &mut changed, verb.to);
    *object = changed;
    Ok(())
}

fn wrong_status(resource: &Resource, verb: &Verb) -> String {
    let objects = match resource.subject {
        Some(_) => "requests".to_owned(),
        None => resource.path.rsplit('/').next().unwrap_or_default().replace('-', " "),
    };
    let done = match verb.name {
        "approve" => "approved",
        "fail" => "failed",
        "inquire" => "moved to the inquiring status",
        "pend" => "moved to the pending status",
        name => return format!("Only {} {objects} offer `{name}`.", verb.from.join(" or ")),
    };
    format!("Only {} {objects} can be {done}.", verb.from.join(" or "))
}

/// Writes a new status, if there is one, and when all this was.
pub(crate) fn touch(resource: &Resource, object: &mut Value, status: Option<&str>) {
    let now = time::now();
    if let Some(status) = status {
        put(object, resource.field, status.into());
        let event = match status {
            "inquiring" => "inquired",
            "pending" => "pended",
            status => status,
        };
        stamp(object, event, &now);
    }
    if object.get("updated").is_some() {
        put(object, "updated", now.as_str().into());
    }
    stamp(object, "updated", &now);
    if let Some(subject) = resource.subject.and_then(|subject| object.get_mut(subject)) {
        stamp(subject, "updated", &now);
    }
}

/// `PUT`: changes what the collection lets change.
pub(crate) fn update(resource: &Resource, object: &mut Value, body: &Value) -> Result<(), Refusal> {
    let mut changed = object.clone();
    match resource.update {
        Update::No => return Err(Refusal::method()),
        Update::Parameters => {
            if !OPEN.contains(&status(resource, object)) {
                return Err(Refusal::state("Only pending, draft or inquiring requests can be updated."));
            }
            parameters(resource, &mut changed, body)?;
        }
        Update::Fields => {
            let fields = body.as_object().ok_or_else(|| Refusal::invalid("The body must be an object."))?;
            let kept = ["id", resource.field, "events", "created", "updated"];
            for (name, value) in fields.iter().filter(|(name, _)| !kept.contains(&name.as_str())) {
                put(&mut changed, name, value.clone());
            }
        }
    }
    touch(resource, &mut changed, None);
    *object = changed;
    Ok(())
}

/// Changes the parameters named in the body; everything else in it is ignored, as Connect does.
pub(crate) fn parameters(resource: &Resource, object: &mut Value, body: &Value) -> Result<(), Refusal> {
    let subject = resource.subject.unwrap_or_default();
    // Asset requests: `{"asset": {"params": [...]}}`; tier configuration requests: `{"params": [...]}`.
    let inside = body.get(subject).and_then(|s| s.get("params"));
    let field = if inside.is_some() { format!("{subject}.params") } else { "params".to_owned() };
    let wanted = match inside.or_else(|| body.get("params")) {
        Some(Value::Array(wanted)) => wanted,
        Some(_) => return Err(Refusal::invalid(&format!("{field}: Expected a list of items."))),
        None => return Ok(()),
    };
    for (number, change) in wanted.iter().enumerate() {
        let wrong = |reason: &str| Refusal::invalid(&format!("{field}[{number}]: {reason}"));
        let id = change.get("id").and_then(Value::as_str).ok_or_else(|| wrong("the id of the parameter is missing."))?;
        let of_subject = object.pointer_mut(&format!("/{subject}/params")).map_or(0, |list| assign_values(list, id, change));
        let own = object.get_mut("params").map_or(0, |list| assign_values(list, id, change));
        if of_subject + own == 0 {
            return Err(wrong(&format!("there is no parameter `{id}`.")));
        }
    }
    Ok(())
}

/// Takes the values of `change` over into the parameter of that id; says how many there were.
fn assign_values(list: &mut Value, id: &str, change: &Value) -> usize {
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

fn approve(resource: &Resource, object: &mut Value, body: &Value) {
    let template = body.get("template_id").or_else(|| body.pointer("/template/id")).and_then(Value::as_str);
    if let Some(id) = template {
        put(object, "template", json!({"id": id, "name": "Fulfillment template"}));
    }
    if resource.path == "requests" {
        let tile = body.get("activation_tile").and_then(Value::as_str).unwrap_or("Your subscription is ready.");
        put(object, "activation_key", tile.into());
        put(object, "answered", true.into());
    }
    let effective = body.get("effective_date").or_else(|| body.pointer("/template/effective_date"));
    let effective = effective.filter(|date| date.is_string()).cloned();
    put(object, "effective_date", effective.unwrap_or_else(|| time::now().into()));
    if let (Some(asset), Some(next)) = (object.get_mut("asset"), body.pointer("/asset/billing/next_date")) {
        merge(asset, &json!({"billing": {"next_date": next}}));
    }
    let subject = match object.get("type").and_then(Value::as_str) {
        Some("suspend") => "suspended",
        Some("cancel") => "terminated",
        _ => "active",
    };
    put_in(object, resource.subject, "status", subject.into());
}

/// How the subject is after its request came to nothing: a purchase leaves nothing behind, anything else leaves it as it
/// was.
fn outcome_of_failure(object: &Value) -> &'static str {
    match object.get("type").and_then(Value::as_str) {
        Some("purchase") => "terminated",
        Some("resume") => "suspended",
        Some("setup") => "processing",
        _ => "active",
    }
}

fn need(object: &mut Value, body: &Value, field: &str) -> Result<(), Refusal> {
    let text = body.get(field).and_then(Value::as_str).filter(|text| !text.trim().is_empty());
    put(object, field, text.ok_or_else(|| Refusal::missing(field))?.into());
    Ok(())
}

fn assign(object: &mut Value, body: &Value) -> Result<(), Refusal> {
    let text = |name: &str| body.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let (id, email) = (text("id"), text("email"));
    if id.is_none() && email.is_none() {
        return Err(Refusal::missing("id or email"));
    }
    let id = id.unwrap_or("UR-118-640-235");
    put(object, "assignee", json!({"id": id, "name": email.unwrap_or(id), "email": email}));
    Ok(())
}

fn inquire(resource: &Resource, object: &mut Value, body: &Value) -> Result<(), Refusal> {
    let wrong = |parameter: &Value| {
        let said = |name: &str| parameter.get(name).is_some_and(|e| !e.is_null() && e != "" && *e != json!({}));
        said("value_error") || said("structured_error")
    };
    let subject = resource.subject.unwrap_or_default();
    let lists = [object.pointer(&format!("/{subject}/params")), object.get("params")];
    if !lists.into_iter().flatten().filter_map(Value::as_array).flatten().any(wrong) {
        return Err(Refusal::state("At least one parameter should be marked as invalid."));
    }
    if let Some(id) = body.get("template_id").and_then(Value::as_str) {
        put(object, "template", json!({"id": id, "name": "Inquiring template"}));
    }
    Ok(())
}

/// Puts the fields of `with` over those of `object`, objects inside it likewise.
pub(crate) fn merge(object: &mut Value, with: &Value) {
    match (object, with) {
        (Value::Object(fields), Value::Object(with)) => {
            for (name, value) in with {
                merge(fields.entry(name.clone()).or_insert(Value::Null), value);
            }
        }
        (object, with) => *object = with.clone(),
    }
}

/// Sets a field of an object.
pub(crate) fn put(object: &mut Value, name: &str, value: Value) {
    if let Value::Object(fields) = object {
        fields.insert(name.into(), value);
    }
}

fn put_in(object: &mut Value, part: Option<&str>, name: &str, value: Value) {
    if let Some(part) = part.and_then(|part| object.get_mut(part)) {
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

    use super::{perform, status, update};
    use crate::platform::catalogue;
    use crate::platform::rest::refusal::Refusal;
    use crate::platform::rest::resources::{RESOURCES, named};

    fn purchase(status: &str) -> Value {
        let mut object = catalogue::find("asset_purchase_request_processing").unwrap().sample();
        object["status"] = status.into();
        object["asset"]["params"][0]["value_error"] = "Give a mailbox that exists.".into();
        object
    }

    fn run(path: &str, verb: &str, object: &mut Value, body: &Value) -> Result<(), Refusal> {
        let resource = named(path).unwrap();
        perform(resource, resource.verbs.iter().find(|v| v.name == verb).unwrap(), object, body)
    }

    #[rstest]
    #[case("approve", "pending", Ok("approved"))]
    #[case("approve", "inquiring", Err("Only pending requests can be approved."))]
    #[case("approve", "approved", Err("Only pending requests can be approved."))]
    #[case("fail", "pending", Ok("failed"))]
    #[case("fail", "approved", Err("Only pending or inquiring requests can be failed."))]
    #[case("inquire", "pending", Ok("inquiring"))]
    #[case("inquire", "failed", Err("Only pending requests can be moved to the inquiring status."))]
    #[case("pend", "inquiring", Ok("pending"))]
    #[case("pend", "pending", Err("Only inquiring requests can be moved to the pending status."))]
    #[case("purchase", "draft", Ok("pending"))]
    #[case("schedule", "pending", Ok("scheduled"))]
    #[case("revoke", "scheduled", Ok("revoking"))]
    #[case("revoke", "pending", Err("Only scheduled requests offer `revoke`."))]
    #[case("confirm", "revoking", Ok("revoked"))]
    #[case("assign", "approved", Ok("approved"))]
    fn a_request_goes_only_where_connect_lets_it(#[case] verb: &str, #[case] from: &str, #[case] to: Result<&str, &str>) {
        let mut object = purchase(from);
        let body = json!({"reason": "no", "planned_date": "2031-01-01T00:00:00+00:00", "id": "UR-1"});
        let outcome = run("requests", verb, &mut object, &body);
        match to {
            Ok(to) => {
                outcome.unwrap();
                assert_eq!(object["status"], to);
            }
            Err(text) => {
                assert_eq!(outcome.unwrap_err().told(), ("REQ_003", text));
                assert_eq!(object, purchase(from));
            }
        }
    }

    #[test]
    fn every_verb_is_refused_in_a_status_it_is_not_for_and_leads_to_its_own() {
        for resource in RESOURCES {
            for verb in resource.verbs {
                let mut object = json!({"id": "X-1", resource.field: "nowhere", "params": [{"id": "p", "value_error": "bad"}]});
                let body = json!({"reason": "r", "id": "UR-1", "planned_date": "2031-01-01", "acceptance_note": "a", "rejection_note": "b"});
                if !verb.from.is_empty() {
                    assert_eq!(perform(resource, verb, &mut object, &body).unwrap_err().told().0, "REQ_003");
                }
                for from in verb.from {
                    object[resource.field] = (*from).into();
                    perform(resource, verb, &mut object, &body).unwrap();
                    assert_eq!(Some(status(resource, &object)), verb.to, "{} {}", resource.path, verb.name);
                }
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
        for (verb, expected) in [("approve", approved), ("fail", failed)] {
            let mut object = purchase("pending");
            object["type"] = kind.into();
            run("requests", verb, &mut object, &json!({"reason": "no", "template_id": "TL-1"})).unwrap();
            assert_eq!(object["asset"]["status"], expected);
        }
    }

    #[rstest]
    #[case("fail", "pending", "reason")]
    #[case("revoke", "scheduled", "reason")]
    #[case("schedule", "pending", "planned_date")]
    #[case("assign", "pending", "id or email")]
    fn what_a_verb_needs_is_asked_for(#[case] verb: &str, #[case] from: &str, #[case] field: &str) {
        let refusal = run("requests", verb, &mut purchase(from), &Value::Null).unwrap_err();
        assert_eq!(refusal.told(), ("REQ_005", format!("Missed fields: {field}.").as_str()));
    }

    #[test]
    fn inquiring_needs_a_parameter_that_is_wrong() {
        let mut object = purchase("pending");
        object["asset"]["params"][0]["value_error"] = "".into();
        assert_eq!(run("requests", "inquire", &mut object, &Value::Null).unwrap_err().told().0, "REQ_003");
    }

    #[test]
    fn parameters_change_by_id_and_unknown_ones_are_refused() {
        let mut object = purchase("pending");
        let requests = named("requests").unwrap();
        let change = json!({"asset": {"params": [{"id": "backup_tenant_id", "value": "fbt-1"}]}, "status": "approved"});
        update(requests, &mut object, &change).unwrap();
        assert_eq!(object["asset"]["params"][3]["value"], "fbt-1");
        assert_eq!(object["status"], "pending");
        let change = json!({"asset": {"params": [{"id": "nope", "value": "1"}]}});
        let refusal = update(requests, &mut object, &change).unwrap_err();
        assert_eq!(refusal.told(), ("VAL_001", "asset.params[0]: there is no parameter `nope`."));
        for (change, told) in [
            (json!({"asset": {"params": {"id": "nope"}}}), "asset.params: Expected a list of items."),
            (json!({"params": "nope"}), "params: Expected a list of items."),
        ] {
            assert_eq!(update(requests, &mut object, &change).unwrap_err().told(), ("VAL_001", told));
        }
        object["status"] = "approved".into();
        assert_eq!(update(requests, &mut object, &json!({})).unwrap_err().told().0, "REQ_003");
    }

    #[test]
    fn a_tier_configuration_request_takes_its_parameters_on_top() {
        let mut object = catalogue::find("tier_config_setup_request_processing").unwrap().sample();
        let change = json!({"params": [{"id": "reseller_account", "value": "acme"}]});
        update(named("tier/config-requests").unwrap(), &mut object, &change).unwrap();
        assert!(object.to_string().contains("\"acme\""));
    }

    #[test]
    fn a_completed_listing_request_lists_or_unlists() {
        for (sort, expected) in [("new", "listed"), ("remove", "unlisted")] {
            let mut object = catalogue::find(&format!("listing_{sort}_request_processing")).unwrap().sample();
            object["state"] = "deploying".into();
            run("listing-requests", "complete", &mut object, &Value::Null).unwrap();
            assert_eq!((&object["state"], &object["listing"]["status"]), (&json!("completed"), &json!(expected)));
        }
    }
}
