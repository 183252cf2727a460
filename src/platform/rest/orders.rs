//! `POST /requests`: orders of assets, and changes of those there are.

use serde_json::{Value, json};

use super::lifecycle::{merge, put};
use super::refusal::Refusal;
use crate::platform::state::Objects;
use crate::platform::{catalogue, ids, template};

/// Makes the request a body asks for; nothing is stored.
pub(crate) fn make(objects: &mut Objects, body: &Value) -> Result<Value, Refusal> {
    match body.get("type").and_then(Value::as_str) {
        Some("purchase") => purchase(objects, body),
        Some(sort @ ("change" | "suspend" | "resume" | "cancel" | "adjustment")) => later(objects, sort, body),
        Some(other) => Err(Refusal::invalid(&format!("type: \"{other}\" is not a valid choice."))),
        None => Err(Refusal::invalid("type: This field is required.")),
    }
}

fn sample(sort: &str) -> Value {
    let event = catalogue::find(&format!("asset_{sort}_request_processing"));
    event.map(catalogue::EventType::sample).unwrap_or_default()
}

fn needed<'a>(body: &'a Value, path: &str) -> Result<&'a str, Refusal> {
    let missing = || Refusal::invalid(&format!("{}: This field is required.", path.trim_start_matches('/').replace('/', ".")));
    body.pointer(path).and_then(Value::as_str).filter(|text| !text.is_empty()).ok_or_else(missing)
}

fn purchase(objects: &mut Objects, body: &Value) -> Result<Value, Refusal> {
    let product_id = needed(body, "/asset/product/id")?;
    let product = objects.get("products", product_id).ok_or_else(|| unknown("asset.product.id", product_id))?;
    let mut request = sample("purchase");
    template::refresh(&mut request);
    for name in ["note", "external_attributes"] {
        if let Some(value) = body.get(name) {
            put(&mut request, name, value.clone());
        }
    }
    let items = ordered_items(objects, product_id, body)?;
    let params = ordered_params(objects, product_id, body)?;
    let complete = params.iter().all(is_complete);
    let marketplace = marketplace(objects, body)?;
    let tiers = tiers(objects, &request, body)?;
    put(&mut request, "marketplace", marketplace.clone());
    let asset = request.get_mut("asset").ok_or_else(|| Refusal::invalid("asset: This field is required."))?;
    put(asset, "product", reference(&product, &["id", "icon", "name", "status"]));
    put(asset, "items", items.into());
    put(asset, "params", params.into());
    put(asset, "tiers", tiers);
    put(asset, "marketplace", marketplace);
    for name in ["external_id", "external_uid"] {
        if let Some(value) = body.pointer(&format!("/asset/{name}")).filter(|value| value.is_string()) {
            put(asset, name, value.clone());
        }
    }
    if let (Some(connection), Some(wanted)) = (asset.get_mut("connection"), body.pointer("/asset/connection")) {
        merge(connection, wanted);
    }
    // A draft is the buyer's; else the platform asks for what is missing before the vendor sees it.
    let draft = body.get("status").is_some_and(|status| status == "draft");
    let status = if draft {
        "draft"
    } else if complete {
        "pending"
    } else {
        "inquiring"
    };
    put(&mut request, "status", status.into());
    Ok(request)
}

fn unknown(field: &str, id: &str) -> Refusal {
    Refusal::invalid(&format!("{field}: there is no {id}."))
}

fn reference(object: &Value, fields: &[&str]) -> Value {
    let field = |name: &&str| Some(((*name).to_owned(), object.get(*name)?.clone()));
    Value::Object(fields.iter().filter_map(field).collect())
}

fn ordered_items(objects: &Objects, product: &str, body: &Value) -> Result<Vec<Value>, Refusal> {
    let known = objects.all(&format!("products/{product}/items"));
    let wanted = body.pointer("/asset/items").and_then(Value::as_array).filter(|items| !items.is_empty());
    let wanted = wanted.ok_or_else(|| Refusal::invalid("asset.items: This field is required."))?;
    let one = |(number, item): (usize, &Value)| {
        let id = ["id", "global_id", "mpn"].into_iter().find_map(|name| item.get(name)?.as_str()).unwrap_or_default();
        let fits = |item: &&Value| ["id", "local_id", "mpn"].into_iter().any(|name| item.get(name).is_some_and(|v| v == id));
        let item_of = known.iter().find(fits).ok_or_else(|| unknown(&format!("asset.items[{number}].id"), id))?;
        let own = |name: &str| item_of.get(name).cloned().unwrap_or_default();
        Ok(json!({
            "id": own("local_id"), "global_id": own("id"), "mpn": own("mpn"), "old_quantity": "0",
            "quantity": quantity(item, number)?, "type": item_of.pointer("/unit/unit"), "display_name": own("display_name"),
            "period": own("period"), "item_type": own("type"),
        }))
    };
    wanted.iter().enumerate().map(one).collect()
}

/// Quantities are texts; numbers are taken too.
fn quantity(item: &Value, number: usize) -> Result<String, Refusal> {
    let wrong = || Refusal::invalid(&format!("asset.items[{number}].quantity: A valid number is required."));
    match item.get("quantity") {
        Some(Value::Number(n)) => Ok(n.to_string()),
        Some(Value::String(text)) if text == "unlimited" || text.parse::<f64>().is_ok_and(|n| n >= 0.0) => Ok(text.clone()),
        _ => Err(wrong()),
    }
}

fn ordered_params(objects: &Objects, product: &str, body: &Value) -> Result<Vec<Value>, Refusal> {
    let given = body.pointer("/asset/params").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut params: Vec<Value> = Vec::new();
    for parameter in objects.all(&format!("products/{product}/parameters")) {
        if parameter.get("scope").is_none_or(|scope| scope != "asset") {
            continue;
        }
        let mut param = reference(&parameter, &["name", "type", "phase", "description", "title", "constraints"]);
        put(&mut param, "id", parameter.get("name").cloned().unwrap_or_default());
        put(&mut param, "value", "".into());
        put(&mut param, "value_error", "".into());
        params.push(param);
    }
    for (number, value) in given.iter().enumerate() {
        let id = value.get("id").and_then(Value::as_str).unwrap_or_default();
        let param = params.iter_mut().find(|param| param.get("id").is_some_and(|own| own == id));
        let param = param.ok_or_else(|| unknown(&format!("asset.params[{number}].id"), id))?;
        for name in ["value", "structured_value"] {
            if let Some(value) = value.get(name) {
                put(param, name, value.clone());
            }
        }
    }
    Ok(params)
}

/// Whether an ordering parameter that must have a value has one.
fn is_complete(param: &Value) -> bool {
    let required = param.pointer("/constraints/required") == Some(&Value::Bool(true));
    let ordering = param.get("phase").is_some_and(|phase| phase == "ordering");
    let empty = param.get("value").is_none_or(|value| value.is_null() || value == "") && param.get("structured_value").is_none();
    !(required && ordering && empty)
}

fn marketplace(objects: &mut Objects, body: &Value) -> Result<Value, Refusal> {
    let id = body.pointer("/marketplace/id").and_then(Value::as_str).unwrap_or("MP-45190");
    let marketplace = objects.get("marketplaces", id).ok_or_else(|| unknown("marketplace.id", id))?;
    Ok(reference(&marketplace, &["id", "name", "icon"]))
}

/// The accounts of the body: those of an id are there already, the others are new.
fn tiers(objects: &mut Objects, request: &Value, body: &Value) -> Result<Value, Refusal> {
    let mut tiers = request.pointer("/asset/tiers").cloned().unwrap_or_default();
    for (role, wanted) in body.pointer("/asset/tiers").and_then(Value::as_object).into_iter().flatten() {
        let account = match wanted.get("id").and_then(Value::as_str) {
            Some(id) => objects.get("tier/accounts", id).ok_or_else(|| unknown(&format!("asset.tiers.{role}.id"), id))?,
            None if wanted.as_object().is_none_or(serde_json::Map::is_empty) => json!({}),
            None => {
                let mut account = tiers.get(role).cloned().unwrap_or_default();
                merge(&mut account, wanted);
                put(&mut account, "id", ids::random("TA", &[4, 4, 4]).into());
                put(&mut account, "version", 1.into());
                account
            }
        };
        put(&mut tiers, role, account);
    }
    Ok(tiers)
}

/// A request for an asset there is.
fn later(objects: &mut Objects, sort: &str, body: &Value) -> Result<Value, Refusal> {
    let asset_id = needed(body, "/asset/id")?;
    let mut asset = objects.get("assets", asset_id).ok_or_else(|| unknown("asset.id", asset_id))?;
    let status = asset.get("status").and_then(Value::as_str).unwrap_or_default().to_owned();
    let fits: &[&str] = match sort {
        "resume" => &["suspended"],
        "cancel" => &["active", "suspended"],
        _ => &["active"],
    };
    if !fits.contains(&status.as_str()) {
        let fits = fits.join(" or ");
        return Err(Refusal::state(&format!("Only {fits} assets can have a {sort} request; {asset_id} is {status}.")));
    }
    let mut request = sample(sort);
    template::refresh(&mut request);
    change_items(&mut asset, sort, body)?;
    let shared = asset_id.trim_start_matches("AS-");
    let prefix = format!("PR-{shared}-");
    let number = objects.last_number("requests", &prefix).saturating_add(1);
    if sort == "cancel" {
        put(&mut asset, "status", "terminating".into());
    }
    for name in ["marketplace", "contract"] {
        if let Some(value) = asset.get(name).cloned() {
            put(&mut request, name, value);
        }
    }
    put(&mut request, "id", format!("{prefix}{number:03}").into());
    put(&mut request, "asset", asset);
    put(&mut request, "note", body.get("note").cloned().unwrap_or_else(|| "".into()));
    put(&mut request, "status", "pending".into());
    if let Some(resource) = super::resources::named("requests") {
        super::lifecycle::parameters(resource, &mut request, body)?;
    }
    Ok(request)
}

fn change_items(asset: &mut Value, sort: &str, body: &Value) -> Result<(), Refusal> {
    let wanted = body.pointer("/asset/items").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if sort == "change" && wanted.is_empty() {
        return Err(Refusal::invalid("asset.items: This field is required."));
    }
    let items = asset.get_mut("items").and_then(Value::as_array_mut).map(Vec::as_mut_slice).unwrap_or_default();
    for item in items.iter_mut() {
        let now = item.get("quantity").cloned().unwrap_or_else(|| "0".into());
        put(item, "old_quantity", now);
        if sort == "cancel" {
            put(item, "quantity", "0".into());
        }
    }
    for (number, change) in wanted.iter().enumerate().filter(|_| sort == "change") {
        let id = ["id", "global_id", "mpn"].into_iter().find_map(|name| change.get(name)?.as_str()).unwrap_or_default();
        let fits = |item: &&mut Value| ["id", "global_id", "mpn"].into_iter().any(|name| item.get(name).is_some_and(|v| v == id));
        let item = items.iter_mut().find(fits).ok_or_else(|| unknown(&format!("asset.items[{number}].id"), id))?;
        put(item, "quantity", quantity(change, number)?.into());
    }
    Ok(())
}
