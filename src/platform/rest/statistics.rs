//! How many tasks there were and how long they took, in the course of an hour, a day or a week.

use rusqlite::Connection;
use serde_json::{Map, Value, json};

use super::later;
use super::tasks::shown;
use crate::observe::Timestamp;
use crate::platform::core::Core;
use crate::platform::time::iso;

/// A stretch of time, how many pieces it is shown in, and how long each is, in seconds.
const GRANULARITIES: [(&str, i64, i64); 3] = [("hour", 12, 300), ("day", 24, 3_600), ("week", 7, 86_400)];
/// What a task may have come to.
const COUNTS: [&str; 6] = ["processing", "scheduled", "rescheduled", "succeeded", "failed", "total"];

/// Whether there are such statistics.
pub(crate) fn is_known(granularity: &str) -> bool {
    GRANULARITIES.iter().any(|(name, ..)| *name == granularity)
}

/// One task: when it was made and what became of it.
struct Point {
    created: i64,
    status: String,
    runtime: f64,
    took: Option<f64>,
}

/// The statistics of the tasks made within the stretch that ends now.
pub(crate) fn of(core: &Core, db: &Connection, granularity: &str) -> rusqlite::Result<Value> {
    let (_, pieces, seconds) = GRANULARITIES.into_iter().find(|(name, ..)| *name == granularity).unwrap_or(("hour", 12, 300));
    let piece = seconds * 1_000_000;
    // Pieces begin at full hours, days and so on.
    let end = (Timestamp::now().0 / piece + 1) * piece;
    let start = end - pieces * piece;
    let points = points(core, db, start)?;
    let series = |name: &str, unit: &str, of: &dyn Fn(&[&Point]) -> f64| {
        let values: Vec<(i64, f64)> = (0..pieces)
            .map(|n| start + n * piece)
            .map(|from| {
                let within: Vec<&Point> = points.iter().filter(|p| (from..from + piece).contains(&p.created)).collect();
                (from, of(&within))
            })
            .collect();
        let sum: f64 = values.iter().map(|(_, value)| value).sum();
        let shown: Vec<Value> =
            values.iter().map(|(at, value)| json!({"timestamp": iso(Timestamp(*at)), "value": value})).collect();
        json!({"name": name, "unit": unit, "values": shown, "avg": sum / f64::from(i32::try_from(pieces).unwrap_or(1))})
    };
    let mut counts = Map::new();
    for name in COUNTS {
        let count = |within: &[&Point]| within.iter().filter(|p| name == "total" || p.status == name).count() as f64;
        counts.insert(name.into(), series(name, "tasks", &count));
    }
    let times = |of: fn(&Point) -> Option<f64>| {
        let all = move |within: &[&Point]| within.iter().filter_map(|p| of(p)).collect::<Vec<f64>>();
        let least = |within: &[&Point]| all(within).into_iter().reduce(f64::min).unwrap_or(0.0);
        let most = |within: &[&Point]| all(within).into_iter().reduce(f64::max).unwrap_or(0.0);
        let mean = |within: &[&Point]| {
            let all = all(within);
            if all.is_empty() { 0.0 } else { all.iter().sum::<f64>() / all.len() as f64 }
        };
        json!({"min": series("min", "s", &least), "max": series("max", "s", &most), "avg": series("avg", "s", &mean)})
    };
    Ok(json!({
        "task_count": counts,
        "runtime": times(|point| point.took.map(|_| point.runtime)),
        "processing_time": times(|point| point.took),
        "wait_time": times(|point| point.took.map(|took| (took - point.runtime).max(0.0))),
    }))
}

fn points(core: &Core, db: &Connection, since: i64) -> rusqlite::Result<Vec<Point>> {
    let mut statement = db.prepare("SELECT body, answer, open FROM tasks")?;
    let mut rows = statement.query([])?;
    let mut points = Vec::new();
    while let Some(row) = rows.next()? {
        let Some((task, done)) = later::read(row)?.filter(|(task, _)| task.created.0 >= since) else { continue };
        let seen = shown(core, &task, done.as_ref());
        let status = seen.get("status").and_then(Value::as_str).unwrap_or_default().to_owned();
        let took = done.as_ref().map(|done| (done.completed.0.saturating_sub(task.created.0)) as f64 / 1_000_000.0);
        let runtime = done.map_or(task.runtime_total, |done| done.runtime_total);
        points.push(Point { created: task.created.0, status, runtime, took });
    }
    Ok(points)
}
