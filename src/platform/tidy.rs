//! What is over is kept for a while: the last settled tasks and what they were about, with what was said of that and uploaded
//! for it. Older ones are forgotten, so that neither the file nor a list grows without end. A task that is queued, out at a
//! runner or waiting is never forgotten, and neither is an object such a task is about, nor what there was before any task:
//! products, accounts, schedules.

use std::collections::HashSet;
use std::sync::Arc;

use rusqlite::{Connection, params};
use serde::Deserialize;

use super::PlatformError;
use super::catalogue;
use super::core::{Core, State};
use super::rest::conversations::{CONVERSATIONS, conversation_id, messages_in};
use super::rest::usage::UPLOADS;
use super::state::{self, Alarm};
use crate::observe::Level;

/// How many settled tasks are kept where the options say nothing else.
pub(crate) const KEPT: usize = 10_000;
/// How many are forgotten before others get their turn.
const AT_A_TIME: usize = 50;

/// Collections whose objects come and go with their tasks. Where there is a whole an object is a part of, the ids say
/// so: `PR-5512-0934-7781-001` is a request of `AS-5512-0934-7781`.
const PASSING: &[(&str, Option<Whole>)] = &[
    ("requests", Some(Whole { part: "PR", prefix: "AS", collection: "assets" })),
    ("tier/config-requests", Some(Whole { part: "TCR", prefix: "TC", collection: "tier/configs" })),
    ("tier/account-requests", None),
    ("listing-requests", Some(Whole { part: "LSTR", prefix: "LST", collection: "listings" })),
    ("usage/files", None),
    ("usage/chunks", Some(Whole { part: "UFC", prefix: "UF", collection: "usage/files" })),
    ("helpdesk/cases", None),
];

struct Whole {
    part: &'static str,
    prefix: &'static str,
    collection: &'static str,
}

impl Whole {
    /// What all parts of the same whole begin with, and the id of the whole.
    fn of(&self, id: &str) -> Option<(String, String)> {
        let (stem, _) = id.strip_prefix(self.part)?.strip_prefix('-')?.rsplit_once('-')?;
        Some((format!("{}-{stem}-", self.part), format!("{}-{stem}", self.prefix)))
    }
}

/// A settled task that is one too many.
#[derive(Deserialize)]
struct Old {
    id: String,
    event_type: String,
    object_id: String,
}

/// What [`too_old`] finds.
#[derive(Default)]
struct Found {
    /// The settled tasks that are too many, oldest first.
    old: Vec<Old>,
    /// The objects the others are about.
    needed: HashSet<String>,
    /// The ids of conversations, and of what something was uploaded for: most tasks have none, and need not look.
    beside: HashSet<String>,
}

impl Core {
    /// Forgets what is too old, now and whenever enough tasks were settled, until the platform closes.
    pub(crate) async fn run_tidy(self: Arc<Self>) {
        loop {
            if let Err(error) = self.tidy().await {
                self.log(Level::Warning, format!("settled tasks could not be forgotten: {error}"));
            }
            tokio::select! {
                () = self.closing.cancelled() => return,
                () = self.settled.notified() => {}
            }
        }
    }

    async fn tidy(self: &Arc<Self>) -> Result<(), PlatformError> {
        self.disk.barrier().passed().await?;
        let (dir, kept) = (self.dir.clone(), self.kept);
        let read = tokio::task::spawn_blocking(move || too_old(&state::reader(&dir)?, kept));
        let Found { old, needed, beside } = read.await.map_err(|e| PlatformError::Storage(e.to_string()))??;
        for some in old.chunks(AT_A_TIME) {
            {
                let mut state = self.lock();
                let open: HashSet<String> = state.tasks.objects().map(str::to_owned).collect();
                for task in some {
                    forget(&mut state, task, &beside, |id| needed.contains(id) || open.contains(id));
                }
            }
            tokio::task::yield_now().await;
        }
        Ok(())
    }
}

/// The settled tasks beyond the newest `kept`, and the objects the others are about.
fn too_old(db: &Connection, kept: usize) -> Result<Found, PlatformError> {
    let kept = i64::try_from(kept).unwrap_or(i64::MAX);
    let last = "SELECT coalesce(max(seq), 0) FROM (SELECT seq FROM tasks WHERE open = 0 ORDER BY seq DESC LIMIT -1 OFFSET ?)";
    let last: i64 = db.query_row(last, [kept], |row| row.get(0))?;
    if last == 0 {
        return Ok(Found::default());
    }
    let mut statement = db.prepare("SELECT body FROM tasks WHERE open = 0 AND seq <= ? ORDER BY seq")?;
    let bodies = statement.query_map([last], |row| row.get::<_, String>(0))?;
    let old = bodies.filter_map(|body| body.map(|body| serde_json::from_str(&body).ok()).transpose());
    let old = old.collect::<rusqlite::Result<_>>()?;
    let mut statement = db.prepare("SELECT body ->> 'object_id' FROM tasks WHERE open = 1 OR seq > ?")?;
    let needed = statement.query_map(params![last], |row| row.get::<_, Option<String>>(0))?;
    let needed = needed.filter_map(Result::transpose).collect::<rusqlite::Result<_>>()?;
    let mut statement = db.prepare("SELECT id FROM objects WHERE collection IN (?, ?)")?;
    let beside = statement.query_map([CONVERSATIONS, UPLOADS], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    Ok(Found { old, needed, beside })
}

/// Forgets a task, and what it was about if nobody needs that.
fn forget(state: &mut State, task: &Old, beside: &HashSet<String>, needed: impl Fn(&str) -> bool) {
    if state.tasks.get(&task.id).is_some() {
        return; // It was resubmitted meanwhile.
    }
    state.tasks.forget(&task.id);
    let id = task.object_id.as_str();
    let collection = catalogue::find(&task.event_type).and_then(|event| event.collection);
    let Some((collection, whole)) = PASSING.iter().find(|(passing, _)| Some(*passing) == collection) else { return };
    if needed(id) || state.alarms.is_set(Alarm::Planned, id) {
        return;
    }
    if let Some(whole) = whole
        && let Some((parts, whole_id)) = whole.of(id)
        && !needed(&whole_id)
        && !state.objects.any_but(id, collection, &parts)
    {
        // First, so that it needs no text of its own in place of the one within the part.
        state.objects.forget(whole.collection, &whole_id);
    }
    state.objects.forget(collection, id);
    let conversation = conversation_id(id);
    if beside.contains(&conversation) {
        state.objects.forget_all(&messages_in(&conversation));
        state.objects.forget(CONVERSATIONS, &conversation);
    }
    if beside.contains(id) {
        state.objects.forget(UPLOADS, id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_passing_collection_is_one_of_the_events_and_its_ids_tell_the_whole() {
        for (collection, whole) in PASSING {
            let event = catalogue::EVENT_TYPES.iter().find(|event| event.collection == Some(collection)).unwrap();
            let Some(whole) = whole else { continue };
            let mut object = event.sample();
            crate::platform::template::refresh(&mut object);
            let (parts, id) = whole.of(object["id"].as_str().unwrap()).unwrap();
            let inside = ["asset", "configuration", "listing", "usagefile"].iter().find_map(|name| object[*name]["id"].as_str());
            assert_eq!(inside, Some(id.as_str()), "{collection}");
            assert!(object["id"].as_str().unwrap().starts_with(&parts));
        }
    }
}
