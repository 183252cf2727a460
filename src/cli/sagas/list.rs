use serde::Serialize;

use super::super::events::delivery_cells;
use super::super::output::clock;
use super::super::{CliError, Setting};
use crate::journal::{DeliveryFilter, DeliveryRow, Window};
use crate::observe::Timestamp;

/// A request with a saga.
#[derive(Serialize)]
struct RequestRow {
    object_id: String,
    saga: String,
    event_type: String,
    /// The numbers of its deliveries.
    deliveries: Vec<i64>,
    /// The last one's result.
    result: Option<String>,
    last_at: Timestamp,
    /// Whether anything was injected into one of them.
    injected: bool,
}

pub(super) fn list(setting: &Setting, object_id: Option<String>, limit: usize) -> Result<(), CliError> {
    let output = setting.output;
    let filter = DeliveryFilter { saga: true, object_id, ..DeliveryFilter::default() };
    let rows = setting.reader()?.map(|reader| reader.deliveries(&filter, &Window::newest(limit))).transpose()?;
    let rows = rows.unwrap_or_default();
    let requests = by_request(&rows);
    if output.is_json() {
        return requests.iter().try_for_each(|row| output.object(row));
    }
    if requests.is_empty() {
        return output.line(
            "No sagas. One is traced when a delivery's handler resolves it; `connect-console trigger \
                            asset_purchase_request_processing` makes a delivery.",
        );
    }
    let cells = |row: &RequestRow| {
        let last = rows.iter().rfind(|one| one.object_id == row.object_id);
        let result = last.and_then(|one| delivery_cells(one).into_iter().nth(5)).unwrap_or_default();
        let numbers: Vec<String> = row.deliveries.iter().map(ToString::to_string).collect();
        let injected = if row.injected { "yes" } else { "" };
        vec![row.object_id.clone(), row.saga.clone(), numbers.join(","), clock(row.last_at), result, injected.into()]
    };
    let heading = ["REQUEST", "SAGA", "DELIVERIES", "LAST", "RESULT", "INJECTED"];
    output.table(&heading, &requests.iter().map(cells).collect::<Vec<_>>())
}

/// The requests of these deliveries, the one with the newest delivery last.
fn by_request(rows: &[DeliveryRow]) -> Vec<RequestRow> {
    let mut requests: Vec<RequestRow> = Vec::new();
    for row in rows {
        let known = requests.iter().position(|one| one.object_id == row.object_id && one.event_type == row.event_type);
        let mut request = known.map(|at| requests.remove(at)).unwrap_or_else(|| RequestRow {
            object_id: row.object_id.clone(),
            saga: row.saga.clone().unwrap_or_default(),
            event_type: row.event_type.clone(),
            deliveries: Vec::new(),
            result: None,
            last_at: row.arrived_at,
            injected: false,
        });
        request.deliveries.push(row.id);
        request.result = row.result.clone();
        request.last_at = row.arrived_at;
        request.injected |= row.injected > 0;
        requests.push(request);
    }
    requests
}
