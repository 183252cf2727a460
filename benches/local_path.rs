//! The whole local path, measured: `cargo bench --bench local_path`.
//!
//! Dispatch to result: from the moment the local Connect queues a task to the moment the runtime has handed its result
//! to the socket, lookup over REST included, journal written, for a handler that does nothing. First frame: from the
//! start of the program in a pseudo terminal to the first screen.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)] // a bench prints, and fails loudly

use std::collections::HashMap;
use std::io::Read;
use std::num::NonZero;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use connect_console::extension::{Background, Extension};
use connect_console::journal::Journal;
use connect_console::observe::{Body, Fact, Observation, Observer};
use connect_console::platform::{Platform, PlatformOptions};
use connect_console::runtime::{Runtime, RuntimeOptions};
use futures::stream::{self, StreamExt};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

const PURCHASE: &str = "asset_purchase_request_processing";

/// As the program has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    // `cargo test --benches` only wants to know that it builds.
    if std::env::args().any(|a| a == "--test") {
        return;
    }
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(local_path());
    first_frame();
}

/// Hands everything on to the journal, and tells how long each task took.
struct Watch {
    journal: Journal,
    queued: Mutex<HashMap<String, Instant>>,
    took: UnboundedSender<Duration>,
}

impl Observer for Watch {
    fn observe(&self, observation: Observation) {
        match &observation.fact {
            Fact::TaskQueued { task_id, .. } => {
                self.queued.lock().unwrap().insert(task_id.clone(), Instant::now());
            }
            Fact::ResultSent { task_id } => {
                if let Some(since) = self.queued.lock().unwrap().remove(task_id) {
                    let _ = self.took.send(since.elapsed());
                }
            }
            _ => {}
        }
        self.journal.observe(observation);
    }
}

async fn local_path() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path()).unwrap();
    let (took, mut results) = unbounded_channel();
    let observer: Arc<dyn Observer> = Arc::new(Watch { journal: journal.clone(), queued: Mutex::default(), took });
    let platform = Platform::start(
        PlatformOptions { dir: dir.path().to_owned(), port: 0, ..PlatformOptions::default() },
        Arc::clone(&observer),
    )
    .await
    .unwrap();
    let access = platform.access();
    let options = RuntimeOptions {
        api_key: access.api_key.clone(),
        environment_id: access.environment_id.clone(),
        instance_id: "bench".into(),
        server_address: access.server_address.clone(),
        api_address: access.api_address.clone(),
        unsecure: true,
        outbox: dir.path().join("outbox"),
        limits: Default::default(),
    };
    let nothing = Extension::new("nothing", "1").background(PURCHASE, &["pending"], |_, _: Body| async { Ok(Background::Done) });
    let since = Instant::now();
    let runtime = Runtime::start(options, nothing, observer).unwrap();
    runtime.status().wait_for(|s| s.configured > 0).await.unwrap();
    println!("runtime ready after           {:>9.2} ms", ms(since.elapsed()));

    one_at_a_time(&platform, &mut results, 200).await; // warm
    let mut took = one_at_a_time(&platform, &mut results, 1_000).await;
    took.sort_unstable();
    println!("one at a time, p50            {:>9.2} ms", ms(took[took.len() / 2]));
    println!("one at a time, p99            {:>9.2} ms", ms(took[took.len() * 99 / 100]));

    let tasks = 10_000;
    let since = Instant::now();
    // Each trigger waits until it is on disk: one after the other would measure that alone.
    let pour = stream::iter(0..tasks).for_each_concurrent(64, |_| async {
        platform.trigger(PURCHASE, None, &[]).await.unwrap();
    });
    let drain = async {
        for _ in 0..tasks {
            results.recv().await.unwrap();
        }
    };
    tokio::join!(pour, drain);
    println!("{tasks} tasks, triggered and answered: {:>7.0} a second", f64::from(tasks) / since.elapsed().as_secs_f64());
    runtime.stop().await;
    platform.stop().await;
    journal.close().await.unwrap();
}

async fn one_at_a_time(platform: &Platform, results: &mut UnboundedReceiver<Duration>, tasks: usize) -> Vec<Duration> {
    let mut took = Vec::with_capacity(tasks);
    for _ in 0..tasks {
        platform.trigger(PURCHASE, None, &[]).await.unwrap();
        took.push(results.recv().await.unwrap());
    }
    took
}

fn first_frame() {
    let mut took: Vec<Duration> = (0..9).map(|_| one_first_frame()).collect();
    took.sort_unstable();
    println!("first frame, median of 9      {:>9.2} ms", ms(took[took.len() / 2]));
}

fn one_first_frame() -> Duration {
    use portable_pty::{CommandBuilder, PtySize, native_pty_system};
    let dir = tempfile::tempdir().unwrap();
    let (rows, columns) = (NonZero::new(40).unwrap(), NonZero::new(120).unwrap());
    let pty =
        native_pty_system().openpty(PtySize { rows: rows.get(), cols: columns.get(), pixel_width: 0, pixel_height: 0 }).unwrap();
    let mut output = pty.master.try_clone_reader().unwrap();
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_connect-console"));
    command.arg("--data-dir");
    command.arg(dir.path());
    let since = Instant::now();
    let mut child = pty.slave.spawn_command(command).unwrap();
    let mut screen = vt100::Parser::new(rows, columns, 0);
    let mut buffer = [0; 4096];
    while !screen.screen().contents().contains("Events") {
        let n = output.read(&mut buffer).unwrap();
        assert!(n > 0, "the program ended before its first frame");
        screen.process(&buffer[..n]);
    }
    let took = since.elapsed();
    child.kill().unwrap();
    child.wait().unwrap();
    took
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}
