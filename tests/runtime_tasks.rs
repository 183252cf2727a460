//! What becomes of a task: every category, every way to end.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

mod fake;

use std::collections::HashSet;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use connect_console::extension::{Background, Context, Extension, HandlerError, Interactive, Scheduled};
use connect_console::observe::{Fact, Memory, StepKind};
use connect_console::runtime::{Runtime, RuntimeOptions};
use fake::{Connect, Peer, configuration, facts_of, purchase, seen, task};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

/// Lets the handlers go that block their thread.
static RELEASED: (Mutex<bool>, Condvar) = (Mutex::new(false), Condvar::new());
/// Lets those go that wait, one for each.
static TURNS: Semaphore = Semaphore::const_new(0);

/// Does what the object's note says.
async fn act(cx: Context, object: Value) -> Result<Background, HandlerError> {
    match object["note"].as_str().unwrap_or_default() {
        "skip" => Ok(Background::Skip(Some("not mine".into()))),
        "fail" => Ok(Background::Fail("no".into())),
        "reschedule" => Ok(Background::Reschedule(Duration::from_secs(99))),
        "error" => Err("x".repeat(10_000).into()),
        "panic" => panic!("out of coffee"),
        "hang" => std::future::pending().await,
        "wait" => {
            TURNS.acquire().await.unwrap().forget();
            Ok(Background::Done)
        }
        "block" => {
            let held = RELEASED.0.lock().unwrap();
            drop(RELEASED.1.wait_while(held, |released| !*released).unwrap());
            Ok(Background::Done)
        }
        "config" => Ok(Background::Fail(cx.config.get("PLAIN").unwrap_or("(none)").into())),
        "installation" => Ok(Background::Fail(format!("{:?}", cx.installation.map(|i| i["id"].clone())))),
        "post" => {
            cx.client.post("requests/PR-1/approve", Some(&json!({}))).await?;
            Ok(Background::Done)
        }
        _ => Ok(Background::Done),
    }
}

/// What a handler wants to have, and nothing else.
#[derive(serde::Deserialize)]
struct Change {
    id: String,
    asset: Asset,
}

#[derive(serde::Deserialize)]
struct Asset {
    seats: u8,
}

async fn change(_: Context, request: Change) -> Result<Background, HandlerError> {
    Ok(Background::Fail(format!("{} has {} seats", request.id, request.asset.seats)))
}

async fn interact(_: Context, data: Value) -> Result<Interactive, HandlerError> {
    match data["note"].as_str().unwrap_or_default() {
        "fail" => Ok(Interactive::fail("no", json!({"error": "no"}))),
        "panic" => panic!("out of coffee"),
        "hang" => std::future::pending().await,
        _ => Ok(Interactive::ok(data)),
    }
}

fn extension() -> Extension {
    Extension::new("test", "1.0")
        .background("asset_purchase_request_processing", &["pending", "approved"], act)
        .background("asset_change_request_processing", &["pending"], change)
        .interactive("asset_purchase_request_validation", &["draft"], interact)
        .interactive("product_action_execution", &[], interact)
        .schedulable("run", "Run", "", |_, schedule: Value| async move {
            Ok(Scheduled::Fail(format!("ran {}", schedule["parameter"]["n"])))
        })
        .schedulable("hang", "Hang", "", |_, _: Value| std::future::pending())
}

struct Stage {
    connect: Connect,
    peer: Peer,
    runtime: Runtime,
    memory: Arc<Memory>,
    _dir: tempfile::TempDir,
}

async fn stage(change: impl FnOnce(&mut RuntimeOptions)) -> Stage {
    let dir = tempfile::tempdir().unwrap();
    let mut connect = Connect::start().await;
    let memory = Arc::new(Memory::default());
    let mut options = connect.options(dir.path());
    change(&mut options);
    let runtime = Runtime::start(options, extension(), memory.clone()).unwrap();
    let peer = connect.configured().await;
    Stage { connect, peer, runtime, memory, _dir: dir }
}

impl Stage {
    /// The output for a purchase with this note.
    async fn output(&mut self, note: &str) -> Value {
        self.connect.answer("requests/PR-1", 200, json!({"id": "PR-1", "status": "pending", "note": note}));
        self.peer.send(&purchase(&format!("TQ-{note}"), "PR-1"));
        self.peer.result().await["output"].clone()
    }
}

#[tokio::test]
async fn a_background_task_is_counted_fetched_handled_and_answered_and_every_step_of_it_is_seen() {
    let mut stage = stage(|_| {}).await;
    let mut sent = purchase("TQ-1", "PR-1");
    sent["data"]["options"]["connect_correlation_id"] = json!("00-0123456789abcdef0123456789abcdef-0000000000000007-01");
    stage.peer.send(&sent);
    let result = stage.peer.result().await;
    assert_eq!(result["options"], sent["data"]["options"]);
    assert_eq!(result["input"], sent["data"]["input"]);
    assert_eq!(result["output"]["result"], "success");
    assert_eq!(result["output"]["countdown"], 0);

    let calls = stage.connect.calls();
    let paths: Vec<_> = calls.iter().map(|c| c.path.as_str()).collect();
    let count = "requests?and(eq(id,PR-1),in(status,(pending,approved)))&limit=0&offset=0";
    assert_eq!(paths, [count, "requests/PR-1"]);
    for call in &calls {
        let header = |name: &str| call.headers.get(name).map(String::as_str).unwrap_or_default();
        assert_eq!(header("authorization"), fake::KEY);
        assert_eq!(header("eaas_ext_id"), "SRVC-1234-5678");
        assert_eq!(header("eaas_task_id"), "TQ-1");
        assert_eq!(header("eaas_task_type"), "asset_purchase_request_processing");
        assert!(header("ext-traceparent").starts_with("00-0123456789abcdef0123456789abcdef-"));
        assert!(
            header("user-agent").starts_with("connect-console/") && header("user-agent").ends_with("ENV-1234-5678-01/instance")
        );
    }

    seen(&stage.memory, |o| matches!(&o.fact, Fact::ResultSent { task_id } if task_id == "TQ-1").then_some(())).await;
    let kinds: Vec<_> = facts_of(&stage.memory, "TQ-1")
        .iter()
        .map(|fact| serde_json::to_value(fact).unwrap()["kind"].as_str().unwrap().to_owned())
        .collect();
    let expected =
        ["task_arrived", "api_call", "api_call", "object_fetched", "step_started", "step_ended", "answered", "result_sent"];
    assert_eq!(kinds, expected);
}

#[tokio::test]
async fn the_handler_runs_inside_its_step() {
    let mut stage = stage(|_| {}).await;
    assert_eq!(stage.output("post").await["result"], "success");
    let seen = stage.memory.seen();
    let step = seen.iter().find(|o| matches!(o.fact, Fact::StepStarted { step_kind: StepKind::Handler, .. })).unwrap();
    let post = seen.iter().find(|o| matches!(&o.fact, Fact::ApiCall(call) if call.method == "POST")).unwrap();
    assert_eq!((post.step, &post.delivery), (step.step, &step.delivery));
}

#[tokio::test]
async fn an_object_in_another_status_is_skipped_with_the_official_sentence() {
    let mut stage = stage(|_| {}).await;
    stage.connect.answer("requests", 200, json!([]));
    let output = stage.output("anything").await;
    assert_eq!(output["result"], "skip");
    assert_eq!(output["message"], "The request status does not match the supported statuses: pending,approved.");
}

#[tokio::test]
async fn every_answer_of_a_background_handler_goes_out_as_it_is() {
    let mut stage = stage(|_| {}).await;
    let skip = stage.output("skip").await;
    assert_eq!((&skip["result"], &skip["message"]), (&json!("skip"), &json!("not mine")));
    let fail = stage.output("fail").await;
    assert_eq!((&fail["result"], &fail["message"]), (&json!("fail"), &json!("no")));
    let again = stage.output("reschedule").await;
    assert_eq!((&again["result"], &again["countdown"]), (&json!("reschedule"), &json!(99)));
    assert!(again["runtime"].as_f64().unwrap() > 0.0);
}

#[tokio::test]
async fn a_report_is_cut_on_the_wire_and_whole_in_what_is_seen() {
    let mut stage = stage(|_| {}).await;
    let output = stage.output("error").await;
    assert_eq!((&output["result"], &output["runtime"]), (&json!("retry"), &json!(0.0)));
    assert_eq!(output["message"].as_str().unwrap().chars().count(), 4000);
    let whole = seen(&stage.memory, |o| match &o.fact {
        Fact::Answered(answer) => answer.message.clone(),
        _ => None,
    });
    assert!(whole.await.contains(&"x".repeat(10_000)));
}

#[tokio::test]
async fn a_panic_is_a_retry_with_its_report_and_the_next_task_is_handled() {
    let mut stage = stage(|_| {}).await;
    let output = stage.output("panic").await;
    assert_eq!(output["result"], "retry");
    assert!(output["message"].as_str().unwrap().contains("out of coffee"));
    assert_eq!(stage.output("fine").await["result"], "success");
}

#[tokio::test]
async fn a_handler_that_hangs_is_given_up_after_its_time() {
    let mut stage = stage(|o| o.limits.background = Duration::from_millis(100)).await;
    let output = stage.output("hang").await;
    assert_eq!(output["result"], "retry");
    assert!(output["message"].as_str().unwrap().contains("did not answer within 0.1 s"), "{output}");
}

#[tokio::test]
async fn every_category_has_a_time_of_its_own() {
    let mut stage = stage(|o| {
        o.limits.interactive = Duration::from_millis(120);
        o.limits.scheduled = Duration::from_millis(140);
    })
    .await;
    let hang = json!({"note": "hang"});
    stage.peer.send(&task("TQ-1", "interactive", "product_action_execution", "PR-1", hang));
    let output = stage.peer.result().await["output"].clone();
    assert_eq!(output["result"], "fail", "whoever waits for it is told");
    assert!(output["data"]["body"].as_str().unwrap().contains("did not answer within 0.12 s"), "{output}");
    let path = "devops/services/SRVC-1234-5678/environments/ENV-1234-5678-01/schedules/EFS-1";
    stage.connect.answer(path, 200, json!({"id": "EFS-1", "method": "hang"}));
    stage.peer.send(&task("TQ-2", "scheduled", "scheduled_execution", "EFS-1", Value::Null));
    let output = stage.peer.result().await["output"].clone();
    assert_eq!(output["result"], "retry", "it comes again");
    assert!(output["message"].as_str().unwrap().contains("did not answer within 0.14 s"), "{output}");
}

#[tokio::test]
async fn a_platform_of_version_1_is_understood() {
    let mut stage = stage(|_| {}).await;
    stage.peer.send(&json!({"message_type": "configuration", "data": {"configuration": {"PLAIN": "of version 1"}}}));
    seen(&stage.memory, |o| match &o.fact {
        Fact::Configured { variables, update: true, .. } if variables[0].value == "of version 1" => Some(()),
        _ => None,
    })
    .await;
    stage.connect.answer("requests/PR-1", 200, json!({"id": "PR-1", "status": "pending", "note": "fine"}));
    let data = json!({
        "task_id": "TQ-1", "task_category": "background", "correlation_id": "c", "reply_to": "q",
        "task_type": "asset_purchase_request_processing", "object_id": "PR-1",
    });
    stage.peer.send(&json!({"message_type": "task", "data": data}));
    let result = stage.peer.result().await;
    assert_eq!((&result["options"]["task_id"], &result["output"]["result"]), (&json!("TQ-1"), &json!("success")));
    stage.peer.send(&json!({"message_type": "shutdown"}));
    tokio::time::timeout(fake::PATIENCE, stage.runtime.ended()).await.expect("it ends");
}

#[tokio::test]
async fn an_interactive_task_is_answered_with_status_headers_and_body_even_without_data() {
    let mut stage = stage(|_| {}).await;
    let validation = |id: &str, data: Value| task(id, "interactive", "asset_purchase_request_validation", "PR-1", data);
    stage.peer.send(&validation("TQ-1", json!({"id": "PR-1", "params": []})));
    let result = stage.peer.result().await;
    let body = json!({"id": "PR-1", "params": []});
    assert_eq!(result["output"]["data"], json!({"http_status": 200, "headers": null, "body": body}));
    assert_eq!(result["input"]["data"], body);
    for (id, data) in [("TQ-2", Value::Null), ("TQ-3", json!({}))] {
        stage.peer.send(&validation(id, data.clone()));
        let output = stage.peer.result().await["output"].clone();
        assert_eq!(output["result"], "success");
        assert_eq!(output["data"]["body"], data);
    }
    stage.peer.send(&validation("TQ-4", json!({"note": "fail"})));
    let output = stage.peer.result().await["output"].clone();
    assert_eq!(
        (&output["result"], &output["message"], &output["data"]["http_status"]),
        (&json!("fail"), &json!("no"), &json!(400))
    );
    assert!(stage.connect.calls().is_empty(), "nothing is looked up for an interactive task");
}

#[tokio::test]
async fn a_handler_is_given_the_object_as_the_type_it_takes_or_says_what_does_not_fit() {
    let mut stage = stage(|_| {}).await;
    let mut output = async |id: &str, object: Value| {
        stage.connect.answer(&format!("requests/{id}"), 200, object);
        stage.peer.send(&task(&format!("TQ-{id}"), "background", "asset_change_request_processing", id, Value::Null));
        stage.peer.result().await["output"].clone()
    };
    let fits = output("PR-1", json!({"id": "PR-1", "status": "pending", "asset": {"id": "AS-1", "seats": 7}})).await;
    assert_eq!((&fits["result"], &fits["message"]), (&json!("fail"), &json!("PR-1 has 7 seats")));
    let other = output("PR-2", json!({"id": "PR-2", "status": "pending", "asset": {"seats": "seven"}})).await;
    assert_eq!(other["result"], "retry");
    let report = other["message"].as_str().unwrap();
    assert!(
        report.contains("Change`, which the handler takes: invalid type: string \"seven\", expected u8 at line 1"),
        "{report}"
    );
    let nothing = output("PR-3", json!({})).await;
    assert_eq!(nothing["message"], "GET requests/PR-3: the answer holds no object");
}

#[tokio::test]
async fn a_broken_interactive_handler_is_a_fail_with_data_for_an_action_only() {
    let mut stage = stage(|_| {}).await;
    let broken = json!({"note": "panic"});
    stage.peer.send(&task("TQ-1", "interactive", "product_action_execution", "PR-1", broken.clone()));
    let action = stage.peer.result().await["output"].clone();
    assert_eq!((&action["result"], &action["data"]["http_status"]), (&json!("fail"), &json!(400)));
    assert!(action["data"]["body"].as_str().unwrap().contains("out of coffee"));
    stage.peer.send(&task("TQ-2", "interactive", "asset_purchase_request_validation", "PR-1", broken));
    let validation = stage.peer.result().await["output"].clone();
    assert_eq!((&validation["result"], &validation["data"]), (&json!("fail"), &Value::Null));
}

#[tokio::test]
async fn a_schedule_is_fetched_and_calls_its_method_or_is_retried() {
    let mut stage = stage(|_| {}).await;
    let path = |id: &str| format!("devops/services/SRVC-1234-5678/environments/ENV-1234-5678-01/schedules/{id}");
    stage.connect.answer(&path("EFS-1"), 200, json!({"id": "EFS-1", "method": "run", "parameter": {"n": 7}}));
    stage.connect.answer(&path("EFS-2"), 200, json!({"id": "EFS-2", "method": "unknown"}));
    stage.peer.send(&task("TQ-1", "scheduled", "scheduled_execution", "EFS-1", Value::Null));
    let output = stage.peer.result().await["output"].clone();
    assert_eq!((&output["result"], &output["message"]), (&json!("fail"), &json!("ran 7")));
    stage.peer.send(&task("TQ-2", "scheduled", "scheduled_execution", "EFS-2", Value::Null));
    let output = stage.peer.result().await["output"].clone();
    assert_eq!(output["result"], "retry");
    assert!(output["message"].as_str().unwrap().contains("`unknown`"));
}

#[tokio::test]
async fn a_task_of_an_installation_is_looked_up_with_its_key_which_is_never_seen_nor_kept() {
    let mut stage = stage(|_| {}).await;
    let installation = "devops/services/SRVC-1234-5678/installations/EIN-1";
    stage.connect.answer(installation, 200, json!({"id": "EIN-1"}));
    stage.connect.answer("requests/PR-1", 200, json!({"id": "PR-1", "note": "installation"}));
    let mut sent = purchase("TQ-1", "PR-1");
    sent["data"]["options"]["api_key"] = json!("ApiKey SU-INST-001:giraffe");
    sent["data"]["options"]["installation_id"] = json!("EIN-1");
    stage.peer.send(&sent);
    let result = stage.peer.result().await;
    assert_eq!(result["output"]["message"], "Some(String(\"EIN-1\"))");
    assert_eq!(result["options"], sent["data"]["options"], "the key is echoed to Connect");
    for call in stage.connect.calls() {
        let expected = if call.path == installation { fake::KEY } else { "ApiKey SU-INST-001:giraffe" };
        assert_eq!(call.headers["authorization"], expected, "{}", call.path);
    }
    assert!(!serde_json::to_string(&stage.memory.seen()).unwrap().contains("giraffe"));
    let kept = std::fs::read_to_string(stage._dir.path().join("outbox")).unwrap();
    assert!(kept.contains("TQ-1") && !kept.contains("giraffe"), "{kept}");
}

#[tokio::test]
async fn a_pushed_configuration_reaches_the_next_task_and_an_empty_one_empties() {
    let mut stage = stage(|_| {}).await;
    assert_eq!(stage.output("config").await["message"], "one");
    stage.peer.send(&configuration(json!([{"name": "PLAIN", "value": "two", "secure": false}])));
    assert_eq!(stage.output("config").await["message"], "two");
    stage.peer.send(&configuration(Value::Null));
    assert_eq!(stage.output("config").await["message"], "two");
    stage.peer.send(&configuration(json!([])));
    assert_eq!(stage.output("config").await["message"], "(none)");
    assert!(stage.runtime.variables().is_empty());
    let updates: Vec<_> = stage
        .memory
        .seen()
        .into_iter()
        .filter_map(|o| match o.fact {
            Fact::Configured { message, update, .. } => Some((message, update)),
            _ => None,
        })
        .collect();
    assert_eq!(updates.len(), 4);
    assert_eq!(updates[0], ("Extension configuration has been received.".into(), false));
    assert!(updates[1..].iter().all(|u| *u == ("Extension configuration has been updated.".into(), true)));
}

#[tokio::test]
async fn no_more_than_the_limit_are_handled_at_once_and_interactive_ones_do_not_wait_for_them() {
    let mut stage = stage(|o| o.limits.concurrency = 2).await;
    stage.connect.answer("requests/PR-1", 200, json!({"id": "PR-1", "note": "wait"}));
    for n in 0..5 {
        stage.peer.send(&purchase(&format!("TQ-{n}"), "PR-1"));
    }
    stage.peer.send(&task("TQ-now", "interactive", "product_action_execution", "PR-1", json!({})));
    assert_eq!(stage.peer.result().await["options"]["task_id"], "TQ-now");
    let arrived = stage.memory.seen().iter().filter(|o| matches!(o.fact, Fact::TaskArrived(_))).count();
    assert_eq!(arrived, 6, "all arrived at once");
    TURNS.add_permits(5);
    for _ in 0..5 {
        assert_eq!(stage.peer.result().await["output"]["result"], "success");
    }
    let (mut running, mut most) = (HashSet::new(), 0);
    for observation in stage.memory.seen() {
        match observation.fact {
            Fact::StepStarted { name, .. } if name.starts_with("asset") => drop(running.insert(observation.delivery)),
            Fact::StepEnded { .. } => drop(running.remove(&observation.delivery)),
            _ => {}
        }
        most = most.max(running.len());
    }
    assert_eq!(most, 2, "as many as may, and no more");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_that_never_yields_takes_nothing_with_it() {
    let mut stage = stage(|o| o.limits.background = Duration::from_millis(200)).await;
    let output = stage.output("block").await;
    assert_eq!(output["result"], "retry");
    stage.peer.send(&task("TQ-2", "interactive", "product_action_execution", "PR-1", json!({"a": 1})));
    assert_eq!(stage.peer.result().await["output"]["result"], "success");
    *RELEASED.0.lock().unwrap() = true;
    RELEASED.1.notify_all();
}
