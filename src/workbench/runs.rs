//! Deliveries run again: as they were, edited, with other variables, with recorded answers, into shadow collections.
//!
//! Other variables are *lent*: they are pushed to the runner for one run and never stored. From before they are pushed
//! until the stored ones are back, every other delivery is held, so that none sees them by accident; a session that dies
//! in between starts with the stored ones again.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::bench::{Workbench, as_delivered, comes_again, usage};
use super::{Delivered, RunAgain, WorkbenchError};
use crate::observe::{Fact, Level, Mark, Observation, Observer, Secret, SeenVariable};
use crate::platform::{Platform, Rerun, StoredVariable};
use crate::replay::{Capture, Recorded};

/// How long a runner may take to acknowledge what it was lent, or given back.
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_secs(10);
/// How often it is looked whether a run is over.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// Variables that say where the stores are: a run as recorded finds those of this session.
const PLACES: [&str; 6] = ["DATA_API_ENDPOINT", "API_KEY", "CLUSTER", "DB_HOST", "DB_USER", "DB_PASSWORD"];

/// One at a time lends variables.
#[derive(Default)]
pub(super) struct Runs(Arc<Mutex<()>>);

impl Runs {
    /// Whether no run with lent variables is under way, at the latest after a while.
    pub(super) async fn over(&self, within: Duration) -> bool {
        tokio::time::timeout(within, self.0.lock()).await.is_ok()
    }
}

/// Which variable names which collection, and what it names for this run.
type Shadows = Vec<(String, String, String)>;

impl Workbench {
    /// Runs a delivery again. Returns when its task is on its way.
    pub(super) async fn run_again(&self, run: RunAgain) -> Result<(Delivered, Shadows), WorkbenchError> {
        let platform = self.local()?.platform.clone();
        let recorded = self.recorded(&run)?;
        let mut capture = Capture::from_recorded(&recorded).map_err(|e| usage(&e))?;
        let edited = edit(&mut capture, &run)?;
        let mut warning = self.restore(&mut capture);
        // An exact replay stands beside the task it replays, where that is not done.
        let own = Some(&recorded.delivery).filter(|row| run.delivery.is_some() && platform.is_open(&row.task_id));
        if let Some(row) = own.filter(|_| !run.hermetic && !run.shadow) {
            let told = comes_again(&platform, &row.task_id, row.id);
            warning = Some(warning.map_or(told.clone(), |warning| format!("{warning} {told}")));
        }
        let (lent, shadows) = self.lent(&run, &recorded, &platform)?;
        let recording = run.hermetic.then(|| {
            let mut recording = Capture::recording(&recorded, run.allow_unrecorded);
            for exchange in &mut recording.exchanges {
                exchange.response = exchange.response.take().map(|body| self.0.journal.redactor().restored(body));
                exchange.request = exchange.request.take().map(|body| self.0.journal.redactor().restored(body));
            }
            if edited.is_some() {
                // The look-up gives the object as it was edited.
                recording.exchanges.iter_mut().for_each(|exchange| {
                    let same = exchange.method == "GET"
                        && exchange.response.as_ref().is_some_and(|r| r.get("id") == capture.object.get("id"));
                    if same {
                        exchange.response = Some(capture.object.clone());
                    }
                });
            }
            recording
        });
        let rerun = Rerun {
            event_type: capture.event_type.clone(),
            object: capture.object.clone(),
            of: run.delivery,
            recording,
            once: run.hermetic || run.shadow,
            ahead: !lent.is_empty(),
        };
        let marks = marks(&run, edited.is_some(), !lent.is_empty());
        let names: Vec<String> = lent.iter().map(|v| v.name.clone()).collect();
        let queued = if lent.is_empty() {
            platform.rerun(rerun).await.map_err(|e| usage(&e))?
        } else {
            self.with_lent(&platform, lent, rerun).await?
        };
        if !marks.is_empty() {
            let mut detail: Vec<String> = edited.into_iter().collect();
            if !names.is_empty() {
                detail.push(format!("other values of {}", names.join(", ")));
            }
            let fact = Fact::Marked { task_id: queued.task_id.clone(), marks, detail: detail.join("; ") };
            self.0.journal.observe(Observation::now(fact));
            // Whoever reads the delivery after the answer sees its marks, however soon it is over. A journal that can't be
            // written says so itself.
            let _ = self.0.journal.flush().await;
        }
        Ok((as_delivered(queued, warning), shadows))
    }

    fn recorded(&self, run: &RunAgain) -> Result<Recorded, WorkbenchError> {
        match (run.delivery, &run.capture) {
            (_, Some(text)) => Recorded::parse(std::path::Path::new("the capture"), text).map_err(|e| usage(&e)),
            (Some(id), None) => Recorded::of(&self.journal_reader()?, id).map_err(|e| usage(&e)),
            (None, None) => Err(WorkbenchError::Usage("say which delivery is to be run again".into())),
        }
    }

    /// What is to be triggered, with the secrets of today where there are placeholders: a saved event has none.
    pub(super) fn with_secrets(
        &self,
        object: Option<Value>,
        set: Vec<(String, String)>,
    ) -> (Option<Value>, Vec<(String, String)>) {
        let redactor = self.0.journal.redactor();
        let text = |text: String| match redactor.restored(Value::String(text)) {
            Value::String(text) => text,
            other => other.to_string(),
        };
        let set = set.into_iter().map(|(path, value)| (path, text(value))).collect();
        (object.map(|object| redactor.restored(object)), set)
    }

    /// Puts the secrets of today back into the object; what is left is told.
    fn restore(&self, capture: &mut Capture) -> Option<String> {
        let before = capture.object.clone();
        capture.object = self.0.journal.redactor().restored(before.clone());
        capture.redacted = Capture::placeholders_of(&capture.object);
        capture.warning()
    }

    /// The variables this run has values of its own for, and the collections it writes to instead.
    fn lent(
        &self,
        run: &RunAgain,
        recorded: &Recorded,
        platform: &Platform,
    ) -> Result<(Vec<SeenVariable>, Shadows), WorkbenchError> {
        let stored = platform.variables();
        self.known(run, recorded, &stored)?;
        let mut lent: Vec<SeenVariable> = Vec::new();
        if run.as_recorded {
            lent.extend(recorded.variables.iter().filter(|v| !v.secure && !PLACES.contains(&v.name.as_str())).cloned());
            lent.extend(self.places(recorded, &stored)?);
        }
        for (name, value) in &run.variables {
            let secure = stored.iter().any(|v| v.name == *name && v.secure);
            if secure {
                // Before anything can mention it.
                self.0.journal.redactor().learn(name, &Secret::new(value.clone()));
            }
            lent.retain(|v| v.name != *name);
            lent.push(SeenVariable { name: name.clone(), value: value.clone(), secure });
        }
        let mut shadows = Shadows::new();
        if run.shadow {
            let tail = format!("__shadow_{:06x}", rand::random::<u32>() & 0xff_ffff);
            let in_force: Vec<(String, String)> = stored
                .iter()
                .map(|v| (v.name.clone(), lent.iter().find(|l| l.name == v.name).map_or(&v.value, |l| &l.value).clone()))
                .filter(|(name, value)| name.to_ascii_uppercase().contains("COLLECTION") && !value.is_empty())
                .collect();
            if in_force.is_empty() {
                return Err(WorkbenchError::Usage(
                    "there is no variable whose name has COLLECTION in it, so the run can't be pointed at shadow collections; \
                     replay it with --var NAME=VALUE, or without --shadow"
                        .into(),
                ));
            }
            for (name, theirs) in in_force {
                let again = run.collections.iter().find(|(variable, _)| *variable == name);
                let own = again.map_or_else(|| format!("{theirs}{tail}"), |(_, own)| own.clone());
                lent.retain(|v| v.name != name);
                lent.push(SeenVariable { name: name.clone(), value: own.clone(), secure: false });
                shadows.push((name, theirs, own));
            }
        }
        lent.retain(|v| !stored.iter().any(|s| s.name == v.name && s.value == v.value));
        Ok((lent, shadows))
    }

    /// A variable that nobody has would be lent to nobody: its name is mistyped.
    fn known(&self, run: &RunAgain, recorded: &Recorded, stored: &[StoredVariable]) -> Result<(), WorkbenchError> {
        let declared = self.declared();
        let mut names: Vec<&str> = stored.iter().map(|v| v.name.as_str()).collect();
        names.extend(declared.iter().map(|(name, _)| name.as_str()));
        names.extend(recorded.variables.iter().map(|v| v.name.as_str()));
        names.sort_unstable();
        names.dedup();
        match run.variables.iter().find(|(name, _)| !names.contains(&name.as_str())) {
            None => Ok(()),
            Some((name, _)) if names.is_empty() => {
                Err(WorkbenchError::Usage(format!("there is no variable {name}, nor any other: nothing was run")))
            }
            Some((name, _)) => Err(WorkbenchError::Usage(format!(
                "there is no variable {name}; there are {}: nothing was run",
                names.join(", ")
            ))),
        }
    }

    /// Where the stores of this session are, for an extension whose recording names those of another machine.
    fn places(&self, recorded: &Recorded, stored: &[StoredVariable]) -> Result<Vec<SeenVariable>, WorkbenchError> {
        let local = self.local()?;
        let access = local.sandbox()?.access();
        let seen = |name: &str, value: &str, secure| SeenVariable { name: name.into(), value: value.into(), secure };
        // As the recording names the host: code that says `mongodb://` wants a port, `mongodb+srv://` a name without one.
        let host = recorded.variables.iter().find(|v| v.name == "DB_HOST").map(|v| v.value.as_str());
        let with_port = host.is_some_and(|host| host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok()));
        let host = if with_port { access.mongodb.clone() } else { local.db_host()? };
        let all = [
            seen("DATA_API_ENDPOINT", &access.data_api, false),
            seen("API_KEY", access.api_key.reveal(), true),
            seen("DB_HOST", &host, false),
            seen("DB_USER", &access.user, false),
            seen("DB_PASSWORD", access.password.reveal(), true),
        ];
        let wanted =
            |v: &SeenVariable| recorded.variables.iter().any(|r| r.name == v.name) || stored.iter().any(|s| s.name == v.name);
        Ok(all.into_iter().filter(wanted).collect())
    }

    async fn with_lent(
        &self,
        platform: &Platform,
        lent: Vec<SeenVariable>,
        rerun: Rerun,
    ) -> Result<crate::platform::Queued, WorkbenchError> {
        let turn = Arc::clone(&self.0.runs.0).lock_owned().await;
        let loan = Loan { workbench: self.clone(), platform: platform.clone(), was_held: platform.is_held(), _turn: turn };
        platform.hold(true);
        let expected = self.0.runner.expect();
        let told = platform.lend(&lent).map_err(|e| WorkbenchError::Failed(e.to_string()))?;
        if told == 0 || !self.0.runner.acknowledged(expected, told, ACKNOWLEDGED_WITHIN).await {
            loan.give_back().await;
            let why = if told == 0 { "no runtime is connected" } else { "the runtime has not acknowledged them" };
            return Err(WorkbenchError::Failed(format!("nothing was run: other variables could not be put in force, {why}")));
        }
        let queued = match platform.rerun(rerun).await {
            Ok(queued) => queued,
            Err(error) => {
                loan.give_back().await;
                return Err(usage(&error));
            }
        };
        let task_id = queued.task_id.clone();
        tokio::spawn(async move {
            while loan.platform.is_out(&task_id) {
                tokio::time::sleep(LOOK_EVERY).await;
            }
            loan.give_back().await;
        });
        Ok(queued)
    }
}

/// Variables that are lent, until they are given back.
struct Loan {
    workbench: Workbench,
    platform: Platform,
    was_held: bool,
    _turn: OwnedMutexGuard<()>,
}

impl Loan {
    /// Puts the stored variables in force again and lets deliveries go on.
    async fn give_back(self) {
        let expected = self.workbench.0.runner.expect();
        let told = self.platform.apply().unwrap_or_default();
        if told > 0 && !self.workbench.0.runner.acknowledged(expected, told, ACKNOWLEDGED_WITHIN).await {
            let message =
                "the runtime has not acknowledged that the stored variables are in force again after a replay with others";
            self.workbench.tell(Level::Error, "platform", message.into());
        }
        if !self.was_held {
            self.platform.hold(false);
        }
    }
}

/// Changes the object as asked; says what was changed.
fn edit(capture: &mut Capture, run: &RunAgain) -> Result<Option<String>, WorkbenchError> {
    let mut edited = Vec::new();
    if let Some(object) = run.object.clone().filter(|object| *object != capture.object) {
        if object.get("id") != capture.object.get("id") {
            let id = capture.object.get("id").and_then(Value::as_str).unwrap_or_default();
            return Err(WorkbenchError::Usage(format!(
                "an edited replay keeps its id ({id}); `trigger --file` makes a new object"
            )));
        }
        capture.object = object;
        edited.push("the object was edited".to_owned());
    }
    for (path, value) in &run.set {
        Platform::set(&mut capture.object, path, value).map_err(|e| usage(&e))?;
        edited.push(format!("edited at {path}"));
    }
    Ok((!edited.is_empty()).then(|| edited.join(", ")))
}

fn marks(run: &RunAgain, edited: bool, lent: bool) -> Vec<Mark> {
    let all = [
        (edited, Mark::Edited),
        (lent && !run.variables.is_empty(), Mark::Variables),
        (run.hermetic, Mark::Hermetic),
        (run.shadow, Mark::Shadow),
    ];
    all.into_iter().filter_map(|(has, mark)| has.then_some(mark)).collect()
}
