//! The sandbox and SecantusDB, an independent MongoDB-compatible server, side by side in one run, each a process of its own,
//! through the official driver: `SECANTUSD=path/to/secantusd-py cargo bench --bench sandbox`.
//!
//! Inserts one at a time (each acknowledged, by the sandbox from the disk; SecantusDB keeps its data in memory here), inserts
//! in batches, finding by an indexed field and by a scan, an aggregation; then, the sandbox alone, its start, and pages and counts
//! of a million documents. Where `SECANTUSD` and the path name no SecantusDB the sandbox is measured alone.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::print_stderr)] // a bench prints, and fails loudly
#![allow(dead_code)] // what it shares with the tests

#[path = "../tests/support/secantus.rs"]
mod secantus;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use futures::TryStreamExt;
use mongodb::bson::{Document, doc};
use mongodb::{Client, Collection, IndexModel};

const SINGLE: i32 = 2_000;
const MANY: i32 = 50_000;
const MILLION: i32 = 1_000_000;

fn main() {
    // `cargo test --benches` only wants to know that it builds.
    if std::env::args().any(|a| a == "--test") {
        return;
    }
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(side_by_side());
}

/// The sandbox as a process, and when it had said where it listens.
struct Ours(Child);

impl Drop for Ours {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn ours(dir: &Path) -> (Ours, String, Duration) {
    let begun = Instant::now();
    let mut command = Command::new(env!("CARGO_BIN_EXE_connect-console"));
    command.arg("--data-dir").arg(dir).args(["sandbox", "--no-auth", "--port", "0", "--http-port", "0"]);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let after = begun.elapsed();
    let first: serde_json::Value = serde_json::from_str(&line).unwrap();
    (Ours(child), first["mongodb"].as_str().unwrap().to_owned(), after)
}

async fn side_by_side() {
    let dir = tempfile::tempdir().unwrap();
    let (running, uri, _) = ours(dir.path());
    let mut sandbox = measured(&uri).await;
    sandbox.push(("processor time for all of it", cpu(running.0.id())));
    let beside = match secantus::Server::start() {
        Some(server) => {
            let uri = format!("mongodb://{}/?directConnection=true&serverSelectionTimeoutMS=60000", server.address);
            let mut figures = measured(&uri).await;
            figures.push(("processor time for all of it", cpu(server.id())));
            Some(figures)
        }
        None => None,
    };
    println!("{:<44}{:>20}{:>20}", "", "sandbox", "SecantusDB");
    for (index, (what, figure)) in sandbox.iter().enumerate() {
        println!("{what:<44}{figure:>20}{:>20}", beside.as_ref().map_or("-", |other| other[index].1.as_str()));
    }
    let mut starts: Vec<_> = (0..9)
        .map(|_| {
            let dir = tempfile::tempdir().unwrap();
            ours(dir.path()).2
        })
        .collect();
    starts.sort();
    println!("{:<44}{:>20}", "start until it listens, median of 9", millis(starts[4]));
    first_pages(&uri).await;
}

fn millis(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1e3)
}

/// What a process has used, by what Linux knows of it, in its ticks of 10 ms; `-` elsewhere.
fn cpu(process: u32) -> String {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{process}/stat")) else { return "-".into() };
    // After the name, which may hold anything: the twelfth and thirteenth field are the user's and the system's share.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|ticks| ticks.parse::<f64>().ok()).unwrap_or_default();
    format!("{:.2} s", (ticks(11) + ticks(12)) / 100.0)
}

fn rate(n: i32, time: Duration) -> String {
    format!("{:.0} a second", f64::from(n) / time.as_secs_f64())
}

fn document(n: i32) -> Document {
    let status = match n % 3 {
        0 => "pending",
        1 => "approved",
        _ => "failed",
    };
    let asset = doc! { "id": format!("AS-{}", n % 500), "params": [n, n + 1] };
    doc! { "_id": n, "id": format!("PR-{n:07}"), "status": status, "n": n % 1_000, "asset": asset }
}

async fn measured(uri: &str) -> Vec<(&'static str, String)> {
    let database = Client::with_uri_str(uri).await.unwrap().database("bench");
    let singles: Collection<Document> = database.collection("singles");
    singles.insert_one(doc! { "_id": -1 }).await.unwrap();
    let mut figures = Vec::new();
    let begun = Instant::now();
    for n in 0..SINGLE {
        singles.insert_one(document(n)).await.unwrap();
    }
    figures.push(("inserts, one at a time", rate(SINGLE, begun.elapsed())));

    let begun = Instant::now();
    let tasks: Vec<_> = (0..32)
        .map(|task| {
            let singles = singles.clone();
            tokio::spawn(async move {
                for n in 0..SINGLE / 32 {
                    singles.insert_one(document(SINGLE + task * 1_000 + n)).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    figures.push(("inserts, 32 clients at once", rate(SINGLE / 32 * 32, begun.elapsed())));

    let orders: Collection<Document> = database.collection("orders");
    let begun = Instant::now();
    for from in (0..MANY).step_by(1_000) {
        orders.insert_many((from..from + 1_000).map(document)).await.unwrap();
    }
    figures.push(("inserts in batches of 1,000", rate(MANY, begun.elapsed())));
    orders.create_index(IndexModel::builder().keys(doc! { "id": 1 }).build()).await.unwrap();

    let begun = Instant::now();
    for n in 0..SINGLE {
        orders.find_one(doc! { "id": format!("PR-{:07}", n * 7 % MANY) }).await.unwrap().unwrap();
    }
    figures.push(("finds by an indexed field", rate(SINGLE, begun.elapsed())));

    let scan = median(async || {
        let found = orders.find(doc! { "asset.id": "AS-77", "n": { "$gte": 500 } }).await.unwrap();
        assert!(!found.try_collect::<Vec<Document>>().await.unwrap().is_empty());
    });
    figures.push(("find by a scan of 50,000", scan.await));
    let aggregate = median(async || {
        let stages = [
            doc! { "$match": { "status": "approved" } },
            doc! { "$group": { "_id": "$asset.id", "count": { "$sum": 1 }, "most": { "$max": "$n" } } },
            doc! { "$sort": { "count": -1, "_id": 1 } },
            doc! { "$limit": 10 },
        ];
        let found = orders.aggregate(stages).await.unwrap();
        assert_eq!(found.try_collect::<Vec<Document>>().await.unwrap().len(), 10);
    });
    figures.push(("$match, $group, $sort of 50,000", aggregate.await));
    figures
}

/// How long it takes, the median of nine times.
async fn median(mut work: impl AsyncFnMut()) -> String {
    let mut times = Vec::new();
    for _ in 0..9 {
        let begun = Instant::now();
        work().await;
        times.push(begun.elapsed());
    }
    times.sort();
    millis(times[4])
}

/// A million documents, and how soon a client has a page of them, and knows how many there are.
async fn first_pages(uri: &str) {
    let orders: Collection<Document> = Client::with_uri_str(uri).await.unwrap().database("bench").collection("million");
    for from in (0..MILLION).step_by(10_000) {
        orders.insert_many((from..from + 10_000).map(document)).await.unwrap();
    }
    orders.create_index(IndexModel::builder().keys(doc! { "n": 1, "id": -1 }).build()).await.unwrap();
    let pages = [
        ("first page of a million, as they came", doc! {}, 0),
        ("first page of a million, newest first", doc! { "_id": -1 }, 0),
        ("first page of a million, by an index of two fields", doc! { "n": 1, "id": -1 }, 0),
        ("page after 500,000, as they came", doc! {}, 500_000),
        ("page after 999,900, as they came", doc! {}, 999_900),
        ("page after 999,900, newest first", doc! { "_id": -1 }, 999_900),
        ("page after 500,000, by an index of two fields", doc! { "n": 1, "id": -1 }, 500_000),
        ("first page of a million, sorted without an index", doc! { "status": 1, "n": 1 }, 0),
    ];
    for (what, sort, skip) in pages {
        let page = median(async || {
            let page = orders.find(doc! {}).sort(sort.clone()).skip(skip).limit(100).await.unwrap();
            assert_eq!(page.try_collect::<Vec<Document>>().await.unwrap().len(), 100);
        });
        println!("{what:<52}{:>12}", page.await);
    }
    let all = median(async || assert_eq!(orders.estimated_document_count().await.unwrap(), 1_000_000));
    println!("{:<52}{:>12}", "count of a million", all.await);
    let filter = doc! { "status": "pending" };
    let some = median(async || assert_eq!(orders.count_documents(filter.clone()).await.unwrap(), 333_334));
    println!("{:<52}{:>12}", "count of those of a million that a scan finds", some.await);
}
