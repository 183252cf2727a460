//! Sagas on the command line, against a running session: traces, breakpoints, faults, comparison, export.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test that fails is a test that panics
#![allow(clippy::print_stderr)] // a skipped check says so

mod support;
#[path = "support/viewer.rs"]
mod viewer;

use std::collections::HashMap;
use std::ffi::OsStr;
use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use support::{Running, program, run};
use viewer::Viewer;

const PURCHASE: &str = "asset_purchase_request_processing";

fn session(dir: &std::path::Path) -> Running {
    let mut command = program(dir);
    command.args(["run", "--headless", "--json"]);
    let session = Running::start(command);
    session.until_connected();
    session
}

#[test]
fn a_delivery_stops_before_a_step_is_looked_at_and_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let session = session(dir.path());
    let set = run(dir.path(), &["--json", "sagas", "break", "saverequest", "--kind", "execute"]).object();
    assert_eq!(set["breakpoints"][0][1]["step_kind"], "execute");
    let task = run(dir.path(), &["--json", "trigger", PURCHASE]).object();
    let held = session.until("the breakpoint", |seen| seen["kind"] == "held");
    assert_eq!(held["request"]["id"], task["object_id"], "the state is there to be looked at");
    let set = run(dir.path(), &["--json", "sagas", "set"]).object();
    assert_eq!((&set["held"][0]["delivery"], &set["held"][0]["name"]), (&held["delivery"], &"SaveRequest".into()));
    assert_eq!(run(dir.path(), &["sagas", "continue", "99"]).status, 2);
    run(dir.path(), &["--json", "sagas", "continue"]).object();
    session.until("the answer", |seen| seen["kind"] == "answered" && seen["result"] == "success");
    let id = held["delivery"].to_string();
    let shown = run(dir.path(), &["--json", "events", "show", &id]).object();
    assert_eq!(shown["injected"], 0, "to look is not to change");

    run(dir.path(), &["--json", "trigger", PURCHASE]).object();
    session.until("the breakpoint", |seen| seen["kind"] == "held");
    run(dir.path(), &["--json", "sagas", "skip"]).object();
    let answer = session.until("the answer", |seen| seen["kind"] == "answered");
    assert_eq!(
        (&answer["result"], &answer["message"]),
        (&"skip".into(), &"execute SaveRequest was skipped at a breakpoint".into())
    );
    run(dir.path(), &["sagas", "clear"]);
    assert!(run(dir.path(), &["sagas", "set"]).stdout.starts_with("Nothing is set."));
    assert!(session.terminate().success());
    assert_eq!(run(dir.path(), &["sagas", "break"]).status, 2, "breakpoints live as long as a session");
}

#[test]
fn a_session_that_ends_does_not_run_the_step_a_delivery_stands_before_and_its_task_comes_again() {
    let dir = tempfile::tempdir().unwrap();
    let ending = session(dir.path());
    run(dir.path(), &["sagas", "break", "SaveRequest", "--kind", "execute"]);
    let task = run(dir.path(), &["--json", "trigger", PURCHASE]).object();
    let held = ending.until("the breakpoint", |seen| seen["kind"] == "held")["delivery"].to_string();
    assert!(ending.terminate().success());
    let trace = run(dir.path(), &["--json", "sagas", "show", &held]).object();
    assert_eq!(trace["why"], "aborted at the breakpoint before execute SaveRequest: the session ended");
    assert_eq!((&trace["result"], &trace["store_calls"]), (&"retry".into(), &0.into()), "nothing was written");
    let again = session(dir.path());
    let waiting = run(dir.path(), &["--json", "events", "waiting"]).stdout;
    assert!(waiting.contains(task["task_id"].as_str().unwrap()), "{waiting}");
    assert!(again.terminate().success());
}

#[test]
fn a_session_that_is_killed_did_not_run_the_step_a_delivery_stood_before_and_its_task_comes_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut killed = session(dir.path());
    run(dir.path(), &["sagas", "break", "SaveRequest", "--kind", "execute"]);
    let task = run(dir.path(), &["--json", "trigger", PURCHASE]).object();
    let held = killed.until("the breakpoint", |seen| seen["kind"] == "held")["delivery"].to_string();
    killed.kill();
    let trace = run(dir.path(), &["--json", "sagas", "show", &held]).object();
    assert_eq!((&trace["state"], &trace["result"]), (&"interrupted".into(), &Value::Null), "before the next session, too");
    let ended = "the process that handled it ended before it was answered; Connect delivers its task again";
    let listed = run(dir.path(), &["events", "list"]).stdout;
    assert!(listed.contains("  interrupted  ") && listed.trim_end().ends_with(ended), "{listed}");

    let next = session(dir.path());
    let answer = next.until("the task again", |seen| seen["kind"] == "answered");
    let again = run(dir.path(), &["--json", "events", "show", &answer["delivery"].to_string()]).object();
    let expected = (&task["task_id"], &2.into(), &"success".into());
    assert_eq!((&again["task_id"], &again["attempt"], &again["result"]), expected, "{again}");
    let trace = run(dir.path(), &["--json", "sagas", "show", &held]).object();
    assert_eq!((&trace["state"], &trace["store_calls"]), (&"interrupted".into(), &0.into()), "{trace}");
    assert_eq!(trace["why"], format!("interrupted at the breakpoint before execute SaveRequest: {ended}"));
    assert_eq!(trace["message"], ended);
    let filter = json!({ "id": task["object_id"] }).to_string();
    for backend in ["driver", "data-api"] {
        let count = run(dir.path(), &["--json", "store", "count", "--backend", backend, "--filter", &filter]).object();
        assert_eq!(count["count"], 1, "saved once, by the second delivery: {count}");
    }
    assert!(next.terminate().success());
}

#[test]
fn a_write_that_fails_on_purpose_is_compensated_marked_compared_and_exported() {
    let dir = tempfile::tempdir().unwrap();
    let session = session(dir.path());
    let good = run(dir.path(), &["--json", "trigger", PURCHASE, "--wait"]).object()["id"].to_string();
    run(dir.path(), &["sagas", "spoil-write", "--backend", "driver"]);
    run(dir.path(), &["trigger", PURCHASE, "--wait"]);
    let deliveries = run(dir.path(), &["--json", "events", "list"]).objects();
    let bad = deliveries.last().unwrap();
    assert_eq!(bad["injected"], 1, "{bad}");
    let id = bad["id"].to_string();
    let trace = run(dir.path(), &["--json", "sagas", "show", &id]).object();
    let steps = trace["steps"].as_array().unwrap();
    let kinds: Vec<&str> = steps.iter().map(|step| step["step_kind"].as_str().unwrap()).collect();
    assert!(kinds.contains(&"compensate"), "{kinds:?}");
    assert!(trace["why"].as_str().unwrap().contains("the driver backend was made to fail"), "{trace}");
    let listed = run(dir.path(), &["--json", "sagas", "list"]).objects();
    assert_eq!(listed.len(), 2);
    assert_eq!((&listed[0]["injected"], &listed[1]["injected"]), (&false.into(), &true.into()));
    let difference = run(dir.path(), &["--json", "sagas", "diff", &good, &id]).object();
    let rows = difference["rows"].as_array().unwrap();
    assert!(rows.iter().any(|row| row["what"] == "compensate SaveRequest" && row["a"].is_null()), "{difference}");
    assert!(run(dir.path(), &["sagas", "diff", &good, &id]).stdout.contains("* result"));
    let to = dir.path().join("cases");
    let refused = run(dir.path(), &["case", "save", &id, "--to", to.to_str().unwrap()]);
    assert_eq!(refused.status, 2, "{}", refused.stderr);
    assert!(refused.stderr.contains("faults were injected into it"), "{}", refused.stderr);
    assert!(!to.exists() || std::fs::read_dir(&to).unwrap().next().is_none(), "nothing was saved");
    assert!(session.terminate().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_takes_the_exported_line_as_it_is_and_shows_every_step_in_its_place_and_the_failed_ones_failed() {
    let Some(python) = viewer::python() else { return };
    let dir = tempfile::tempdir().unwrap();
    let session = session(dir.path());
    let good = run(dir.path(), &["--json", "trigger", PURCHASE, "--wait"]).object()["id"].to_string();
    run(dir.path(), &["sagas", "spoil-write", "--backend", "driver"]);
    run(dir.path(), &["trigger", PURCHASE, "--wait"]);
    let bad = run(dir.path(), &["--json", "events", "list"]).objects().last().unwrap()["id"].to_string();
    let viewer = Viewer::start(&python).await;
    for (id, expected) in [(&good, "success"), (&bad, "retry")] {
        let line = run(dir.path(), &["sagas", "show", id, "--otlp"]);
        let shown = run(dir.path(), &["--json", "sagas", "show", id]).object();
        assert_eq!(shown["result"], expected);
        assert!(line.stdout.ends_with('\n') && line.stdout.lines().count() == 1, "one line to append to a file");
        let spans = shown["steps"].as_array().unwrap().len() + 1;
        is_accepted_by_opentelemetry(&python, &line.object(), spans);
        assert_eq!(viewer.take(&line.stdout).await, json!({ "accepted_spans": spans }));
        let trace = line.object()["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["traceId"].as_str().unwrap().to_owned();
        is_the_delivery(&viewer.trace(&trace).await, &shown);
    }
    let listed: Vec<Value> = viewer.traces().await.into_iter().map(|trace| trace["root_span_name"].clone()).collect();
    assert_eq!(listed, [PURCHASE, PURCHASE], "two traces, each with its delivery as the root");
    assert!(session.terminate().success());
}

/// Whether what a viewer shows of a trace is what `sagas show` tells of the delivery.
fn is_the_delivery(trace: &Value, shown: &Value) {
    let roots = trace["tree"].as_array().unwrap();
    assert_eq!(roots.len(), 1, "no span lost its parent: {trace}");
    let mut spans = HashMap::new();
    below(&roots[0], "", &mut spans);
    let root = &spans[PURCHASE].1;
    let failed = if shown["result"] == "success" { "OK" } else { "ERROR" };
    assert_eq!((&root["status"], &root["service_name"]), (&failed.into(), &"connect-console".into()));
    assert_eq!(root["attributes"]["connect.object.id"], shown["object_id"]);
    assert_eq!(root["start_time"].as_i64().unwrap(), shown["arrived_at"].as_i64().unwrap() * 1_000);
    assert_eq!(root["attributes"].get("connect.why"), shown.get("why"), "why it is tried again");
    let steps = shown["steps"].as_array().unwrap();
    assert_eq!(spans.len(), steps.len() + 1);
    let name = |step: &Value| {
        let kind = step["step_kind"].as_str().unwrap();
        format!("{} {}", if kind == "decision" { "should_execute" } else { kind }, step["name"].as_str().unwrap())
    };
    for step in steps {
        let around = steps.iter().find(|other| other["step"] == step["parent"]).map_or_else(|| PURCHASE.to_owned(), name);
        let (parent, span) = &spans[&name(step)];
        assert_eq!(*parent, around, "{span}");
        let failed = if step["outcome"] == "failed" { "ERROR" } else { "OK" };
        assert_eq!((&span["status"], &span["attributes"]["connect.step.outcome"]), (&failed.into(), &step["outcome"]));
        let nanos = |moment: &Value| moment.as_i64().unwrap() * 1_000;
        assert_eq!((&span["start_time"], &span["end_time"]), (&nanos(&step["begun"]).into(), &nanos(&step["ended"]).into()));
        assert_eq!(span["attributes"].get("connect.step.detail"), step.get("detail").filter(|detail| !detail.is_null()));
        assert_eq!(span["attributes"].get("connect.injected").is_some(), step.get("injected").is_some());
    }
}

/// The spans of a tree by their names, each with the name of the one around it.
fn below(node: &Value, around: &str, spans: &mut HashMap<String, (String, Value)>) {
    let name = node["span"]["name"].as_str().unwrap().to_owned();
    for child in node["children"].as_array().unwrap() {
        below(child, &name, spans);
    }
    assert!(spans.insert(name, (around.to_owned(), node["span"].clone())).is_none(), "a step is one span");
}

#[test]
fn a_step_that_hangs_runs_out_of_its_time_and_a_late_one_ends_all_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = program(dir.path());
    command.args(["run", "--headless", "--json"]).env("BACKGROUND_TASK_MAX_EXECUTION_TIME", "2");
    let session = Running::start(command);
    session.until_connected();
    run(dir.path(), &["sagas", "spoil", "SaveRequest", "--kind", "execute", "--hang"]);
    run(dir.path(), &["trigger", PURCHASE]);
    let answer = session.until("the answer", |seen| seen["kind"] == "answered");
    assert_eq!(answer["result"], "retry", "{answer}");
    let id = answer["delivery"].to_string();
    let shown = run(dir.path(), &["sagas", "show", &id]).stdout;
    assert!(shown.contains("why: it timed out: injected into execute SaveRequest: it hangs"), "{shown}");
    assert!(shown.contains("execute SaveRequest  not ended"), "{shown}");
    run(dir.path(), &["sagas", "spoil", "saverequest", "--late", "50"]);
    run(dir.path(), &["trigger", PURCHASE]);
    let answer = session.until("the answer", |seen| seen["kind"] == "answered" && seen["result"] == "success");
    let shown = run(dir.path(), &["--json", "events", "show", &answer["delivery"].to_string()]).object();
    assert_eq!(shown["injected"], 1, "late is marked as well");
    assert!(session.terminate().success());
}

/// Reads the export with OpenTelemetry's own messages. Their JSON takes ids in base64, where OTLP/JSON has them in hexadecimal,
/// which is the one thing put right before.
fn is_accepted_by_opentelemetry(python: &OsStr, line: &Value, spans: usize) {
    let script = "
import base64, json, sys
from google.protobuf.json_format import Parse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
data = json.load(sys.stdin)
for resource in data['resourceSpans']:
    for scope in resource['scopeSpans']:
        for span in scope['spans']:
            for name in ('traceId', 'spanId', 'parentSpanId'):
                if name in span:
                    span[name] = base64.b64encode(bytes.fromhex(span[name])).decode()
request = Parse(json.dumps(data), ExportTraceServiceRequest(), ignore_unknown_fields=False)
print(sum(len(scope.spans) for resource in request.resource_spans for scope in resource.scope_spans))
";
    let mut child = Command::new(python).args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(line.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), spans.to_string());
}
