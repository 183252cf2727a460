use serde_json::Value;

use super::configuration::Configuration;
use super::template::{encoded, substitute};
use crate::connect::{ApiError, Client};
use crate::observe::Body;
use crate::protocol::TaskInput;

/// The object of a background task, as the event definition says: first counted by its filter, then fetched. `None`
/// when it is in none of the statuses the extension asked for.
pub(super) async fn object(
    client: &Client,
    configuration: &Configuration,
    input: &TaskInput,
    statuses: &[String],
) -> Result<Option<Body>, String> {
    let event_type = &input.event_type;
    let definition =
        configuration.definition(event_type).ok_or_else(|| format!("Connect has sent no event definition for {event_type}"))?;
    let id = encoded(&input.object_id);
    let statuses = format!("({})", statuses.join(","));
    let filter = substitute(&definition.api_collection_filter, &[("_object_id_", &id), ("_statuses_", &statuses)])
        .map_err(|e| e.to_string())?;
    let count = client.count(&format!("{}?{filter}", definition.api_collection_endpoint)).await.map_err(|e| e.to_string())?;
    if count == 0 {
        return Ok(None);
    }
    let path = definition.api_resource_endpoint.replace("{pk}", &id);
    let object = client.fetch(&path).await.map_err(|e| e.to_string())?;
    if object.is_some_object() { Ok(Some(object)) } else { Err(format!("GET {path}: the answer holds no object")) }
}

/// The installation a task is for.
pub(super) async fn installation(client: &Client, service_id: &str, id: &str) -> Result<Value, ApiError> {
    client.get(&format!("devops/services/{service_id}/installations/{}", encoded(id))).await
}
