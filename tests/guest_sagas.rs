//! Sagas of a Python extension under the official runner, seen through the trace hook: the same steps as those of a Rust
//! extension, in the same places; breakpoints and faults work in them; a hook that does not load is one row and no more.
//!
//! Needs what `guest_official_runner.rs` needs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers outside #[test] functions fail by panicking
#![cfg(feature = "console")]

#[path = "support/guest.rs"]
mod guest;
#[path = "support/processes.rs"]
mod processes;
mod support;
#[path = "support/until.rs"]
mod until;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use connect_console::authority::Authority;
use connect_console::connect::Param;
use connect_console::extension::{Background, Extension};
use connect_console::fulfillment::{FnMiddleware, FnTransaction, Next, Saga as FulfillmentSaga};
use connect_console::observe::control::{Fault, Place, Release};
use connect_console::observe::{
    Backend, Controls, DeliveryKey, Fact, Level, Memory, Observation, Observer, Places, StepKind, StepOutcome,
};
use connect_console::platform::{Observed, Platform, PlatformOptions, Queued, Tls};
use connect_console::runtime::guest::{FindDelivery, Guest, GuestAccess, GuestOptions, Hook, Trace};
use connect_console::runtime::{Limits, Runtime, RuntimeOptions};
use connect_console::sandbox::{Sandbox, SandboxOptions};
use guest::{PATIENCE, Project};
use processes::all_ended;
use support::python;
use tempfile::TempDir;
use until::until_seen;

const PURCHASE: &str = "asset_purchase_request_processing";

/// What a session's observer is, without its journal.
#[derive(Default)]
struct Watched {
    seen: Memory,
    controls: Controls,
    places: Places,
}

impl Observer for Watched {
    fn observe(&self, mut observation: Observation) {
        self.places.place(&mut observation);
        self.seen.observe(observation);
    }

    fn controls(&self) -> Option<Controls> {
        Some(self.controls.clone())
    }
}

struct Local {
    dir: TempDir,
    platform: Platform,
    watched: Arc<Watched>,
    guest: Guest,
    _trace: Trace,
}

impl Local {
    /// `hook` makes the hook another one.
    async fn start(python: &Path, variables: &[(&str, &str)], hook: impl Fn(Hook) -> Hook) -> Self {
        connect_console::connect::tls::install();
        let dir = tempfile::tempdir().unwrap();
        let watched = Arc::new(Watched::default());
        let tls = Tls { authority: Authority::open(dir.path()).unwrap(), port: 0 };
        let (store, observed) = (dir.path().join("connect"), Observed::Everybody);
        let options = PlatformOptions { dir: store, tls: Some(tls), observed, ..PlatformOptions::default() };
        let platform = Platform::start(options, Arc::clone(&watched) as _).await.unwrap();
        let access = platform.access();
        let finder = platform.clone();
        let find: FindDelivery = Arc::new(move |task| finder.delivery(task));
        let trace = Trace::listen(Arc::clone(&watched) as _, Arc::clone(&find), watched.places.clone()).await.unwrap();
        let options = GuestOptions {
            project: Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/saga"),
            python: Some(python.to_path_buf()),
            dir: dir.path().to_path_buf(),
            access: GuestAccess {
                server_address: access.server_address.clone(),
                api_address: access.tls_address.clone().unwrap(),
                ca_file: access.ca_file.clone().unwrap(),
                api_key: access.api_key.clone(),
                environment_id: access.environment_id.clone(),
                instance_id: None,
            },
            hooks: trace.hooks().into_iter().map(hook).collect(),
            variables: variables.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
            find_delivery: Some(find),
        };
        let guest = Guest::start(options, Arc::clone(&watched) as _).await.unwrap();
        Self { dir, platform, watched, guest, _trace: trace }
    }

    async fn trigger(&self, note: &str) -> Queued {
        let set = [("note".to_owned(), note.to_owned())];
        self.platform.trigger(PURCHASE, None, &set).await.unwrap()
    }

    fn of(&self, task: &str) -> Vec<Observation> {
        let Some(key) = self.platform.delivery(Some(task)) else { return Vec::new() };
        self.watched.seen.seen().into_iter().filter(|o| o.delivery.as_ref() == Some(&key)).collect()
    }

    async fn until<T>(&self, what: &str, look: impl Fn() -> Option<T>) -> T {
        until_seen(&self.watched.seen, PATIENCE, what, look).await
    }

    /// The delivery of a task when its result is sent, and the result.
    async fn answered(&self, task: &str) -> (Vec<Observation>, String, String) {
        let sent = || self.of(task).iter().any(|o| matches!(o.fact, Fact::ResultSent { .. })).then_some(());
        self.until(&format!("the result of {task}"), sent).await;
        let seen = self.of(task);
        let answer = seen.iter().find_map(|o| match &o.fact {
            Fact::Answered(answer) => Some((answer.result.clone(), answer.message.clone().unwrap_or_default())),
            _ => None,
        });
        let (result, message) = answer.unwrap();
        (seen, result, message)
    }

    /// The delivery of a task when a line was logged in it, too: that takes its own way, through the process's output, and may
    /// come after the result.
    async fn logged(&self, task: &str, line: &str) -> Vec<Observation> {
        let logged = || story(&self.of(task)).iter().any(|told| told == line).then_some(());
        self.until(line, logged).await;
        self.of(task)
    }

    fn told(&self) -> String {
        self.watched.seen.seen().into_iter().map(|o| format!("{} {:?}\n", o.step, o.fact)).collect()
    }

    async fn stop(self) {
        self.watched.controls.clear();
        self.guest.stop().await;
        self.platform.stop().await;
    }
}

/// A delivery in words: where each fact is, and what it is. Places and times of code are left out.
fn story(seen: &[Observation]) -> Vec<String> {
    let short = |text: &Option<String>| text.as_deref().map(|t| format!(" {t}")).unwrap_or_default();
    let words = |o: &Observation| {
        Some(match &o.fact {
            Fact::StepStarted { parent, step_kind, name, request } => {
                format!("{} in {parent}: {step_kind} {name}{}", o.step, if request.is_some() { " with request" } else { "" })
            }
            Fact::StepEnded { outcome, detail, request, .. } => {
                format!("{}: {outcome:?}{}{}", o.step, short(detail), if request.is_some() { ", changed" } else { "" })
            }
            Fact::ApiCall(call) if o.step > 0 => format!("{}: {} {}", o.step, call.method, call.path.split('/').next().unwrap()),
            Fact::StoreCall(call) => format!("{}: {} {} {}", o.step, call.backend, call.operation, call.collection),
            Fact::Log { target, message, .. } if matches!(target.as_str(), "eaas.eventsapp" | "extension") => {
                format!("{}: log {message}", o.step)
            }
            Fact::Held { step_kind, name, .. } => format!("{}: held {step_kind} {name}", o.step),
            Fact::Injected { what } => format!("{}: INJECTED {what}", o.step),
            _ => return None,
        })
    };
    seen.iter().filter_map(words).filter(|line| !line.contains("Unhandled exception")).collect()
}

fn place(step_kind: StepKind, name: &str) -> Place {
    Place { step_kind: Some(step_kind), name: Some(name.into()) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_saga_in_python_leaves_the_trace_a_rust_one_leaves_and_can_be_stopped_and_spoilt_like_one() {
    let Some(python) = python() else { return };
    let limit = [("BACKGROUND_TASK_MAX_EXECUTION_TIME", "3")];
    let local = Local::start(&python, &limit, |hook| hook).await;
    let options = SandboxOptions { dir: local.dir.path().join("sandbox"), port: 0, http_port: 0, auth: true };
    let sandbox = Sandbox::start(options, Arc::clone(&local.watched) as _).await.unwrap();
    let access = sandbox.access();
    let secrets = [("DB_HOST", access.mongodb.as_str(), false), ("DB_USER", access.user.as_str(), false)];
    for (name, value, secure) in secrets.into_iter().chain([("DB_PASSWORD", access.password.reveal(), true)]) {
        local.platform.set_variable(name, value, secure).await.unwrap();
    }
    leaves_a_trace(&local).await;
    stands_at_a_breakpoint_beyond_its_time_limit_while_what_hangs_does_not(&local).await;
    a_late_step_runs_after_all(&local).await;
    a_spoilt_write_is_compensated(&local).await;
    bad_sagas_are_one_readable_row_each(&local).await;
    the_handler_alone_is_one_step(&local).await;
    local.stop().await;
    sandbox.stop().await;
}

async fn leaves_a_trace(local: &Local) {
    let queued = local.trigger("").await;
    let (_, result, _) = local.answered(&queued.task_id).await;
    assert_eq!(result, "reschedule", "{}", local.told());
    let seen = local.logged(&queued.task_id, "5: log making a tenant").await;
    let expected = [
        "1 in 0: handler asset_purchase_request_processing",
        "2 in 1: saga Purchase with request",
        "3 in 2: should_execute create tenant",
        "3: Yes",
        "4 in 2: middleware timing with request",
        "5 in 4: execute create tenant with request",
        "5: log making a tenant",
        "5: PUT requests",
        "5: driver insertOne tenants",
        "5: Done reschedule in 30 s, changed",
        "4: Done reschedule in 30 s, changed",
        "2: Done reschedule in 30 s, changed",
        "1: Done reschedule",
    ];
    let mut told = story(&seen);
    let at = told.iter().position(|line| line == "5: log making a tenant").unwrap();
    let line = told.remove(at);
    told.insert(6, line);
    assert_eq!(told, expected);
    // The store is called by one of the two only.
    told.retain(|line| !line.contains(" insertOne "));
    assert_eq!(rust_twin().await, told, "a Rust saga of the same shape is told in the same words");
    let first = local.platform.delivery(Some(&queued.task_id));
    local.platform.release(&queued.task_id).unwrap();
    let again = || (local.platform.delivery(Some(&queued.task_id)) != first).then_some(());
    local.until("the next delivery", again).await;
    let (seen, result, _) = local.answered(&queued.task_id).await;
    assert_eq!(result, "success");
    let told = story(&seen).join("\n");
    assert!(told.contains("3 in 2: should_execute create tenant\n3: No\n4 in 2: should_execute approve\n4: Yes"), "{told}");
}

/// The story of the same purchase, handled in Rust.
async fn rust_twin() -> Vec<String> {
    let timing = FnMiddleware::new("timing", |_, request, next: Next| async move { next.run(&request).await });
    let create = FnTransaction::new(
        "create tenant",
        |_, request| async move { Ok(request.asset().param_text("backup_tenant_id").is_none()) },
        |cx, request| async move {
            cx.info("making a tenant");
            request.update_params(&cx.client, &[Param::new("backup_tenant_id").value("tenant")]).await?;
            Ok(Background::Reschedule(Duration::from_secs(30)))
        },
    );
    let saga = FulfillmentSaga::new("Purchase").middleware(timing).transaction(create);
    let extension = Extension::new("twin", "1").background(PURCHASE, &["pending"], saga.handler());
    let dir = tempfile::tempdir().unwrap();
    let seen = Arc::new(Memory::default());
    let options = PlatformOptions { dir: dir.path().join("connect"), ..PlatformOptions::default() };
    let platform = Platform::start(options, Arc::clone(&seen) as _).await.unwrap();
    let access = platform.access();
    let options = RuntimeOptions {
        api_key: access.api_key.clone(),
        environment_id: access.environment_id.clone(),
        instance_id: "twin".into(),
        server_address: access.server_address.clone(),
        api_address: access.api_address.clone(),
        unsecure: true,
        outbox: dir.path().join("outbox"),
        limits: Limits::default(),
    };
    let runtime = Runtime::start(options, extension, Arc::clone(&seen) as _).unwrap();
    platform.trigger(PURCHASE, None, &[]).await.unwrap();
    let sent = || seen.seen().iter().any(|o| matches!(o.fact, Fact::ResultSent { .. })).then_some(());
    until_seen(&seen, PATIENCE, "the result of the Rust twin", sent).await;
    runtime.stop().await;
    platform.stop().await;
    story(&seen.seen().into_iter().filter(|o| o.delivery.is_some()).collect::<Vec<_>>())
}

async fn stands_at_a_breakpoint_beyond_its_time_limit_while_what_hangs_does_not(local: &Local) {
    let controls = &local.watched.controls;
    controls.spoil(place(StepKind::Execute, "break"), Fault::Hang);
    let breakpoint = controls.stop_before(place(StepKind::Execute, "create tenant"));
    let queued = local.trigger("").await;
    let held = local.until("the breakpoint", || controls.set().held.keys().next().copied()).await;
    let key: DeliveryKey = local.platform.delivery(Some(&queued.task_id)).unwrap();
    assert!(controls.holds(&key));
    // The limit of both is 3 s, and it is over for the one that hangs.
    let hanging = local.trigger("broken").await;
    let (seen, result, message) = local.answered(&hanging.task_id).await;
    assert!(result == "retry" && message.trim_end().ends_with("TimeoutError"), "{result}: {message}");
    assert!(story(&seen).iter().any(|line| line.ends_with("INJECTED injected into execute break: it hangs")), "{seen:#?}");
    assert!(controls.holds(&key) && !local.of(&queued.task_id).iter().any(|o| matches!(o.fact, Fact::Answered(_))));
    // Its thread does not wait for ever: it is told that the delivery is over.
    let let_go = || {
        let gone =
            |o: &Observation| matches!(&o.fact, Fact::StepEnded { detail: Some(why), .. } if why == "the delivery is over");
        local.of(&hanging.task_id).iter().any(gone).then_some(())
    };
    local.until("the thread that hung to be let go", let_go).await;
    controls.take_back(breakpoint);
    assert!(controls.release(held, Release::Skip));
    let (seen, result, message) = local.answered(&queued.task_id).await;
    assert_eq!((result.as_str(), message.as_str()), ("skip", "execute create tenant was skipped at a breakpoint"));
    let told = story(&seen).join("\n");
    assert!(told.contains("5: held execute create tenant\n5: INJECTED"), "{told}");

    controls.stop_before(place(StepKind::Decision, "create tenant"));
    let queued = local.trigger("").await;
    let held = local.until("the breakpoint", || controls.set().held.keys().next().copied()).await;
    controls.release(held, Release::Abort);
    controls.clear();
    let (_, result, message) = local.answered(&queued.task_id).await;
    assert_eq!(result, "retry");
    assert!(message.contains("aborted at the breakpoint before should_execute create tenant"), "{message}");
}

async fn a_late_step_runs_after_all(local: &Local) {
    local.watched.controls.spoil(place(StepKind::Execute, "create tenant"), Fault::Late { millis: 300 });
    let queued = local.trigger("").await;
    let (seen, result, _) = local.answered(&queued.task_id).await;
    assert_eq!(result, "reschedule");
    let took = seen.iter().find_map(|o| match &o.fact {
        Fact::StepEnded { micros, .. } if o.step == 5 => Some(*micros),
        _ => None,
    });
    assert!(took.unwrap() >= 300_000, "the time it was late is its own: {:#?}", story(&seen));
    local.watched.controls.spoil(place(StepKind::Compensate, "create tenant"), Fault::Fail { message: "no undo".into() });
    let fault = Fault::Fail { message: "no licence left".into() };
    local.watched.controls.spoil(place(StepKind::Execute, "create tenant"), fault);
    let queued = local.trigger("").await;
    let (_, result, message) = local.answered(&queued.task_id).await;
    assert!(result == "retry" && message.contains("injected into compensate create tenant: no undo"), "{result}: {message}");
}

async fn a_spoilt_write_is_compensated(local: &Local) {
    local.watched.controls.spoil_write(Backend::Driver);
    let queued = local.trigger("").await;
    let (_, result, message) = local.answered(&queued.task_id).await;
    assert_eq!(result, "fail", "{message}");
    let seen = local.logged(&queued.task_id, "6: log the tenant is removed again").await;
    assert!(message.contains("no tenant: injected: this write through the driver backend was made to fail"), "{message}");
    let told = story(&seen);
    let compensated = told.iter().position(|line| line.contains("in 4: compensate create tenant")).expect("a compensation");
    assert!(told[..compensated].iter().any(|line| line.starts_with("5: INJECTED")), "{told:#?}");
    assert!(told[..compensated].iter().any(|line| line == "5: driver insertOne tenants"), "the write that failed: {told:#?}");

    let fault = Fault::Fail { message: "no licence left".into() };
    local.watched.controls.spoil(place(StepKind::Execute, "create tenant"), fault);
    let queued = local.trigger("").await;
    let (_, result, message) = local.answered(&queued.task_id).await;
    assert_eq!(result, "fail");
    assert!(message.contains("injected into execute create tenant: no licence left"), "{message}");
}

async fn bad_sagas_are_one_readable_row_each(local: &Local) {
    let cases = [
        ("none", "retry", "TransactionNotSelected: Unable to select a transaction. (adapters.py line"),
        ("missing", "retry", "DependencyBuildingFailure: NeedsMore needs nowhere, which nothing provides (application.py line"),
        ("broken", "retry", "ValueError: the vendor is away (events.py line"),
        // What it calls is not its own: told is where it calls it.
        ("unreadable", "retry", "JSONDecodeError: Expecting value: line 1 column 1 (char 0) (events.py line"),
        ("silent", "skip", "skip: nothing to do here (without calling on)"),
    ];
    for (note, expected, why) in cases {
        let queued = local.trigger(note).await;
        let (seen, result, _) = local.answered(&queued.task_id).await;
        assert_eq!(result, expected, "{note}");
        let rows = seen.iter().filter(|o| matches!(&o.fact, Fact::StepEnded { detail: Some(d), .. } if d.contains(why)));
        assert!(rows.count() >= 1, "{note}: {:#?}", story(&seen));
    }
}

async fn the_handler_alone_is_one_step(local: &Local) {
    let queued = local.platform.trigger("asset_change_request_processing", None, &[]).await.unwrap();
    let (seen, result, _) = local.answered(&queued.task_id).await;
    assert_eq!(result, "success");
    let told: Vec<_> = story(&seen).into_iter().filter(|line| !line.contains("log")).collect();
    assert_eq!(told, ["1 in 0: handler asset_change_request_processing", "1: Done success"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_that_cannot_be_loaded_is_one_row_and_the_task_is_answered_all_the_same() {
    let Some(python) = python() else { return };
    let broken = |_| Hook::new("trace", "raise ImportError('not on this Python')\n", Vec::new());
    let local = Local::start(&python, &[], broken).await;
    let queued = local.trigger("").await;
    let (seen, result, _) = local.answered(&queued.task_id).await;
    assert_eq!(result, "reschedule");
    assert!(
        !seen.iter().any(|o| matches!(o.fact, Fact::StepStarted { .. } | Fact::StepEnded { outcome: StepOutcome::Done, .. }))
    );
    let said = |o: Observation| match o.fact {
        Fact::Log { level: Level::Warning, target, message } if target == "connect_console.hook" => Some(message),
        _ => None,
    };
    let rows: Vec<String> = local.watched.seen.seen().into_iter().filter_map(said).collect();
    assert_eq!(rows.len(), 1, "{rows:?}");
    let row = &rows[0];
    assert!(row.starts_with("the trace hook could not be loaded: ImportError: not on this Python ("), "{row}");
    assert!(row.ends_with("hook_trace.py line 1); the extension runs without it"), "{row}");
    local.stop().await;
}

/// A copy of the project whose transaction and handler leave a line in a file.
fn noting_project() -> Option<Project> {
    let project = Project::copy_of("saga")?;
    let note = "\n\ndef note(line):\n    with open('noted', 'a') as file:\n        file.write(f'{line}\\n')\n";
    let hooks = "','.join(sorted(name for name in sys.modules if name.startswith('connect_console_hook')))";
    let resolve = "return Purchase.make(self.config, self.client, self.logger).resolve(request)";
    let noted = format!(
        "note('hooks: ' + {hooks})\n        try:\n            {resolve}\n        except BaseException as error:\n            \
         note(f'{{type(error).__name__}}: {{error}}')\n            raise"
    );
    let changes = [
        ("from pymongo import MongoClient\n", "from pymongo import MongoClient\nimport sys\n"),
        ("\n\nTENANT = ", &format!("{note}\n\nTENANT = ")),
        ("self.logger.info('making a tenant')", "note('executed')"),
        ("self.logger.warning('the tenant is removed again')", "note('compensated')"),
        (resolve, &noted),
    ];
    project.change("saga/events.py", &changes);
    Some(project)
}

fn noted(project: &Project) -> Vec<String> {
    let text = std::fs::read_to_string(project.path().join("noted")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_console_that_is_killed_at_a_breakpoint_does_not_run_the_step_and_its_task_comes_again() {
    let Some(project) = noting_project() else { return };
    let mut session = project.session(&[], |_| ());
    project.run(&["sagas", "break", "create tenant", "--kind", "execute"]);
    let task = project.run(&["--json", "trigger", PURCHASE]).object();
    let held = session.until_within(PATIENCE, "the breakpoint", |seen| seen["kind"] == "held")["delivery"].to_string();
    let guest = project.processes();
    assert!(!guest.is_empty());
    session.kill();
    tokio::time::timeout(PATIENCE, all_ended(guest)).await.expect("the extension hangs at a breakpoint nobody can let go");
    // Who makes those end that do not listen leaves last.
    tokio::time::timeout(PATIENCE, all_ended(project.processes())).await.expect("one of them left another behind");
    assert_eq!(project.processes(), [], "nor has one of them left another behind");
    let hooks = "hooks: connect_console_hook_sandbox,connect_console_hook_stores,connect_console_hook_trace";
    let aborted = "Aborted: the console went away while this stood at a breakpoint";
    assert_eq!(noted(&project), [hooks, aborted], "neither executed nor compensated");

    let session = project.session(&[], |_| ());
    let answer = session.until_within(PATIENCE, "the task again", |seen| seen["kind"] == "answered");
    assert_eq!(answer["result"], "reschedule", "{answer}");
    assert_eq!(noted(&project)[2..], [hooks, "executed"]);
    let again = project.run(&["--json", "events", "show", &answer["delivery"].to_string()]).object();
    assert_eq!((&again["task_id"], &again["attempt"]), (&task["task_id"], &2.into()));
    let shown = project.run(&["sagas", "show", &held]).stdout;
    assert!(shown.contains("why: interrupted at the breakpoint before execute create tenant: "), "{shown}");
    assert!(shown.contains("held before execute create tenant") && shown.contains("execute create tenant  not ended"), "{shown}");
    assert!(session.terminate().success());
}

#[test]
fn without_the_trace_no_hook_of_it_is_in_the_extension_and_it_is_said_why_no_step_is_seen() {
    let Some(project) = noting_project() else { return };
    let session = project.session(&["--no-trace"], |_| ());
    let delivery = project.run(&["--json", "trigger", PURCHASE, "--wait"]).object();
    assert_eq!(delivery["result"], "reschedule", "{delivery}");
    assert_eq!(noted(&project), ["hooks: connect_console_hook_sandbox", "executed"]);
    let id = delivery["id"].to_string();
    let shown = project.run(&["sagas", "show", &id]).stdout;
    assert!(shown.contains("No step was seen of it: this session runs with --no-trace; start it without"), "{shown}");
    let refused = project.run(&["sagas", "break", "create tenant"]);
    assert!(refused.status != 0 && refused.stderr.contains("--no-trace"), "{}{}", refused.stdout, refused.stderr);
    let line = project.run(&["sagas", "show", &id, "--otlp"]).object();
    assert_eq!(line["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap().len(), 1, "the delivery alone: {line}");
    assert!(session.terminate().success());
}
