//! Nearly every frame is a task of version 2. One that is as it should be is read in one go, without a value of everything
//! in it first; whatever is odd about a frame is left to [`decode`](super::decode), which says what.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};

use super::{Output, Task, TaskInput, TaskOptions};

/// The task of a frame; `None` where it is anything else, or not at once to be seen as one.
pub(super) fn task(frame: &str) -> Option<Task> {
    let Fields(envelope) = serde_json::from_str::<Fields<Envelope<'_>>>(frame).ok()?;
    let Fields(data) = envelope.data;
    let fits = envelope.version == 2 && [envelope.message_type, data.model_type] == ["task"; 2];
    fits.then_some(Task { options: data.options, input: data.input, output: data.output })
}

#[derive(Deserialize)]
struct Envelope<'a> {
    version: u8,
    message_type: &'a str,
    #[serde(borrow)]
    data: Fields<Data<'a>>,
}

#[derive(Deserialize)]
struct Data<'a> {
    model_type: &'a str,
    options: TaskOptions,
    input: TaskInput,
    #[serde(default)]
    output: Option<Output>,
}

/// What is read of an object, and of nothing else: `serde` reads the fields of a struct from a list, too.
struct Fields<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Fields<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OfObject<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for OfObject<T> {
            type Value = Fields<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Fields<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Fields)
            }
        }

        deserializer.deserialize_map(OfObject(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::super::Message;
    use super::super::decode::at_length;
    use super::*;

    fn field() -> impl Strategy<Value = Value> {
        let text = prop_oneof![Just("TQ-1".to_owned()), Just("background".to_owned()), ".{0,3}"].prop_map(Value::from);
        let odd =
            prop::sample::select(vec![json!(null), json!(7), json!(2.0), json!(-1.5), json!([]), json!({}), json!("success")]);
        prop_oneof![4 => text, 1 => odd]
    }

    fn object(names: &'static [&'static str]) -> impl Strategy<Value = Value> {
        prop::collection::vec((prop::sample::select(names), field()), 0..7)
            .prop_map(|fields| fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    fn frame() -> impl Strategy<Value = String> {
        let version = prop_oneof![4 => Just("2"), 1 => Just("1"), 1 => Just("2.0"), 1 => Just("\"2\""), 1 => Just("[]")];
        let kind = || prop_oneof![6 => Just("\"task\""), 1 => Just("\"\\u0074ask\""), 1 => Just("\"shutdown\""), 1 => Just("7")];
        let options = object(&["task_id", "task_category", "correlation_id", "reply_to", "api_key", "x"]);
        let input = object(&["event_type", "object_id", "data", "x"]);
        let output = prop_oneof![Just(Value::Null), object(&["result", "data", "countdown", "runtime", "message"])];
        let complete = any::<[bool; 4]>();
        (version, kind(), kind(), options, input, output, complete).prop_map(
            |(version, kind, model, mut options, mut input, output, [whole, list, twice, bare])| {
                if whole {
                    options["task_id"] = "TQ-1".into();
                    options["task_category"] = "background".into();
                    input["event_type"] = "e".into();
                    input["object_id"] = "PR-1".into();
                }
                let data = match list && !whole {
                    true => format!("[{model},{options},{input},{output}]"),
                    false => format!(r#"{{"model_type":{model},"options":{options},"input":{input},"output":{output}}}"#),
                };
                let again = if twice && !whole { r#""version":1,"# } else { "" };
                match bare && !whole {
                    true => format!("[{version},{kind},{data}]"),
                    false => format!(r#" {{{again}"version":{version},"message_type":{kind},"data":{data},"more":[1]}}"#),
                }
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn what_is_read_quickly_is_what_is_read_at_length(frame in frame()) {
            if let Some(task) = task(&frame) {
                prop_assert_eq!(at_length(&frame).ok(), Some(Message::Task(Box::new(task))), "{}", frame);
            }
        }
    }

    #[test]
    fn a_task_as_connect_sends_it_is_read_quickly() {
        let options =
            json!({"task_id": "TQ-1", "task_category": "background", "correlation_id": null, "reply_to": "q", "api_key": null});
        let data =
            json!({"options": options, "input": {"event_type": "e", "object_id": "PR-1"}, "model_type": "task", "output": null});
        let frame = json!({"version": 2, "message_type": "task", "data": data}).to_string();
        assert_eq!(task(&frame).map(|task| task.options.task_id).as_deref(), Some("TQ-1"));
        assert_eq!(task(&frame.replace("\"model_type\":\"task\"", "\"model_type\":\"setup\"")), None);
    }
}
