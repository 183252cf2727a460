use connect_console::observe::{Fact, Observation, Origin};
use connect_console::platform::RunnerType;
use serde_json::json;
use tokio_tungstenite::tungstenite::Error;

use crate::support::{Local, PURCHASE, Runner, id_of, object_of, until};

#[tokio::test]
async fn an_application_of_the_extension_connects_beside_its_events_and_gets_no_tasks() {
    let local = Local::start().await;
    let mut events = Runner::purchases(&local).await;
    let access = local.platform.access();
    let mut web = Runner::dial(access, access.api_key.reveal(), "one/webapp", "").await.unwrap();
    let data =
        json!({"ui_modules": {"settings": {"label": "Settings"}}, "runner_version": "43.1", "model_type": "setup_request"});
    web.send(&json!({"version": 2, "message_type": "setup_request", "data": data})).await;
    assert_eq!(web.next().await["message_type"], "setup_response");
    let path = format!("devops/services/{}/environments/{}", access.service_id, access.environment_id);
    let environment = local.client().get(&path).await.unwrap();
    assert_eq!(environment["ui_modules"]["settings"]["label"], "Settings");
    assert_eq!(environment["features"]["web_app_available"], true);
    assert_eq!(environment["capabilities"][0]["id"], PURCHASE, "the events are as they were");
    local.trigger(PURCHASE).await;
    let task = events.task().await;
    events.answer(&task, json!({"result": "success"})).await;
    assert!(web.is_idle(&local).await, "it is told of the configuration, and of nothing else");
    let connections = local.platform.connections();
    assert!(connections.iter().all(|c| c.last_seen >= c.since) && connections.len() == 2, "{connections:?}");
    assert!(Runner::dial(access, access.api_key.reveal(), "one/nothing", "").await.is_err());
}

#[tokio::test]
async fn the_handshake_creates_declared_variables_once_and_answers_with_the_configuration() {
    let local = Local::start().await;
    local.platform.set_variable("PLAIN_VAR", "mine", false).await.unwrap();
    let access = local.platform.access();
    let mut runner = Runner::dial(access, access.api_key.reveal(), "one", "running_tasks=0").await.unwrap();
    let declared = json!([
        {"name": "PLAIN_VAR", "initial_value": "plain-default", "secure": false},
        {"name": "SECRET_VAR", "initial_value": "secret-default", "secure": true},
    ]);
    runner.set_up(json!({PURCHASE: ["pending", "approved"]}), declared).await;
    let response = runner.next().await;
    assert_eq!((&response["version"], &response["message_type"]), (&json!(2), &json!("setup_response")));
    let data = &response["data"];
    assert_eq!(data["model_type"], "setup_response");
    assert_eq!(
        data["variables"],
        json!([
            {"name": "PLAIN_VAR", "value": "mine", "secure": false},
            {"name": "SECRET_VAR", "value": "secret-default", "secure": true},
        ])
    );
    let told = local.platform.connections()[0].told;
    assert!(local.platform.variables().iter().all(|v| v.updated <= told), "what its own request created it is told, too");
    assert_eq!(data["environment_type"], "development");
    assert_eq!(data["logging"]["log_level"], "INFO");
    assert_eq!(data["logging"]["meta"]["service_id"], access.service_id);
    let definitions = data["event_definitions"].as_array().unwrap();
    let listing = definitions.iter().find(|d| d["event_type"] == "listing_new_request_processing").unwrap();
    assert_eq!(listing["api_collection_filter"], "and(eq(id,${_object_id_}),in(state,${_statuses_}))");
    assert_eq!(listing["api_resource_endpoint"], "listing-requests/{pk}");
    assert!(definitions.iter().all(|d| d["event_type"] != "asset_purchase_request_validation"));
    let connections = local.platform.connections();
    assert_eq!(connections[0].subscriptions[PURCHASE], ["pending", "approved"]);
}

#[tokio::test]
async fn a_declared_variable_that_was_deleted_stays_so_until_it_is_made_again() {
    let local = Local::start().await;
    let declared = json!([{"name": "PLAIN_VAR", "initial_value": "plain-default", "secure": false}]);
    let set_up = async |local: &Local| {
        let access = local.platform.access();
        let mut runner = Runner::dial(access, access.api_key.reveal(), "one", "running_tasks=0").await.unwrap();
        runner.set_up(json!({PURCHASE: ["pending"]}), declared.clone()).await;
        runner.next().await["data"]["variables"].clone()
    };
    assert_eq!(set_up(&local).await.as_array().unwrap().len(), 1);
    let client = local.client();
    let access = local.platform.access();
    let path = format!("devops/services/{}/environments/{}/variables", access.service_id, access.environment_id);
    let id = local.platform.variables()[0].id.clone();
    client.delete(&format!("{path}/{id}")).await.unwrap();
    assert_eq!(set_up(&local).await, json!([]));
    assert!(local.logged("is not created again though the extension declares it: PLAIN_VAR"));
    let local = local.restart().await;
    assert_eq!(set_up(&local).await, json!([]));
    local.platform.set_variable("PLAIN_VAR", "mine", false).await.unwrap();
    assert_eq!(set_up(&local).await[0]["value"], "mine");
}

#[tokio::test]
async fn whoever_has_not_the_key_stays_outside() {
    let local = Local::start().await;
    let Err(Error::Http(refused)) = Runner::dial(local.platform.access(), "ApiKey SU-000-000-000:wrong", "one", "").await else {
        panic!("the wrong key opened the door");
    };
    assert_eq!(refused.status(), 401);
    assert!(local.logged("without the right key"));
    assert!(!format!("{:?}", local.platform.access()).contains(local.platform.access().api_key.reveal()));
}

#[tokio::test]
async fn a_triggered_task_arrives_and_its_success_ends_it() {
    let local = Local::start().await;
    let mut runner = Runner::purchases(&local).await;
    let queued = local.platform.trigger(PURCHASE, None, &[("note".into(), "hello".into())]).await.unwrap();
    assert_eq!(queued.note, None);
    let task = runner.task().await;
    assert_eq!((id_of(&task), object_of(&task)), (queued.task_id.clone(), queued.object_id.clone()));
    assert_eq!(task["data"]["options"]["task_category"], "background");
    assert_eq!(task["data"]["model_type"], "task");
    assert_eq!(local.platform.object("requests", &queued.object_id).unwrap()["note"], "hello");
    runner.answer(&task, json!({"result": "success", "runtime": 0.1})).await;
    runner.answer(&task, json!({"result": "success"})).await;
    until("a second result is noticed", || local.logged("done already")).await;
    assert_eq!(local.origins(&queued.task_id), [Origin::Trigger]);
}

#[tokio::test]
async fn only_event_types_a_runner_subscribes_to_are_sent_to_it() {
    let local = Local::start().await;
    let mut runner = Runner::purchases(&local).await;
    let waiting = local.platform.trigger("asset_change_request_processing", None, &[]).await.unwrap();
    assert!(
        waiting.note.unwrap().contains("no connected runner of background tasks subscribes to asset_change_request_processing")
    );
    assert!(runner.is_idle(&local).await);
    let (mut other, _) =
        Runner::attach(&local, "two", "running_tasks=0", json!({"asset_change_request_processing": ["pending"]})).await;
    assert_eq!(id_of(&other.task().await), waiting.task_id);
}

#[tokio::test]
async fn tasks_without_a_runner_wait_in_order() {
    let local = Local::start().await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        let queued = local.platform.trigger(PURCHASE, None, &[]).await.unwrap();
        assert_eq!(queued.note.as_deref(), Some("no runner is connected; the task waits for one"));
        ids.push(queued.task_id);
    }
    let mut runner = Runner::purchases(&local).await;
    for id in ids {
        assert_eq!(id_of(&runner.task().await), id);
    }
}

#[tokio::test]
async fn background_and_interactive_connections_each_get_their_own() {
    let local = Local::start().await;
    let events = json!({PURCHASE: ["pending"], "asset_purchase_request_validation": [], "product_action_execution": []});
    let (mut background, _) = Runner::attach(&local, "one", "running_tasks=0&runner_type=background", events.clone()).await;
    let (mut interactive, _) = Runner::attach(&local, "one", "running_tasks=0&runner_type=interactive", events).await;
    let types: Vec<_> = local.platform.connections().into_iter().map(|c| c.runner_type).collect();
    assert_eq!(types, [Some(RunnerType::Background), Some(RunnerType::Interactive)]);
    let validation = local.trigger("asset_purchase_request_validation").await;
    let purchase = local.trigger(PURCHASE).await;
    let schedule = local.trigger("scheduled_execution").await;
    let task = interactive.task().await;
    assert_eq!(id_of(&task), validation);
    assert_eq!(task["data"]["input"]["data"]["status"], "draft");
    let answer = json!({"http_status": 200, "headers": null, "body": {"ok": true}});
    interactive.answer(&task, json!({"result": "success", "data": answer})).await;
    until("the answer is kept", || local.platform.answer(&validation).is_some_and(|a| a.data.as_ref() == Some(&answer))).await;
    assert_eq!(id_of(&background.task().await), purchase);
    let task = background.task().await;
    assert_eq!(id_of(&task), schedule);
    let (access, client) = (local.platform.access(), local.client());
    let (service, environment) = (&access.service_id, &access.environment_id);
    let path = format!("devops/services/{service}/environments/{environment}/schedules/{}", object_of(&task));
    assert_eq!(client.get(&path).await.unwrap()["method"], "run_schedule");
    assert!(interactive.is_idle(&local).await);
}

#[tokio::test]
async fn two_runners_share_the_work() {
    let local = Local::start().await;
    let mut one = Runner::purchases(&local).await;
    let mut two = Runner::purchases(&local).await;
    for _ in 0..4 {
        local.trigger(PURCHASE).await;
    }
    for _ in 0..2 {
        one.task().await;
        two.task().await;
    }
    assert!(one.is_idle(&local).await);
}

#[tokio::test]
async fn a_frame_that_makes_no_sense_is_noted_and_the_connection_goes_on() {
    let local = Local::start().await;
    let mut runner = Runner::purchases(&local).await;
    for garbage in ["{", "[]", "{\"message_type\": 7}", "{\"version\":2,\"message_type\":\"task\",\"data\":{}}", ""] {
        runner.send_text(garbage).await;
    }
    let task = local.trigger(PURCHASE).await;
    assert_eq!(id_of(&runner.task().await), task);
    let rejected = || local.seen.seen().iter().filter(|o| matches!(o.fact, Fact::FrameRejected { .. })).count();
    until("all five are noted", || rejected() == 5).await;
}

#[tokio::test]
async fn a_message_too_large_to_be_read_is_noted_as_what_it_is_and_its_task_goes_out_again() {
    let local = Local::start().await;
    let mut runner = Runner::purchases(&local).await;
    let task = local.trigger(PURCHASE).await;
    let message = runner.task().await;
    let mut result = message.clone();
    result["data"]["output"] = json!({"result": "fail", "message": "x".repeat(17 << 20)});
    // It is refused at its first bytes: the rest may not find anybody.
    let _ = runner.try_send_text(&result.to_string()).await;
    let large = |o: &Observation| match &o.fact {
        Fact::FrameRejected { reason, bytes, .. } => reason.contains("larger than 16 MiB") && *bytes > 16 << 20,
        _ => false,
    };
    until("it is noted", || local.seen.seen().iter().any(large)).await;
    let mut runner = Runner::purchases(&local).await;
    assert_eq!(id_of(&runner.task().await), task);
}

#[tokio::test]
async fn a_runner_that_announced_its_end_gets_no_more_tasks_and_its_own_go_elsewhere() {
    let local = Local::start().await;
    let mut leaving = Runner::purchases(&local).await;
    let task = local.trigger(PURCHASE).await;
    assert_eq!(id_of(&leaving.task().await), task);
    leaving.send(&json!({"version": 2, "message_type": "shutdown", "data": null})).await;
    until("the farewell is taken", || local.logged("it gets no more tasks")).await;
    let second = local.trigger(PURCHASE).await;
    let mut staying = Runner::purchases(&local).await;
    assert_eq!(id_of(&staying.task().await), second);
    leaving.close().await;
    assert_eq!(id_of(&staying.task().await), task);
    assert_eq!(local.origins(&task), [Origin::Trigger, Origin::Redelivery]);
}

#[tokio::test]
async fn applying_changes_reaches_every_runner() {
    let local = Local::start().await;
    let (mut one, mut two) = (Runner::purchases(&local).await, Runner::purchases(&local).await);
    local.platform.set_variable("DB", "next", None).await.unwrap();
    assert!(local.platform.configuration_changed());
    assert_eq!(local.platform.apply().unwrap(), 2);
    assert!(!local.platform.configuration_changed());
    for runner in [&mut one, &mut two] {
        assert_eq!(runner.next().await["data"]["variables"], json!([{"name": "DB", "value": "next", "secure": false}]));
    }
}

#[tokio::test]
async fn wrong_wishes_are_refused_in_words() {
    let local = Local::start().await;
    let told = |outcome: Result<_, connect_console::platform::PlatformError>| outcome.err().unwrap().to_string();
    let unknown = told(local.platform.trigger("asset_birthday", None, &[]).await);
    assert!(unknown.contains("no event type `asset_birthday`") && unknown.contains(PURCHASE), "{unknown}");
    let path = told(local.platform.trigger(PURCHASE, None, &[("asset.itms".into(), "1".into())]).await);
    assert!(path.contains("no `itms` in `asset`") && path.contains("items"), "{path}");
    let object = told(local.platform.trigger(PURCHASE, Some(json!([1])), &[]).await);
    assert!(object.contains("must be a JSON object"), "{object}");
    let value = told(local.platform.trigger(PURCHASE, None, &[("id".into(), "a b".into())]).await);
    assert!(value.contains("characters an id of Connect can't have"), "{value}");
}
