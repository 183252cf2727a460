//! Deliveries of runners that don't observe themselves.

use std::sync::Arc;

use connect_console::observe::{DeliveryKey, Fact, Memory, Observation};
use connect_console::platform::{Observed, Platform, PlatformOptions};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Local, PURCHASE, Runner, base, id_of, object_of, until};

async fn observing(observed: Observed) -> Local {
    observing_in(TempDir::new().unwrap(), observed).await
}

async fn observing_in(dir: TempDir, observed: Observed) -> Local {
    let seen = Arc::new(Memory::default());
    let options = PlatformOptions { dir: dir.path().join("connect"), observed, ..PlatformOptions::default() };
    let platform = Platform::start(options, Arc::clone(&seen) as _).await.unwrap();
    Local { platform, seen, dir }
}

/// A call as a runner makes it.
async fn call(local: &Local, method: &str, path: &str, agent: &str, task: Option<&str>) -> Value {
    let access = local.platform.access();
    let client = reqwest::Client::builder().no_proxy().user_agent(agent).build().unwrap();
    let mut request = client
        .request(method.parse().unwrap(), format!("{}/{path}", base(access)))
        .header("authorization", access.api_key.reveal())
        .json(&json!({}));
    if let Some(task) = task {
        request = request.header("EAAS_TASK_ID", task);
    }
    request.send().await.unwrap().json().await.unwrap_or_default()
}

/// Kinds of what was seen of a delivery, calls with their path's first word.
fn story(local: &Local, task: &str) -> Vec<String> {
    story_of(local, &local.platform.delivery(Some(task)).expect("a delivery"))
}

fn story_of(local: &Local, key: &DeliveryKey) -> Vec<String> {
    local.seen.seen().into_iter().filter(|o| o.delivery.as_ref() == Some(key)).map(told).collect()
}

fn told(observation: Observation) -> String {
    match observation.fact {
        Fact::TaskArrived(task) => format!("arrived {}", task.object_id),
        Fact::ApiCall(call) => format!("{} {} {}", call.method, call.path, call.status.unwrap()),
        Fact::ObjectFetched { object } => format!("fetched {}", object["id"].as_str().unwrap()),
        Fact::Answered(answer) => format!("answered {} {}", answer.result, answer.message.unwrap_or_default()),
        Fact::ResultSent { .. } => "sent".into(),
        Fact::Interrupted { reason } => format!("interrupted: {reason}"),
        Fact::RunnerGone { reason } => format!("no runner: {reason}"),
        Fact::RunnerBack { instance } => format!("{instance} is back"),
        other => format!("{other:?}"),
    }
}

/// A local Connect that observes everybody, a runner there and the task it was given.
async fn given_a_task() -> (Local, Runner, Value) {
    connect_console::connect::tls::install();
    let local = observing(Observed::Everybody).await;
    let mut runner = Runner::purchases(&local).await;
    local.trigger(PURCHASE).await;
    let task = runner.task().await;
    (local, runner, task)
}

#[tokio::test]
async fn a_foreign_delivery_is_seen_from_its_arrival_to_its_result_with_every_call_of_it() {
    let (local, mut runner, task) = given_a_task().await;
    let (id, object) = (id_of(&task), object_of(&task));
    assert_eq!(local.platform.delivery(None), local.platform.delivery(Some(&id)), "the only one that is out");
    let agent = "connect-extension-runner/43.1 CPython/3.11 Linux/6.1 ENV-1/one";
    call(&local, "GET", &format!("requests?and(eq(id,{object}),in(status,(pending)))&limit=0&offset=0"), agent, None).await;
    call(&local, "GET", &format!("requests/{object}"), agent, None).await;
    call(&local, "GET", &format!("requests/{object}"), "curl/8 of/somebody", None).await;
    call(&local, "POST", &format!("requests/{object}/approve"), agent, Some(&id)).await;
    call(&local, "GET", "products/PRD-1", agent, Some(&id)).await;
    runner.answer(&task, json!({"result": "fail", "message": "no"})).await;
    until("the result", || story(&local, &id).iter().any(|line| line == "sent")).await;
    let expected = [
        format!("arrived {object}"),
        format!("GET requests?and(eq(id,{object}),in(status,(pending)))&limit=0&offset=0 200"),
        format!("GET requests/{object} 200"),
        format!("fetched {object}"),
        format!("POST requests/{object}/approve 200"),
        "GET products/PRD-1 404".into(),
        "answered fail no".into(),
        "sent".into(),
    ];
    assert_eq!(story(&local, &id), expected);
    assert_eq!(local.platform.delivery(None), None);
}

#[tokio::test]
async fn the_object_is_seen_of_a_runner_that_says_whose_task_its_look_ups_are_for() {
    let (local, _runner, task) = given_a_task().await;
    let (id, object) = (id_of(&task), object_of(&task));
    for _ in 0..2 {
        call(&local, "GET", &format!("requests/{object}"), "connect-console/0.1.0 ENV-1/one", Some(&id)).await;
    }
    let call = format!("GET requests/{object} 200");
    assert_eq!(story(&local, &id), [format!("arrived {object}"), call.clone(), format!("fetched {object}"), call]);
}

#[tokio::test]
async fn a_runner_that_observes_itself_is_not_observed_twice() {
    let local = observing(Observed::EverybodyBut("one".into())).await;
    let mut own = Runner::purchases(&local).await;
    local.trigger(PURCHASE).await;
    let task = own.task().await;
    assert_eq!(local.platform.delivery(Some(&id_of(&task))), None);
    own.answer(&task, json!({"result": "success"})).await;
    until("it is done", || local.platform.pending() == 0).await;
    local.platform.apply().unwrap();
    let is_foreign =
        |fact| matches!(fact, Fact::TaskArrived(_) | Fact::Extension { .. } | Fact::Configured { .. } | Fact::Answered(_));
    assert_eq!(local.seen.seen().into_iter().filter(|o| is_foreign(o.fact.clone())).count(), 0);
}

const GONE: &str = "no runner: the runner one is gone and has not answered; the task waits for a runner";
const ELSEWHERE: &str = "interrupted: the runner one was gone before it answered; the task is delivered again";

#[tokio::test]
async fn a_delivery_whose_runner_is_gone_waits_for_one_until_the_next_takes_the_task_as_another_delivery() {
    let local = observing(Observed::Everybody).await;
    let mut runner = Runner::purchases(&local).await;
    local.trigger(PURCHASE).await;
    let task = runner.task().await;
    let first = local.platform.delivery(Some(&id_of(&task))).unwrap();
    assert_eq!(local.platform.sent(), 1);
    runner.send(&json!({"version": 2, "message_type": "shutdown", "data": null})).await;
    until("it leaves", || local.logged("is shutting down")).await;
    runner.close().await;
    let arrived = format!("arrived {}", object_of(&task));
    until("it waits for a runner", || story_of(&local, &first) == [arrived.as_str(), GONE]).await;
    assert_eq!((local.platform.sent(), local.platform.pending()), (0, 1), "nobody has it, and it is not done");
    assert_eq!(local.platform.delivery(None), None, "what is logged now is not of it");
    let (mut next, _) = Runner::attach(&local, "two", "running_tasks=0", json!({PURCHASE: ["pending"]})).await;
    let again = next.task().await;
    assert_eq!(id_of(&again), id_of(&task));
    assert_ne!(local.platform.delivery(Some(&id_of(&again))).unwrap(), first);
    assert_eq!(story_of(&local, &first), [arrived.as_str(), GONE, ELSEWHERE]);
}

#[tokio::test]
async fn a_runner_that_comes_back_with_its_task_in_hand_goes_on_with_the_same_delivery() {
    let local = observing(Observed::Everybody).await;
    let mut runner = Runner::purchases(&local).await;
    local.trigger(PURCHASE).await;
    let task = runner.task().await;
    let id = id_of(&task);
    drop(runner);
    let arrived = format!("arrived {}", object_of(&task));
    until("it waits for a runner", || story(&local, &id) == [arrived.as_str(), GONE]).await;
    let (mut again, _) = Runner::attach(&local, "one", "running_tasks=1", json!({PURCHASE: ["pending"]})).await;
    until("it is back", || story(&local, &id).len() == 3).await;
    assert_eq!(local.platform.sent(), 1);
    again.answer(&task, json!({"result": "success"})).await;
    until("the result", || story(&local, &id).len() == 5).await;
    assert_eq!(story(&local, &id), [arrived.as_str(), GONE, "one is back", "answered success ", "sent"]);
}

#[tokio::test]
async fn a_delivery_that_waits_for_a_runner_still_does_after_a_restart() {
    let local = observing(Observed::Everybody).await;
    let mut runner = Runner::purchases(&local).await;
    local.trigger(PURCHASE).await;
    let id = id_of(&runner.task().await);
    let key = local.platform.delivery(Some(&id)).unwrap();
    runner.send(&json!({"version": 2, "message_type": "shutdown", "data": null})).await;
    until("it leaves", || local.logged("is shutting down")).await;
    runner.close().await;
    until("it waits for a runner", || local.platform.sent() == 0).await;
    local.platform.stop().await;
    let local = observing_in(local.dir, Observed::Everybody).await;
    assert_eq!(story_of(&local, &key), [GONE]);
    let _runner = Runner::purchases(&local).await;
    until("it is delivered again", || story_of(&local, &key) == [GONE, ELSEWHERE]).await;
}

#[tokio::test]
async fn a_result_that_comes_after_a_restart_ends_the_delivery_it_is_of() {
    let local = observing(Observed::Everybody).await;
    let mut runner = Runner::purchases(&local).await;
    local.trigger(PURCHASE).await;
    let task = runner.task().await;
    let key = local.platform.delivery(Some(&id_of(&task))).unwrap();
    local.platform.stop().await;
    let local = observing_in(local.dir, Observed::Everybody).await;
    assert_eq!(local.platform.delivery(Some(&id_of(&task))), Some(key));
    let (mut again, _) = Runner::attach(&local, "one", "running_tasks=1", json!({PURCHASE: ["pending"]})).await;
    again.answer(&task, json!({"result": "success", "runtime": 1.5})).await;
    until("the result", || story(&local, &id_of(&task)).iter().any(|line| line == "sent")).await;
    assert_eq!(story(&local, &id_of(&task)), [GONE, "one is back", "answered success ", "sent"]);
}

#[tokio::test]
async fn a_foreign_runner_is_introduced_once_and_every_configuration_it_is_sent_is_told() {
    let local = observing(Observed::Everybody).await;
    local.platform.set_variable("DB", "tutorial", false).await.unwrap();
    let (_background, _) = Runner::attach(&local, "shop", "runner_type=background", json!({PURCHASE: ["pending"]})).await;
    let (_interactive, _) = Runner::attach(&local, "shop", "runner_type=interactive", json!({PURCHASE: ["pending"]})).await;
    local.platform.apply().unwrap();
    let facts: Vec<Fact> = local.seen.seen().into_iter().map(|o| o.fact).collect();
    let names: Vec<&String> =
        facts.iter().filter_map(|f| if let Fact::Extension { name, .. } = f { Some(name) } else { None }).collect();
    assert_eq!(names, ["shop"]);
    let updates: Vec<(bool, usize)> = facts
        .iter()
        .filter_map(|f| if let Fact::Configured { update, variables, .. } = f { Some((*update, variables.len())) } else { None })
        .collect();
    assert_eq!(updates, [(false, 1), (true, 1)]);
}
