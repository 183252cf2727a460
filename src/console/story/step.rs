//! One step whole, and two deliveries side by side.

use super::super::json;
use super::super::state::Pager;
use super::super::text;
use super::super::theme::{Piece, Pieces, Tone};
use crate::sagas::{Change, Difference, DifferenceRow, changes};
use serde_json::Value;

/// Columns of what a step came to in a comparison.
const CAME_TO: usize = 44;

/// The selected step: what it changed in the request, then everything of it.
pub(crate) fn step(title: String, whole: &Value) -> Pager {
    let part = |name: &str| whole.get(name).filter(|value| !value.is_null());
    let mut lines = Vec::new();
    lines.push(vec![Piece::new(Tone::Strong, "── What it changed in the request ──")]);
    match (part("request_before"), part("request_after")) {
        (Some(before), Some(after)) => lines.extend(changes(before, after).iter().flat_map(change)),
        (Some(_), None) => lines.push(vec![Piece::new(Tone::Dim, "nothing")]),
        (None, _) => {
            lines.push(vec![Piece::new(Tone::Dim, "it was not watched in this step; the step around it has the request")])
        }
    }
    lines.push(Vec::new());
    lines.push(vec![Piece::new(Tone::Strong, "── The step ──")]);
    lines.extend(json::lines(whole));
    Pager::new(title, lines, json::pretty(whole))
}

/// A change as lines: what was there in red, what is there now in green, with signs for those who see no colours.
fn change(Change { path, before, after }: &Change) -> Vec<Pieces> {
    let mut lines = vec![vec![Piece::new(Tone::Key, path)]];
    let mut add = |sign: &str, tone: Tone, value: &Value| {
        let text = json::pretty(value);
        lines.extend(text.lines().map(|line| vec![Piece::new(tone, format!("  {sign} {line}"))]));
    };
    if let Some(before) = before {
        add("-", Tone::Bad, before);
    }
    if let Some(after) = after {
        add("+", Tone::Good, after);
    }
    lines
}

/// The difference of two deliveries.
pub(crate) fn difference(found: &Difference) -> Pager {
    let (a, b) = (format!("#{}", found.a), format!("#{}", found.b));
    let names = found.rows.iter().map(|row| text::width(&row.what) + 2 * row.depth).max().unwrap_or(0).clamp(8, 44) + 2;
    let heading = format!("{}{}{}", text::pad("  STEP", names + 2), text::pad(&a, CAME_TO + 10), b);
    let mut lines = vec![vec![Piece::new(Tone::Dim, heading)]];
    lines.extend(found.rows.iter().map(|row| compared(row, names)));
    lines.push(Vec::new());
    lines.push(vec![Piece::new(Tone::Strong, "── The request they were given ──")]);
    if found.request.is_empty() {
        lines.push(vec![Piece::new(Tone::Dim, "the same, or not seen")]);
    }
    lines.extend(found.request.iter().flat_map(change));
    let same = found.rows.iter().all(|row| row.same);
    let verdict = if same { "the same but for times" } else { "* marks what differs" };
    let whole = serde_json::to_string_pretty(found).unwrap_or_default();
    Pager::new(format!("{a} and {b}: {verdict}"), lines, whole)
}

fn compared(row: &DifferenceRow, names: usize) -> Pieces {
    let side = |text: &Option<String>, micros: Option<u64>| {
        let came_to = text.as_deref().unwrap_or("— not done");
        let took = micros.map(text::duration).unwrap_or_default();
        format!("{} {} ", text::pad(came_to, CAME_TO - 1), text::pad_left(&took, 8))
    };
    let tone = if row.same { Tone::Plain } else { Tone::Warn };
    let mark = if row.same { "  " } else { "* " };
    vec![
        Piece::new(tone, mark),
        Piece::new(tone, text::pad(&format!("{}{}", "  ".repeat(row.depth), row.what), names)),
        Piece::new(tone, side(&row.a, row.micros_a)),
        Piece::new(tone, side(&row.b, row.micros_b)),
    ]
}
