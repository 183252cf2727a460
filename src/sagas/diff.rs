use std::collections::HashMap;

use serde::Serialize;

use super::{Change, StepTrace, Trace, changes};
use crate::observe::{Fact, StepKind, StepOutcome};

/// How two deliveries differ, step by step.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// The first.
    pub a: i64,
    /// The second.
    pub b: i64,
    /// Result, steps and calls, in the order of the first; what only the second has comes where it happened there.
    pub rows: Vec<DifferenceRow>,
    /// In what the request they were given differs.
    pub request: Vec<Change>,
}

/// One line of a comparison.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DifferenceRow {
    /// What is compared.
    pub what: String,
    /// How deep it lies.
    pub depth: usize,
    /// What it came to in the first; `None` where it was not done.
    pub a: Option<String>,
    /// What it came to in the second.
    pub b: Option<String>,
    /// How long it took in the first, in microseconds.
    pub micros_a: Option<u64>,
    /// How long in the second.
    pub micros_b: Option<u64>,
    /// Whether both came to the same; times apart.
    pub same: bool,
}

/// What is compared of one step, and who it is: steps of one sort and name are paired in their order.
struct Item<'a> {
    key: (StepKind, &'a str, usize),
    step: &'a StepTrace,
}

/// Compares two deliveries.
#[must_use]
pub fn difference(a: &Trace, b: &Trace) -> Difference {
    let (left, right) = (items(a), items(b));
    let mut rows = vec![overall(a, b)];
    let mut next = 0;
    for item in &left {
        let other = right.iter().position(|one| one.key == item.key);
        if let Some(at) = other {
            // What the second did before, and the first never.
            rows.extend(
                right.get(next..at).unwrap_or_default().iter().filter(|one| lacks(&left, one)).map(|one| row(None, Some(one))),
            );
            next = next.max(at + 1);
        }
        rows.push(row(Some(item), other.and_then(|at| right.get(at))));
    }
    rows.extend(right.get(next..).unwrap_or_default().iter().filter(|one| lacks(&left, one)).map(|one| row(None, Some(one))));
    let given = |trace: &Trace| trace.steps.iter().find_map(|step| step.request.clone());
    let request = match (given(a), given(b)) {
        (Some(one), Some(other)) => changes(&one, &other),
        _ => Vec::new(),
    };
    Difference { a: a.delivery.id, b: b.delivery.id, rows, request }
}

fn lacks(items: &[Item<'_>], wanted: &Item<'_>) -> bool {
    items.iter().all(|one| one.key != wanted.key)
}

fn items(trace: &Trace) -> Vec<Item<'_>> {
    let mut seen: HashMap<(StepKind, &str), usize> = HashMap::new();
    let mut items = Vec::new();
    for step in &trace.steps {
        let nth = seen.entry((step.step_kind, step.name.as_str())).or_default();
        *nth += 1;
        items.push(Item { key: (step.step_kind, step.name.as_str(), *nth), step });
    }
    items
}

fn overall(a: &Trace, b: &Trace) -> DifferenceRow {
    let result = |trace: &Trace| trace.delivery.result.clone().unwrap_or_else(|| "no result".into());
    let (one, other) = (result(a), result(b));
    let same = one == other;
    let (micros_a, micros_b) = (a.delivery.micros, b.delivery.micros);
    DifferenceRow { what: "result".into(), depth: 0, a: Some(one), b: Some(other), micros_a, micros_b, same }
}

fn row(a: Option<&Item<'_>>, b: Option<&Item<'_>>) -> DifferenceRow {
    let step = a.or(b).map(|item| item.step);
    let what = step.map(|step| format!("{} {}", step.step_kind, step.name)).unwrap_or_default();
    let (one, other) = (a.map(|item| came_to(item.step)), b.map(|item| came_to(item.step)));
    let same = one == other;
    let micros = |item: Option<&Item<'_>>| item.and_then(|item| item.step.micros);
    let (micros_a, micros_b) = (micros(a), micros(b));
    DifferenceRow { what, depth: step.map_or(0, |step| step.depth + 1), a: one, b: other, micros_a, micros_b, same }
}

/// What a step came to: how it ended, what it changed, whom it called.
fn came_to(step: &StepTrace) -> String {
    let mut parts = vec![match (step.outcome, &step.detail) {
        (None, _) => "not ended".to_owned(),
        (Some(StepOutcome::Yes), _) => "yes".into(),
        (Some(StepOutcome::No), _) => "no".into(),
        (Some(StepOutcome::Failed), Some(why)) => format!("failed: {}", why.lines().next().unwrap_or_default()),
        (Some(StepOutcome::Failed), None) => "failed".into(),
        (Some(StepOutcome::Done), detail) => detail.clone().unwrap_or_else(|| "done".into()),
    }];
    let (mut api, mut store, mut errors) = (0, 0, 0);
    for row in &step.seen {
        match &row.observation.fact {
            Fact::ApiCall(call) => {
                api += 1;
                errors += usize::from(call.error.is_some() || call.status.is_none_or(|status| status >= 400));
            }
            Fact::StoreCall(call) => {
                store += 1;
                errors += usize::from(call.error.is_some());
            }
            _ => {}
        }
    }
    for (n, what) in [(step.changes.len(), "changed"), (api, "api"), (store, "store"), (errors, "failed calls")] {
        if n > 0 {
            parts.push(format!("{n} {what}"));
        }
    }
    if !step.injected.is_empty() {
        parts.push("injected".into());
    }
    parts.join(", ")
}
