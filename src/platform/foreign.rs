//! Deliveries of foreign runners: what the official runner does with a task nobody else sees, so the local Connect, or the
//! relay before a real one, observes it from the other end of the wire.
//!
//! A task that goes out is a delivery; the result that comes back ends it. Calls of its handler carry the task's id in
//! the header `EAAS_TASK_ID`. The two look-ups the official runner makes before carry none: they are known by the object
//! and by the runner's name at the end of their `User-Agent`.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::observe::{Answer, ApiCall, Body, DeliveryKey, Fact, Observer, Scope, SeenVariable, TaskArrived};
use crate::protocol::{Output, SetupRequest};
use axum::http::header::USER_AGENT;
use axum::http::request::Parts;

const TASK_HEADER: &str = "eaas_task_id";
/// How many finished deliveries are remembered: log lines about them may still come.
const REMEMBERED: usize = 256;

/// Whose deliveries the platform observes. A runner made with this crate observes its own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Observed {
    /// Nobody's.
    #[default]
    Nobody,
    /// Every runner's.
    Everybody,
    /// Every runner's but that instance's.
    EverybodyBut(String),
}

/// What is known of foreign deliveries.
pub(crate) struct Foreign {
    observed: Observed,
    scope: Scope,
    /// How many are out: with none, calls cost nothing.
    out: AtomicUsize,
    inside: Mutex<Inside>,
}

#[derive(Default)]
struct Inside {
    by_task: HashMap<String, Out>,
    by_object: HashMap<String, Vec<String>>,
    finished: VecDeque<(String, DeliveryKey)>,
    /// The extension's own version, which a runner does not tell.
    version: Option<String>,
}

/// A task a foreign runner has.
struct Out {
    key: DeliveryKey,
    /// `None` where it went out before this process began.
    since: Option<Instant>,
    instance: String,
    object_id: String,
    fetched: bool,
    /// Whether its runner is gone.
    gone: bool,
}

/// A call that belongs to a delivery.
pub(crate) struct Concern {
    key: DeliveryKey,
    since: Instant,
    /// The task whose object the runner itself is looking up.
    look_up: Option<String>,
}

impl Concern {
    /// The task whose object the runner itself is looking up, if that is what the call is.
    pub(crate) fn look_up(&self) -> Option<&str> {
        self.look_up.as_deref()
    }
}

/// The task a call says it is made for.
pub(crate) fn task_of(parts: &Parts) -> Option<&str> {
    parts.headers.get(TASK_HEADER)?.to_str().ok()
}

impl Foreign {
    pub(crate) fn new(observed: Observed, observer: Arc<dyn Observer>) -> Arc<Self> {
        Arc::new(Self { observed, scope: Scope::new(observer), out: AtomicUsize::new(0), inside: Mutex::default() })
    }

    fn observes(&self, instance: &str) -> bool {
        match &self.observed {
            Observed::Nobody => false,
            Observed::Everybody => true,
            Observed::EverybodyBut(own) => own != instance,
        }
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        // A panic inside can leave an entry too many behind, nothing worse.
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The version of the extension that is to connect.
    pub(crate) fn expect(&self, version: String) {
        self.inside().version = Some(version);
    }

    /// A runner introduced itself.
    pub(crate) fn introduced(&self, instance: &str, request: &SetupRequest) {
        if !self.observes(instance) {
            return;
        }
        let known = self.inside().version.clone();
        let version = known.or_else(|| request.runner_version.clone()).unwrap_or_default();
        let declared = serde_json::to_value(request).unwrap_or_default();
        self.scope.emit(Fact::Extension { name: instance.into(), version, declared });
    }

    /// A runner was sent the configuration.
    pub(crate) fn configured(&self, instance: &str, update: bool, variables: Vec<SeenVariable>) {
        // The official runner keeps the variables it has when it is sent none.
        if self.observes(instance) && !(update && variables.is_empty()) {
            let message = format!("The configuration was sent to the runner {instance}.");
            self.scope.emit(Fact::Configured { message, update, variables });
        }
    }

    /// A task goes out to a runner: the delivery that is, where it is observed. If it was out before, that delivery is over.
    pub(crate) fn sent(&self, instance: &str, task_id: &str, task: impl FnOnce() -> TaskArrived) -> Option<DeliveryKey> {
        if !self.observes(instance) {
            self.lost(task_id);
            return None;
        }
        let (key, task) = (DeliveryKey::random(), task());
        let object_id = task.object_id.clone();
        // An interactive task carries its object.
        let fetched = task.category == "interactive";
        // First the new one: who waits for the task's result finds that there is more to come.
        self.scope.delivery(key.clone()).emit(Fact::TaskArrived(task));
        self.lost(task_id);
        let out =
            Out { key: key.clone(), since: Some(Instant::now()), instance: instance.into(), object_id, fetched, gone: false };
        self.is_out(task_id.into(), out);
        Some(key)
    }

    /// A task went out before this process began, and its result may come to this one.
    pub(crate) fn was_sent(&self, instance: &str, task_id: &str, object_id: &str, key: DeliveryKey) {
        if self.observes(instance) {
            let (instance, object_id) = (instance.into(), object_id.into());
            self.is_out(task_id.into(), Out { key, since: None, instance, object_id, fetched: true, gone: false });
            self.waits(task_id);
        }
    }

    /// Its runner is gone; the task waits for it to come back, or for another one.
    pub(crate) fn waits(&self, task_id: &str) {
        let Some((key, instance)) = self.turned(task_id, true) else { return };
        let reason = format!("the runner {instance} is gone and has not answered; the task waits for a runner");
        self.scope.delivery(key).emit(Fact::RunnerGone { reason });
    }

    /// Its runner is back, and still has it in hand.
    pub(crate) fn kept(&self, task_id: &str) {
        if let Some((key, instance)) = self.turned(task_id, false) {
            self.scope.delivery(key).emit(Fact::RunnerBack { instance });
        }
    }

    /// Notes whether the runner of a task is gone; the delivery and the runner, if that was not known.
    fn turned(&self, task_id: &str, gone: bool) -> Option<(DeliveryKey, String)> {
        let mut inside = self.inside();
        let out = inside.by_task.get_mut(task_id).filter(|out| out.gone != gone)?;
        out.gone = gone;
        Some((out.key.clone(), out.instance.clone()))
    }

    fn is_out(&self, task_id: String, out: Out) {
        let mut inside = self.inside();
        inside.remove(&task_id);
        inside.by_object.entry(out.object_id.clone()).or_default().push(task_id.clone());
        inside.by_task.insert(task_id, out);
        self.out.store(inside.by_task.len(), Ordering::Release);
    }

    /// Its result came; gives the delivery's scope, to say when the result is where it belongs.
    pub(crate) fn answered(&self, task_id: &str, output: &Output) -> Option<Scope> {
        let out = self.take(task_id)?;
        let scope = self.scope.delivery(out.key);
        scope.emit(Fact::Answered(Answer {
            result: output.result.as_str().into(),
            message: output.message.clone(),
            countdown: output.countdown,
            data: output.data.clone(),
            micros: out.since.map_or_else(|| seconds(output.runtime), |since| micros(since.elapsed())),
        }));
        Some(scope)
    }

    /// It goes out again, or will at a later time: nobody answers that delivery any more.
    pub(crate) fn lost(&self, task_id: &str) {
        if self.out.load(Ordering::Acquire) == 0 {
            return;
        }
        let Some(out) = self.take(task_id) else { return };
        let reason = format!("the runner {} was gone before it answered; the task is delivered again", out.instance);
        self.scope.delivery(out.key).emit(Fact::Interrupted { reason });
    }

    fn take(&self, task_id: &str) -> Option<Out> {
        let mut inside = self.inside();
        let out = inside.remove(task_id)?;
        if inside.finished.len() == REMEMBERED {
            inside.finished.pop_front();
        }
        inside.finished.push_back((task_id.into(), out.key.clone()));
        self.out.store(inside.by_task.len(), Ordering::Release);
        Some(out)
    }

    /// The delivery of a task, also of one answered lately; of `None` the only one that is out.
    pub(crate) fn delivery(&self, task_id: Option<&str>) -> Option<DeliveryKey> {
        let inside = self.inside();
        match task_id {
            Some(id) => inside.of_task(id),
            None => {
                let mut at_a_runner = inside.by_task.values().filter(|out| !out.gone);
                let only = at_a_runner.next()?;
                at_a_runner.next().is_none().then(|| only.key.clone())
            }
        }
    }

    /// The delivery a call belongs to.
    pub(crate) fn concern(&self, parts: &Parts) -> Option<Concern> {
        let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
        if self.observed == Observed::Nobody {
            return None;
        }
        if let Some(task_id) = header(TASK_HEADER) {
            // A runner made with this crate says for which task it looks an object up.
            let inside = self.inside();
            let looks_up = inside.by_task.get(task_id).is_some_and(|out| !out.fetched);
            let look_up = looks_up.then(|| task_id.to_owned());
            return Some(Concern { key: inside.of_task(task_id)?, since: Instant::now(), look_up });
        }
        if self.out.load(Ordering::Acquire) == 0 {
            return None;
        }
        let caller = header(USER_AGENT.as_str())?.rsplit('/').next()?;
        let inside = self.inside();
        let (task_id, out) = words(parts.uri.path()).chain(words(parts.uri.query().unwrap_or_default())).find_map(|word| {
            let candidates = inside.by_object.get(word)?.iter().filter_map(|id| Some((id, inside.by_task.get(id)?)));
            // Two tasks may be out for one object: they are looked up in the order they were sent.
            candidates.filter(|(_, out)| out.instance == caller).min_by_key(|(_, out)| (out.fetched, out.since))
        })?;
        Some(Concern { key: out.key.clone(), since: Instant::now(), look_up: Some(task_id.clone()) })
    }

    /// A call was answered.
    pub(crate) fn called(&self, concern: Concern, mut call: ApiCall) {
        let scope = self.scope.delivery(concern.key);
        call.micros = micros(concern.since.elapsed());
        let fetched = concern.look_up.and_then(|task_id| {
            let mut inside = self.inside();
            let out = inside.by_task.get_mut(&task_id).filter(|out| !out.fetched)?;
            let path = call.path.split('?').next().unwrap_or_default();
            let own = call.method == "GET" && call.status == Some(200) && path.rsplit('/').next() == Some(out.object_id.as_str());
            out.fetched = own;
            // It is recorded once: as the object.
            own.then(|| call.response.take()).flatten()
        });
        scope.emit(Fact::ApiCall(call));
        if let Some(object) = fetched {
            scope.emit(Fact::ObjectFetched { object });
        }
    }
}

impl Inside {
    fn of_task(&self, task_id: &str) -> Option<DeliveryKey> {
        let finished = || self.finished.iter().rev().find(|(id, _)| id == task_id).map(|(_, key)| key);
        self.by_task.get(task_id).map(|out| &out.key).or_else(finished).cloned()
    }

    fn remove(&mut self, task_id: &str) -> Option<Out> {
        let out = self.by_task.remove(task_id)?;
        if let Some(tasks) = self.by_object.get_mut(&out.object_id) {
            tasks.retain(|id| id != task_id);
            if tasks.is_empty() {
                self.by_object.remove(&out.object_id);
            }
        }
        Some(out)
    }
}

/// What may be an id.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-')).filter(|word| !word.is_empty())
}

/// Seconds a runner says, in microseconds.
fn seconds(said: f64) -> u64 {
    Duration::try_from_secs_f64(said).map_or(0, micros)
}

pub(crate) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// A call and its answer, as they are observed.
pub(crate) fn api_call(parts: &Parts, path: &str, body: &[u8], answer: (u16, Option<Body>, Option<String>)) -> ApiCall {
    let query = parts.uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let (status, response, content_range) = answer;
    ApiCall {
        method: parts.method.to_string(),
        path: format!("{path}{query}"),
        status: Some(status),
        request: serde_json::from_slice(body).ok(),
        response,
        content_range,
        error: None,
        micros: 0,
    }
}
