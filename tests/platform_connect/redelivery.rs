use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use connect_console::observe::{Discard, Fact, Origin, Timestamp};
use connect_console::platform::{Platform, PlatformError, PlatformOptions, Rerun};
use rstest::rstest;
use serde_json::json;

use crate::support::{Local, PURCHASE, Runner, id_of, object_of, until};

#[tokio::test]
async fn a_rescheduled_task_comes_again_after_its_countdown_as_the_same_task() {
    let local = Local::start().await;
    let mut runner = Runner::purchases(&local).await;
    let id = local.trigger(PURCHASE).await;
    let task = runner.task().await;
    let before = Timestamp::now();
    runner.answer(&task, json!({"result": "reschedule", "countdown": 1})).await;
    let again = runner.task().await;
    assert!(Timestamp::now().0 - before.0 >= 1_000_000);
    assert_eq!((id_of(&again), object_of(&again)), (id.clone(), object_of(&task)));
    assert_eq!(local.origins(&id), [Origin::Trigger, Origin::Reschedule]);
    assert!(local.seen.seen().iter().any(|o| matches!(&o.fact, Fact::RedeliveryScheduled { task_id, .. } if *task_id == id)));
}

#[tokio::test]
async fn a_waiting_task_can_be_released_at_once() {
    let local = Local::start().await;
    let mut runner = Runner::purchases(&local).await;
    let id = local.trigger(PURCHASE).await;
    let task = runner.task().await;
    runner.answer(&task, json!({"result": "reschedule", "countdown": 300})).await;
    until("the task waits", || local.platform.waiting().len() == 1).await;
    local.platform.release(&id).unwrap();
    assert_eq!(id_of(&runner.task().await), id);
    assert!(matches!(local.platform.release(&id), Err(PlatformError::Task(_))));
}

#[rstest]
#[case("retry", true)]
#[case("success", false)]
#[case("fail", false)]
#[case("skip", false)]
#[tokio::test]
async fn only_a_retry_is_tried_again_by_itself(#[case] result: &str, #[case] again: bool) {
    let local = Local::start().await;
    let mut runner = Runner::purchases(&local).await;
    local.trigger(PURCHASE).await;
    let task = runner.task().await;
    let now = Timestamp::now();
    runner.answer(&task, json!({"result": result, "message": "because", "runtime": 0.0})).await;
    // The second result marks the moment the first was taken.
    runner.answer(&json!({"version": 2, "message_type": "task", "data": {"options": {"task_id": "TQ-0", "task_category": "background"}, "input": {"event_type": PURCHASE, "object_id": "PR-0"}, "model_type": "task"}}), json!({"result": "success"})).await;
    until("the result is taken", || local.logged("TQ-0")).await;
    let waiting = local.platform.waiting();
    assert_eq!(waiting.len(), usize::from(again));
    for task in waiting {
        let pause = 30_000_000;
        assert!((now.0 + pause..=Timestamp::now().0 + pause).contains(&task.due.0), "a retry comes after 30 s first");
    }
}

#[tokio::test]
async fn a_task_nobody_answered_goes_out_again_on_the_next_connection() {
    let local = Local::start().await;
    let mut runner = Runner::purchases(&local).await;
    let id = local.trigger(PURCHASE).await;
    runner.task().await;
    drop(runner);
    until("the runner is gone", || local.platform.connections().is_empty()).await;
    let mut runner = Runner::purchases(&local).await;
    assert_eq!(id_of(&runner.task().await), id);
    assert_eq!(local.origins(&id), [Origin::Trigger, Origin::Redelivery]);
}

#[tokio::test]
async fn a_task_that_takes_its_runner_down_each_time_waits_longer_each_time() {
    let local = Local::start().await;
    let innocent = local.trigger(PURCHASE).await;
    let id = local.trigger(PURCHASE).await;
    for _ in 0..3 {
        let mut runner = Runner::purchases(&local).await;
        let mut came = [id_of(&runner.task().await), id_of(&runner.task().await)];
        came.sort();
        let mut both = [innocent.clone(), id.clone()];
        both.sort();
        assert_eq!(came, both);
        drop(runner);
        until("the runner is gone", || local.platform.connections().is_empty()).await;
    }
    let mut runner = Runner::purchases(&local).await;
    until("both wait", || local.platform.waiting().len() == 2).await;
    let waiting = local.platform.waiting();
    assert_eq!(waiting[0].task_id, innocent);
    assert!(waiting[1].due.0 - waiting[0].due.0 >= 1_900_000, "one after the other");
    assert!(local.logged(&format!("task {id} was out at a runner that went away 3 times in a row")));
    local.platform.release(&id).unwrap();
    let task = runner.task().await;
    runner.answer(&task, json!({"result": "retry", "message": "the disk is full", "runtime": 0.0})).await;
    until("it waits for its retry", || local.platform.waiting().len() == 2).await;
    let path = format!(
        "devops/services/{}/environments/{}/tasks/{id}",
        local.platform.access().service_id,
        local.platform.access().environment_id
    );
    let shown = local.client().get(&path).await.unwrap();
    assert_eq!((&shown["status"], &shown["output"]), (&json!("retrying"), &json!("the disk is full")));
}

#[tokio::test]
async fn a_runner_that_comes_back_with_tasks_in_hand_may_hand_their_results_in() {
    let local = Local::start().await;
    let mut runner = Runner::purchases(&local).await;
    let id = local.trigger(PURCHASE).await;
    let task = runner.task().await;
    drop(runner);
    until("the runner is gone", || local.platform.connections().is_empty()).await;
    let (mut runner, _) = Runner::attach(&local, "one", "running_tasks=1", json!({PURCHASE: ["pending"]})).await;
    assert!(runner.is_idle(&local).await);
    runner.answer(&task, json!({"result": "success"})).await;
    let next = local.trigger(PURCHASE).await;
    assert_eq!(id_of(&runner.task().await), next);
    assert_eq!(local.origins(&id), [Origin::Trigger]);
}

#[tokio::test]
async fn a_second_task_for_an_object_that_is_queued_already_is_not_made() {
    let local = Local::start().await;
    let same = [("id".to_owned(), "PR-1111-2222-3333-001".to_owned())];
    let first = local.platform.trigger(PURCHASE, None, &same).await.unwrap();
    let second = local.platform.trigger(PURCHASE, None, &same).await.unwrap();
    assert_eq!(first.task_id, second.task_id);
    assert!(second.note.unwrap().contains("queued already"));
}

#[tokio::test]
async fn a_replay_puts_the_object_back_as_it_was_and_names_its_original() {
    let local = Local::start().await;
    let mut runner = Runner::purchases(&local).await;
    let queued = local.platform.trigger(PURCHASE, None, &[]).await.unwrap();
    let captured = local.platform.object("requests", &queued.object_id).unwrap();
    let task = runner.task().await;
    local.client().post(&format!("requests/{}/approve", queued.object_id), Some(&json!({"template_id": "TL-1"}))).await.unwrap();
    runner.answer(&task, json!({"result": "success"})).await;
    let replayed = {
        let (event_type, object) = (PURCHASE.into(), captured.clone());
        let rerun = Rerun { event_type, object, of: Some(7), recording: None, once: false, ahead: false };
        local.platform.rerun(rerun).await.unwrap()
    };
    assert_eq!(object_of(&runner.task().await), queued.object_id);
    assert_eq!(local.platform.object("requests", &queued.object_id), Some(captured));
    assert_eq!(local.origins(&replayed.task_id), [Origin::Replay(7)]);
}

#[tokio::test]
async fn everything_is_there_again_after_a_restart() {
    let local = Local::start().await;
    let mut runner = Runner::purchases(&local).await;
    let key = local.platform.access().api_key.clone();
    let environment = local.platform.access().environment_id.clone();
    local.platform.set_variable("DB_PASSWORD", "hunter2", true).await.unwrap();
    let (sent, waits) = (local.trigger(PURCHASE).await, local.trigger(PURCHASE).await);
    let object = object_of(&runner.task().await);
    let task = runner.task().await;
    runner.answer(&task, json!({"result": "reschedule", "countdown": 300})).await;
    until("the task waits", || local.platform.waiting().len() == 1).await;
    let queued = local.trigger("asset_cancel_request_processing").await;
    let due = local.platform.waiting()[0].due;

    let local = local.restart().await;
    assert_eq!(local.platform.access().api_key, key);
    assert_eq!(local.platform.access().environment_id, environment);
    assert_eq!(local.platform.variables()[0].value, "hunter2");
    assert!(!format!("{:?}", local.platform.variables()).contains("hunter2"));
    assert_eq!(local.platform.object("requests", &object).unwrap()["id"], object);
    let waiting = local.platform.waiting();
    assert_eq!((waiting[0].task_id.clone(), waiting[0].due), (waits, due));
    let events = json!({PURCHASE: ["pending"], "asset_cancel_request_processing": ["pending"]});
    let (mut runner, _) = Runner::attach(&local, "two", "running_tasks=0", events).await;
    let mut came = [id_of(&runner.task().await), id_of(&runner.task().await)];
    let mut expected = [sent.clone(), queued];
    came.sort();
    expected.sort();
    assert_eq!(came, expected);
    assert_eq!(local.origins(&sent), [Origin::Redelivery]);
}

#[tokio::test]
async fn a_directory_belongs_to_one_process_and_to_its_owner() {
    let local = Local::start().await;
    let dir = local.dir.path().join("connect");
    let again =
        Platform::start(PlatformOptions { dir: dir.clone(), port: 0, ..PlatformOptions::default() }, Arc::new(Discard)).await;
    assert!(matches!(again.err(), Some(PlatformError::InUse { .. })));
    let mode = |path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(
        (mode(dir.clone()), mode(dir.join("platform.sqlite")), mode(dir.join("platform.sqlite-wal"))),
        (0o700, 0o600, 0o600)
    );
}

#[tokio::test]
async fn a_port_that_is_taken_is_no_trouble() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let dir = tempfile::TempDir::new().unwrap();
    let platform =
        Platform::start(PlatformOptions { dir: dir.path().into(), port, ..PlatformOptions::default() }, Arc::new(Discard))
            .await
            .unwrap();
    assert!(!platform.access().api_address.ends_with(&format!(":{port}")));
}
