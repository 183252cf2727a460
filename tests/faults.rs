//! The built program against faults, over real sockets: whatever happens to the connection, the process or the other
//! side, no task is without a result and none has two.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test that fails is a test that panics

mod fake;
mod support;

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use connect_console::journal::{DeliveryFilter, Reader, Window};
use fake::{Connect, Peer, configuration, purchase, task};
use futures::{SinkExt, StreamExt};
use rstest::rstest;
use serde_json::{Value, json};
use support::{Running, program};
use tokio::io::{AsyncWrite, Join};
use tokio::net::TcpListener;
use tokio::net::tcp::OwnedReadHalf;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

/// The key of one task alone, as multi-account extensions get it.
const TASK_KEY: &str = "ApiKey SU-111-111-111:giraffe";

/// The probe, served by `address`.
fn probe(address: &str, dir: &Path) -> Running {
    let mut command = program(dir);
    command
        .args(["run", "--headless", "--remote", "--unsecure", "--extension", "probe", "--json"])
        .env("API_KEY", fake::KEY)
        .env("ENVIRONMENT_ID", "ENV-1234-5678-01")
        .env("INSTANCE_ID", "instance")
        .env("SERVER_ADDRESS", address);
    Running::start(command)
}

/// Waits, without keeping the scripted Connect from its work.
fn until(running: &Running, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
    tokio::task::block_in_place(|| running.until(what, fits))
}

/// All deliveries of the journal, oldest first.
fn deliveries(dir: &Path) -> Vec<Value> {
    let reader = Reader::open(dir).unwrap();
    let page = |after| reader.deliveries(&DeliveryFilter::default(), &Window::after(after, 5_000)).unwrap();
    whole(page, |delivery| delivery.id)
}

/// All pages, one after the other: each is what comes after the number of a row.
fn whole<T: serde::Serialize>(page: impl Fn(i64) -> Vec<T>, number: impl Fn(&T) -> i64) -> Vec<Value> {
    let (mut all, mut after) = (Vec::new(), 0);
    loop {
        let some = page(after);
        let Some(last) = some.last() else { return all };
        after = number(last);
        all.extend(some.iter().map(|row| serde_json::to_value(row).unwrap()));
    }
}

/// What the object of a task says the probe is to do.
fn note(connect: &Connect, object: &str, note: &str) {
    connect.answer(&format!("requests/{object}"), 200, json!({"id": object, "status": "pending", "note": note}));
}

fn task_id(result: &Value) -> String {
    result["options"]["task_id"].as_str().unwrap().to_owned()
}

/// The ids of the next `n` results, with how often each came.
async fn results(peer: &mut Peer, n: usize) -> BTreeMap<String, u32> {
    let mut seen = BTreeMap::new();
    for _ in 0..n {
        *seen.entry(task_id(&peer.result().await)).or_default() += 1;
    }
    seen
}

/// Whether nothing more is on its way: a task sent now is the next to be answered.
async fn nothing_more(peer: &mut Peer) {
    peer.send(&purchase("TQ-LAST", "PR-LAST"));
    assert_eq!(task_id(&peer.result().await), "TQ-LAST");
    assert!(peer.is_silent());
}

/// Waits for a condition.
async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    fake::until::until(support::DEADLINE, what, || holds().then_some(())).await;
}

/// The call a handler makes last for a request that `waits`, below `/public/v1/`.
const LAST_CALL: &str = "requests/PR-1/approve";

/// The handler of PR-1 has it approved, and waits as long as the answer to that is held back.
fn waits(connect: &Connect) {
    let object = json!({"id": "PR-1", "status": "pending", "note": "bench:rest", "asset": {"product": {"id": "PRD-1"}}});
    connect.answer("requests/PR-1", 200, object);
    connect.answer("products/PRD-1/templates", 200, json!([{"id": "TL-1"}]));
    connect.hold_at(LAST_CALL);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_process_could_not_send_goes_out_once_when_it_is_started_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut connect = Connect::start().await;
    let mut running = probe(&connect.address, dir.path());
    let peer = connect.configured().await;
    note(&connect, "PR-HANG", "bench:hang");
    connect.hold(true);
    peer.send(&purchase("TQ-HANG", "PR-HANG"));
    for n in 0..5 {
        let mut task = purchase(&format!("TQ-{n}"), &format!("PR-{n}"));
        if n == 0 {
            task["data"]["options"]["api_key"] = json!(TASK_KEY);
        }
        peer.send(&task);
    }
    until(&running, "the last task", |seen| seen["kind"] == "task_arrived" && seen["task_id"] == "TQ-4");
    connect.refuse(Some(502));
    peer.drop_connection();
    until(&running, "the gap", |seen| seen["kind"] == "link" && seen["state"] == "waiting");
    connect.hold(false);
    let outbox = dir.path().join("outbox");
    let left = || std::fs::read_to_string(&outbox).unwrap_or_default();
    eventually("five results on disk", || left().lines().filter(|l| l.contains("\"frame\"")).count() == 5).await;
    running.child.kill().unwrap(); // SIGKILL
    running.child.wait().unwrap();

    assert_eq!(std::fs::metadata(&outbox).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!left().contains("giraffe") && !left().contains("zebra"), "{}", left());

    connect.refuse(None);
    let running = probe(&connect.address, dir.path());
    let mut peer = connect.configured().await;
    let wanted: BTreeMap<String, u32> = (0..5).map(|n| (format!("TQ-{n}"), 1)).collect();
    assert_eq!(results(&mut peer, 5).await, wanted);
    nothing_more(&mut peer).await;
    // Nobody answered this one: Connect sends it again, and now it is.
    note(&connect, "PR-HANG", "bench:success");
    peer.send(&purchase("TQ-HANG", "PR-HANG"));
    assert_eq!(task_id(&peer.result().await), "TQ-HANG");
    assert!(tokio::task::block_in_place(|| running.terminate()).success());

    // The journal agrees: each of the five sent, the one that hung interrupted and then answered in another delivery.
    let mut states = BTreeMap::<String, Vec<String>>::new();
    for delivery in deliveries(dir.path()) {
        let text = |name: &str| delivery[name].as_str().unwrap().to_owned();
        states.entry(text("task_id")).or_default().push(text("state"));
    }
    for (task, state) in &mut states {
        state.sort();
        let wanted: &[&str] = if task == "TQ-HANG" { &["interrupted", "sent"] } else { &["sent"] };
        assert_eq!(state, wanted, "{task}");
    }

    let again = probe(&connect.address, dir.path());
    nothing_more(&mut connect.configured().await).await;
    drop(again);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_runs_when_the_process_is_asked_to_end_has_its_result_sent() {
    let dir = tempfile::tempdir().unwrap();
    let mut connect = Connect::start().await;
    let running = probe(&connect.address, dir.path());
    let mut peer = connect.configured().await;
    waits(&connect);
    peer.send(&purchase("TQ-1", "PR-1"));
    connect.called(LAST_CALL).await;
    let ending = std::thread::spawn(move || running.terminate());
    assert_eq!(peer.receive().await["message_type"], "shutdown");
    // What comes now is not begun any more.
    peer.send(&purchase("TQ-2", "PR-2"));
    let given_back = peer.result().await;
    assert_eq!((&given_back["options"]["task_id"], &given_back["output"]["result"]), (&json!("TQ-2"), &json!("retry")));
    connect.hold(false);
    let result = peer.result().await;
    assert_eq!((&result["options"]["task_id"], &result["output"]["result"]), (&json!("TQ-1"), &json!("success")));
    assert!(ending.join().unwrap().success());
    let said = rows(dir.path()).into_iter().rfind(|row| row["kind"] == "link").unwrap();
    assert_eq!(said["state"], "closed");
    let detail = said["detail"].as_str().unwrap();
    assert!(detail.contains("Connect delivers them again: 1"), "{detail}");
}

/// Everything in the journal, oldest first.
fn rows(dir: &Path) -> Vec<Value> {
    let reader = Reader::open(dir).unwrap();
    whole(|after| reader.after(after, 5_000).unwrap(), |row| row.row)
}

#[rstest]
#[case::after_the_task("arrived")]
#[case::while_it_is_counted("requests?")]
#[case::while_it_is_fetched("requests/PR-1")]
#[case::before_the_result("handling")]
#[case::with_the_result_on_disk("kept")]
#[case::in_the_next_handshake("handshake")]
#[case::after_the_result("answered")]
#[tokio::test(flavor = "multi_thread")]
async fn a_task_has_one_result_wherever_in_its_life_the_socket_drops(#[case] moment: &str) {
    let dir = tempfile::tempdir().unwrap();
    let mut connect = Connect::start().await;
    let running = probe(&connect.address, dir.path());
    let mut peer = connect.configured().await;
    let lookup = moment.starts_with("requests");
    if lookup {
        connect.hold_at(moment);
    } else if !matches!(moment, "arrived" | "answered") {
        waits(&connect);
    }
    peer.send(&purchase("TQ-1", "PR-1"));
    match moment {
        "arrived" => {}
        "answered" => assert_eq!(task_id(&peer.result().await), "TQ-1"),
        _ if lookup => connect.called(moment).await,
        _ => connect.called(LAST_CALL).await,
    }
    let mut gaps = 1;
    if matches!(moment, "kept" | "handshake") {
        connect.refuse(Some(502));
        peer.drop_connection();
        until(&running, "the gap", |seen| seen["kind"] == "link" && seen["state"] == "waiting");
        connect.hold(false);
        let outbox = dir.path().join("outbox");
        eventually("the result on disk", || std::fs::read_to_string(&outbox).is_ok_and(|text| text.contains("TQ-1"))).await;
        connect.refuse(None);
    }
    if moment == "handshake" {
        peer = connect.peer().await;
        assert_eq!(peer.receive().await["message_type"], "setup_request");
    }
    if moment != "kept" {
        peer.drop_connection();
    }
    connect.hold(false);
    // It has no result yet, as Connect sees it: it comes again, and that makes no second one.
    let again = (moment != "answered").then(|| purchase("TQ-1", "PR-1"));
    let mut peer = connect.configured_with(again).await;
    if moment != "answered" {
        assert_eq!(task_id(&peer.result().await), "TQ-1");
    }
    nothing_more(&mut peer).await;
    assert!(tokio::task::block_in_place(|| running.terminate()).success());
    // Each gap is a row of the journal; where Connect was away for a while, each try is one.
    let gap = |row: &&Value| row["kind"] == "link" && row["state"] == "waiting";
    let rows = rows(dir.path());
    gaps += rows.iter().filter(gap).filter(|row| row["detail"].as_str().unwrap().contains("maintenance")).count();
    gaps += usize::from(moment == "handshake");
    assert_eq!(rows.iter().filter(gap).count(), gaps);
}

#[tokio::test(flavor = "multi_thread")]
async fn maintenance_and_a_refused_connection_are_waited_out_and_named() {
    let dir = tempfile::tempdir().unwrap();
    // Nobody listens there yet; the port is kept by binding it without listening.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap().to_string();
    let running = probe(&address, dir.path());
    let says = |what: &'static str| {
        move |seen: &Value| seen["kind"] == "link" && seen["detail"].as_str().is_some_and(|detail| detail.contains(what))
    };
    until(&running, "the refusal", says("refused"));
    let mut connect = Connect::start_on(socket.listen(64).unwrap());
    connect.refuse(Some(502));
    until(&running, "the maintenance", says("in maintenance (502)"));
    connect.refuse(None);
    let mut peer = connect.configured().await;
    // And in the middle of its life.
    waits(&connect);
    peer.send(&purchase("TQ-1", "PR-1"));
    connect.called(LAST_CALL).await;
    connect.refuse(Some(502));
    peer.drop_connection();
    until(&running, "the maintenance", says("in maintenance (502)"));
    connect.hold(false);
    connect.refuse(None);
    peer = connect.configured().await;
    assert_eq!(task_id(&peer.result().await), "TQ-1");
    nothing_more(&mut peer).await;
}

/// A number of the environment: some tests can be made as large as one likes.
fn number(name: &str, otherwise: usize) -> usize {
    std::env::var(name).ok().map_or(otherwise, |text| text.parse().unwrap())
}

/// Everything answers 502 for a while: three seconds here, a minute with `CONNECT_CONSOLE_TEST_OUTAGE=60`.
#[tokio::test(flavor = "multi_thread")]
async fn a_maintenance_of_socket_and_api_costs_no_task_its_result_and_gives_none_two() {
    let outage = Duration::from_secs(number("CONNECT_CONSOLE_TEST_OUTAGE", 3) as u64);
    let dir = tempfile::tempdir().unwrap();
    let mut connect = Connect::start().await;
    let running = probe(&connect.address, dir.path());
    let mut first = connect.configured().await;
    // One is answered in the middle of it, one works through it, one is looked up in vain, one has only just come.
    note(&connect, "PR-SOON", &format!("bench:sleep:{}", outage.as_secs_f64() / 2.0));
    note(&connect, "PR-LONG", &format!("bench:sleep:{}", outage.as_secs_f64()));
    for task in ["SOON", "LONG"] {
        first.send(&purchase(&format!("TQ-{task}"), &format!("PR-{task}")));
        until(&running, "the handler", |seen| seen["kind"] == "step_started");
    }
    connect.hold_at("requests?and(eq(id,PR-LOOK)");
    let began = Instant::now();
    connect.refuse(Some(502));
    connect.answer("requests", 502, json!({}));
    for task in ["LOOK", "LATE"] {
        first.send(&purchase(&format!("TQ-{task}"), &format!("PR-{task}")));
        until(&running, "the task", |seen| seen["kind"] == "task_arrived");
    }
    first.drop_connection();
    tokio::time::sleep_until((began + outage).into()).await; // this is what is tested: how long it takes
    connect.refuse(None);
    connect.forget("requests");
    connect.hold(false);
    let since = Instant::now();
    let mut peer = tokio::time::timeout(support::DEADLINE, connect.configured()).await.unwrap();
    assert!(since.elapsed() < Duration::from_secs(16), "the longest pause between two tries is 15 s");
    let mut answers = BTreeMap::<String, Vec<String>>::new();
    // On a machine that is slow enough one came before the outage did.
    let mut results = first.results_so_far();
    while results.len() < 4 {
        results.push(peer.result().await);
    }
    for result in results {
        answers.entry(task_id(&result)).or_default().push(result["output"]["result"].as_str().unwrap().to_owned());
    }
    let one = |task: &str| answers[task].iter().map(String::as_str).collect::<Vec<_>>();
    assert_eq!((one("TQ-SOON"), one("TQ-LONG")), (vec!["success"], vec!["success"]));
    // A call answered 502 is tried for some seconds, then Connect is asked to deliver the task again.
    for task in ["TQ-LOOK", "TQ-LATE"] {
        assert!(matches!(one(task)[..], ["success"] | ["retry"]), "{answers:?}");
    }
    nothing_more(&mut peer).await;
    assert!(tokio::task::block_in_place(|| running.terminate()).success());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_process_ends_well_when_connect_asks_the_extension_to_stop() {
    let dir = tempfile::tempdir().unwrap();
    let mut connect = Connect::start().await;
    let running = probe(&connect.address, dir.path());
    let mut peer = connect.configured().await;
    note(&connect, "PR-1", "bench:sleep:0.5");
    peer.send(&purchase("TQ-1", "PR-1"));
    until(&running, "the handler", |seen| seen["kind"] == "step_started");
    peer.send(&json!({"version": 2, "message_type": "shutdown", "data": null}));
    assert_eq!(peer.receive().await["message_type"], "shutdown");
    let result = peer.result().await;
    assert_eq!((&result["options"]["task_id"], &result["output"]["result"]), (&json!("TQ-1"), &json!("success")));
    assert!(tokio::task::block_in_place(|| running.ended()).success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_with_garbage_in_between_is_answered_to_the_last_task() {
    // A release build takes the whole flood in the time a debug build takes a fifth of it.
    let tasks = number("CONNECT_CONSOLE_TEST_FLOOD", if cfg!(debug_assertions) { 2_000 } else { 10_000 });
    let dir = tempfile::tempdir().unwrap();
    let mut connect = Connect::start().await;
    let running = probe(&connect.address, dir.path());
    let mut peer = connect.configured().await;
    let garbage =
        ["", "\u{0}", "[[[[", r#"{"version":2,"message_type":"task","data":{"#, r#"{"version": 2, "message_type": []}"#];
    for n in 0..tasks {
        peer.send(&purchase(&format!("TQ-{n}"), &format!("PR-{n}")));
        if n % 10 == 0 {
            peer.send_text(garbage[n / 10 % garbage.len()]);
        }
    }
    let answered = results(&mut peer, tasks).await;
    assert_eq!(answered.len(), tasks);
    nothing_more(&mut peer).await;
    assert!(tokio::task::block_in_place(|| running.terminate()).success());
    let deliveries = deliveries(dir.path());
    assert_eq!(deliveries.len(), tasks + 1);
    assert!(deliveries.iter().all(|d| d["state"] == "sent" && d["result"] == "success"));
    assert_eq!(rows(dir.path()).iter().filter(|row| row["kind"] == "frame_rejected").count(), tasks / 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_breaks_while_results_are_written_loses_none_and_repeats_none() {
    let dir = tempfile::tempdir().unwrap();
    // More than the system's buffers take: the peer is slow, and then gone in the middle of a result.
    let (tasks, letters) = (60, 300_000);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let running = probe(&listener.local_addr().unwrap().to_string(), dir.path());
    let mut slow = slow_peer(&listener, tasks, letters).await;
    let outbox = dir.path().join("outbox");
    eventually("all results on disk", || std::fs::metadata(&outbox).is_ok_and(|m| m.len() > tasks as u64 * letters as u64)).await;
    let mut seen = BTreeMap::<String, u32>::new();
    for _ in 0..3 {
        *seen.entry(next_result(&mut slow).await.unwrap()).or_default() += 1;
    }
    // No more is taken from here on but what is on its way: the runner has seen the end before that is read. Pings that are
    // among it want an answer nobody takes.
    *slow.get_mut().writer_mut() = Box::new(tokio::io::sink());
    until(&running, "the gap", |seen| seen["kind"] == "link" && seen["state"] == "waiting");
    while let Some(task) = next_result(&mut slow).await {
        *seen.entry(task).or_default() += 1;
    }
    assert!(seen.len() < tasks, "the connection was to break in the middle");
    let mut second = slow_peer(&listener, 0, 0).await;
    while seen.len() < tasks {
        *seen.entry(next_result(&mut second).await.unwrap()).or_default() += 1;
    }
    assert!(seen.values().all(|times| *times == 1), "{seen:?}");
}

/// A connection whose end for writing can be taken away alone.
type Slow = WebSocketStream<Join<OwnedReadHalf, Box<dyn AsyncWrite + Send + Unpin>>>;

/// The next runner, configured and sent so many tasks with data of so many letters; nothing it says is read.
async fn slow_peer(listener: &TcpListener, tasks: usize, letters: usize) -> Slow {
    let (stream, _) = tokio::time::timeout(support::DEADLINE, listener.accept()).await.unwrap().unwrap();
    let (reader, writer) = stream.into_split();
    let stream = tokio::io::join(reader, Box::new(writer) as Box<dyn AsyncWrite + Send + Unpin>);
    let config = WebSocketConfig::default().max_message_size(None).max_frame_size(None);
    let mut peer = tokio_tungstenite::accept_async_with_config(stream, Some(config)).await.unwrap();
    let setup = peer.next().await.unwrap().unwrap();
    assert!(setup.to_text().unwrap().contains("setup_request"));
    peer.send(Message::text(configuration(json!([])).to_string())).await.unwrap();
    for n in 0..tasks {
        let data = json!({"text": "x".repeat(letters)});
        let sent = task(&format!("TQ-{n}"), "interactive", "product_action_execution", "PRD-1", data);
        peer.send(Message::text(sent.to_string())).await.unwrap();
    }
    peer
}

/// The task of the next whole result; `None` when the connection is at its end.
async fn next_result(peer: &mut Slow) -> Option<String> {
    loop {
        let frame = tokio::time::timeout(support::DEADLINE, peer.next()).await.expect("the runner says nothing");
        if let Message::Text(text) = frame?.ok()? {
            let message: Value = serde_json::from_str(&text).unwrap();
            return Some(task_id(&message["data"]));
        }
    }
}
