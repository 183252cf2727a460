//! A delivery as OTLP/JSON, by the rules of its encoding: ids in hexadecimal, times in nanoseconds as text, enumerations as
//! numbers, 64-bit integers as text.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::{StepTrace, Trace};
use crate::journal::ObservationRow;
use crate::observe::{DeliveryKey, Fact, StepOutcome, Timestamp};

/// `SPAN_KIND_INTERNAL`, `SPAN_KIND_CONSUMER`.
const INTERNAL: u8 = 1;
const CONSUMER: u8 = 5;
/// `STATUS_CODE_OK`, `STATUS_CODE_ERROR`.
const OK: u8 = 1;
const ERROR: u8 = 2;

/// A delivery that another one follows.
#[derive(Debug, Clone)]
pub struct Linked {
    /// Its key.
    pub key: DeliveryKey,
    /// Its number in the journal.
    pub delivery: i64,
    /// How they belong together: `delivered before`, `replay of`.
    pub how: &'static str,
}

/// An `ExportTraceServiceRequest`: one span for the delivery and one for each step; calls, log lines and what was injected
/// are events of the span they happened in. The trace's id is the delivery's `key`; `links` are the deliveries it follows.
#[must_use]
pub fn otlp(trace: &Trace, key: &DeliveryKey, links: &[Linked]) -> Value {
    let (ids, ends) = (Ids::of(key), ends(trace));
    let end = |step: u32| ends.get(&step).copied().unwrap_or(trace.delivery.arrived_at);
    let mut spans = vec![root(trace, &ids, end(0), links)];
    spans.extend(trace.steps.iter().map(|step| span(step, &ids, end(step.step))));
    let attributes = [text("service.name", "connect-console"), text("service.version", env!("CARGO_PKG_VERSION"))];
    let scope = json!({"name": "connect-console", "version": env!("CARGO_PKG_VERSION")});
    json!({"resourceSpans": [{
        "resource": {"attributes": attributes},
        "scopeSpans": [{"scope": scope, "spans": spans}],
    }]})
}

/// When every span ends; 0 is the delivery, which ends with the last of its steps. A step that was given up, with the task's
/// time over or at a breakpoint, ends with the nearest around it that has an end.
fn ends(trace: &Trace) -> HashMap<u32, Timestamp> {
    let row = &trace.delivery;
    let answered = row.micros.map(|micros| Timestamp(row.arrived_at.0.saturating_add_unsigned(micros)));
    let of_steps = trace.steps.iter().flat_map(|step| [step.begun].into_iter().chain(step.ended));
    let end = answered.unwrap_or_else(|| last(trace)).max(row.arrived_at);
    let mut ends = HashMap::from([(0, of_steps.fold(end, Timestamp::max))]);
    for step in &trace.steps {
        let around = ends.get(&step.parent).copied();
        ends.insert(step.step, step.ended.or(around).unwrap_or(end).max(step.begun));
    }
    ends
}

struct Ids {
    trace: String,
    low: u64,
}

impl Ids {
    /// A key is a random number of 128 bits in hexadecimal; anything else is spread over as many.
    fn of(key: &DeliveryKey) -> Self {
        let number = u128::from_str_radix(key.as_str(), 16).unwrap_or_else(|_| {
            use sha2::{Digest, Sha256};
            let digest = Sha256::digest(key.as_str());
            digest.iter().take(16).fold(0, |number, byte| (number << 8) | u128::from(*byte))
        });
        let number = number.max(1);
        #[allow(clippy::cast_possible_truncation)] // its lower half is meant
        let low = number as u64;
        Self { trace: format!("{number:032x}"), low }
    }

    /// The span of a step; 0 is the delivery. Never all zeros.
    fn span(&self, step: u32) -> String {
        let id = self.low.wrapping_add(u64::from(step).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        format!("{:016x}", if id == 0 { 1 } else { id })
    }
}

fn root(trace: &Trace, ids: &Ids, end: Timestamp, links: &[Linked]) -> Value {
    let row = &trace.delivery;
    let mut attributes = vec![
        text("connect.task.id", &row.task_id),
        text("connect.task.category", &row.category),
        text("connect.event_type", &row.event_type),
        text("connect.object.id", &row.object_id),
        number("connect.delivery", row.id),
        number("connect.attempt", row.attempt),
    ];
    for (name, value) in [
        ("connect.saga", &row.saga),
        ("connect.result", &row.result),
        ("connect.origin", &row.origin),
        ("connect.object.status", &row.object_status),
        ("connect.why", &trace.why),
    ] {
        attributes.extend(value.as_ref().map(|value| text(name, value)));
    }
    if row.injected > 0 {
        attributes.push(json!({"key": "connect.injected", "value": {"boolValue": true}}));
    }
    let failed = matches!(row.result.as_deref(), Some("fail" | "retry"));
    json!({
        "traceId": ids.trace,
        "spanId": ids.span(0),
        "name": row.event_type,
        "kind": CONSUMER,
        "startTimeUnixNano": nanos(row.arrived_at),
        "endTimeUnixNano": nanos(end),
        "attributes": attributes,
        "events": events(&trace.outside, row.arrived_at, end),
        "links": links.iter().map(link).collect::<Vec<_>>(),
        "status": status(row.result.is_some(), failed, row.message.as_deref()),
    })
}

/// The root span of the other delivery.
fn link(to: &Linked) -> Value {
    let ids = Ids::of(&to.key);
    let attributes = [text("connect.link", to.how), number("connect.delivery", to.delivery)];
    json!({"traceId": ids.trace, "spanId": ids.span(0), "attributes": attributes})
}

fn span(step: &StepTrace, ids: &Ids, end: Timestamp) -> Value {
    let mut attributes = vec![text("connect.step.kind", &step.step_kind.to_string()), text("connect.step.name", &step.name)];
    let outcome = step.outcome.map(|outcome| serde_json::to_value(outcome).unwrap_or_default());
    attributes.extend(outcome.as_ref().and_then(Value::as_str).map(|outcome| text("connect.step.outcome", outcome)));
    attributes.extend(step.detail.as_ref().map(|detail| text("connect.step.detail", detail)));
    if !step.changes.is_empty() {
        let changes = serde_json::to_string(&step.changes).unwrap_or_default();
        attributes.push(text("connect.request.changes", &changes));
    }
    if !step.injected.is_empty() {
        attributes.push(text("connect.injected", &step.injected.join("; ")));
    }
    let failed = step.outcome == Some(StepOutcome::Failed);
    json!({
        "traceId": ids.trace,
        "spanId": ids.span(step.step),
        "parentSpanId": ids.span(step.parent),
        "name": format!("{} {}", step.step_kind, step.name),
        "kind": INTERNAL,
        "startTimeUnixNano": nanos(step.begun),
        "endTimeUnixNano": nanos(end),
        "attributes": attributes,
        "events": events(&step.seen, step.begun, end),
        "status": status(step.outcome.is_some(), failed, step.detail.as_deref().filter(|_| failed)),
    })
}

fn status(ended: bool, failed: bool, message: Option<&str>) -> Value {
    match (ended, failed) {
        (false, _) => json!({}),
        (true, false) => json!({"code": OK}),
        (true, true) => json!({"code": ERROR, "message": message.unwrap_or_default()}),
    }
}

/// The last moment anything was seen: what has not ended is drawn up to there.
fn last(trace: &Trace) -> Timestamp {
    let of_steps =
        trace.steps.iter().flat_map(|step| step.seen.iter().map(|row| row.observation.at).chain([step.begun]).chain(step.ended));
    let outside = trace.outside.iter().map(|row| row.observation.at);
    of_steps.chain(outside).max().unwrap_or(trace.delivery.arrived_at)
}

/// What was seen in a span. A line of a Python extension's log is heard of a little after its step has ended: it lies at the
/// end.
fn events(seen: &[ObservationRow], begun: Timestamp, end: Timestamp) -> Vec<Value> {
    let at = |row: &ObservationRow| row.observation.at.min(end).max(begun);
    seen.iter().filter_map(|row| event(row, at(row))).collect()
}

fn event(row: &ObservationRow, at: Timestamp) -> Option<Value> {
    let (name, attributes) = match &row.observation.fact {
        Fact::ApiCall(call) => {
            let (path, query) = call.path.split_once('?').map_or((&*call.path, None), |(path, query)| (path, Some(query)));
            let mut attributes =
                vec![text("http.request.method", &call.method), text("url.path", path), micros("connect.micros", call.micros)];
            attributes.extend(query.map(|query| text("url.query", query)));
            attributes.extend(call.status.map(|status| number("http.response.status_code", status.into())));
            attributes.extend(call.error.as_ref().map(|error| text("error.message", error)));
            (format!("api {} {path}", call.method), attributes)
        }
        Fact::StoreCall(call) => {
            let mut attributes = vec![
                text("db.system.name", "mongodb"),
                text("db.operation.name", &call.operation),
                text("db.namespace", &call.database),
                text("db.collection.name", &call.collection),
                text("connect.backend", &call.backend.to_string()),
                micros("connect.micros", call.micros),
            ];
            attributes.extend(call.error.as_ref().map(|error| text("error.message", error)));
            (format!("{} {} {}.{}", call.backend, call.operation, call.database, call.collection), attributes)
        }
        Fact::Log { level, target, message } => {
            let attributes =
                vec![text("log.severity", &level.to_string()), text("log.target", target), text("log.message", message)];
            ("log".into(), attributes)
        }
        Fact::Injected { what } => ("injected".into(), vec![text("connect.what", what)]),
        Fact::Held { step_kind, name, .. } => {
            ("held at a breakpoint".into(), vec![text("connect.step", &format!("{step_kind} {name}"))])
        }
        Fact::Released { how, micros: stood } => {
            let how = serde_json::to_value(how).unwrap_or_default();
            let attributes = vec![text("connect.how", how.as_str().unwrap_or_default()), micros("connect.micros", *stood)];
            ("let go".into(), attributes)
        }
        Fact::Interrupted { reason } => ("interrupted".into(), vec![text("connect.reason", reason)]),
        Fact::RunnerGone { reason } => ("runner gone".into(), vec![text("connect.reason", reason)]),
        Fact::RunnerBack { instance } => ("runner back".into(), vec![text("connect.runner", instance)]),
        _ => return None,
    };
    Some(json!({"timeUnixNano": nanos(at), "name": name, "attributes": attributes}))
}

fn nanos(at: Timestamp) -> String {
    (i128::from(at.0.max(0)) * 1_000).to_string()
}

fn text(key: &str, value: &str) -> Value {
    json!({"key": key, "value": {"stringValue": value}})
}

fn number(key: &str, value: i64) -> Value {
    json!({"key": key, "value": {"intValue": value.to_string()}})
}

fn micros(key: &str, value: u64) -> Value {
    number(key, i64::try_from(value).unwrap_or(i64::MAX))
}
