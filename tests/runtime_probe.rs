//! The probe does what the notes say.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

mod fake;

use std::sync::Arc;

use connect_console::observe::{Fact, Memory};
use connect_console::probe;
use connect_console::runtime::Runtime;
use fake::{Connect, purchase, seen, task};
use serde_json::{Value, json};

#[tokio::test]
async fn the_probe_does_what_the_note_says() {
    let dir = tempfile::tempdir().unwrap();
    let mut connect = Connect::start().await;
    let memory = Arc::new(Memory::default());
    let _runtime = Runtime::start(connect.options(dir.path()), probe::extension(), memory.clone()).unwrap();
    let mut peer = connect.configured().await;
    let expected = [
        ("success", json!({"result": "success", "message": null, "countdown": 0})),
        ("fail", json!({"result": "fail", "message": "bench says no", "countdown": 0})),
        ("skip", json!({"result": "skip", "message": "bench skips", "countdown": 0})),
        ("reschedule:99", json!({"result": "reschedule", "message": null, "countdown": 99})),
        ("reschedule:1", json!({"result": "reschedule", "message": null, "countdown": 30})),
        ("slow:1", json!({"result": "reschedule", "message": null, "countdown": 300})),
        ("sleep:0.01", json!({"result": "success", "message": null, "countdown": 0})),
        ("config", json!({"result": "fail", "message": r#"{"PLAIN":"one"}"#, "countdown": 0})),
        ("log:hello: there", json!({"result": "success", "message": null, "countdown": 0})),
        ("rest", json!({"result": "success", "message": null, "countdown": 0})),
    ];
    connect.answer("products/PRD-1/templates", 200, json!([{"id": "TL-1"}]));
    for (note, expected) in expected {
        let request = json!({"id": "PR-1", "note": format!("bench:{note}"), "asset": {"product": {"id": "PRD-1"}}});
        connect.answer("requests/PR-1", 200, request);
        peer.send(&purchase(&format!("TQ-{note}"), "PR-1"));
        let output = peer.result().await["output"].clone();
        let shown = json!({"result": output["result"], "message": output["message"], "countdown": output["countdown"]});
        assert_eq!(shown, expected, "{note}");
    }
    assert!(connect.calls().iter().any(|c| c.method == "POST" && c.path == "requests/PR-1/approve"));
    seen(&memory, |o| matches!(&o.fact, Fact::Log { message, .. } if message == "hello: there").then_some(())).await;
    for note in ["raise", "bigraise"] {
        connect.answer("requests/PR-1", 200, json!({"id": "PR-1", "note": format!("bench:{note}")}));
        peer.send(&purchase(&format!("TQ-{note}"), "PR-1"));
        assert_eq!(peer.result().await["output"]["result"], "retry", "{note}");
    }
}

#[tokio::test]
async fn the_probe_answers_interactive_and_scheduled_tasks_too() {
    let dir = tempfile::tempdir().unwrap();
    let mut connect = Connect::start().await;
    let _runtime = Runtime::start(connect.options(dir.path()), probe::extension(), Arc::new(Memory::default())).unwrap();
    let mut peer = connect.configured().await;
    let data = json!({"id": "PR-1", "note": "bench:success"});
    peer.send(&task("TQ-1", "interactive", "asset_purchase_request_validation", "PR-1", data.clone()));
    assert_eq!(peer.result().await["output"]["data"]["body"], data);
    let path = "devops/services/SRVC-1234-5678/environments/ENV-1234-5678-01/schedules/EFS-1";
    connect.answer(path, 200, json!({"method": "run_schedule", "parameter": {"note": "bench:fail"}}));
    peer.send(&task("TQ-2", "scheduled", "scheduled_execution", "EFS-1", Value::Null));
    assert_eq!(peer.result().await["output"]["message"], "bench says no");
}
