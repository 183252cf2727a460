//! The environment: tasks, schedules, installations, runners of version 1.

use connect_console::connect::{Client, ClientBuilder};
use connect_console::observe::Origin;
use rstest::rstest;
use serde_json::{Value, json};
use std::time::Duration;

use crate::support::{Local, PURCHASE, Runner, base, id_of, object_of, post, refusal, until};

fn environment(local: &Local) -> String {
    let access = local.platform.access();
    format!("devops/services/{}/environments/{}", access.service_id, access.environment_id)
}

#[tokio::test]
async fn tasks_are_listed_with_their_status_and_failed_ones_can_be_resubmitted() {
    let local = Local::start().await;
    let (client, tasks) = (local.client(), format!("{}/tasks", environment(&local)));
    let mut runner = Runner::purchases(&local).await;
    let mut ids = Vec::new();
    for (result, status) in
        [("success", "succeeded"), ("fail", "failed"), ("skip", "skipped"), ("reschedule", "rescheduled"), ("retry", "retrying")]
    {
        let id = local.trigger(PURCHASE).await;
        let task = runner.task().await;
        runner.answer(&task, json!({"result": result, "message": "because", "countdown": 300, "runtime": 0.5})).await;
        ids.push((id, status));
    }
    until("all answers are taken", || local.platform.pending() == 0).await;
    let queued = local.trigger("asset_cancel_request_processing").await;
    ids.push((queued, "scheduled"));
    for (id, status) in &ids {
        let task = client.get(&format!("{tasks}/{id}")).await.unwrap();
        assert_eq!(task["status"], *status, "{task}");
        assert_eq!(client.page(&format!("{tasks}?eq(id,{id})&eq(status,{status})")).await.unwrap().total, 1);
    }
    assert_eq!(client.page(&format!("{tasks}?limit=2&ordering(-id)")).await.unwrap().total, 6);
    let failed = client.get(&format!("{tasks}/{}", ids[1].0)).await.unwrap();
    assert_eq!((&failed["output"], &failed["runtime_total"]), (&json!("because"), &json!(0.5)));
    assert_eq!(refusal(client.get(&format!("{tasks}/TQ-0")).await.unwrap_err()).0, 404);
    assert_eq!(post(&client, &format!("{tasks}/{}/resubmit", ids[0].0), json!({})).await.unwrap_err().1, "VAL_001");
    post(&client, &format!("{tasks}/{}/resubmit", ids[1].0), json!({})).await.unwrap();
    assert_eq!(id_of(&runner.task().await), ids[1].0);
}

#[tokio::test]
async fn making_a_task_injects_its_event() {
    let local = Local::start().await;
    let (client, tasks) = (local.client(), format!("{}/tasks", environment(&local)));
    let mut runner = Runner::purchases(&local).await;
    local.trigger(PURCHASE).await;
    let object = object_of(&runner.task().await);
    let body = json!({"object": {"id": object, "type": PURCHASE, "category": "background"}});
    let made = post(&client, &tasks, body).await.unwrap();
    let task = runner.task().await;
    assert_eq!((json!(id_of(&task)), object_of(&task)), (made["id"].clone(), object.clone()));
    for wrong in [
        json!({}),
        json!({"object": {"id": "PR-0", "type": PURCHASE}}),
        json!({"object": {"id": object, "type": "asset_birthday"}}),
        json!({"object": {"id": object, "type": PURCHASE, "category": "interactive"}}),
    ] {
        assert_eq!(post(&client, &tasks, wrong).await.unwrap_err().1, "VAL_001");
    }
}

#[tokio::test]
async fn the_environment_says_what_the_extension_can_do_also_when_it_is_gone() {
    let local = Local::start().await;
    let (client, path) = (local.client(), environment(&local));
    let runner = Runner::purchases(&local).await;
    assert_eq!(client.get(&path).await.unwrap()["status"], "connected");
    runner.close().await;
    until("the runner is gone", || local.platform.connections().is_empty()).await;
    let local = local.restart().await;
    let (client, seen) = (local.client(), local.client().get(&environment(&local)).await.unwrap());
    assert_eq!((&seen["status"], &seen["schedulables"][0]["method"]), (&json!("disconnected"), &json!("run_schedule")));
    let purchase = &seen["capabilities"][0];
    assert_eq!(
        (&purchase["id"], &purchase["statuses"]["pending"], &purchase["statuses"]["failed"]),
        (&json!(PURCHASE), &json!(true), &json!(false))
    );
    assert_eq!(client.page(&format!("{path}/event-subscriptions")).await.unwrap().items[0]["event_type"], PURCHASE);
    assert_eq!(refusal(client.put(&path, &json!({"runtime": "cloud"})).await.unwrap_err()).1, "VAL_001");
    assert_eq!(post(&client, &format!("{path}/start"), json!({})).await.unwrap_err().0, 400);
}

async fn schedule(client: &Client, schedules: &str, trigger: Value) -> Result<Value, (u16, String, String)> {
    let body = json!({"name": "Nightly", "method": "run_schedule", "parameter": {"note": "x"}, "trigger": trigger});
    post(client, schedules, body).await
}

fn soon(seconds: i64) -> String {
    jiff::Timestamp::now()
        .checked_add(jiff::SignedDuration::from_secs(seconds))
        .unwrap()
        .strftime("%Y-%m-%dT%H:%M:%S+00:00")
        .to_string()
}

#[tokio::test]
async fn schedules_are_made_changed_turned_off_triggered_and_deleted() {
    let local = Local::start().await;
    let (client, schedules) = (local.client(), format!("{}/schedules", environment(&local)));
    let daily = json!({"type": "recurring", "start": soon(3_600), "unit": "days", "amount": 1});
    assert!(schedule(&client, &schedules, daily.clone()).await.unwrap_err().2.contains("declares no method `run_schedule`"));
    let mut runner = Runner::purchases(&local).await;
    assert!(schedule(&client, &schedules, json!({"type": "now"})).await.unwrap_err().2.contains("trigger.type"));
    let made = schedule(&client, &schedules, daily.clone()).await.unwrap();
    assert_eq!((&made["status"], &made["events"]["next_trigger"]["at"]), (&json!("enabled"), &daily["start"]));
    let one = format!("{schedules}/{}", made["id"].as_str().unwrap());
    assert_eq!(client.put(&one, &json!({"name": "Daily"})).await.unwrap()["name"], "Daily");
    let off = post(&client, &format!("{one}/disable"), json!({})).await.unwrap();
    assert_eq!((&off["status"], &off["events"]["next_trigger"]), (&json!("disabled"), &json!(null)));
    assert_eq!(post(&client, &format!("{one}/disable"), json!({})).await.unwrap_err().0, 400);
    assert_eq!(post(&client, &format!("{one}/enable"), json!({})).await.unwrap()["status"], "enabled");
    post(&client, &format!("{one}/trigger"), json!({})).await.unwrap();
    let task = runner.task().await;
    assert_eq!(
        (task["data"]["options"]["task_category"].clone(), json!(object_of(&task))),
        (json!("scheduled"), made["id"].clone())
    );
    assert!(client.get(&one).await.unwrap()["events"]["last_triggered"]["at"].is_string());
    client.delete(&one).await.unwrap();
    assert_eq!(refusal(client.get(&one).await.unwrap_err()).0, 404);
    assert_eq!(client.page(&schedules).await.unwrap().total, 0);
    assert_eq!(local.platform.fast_forward(Duration::from_secs(7_200)), 0);
}

#[rstest]
#[case(json!({"type": "onetime", "date": soon(7_000)}), false)]
#[case(json!({"type": "recurring", "start": soon(-60), "unit": "hours", "amount": 1}), true)]
#[case(json!({"type": "advanced", "start": soon(-60), "cron_expression": "*/30 * * * *"}), true)]
#[tokio::test]
async fn a_schedule_is_due_by_the_clock_and_again_if_it_recurs(#[case] trigger: Value, #[case] recurs: bool) {
    let local = Local::start().await;
    let (client, schedules) = (local.client(), format!("{}/schedules", environment(&local)));
    let mut runner = Runner::purchases(&local).await;
    let made = schedule(&client, &schedules, trigger).await.unwrap();
    assert_eq!(local.platform.fast_forward(Duration::from_secs(7_200)), 1);
    assert_eq!(json!(object_of(&runner.task().await)), made["id"]);
    let seen = client.get(&format!("{schedules}/{}", made["id"].as_str().unwrap())).await.unwrap();
    assert_eq!(seen["events"]["next_trigger"].is_object(), recurs);
}

#[tokio::test]
async fn a_schedule_that_was_due_while_nothing_ran_is_made_up_for_once() {
    let local = Local::start().await;
    let (client, schedules) = (local.client(), format!("{}/schedules", environment(&local)));
    let runner = Runner::purchases(&local).await;
    // Whole seconds are cut off: of one second nothing may be left.
    let date = soon(2);
    let made = schedule(&client, &schedules, json!({"type": "onetime", "date": date})).await.unwrap();
    drop(runner);
    let Local { platform, dir, .. } = local;
    platform.stop().await;
    let date: jiff::Timestamp = date.parse().unwrap();
    until("it was due", || jiff::Timestamp::now() > date).await;
    let local = Local::start_in(dir).await;
    let mut runner = Runner::purchases(&local).await;
    assert_eq!(json!(object_of(&runner.task().await)), made["id"]);
    assert!(runner.is_idle(&local).await);
}

#[tokio::test]
async fn a_planned_request_is_pending_when_its_date_comes_unless_it_was_revoked() {
    let local = Local::start().await;
    let client = local.client();
    let mut runner = Runner::purchases(&local).await;
    let mut planned = Vec::new();
    for _ in 0..2 {
        local.trigger(PURCHASE).await;
        let task = runner.task().await;
        runner.answer(&task, json!({"result": "success"})).await;
        let path = format!("requests/{}", object_of(&task));
        let scheduled = post(&client, &format!("{path}/schedule"), json!({"planned_date": soon(3_000)})).await.unwrap();
        assert_eq!(scheduled["status"], "scheduled");
        planned.push(object_of(&task));
    }
    let revoked = post(&client, &format!("requests/{}/revoke", planned[0]), json!({"reason": "no"})).await.unwrap();
    assert_eq!(revoked["status"], "revoking");
    assert_eq!(post(&client, &format!("requests/{}/confirm", planned[0]), json!({})).await.unwrap()["status"], "revoked");
    assert_eq!(local.platform.fast_forward(Duration::from_secs(3_600)), 1);
    assert_eq!(object_of(&runner.task().await), planned[1]);
    assert_eq!(client.get(&format!("requests/{}", planned[1])).await.unwrap()["status"], "pending");
    assert!(runner.is_idle(&local).await);
}

#[tokio::test]
async fn a_jump_of_the_clock_delivers_what_is_due_and_brings_the_rest_nearer() {
    let local = Local::start().await;
    let mut runner = Runner::purchases(&local).await;
    for countdown in [60, 300] {
        local.trigger(PURCHASE).await;
        let task = runner.task().await;
        runner.answer(&task, json!({"result": "reschedule", "countdown": countdown})).await;
    }
    until("both wait", || local.platform.waiting().len() == 2).await;
    let (near, far) = (local.platform.waiting()[0].clone(), local.platform.waiting()[1].clone());
    assert_eq!(local.platform.fast_forward(Duration::from_secs(100)), 1);
    assert_eq!(id_of(&runner.task().await), near.task_id);
    assert_eq!(local.origins(&near.task_id), [Origin::Trigger, Origin::Reschedule]);
    assert_eq!(local.platform.waiting()[0].due.0, far.due.0 - 100_000_000);
    let local = local.restart().await;
    assert_eq!(local.platform.waiting()[0].due.0, far.due.0 - 100_000_000);
}

#[tokio::test]
async fn an_extension_of_many_accounts_gets_its_installation_with_a_key_of_its_own() {
    let local = Local::start().await;
    let access = local.platform.access();
    let mut runner = Runner::dial(access, access.api_key.reveal(), "one", "").await.unwrap();
    let data = json!({"event_subscriptions": {PURCHASE: ["pending"], "installation_status_change": ["installed"]},
        "audience": ["vendor"], "model_type": "setup_request"});
    runner.send(&json!({"version": 2, "message_type": "setup_request", "data": data})).await;
    runner.next().await;
    let queued = local.platform.trigger(PURCHASE, None, &[]).await.unwrap();
    let task = runner.task().await;
    let options = &task["data"]["options"];
    let (id, key) = (options["installation_id"].as_str().unwrap(), options["api_key"].as_str().unwrap());
    let client = local.client();
    let service = format!("devops/services/{}", access.service_id);
    let installation = client.get(&format!("{service}/installations/{id}")).await.unwrap();
    assert_eq!(
        (&installation["status"], &installation["environment"]["id"]),
        (&json!("installed"), &json!(access.environment_id))
    );
    let own = ClientBuilder::new(base(access), key.into()).build().unwrap();
    assert_eq!(own.get(&format!("requests/{}", queued.object_id)).await.unwrap()["id"], queued.object_id);
    assert_eq!(refusal(own.get(&service).await.unwrap_err()).0, 404);
    assert!(Runner::dial(access, key, "one", "").await.is_err());
    let impersonated = post(&client, &format!("{service}/installations/{id}/impersonate"), json!({})).await.unwrap();
    assert_eq!(impersonated["installation_api_key"], key);
    assert_eq!(client.page(&format!("devops/installations/{id}/tasks")).await.unwrap().items[0]["installation"]["id"], id);
    client.put(&format!("{service}/installations/{id}"), &json!({"settings": {"a": 1}})).await.unwrap();
    post(&client, &format!("devops/installations/{id}/uninstall"), json!({"comment": "bye"})).await.unwrap();
    assert_eq!(refusal(own.get("requests").await.unwrap_err()).0, 401);
    assert_eq!(post(&client, &format!("{service}/installations/{id}/impersonate"), json!({})).await.unwrap_err().0, 400);
    let made = post(&client, "devops/installations", json!({"environment": {"id": access.environment_id}})).await.unwrap();
    let task = runner.task().await;
    assert_eq!((json!(object_of(&task)), &task["data"]["options"]["installation_id"]), (made["id"].clone(), &made["id"]));
}

#[tokio::test]
async fn an_extension_of_one_account_gets_no_installation() {
    let local = Local::start().await;
    let mut runner = Runner::purchases(&local).await;
    local.trigger(PURCHASE).await;
    let task = runner.task().await;
    let options = &task["data"]["options"];
    assert_eq!((&options["installation_id"], &options["api_key"]), (&json!(null), &json!(null)));
    let trace = options["connect_correlation_id"].as_str().unwrap();
    assert_eq!(trace.split('-').map(str::len).collect::<Vec<_>>(), [2, 32, 16, 2]);
}

#[tokio::test]
async fn a_runner_that_speaks_version_1_is_spoken_to_in_version_1() {
    let local = Local::start().await;
    local.platform.set_variable("DB", "mine", false).await.unwrap();
    let access = local.platform.access();
    let mut runner = Runner::dial(access, access.api_key.reveal(), "old", "").await.unwrap();
    let data = json!({"capabilities": {PURCHASE: ["pending"]}, "variables": [{"name": "NEW", "initial_value": "1"}], "schedulables": []});
    runner.send(&json!({"message_type": "capabilities", "data": data})).await;
    let configuration = runner.next().await;
    assert_eq!((&configuration["message_type"], &configuration["version"]), (&json!("configuration"), &json!(null)));
    assert_eq!(configuration["data"]["configuration"], json!({"DB": "mine", "NEW": "1"}));
    assert_eq!(configuration["data"]["service_id"], access.service_id);
    let id = local.trigger(PURCHASE).await;
    let mut task = runner.next().await;
    assert_eq!((&task["data"]["task_id"], &task["data"]["task_type"]), (&json!(id), &json!(PURCHASE)));
    task["data"]["result"] = "reschedule".into();
    task["data"]["countdown"] = 300.into();
    runner.send(&task).await;
    until("the task waits", || local.platform.waiting().len() == 1).await;
    local.platform.apply().unwrap();
    assert_eq!(runner.next().await["message_type"], "configuration");
}
