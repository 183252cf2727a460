use std::sync::Mutex as StdMutex;

use async_trait::async_trait;
use serde_json::Value;

use super::*;
use crate::connect::Param;
use crate::extension::{HandlerError, Interactive, Scheduled};

struct Link;

#[async_trait]
impl InteractiveTransaction for Link {
    fn name(&self) -> &str {
        "link"
    }

    async fn execute(&self, _: &Context, data: &Value) -> Result<Interactive, HandlerError> {
        Ok(Interactive::fail("no such action", json!({"asked": data["jwt_payload"]["action_id"]})))
    }
}

#[tokio::test]
async fn an_interactive_transaction_answers_and_is_a_step_of_the_trace() {
    let (cx, memory) = context();
    let answer = interactive(Link)(cx, json!({"jwt_payload": {"action_id": "sso"}})).await.unwrap();
    assert_eq!(answer.body, json!({"asked": "sso"}));
    assert_eq!(trace_of(&memory)[0], "1 execute link in 0 with the request");
    assert_eq!(endings(&memory), [(StepOutcome::Done, "400: no such action".into())]);
}

#[tokio::test]
async fn an_interactive_transaction_may_be_a_function() {
    let (cx, _) = context();
    let echo = FnInteractive::new("echo", |_, data| async move { Ok(Interactive::ok(data)) });
    assert_eq!(interactive(echo)(cx, json!({"a": 1})).await.unwrap(), Interactive::ok(json!({"a": 1})));
}

#[tokio::test]
async fn a_validation_answers_the_request_with_what_is_wrong_marked_on_its_parameters() {
    let (cx, _) = context();
    let seats = FnValidation::new("seats", |_, request| async move {
        request.change_asset(|asset| {
            asset.set_param(Param::new("seats").error("too many"));
        });
        Ok(())
    });
    let draft = json!({"id": "PR-1", "status": "draft", "asset": {"params": [{"id": "seats", "value": "9"}]}});
    let answer = validation(seats)(cx, draft).await.unwrap();
    assert_eq!(answer.http_status, 200);
    assert_eq!(answer.body["asset"]["params"], json!([{"id": "seats", "value": "9", "value_error": "too many"}]));
    assert_eq!(answer.body["status"], "draft");
}

#[tokio::test]
async fn a_validation_that_cannot_be_done_fails_and_the_trace_says_why() {
    let (cx, memory) = context();
    let broken = FnValidation::new("broken", |_, _| async { Err("the vendor is away".into()) });
    assert_eq!(validation(broken)(cx, json!({})).await.unwrap_err().to_string(), "the vendor is away");
    assert_eq!(endings(&memory), [(StepOutcome::Failed, "the vendor is away".into())]);
}

#[tokio::test]
async fn a_scheduled_transaction_is_called_with_the_schedule() {
    let (cx, memory) = context();
    let seen = Arc::new(StdMutex::new(Value::Null));
    let inside = Arc::clone(&seen);
    let clean_up = FnScheduled::new("clean up", move |_, schedule| {
        *inside.lock().unwrap() = schedule;
        async { Ok(Scheduled::Fail("nothing there".into())) }
    });
    let answer = scheduled(clean_up)(cx, json!({"id": "SCH-1"})).await.unwrap();
    assert_eq!(answer, Scheduled::Fail("nothing there".into()));
    assert_eq!(*seen.lock().unwrap(), json!({"id": "SCH-1"}));
    assert_eq!(endings(&memory), [(StepOutcome::Done, "fail: nothing there".into())]);
}
