//! The official library's verdict on frames, and captures of the official runner's traffic, against our messages.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

use std::time::Duration;

use connect_console::extension::{Background, Interactive, Scheduled};
use connect_console::protocol::{Message, decode};
use proptest::prelude::*;
use serde_json::{Value, json};

/// Where our verdict on a frame differs from the official library's, and why.
const ON_PURPOSE: &[(&str, bool, &str)] = &[
    ("task with wrong model_type", false, "the official library reads it as whatever `model_type` says, a task is lost"),
    ("task with null data", false, "there is no task in it: it is reported instead of ignored"),
    ("task without data", false, "there is no task in it: it is reported instead of ignored"),
    (
        "version 1 task",
        true,
        "the official library can only read version 1 results; a platform that speaks version 1 sends tasks",
    ),
    ("unknown message_type, object data", true, "a message of a newer platform is no reason to report an error"),
    ("null", false, "no message: it is reported instead of ignored"),
    ("empty object", false, "no message: it is reported instead of ignored"),
    ("nan", false, "NaN is not JSON"),
    ("task with float countdown", false, "its result `x` is none of the protocol's; the number is understood, see `lenient`"),
    ("task with string countdown", false, "its result `x` is none of the protocol's; the number is understood, see `lenient`"),
];

#[test]
fn every_frame_gets_the_official_librarys_verdict_or_differs_for_a_reason() {
    let vectors: Value = serde_json::from_str(include_str!("vectors/proto_vectors.json")).unwrap();
    let mut wrong = Vec::new();
    for vector in vectors["parsing"].as_array().unwrap() {
        let name = vector["name"].as_str().unwrap();
        let official = vector["official"]["accepted"].as_bool().unwrap();
        let ours = decode(vector["frame"].as_str().unwrap());
        match ON_PURPOSE.iter().find(|(n, ..)| *n == name) {
            Some((_, expected, _)) if ours.is_ok() == *expected => {}
            None if ours.is_ok() == official => {}
            _ => wrong.push(format!("{name}: official {official}, ours {ours:?}")),
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn what_both_accept_both_understand_alike() {
    let vectors: Value = serde_json::from_str(include_str!("vectors/proto_vectors.json")).unwrap();
    for vector in vectors["parsing"].as_array().unwrap() {
        let official = &vector["official"]["normalised"];
        let (Ok(ours), true) = (decode(vector["frame"].as_str().unwrap()), official["data"].is_object()) else { continue };
        let mut official = official.clone();
        official["version"] = json!(2);
        match vector["name"].as_str().unwrap() {
            // A null time is no time.
            "task with null runtime" => official["data"]["output"]["runtime"] = json!(0.0),
            // The official reader looks for the product in the wrong place, and takes no variables for none.
            "configuration v1" => official["data"]["logging"]["meta"]["products"] = json!(["PRD-1"]),
            "configuration v1 empty" => official["data"]["variables"] = Value::Null,
            "capabilities v1" => official["data"]["schedulables"] = Value::Null,
            _ => {}
        }
        let ours: Value = serde_json::from_str(&ours.encode()).unwrap();
        assert_eq!(ours, official, "{}", vector["name"]);
    }
}

#[test]
fn the_official_runners_traffic_is_read_and_written_again_unchanged() {
    let captures = [
        include_str!("vectors/official_background.jsonl"),
        include_str!("vectors/official_interactive.jsonl"),
        include_str!("vectors/official_multi_account.jsonl"),
        include_str!("vectors/official_scheduled.jsonl"),
    ];
    let mut tasks = 0;
    for line in captures.iter().flat_map(|capture| capture.lines()) {
        let capture: Value = serde_json::from_str(line).unwrap();
        let message = decode(&capture["message"].to_string()).unwrap();
        tasks += usize::from(matches!(message, Message::Task(_)));
        let again: Value = serde_json::from_str(&message.encode()).unwrap();
        assert_eq!(again, capture["message"]);
    }
    assert!(tasks > 50, "the captures hold tasks: {tasks}");
}

#[test]
fn every_response_of_the_framework_goes_out_as_the_official_one() {
    let vectors: Value = serde_json::from_str(include_str!("vectors/proto_vectors.json")).unwrap();
    for vector in vectors["responses"].as_array().unwrap() {
        let call = vector["call"].as_str().unwrap();
        let seconds = Duration::from_secs(call.rsplit(' ').next().unwrap().parse::<i64>().unwrap_or(0).max(0).unsigned_abs());
        let output = match call {
            "background done" => Background::Done.output(),
            "background fail" => Background::Fail("m".into()).output(),
            "background skip" => Background::Skip(Some("m".into())).output(),
            _ if call.starts_with("background reschedule") => Background::Reschedule(seconds).output(),
            _ if call.starts_with("background slow") => Background::SlowReschedule(seconds).output(),
            "interactive done" | "validation done" => Interactive::ok(json!({"a": 1})).output(),
            "interactive done 201" => {
                let headers = Some([("X".to_owned(), "y".to_owned())].into());
                Interactive { http_status: 201, headers, ..Interactive::ok("text".into()) }.output()
            }
            "interactive fail" => Interactive::fail("m", Value::Null).output(),
            "validation fail" => Interactive::fail("m", json!({"a": 1})).output(),
            "scheduled done" => Scheduled::Done.output(),
            "scheduled fail" => Scheduled::Fail("m".into()).output(),
            other => panic!("{other} has no counterpart"),
        };
        assert_eq!(output.result.as_str(), vector["status"], "{call}");
        assert_eq!(json!(output.message), vector["output"], "{call}");
        assert_eq!(json!(output.data), vector["data"], "{call}");
        // The official response object always has a countdown; on the wire there is one of a reschedule only.
        let countdown = if output.result.as_str() == "reschedule" { vector["countdown"].as_u64().unwrap() } else { 0 };
        assert_eq!(output.countdown, countdown, "{call}");
    }
}

#[test]
fn a_secret_the_official_runner_shows_in_part_is_not_shown_at_all() {
    let vectors: Value = serde_json::from_str(include_str!("vectors/proto_vectors.json")).unwrap();
    for vector in vectors["masking"].as_array().unwrap() {
        let secret = vector["secret"].as_str().unwrap();
        let frame = |value: &str| {
            let variables = json!([{"name": "NAME", "value": value, "secure": true}]);
            let data = json!({"variables": variables, "logging": {"logging_api_key": value}, "model_type": "setup_response"});
            decode(&json!({"version": 2, "message_type": "setup_response", "data": data}).to_string()).unwrap()
        };
        // One secret looks like any other: not even its ends or its length can be told.
        assert_eq!(format!("{:?}", frame(secret)), format!("{:?}", frame("another")), "{vector}");
    }
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((".{0,8}", inner), 0..5).prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(frame in ".{0,200}") {
        let _ = decode(&frame);
    }

    #[test]
    fn no_json_makes_the_reader_panic(
        message_type in prop_oneof![Just("task"), Just("setup_response"), Just("setup_request"), Just("configuration"), Just("capabilities")],
        version in prop_oneof![Just(json!(1)), Just(json!(2)), Just(Value::Null)],
        mut data in json_value(),
        options in json_value(),
    ) {
        if let Some(body) = data.as_object_mut() {
            body.insert("model_type".into(), message_type.into());
            body.insert("options".into(), options.clone());
            body.insert("variables".into(), options);
        }
        let _ = decode(&json!({"version": version, "message_type": message_type, "data": data}).to_string());
    }

    #[test]
    fn a_result_comes_back_as_it_was_sent(
        ids in prop::collection::vec(".{0,20}", 4),
        key in prop::option::of(".{0,20}"),
        data in json_value(),
        answer in json_value(),
        countdown in 0u64..1_000_000,
        message in prop::option::of(".{0,80}"),
    ) {
        let frame = json!({"version": 2, "message_type": "task", "data": {
            "options": {"task_id": ids[0], "task_category": ids[1], "correlation_id": null, "reply_to": null,
                        "api_key": key, "installation_id": null, "connect_correlation_id": null},
            "input": {"event_type": ids[2], "object_id": ids[3], "data": data},
            "output": {"result": "reschedule", "data": answer, "countdown": countdown, "runtime": 0.25, "message": message},
            "model_type": "task",
        }});
        let message = decode(&frame.to_string()).unwrap();
        prop_assert_eq!(serde_json::from_str::<Value>(&message.encode()).unwrap(), frame);
        prop_assert_eq!(decode(&message.encode()).unwrap(), message);
    }
}
