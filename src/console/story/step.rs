//! One step whole, and two deliveries side by side.

use super::super::json;
use super::super::state::Pager;
use super::super::text;
use super::super::theme::{Piece, Pieces, Tone};
use crate::sagas::{Change, Difference, DifferenceRow, changes};
use serde_json::Value;

/// Columns each side of a comparison has at least, and those of how long a step took.
const SIDE: usize = 30;
const TOOK: usize = 8;

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

/// The difference of two deliveries, for a window of so many columns: side by side where there is room, otherwise one below
/// the other. What a failed step said is never cut.
pub(crate) fn difference(found: &Difference, columns: usize) -> Pager {
    let names = [format!("#{}", found.a), format!("#{}", found.b)];
    let longest = found.rows.iter().map(|row| text::width(&row.what) + 2 * row.depth).max().unwrap_or(0);
    let steps = longest.clamp(8, (columns / 3).max(8));
    // A mark before, spaces between.
    let side = columns.saturating_sub(steps + 4) / 2;
    let mut lines = Vec::new();
    if side >= SIDE {
        let heading = format!("{}{}{}", text::pad("  STEP", steps + 4), text::pad(&names[0], side), names[1]);
        lines.push(vec![Piece::new(Tone::Dim, heading)]);
        lines.extend(found.rows.iter().flat_map(|row| beside(row, &names, steps, side)));
    } else {
        lines.extend(found.rows.iter().flat_map(|row| below(row, &names)));
    }
    lines.push(Vec::new());
    lines.push(vec![Piece::new(Tone::Strong, "── The request they were given ──")]);
    if found.request.is_empty() {
        lines.push(vec![Piece::new(Tone::Dim, "the same, or not seen")]);
    }
    lines.extend(found.request.iter().flat_map(change));
    let same = found.rows.iter().all(|row| row.same);
    let verdict = if same { "the same but for times" } else { "* marks what differs" };
    let whole = serde_json::to_string_pretty(found).unwrap_or_default();
    Pager::new(format!("{} and {}: {verdict}", names[0], names[1]), lines, whole)
}

/// What a step came to in both, and how long it took.
fn sides(row: &DifferenceRow) -> [(&str, String); 2] {
    [(&row.a, row.micros_a), (&row.b, row.micros_b)]
        .map(|(came_to, micros)| (came_to.as_deref().unwrap_or("— not done"), micros.map(text::duration).unwrap_or_default()))
}

/// The step of a row, with a sign where it differs.
fn name(row: &DifferenceRow) -> (Tone, String) {
    let (tone, mark) = if row.same { (Tone::Plain, " ") } else { (Tone::Warn, "*") };
    (tone, format!("{mark} {}{}", "  ".repeat(row.depth), row.what))
}

/// A row with both sides, and below it whole what had no room.
fn beside(row: &DifferenceRow, names: &[String; 2], steps: usize, side: usize) -> Vec<Pieces> {
    let (tone, step) = name(row);
    let room = side.saturating_sub(TOOK + 3);
    let mut pieces = vec![Piece::new(tone, format!("{}  ", text::pad(&step, steps + 2)))];
    let mut lines = Vec::new();
    for ((came_to, took), name) in sides(row).into_iter().zip(names) {
        pieces.push(Piece::new(tone, format!("{} {}  ", text::pad(came_to, room), text::pad_left(&took, TOOK))));
        if !row.same && text::width(came_to) > room {
            lines.push(vec![Piece::new(Tone::Dim, format!("      {name} ")), Piece::new(tone, came_to)]);
        }
    }
    lines.insert(0, pieces);
    lines
}

/// A row where both sides have no room: the step, and what it came to in each, or once where that is the same.
fn below(row: &DifferenceRow, names: &[String; 2]) -> Vec<Pieces> {
    let (tone, step) = name(row);
    let [a, b] = sides(row);
    if row.same {
        return vec![vec![Piece::new(tone, step), Piece::new(Tone::Dim, format!("  {}", a.0))]];
    }
    let told = |(came_to, took): (&str, String), name: &String| {
        vec![Piece::new(Tone::Dim, format!("    {name} ")), Piece::new(tone, came_to), Piece::new(Tone::Dim, format!("  {took}"))]
    };
    vec![vec![Piece::new(tone, step)], told(a, &names[0]), told(b, &names[1])]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found() -> Difference {
        let row = |what: &str, a: Option<&str>, b: Option<&str>| DifferenceRow {
            what: what.into(),
            depth: 2,
            a: a.map(Into::into),
            b: b.map(Into::into),
            micros_a: Some(75_000),
            micros_b: Some(13_000),
            same: a == b,
        };
        let why = format!("failed: {}", "the vendor is away ".repeat(12));
        let rows = vec![
            row("should_execute SaveRequest", Some("yes"), Some("yes")),
            row("execute SaveRequest", Some("success, 2 store"), Some(&why)),
            row("compensate SaveRequest", None, Some("done")),
        ];
        Difference { a: 3, b: 2, rows, request: Vec::new() }
    }

    #[test]
    fn a_comparison_keeps_to_the_columns_there_are_and_cuts_no_reason() {
        for columns in [40, 56, 80, 116, 196] {
            let pager = difference(&found(), columns);
            let lines: Vec<String> = pager.lines.iter().map(|line| line.iter().map(|p| p.text.as_str()).collect()).collect();
            let table = lines.iter().filter(|line| !line.contains("away the vendor") || line.contains('…'));
            assert!(table.clone().all(|line| text::width(line) <= columns), "{columns}: {lines:#?}");
            assert!(lines.iter().any(|line| line.contains(&"the vendor is away ".repeat(12))), "{columns}: {lines:#?}");
            assert!(lines.iter().any(|line| line.contains("— not done")), "{columns}: {lines:#?}");
        }
    }
}
