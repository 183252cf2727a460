//! The connection: handshake, loss, return, garbage, the end. Nothing is lost and nothing is sent twice.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

mod fake;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use axum::extract::ws::Message;
use connect_console::extension::{Background, Extension};
use connect_console::observe::{Fact, LinkState, Memory, Observation};
use connect_console::runtime::{Runtime, RuntimeError};
use fake::{Connect, configuration, purchase, seen};
use futures::{SinkExt, StreamExt};
use rstest::rstest;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio_tungstenite::{WebSocketStream, tungstenite};

/// An extension whose handler waits until it is let go, and counts its calls.
#[derive(Clone, Default)]
struct Gate {
    open: Arc<Notify>,
    calls: Arc<AtomicU32>,
    called: Arc<Notify>,
}

impl Gate {
    async fn first_call(&self) {
        tokio::time::timeout(fake::PATIENCE, self.called.notified()).await.expect("no handler was called");
    }

    fn extension(&self) -> Extension {
        let gate = self.clone();
        Extension::new("test", "1.0").background("asset_purchase_request_processing", &["pending"], move |_, _: Value| {
            let gate = gate.clone();
            async move {
                gate.calls.fetch_add(1, Ordering::Relaxed);
                gate.called.notify_one();
                gate.open.notified().await;
                Ok(Background::Done)
            }
        })
    }
}

fn done() -> Extension {
    Extension::new("test", "1.0")
        .background("asset_purchase_request_processing", &["pending"], |_, _: Value| async { Ok(Background::Done) })
}

#[tokio::test]
async fn the_handshake_says_who_is_there_and_the_link_reports_each_state() {
    let dir = tempfile::tempdir().unwrap();
    let mut connect = Connect::start().await;
    let memory = Arc::new(Memory::default());
    let runtime = Runtime::start(connect.options(dir.path()), done(), memory.clone()).unwrap();
    let mut peer = connect.peer().await;
    assert_eq!(peer.authorization, fake::KEY);
    assert_eq!((&*peer.query["running_tasks"], &*peer.query["running_scheduled_tasks"]), ("0", "0"));
    let setup = peer.receive().await;
    assert_eq!(setup["data"]["event_subscriptions"], json!({"asset_purchase_request_processing": ["pending"]}));
    assert_eq!(runtime.status().borrow().link, LinkState::Connecting);
    peer.send(&configuration(json!([])));
    let mut status = runtime.status();
    status.wait_for(|s| s.link == LinkState::Connected && s.last_seen.is_some() && s.configured == 1).await.unwrap();
    assert!(matches!(&memory.seen()[0].fact, Fact::Extension { name, .. } if name == "test"));
    runtime.stop().await;
    assert_eq!(peer.receive().await["message_type"], "shutdown");
    assert!(matches!(peer.frame().await, Some(Message::Close(Some(close))) if close.code == 1000));
    let states: Vec<_> = memory
        .seen()
        .into_iter()
        .filter_map(|o| match o.fact {
            Fact::Link { state, .. } => Some(state),
            _ => None,
        })
        .collect();
    assert_eq!(states, [LinkState::Connecting, LinkState::Connected, LinkState::Closed]);
}

#[tokio::test]
async fn garbage_is_reported_and_survived_without_a_stall() {
    let dir = tempfile::tempdir().unwrap();
    let mut connect = Connect::start().await;
    let memory = Arc::new(Memory::default());
    let _runtime = Runtime::start(connect.options(dir.path()), done(), memory.clone()).unwrap();
    let mut peer = connect.configured().await;
    let garbage =
        ["", "nope", "42", "[1]", "{}", r#"{"version": 3, "message_type": "task"}"#, r#"{"version": 2, "message_type": "task"}"#];
    for frame in garbage {
        peer.send_text(frame);
    }
    peer.send_frame(Message::Binary(vec![0xff, 0xfe].into()));
    peer.send_text(&"x".repeat(17 << 20));
    peer.send_text(r#"{"version": 2, "message_type": "setup_response", "data": {"model_type": "setup_response", "variables": {"TOKEN": "zebra"}}}"#);
    peer.send_frame(Message::Binary(purchase("TQ-1", "PR-1").to_string().into()));
    let since = std::time::Instant::now();
    assert_eq!(peer.result().await["output"]["result"], "success");
    assert!(since.elapsed() < Duration::from_secs(4), "it stalled: {:?}", since.elapsed());
    let rejected = memory.seen().iter().filter(|o| matches!(o.fact, Fact::FrameRejected { .. })).count();
    assert_eq!(rejected, garbage.len() + 3);
    assert!(!serde_json::to_string(&memory.seen()).unwrap().contains("zebra"));
}

#[tokio::test]
async fn a_frame_beyond_all_measure_is_noted_with_its_size_and_a_line_that_is_cut_is_no_frame() {
    let dir = tempfile::tempdir().unwrap();
    let mut connect = Connect::start().await;
    let memory = Arc::new(Memory::default());
    let _runtime = Runtime::start(connect.options(dir.path()), done(), memory.clone()).unwrap();
    connect.configured().await.drop_connection();
    let broken = |o: &Observation| match &o.fact {
        Fact::Link { state: LinkState::Waiting, detail } => Some(detail.clone()),
        _ => None,
    };
    assert!(seen(&memory, broken).await.contains("Connect went away without a word"));
    let peer = connect.configured().await;
    peer.send_text(&"x".repeat(65 << 20));
    let rejected = |o: &Observation| match &o.fact {
        Fact::FrameRejected { reason, bytes, .. } => Some((reason.clone(), *bytes)),
        _ => None,
    };
    let (reason, bytes) = seen(&memory, rejected).await;
    assert_eq!(bytes, 65 << 20);
    assert!(reason.contains("larger than 64 MiB"), "{reason}");
    let mut peer = connect.configured().await;
    peer.send(&purchase("TQ-1", "PR-1"));
    assert_eq!(peer.result().await["output"]["result"], "success");
}

#[tokio::test]
async fn a_result_that_comes_to_exist_while_the_link_is_down_goes_out_once_on_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let mut connect = Connect::start().await;
    let memory = Arc::new(Memory::default());
    let gate = Gate::default();
    let runtime = Runtime::start(connect.options(dir.path()), gate.extension(), memory.clone()).unwrap();
    let peer = connect.configured().await;
    for n in 0..100 {
        peer.send(&purchase(&format!("TQ-{n}"), "PR-1"));
    }
    let arrived = || memory.seen().iter().filter(|o| matches!(o.fact, Fact::TaskArrived(_))).count();
    let mut status = runtime.status();
    status.wait_for(|s| s.running == 100).await.unwrap();
    assert_eq!(arrived(), 100);
    connect.refuse(Some(502));
    peer.go_away();
    seen(&memory, |o| matches!(&o.fact, Fact::Link { detail, .. } if detail.contains("maintenance")).then_some(())).await;
    let open = gate.open.clone();
    let letting_go = tokio::spawn(async move {
        loop {
            open.notify_waiters();
            tokio::task::yield_now().await;
        }
    });
    status.wait_for(|s| s.unsent == 100).await.unwrap();
    connect.refuse(None);
    let mut peer = connect.configured().await;
    assert_eq!(peer.query["running_tasks"], "100");
    let mut ids: Vec<String> = Vec::new();
    for _ in 0..100 {
        ids.push(peer.result().await["options"]["task_id"].as_str().unwrap().into());
    }
    status.wait_for(|s| s.unsent == 0 && s.running == 0).await.unwrap();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 100);
    assert!(peer.is_silent());
    letting_go.abort();
}

#[tokio::test]
async fn a_task_that_is_delivered_again_while_it_is_handled_is_answered_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut connect = Connect::start().await;
    let gate = Gate::default();
    let memory = Arc::new(Memory::default());
    let runtime = Runtime::start(connect.options(dir.path()), gate.extension(), memory.clone()).unwrap();
    let peer = connect.configured().await;
    peer.send(&purchase("TQ-1", "PR-1"));
    gate.first_call().await;
    peer.drop_connection();
    let mut peer = connect.configured().await;
    peer.send(&purchase("TQ-1", "PR-1"));
    seen(&memory, |o| matches!(&o.fact, Fact::Log { message, .. } if message.contains("came again")).then_some(())).await;
    gate.open.notify_one();
    assert_eq!(peer.result().await["options"]["task_id"], "TQ-1");
    runtime.status().wait_for(|s| s.running == 0 && s.unsent == 0).await.unwrap();
    assert!(peer.is_silent());
    assert_eq!(gate.calls.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn what_a_killed_process_left_unsent_goes_out_once_without_the_tasks_key() {
    let dir = tempfile::tempdir().unwrap();
    let mut connect = Connect::start().await;
    // What a process leaves that is killed between writing and sending: one sent, one not, one torn.
    let line = |n: u32| {
        let mut frame = purchase(&format!("TQ-{n}"), "PR-1");
        frame["data"]["output"] = json!({"result": "success", "data": null, "countdown": 0, "runtime": 0.5, "message": null});
        json!({"n": n, "frame": frame}).to_string()
    };
    let torn = line(3);
    let left = format!("{}\n{}\n{{\"sent\":1}}\n{}", line(1), line(2), &torn[..torn.len() / 2]);
    std::fs::write(dir.path().join("outbox"), left).unwrap();
    let runtime = Runtime::start(connect.options(dir.path()), done(), Arc::new(Memory::default())).unwrap();
    let mut peer = connect.configured().await;
    let result = peer.result().await;
    assert_eq!((&result["options"]["task_id"], &result["output"]["runtime"]), (&json!("TQ-2"), &json!(0.5)));
    runtime.status().wait_for(|s| s.unsent == 0).await.unwrap();
    assert!(peer.is_silent());
    runtime.stop().await;
    drop(runtime);

    let runtime = Runtime::start(connect.options(dir.path()), done(), Arc::new(Memory::default()));
    let mut peer = connect.configured().await;
    peer.send(&purchase("TQ-9", "PR-1"));
    assert_eq!(peer.result().await["options"]["task_id"], "TQ-9", "nothing of before is sent again");
    drop(runtime);
}

#[tokio::test]
async fn stopping_waits_for_running_handlers_gives_back_what_waits_and_calls_the_hook() {
    let dir = tempfile::tempdir().unwrap();
    let mut connect = Connect::start().await;
    let gate = Gate::default();
    let hooked = Arc::new(AtomicBool::new(false));
    let by_hook = hooked.clone();
    let extension = gate.extension().on_shutdown(move |_, _| {
        by_hook.store(true, Ordering::Relaxed);
        async { Ok(()) }
    });
    let mut options = connect.options(dir.path());
    options.limits.concurrency = 1;
    let runtime = Runtime::start(options, extension, Arc::new(Memory::default())).unwrap();
    let mut peer = connect.configured().await;
    peer.send(&purchase("TQ-1", "PR-1"));
    peer.send(&purchase("TQ-2", "PR-1"));
    runtime.status().wait_for(|s| s.running == 2).await.unwrap();
    gate.first_call().await;
    let stopping = tokio::spawn({
        let runtime = runtime.clone();
        async move { runtime.stop().await }
    });
    assert_eq!(peer.receive().await["message_type"], "shutdown");
    let given_back = peer.result().await;
    assert_eq!((&given_back["options"]["task_id"], &given_back["output"]["result"]), (&json!("TQ-2"), &json!("retry")));
    gate.open.notify_one();
    let finished = peer.result().await;
    assert_eq!((&finished["options"]["task_id"], &finished["output"]["result"]), (&json!("TQ-1"), &json!("success")));
    stopping.await.unwrap();
    assert!(hooked.load(Ordering::Relaxed));
    assert_eq!(runtime.status().borrow().link, LinkState::Closed);
}

#[tokio::test]
async fn a_handler_that_outlasts_the_grace_is_given_up_and_its_task_given_back() {
    let dir = tempfile::tempdir().unwrap();
    let mut connect = Connect::start().await;
    let gate = Gate::default();
    let mut options = connect.options(dir.path());
    options.limits.grace = Duration::from_millis(50);
    let runtime = Runtime::start(options, gate.extension(), Arc::new(Memory::default())).unwrap();
    let mut peer = connect.configured().await;
    peer.send(&purchase("TQ-1", "PR-1"));
    gate.first_call().await;
    runtime.stop().await;
    assert_eq!(peer.receive().await["message_type"], "shutdown");
    assert_eq!(peer.result().await["output"]["result"], "retry");
}

#[tokio::test]
async fn a_shutdown_from_connect_ends_the_runtime() {
    let dir = tempfile::tempdir().unwrap();
    let mut connect = Connect::start().await;
    let runtime = Runtime::start(connect.options(dir.path()), done(), Arc::new(Memory::default())).unwrap();
    let peer = connect.configured().await;
    peer.send(&json!({"version": 2, "message_type": "shutdown", "data": Value::Null}));
    tokio::time::timeout(fake::PATIENCE, runtime.ended()).await.unwrap();
}

#[rstest]
#[case::its_own_time_is_what_counts(Duration::from_secs(60), Duration::ZERO, false, "success")]
#[case::when_that_is_over_the_task_is_given_back(Duration::from_millis(50), Duration::from_secs(60), false, "retry")]
#[case::stopping_the_runtime_shortens_it(Duration::from_secs(60), Duration::from_millis(50), true, "retry")]
#[tokio::test]
async fn handlers_get_their_time_when_connect_asks_to_stop(
    #[case] drain: Duration,
    #[case] grace: Duration,
    #[case] stopped: bool,
    #[case] result: &str,
) {
    let dir = tempfile::tempdir().unwrap();
    let mut connect = Connect::start().await;
    let gate = Gate::default();
    let mut options = connect.options(dir.path());
    (options.limits.drain, options.limits.grace) = (drain, grace);
    let runtime = Runtime::start(options, gate.extension(), Arc::new(Memory::default())).unwrap();
    let mut peer = connect.configured().await;
    peer.send(&purchase("TQ-1", "PR-1"));
    gate.first_call().await;
    peer.send(&json!({"version": 2, "message_type": "shutdown", "data": Value::Null}));
    assert_eq!(peer.receive().await["message_type"], "shutdown");
    let stopping = stopped.then(|| {
        tokio::spawn({
            let runtime = runtime.clone();
            async move { runtime.stop().await }
        })
    });
    if result == "success" {
        gate.open.notify_one();
    }
    assert_eq!(peer.result().await["output"]["result"], result);
    tokio::time::timeout(fake::PATIENCE, runtime.ended()).await.unwrap();
    drop(stopping);
}

/// A peer that reads and writes when the test says so, and not by itself.
async fn by_hand(listener: &TcpListener) -> WebSocketStream<TcpStream> {
    let (stream, _) = tokio::time::timeout(fake::PATIENCE, listener.accept()).await.unwrap().unwrap();
    let mut peer = tokio_tungstenite::accept_async(stream).await.unwrap();
    assert_eq!(message(&mut peer).await["message_type"], "setup_request");
    say(&mut peer, &configuration(json!([]))).await;
    peer
}

async fn say(peer: &mut WebSocketStream<TcpStream>, message: &Value) {
    peer.send(tungstenite::Message::text(message.to_string())).await.unwrap();
}

/// The next message; pings that come before it are answered.
async fn message(peer: &mut WebSocketStream<TcpStream>) -> Value {
    loop {
        let frame = tokio::time::timeout(fake::PATIENCE, peer.next()).await.expect("the runner says nothing");
        if let tungstenite::Message::Text(text) = frame.unwrap().unwrap() {
            return serde_json::from_str(&text).unwrap();
        }
    }
}

fn task_of(message: &Value) -> &str {
    message["data"]["options"]["task_id"].as_str().unwrap()
}

#[tokio::test]
async fn a_redelivery_that_crosses_a_kept_result_is_known_and_the_next_one_is_handled() {
    let dir = tempfile::tempdir().unwrap();
    let connect = Connect::start().await; // for its REST API
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut options = connect.options(dir.path());
    options.server_address = listener.local_addr().unwrap().to_string();
    let gate = Gate::default();
    let memory = Arc::new(Memory::default());
    let runtime = Runtime::start(options, gate.extension(), memory.clone()).unwrap();
    let mut first = by_hand(&listener).await;
    say(&mut first, &purchase("TQ-1", "PR-1")).await;
    gate.first_call().await;
    drop(first);
    runtime.status().wait_for(|status| status.link != LinkState::Connected).await.unwrap();
    gate.open.notify_one();
    runtime.status().wait_for(|status| status.unsent == 1).await.unwrap();
    let mut peer = by_hand(&listener).await;
    assert_eq!(task_of(&message(&mut peer).await), "TQ-1");
    // The ping behind the result is not read yet: as far as the runtime can know this was sent before the result came.
    say(&mut peer, &purchase("TQ-1", "PR-1")).await;
    say(&mut peer, &purchase("TQ-2", "PR-2")).await;
    seen(&memory, |o| {
        matches!(&o.fact, Fact::Log { message, .. } if message.contains("its result was on its way")).then_some(())
    })
    .await;
    gate.open.notify_one();
    assert_eq!(task_of(&message(&mut peer).await), "TQ-2");
    assert_eq!(gate.calls.load(Ordering::Relaxed), 2);
    // Reading that result the peer has answered the ping before it; its pong goes out ahead of this.
    say(&mut peer, &purchase("TQ-1", "PR-1")).await;
    gate.open.notify_one();
    assert_eq!(task_of(&message(&mut peer).await), "TQ-1");
    assert_eq!(gate.calls.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn a_peer_that_reads_slowly_is_not_held_for_dead() {
    let dir = tempfile::tempdir().unwrap();
    let connect = Connect::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut options = connect.options(dir.path());
    options.server_address = listener.local_addr().unwrap().to_string();
    // After three times this a peer without a sign of life is dead.
    options.limits.keepalive = Duration::from_millis(500);
    let echo = Extension::new("test", "1").interactive("product_action_execution", &[], |_, data: Value| async {
        Ok(connect_console::extension::Interactive::ok(data))
    });
    let memory = Arc::new(Memory::default());
    let _runtime = Runtime::start(options, echo, memory.clone()).unwrap();
    let mut peer = by_hand(&listener).await;
    let letters = 7 << 20;
    let data = json!({"text": "x".repeat(letters)});
    say(&mut peer, &fake::task("TQ-1", "interactive", "product_action_execution", "PRD-1", data)).await;
    // The result has the data twice. It is read in many small pieces, in far more time than silence is allowed to last.
    let socket = peer.get_mut();
    let mut read = 0;
    let mut buffer = vec![0; 64 << 10];
    while read < 2 * letters {
        let n = tokio::time::timeout(fake::PATIENCE, socket.read(&mut buffer)).await.unwrap().unwrap();
        assert!(n > 0, "given up after {read} bytes");
        read += n;
        tokio::time::sleep(Duration::from_millis(10)).await; // a slow peer is what is tested
    }
    assert!(!memory.seen().iter().any(|o| matches!(&o.fact, Fact::Link { state: LinkState::Waiting, .. })));
}

#[tokio::test]
async fn the_startup_hook_has_ended_before_the_first_task_begins() {
    let dir = tempfile::tempdir().unwrap();
    let mut connect = Connect::start().await;
    let order = Arc::new(std::sync::Mutex::new(Vec::new()));
    let (in_hook, in_handler) = (order.clone(), order.clone());
    let extension = Extension::new("test", "1.0")
        .on_startup(move |config, _| {
            let order = in_hook.clone();
            async move {
                tokio::task::yield_now().await;
                order.lock().unwrap().push(format!("startup {:?}", config.get("PLAIN")));
                Err("it is only logged".into())
            }
        })
        .background("asset_purchase_request_processing", &[], move |_, _: Value| {
            in_handler.lock().unwrap().push("task".into());
            async { Ok(Background::Done) }
        });
    let memory = Arc::new(Memory::default());
    let _runtime = Runtime::start(connect.options(dir.path()), extension, memory.clone()).unwrap();
    let mut peer = connect.configured().await;
    peer.send(&purchase("TQ-1", "PR-1"));
    peer.result().await;
    assert_eq!(*order.lock().unwrap(), ["startup Some(\"one\")", "task"]);
    seen(&memory, |o| matches!(&o.fact, Fact::Log { message, .. } if message.contains("it is only logged")).then_some(())).await;
}

#[tokio::test]
async fn a_silent_peer_is_asked_for_a_sign_of_life_and_then_held_for_dead() {
    let dir = tempfile::tempdir().unwrap();
    // It takes the connection and the upgrade, and then never says a word: not even a pong.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let connect = Connect::start().await;
    let mut options = connect.options(dir.path());
    options.server_address = listener.local_addr().unwrap().to_string();
    options.limits.keepalive = Duration::from_millis(30);
    let memory = Arc::new(Memory::default());
    let _runtime = Runtime::start(options, done(), memory.clone()).unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    let _socket = tokio_tungstenite::accept_async(stream).await.unwrap();
    seen(&memory, |o| matches!(&o.fact, Fact::Link { detail, .. } if detail.contains("no sign of life")).then_some(())).await;
}

#[tokio::test]
async fn a_task_that_waits_for_room_when_the_connection_breaks_gets_its_answer_all_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let mut connect = Connect::start().await;
    let mut options = connect.options(dir.path());
    // Room for one of these at a time, besides the one that is handled, and the one that waits for its turn.
    (options.limits.concurrency, options.limits.backlog_kib) = (1, 1024);
    options.limits.keepalive = Duration::from_millis(50);
    let (gate, memory) = (Gate::default(), Arc::new(Memory::default()));
    let runtime = Runtime::start(options, gate.extension(), memory.clone()).unwrap();
    let peer = connect.configured().await;
    let large = |id: &str| {
        let mut task = purchase(id, "PR-1");
        task["data"]["input"]["data"] = "x".repeat(900 << 10).into();
        task
    };
    peer.send(&purchase("TQ-1", "PR-1"));
    gate.first_call().await;
    peer.send(&large("TQ-2"));
    peer.send(&large("TQ-3"));
    let arrived = |o: &Observation| matches!(&o.fact, Fact::TaskArrived(task) if task.task_id == "TQ-3").then_some(());
    seen(&memory, arrived).await;
    peer.drop_connection();
    let mut again = connect.configured().await;
    let mut answered = Vec::new();
    while answered.len() < 3 {
        gate.open.notify_one();
        answered.push(again.result().await["options"]["task_id"].as_str().unwrap().to_owned());
    }
    assert_eq!(answered, ["TQ-1", "TQ-2", "TQ-3"]);
    runtime.stop().await;
}

#[tokio::test]
async fn an_outbox_in_use_and_a_wrong_address_are_said_in_a_sentence() {
    let dir = tempfile::tempdir().unwrap();
    let connect = Connect::start().await;
    let _runtime = Runtime::start(connect.options(dir.path()), done(), Arc::new(Memory::default())).unwrap();
    let again = Runtime::start(connect.options(dir.path()), done(), Arc::new(Memory::default()));
    assert!(matches!(again, Err(RuntimeError::OutboxTaken { .. })));
    let mut options = connect.options(&dir.path().join("other"));
    options.api_address = "not an address".into();
    let wrong = Runtime::start(options, done(), Arc::new(Memory::default()));
    assert!(matches!(wrong, Err(RuntimeError::Client(_))));
}
