//! Bodies of version 1, brought into the shape of version 2 (`connect-eaas-core`, `proto.py`).

use serde_json::{Map, Value, json};

type Body = Map<String, Value>;

fn take(body: &mut Body, name: &str) -> Value {
    body.remove(name).unwrap_or(Value::Null)
}

/// `capabilities`.
pub(super) fn setup_request(mut body: Body) -> Value {
    json!({
        "event_subscriptions": take(&mut body, "capabilities"),
        "variables": take(&mut body, "variables"),
        "schedulables": take(&mut body, "schedulables"),
        "repository": {
            "readme_url": take(&mut body, "readme_url"),
            "changelog_url": take(&mut body, "changelog_url"),
        },
        "runner_version": take(&mut body, "runner_version"),
    })
}

/// `configuration`: its variables are an object of name and value, none of them known to be a secret.
pub(super) fn setup_response(mut body: Body) -> Value {
    let variables = match take(&mut body, "configuration") {
        Value::Object(pairs) => {
            pairs.into_iter().map(|(name, value)| json!({"name": name, "value": value, "secure": false})).collect()
        }
        _ => Value::Null,
    };
    let products = match take(&mut body, "product_id") {
        Value::String(ids) => ids.split(',').map(|id| Value::from(id.trim())).collect(),
        _ => Value::Null,
    };
    json!({
        "variables": variables,
        "environment_type": take(&mut body, "environment_type"),
        "logging": {
            "logging_api_key": take(&mut body, "logging_api_key"),
            "log_level": take(&mut body, "log_level"),
            "runner_log_level": take(&mut body, "runner_log_level"),
            "meta": {
                "repository_tag": take(&mut body, "repository_tag"),
                "account_id": take(&mut body, "account_id"),
                "account_name": take(&mut body, "account_name"),
                "service_id": take(&mut body, "service_id"),
                "products": products,
                "hub_id": take(&mut body, "hub_id"),
            },
        },
    })
}

/// `task`, on the way there or, with a `result`, back; the message of a result is called `output`. `data` belongs to
/// the input on the way there and to the result on the way back.
pub(super) fn task(mut body: Body) -> Value {
    let data = take(&mut body, "data");
    let (input_data, output) = match take(&mut body, "result") {
        Value::Null => (data, Value::Null),
        result => {
            let output = json!({
                "result": result,
                "data": data,
                "countdown": body.remove("countdown").unwrap_or(json!(0)),
                "runtime": take(&mut body, "runtime"),
                "message": take(&mut body, "output"),
            });
            (Value::Null, output)
        }
    };
    json!({
        "options": {
            "task_id": take(&mut body, "task_id"),
            "task_category": take(&mut body, "task_category"),
            "correlation_id": take(&mut body, "correlation_id"),
            "reply_to": take(&mut body, "reply_to"),
        },
        "input": {
            "event_type": take(&mut body, "task_type"),
            "object_id": take(&mut body, "object_id"),
            "data": input_data,
        },
        "output": output,
    })
}
