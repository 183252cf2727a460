//! A journal of a million deliveries: `cargo bench --bench captures` (`CAPTURES=100000` for fewer, `CAPTURES_DIR=DIR` to keep
//! it and use it again). How fast it is written, how long the index of its texts takes and how large it is, how soon a filter
//! shows something, also where one delivery of all fits or none, how soon the console shows its first frame and answers a
//! key while 2,000 events a second arrive, and what that costs.
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a measuring program

#[path = "../tests/support/terminal.rs"]
mod terminal;
#[path = "../tests/support/until.rs"]
mod until;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use connect_console::extension::{Background, Context, Extension, HandlerError};
use connect_console::journal::{DeliveryFilter, Journal, Reader, Retention, Window};
use connect_console::observe::{Answer, DeliveryKey, Fact, Observation, Observer, TaskArrived, Timestamp};
use connect_console::workbench::{Command, Connect, OpenOptions, Ports, Session, Source};
use serde_json::{Value, json};
use terminal::{Terminal, console};
use until::until;

const TYPES: [&str; 4] = [
    "asset_purchase_request_processing",
    "asset_change_request_processing",
    "asset_cancel_request_processing",
    "tier_config_setup_request_processing",
];

/// A request of some 1.2 KiB, whose product tells it from others.
fn object(n: usize) -> Value {
    let param = |p: usize| json!({"id": format!("param_{p}"), "title": "A parameter", "type": "text", "value": format!("v{n}")});
    json!({
        "id": format!("PR-{:04}-{:04}-0001-001", n / 10_000, n % 10_000), "type": "purchase", "status": "pending",
        "asset": {"id": format!("AS-{n}"), "product": {"id": format!("PRD-{:03}", n % 500)}, "params": (0..8).map(param).collect::<Vec<_>>()}
    })
}

/// What is seen of one delivery that is over, at a moment: four observations.
fn delivery(n: usize, at: i64) -> [Observation; 4] {
    let key = DeliveryKey::random();
    let (task_id, object) = (format!("TQ-{n}"), object(n));
    let object_id = object["id"].as_str().unwrap().to_owned();
    let (category, event_type) = ("background".into(), TYPES[n % TYPES.len()].into());
    let task = json!({"options": {"task_id": task_id}, "input": {"object_id": object_id}});
    let arrived = TaskArrived { task_id: task_id.clone(), category, event_type, object_id, task };
    let (result, message) = match n % 1_000 {
        7 => ("fail", Some(format!("the vendor refused order {n}"))),
        _ => ("success", None),
    };
    let answer = Answer { result: result.into(), message, countdown: 0, data: None, micros: 5_000 };
    let facts = [
        Fact::TaskArrived(arrived),
        Fact::ObjectFetched { object: object.into() },
        Fact::Answered(answer),
        Fact::ResultSent { task_id },
    ];
    facts.map(|fact| Observation { delivery: Some(key.clone()), at: Timestamp(at), ..Observation::now(fact) })
}

async fn fill(dir: &Path, count: usize) {
    Retention { bytes: 0, seconds: 0 }.save(dir).unwrap();
    let journal = Journal::open(dir).unwrap();
    let begin = Timestamp::now().0 - 7 * 86_400_000_000;
    let step = 7 * 86_400_000_000 / i64::try_from(count).unwrap();
    let since = Instant::now();
    for n in 0..count {
        delivery(n, begin + step * i64::try_from(n).unwrap()).into_iter().for_each(|seen| journal.observe(seen));
    }
    journal.flush().await.unwrap();
    let took = since.elapsed();
    journal.close().await.unwrap();
    let size = std::fs::metadata(dir.join("journal.sqlite")).unwrap().len() >> 20;
    println!(
        "{count} deliveries written in {took:.1?}: {:.0} observations/s, {size} MiB",
        count as f64 * 4.0 / took.as_secs_f64()
    );
}

/// What a session does beside its work: the rest of the index of texts, in a journal that has none all of it.
async fn index(dir: &Path) {
    let reader = Reader::open(dir).unwrap();
    let before = reader.usage().unwrap();
    let journal = Journal::open(dir).unwrap();
    let since = Instant::now();
    let taken_in = || (reader.usage().unwrap().unindexed <= 1_024).then_some(());
    until(Duration::from_secs(3_600), "the index to take in what there is", taken_in).await;
    let (took, after) = (since.elapsed(), reader.usage().unwrap());
    journal.close().await.unwrap();
    println!(
        "index of texts: {} observations taken in within {took:.1?}, {:.1} MiB more than before, {} MiB in all",
        before.unindexed,
        after.bytes.saturating_sub(before.bytes) as f64 / 1_048_576.0,
        after.bytes >> 20
    );
}

/// Texts one delivery has, or none: of its line, of its payload, at a path.
fn rare(dir: &Path) -> Vec<String> {
    let middle = Reader::open(dir).unwrap().usage().unwrap().deliveries / 2_000 * 1_000 + 7;
    vec![
        format!("\"refused order {middle}\""),
        format!("PR-{:04}-{:04}-", middle / 10_000, middle % 10_000),
        format!("body~v{middle}"),
        format!("body~\"refused order {middle}\""),
        format!("asset.id=AS-{middle}"),
        format!("type=asset_cancel_request_processing asset.id=AS-{middle}"),
        "vanished".into(),
        "body~vanished".into(),
        "body~zqx".into(),
        "asset.product.id=PRD-999".into(),
    ]
}

fn filters(dir: &Path, lines: impl IntoIterator<Item = String>) {
    let reader = Reader::open(dir).unwrap();
    for line in lines {
        let filter = DeliveryFilter::parse(&line).unwrap();
        let since = Instant::now();
        // As the console asks: a piece of 40 ms at a time, and what it has is shown.
        let mut window = Window::newest(256);
        let first = loop {
            let piece = reader.search(&filter, &window, Some(Duration::from_millis(40))).unwrap();
            match (piece.rows.is_empty(), piece.reached) {
                (false, _) | (true, None) => break since.elapsed(),
                (true, Some(reached)) => window = Window::before(reached, 256),
            }
        };
        let whole = Instant::now();
        let found = reader.search(&filter, &Window::newest(256), None).unwrap().rows.len();
        println!("filter {line:55} first results {first:>9.2?}, {found} in {:.2?}", whole.elapsed());
    }
}

fn metrics(dir: &Path) -> Duration {
    let since = Instant::now();
    Reader::open(dir).unwrap().metrics(Timestamp::now()).unwrap();
    since.elapsed()
}

/// CPU time of a process in milliseconds, and its resident memory in MiB.
fn cost(pid: u32) -> (u64, u64) {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let after = stat.rsplit(')').next().unwrap_or_default();
    let ticks: u64 = after.split_whitespace().skip(11).take(2).filter_map(|t| t.parse::<u64>().ok()).sum();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let kib = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).and_then(|l| l.split_whitespace().next()?.parse().ok());
    (ticks * 10, kib.unwrap_or(0) / 1024)
}

/// The console on this journal: first frame, keys, memory and CPU. `busy`: while 2,000 events a second arrive.
fn look(dir: &Path) {
    let mut first = Vec::new();
    for _ in 0..5 {
        let since = Instant::now();
        let mut terminal = Terminal::start(console(dir, &[]), 120, 40);
        terminal.until_text("connect-console");
        first.push(since.elapsed());
        terminal.until_text("following");
        terminal.press("q");
        terminal.ended();
    }
    first.sort();
    println!("console: first frame, median of {}: {:.2?}", first.len(), first[first.len() / 2]);

    let mut terminal = Terminal::start(console(dir, &[]), 120, 40);
    terminal.until_text("following");
    let pid = terminal.process_id();
    keys("idle", &mut terminal);
    terminal.until_quiet_for(Duration::from_secs(2));
    let before = cost(pid).0;
    std::thread::sleep(Duration::from_secs(10)); // the stretch that is measured
    let (cpu, memory) = cost(pid);
    println!("console: idle CPU {:.2} %, memory {memory} MiB", (cpu - before) as f64 / 100.0);
    terminal.press("q");
    terminal.ended();
}

/// From a key to the frame that shows what it did: the help opens and closes.
fn keys(when: &str, terminal: &mut Terminal) {
    let mut times = Vec::new();
    for n in 0..200 {
        let since = Instant::now();
        if n % 2 == 0 {
            terminal.press("?").until_text("Esc close");
        } else {
            terminal.press("\x1b").until_gone("Esc close");
        }
        times.push(since.elapsed());
    }
    times.sort();
    println!("console: key to frame, {when}: p50 {:.2?}, p99 {:.2?}", times[times.len() / 2], times[times.len() * 99 / 100]);
}

/// A session in this process whose runtime handles 200 deliveries a second (more than 2,000 events), and a console
/// attached to it: keys pressed meanwhile.
async fn busy(dir: &Path) {
    let purchase = |_: Context, _: Value| async { Ok::<_, HandlerError>(Background::Done) };
    let extension = Extension::new("bench", "1").background(TYPES[0], &["pending"], purchase);
    let options = OpenOptions {
        data_dir: dir.to_owned(),
        extension: Source::Given(Box::new(extension)),
        connect: Connect::Local,
        ports: Ports { connect: 0, mongodb: 0, data_api: 0 },
    };
    let session = Session::open(options).await.unwrap();
    assert!(session.connected(Duration::from_secs(30)).await);
    let reader = session.reader().unwrap();
    let (rows, begun) = (reader.last_row().unwrap(), Instant::now());
    let stop = Arc::new(AtomicBool::new(false));
    let load = tokio::spawn({
        let (session, stop) = (session.clone(), Arc::clone(&stop));
        async move {
            let mut every = tokio::time::interval(Duration::from_millis(5));
            while !stop.load(Ordering::Relaxed) {
                every.tick().await;
                let session = session.clone();
                tokio::spawn(async move {
                    let command = Command::Trigger { event_type: TYPES[0].into(), object: None, set: Vec::new() };
                    session.command(command).await.unwrap();
                });
            }
        }
    });
    tokio::task::block_in_place(|| {
        let mut terminal = Terminal::start(console(dir, &[]), 120, 40);
        terminal.until_text("following");
        keys("while events arrive", &mut terminal);
        println!("console: memory then {} MiB", cost(terminal.process_id()).1);
        terminal.press("q");
        terminal.ended();
    });
    let rate = (reader.last_row().unwrap() - rows) as f64 / begun.elapsed().as_secs_f64();
    stop.store(true, Ordering::Relaxed);
    load.await.unwrap();
    session.close().await;
    println!("events that arrived meanwhile: {rate:.0}/s");
}

const FILTERS: [&str; 9] = [
    "",
    "result=fail",
    "type=asset_cancel_request_processing result=fail",
    "PR-0000-0042",
    "since=1h",
    "asset.product.id=PRD-123",
    "asset.params.value=v777",
    "body~\"refused order 7\"",
    "result=fail body~\"refused order 7\"",
];

#[tokio::main]
async fn main() {
    let count: usize = std::env::var("CAPTURES").ok().and_then(|n| n.parse().ok()).unwrap_or(1_000_000);
    let own = tempfile::tempdir().unwrap();
    let dir: PathBuf = std::env::var_os("CAPTURES_DIR").map_or_else(|| own.path().to_owned(), PathBuf::from);
    std::fs::create_dir_all(&dir).unwrap();
    if !dir.join("journal.sqlite").exists() {
        fill(&dir, count).await;
    }
    index(&dir).await;
    filters(&dir, FILTERS.map(String::from));
    filters(&dir, rare(&dir));
    println!("metrics of hour, day and week: {:.2?}", metrics(&dir));
    tokio::task::block_in_place(|| look(&dir));
    busy(&dir).await;
}
