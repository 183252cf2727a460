//! Short ways to observe something.
#![allow(dead_code)] // each test program uses some of it

use connect_console::journal::Journal;
use connect_console::observe::{Answer, DeliveryKey, Fact, Level, Observation, Observer, TaskArrived};
use serde_json::{Value, json};

/// The event type of all deliveries here.
pub(crate) const PURCHASE: &str = "asset_purchase_request_processing";

/// A log line outside any delivery.
pub(crate) fn log(message: &str, level: Level) -> Observation {
    Observation::now(Fact::Log { level, target: "extension".into(), message: message.into() })
}

/// A fact of a delivery.
pub(crate) fn of(key: &DeliveryKey, fact: Fact) -> Observation {
    Observation { delivery: Some(key.clone()), ..Observation::now(fact) }
}

/// The arrival of a task; `data` is the object of an interactive one.
pub(crate) fn arrival(task_id: &str, object_id: &str, data: Value) -> Fact {
    Fact::TaskArrived(TaskArrived {
        task_id: task_id.into(),
        category: if data.is_null() { "background" } else { "interactive" }.into(),
        event_type: PURCHASE.into(),
        object_id: object_id.into(),
        task: json!({"options": {"task_id": task_id}, "input": {"object_id": object_id, "data": data}}),
    })
}

/// A result.
pub(crate) fn answer(result: &str) -> Fact {
    Fact::Answered(Answer { result: result.into(), message: None, countdown: 0, data: None, micros: 1500 })
}

/// Lets a background task arrive.
pub(crate) fn arrive(journal: &Journal, task_id: &str, object_id: &str) -> DeliveryKey {
    let key = DeliveryKey::random();
    journal.observe(of(&key, arrival(task_id, object_id, Value::Null)));
    key
}
