//! The official runner as a guest, for real: Python extensions unchanged, on the local Connect and the sandbox.
//!
//! Needs a Python with `connect-extension-runner`, `motor` and `pymongo`: its path is taken from the variable
//! `CONNECT_CONSOLE_TEST_PYTHON`. Where that is not set these tests say `skipped: ...` and pass.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers outside #[test] functions fail by panicking
#![cfg(feature = "console")]

mod support;
#[path = "support/until.rs"]
mod until;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use connect_console::authority::Authority;
use connect_console::observe::{Backend, Fact, Level, Memory, Observer};
use connect_console::platform::{Observed, Platform, PlatformOptions, Tls};
use connect_console::runtime::guest::{Guest, GuestOptions, GuestState, Hook};
use connect_console::sandbox::{self, Sandbox, SandboxOptions};
use connect_console::storage::{self, Find, Settings};
use connect_console::workbench::Host;
use serde_json::Value;
use support::{copy, python};
use tempfile::TempDir;
use until::until_seen;

const PURCHASE: &str = "asset_purchase_request_processing";
/// The official runner takes 8 to 15 s to connect on an idle machine.
const PATIENCE: Duration = Duration::from_secs(120);

struct Local {
    dir: TempDir,
    platform: Platform,
    seen: Arc<Memory>,
}

impl Local {
    async fn start() -> Self {
        connect_console::connect::tls::install();
        let dir = tempfile::tempdir().unwrap();
        let seen = Arc::new(Memory::default());
        let tls = Tls { authority: Authority::open(dir.path()).unwrap(), port: 0 };
        let options = PlatformOptions {
            dir: dir.path().join("connect"),
            tls: Some(tls),
            observed: Observed::Everybody,
            ..PlatformOptions::default()
        };
        let platform = Platform::start(options, Arc::clone(&seen) as _).await.unwrap();
        Self { dir, platform, seen }
    }

    async fn guest(&self, python: &Path, project: &Path, hooks: Vec<Hook>) -> Guest {
        let host = Host::Local(self.platform.clone());
        let options = GuestOptions { hooks, ..host.guest_options(project, Some(python), self.dir.path()).unwrap() };
        Guest::start(options, Arc::clone(&self.seen) as Arc<dyn Observer>).await.unwrap()
    }

    fn logged(&self, part: &str) -> bool {
        self.seen.seen().iter().any(|o| matches!(&o.fact, Fact::Log { message, .. } if message.contains(part)))
    }

    /// What was seen of a task's delivery, in words, without its log lines and with them alone.
    fn story(&self, task: &str) -> (Vec<String>, Vec<String>) {
        let key = self.platform.delivery(Some(task)).expect("a delivery");
        let of_delivery = self.seen.seen().into_iter().filter(|o| o.delivery.as_ref() == Some(&key));
        let words = |fact| match fact {
            Fact::TaskArrived(task) => format!("arrived {}", task.event_type),
            Fact::ApiCall(call) => format!("{} {}", call.method, call.path.split(['?', '/']).next().unwrap_or_default()),
            Fact::ObjectFetched { .. } => "fetched".into(),
            Fact::Answered(answer) => format!("answered {}", answer.result),
            Fact::ResultSent { .. } => "sent".into(),
            Fact::Log { target, message, .. } => format!("log {target}: {message}"),
            other => format!("{other:?}"),
        };
        of_delivery.map(|o| words(o.fact)).partition(|words| !words.starts_with("log "))
    }

    fn log(&self) -> String {
        let line = |fact| match fact {
            Fact::Log { level, target, message } => Some(format!("{level} {target}: {message}\n")),
            _ => None,
        };
        self.seen.seen().into_iter().filter_map(|o| line(o.fact)).collect()
    }

    async fn until(&self, what: &str, holds: impl Fn() -> bool) {
        until_seen(&self.seen, PATIENCE, what, || holds().then_some(())).await;
    }
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python").join(name)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tutorial_in_python_saves_a_purchase_both_ways_and_leaves_nothing_running() {
    let Some(python) = python() else { return };
    let local = Local::start().await;
    let options = SandboxOptions { dir: local.dir.path().to_path_buf(), port: 0, http_port: 0, auth: true };
    let sandbox = Sandbox::start(options, Arc::clone(&local.seen) as _).await.unwrap();
    let access = sandbox.access();
    let variables = [
        ("DATA_API_ENDPOINT", access.data_api.as_str(), false),
        ("API_KEY", access.api_key.reveal(), true),
        ("CLUSTER", "Cluster0", false),
        ("DB", "tutorial", false),
        ("HTTP_COLLECTION", "http_requests", false),
        ("DRIVER_COLLECTION", "driver_requests", false),
        ("DB_HOST", sandbox::HOST, false),
        ("DB_USER", access.user.as_str(), false),
        ("DB_PASSWORD", access.password.reveal(), true),
    ];
    for (name, value, secure) in variables {
        local.platform.set_variable(name, value, secure).await.unwrap();
    }
    let hooks = vec![Hook::sandbox(sandbox::HOST, access.port())];
    let guest = local.guest(&python, &fixture("tutorial"), hooks).await;
    let queued = local.platform.trigger(PURCHASE, None, &[]).await.unwrap();

    let id = queued.object_id.as_str();
    local.until("the result", || local.logged(&format!("Result for task {} has been sent", queued.task_id))).await;
    let complete = || local.story(&queued.task_id).0.last().is_some_and(|last| last == "sent");
    local.until("the end of the delivery", complete).await;
    let (facts, log) = local.story(&queued.task_id);
    let arrived = format!("arrived {PURCHASE}");
    let expected = [arrived.as_str(), "GET requests", "GET requests", "fetched", "answered success", "sent"];
    assert_eq!(facts, expected);
    assert!(log.contains(&format!("log eaas.eventsapp: Received purchase request {id}")), "{log:#?}");
    assert!(local.logged(&format!("{id} saved through the Data API")));
    assert_eq!(guest.status().borrow().state, GuestState::Running);

    let find = |name: &str| variables.iter().find(|(n, ..)| *n == name).map(|(_, value, _)| (*value).to_owned());
    let settings = Settings { db_host: access.mongodb.clone(), ..Settings::from_variables(find).unwrap() };
    for backend in [Backend::Driver, Backend::DataApi] {
        let store = storage::connect(backend, &settings).await.unwrap();
        let filter = storage::query::parse_document(&format!("{{ id: '{id}' }}")).unwrap();
        let query = Find { filter, ..Find::default() };
        let found = store.find(&settings.namespace(backend), &query).await.unwrap();
        assert_eq!(found.len(), 1, "documents of {id} written through {backend}");
    }

    let mut status = guest.status();
    let before = status.borrow_and_update().configured;
    local.platform.apply().unwrap();
    let acknowledged = status.wait_for(|status| status.configured > before);
    tokio::time::timeout(PATIENCE, acknowledged).await.unwrap().unwrap();

    let pid = guest.status().borrow().pid.unwrap();
    let arguments = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    assert!(!arguments.contains(local.platform.access().api_key.reveal()));
    guest.stop().await;
    assert_eq!(living_of_group(pid), Vec::<String>::new());
    sandbox.stop().await;
    local.platform.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_probe_in_python_answers_each_note_with_its_result_and_calls_the_api_over_https() {
    let Some(python) = python() else { return };
    let local = Local::start().await;
    let guest = local.guest(&python, &fixture("probe"), Vec::new()).await;
    let mut tasks = Vec::new();
    for note in ["bench:success", "bench:rest", "bench:raise", "bench:reschedule:40", "bench:config"] {
        let set = [("note".to_owned(), note.to_owned())];
        tasks.push((note, local.platform.trigger(PURCHASE, None, &set).await.unwrap()));
    }
    for (note, queued) in &tasks {
        let sent = format!("Result for task {} has been sent", queued.task_id);
        local.until(&format!("the result of {note}"), || local.logged(&sent)).await;
    }
    let approved = local.platform.object("requests", &tasks[1].1.object_id).unwrap();
    assert_eq!(approved.get("status").and_then(Value::as_str), Some("approved"), "{}", local.log());
    let (facts, _) = local.story(&tasks[1].1.task_id);
    assert!(facts.contains(&"POST requests".to_owned()), "{facts:?}");
    let traceback = local.seen.seen().into_iter().find_map(|o| match o.fact {
        Fact::Log { level: Level::Error, target, message } if message.contains("ValueError: bench raises") => {
            Some((target, message))
        }
        _ => None,
    });
    let (target, message) = traceback.expect("the traceback as one row");
    assert_eq!(target, "eaas.eventsapp");
    assert!(message.starts_with("Unhandled exception during execution of task"), "{message}");
    local.until("two redeliveries", || local.platform.waiting().len() == 2).await;
    guest.stop().await;
    local.platform.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_source_reloads_the_extension_and_every_task_of_that_time_is_answered_once() {
    let Some(python) = python() else { return };
    let local = Local::start().await;
    let project = local.dir.path().join("project");
    copy(&fixture("probe"), &project);
    let guest = local.guest(&python, &project, Vec::new()).await;
    local.until("it is connected", || local.platform.connections().len() == 2).await;
    let trigger = async |note: &str| {
        let set = [("note".to_owned(), note.to_owned())];
        local.platform.trigger(PURCHASE, None, &set).await.unwrap().task_id
    };
    let mut tasks = vec![trigger("bench:sleep:2").await];
    local.until("the first is in its hands", || local.platform.delivery(Some(&tasks[0])).is_some()).await;
    let source = project.join("probe/events.py");
    let text = std::fs::read_to_string(&source).unwrap();
    std::fs::write(&source, format!("{text}\n# changed\n")).unwrap();
    local.until("the reload is a row", || local.logged("reload: probe/events.py changed; the runner starts anew")).await;
    for _ in 0..5 {
        tasks.push(trigger("bench:success").await);
    }
    let count = |wanted: &str| {
        let seen = local.seen.seen();
        let key = |fact: &Fact| match fact {
            Fact::TaskArrived(task) if task.task_id == wanted => Some(()),
            _ => None,
        };
        let deliveries: Vec<_> = seen.iter().filter(|o| key(&o.fact).is_some()).filter_map(|o| o.delivery.clone()).collect();
        let of_task = |o: &&connect_console::observe::Observation| o.delivery.as_ref().is_some_and(|d| deliveries.contains(d));
        seen.iter().filter(of_task).filter(|o| matches!(o.fact, Fact::Answered(_))).count()
    };
    local.until("all are answered", || tasks.iter().all(|task| count(task) > 0) && local.platform.pending() == 0).await;
    for task in &tasks {
        assert_eq!(count(task), 1, "{task}: {}", local.log());
    }
    assert_eq!(guest.status().borrow().starts, 2);
    guest.stop().await;
    local.platform.stop().await;
}

/// Processes of a group that are not dead.
fn living_of_group(group: u32) -> Vec<String> {
    let stats = std::fs::read_dir("/proc").unwrap().flatten();
    let stats = stats.filter_map(|entry| std::fs::read_to_string(entry.path().join("stat")).ok());
    let of_group = |stat: &String| {
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        fields[0] != "Z" && fields[2] == group.to_string()
    };
    stats.filter(of_group).collect()
}
