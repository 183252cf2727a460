//! Our runtime and the official runner side by side, on the same local Connect, in one run:
//! `CONNECT_CONSOLE_TEST_PYTHON=.venv/bin/python cargo bench --bench official`.
//!
//! Both are processes of their own that do nothing with what they get: the built program with the extension `probe` and
//! its journal, and the official runner with the same probe in Python. Both are looked at from the other end of the
//! wire: the clock starts when the local Connect queues a task and stops when it has the result. Background tasks
//! include their two lookups over REST. The local Connect, which is the bench's own process, has the same two cores: its
//! part is printed too. At the end there is a table for the README. Where the variable names no Python with the official
//! runner, ours is measured alone.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)] // a bench prints, and fails loudly

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use connect_console::authority::Authority;
use connect_console::observe::{Discard, Fact, Observation, Observer};
use connect_console::platform::{Observed, Platform, PlatformOptions, Tls};
use connect_console::runtime::guest::{Guest, GuestOptions};
use connect_console::workbench::Host;
use futures::stream::{self, StreamExt};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

const BACKGROUND: &str = "asset_purchase_request_processing";
const INTERACTIVE: &str = "product_action_execution";
/// Tasks that were queued and not answered yet, at most: as many as a runner gets rid of, so that the local Connect,
/// which must keep them, is not what is measured.
const AT_A_TIME: usize = 512;
/// Triggers under way at once, at most.
const TRIGGERS: usize = 128;
const SOAK: usize = 100_000;

/// As the program has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    // `cargo test --benches` only wants to know that it builds.
    if std::env::args().any(|a| a == "--test") {
        return;
    }
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(side_by_side());
}

async fn side_by_side() {
    println!("ours");
    let mut stage = Stage::start().await;
    let since = Instant::now();
    let process = ours(&stage);
    let ready = stage.ready(since).await;
    let ours = stage.measure(ready, Sizes { one_at_a_time: 1_000, at_once: 10_000 }, &|| vec![process.0.id()]).await;
    drop(process);
    stage.platform.stop().await;
    let official = official().await;
    let memory = soak().await;
    table(&ours, official.as_ref(), &memory);
}

async fn official() -> Option<Figures> {
    let Some(python) = std::env::var_os("CONNECT_CONSOLE_TEST_PYTHON").map(PathBuf::from) else {
        println!("the official runner is not measured: CONNECT_CONSOLE_TEST_PYTHON names no Python that has it");
        return None;
    };
    let mut stage = Stage::start().await;
    let since = Instant::now();
    let guest = Guest::start(stage.guest_options(&python), Arc::new(Discard)).await.unwrap();
    println!("\nthe official runner {}, Python {}", guest.about().runner, guest.about().python_version);
    let pid = guest.status().wait_for(|status| status.pid.is_some()).await.unwrap().pid.unwrap();
    let ready = stage.ready(since).await;
    let figures = stage.measure(ready, Sizes { one_at_a_time: 30, at_once: 300 }, &|| family(pid)).await;
    guest.stop().await;
    stage.platform.stop().await;
    Some(figures)
}

/// Many tasks through ours: its memory must not grow with them. Says what it is after each fifth of them.
async fn soak() -> Vec<f64> {
    println!("\nours, {SOAK} background tasks");
    let mut stage = Stage::start().await;
    let ours = ours(&stage);
    let mut memory = Vec::new();
    for n in 1..=5 {
        stage.run(BACKGROUND, SOAK / 5, AT_A_TIME).await;
        memory.push(pss(&[ours.0.id()]));
        println!("{:<34}{:>11.1} MiB", format!("memory after {}", n * SOAK / 5), pss(&[ours.0.id()]));
    }
    drop(ours);
    stage.platform.stop().await;
    memory
}

/// The background tasks a second the official runner would do with its worst defect, which is to look through all installed
/// packages at every task, repaired; and the interactive ones.
const FAIR: [f64; 2] = [77.0, 250.0];

/// Everything once more, as the README has it.
fn table(ours: &Figures, official: Option<&Figures>, memory: &[f64]) {
    let row = |what: &str, of: &dyn Fn(&Figures) -> String| {
        println!("| {what} | {} | {} |", of(ours), official.map(of).unwrap_or_default());
    };
    println!("\n| what | connect-console | official runner |\n| --- | --- | --- |");
    row("start to setup request", &|f| format!("{:.1} ms", f.ready));
    for (n, name) in ["background", "interactive"].into_iter().enumerate() {
        let what = format!("{name}, one at a time: median, 99th percentile");
        row(&what, &|f| format!("{:.2} ms, {:.2} ms", f.sorts[n].median, f.sorts[n].worst));
        row(&format!("{name} at once"), &|f| format!("{:.0} a second, {:.2} ms of CPU each", f.sorts[n].rate, f.sorts[n].cpu));
    }
    row("memory (PSS)", &|f| format!("{:.0} MiB", f.memory));
    let (first, last) = (memory.first().copied().unwrap_or_default(), memory.last().copied().unwrap_or_default());
    println!("| memory after {} and after {SOAK} background tasks | {first:.0} MiB, {last:.0} MiB | |", SOAK / 5);
    for (n, name) in ["background", "interactive"].into_iter().enumerate() {
        let rate = ours.sorts[n].rate;
        let beside = official.map(|f| format!("{:.0} times the official runner, ", rate / f.sorts[n].rate)).unwrap_or_default();
        println!("{name} at once: {beside}{:.0} times what it would do repaired ({:.0} a second)", rate / FAIR[n], FAIR[n]);
    }
}

/// What was measured of one of the two.
struct Figures {
    ready: f64,
    /// Background, interactive.
    sorts: Vec<Sort>,
    memory: f64,
}

/// What was measured of one sort of tasks; milliseconds.
struct Sort {
    median: f64,
    worst: f64,
    rate: f64,
    cpu: f64,
}

/// How many tasks a measurement has.
struct Sizes {
    one_at_a_time: usize,
    at_once: usize,
}

/// What the local Connect tells: who introduced itself, and how long each task took.
struct Watch {
    queued: Mutex<HashMap<String, Instant>>,
    took: UnboundedSender<Duration>,
    introduced: tokio::sync::watch::Sender<bool>,
}

impl Observer for Watch {
    fn observe(&self, observation: Observation) {
        match observation.fact {
            Fact::Extension { .. } => drop(self.introduced.send_replace(true)),
            Fact::TaskQueued { task_id, .. } => drop(self.queued.lock().unwrap().insert(task_id, Instant::now())),
            Fact::Answered(answer) => assert_eq!(answer.result, "success", "{:?}", answer.message),
            Fact::ResultSent { task_id } => {
                let since = self.queued.lock().unwrap().remove(&task_id);
                let _ = self.took.send(since.expect("one result for each task").elapsed());
            }
            _ => {}
        }
    }
}

/// A local Connect of its own for each of the two.
struct Stage {
    dir: tempfile::TempDir,
    platform: Platform,
    introduced: tokio::sync::watch::Receiver<bool>,
    results: UnboundedReceiver<Duration>,
}

impl Stage {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (took, results) = unbounded_channel();
        let (introduced, seen) = tokio::sync::watch::channel(false);
        connect_console::connect::tls::install();
        let options = PlatformOptions {
            dir: dir.path().join("connect"),
            tls: Some(Tls { authority: Authority::open(dir.path()).unwrap(), port: 0 }),
            observed: Observed::Everybody,
            ..PlatformOptions::default()
        };
        let watch = Watch { queued: Mutex::default(), took, introduced };
        let platform = Platform::start(options, Arc::new(watch)).await.unwrap();
        Self { dir, platform, introduced: seen, results }
    }

    async fn ready(&mut self, since: Instant) -> f64 {
        self.introduced.wait_for(|introduced| *introduced).await.unwrap();
        let took = ms(since.elapsed());
        println!("{:<34}{took:>11.1} ms", "start to setup request");
        took
    }

    async fn measure(&mut self, ready: f64, sizes: Sizes, tree: &dyn Fn() -> Vec<u32>) -> Figures {
        let mut sorts = Vec::new();
        for (event_type, name) in [(BACKGROUND, "background"), (INTERACTIVE, "interactive")] {
            self.run(event_type, sizes.one_at_a_time / 5, 1).await; // warm
            let mut took = self.run(event_type, sizes.one_at_a_time, 1).await;
            took.sort_unstable();
            let at = |percent: usize| ms(took[(took.len() * percent / 100).min(took.len() - 1)]);
            let (median, worst) = (at(50), at(99));
            println!("{:<34}{median:>11.2} ms", format!("{name}, one at a time, p50"));
            println!("{:<34}{worst:>11.2} ms", format!("{name}, one at a time, p99"));
            let own = || cpu(&[std::process::id()]);
            let (since, used, connect) = (Instant::now(), cpu(&tree()), own());
            self.run(event_type, sizes.at_once, AT_A_TIME).await;
            let took = since.elapsed();
            let each = |used: Duration| used.as_secs_f64() * 1e3 / sizes.at_once as f64;
            let (cpu, connect) = (each(cpu(&tree()) - used), each(own() - connect));
            let rate = sizes.at_once as f64 / took.as_secs_f64();
            println!(
                "{:<34}{rate:>11.0} tasks/s, {cpu:.3} ms of CPU each, and {connect:.3} ms of the local Connect",
                format!("{name}, {} at once", sizes.at_once)
            );
            sorts.push(Sort { median, worst, rate, cpu });
        }
        let memory = pss(&tree());
        println!("{:<34}{memory:>11.1} MiB", "memory (PSS)");
        Figures { ready, sorts, memory }
    }

    /// Triggers so many tasks, never more than `at_a_time` of them unanswered. A trigger is done when it is on disk:
    /// several are under way at once, so that this is not what is measured.
    async fn run(&mut self, event_type: &str, tasks: usize, at_a_time: usize) -> Vec<Duration> {
        let (platform, results) = (&self.platform, &mut self.results);
        let places = Semaphore::new(at_a_time);
        let pour = stream::iter(0..tasks).for_each_concurrent(at_a_time.min(TRIGGERS), |_| async {
            places.acquire().await.unwrap().forget();
            platform.trigger(event_type, object(event_type), &[]).await.unwrap();
        });
        let drain = async {
            let mut took = Vec::with_capacity(tasks);
            while took.len() < tasks {
                took.push(results.recv().await.unwrap());
                places.add_permits(1);
            }
            took
        };
        tokio::join!(pour, drain).1
    }

    fn guest_options(&self, python: &Path) -> GuestOptions {
        let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/probe");
        Host::Local(self.platform.clone()).guest_options(&project, Some(python), self.dir.path()).unwrap()
    }
}

/// What an interactive task is asked with.
fn object(event_type: &str) -> Option<Value> {
    (event_type == INTERACTIVE).then(|| json!({"id": "PRD-276-377-545", "method": "GET", "body": null}))
}

/// Killed when the bench is done with it.
struct Ours(Child);

impl Drop for Ours {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn ours(stage: &Stage) -> Ours {
    let access = stage.platform.access();
    let child = Command::new(env!("CARGO_BIN_EXE_connect-console"))
        .arg("--data-dir")
        .arg(stage.dir.path().join("ours"))
        .args(["run", "--headless", "--remote", "--unsecure", "--extension", "probe"])
        .env("API_KEY", access.api_key.reveal())
        .env("ENVIRONMENT_ID", &access.environment_id)
        .env("SERVER_ADDRESS", &access.server_address)
        .env("API_ADDRESS", &access.api_address)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn();
    Ours(child.unwrap())
}

/// A process and all its descendants.
fn family(pid: u32) -> Vec<u32> {
    let parents: Vec<(u32, u32)> = std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| {
            let pid = entry.ok()?.file_name().to_str()?.parse().ok()?;
            Some((pid, stat(pid)?.get(1)?.parse().ok()?))
        })
        .collect();
    let mut family = vec![pid];
    let mut n = 0;
    while let Some(&member) = family.get(n) {
        family.extend(parents.iter().filter(|(_, parent)| *parent == member).map(|(pid, _)| *pid));
        n += 1;
    }
    family
}

/// The fields of `/proc/PID/stat` from the third, the state.
fn stat(pid: u32) -> Option<Vec<String>> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    Some(stat.rsplit_once(')')?.1.split_whitespace().map(str::to_owned).collect())
}

/// The memory of these processes in MiB, shared pages divided among those that share them.
fn pss(pids: &[u32]) -> f64 {
    let of = |pid: &u32| -> Option<f64> {
        let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
        let line = rollup.lines().find(|line| line.starts_with("Pss:"))?;
        line.split_whitespace().nth(1)?.parse().ok()
    };
    pids.iter().filter_map(of).sum::<f64>() / 1024.0
}

/// The processor time these processes have used, in the kernel's ticks of 10 ms.
fn cpu(pids: &[u32]) -> Duration {
    let ticks = |pid: &u32| -> Option<u64> {
        let stat = stat(*pid)?;
        Some(stat.get(11)?.parse::<u64>().ok()? + stat.get(12)?.parse::<u64>().ok()?)
    };
    Duration::from_millis(pids.iter().filter_map(ticks).sum::<u64>() * 10)
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}
