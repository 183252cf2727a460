//! One step of a scenario: a request is moved, or something of its asset is ordered, over the API as its vendor or buyer
//! would do it.

use serde_json::{Value, json};

use super::bench::{Workbench, usage};
use super::{Reply, ScenarioAct, WorkbenchError};
use crate::connect::{ApiError, Client, ClientBuilder};
use crate::observe::Fact;

impl Workbench {
    pub(super) async fn act(&self, act: ScenarioAct) -> Result<Reply, WorkbenchError> {
        let access = self.local()?.platform.access().clone();
        let base = format!("http://{}/public/v1", access.server_address);
        let client = ClientBuilder::new(base, access.api_key).build().map_err(|e| usage(&e))?;
        self.flush().await?;
        let before = self.journal_reader()?.last_row().map_err(|e| WorkbenchError::Failed(e.to_string()))?;
        let refused = |e: ApiError| WorkbenchError::Failed(e.to_string());
        let changed = match (&act.act, &act.order) {
            (Some(name), _) => moved(&client, &act, name).await.map_err(refused)?,
            (None, Some(sort)) => ordered(&client, &act, sort).await.map_err(refused)?,
            (None, None) => return Err(WorkbenchError::Usage("a step moves a request or orders something".into())),
        };
        let object = changed.get("id").and_then(Value::as_str).unwrap_or(&act.object).to_owned();
        self.flush().await?;
        let rows = self.journal_reader()?.after(before, 1_000).map_err(|e| WorkbenchError::Failed(e.to_string()))?;
        let task_id = rows.into_iter().find_map(|row| match row.observation.fact {
            Fact::TaskQueued { task_id, object_id, .. } if object_id == object => Some(task_id),
            _ => None,
        });
        Ok(Reply::Acted { object, task_id })
    }
}

/// `approve`, `fail`, `inquire`, `pend`, or any other action of requests.
async fn moved(client: &Client, act: &ScenarioAct, name: &str) -> Result<Value, ApiError> {
    let request = format!("requests/{}", act.object);
    let mut body = act.body.clone().unwrap_or_else(|| json!({}));
    match name {
        "fail" if body.get("reason").is_none() => merge(&mut body, "reason", "The scenario says so.".into()),
        "inquire" => mark_a_parameter(client, &request).await?,
        "approve" if body.get("template_id").is_none() => {
            let object = client.get(&request).await?;
            let product = object.pointer("/asset/product/id").and_then(Value::as_str).unwrap_or_default();
            let templates = client.get(&format!("products/{product}/templates")).await?;
            let fits = |t: &&Value| t.get("scope") == Some(&json!("asset")) && t.get("type") == Some(&json!("fulfillment"));
            let template = templates.as_array().and_then(|all| all.iter().find(fits)).and_then(|t| t.get("id")).cloned();
            template.into_iter().for_each(|id| merge(&mut body, "template_id", id));
        }
        _ => {}
    }
    client.post(&format!("{request}/{name}"), Some(&body)).await
}

/// A request is only inquired about where a parameter is marked as wrong.
async fn mark_a_parameter(client: &Client, request: &str) -> Result<(), ApiError> {
    let object = client.get(request).await?;
    let first = object.pointer("/asset/params/0/id").cloned().unwrap_or_default();
    let params = json!([{"id": first, "value_error": "The scenario asks for another value."}]);
    client.put(request, &json!({"asset": {"params": params}})).await.map(|_| ())
}

/// `change`, `cancel`, `suspend`, `resume`, `adjustment` of the asset of a request.
async fn ordered(client: &Client, act: &ScenarioAct, sort: &str) -> Result<Value, ApiError> {
    let object = client.get(&format!("requests/{}", act.object)).await?;
    let asset = object.pointer("/asset/id").cloned().unwrap_or_default();
    let mut body = act.body.clone().unwrap_or_else(|| json!({}));
    merge(&mut body, "type", sort.into());
    if body.get("asset").is_none() {
        merge(&mut body, "asset", json!({}));
    }
    if let Some(part) = body.get_mut("asset") {
        merge(part, "id", asset);
        if sort == "change" && part.get("items").is_none() {
            // Ten more of the first item, or of what there is.
            let item = object.pointer("/asset/items/0").cloned().unwrap_or_default();
            let now: i64 = item.get("quantity").and_then(Value::as_str).and_then(|q| q.parse().ok()).unwrap_or(0);
            let id = item.get("id").cloned().unwrap_or_default();
            merge(part, "items", json!([{"id": id, "quantity": (now + 10).to_string()}]));
        }
    }
    client.post("requests", Some(&body)).await
}

fn merge(object: &mut Value, name: &str, value: Value) {
    if let Some(fields) = object.as_object_mut() {
        fields.insert(name.into(), value);
    }
}
