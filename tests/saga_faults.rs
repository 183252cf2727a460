//! Breakpoints and faults in the sagas of a Rust extension, against a real local Connect and a real sandbox: a step that
//! hangs, is late, skipped or aborted; a write that fails, through either backend; and the time limit, which does not count
//! at a breakpoint, neither for background tasks nor for interactive ones.
#![cfg(feature = "console")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers outside #[test] functions fail by panicking

#[path = "support/until.rs"]
mod until;

use std::sync::Arc;
use std::time::Duration;

use bson::doc;
use connect_console::extension::{Background, Extension};
use connect_console::fulfillment::{FnStep, FnTransaction, FnValidation, Saga, Sequence, validation};
use connect_console::observe::control::{Fault, Place, Release};
use connect_console::observe::{Backend, Controls, Fact, Memory, Observation, Observer, StepKind, StepOutcome};
use connect_console::platform::{Platform, PlatformOptions};
use connect_console::runtime::{Limits, Runtime, RuntimeOptions};
use connect_console::sandbox::{Sandbox, SandboxOptions};
use connect_console::storage::{Observed, Settings, Store, Stores};
use rstest::rstest;
use tempfile::TempDir;
use until::until_seen;

const PURCHASE: &str = "asset_purchase_request_processing";
const VALIDATION: &str = "asset_purchase_request_validation";
const LIMIT: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Default)]
struct Watched(Memory, Controls);

impl Observer for Watched {
    fn observe(&self, observation: Observation) {
        self.0.observe(observation);
    }

    fn controls(&self) -> Option<Controls> {
        Some(self.1.clone())
    }
}

struct Local {
    platform: Platform,
    runtime: Runtime,
    watched: Arc<Watched>,
    _dir: TempDir,
}

/// How a delivery ended: its result, its reason, and what was seen of it.
struct Ended {
    result: String,
    message: String,
    seen: Vec<Observation>,
}

impl Ended {
    /// The steps that began, with their names.
    fn steps(&self) -> Vec<String> {
        let step = |o: &Observation| match &o.fact {
            Fact::StepStarted { step_kind, name, .. } if step_kind.can_be_stopped() => Some(format!("{step_kind} {name}")),
            _ => None,
        };
        self.seen.iter().filter_map(step).collect()
    }

    fn injected(&self) -> Vec<String> {
        let what = |o: &Observation| match &o.fact {
            Fact::Injected { what } => Some(what.clone()),
            _ => None,
        };
        self.seen.iter().filter_map(what).collect()
    }
}

impl Local {
    async fn start(extension: Extension) -> Self {
        connect_console::connect::tls::install();
        let dir = tempfile::tempdir().unwrap();
        let watched = Arc::new(Watched::default());
        let options = PlatformOptions { dir: dir.path().join("connect"), ..PlatformOptions::default() };
        let platform = Platform::start(options, Arc::clone(&watched) as _).await.unwrap();
        let access = platform.access();
        let options = RuntimeOptions {
            api_key: access.api_key.clone(),
            environment_id: access.environment_id.clone(),
            instance_id: "faults".into(),
            server_address: access.server_address.clone(),
            api_address: access.api_address.clone(),
            unsecure: true,
            outbox: dir.path().join("outbox"),
            limits: Limits { background: LIMIT, interactive: LIMIT, ..Limits::default() },
        };
        let runtime = Runtime::start(options, extension, Arc::clone(&watched) as _).unwrap();
        Self { platform, runtime, watched, _dir: dir }
    }

    fn controls(&self) -> &Controls {
        &self.watched.1
    }

    async fn trigger(&self, event_type: &str, note: &str) -> String {
        let set = [("note".to_owned(), note.to_owned())];
        self.platform.trigger(event_type, None, &set).await.unwrap().task_id
    }

    /// Waits until the delivery of a task stands.
    async fn held(&self, task: &str) -> u64 {
        let standing = || {
            let key = self.of(task).first().and_then(|o| o.delivery.clone());
            let held = self.controls().set().held;
            key.and_then(|key| held.into_iter().find(|(_, held)| held.delivery.as_ref() == Some(&key)).map(|(id, _)| id))
        };
        let mut changes = self.controls().changes();
        let stands = changes.wait_for(|_| standing().is_some());
        drop(tokio::time::timeout(PATIENCE, stands).await.expect("nobody stands at the breakpoint").unwrap());
        standing().unwrap()
    }

    fn of(&self, task: &str) -> Vec<Observation> {
        let all = self.watched.0.seen();
        let arrived = |o: &&Observation| matches!(&o.fact, Fact::TaskArrived(arrived) if arrived.task_id == task);
        let Some(key) = all.iter().find(arrived).and_then(|o| o.delivery.clone()) else { return Vec::new() };
        all.into_iter().filter(|o| o.delivery.as_ref() == Some(&key)).collect()
    }

    fn answered(&self, task: &str) -> bool {
        self.of(task).iter().any(|o| matches!(o.fact, Fact::ResultSent { .. }))
    }

    async fn ended(&self, task: &str) -> Ended {
        until_seen(&self.watched.0, PATIENCE, task, || self.answered(task).then_some(())).await;
        let seen = self.of(task);
        let answer = seen.iter().find_map(|o| match &o.fact {
            Fact::Answered(answer) => Some((answer.result.clone(), answer.message.clone().unwrap_or_default())),
            _ => None,
        });
        let (result, message) = answer.unwrap();
        Ended { result, message, seen }
    }

    async fn stop(self) {
        self.controls().clear();
        self.runtime.stop().await;
        self.platform.stop().await;
    }
}

fn place(step_kind: StepKind, name: &str) -> Place {
    Place { step_kind: Some(step_kind), name: Some(name.into()) }
}

/// A transaction for the requests whose note is its name; what it did is undone, and the request fails.
fn named(name: &'static str) -> FnTransaction {
    let wanted = move |_, request: connect_console::fulfillment::Request| async move { Ok(request.raw()["note"] == name) };
    FnTransaction::new(name, wanted, |_, _| async { Ok(Background::Done) })
        .compensate(|_, _, error| async move { Ok(Background::Fail(format!("undone: {error}"))) })
}

fn extension() -> Extension {
    let steps = Sequence::new("both", |_, request| async move { Ok(request.raw()["note"] == "both") })
        .step(FnStep::new("first", |_, _| async { Ok(Background::Done) }).undo(|_, _| async { Ok(()) }))
        .step(FnStep::new("second", |_, _| async { Ok(Background::Done) }))
        .compensate(|_, _, error| async move { Ok(Background::Fail(error.to_string())) });
    let saga = Saga::new("purchase").transaction(named("stands")).transaction(named("hangs")).transaction(steps);
    let seats = FnValidation::new("seats", |_, _| async { Ok(()) });
    Extension::new("faults", "1").background(PURCHASE, &["pending"], saga.handler()).interactive(
        VALIDATION,
        &["draft"],
        validation(seats),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn at_a_breakpoint_a_background_task_outlives_its_time_limit_while_one_that_hangs_does_not() {
    let local = Local::start(extension()).await;
    local.controls().stop_before(place(StepKind::Execute, "stands"));
    local.controls().spoil(place(StepKind::Execute, "hangs"), Fault::Hang);
    let stands = local.trigger(PURCHASE, "stands").await;
    let held = local.held(&stands).await;
    let hangs = local.ended(&local.trigger(PURCHASE, "hangs").await).await;
    assert_eq!(hangs.result, "retry");
    assert!(hangs.message.contains("did not answer within 2 s"), "{}", hangs.message);
    assert_eq!(hangs.injected(), ["injected into execute hangs: it hangs"]);
    let open = hangs.seen.iter().filter(|o| matches!(o.fact, Fact::StepStarted { step_kind: StepKind::Execute, .. })).count();
    assert_eq!(open, 1, "what hangs is not compensated, as nothing is that runs out of time");
    // The other one has stood for longer than that.
    assert!(!local.answered(&stands));
    assert!(local.controls().release(held, Release::Continue));
    let stood = local.ended(&stands).await;
    assert_eq!((stood.result.as_str(), stood.injected().len()), ("success", 0), "{}", stood.message);
    local.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn at_a_breakpoint_an_interactive_task_outlives_its_time_limit_too_and_can_be_skipped_aborted_and_spoilt() {
    let local = Local::start(extension()).await;
    let breakpoint = local.controls().stop_before(place(StepKind::Execute, "seats"));
    local.controls().spoil(place(StepKind::Execute, "hangs"), Fault::Hang);
    let stands = local.trigger(VALIDATION, "").await;
    let held = local.held(&stands).await;
    assert_eq!(local.ended(&local.trigger(PURCHASE, "hangs").await).await.result, "retry");
    assert!(!local.answered(&stands), "as long as that is its limit");
    local.controls().release(held, Release::Continue);
    assert_eq!(local.ended(&stands).await.result, "success");

    for (how, expected) in [(Release::Skip, "was skipped at a breakpoint"), (Release::Abort, "aborted at the breakpoint")] {
        let task = local.trigger(VALIDATION, "").await;
        local.controls().release(local.held(&task).await, how);
        let ended = local.ended(&task).await;
        assert_eq!(ended.result, "fail", "there is no answer to give without the step");
        assert!(ended.message.contains(expected), "{}", ended.message);
        assert_eq!(ended.injected().len(), 1);
    }
    local.controls().take_back(breakpoint);
    local.controls().spoil(place(StepKind::Execute, "seats"), Fault::Fail { message: "no seats".into() });
    let ended = local.ended(&local.trigger(VALIDATION, "").await).await;
    assert!(ended.message.contains("injected into execute seats: no seats"), "{}", ended.message);
    local.controls().spoil(place(StepKind::Execute, "seats"), Fault::Hang);
    let ended = local.ended(&local.trigger(VALIDATION, "").await).await;
    assert_eq!(ended.result, "fail");
    assert!(ended.message.contains("did not answer within 2 s"), "{}", ended.message);
    local.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_step_does_its_work_after_all_and_one_that_is_too_late_runs_out_of_time() {
    let local = Local::start(extension()).await;
    local.controls().spoil(place(StepKind::Execute, "hangs"), Fault::Late { millis: 100 });
    let late = local.ended(&local.trigger(PURCHASE, "hangs").await).await;
    assert_eq!(
        (late.result.as_str(), late.injected()),
        ("success", vec!["injected into execute hangs: it is 100 ms late".into()])
    );
    let micros = late.seen.iter().filter_map(|o| match o.fact {
        Fact::StepEnded { outcome: StepOutcome::Done, micros, .. } => Some(micros),
        _ => None,
    });
    assert!(micros.min().unwrap() >= 100_000, "the waterfall shows the time it was late");
    local.controls().spoil(place(StepKind::Execute, "hangs"), Fault::Late { millis: 60_000 });
    let late = local.ended(&local.trigger(PURCHASE, "hangs").await).await;
    assert!(late.result == "retry" && late.message.contains("did not answer within 2 s"), "{}", late.message);
    local.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_skipped_goes_on_without_it_and_what_is_aborted_is_not_compensated() {
    let local = Local::start(extension()).await;
    let decision = local.controls().stop_before(place(StepKind::Decision, "stands"));
    let task = local.trigger(PURCHASE, "stands").await;
    local.controls().release(local.held(&task).await, Release::Skip);
    let ended = local.ended(&task).await;
    assert!(ended.result == "retry" && ended.message.contains("Unable to select a transaction"), "a skipped decision says no");
    local.controls().take_back(decision);

    let execute = local.controls().stop_before(place(StepKind::Execute, "stands"));
    let task = local.trigger(PURCHASE, "stands").await;
    local.controls().release(local.held(&task).await, Release::Abort);
    let ended = local.ended(&task).await;
    assert_eq!(ended.result, "retry");
    assert!(!ended.steps().iter().any(|step| step.starts_with("compensate")), "{:?}", ended.steps());
    local.controls().take_back(execute);

    local.controls().stop_before(place(StepKind::Compensate, "stands"));
    for (how, expected) in [(Release::Continue, "fail"), (Release::Skip, "retry"), (Release::Abort, "retry")] {
        local.controls().spoil(place(StepKind::Execute, "stands"), Fault::Fail { message: "no money".into() });
        let task = local.trigger(PURCHASE, "stands").await;
        local.controls().release(local.held(&task).await, how);
        let ended = local.ended(&task).await;
        assert_eq!(ended.result, expected, "{how:?}: {}", ended.message);
        let said = if how == Release::Abort { "aborted at the breakpoint" } else { "no money" };
        assert!(ended.message.contains(said), "{how:?}: {}", ended.message);
    }
    local.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_of_a_sequence_that_is_made_to_fail_has_those_before_it_undone() {
    let local = Local::start(extension()).await;
    local.controls().spoil(place(StepKind::Execute, "second"), Fault::Fail { message: String::new() });
    let ended = local.ended(&local.trigger(PURCHASE, "both").await).await;
    assert_eq!(ended.result, "fail");
    assert!(ended.steps().ends_with(&["compensate first".into(), "compensate both".into()]), "{:?}", ended.steps());
    let again = local.ended(&local.trigger(PURCHASE, "both").await).await;
    assert_eq!(again.result, "success", "once is once");
    local.stop().await;
}

#[rstest]
#[case(Backend::Driver)]
#[case(Backend::DataApi)]
#[tokio::test(flavor = "multi_thread")]
async fn the_next_write_of_a_backend_fails_and_what_was_written_before_is_undone(#[case] backend: Backend) {
    connect_console::connect::tls::install();
    let dir = tempfile::tempdir().unwrap();
    let options = SandboxOptions { dir: dir.path().join("sandbox"), port: 0, http_port: 0, auth: true };
    let sandbox = Sandbox::start(options, Arc::new(Memory::default()) as _).await.unwrap();
    let settings = Arc::new(settings(&sandbox));
    let stores = Stores::default();
    let given = Arc::clone(&settings);
    let saved = FnTransaction::new(
        "save",
        |_, _| async { Ok(true) },
        move |cx, _| {
            let (stores, settings) = (stores.clone(), Arc::clone(&given));
            async move {
                // The other backend first: it is that one's document that is left when this one's write fails.
                let other = if backend == Backend::Driver { Backend::DataApi } else { Backend::Driver };
                for one in [other, backend] {
                    let store = Observed::new(stores.get(one, &settings).await?, cx.scope.clone());
                    store.insert_one(&settings.namespace(one), doc! {"a": 1}).await?;
                }
                Ok(Background::Done)
            }
        },
    )
    .compensate(|_, _, error| async move { Ok(Background::Fail(format!("undone: {error}"))) });
    let extension = Extension::new("faults", "1").background(PURCHASE, &["pending"], Saga::new("s").transaction(saved).handler());
    let local = Local::start(extension).await;
    local.controls().spoil_write(backend);
    let ended = local.ended(&local.trigger(PURCHASE, "").await).await;
    assert_eq!(ended.result, "fail");
    let what = format!("this write through the {backend} backend was made to fail");
    let told = ended.message.starts_with("undone: ") && ended.message.contains(&format!("injected: {what}"));
    assert!(told, "{}", ended.message);
    assert_eq!(ended.injected(), [what]);
    let counted = |backend| {
        let settings = Arc::clone(&settings);
        async move {
            let store = Stores::default().get(backend, &settings).await.unwrap();
            store.count(&settings.namespace(backend), &doc! {}).await.unwrap()
        }
    };
    assert_eq!(counted(backend).await, 0, "it never reached the store");
    assert_eq!(local.ended(&local.trigger(PURCHASE, "").await).await.result, "success", "once is once");
    assert_eq!(counted(backend).await, 1);
    local.stop().await;
    sandbox.stop().await;
}

fn settings(sandbox: &Sandbox) -> Settings {
    let access = sandbox.access();
    let variable = |name: &str| {
        Some(match name {
            "DATA_API_ENDPOINT" => access.data_api.clone(),
            "API_KEY" => access.api_key.reveal().to_owned(),
            "CLUSTER" => "Cluster0".into(),
            "DB" => "faults".into(),
            "HTTP_COLLECTION" => "http".into(),
            "DB_HOST" => access.mongodb.clone(),
            "DB_USER" => access.user.clone(),
            "DB_PASSWORD" => access.password.reveal().to_owned(),
            "DRIVER_COLLECTION" => "driver".into(),
            _ => return None,
        })
    };
    Settings::from_variables(variable).unwrap()
}
