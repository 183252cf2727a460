//! How fast the journal takes observations, and how soon one can be read: `cargo bench --bench journal`.
#![allow(clippy::print_stdout, clippy::unwrap_used)] // a measuring program: it prints, and stops where it cannot go on

use std::time::{Duration, Instant};

use connect_console::journal::Journal;
use connect_console::observe::{
    Answer, ApiCall, Backend, Body, DeliveryKey, Fact, Level, Observation, Observer, SeenVariable, StoreCall, TaskArrived,
};
use serde_json::{Value, json};

/// A request of a realistic size: about 3 KiB of JSON.
fn object(id: &str) -> Value {
    let param = |n: usize| json!({"id": format!("param_{n}"), "title": "A parameter", "type": "text", "value": "value", "value_error": ""});
    let params: Vec<Value> = (0..20).map(param).collect();
    json!({"id": id, "type": "purchase", "status": "pending", "asset": {"id": "AS-1-2-3", "params": params, "product": {"id": "PRD-1"}}})
}

/// What is seen of one delivery: ten observations.
fn delivery(n: usize) -> Vec<Observation> {
    let key = DeliveryKey::random();
    let (task_id, object_id) = (format!("TQ-{n}"), format!("PR-{}", n % 1000));
    let store = |backend| {
        let (operation, database, collection) = ("insertOne".into(), "db".into(), "requests".into());
        let (input, output) = (object(&object_id), Some(json!({"insertedId": "x"})));
        Fact::StoreCall(StoreCall { backend, operation, database, collection, input, output, error: None, micros: 900 })
    };
    let call = |path: String| {
        let (method, status) = ("GET".into(), Some(200));
        Fact::ApiCall(ApiCall {
            method,
            path,
            status,
            request: None,
            response: None,
            content_range: None,
            error: None,
            micros: 800,
        })
    };
    let line = |message: &str| Fact::Log { level: Level::Info, target: "extension".into(), message: message.into() };
    let (category, event_type) = ("background".into(), "asset_purchase_request_processing".into());
    let task = json!({"options": {"task_id": task_id}, "input": {"object_id": object_id}});
    let arrived = TaskArrived { task_id: task_id.clone(), category, event_type, object_id: object_id.clone(), task };
    let answer = Answer { result: "success".into(), message: None, countdown: 0, data: None, micros: 5000 };
    [
        Fact::TaskArrived(arrived),
        call(format!("requests?and(eq(id,{object_id}),in(status,(pending)))&limit=0")),
        call(format!("requests/{object_id}")),
        Fact::ObjectFetched { object: Body::from_text(object(&object_id).to_string()).unwrap() },
        line("begins"),
        store(Backend::DataApi),
        store(Backend::Driver),
        line("saved in both collections"),
        Fact::Answered(answer),
        Fact::ResultSent { task_id },
    ]
    .map(|fact| Observation { delivery: Some(key.clone()), ..Observation::now(fact) })
    .into()
}

#[tokio::main(flavor = "multi_thread", worker_threads = 1)]
async fn main() {
    let deliveries: usize = std::env::var("DELIVERIES").ok().and_then(|n| n.parse().ok()).unwrap_or(20_000);
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path()).unwrap();
    let variables = (0..3).map(|n| SeenVariable { name: format!("S{n}"), value: format!("a secret value {n}"), secure: true });
    journal.observe(Observation::now(Fact::Configured { message: "m".into(), update: false, variables: variables.collect() }));

    // Made beforehand, a thousand deliveries at a time: what is measured is the journal, not the making.
    let (mut observed, mut took) = (0, Duration::ZERO);
    for chunk in 0..deliveries.div_ceil(1000) {
        let made: Vec<Observation> = (0..1000).flat_map(|n| delivery(chunk * 1000 + n)).collect();
        observed += made.len();
        let since = Instant::now();
        made.into_iter().for_each(|observation| journal.observe(observation));
        journal.flush().await.unwrap();
        took += since.elapsed();
    }
    let rate = observed as f64 / took.as_secs_f64();
    let size = std::fs::metadata(dir.path().join("journal.sqlite")).unwrap().len() >> 20;
    println!("sustained: {observed} observations in {took:.2?}: {rate:.0}/s, {size} MiB");

    let mut news = journal.news();
    news.mark_unchanged();
    let mut times = Vec::new();
    for n in 0..500 {
        let message = format!("line {n}");
        let since = Instant::now();
        journal.observe(Observation::now(Fact::Log { level: Level::Info, target: "bench".into(), message }));
        news.changed().await.unwrap();
        times.push(since.elapsed());
    }
    times.sort();
    println!("observe to announced: p50 {:.2?}, p99 {:.2?}, max {:.2?}", times[250], times[495], times[499]);
    journal.close().await.unwrap();
}
