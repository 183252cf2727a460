use serde_json::Value;

use super::super::json;
use super::super::state::{Pager, Side, State, differing};
use super::super::text;
use super::super::theme::{Piece, Tone};

fn of_json(title: String, value: &Value) -> Pager {
    Pager::new(title, json::lines(value), json::pretty(value))
}

/// The selected pair of documents, whole: what differs, or the document where nothing does.
fn pair(side: &Side) -> Option<Pager> {
    let (compared, row) = (side.compared.as_ref()?, side.selected()?);
    let wide = text::width(&compared.left).max(text::width(&compared.right));
    let mut lines = Vec::new();
    for (path, left, right) in differing(row) {
        lines.push(vec![Piece::new(Tone::Key, path)]);
        for (title, value) in [(&compared.left, left), (&compared.right, right)] {
            let shown = value.map(|value| json::line(&json::relaxed(value)));
            lines.push(vec![
                Piece::new(Tone::Dim, format!("  {}  ", text::pad(title, wide))),
                Piece::new(if shown.is_some() { Tone::Plain } else { Tone::Dim }, shown.as_deref().unwrap_or("(not there)")),
            ]);
        }
    }
    if let Some(same) = row.left.as_ref().filter(|_| row.is_same()) {
        lines.push(vec![Piece::new(Tone::Good, "the same on both sides")]);
        lines.extend(json::lines(&json::relaxed(same)));
    }
    let whole = serde_json::to_value(row).map(|row| json::pretty(&row)).unwrap_or_default();
    Some(Pager::new(format!("{} {}", compared.key, json::line(&json::relaxed(&row.key))), lines, whole))
}

/// The selected document, whole; where both backends stand beside each other, the selected pair.
pub(crate) fn document(state: &State) -> Option<Pager> {
    if let Some(side) = &state.storage.side {
        return pair(side);
    }
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
