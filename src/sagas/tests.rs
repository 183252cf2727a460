use std::sync::Arc;

use rstest::rstest;
use serde_json::{Value, json};

use super::*;
use crate::connect::ClientBuilder;
use crate::extension::{Background, Config, Context, TaskInfo};
use crate::fulfillment::{FnMiddleware, FnStep, FnTransaction, Request, Saga, Sequence};
use crate::journal::{DeliveryRow, DeliveryState, ObservationRow};
use crate::observe::control::{Fault, Place, Release};
use crate::observe::{
    ApiCall, Controls, DeliveryKey, Fact, Level, Memory, Observation, Observer, Scope, StepKind, StepOutcome, Timestamp,
};

#[derive(Default)]
struct Watched(Memory, Controls);

impl Observer for Watched {
    fn observe(&self, observation: Observation) {
        self.0.observe(observation);
    }

    fn controls(&self) -> Option<Controls> {
        Some(self.1.clone())
    }
}

fn row(result: &str, message: Option<String>) -> DeliveryRow {
    DeliveryRow { message, saga: Some("purchase".into()), ..DeliveryRow::example(7, Some(result)) }
}

/// The trace of a saga that is really resolved.
async fn resolved(saga: Saga, controls: Controls) -> Trace {
    let watched = Arc::new(Watched(Memory::default(), controls));
    let cx = Context {
        task: TaskInfo::default(),
        config: Config::default(),
        client: ClientBuilder::new("http://127.0.0.1:9", "ApiKey x".into()).build().unwrap(),
        scope: Scope::new(watched.clone()).delivery(DeliveryKey::random()),
        installation: None,
        installation_client: None,
    };
    let request = Request::from(json!({"id": "PR-1", "asset": {"params": [{"id": "a", "value": "1"}, {"id": "b"}]}}));
    let (result, message) = match saga.resolve(&cx, &request).await {
        Ok(answer) => (answer.output().result.as_str().to_owned(), answer.output().message),
        Err(error) => ("retry".to_owned(), Some(error.to_string())),
    };
    let number = |(row, observation): (i64, Observation)| ObservationRow { row, delivery: Some(7), observation };
    Trace::of(row(&result, message), (1..).zip(watched.0.seen()).map(number).collect())
}

fn does(name: &'static str, answer: Result<Background, &'static str>) -> FnTransaction {
    let run = move |_, request: Request| {
        let answer = answer.clone();
        async move {
            request.update(|raw| raw["asset"]["params"][0]["value"] = "2".into());
            answer.map_err(Into::into)
        }
    };
    FnTransaction::new(name, |_, _| async { Ok(true) }, run)
}

fn wants(name: &'static str, answer: Result<bool, &'static str>) -> FnTransaction {
    let asked = move |_, _| async move { answer.map_err(Into::into) };
    FnTransaction::new(name, asked, |_, _| async { Ok(Background::Done) })
}

fn saga() -> Saga {
    Saga::new("purchase")
}

fn silent() -> FnMiddleware {
    FnMiddleware::new("gate", |_, _, _| async { Ok(Background::Skip(Some("closed".into()))) })
}

#[rstest]
#[case(saga(), "nothing was selected: the saga purchase has no transactions")]
#[case(saga().transaction(wants("one", Ok(false))).transaction(wants("two", Ok(false))),
    "nothing was selected: none of one, two should execute")]
#[case(saga().transaction(wants("one", Err("no network"))), "a predicate failed: should_execute of one: no network")]
#[case(saga().transaction(does("pay", Err("no money"))), "pay failed and its compensation passes the error on: no money")]
#[case(saga().transaction(does("pay", Err("no money")).compensate(|_, _, _| async { Err("no undo".into()) })),
    "the compensation of pay failed too: no undo")]
#[case(saga().transaction(does("pay", Err("no money")).compensate(|_, _, _| async { Ok(Background::Skip(None)) })),
    "pay failed and it was compensated: no money")]
#[case(saga().transaction(wants("one", Ok(true))).middleware(silent()),
    "the middleware gate answered without calling on: skip: closed")]
#[case(saga().transaction(does("pay", Ok(Background::Skip(Some("paid already".into()))))), "pay answered so: skip: paid already")]
#[case(saga().inject_with(|needs| { needs.get::<u8>()?; Ok(wants("one", Ok(true))) }), "the saga purchase could not be built: ")]
#[tokio::test]
async fn every_skip_and_retry_has_its_reason_in_words(#[case] saga: Saga, #[case] expected: &str) {
    let why = resolved(saga, Controls::default()).await.why.unwrap();
    assert!(why.starts_with(expected) && (expected.ends_with(": ") || why == expected), "{why}");
}

#[test]
fn a_status_that_does_not_match_and_a_task_that_timed_out_are_told_from_their_messages() {
    let why = |result: &str, message: &str| Trace::of(row(result, Some(message.into())), Vec::new()).why.unwrap();
    let status = "The request status does not match the supported statuses: inquiring.";
    assert_eq!(why("skip", status), format!("the status did not match (it is pending): {status}"));
    assert_eq!(why("retry", "purchase: it did not answer within 5 s"), "it timed out");
    assert_eq!(why("retry", "Traceback (most recent call last):\n  ...\nTimeoutError\n"), "it timed out");
}

#[test]
fn a_deliverys_reason_is_the_line_that_says_what_happened() {
    let reason = |message: &str| row("retry", Some(message.into())).reason().unwrap_or_default().to_owned();
    let traceback = "Traceback (most recent call last):\n  File \"events.py\", line 3\nValueError: the vendor is away\n\n";
    assert_eq!(reason(traceback), "ValueError: the vendor is away");
    assert_eq!(reason("\nno money\nat all"), "no money");
    assert_eq!(row("skip", None).reason(), None);
}

#[tokio::test]
async fn a_task_that_hung_on_purpose_timed_out_on_purpose() {
    let controls = Controls::default();
    controls.spoil(Place::default(), Fault::Late { millis: 1 });
    let mut trace = resolved(saga().transaction(wants("one", Err("late"))), controls).await;
    trace.delivery.message = Some("purchase: it did not answer within 5 s".into());
    // A Python extension's thread is let go afterwards, a Rust one never ends.
    for detail in [Some("the delivery is over".to_owned()), None] {
        for step in &mut trace.steps {
            step.ended = step.ended.filter(|_| detail.is_some());
            step.outcome = step.outcome.filter(|_| detail.is_some());
            step.detail.clone_from(&detail);
        }
        let expected = "it timed out: injected into should_execute one: it is 1 ms late";
        assert_eq!(trace.in_words().as_deref(), Some(expected));
    }
    trace.steps.iter_mut().for_each(|step| step.injected.clear());
    assert_eq!(trace.in_words().as_deref(), Some("it timed out in should_execute one"));
}

#[test]
fn a_delivery_that_was_never_answered_says_where_it_was() {
    let at = |row: i64, step, fact| {
        let observation = Observation { step, at: Timestamp(1_700_000_000_000_000 + row), ..Observation::now(fact) };
        ObservationRow { row, delivery: Some(7), observation }
    };
    let (step_kind, name) = (StepKind::Execute, "create tenant".to_owned());
    let begun = Fact::StepStarted { parent: 0, step_kind, name: name.clone(), request: None };
    let held = Fact::Held { step_kind, name, request: None };
    let gone = Fact::Interrupted { reason: "the process ended".into() };
    let why = |rows: Vec<ObservationRow>| {
        let delivery = DeliveryRow { result: None, state: DeliveryState::Interrupted, ..row("", None) };
        Trace::of(delivery, rows).why
    };
    let gone = || at(9, 0, gone.clone());
    let running_step = || at(1, 1, begun.clone());
    let running = vec![running_step(), gone()];
    assert_eq!(why(running).as_deref(), Some("interrupted in execute create tenant: the process ended"));
    let standing = vec![running_step(), at(2, 1, held), gone()];
    assert_eq!(why(standing).as_deref(), Some("interrupted at the breakpoint before execute create tenant: the process ended"));
    assert_eq!(why(vec![gone()]).as_deref(), Some("interrupted: the process ended"));
    assert_eq!(why(Vec::new()), None, "one that still runs has no reason");
    let runner_gone = || at(3, 0, Fact::RunnerGone { reason: "its runner is gone".into() });
    assert_eq!(
        why(vec![running_step(), runner_gone()]).as_deref(),
        Some("interrupted in execute create tenant: its runner is gone")
    );
    let back = at(4, 0, Fact::RunnerBack { instance: "one".into() });
    assert_eq!(why(vec![running_step(), runner_gone(), back]), None, "it runs again");
}

fn spoilt(kind: StepKind, name: &str, fault: Fault) -> Controls {
    let controls = Controls::default();
    controls.spoil(Place { step_kind: Some(kind), name: Some(name.into()) }, fault);
    controls
}

fn fails(message: &str) -> Fault {
    Fault::Fail { message: message.into() }
}

#[tokio::test]
async fn the_reason_of_a_delivery_with_faults_is_the_step_that_decided_and_marked_where_that_was_spoilt() {
    let late = spoilt(StepKind::Execute, "pay", Fault::Late { millis: 1 });
    let trace = resolved(saga().transaction(does("pay", Err("the vendor is away"))), late).await;
    assert_eq!(trace.why.as_deref(), Some("pay failed and its compensation passes the error on: the vendor is away"));

    let made_to_fail = spoilt(StepKind::Execute, "pay", fails("boom"));
    let trace = resolved(saga().transaction(does("pay", Ok(Background::Done))), made_to_fail.clone()).await;
    assert_eq!(trace.why.as_deref(), Some("pay failed and its compensation passes the error on: boom (injected)"));

    let both = spoilt(StepKind::Compensate, "pay", fails("bang"));
    both.spoil(Place { step_kind: Some(StepKind::Execute), name: Some("pay".into()) }, fails("boom"));
    let trace = resolved(saga().transaction(does("pay", Ok(Background::Done))), both).await;
    assert_eq!(trace.why.as_deref(), Some("the compensation of pay failed too: bang (injected)"));
}

#[tokio::test]
async fn a_delivery_that_was_aborted_says_where_whatever_was_spoilt_before() {
    let controls = spoilt(StepKind::Execute, "pay", fails("x"));
    controls.stop_before(Place { step_kind: Some(StepKind::Compensate), name: Some("pay".into()) });
    let mut changes = controls.changes();
    let (waiting, aborts) = (controls.clone(), controls);
    let standing = async move {
        while waiting.set().held.is_empty() {
            changes.changed().await.unwrap();
        }
        let held = waiting.set().held;
        waiting.release(*held.keys().next().unwrap(), Release::Abort)
    };
    let (trace, let_go) = tokio::join!(resolved(saga().transaction(does("pay", Ok(Background::Done))), aborts), standing);
    assert!(let_go);
    assert_eq!(trace.why.as_deref(), Some("aborted at the breakpoint before compensate pay"));
}

#[tokio::test]
async fn a_step_of_a_sequence_that_failed_is_compensated_by_the_sequence() {
    let pay = FnStep::new("pay", |_, _| async { Err("no money".into()) });
    let order = Sequence::new("order", |_, _| async { Ok(true) }).step(pay);
    let order = order.compensate(|_, _, _| async { Ok(Background::Fail("not ordered".into())) });
    let trace = resolved(saga().transaction(order), Controls::default()).await;
    assert_eq!(trace.why.as_deref(), Some("pay failed and it was compensated: no money"));
}

#[tokio::test]
async fn the_message_is_not_told_twice() {
    let controls = spoilt(StepKind::Execute, "pay", fails("x"));
    let trace = resolved(saga().transaction(does("pay", Ok(Background::Done))), controls).await;
    assert_eq!(trace.delivery.message.as_deref(), Some("injected into execute pay: x"));
    assert_eq!(trace.untold("injected into execute pay: x"), "");
    assert_eq!(trace.untold("injected into execute pay: x\nAsk the vendor.\n"), "Ask the vendor.");
    let traceback = "Traceback (most recent call last):\n  ...\nValueError: x";
    assert_eq!(trace.untold(traceback), traceback, "a traceback is whole");
}

#[tokio::test]
async fn a_late_step_is_as_long_as_it_was_late() {
    let controls = Controls::default();
    controls.spoil(Place { name: Some("pay".into()), ..Place::default() }, Fault::Late { millis: 40 });
    let trace = resolved(saga().transaction(does("pay", Ok(Background::Done))), controls).await;
    let late = trace.steps.iter().find(|step| !step.injected.is_empty()).unwrap();
    assert!(late.micros.unwrap() >= 40_000, "{late:?}");
}

#[tokio::test]
async fn a_step_tells_what_it_changed_and_nobody_else_does() {
    let trace = resolved(saga().transaction(does("pay", Ok(Background::Done))), Controls::default()).await;
    let execute = trace.steps.iter().find(|step| step.name == "pay" && !step.changes.is_empty()).unwrap();
    let change = Change { path: "asset.params[a].value".into(), before: Some(json!("1")), after: Some(json!("2")) };
    assert_eq!(execute.changes, [change]);
    let decision = trace.steps.iter().find(|step| step.request.is_none()).unwrap();
    assert!(decision.changes.is_empty());
    assert_eq!(trace.request(decision.step).unwrap()["asset"]["params"][0]["value"], "1", "that of the saga around it");
}

#[test]
fn changes_name_what_is_new_what_is_gone_and_lists_without_ids_by_their_place() {
    let told = |before: Value, after: Value| {
        changes(&before, &after).into_iter().map(|c| (c.path, c.before.is_some(), c.after.is_some())).collect::<Vec<_>>()
    };
    assert_eq!(told(json!({"a": 1}), json!({"b": 1})), [("a".into(), true, false), ("b".into(), false, true)]);
    assert_eq!(told(json!([1, 2]), json!([1, 3, 4])), [("[1]".into(), true, true), ("[2]".into(), false, true)]);
    assert_eq!(told(json!([{"id": "x"}]), json!([{"id": "y"}])), [("[x]".into(), true, false), ("[y]".into(), false, true)]);
    assert!(told(json!({"a": [{"id": "x"}]}), json!({"a": [{"id": "x"}]})).is_empty());
}

#[tokio::test]
async fn two_deliveries_are_compared_step_by_step_and_times_alone_are_no_difference() {
    let saga = || saga().transaction(wants("one", Ok(false))).transaction(does("pay", Ok(Background::Done)));
    let a = resolved(saga(), Controls::default()).await;
    assert!(difference(&a, &resolved(saga(), Controls::default()).await).rows.iter().all(|row| row.same));
    let controls = Controls::default();
    controls.spoil(Place { step_kind: None, name: Some("pay".into()) }, Fault::Fail { message: "x".into() });
    let broken = resolved(saga(), controls).await;
    let rows = difference(&a, &broken).rows;
    let told: Vec<_> =
        rows.iter().filter(|row| !row.same).map(|row| (row.what.as_str(), row.a.as_deref(), row.b.as_deref())).collect();
    let why = "failed: injected into should_execute pay: x";
    assert_eq!(
        told,
        [
            ("result", Some("success"), Some("retry")),
            ("saga purchase", Some("success, 1 changed"), Some(why)),
            ("should_execute pay", Some("yes"), Some(&*format!("{why}, injected"))),
            ("execute pay", Some("success, 1 changed"), None),
        ]
    );
    assert_eq!(broken.why.as_deref(), Some("a predicate failed: should_execute of pay: x (injected)"));
}

#[tokio::test]
async fn the_export_keeps_the_rules_of_otlp_json() {
    let trace = resolved(saga().transaction(does("pay", Err("no money"))), Controls::default()).await;
    let key = DeliveryKey::random();
    let line = otlp(&trace, &key, &[]);
    let spans = line["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap();
    assert_eq!(spans.len(), trace.steps.len() + 1, "one span a step, and one for the delivery");
    let hexadecimal = |value: &Value, digits: usize| {
        let text = value.as_str().unwrap();
        assert!(text.len() == digits && text.bytes().all(|b| b.is_ascii_hexdigit()) && text.bytes().any(|b| b != b'0'), "{text}");
        text.to_owned()
    };
    let known: Vec<String> = spans.iter().map(|span| hexadecimal(&span["spanId"], 16)).collect();
    for (place, span) in spans.iter().enumerate() {
        assert_eq!(hexadecimal(&span["traceId"], 32), key.as_str());
        if place > 0 {
            assert!(known[..place].contains(&hexadecimal(&span["parentSpanId"], 16)), "a step lies in one that began before");
        }
        let time = |name: &str| span[name].as_str().unwrap().parse::<u64>().unwrap();
        assert!(time("startTimeUnixNano") <= time("endTimeUnixNano"));
        assert!(span["kind"].is_u64());
        for attribute in span["attributes"].as_array().unwrap() {
            let value = attribute["value"].as_object().unwrap();
            assert_eq!(value.len(), 1);
            assert!(value.get("intValue").is_none_or(Value::is_string), "64-bit integers are text");
        }
    }
    assert_eq!(
        spans.iter().filter(|span| span["status"]["code"] == 2).count(),
        3,
        "delivery, saga, execution; the handler has none here"
    );
}

/// The steps of a delivery that ran out of its time, as Python extensions have them: the handler ends after the answer, what
/// hangs in it never, and a log line is heard of when its step is over.
fn outrun() -> Trace {
    let begin = |parent, step_kind, name: &str| Fact::StepStarted { parent, step_kind, name: name.into(), request: None };
    let end = |detail: Option<&str>| Fact::StepEnded {
        outcome: StepOutcome::Failed,
        detail: detail.map(Into::into),
        request: None,
        micros: 1_000,
    };
    let log = Fact::Log { level: Level::Info, target: "extension".into(), message: "late".into() };
    let call = Fact::ApiCall(ApiCall {
        method: "GET".into(),
        path: "requests?eq(id,PR-1)&limit=1".into(),
        status: Some(200),
        request: None,
        response: None,
        content_range: None,
        error: None,
        micros: 5,
    });
    let released = Fact::Released { how: Release::Continue, micros: 7 };
    let facts = [
        (0, 0, call),
        (10, 1, begin(0, StepKind::Handler, "purchase")),
        (20, 2, begin(1, StepKind::Decision, "pay")),
        (25, 2, released),
        (30, 2, end(None)),
        (6_030, 2, log.clone()),
        (40, 3, begin(1, StepKind::Execute, "pay")),
        (2_123, 1, end(Some("it did not answer"))),
        (2_500, 3, log),
    ];
    let arrived = row("retry", None).arrived_at.0;
    let number = |(row, (after, step, fact)): (i64, (i64, u32, Fact))| {
        let mut observation = Observation::now(fact);
        (observation.at, observation.step) = (Timestamp(arrived + after), step);
        ObservationRow { row, delivery: Some(7), observation }
    };
    Trace::of(row("retry", Some("purchase: it did not answer within 5 s".into())), (1..).zip(facts).map(number).collect())
}

#[test]
fn in_the_export_no_span_and_no_event_sticks_out_of_what_it_lies_in() {
    let trace = outrun();
    let line = otlp(&trace, &DeliveryKey::random(), &[]);
    let spans = line["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap();
    let time = |of: &Value, name: &str| of[name].as_str().unwrap().parse::<u64>().unwrap();
    let bounds = |span: &Value| (time(span, "startTimeUnixNano"), time(span, "endTimeUnixNano"));
    for span in spans {
        let (begun, ended) = bounds(span);
        if let Some(around) = spans.iter().find(|one| one["spanId"] == span["parentSpanId"]).map(bounds) {
            assert!(around.0 <= begun && ended <= around.1, "{span}");
        }
        for event in span["events"].as_array().unwrap() {
            assert!((begun..=ended).contains(&time(event, "timeUnixNano")), "{span}");
        }
    }
    let arrived = u64::try_from(trace.delivery.arrived_at.0).unwrap() * 1_000;
    let ends: Vec<u64> = spans.iter().map(|span| bounds(span).1 - arrived).collect();
    assert_eq!(ends, [2_123_000, 2_123_000, 30_000, 2_123_000], "what hangs ends with the handler around it");
}

#[test]
fn the_export_names_a_query_apart_tells_who_was_let_go_and_points_to_the_delivery_before() {
    let before = DeliveryKey::random();
    let links = [Linked { key: before.clone(), delivery: 6, how: "delivered before" }];
    let (of_before, line) = (otlp(&outrun(), &before, &[]), otlp(&outrun(), &DeliveryKey::random(), &links));
    let spans = |line: &Value| line["resourceSpans"][0]["scopeSpans"][0]["spans"].clone();
    let (root, decision) = (&spans(&line)[0], &spans(&line)[2]);
    for id in ["traceId", "spanId"] {
        assert_eq!(root["links"][0][id], spans(&of_before)[0][id]);
    }
    let attribute = |of: &Value, key: &str| {
        let all = of["attributes"].as_array().unwrap();
        all.iter().find(|one| one["key"] == key).map(|one| one["value"].clone()).unwrap_or_default()
    };
    assert_eq!(attribute(&root["links"][0], "connect.delivery"), json!({"intValue": "6"}));
    let call = &root["events"][0];
    assert_eq!(call["name"], "api GET requests");
    assert_eq!(attribute(call, "url.path"), json!({"stringValue": "requests"}));
    assert_eq!(attribute(call, "url.query"), json!({"stringValue": "eq(id,PR-1)&limit=1"}));
    let released = &decision["events"][0];
    assert_eq!((&released["name"], attribute(released, "connect.how")), (&json!("let go"), json!({"stringValue": "continue"})));
}
