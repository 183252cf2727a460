//! Answers that take a while: lists read from the file, and what only the extension can say.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension};
use serde_json::Value;

use super::answer::{Answer, Later};
use super::refusal::Refusal;
use super::{statistics, tasks};
use crate::platform::core::Core;
use crate::platform::rql::Query;
use crate::platform::state::{self, Selected};
use crate::platform::tasks::{Done, Task};
use crate::protocol::Output;

/// How long an extension may take to answer.
const PATIENCE: Duration = Duration::from_secs(120);

/// Waits for the answer.
pub(crate) async fn finish(core: &Arc<Core>, later: Later) -> Result<Answer, Refusal> {
    if let Later::Validation { task_id } = later {
        return validation(core, &task_id).await;
    }
    // Lists are read from the file: what was accepted before the call is there first.
    core.disk.barrier().passed().await.map_err(|e| Refusal::broken(&e.to_string()))?;
    let core = Arc::clone(core);
    let read = tokio::task::spawn_blocking(move || {
        let broken = |e: &dyn std::fmt::Display| Refusal::broken(&format!("the state can't be read: {e}"));
        let db = state::reader(&core.dir).map_err(|e| broken(&e))?;
        match later {
            Later::Search { collection, query } => {
                let found = state::search(&db, &collection, &query).map_err(|e| broken(&e))?;
                Ok(page(&query, found))
            }
            Later::Tasks { query, id: None, installation } => {
                let found = all_tasks(&core, &db, &query, installation.as_deref()).map_err(|e| broken(&e))?;
                Ok(page(&query, found))
            }
            Later::Tasks { id: Some(id), installation, .. } => {
                let (task, done) = one_task(&core, &db, &id).map_err(|e| broken(&e))?.ok_or_else(Refusal::not_found)?;
                let visible = installation.is_none() || task.installation == installation;
                visible.then(|| Answer::Object(tasks::shown(&core, &task, done.as_ref()))).ok_or_else(Refusal::not_found)
            }
            Later::Statistics { granularity } => {
                statistics::of(&core, &db, &granularity).map_err(|e| broken(&e)).map(Answer::Object)
            }
            Later::Resubmit { id } => {
                let (task, done) = one_task(&core, &db, &id).map_err(|e| broken(&e))?.ok_or_else(Refusal::not_found)?;
                tasks::resubmit(&core, task, done.as_ref())
            }
            Later::Validation { .. } => Err(Refusal::not_found()),
        }
    });
    read.await.map_err(|e| Refusal::broken(&e.to_string()))?
}

fn page(query: &Query, found: Selected) -> Answer {
    Answer::List { items: found.items, offset: query.offset, total: found.total }
}

/// The tasks of the file, as they are shown, newest last; with those of one installation only where one is named.
fn all_tasks(core: &Core, db: &Connection, query: &Query, of: Option<&str>) -> rusqlite::Result<Selected> {
    let mut statement = db.prepare("SELECT body, answer, open FROM tasks ORDER BY seq")?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let Some((task, done)) = read(row)? else { continue };
        if of.is_none() || task.installation.as_deref() == of {
            let shown = tasks::shown(core, &task, done.as_ref());
            if query.matches(&shown) {
                found.push(shown);
            }
        }
    }
    Ok(state::select(found, &Query { filter: Vec::new(), ..query.clone() }))
}

/// A task, the way it is in memory if it is not done.
fn one_task(core: &Core, db: &Connection, id: &str) -> rusqlite::Result<Option<(Task, Option<Done>)>> {
    if let Some(task) = core.lock().tasks.get(id) {
        return Ok(Some((task.clone(), None)));
    }
    let one = "SELECT body, answer, open FROM tasks WHERE task_id = ?";
    Ok(db.query_row(one, [id], read).optional()?.flatten())
}

/// A row of the tasks' table.
pub(crate) fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Option<(Task, Option<Done>)>> {
    let Ok(task) = serde_json::from_str::<Task>(row.get_ref(0)?.as_str()?) else { return Ok(None) };
    let answer: Option<String> = row.get(1)?;
    let open: bool = row.get(2)?;
    Ok(Some((task, answer.filter(|_| !open).and_then(|text| serde_json::from_str(&text).ok()))))
}

/// What the extension says of a draft.
async fn validation(core: &Arc<Core>, task_id: &str) -> Result<Answer, Refusal> {
    let output = answered(core, task_id).await?;
    let said = output.data.unwrap_or_default();
    let status = said.get("http_status").and_then(Value::as_u64).unwrap_or(500);
    let body = said.get("body").cloned().unwrap_or_default();
    if status < 400 && body.is_object() {
        return Ok(Answer::Object(body));
    }
    let reason = output.message.unwrap_or_else(|| format!("it answered {status}"));
    Err(Refusal::invalid(&format!("The extension could not validate the request: {reason}")))
}

/// Waits for the answer of an interactive task.
pub(crate) async fn answered(core: &Arc<Core>, task_id: &str) -> Result<Output, Refusal> {
    let deadline = tokio::time::sleep(PATIENCE);
    tokio::pin!(deadline);
    loop {
        let answered = core.answered.notified();
        tokio::pin!(answered);
        answered.as_mut().enable();
        if let Some(output) = core.answer(task_id) {
            return Ok(output);
        }
        tokio::select! {
            () = &mut deadline => return Err(Refusal::invalid("The extension did not answer in time.")),
            () = core.closing.cancelled() => return Err(Refusal::broken("the local Connect stops")),
            () = &mut answered => {}
        }
    }
}
