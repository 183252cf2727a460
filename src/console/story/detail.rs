use serde_json::Value;

use super::super::json;
use super::super::state::{Pager, State};
use super::super::text;
use super::super::theme::{Piece, Pieces, Tone};
use crate::observe::Fact;

fn of_json(title: String, value: &Value) -> Pager {
    Pager::new(title, json::lines(value), json::pretty(value))
}

/// The selected document, whole.
pub(crate) fn document(state: &State) -> Option<Pager> {
    let document = state.storage.selected()?;
    let id = document.get("_id").map(|id| id.as_str().map_or_else(|| json::line(id), str::to_owned)).unwrap_or_default();
    let collection = state.storage.collection.as_deref().unwrap_or_default();
    Some(of_json(format!("{}.{collection} {id} ({})", state.storage.database, state.storage.backend), document))
}

/// The selected log line, whole.
pub(crate) fn log_line(state: &State) -> Option<Pager> {
    let row = state.logs.selected()?;
    let lines = row.message.lines().map(|line| vec![Piece::new(super::level(row.level), line)]).collect();
    let time = text::time(row.at, &state.zone, "%F %T%.6f");
    Some(Pager::new(format!("{} {} {time}", row.level, row.target), lines, row.message.clone()))
}

/// What the selected line of the trace has to show.
pub(crate) fn line_detail(state: &State) -> Option<Pager> {
    let line = state.trace.selected()?;
    let title: String = line.pieces.iter().map(|p| p.text.as_str()).collect();
    let detail = json::relaxed(line.detail.as_ref()?);
    Some(if line.step.is_some() { super::step::step(title, &detail) } else { of_json(title, &detail) })
}

/// The selected line of the trace, as text.
pub(crate) fn copied_line(state: &State) -> Option<String> {
    Some(state.trace.selected()?.pieces.iter().map(|p| p.text.as_str()).collect())
}

/// Everything about the selected delivery: the task, the object, each API exchange and store call, the result.
pub(crate) fn detail(state: &State) -> Option<Pager> {
    let delivery = state.events.selected()?;
    if state.trace.delivery.as_ref().map(|d| d.id) != Some(delivery.id) {
        return None;
    }
    let mut lines = Vec::new();
    heading(&mut lines, "Delivery");
    let mut summary = serde_json::to_value(delivery).unwrap_or_default();
    if let Some(arrived) = summary.get_mut("arrived_at") {
        *arrived = text::time(delivery.arrived_at, &state.zone, "%FT%T%.6f%:z").into();
    }
    lines.extend(json::lines(&summary));
    for row in &state.trace.rows {
        match &row.observation.fact {
            Fact::TaskArrived(task) => section(&mut lines, "Task", &task.task),
            Fact::ObjectFetched { object } => section(&mut lines, "Object as it was fetched", object),
            Fact::ApiCall(call) => section(&mut lines, "API call", &serde_json::to_value(call).unwrap_or_default()),
            Fact::StoreCall(call) => {
                section(&mut lines, "Store call", &json::relaxed(&serde_json::to_value(call).unwrap_or_default()));
            }
            Fact::Answered(answer) => section(&mut lines, "Result", &serde_json::to_value(answer).unwrap_or_default()),
            _ => {}
        }
    }
    let title = format!("#{} {} {}", delivery.id, delivery.event_type, delivery.object_id);
    let whole = lines.iter().map(|line| line.iter().map(|p| p.text.as_str()).collect::<String>() + "\n").collect();
    Some(Pager::new(title, lines, whole))
}

fn heading(lines: &mut Vec<Pieces>, title: &str) {
    if !lines.is_empty() {
        lines.push(Vec::new());
    }
    lines.push(vec![Piece::new(Tone::Strong, format!("── {title} ──"))]);
}

fn section(lines: &mut Vec<Pieces>, title: &str, value: &Value) {
    heading(lines, title);
    lines.extend(json::lines(value));
}
