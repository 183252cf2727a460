mod building;
mod kinds;
mod offline;
mod saga;
mod sequence;

use std::sync::{Arc, Mutex};

use serde_json::json;

use super::*;
use crate::connect::ClientBuilder;
use crate::extension::{Background, Config, Context, TaskInfo};
use crate::observe::{DeliveryKey, Fact, Memory, Scope, StepOutcome};

fn context() -> (Context, Arc<Memory>) {
    let memory = Arc::new(Memory::default());
    let cx = Context {
        task: TaskInfo::default(),
        config: Config::default(),
        client: ClientBuilder::new("http://127.0.0.1:9", "ApiKey x".into()).build().unwrap(),
        scope: Scope::new(memory.clone()).delivery(DeliveryKey::random()),
        installation: None,
        installation_client: None,
    };
    (cx, memory)
}

fn request() -> Request {
    json!({"id": "PR-1", "type": "purchase", "status": "pending", "asset": {"id": "AS-1"}}).into()
}

/// What happened, in order.
#[derive(Clone, Default)]
struct Diary(Arc<Mutex<Vec<String>>>);

impl Diary {
    fn note(&self, what: impl Into<String>) {
        self.0.lock().unwrap().push(what.into());
    }

    fn read(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    /// A transaction that notes being asked and executed.
    fn transaction(&self, name: &'static str, wants: bool) -> FnTransaction {
        let (asked, executed) = (self.clone(), self.clone());
        FnTransaction::new(
            name,
            move |_, _| {
                asked.note(format!("{name}?"));
                async move { Ok(wants) }
            },
            move |_, _| {
                executed.note(format!("{name}!"));
                async { Ok(Background::Done) }
            },
        )
    }

    fn failing(&self, name: &'static str) -> FnTransaction {
        let diary = self.clone();
        FnTransaction::new(
            name,
            |_, _| async { Ok(true) },
            move |_, _| {
                diary.note(format!("{name}!"));
                async { Err("it broke".into()) }
            },
        )
    }

    fn middleware(&self, name: &'static str) -> FnMiddleware {
        let diary = self.clone();
        FnMiddleware::new(name, move |_, request, next| {
            let diary = diary.clone();
            async move {
                diary.note(format!("{name}>"));
                let answer = next.run(&request).await;
                diary.note(format!("<{name}"));
                answer
            }
        })
    }
}

fn endings(memory: &Memory) -> Vec<(StepOutcome, String)> {
    let seen = memory.seen();
    let ended = seen.into_iter().filter_map(|o| match o.fact {
        Fact::StepEnded { outcome, detail, .. } => Some((outcome, detail.unwrap_or_default())),
        _ => None,
    });
    ended.collect()
}

/// The trace as lines: `kind name in parent`, and how it ended.
fn trace_of(memory: &Memory) -> Vec<String> {
    let lines = memory.seen().into_iter().filter_map(|o| match o.fact {
        Fact::StepStarted { parent, step_kind, name, request } => {
            let kind = serde_json::to_value(step_kind).unwrap();
            let found = if request.is_some() { " with the request" } else { "" };
            Some(format!("{} {} {name} in {parent}{found}", o.step, kind.as_str().unwrap_or_default()))
        }
        Fact::StepEnded { outcome, detail, request, .. } => {
            let note = request.map(|r| format!(", note {}", r["note"])).unwrap_or_default();
            Some(format!("{} {outcome:?} {}{note}", o.step, detail.unwrap_or_default()))
        }
        Fact::Log { message, .. } => Some(format!("{} says {message}", o.step)),
        _ => None,
    });
    lines.collect()
}
