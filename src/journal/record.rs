use rusqlite::{OptionalExtension, Transaction, params};
use serde_json::Value;

use super::marks;
use super::summary::Changes;
use super::writes;
use crate::observe::{DeliveryKey, Fact, Level, Observation, Origin, TaskArrived, Timestamp};

/// Delivery states as they are stored.
pub(super) mod state {
    pub(in crate::journal) const RUNNING: i64 = 0;
    pub(in crate::journal) const ANSWERED: i64 = 1;
    pub(in crate::journal) const SENT: i64 = 2;
    pub(in crate::journal) const INTERRUPTED: i64 = 3;
    pub(in crate::journal) const NO_RUNNER: i64 = 4;

    /// Why a delivery that stood so when its session ended has no answer.
    pub(in crate::journal) fn unanswered(state: i64) -> String {
        let ended = match state {
            NO_RUNNER => "the session ended before a runner came for it",
            _ => "the process that handled it ended before it was answered",
        };
        format!("{ended}; Connect delivers its task again")
    }
}

/// Writes one observation, already redacted, whose fact is `body` in JSON. What it means for the summary of its delivery
/// is added to `changes`. Returns the row's number and the delivery's.
pub(super) fn record(
    tx: &Transaction<'_>,
    observation: &Observation,
    body: &str,
    delivery: Option<i64>,
    changes: &mut Changes,
) -> rusqlite::Result<(i64, Option<i64>)> {
    let fact = &observation.fact;
    let delivery = match (fact, &observation.delivery) {
        (Fact::TaskArrived(task), Some(key)) => Some(arrived(tx, key, task, observation.at)?),
        (Fact::ResultSent { task_id }, None) => {
            changes.write(tx)?;
            unsent(tx, task_id)?
        }
        (Fact::Marked { .. } | Fact::Pinned { .. }, None) => marks::note(tx, fact)?,
        (_, Some(key)) if delivery.is_none() => known(tx, key)?,
        _ => delivery,
    };
    let level = match fact {
        Fact::Log { level, .. } => Some(severity(*level)),
        _ => None,
    };
    let row = tx
        .prepare_cached("INSERT INTO observations (at, delivery, step, kind, level, body) VALUES (?, ?, ?, ?, ?, ?)")?
        .insert(params![observation.at.0, delivery, observation.step, kind(fact), level, body])?;
    if let Fact::TaskQueued { task_id, origin, .. } = fact {
        queued(tx, task_id, origin, observation.at)?;
    }
    if let Some(id) = delivery {
        writes::note(tx, row, fact)?;
        changes.add(id, fact);
    }
    Ok((row, delivery))
}

/// How serious a line is, as a number that can be compared.
pub(super) fn severity(level: Level) -> i64 {
    match level {
        Level::Debug => 0,
        Level::Info => 1,
        Level::Warning => 2,
        Level::Error => 3,
    }
}

/// What was known of a task before it arrived.
#[derive(Default)]
struct Came {
    origin: Option<String>,
    replay_of: Option<i64>,
    marks: String,
    queued_at: Option<i64>,
}

fn arrived(tx: &Transaction<'_>, key: &DeliveryKey, task: &TaskArrived, at: Timestamp) -> rusqlite::Result<i64> {
    let came = tx
        .prepare_cached("SELECT origin, replay_of, marks, at FROM queued WHERE task_id = ?")?
        .query_row([&task.task_id], |row| {
            Ok(Came { origin: row.get(0)?, replay_of: row.get(1)?, marks: row.get(2)?, queued_at: row.get(3)? })
        })
        .optional()?;
    if came.is_some() {
        tx.prepare_cached("DELETE FROM queued WHERE task_id = ?")?.execute([&task.task_id])?;
    }
    let came = came.unwrap_or_default();
    let wait = came.queued_at.map(|queued| at.0.saturating_sub(queued).max(0));
    // An interactive task carries its object.
    let status = task.task.pointer("/input/data").and_then(status_of);
    // Without RETURNING, for which SQLite would keep a journal of every statement.
    let made = tx
        .prepare_cached(
            "INSERT INTO deliveries
               (key, task_id, category, event_type, object_id, arrived_at, object_status, origin, replay_of, marks, wait, attempt)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11,
               1 + (SELECT coalesce(max(attempt), 0) FROM deliveries WHERE object_id = ?5 AND event_type = ?4))
             ON CONFLICT (key) DO NOTHING",
        )?
        .execute(params![
            key.as_str(),
            task.task_id,
            task.category,
            task.event_type,
            task.object_id,
            at.0,
            status,
            came.origin,
            came.replay_of,
            came.marks,
            wait
        ])?;
    if made == 1 {
        return Ok(tx.last_insert_rowid());
    }
    tx.prepare_cached("UPDATE deliveries SET task_id = ? WHERE key = ?")?.execute([&task.task_id, key.as_str()])?;
    known(tx, key)?.ok_or(rusqlite::Error::QueryReturnedNoRows)
}

fn known(tx: &Transaction<'_>, key: &DeliveryKey) -> rusqlite::Result<Option<i64>> {
    tx.prepare_cached("SELECT id FROM deliveries WHERE key = ?")?.query_row([key.as_str()], |row| row.get(0)).optional()
}

/// The delivery a result belongs to that is sent by a later process than the one that handled it. It may count as
/// interrupted: a process that is killed can leave its result in the outbox before the answer is in the journal.
fn unsent(tx: &Transaction<'_>, task_id: &str) -> rusqlite::Result<Option<i64>> {
    tx.prepare_cached("SELECT max(id) FROM deliveries WHERE task_id = ? AND state IN (?, ?)")?
        .query_row(params![task_id, state::ANSWERED, state::INTERRUPTED], |row| row.get(0))
}

fn queued(tx: &Transaction<'_>, task_id: &str, origin: &Origin, at: Timestamp) -> rusqlite::Result<()> {
    let (origin, of) = match origin {
        Origin::Trigger => ("trigger", None),
        Origin::Reschedule => ("reschedule", None),
        Origin::Retry => ("retry", None),
        Origin::Redelivery => ("redelivery", None),
        Origin::Replay(of) => ("replay", Some(*of)),
    };
    tx.prepare_cached("INSERT OR REPLACE INTO queued (task_id, origin, replay_of, at) VALUES (?, ?, ?, ?)")?
        .execute(params![task_id, origin, of, at.0])?;
    Ok(())
}

/// The status of an object: requests, assets and the like have `status`, tier configurations and some others `state`.
pub(super) const STATUS: &[&str] = &["status", "state"];

fn status_of(object: &Value) -> Option<&str> {
    STATUS.iter().find_map(|name| object.get(name)).and_then(Value::as_str)
}

/// The name of a fact in JSON.
fn kind(fact: &Fact) -> &'static str {
    match fact {
        Fact::Link { .. } => "link",
        Fact::FrameRejected { .. } => "frame_rejected",
        Fact::Extension { .. } => "extension",
        Fact::Configured { .. } => "configured",
        Fact::TaskQueued { .. } => "task_queued",
        Fact::TaskArrived(_) => "task_arrived",
        Fact::ObjectFetched { .. } => "object_fetched",
        Fact::ApiCall(_) => "api_call",
        Fact::StepStarted { .. } => "step_started",
        Fact::StepEnded { .. } => "step_ended",
        Fact::Held { .. } => "held",
        Fact::Released { .. } => "released",
        Fact::Injected { .. } => "injected",
        Fact::StoreCall(_) => "store_call",
        Fact::Log { .. } => "log",
        Fact::Answered(_) => "answered",
        Fact::ResultSent { .. } => "result_sent",
        Fact::Interrupted { .. } => "interrupted",
        Fact::RunnerGone { .. } => "runner_gone",
        Fact::RunnerBack { .. } => "runner_back",
        Fact::RedeliveryScheduled { .. } => "redelivery_scheduled",
        Fact::Marked { .. } => "marked",
        Fact::Pinned { .. } => "pinned",
        Fact::Variables { .. } => "variables",
    }
}
