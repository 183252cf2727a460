//! From a document to the deliveries that wrote it.

use serde_json::Value;

use super::super::{StoreReply, WorkbenchError, WriterRow};
use crate::journal::{DeliveryFilter, DeliveryRow, Journal, Window};
use crate::storage::Namespace;

/// How many deliveries are told.
const MOST: usize = 100;

pub(super) fn writers(journal: &Journal, at: &Namespace, document: &Value) -> Result<StoreReply, WorkbenchError> {
    let failed = |e: crate::journal::JournalError| WorkbenchError::Failed(e.to_string());
    let reader = journal.reader().map_err(failed)?;
    let row = |delivery: DeliveryRow, operation: Option<String>| WriterRow {
        delivery: delivery.id,
        event_type: delivery.event_type,
        object_id: delivery.object_id,
        operation,
        at: delivery.arrived_at,
    };
    let id = document.get("_id").cloned().unwrap_or_default();
    let mut writers = Vec::new();
    for write in reader.writes_of(&at.database, &at.collection, &id).map_err(failed)? {
        if let Some(delivery) = reader.delivery(write.delivery).map_err(failed)? {
            writers.push(row(delivery, Some(write.operation)));
        }
    }
    // Whoever writes without our stores (a Python extension) is known by the request the document is about.
    if let (true, Some(object)) = (writers.is_empty(), document.get("id").and_then(Value::as_str)) {
        let filter = DeliveryFilter { object_id: Some(object.to_owned()), ..DeliveryFilter::default() };
        let deliveries = reader.deliveries(&filter, &Window::newest(MOST)).map_err(failed)?;
        writers.extend(deliveries.into_iter().map(|delivery| row(delivery, None)));
    }
    Ok(StoreReply::Writers { writers })
}
