use std::collections::HashMap;

use serde_json::{Value, json};

use super::super::state::{Trace, TraceLine};
use super::super::text;
use super::super::theme::{Piece, Pieces, Tone};
use crate::journal::{DeliveryRow, ObservationRow};
use crate::observe::control::Release;
use crate::observe::{Answer, ApiCall, Fact, Level, Origin, SeenVariable, StepKind, StepOutcome, StoreCall};
use crate::sagas::Trace as Saga;

/// How a result is shown: its symbol, its word and its tone.
pub(crate) fn outcome(result: &str) -> (&'static str, Tone) {
    match result {
        "success" => ("✓", Tone::Good),
        "fail" => ("✗", Tone::Bad),
        "retry" => ("!", Tone::Bad),
        "reschedule" => ("»", Tone::Note),
        _ => ("○", Tone::Dim),
    }
}

/// The tone of a log level.
pub(crate) fn level(level: Level) -> Tone {
    match level {
        Level::Debug => Tone::Dim,
        Level::Info => Tone::Plain,
        Level::Warning => Tone::Warn,
        Level::Error => Tone::Bad,
    }
}

/// Takes in what was observed of a delivery. The selection stays on its line.
pub(crate) fn load(trace: &mut Trace, delivery: DeliveryRow, rows: Vec<ObservationRow>, variables: Vec<SeenVariable>) {
    trace.variables = variables;
    trace.all = lines(&delivery, &rows);
    trace.delivery = Some(delivery);
    trace.rows = rows;
    trace.narrow();
}

/// How a step ended.
struct Ending<'a> {
    outcome: StepOutcome,
    detail: Option<&'a str>,
    request: Option<&'a Value>,
    micros: u64,
}

struct Teller<'a> {
    /// The steps of a delivery that was skipped, failed or is tried again: they tell why.
    saga: Option<Saga>,
    arrived: i64,
    endings: HashMap<u32, Ending<'a>>,
    depths: HashMap<u32, usize>,
    /// Why something inside a step failed.
    inner: HashMap<u32, Vec<&'a str>>,
    lines: Vec<TraceLine>,
}

fn lines(delivery: &DeliveryRow, rows: &[ObservationRow]) -> Vec<TraceLine> {
    let endings = rows.iter().filter_map(|r| match &r.observation.fact {
        Fact::StepEnded { outcome, detail, request, micros } => Some((
            r.observation.step,
            Ending { outcome: *outcome, detail: detail.as_deref(), request: request.as_ref(), micros: *micros },
        )),
        _ => None,
    });
    let why = delivery.result.as_deref().filter(|result| matches!(*result, "skip" | "retry" | "fail"));
    let saga = why.map(|_| Saga::of(delivery.clone(), rows.to_vec()));
    let mut teller = Teller {
        saga,
        arrived: delivery.arrived_at.0,
        endings: endings.collect(),
        depths: HashMap::from([(0, 0)]),
        inner: inner_reasons(rows),
        lines: Vec::new(),
    };
    for row in rows {
        teller.tell(row);
    }
    teller.lines
}

/// For every step, why what lies within it failed.
fn inner_reasons(rows: &[ObservationRow]) -> HashMap<u32, Vec<&str>> {
    let mut parents = HashMap::new();
    let mut reasons: HashMap<u32, Vec<&str>> = HashMap::new();
    for row in rows {
        let step = row.observation.step;
        let (mut above, why) = match &row.observation.fact {
            Fact::StepStarted { parent, .. } => {
                parents.insert(step, *parent);
                continue;
            }
            Fact::StepEnded { outcome: StepOutcome::Failed, detail: Some(why), .. } => (parents.get(&step).copied(), why),
            Fact::StoreCall(StoreCall { error: Some(why), .. }) | Fact::ApiCall(ApiCall { error: Some(why), .. }) => {
                (Some(step), why)
            }
            _ => continue,
        };
        while let Some(step) = above.filter(|step| *step != 0) {
            reasons.entry(step).or_default().push(why);
            above = parents.get(&step).copied();
        }
    }
    reasons
}

impl Teller<'_> {
    fn tell(&mut self, row: &ObservationRow) {
        let step = row.observation.step;
        let depth = self.depths.get(&step).copied().unwrap_or_default();
        match &row.observation.fact {
            Fact::StepStarted { parent, step_kind, name, request } => {
                let outer = self.depths.get(parent).copied().unwrap_or_default();
                self.depths.insert(step, outer + 1);
                self.step(row, outer, *step_kind, name, request.as_ref());
            }
            Fact::ApiCall(call) => self.api_call(row, depth, call),
            Fact::StoreCall(call) => self.store_call(row, depth, call),
            Fact::Log { level, target, message } => self.log(row, depth, *level, target, message),
            Fact::Answered(answer) => self.answer(row, depth, answer),
            fact => self.other(row, depth, fact),
        }
    }

    /// A line at the time of its observation.
    fn push(&mut self, row: &ObservationRow, depth: usize, pieces: Pieces, micros: Option<u64>, detail: Option<Value>) {
        let offset = Some(u64::try_from(row.observation.at.0.saturating_sub(self.arrived)).unwrap_or_default());
        self.lines.push(TraceLine { offset, depth, pieces, micros, wraps: false, begun: None, step: None, detail });
    }

    /// A call: it is observed when it has ended, and told at the time it began.
    fn push_call(&mut self, row: &ObservationRow, depth: usize, pieces: Pieces, micros: u64, detail: Option<Value>) {
        self.push(row, depth, pieces, Some(micros), detail);
        if let Some(line) = self.lines.last_mut() {
            line.offset = line.offset.map(|ended| ended.saturating_sub(micros));
            line.begun = line.offset;
        }
    }

    /// A log line: in one row, whole when opened; what is wrong is shown whole at once.
    fn log(&mut self, row: &ObservationRow, depth: usize, how: Level, target: &str, message: &str) {
        let tone = level(how);
        let serious = matches!(how, Level::Warning | Level::Error);
        let mut parts = message.trim_end().split('\n');
        // The extension is who speaks here, unless another is named.
        let who = if target == "extension" { " ".into() } else { format!(" {target}: ") };
        let text_tone = if serious { tone } else { Tone::Dim };
        let mut pieces = vec![Piece::new(if serious { tone } else { Tone::Dim }, how.to_string()), Piece::new(Tone::Dim, who)];
        pieces.push(Piece::new(text_tone, parts.next().unwrap_or_default()));
        let rest: Vec<&str> = parts.collect();
        if !serious && !rest.is_empty() {
            pieces.push(Piece::new(Tone::Dim, format!(" (+{})", text::count(rest.len(), "line"))));
        }
        self.push(row, depth, pieces, None, Some(json!({"level": how, "target": target, "message": message})));
        if serious {
            if let Some(line) = self.lines.last_mut() {
                line.wraps = true;
            }
            self.lines.extend(rest.iter().map(|part| TraceLine::below(depth + 1, vec![Piece::new(tone, part)])));
        }
    }

    /// The reason of a failure: below what failed, whole.
    fn reason(&mut self, depth: usize, why: &str) {
        let parts = why.trim_end().split('\n');
        self.lines.extend(parts.map(|part| TraceLine::below(depth + 1, vec![Piece::new(Tone::Bad, part)])));
    }

    fn step(&mut self, row: &ObservationRow, depth: usize, kind: StepKind, name: &str, request: Option<&Value>) {
        let ending = self.endings.get(&row.observation.step);
        let (symbol, tone, word) = match ending.map(|e| e.outcome) {
            None => ("●", Tone::Note, "  running"),
            Some(StepOutcome::Done) => ("✓", Tone::Good, ""),
            Some(StepOutcome::Yes) => ("✓", Tone::Good, "  yes"),
            Some(StepOutcome::No) => ("○", Tone::Dim, "  no"),
            Some(StepOutcome::Failed) => ("✗", Tone::Bad, "  failed"),
        };
        let mut pieces =
            vec![Piece::new(tone, symbol), Piece::new(Tone::Dim, format!(" {kind} ")), Piece::new(Tone::Strong, name)];
        if !word.is_empty() {
            pieces.push(Piece::new(tone, word));
        }
        let (detail, micros) = (ending.and_then(|e| e.detail), ending.map(|e| e.micros));
        let failed = ending.is_some_and(|e| e.outcome == StepOutcome::Failed);
        if let Some(detail) = detail.filter(|_| !failed) {
            pieces.push(Piece::new(Tone::Dim, format!("  {detail}")));
        }
        let after = ending.and_then(|e| e.request);
        let whole = json!({
            "step": kind.to_string(), "name": name, "outcome": ending.map(|e| e.outcome), "detail": detail,
            "request_before": request, "request_after": after,
        });
        // Said where it happened; those around it only pass it on.
        let passed_on = |why: &str| self.inner.get(&row.observation.step).is_some_and(|all| all.iter().any(|i| why.contains(*i)));
        let why = detail.filter(|why| failed && !passed_on(why)).map(str::to_owned);
        self.push(row, depth, pieces, micros, Some(whole));
        if let Some(line) = self.lines.last_mut() {
            line.begun = line.offset;
            line.step = Some((kind, name.to_owned()));
        }
        if let Some(why) = why {
            self.reason(depth, &why);
        }
    }

    fn api_call(&mut self, row: &ObservationRow, depth: usize, call: &ApiCall) {
        let failed = call.error.is_some() || call.status.is_none_or(|s| s >= 400);
        let status = call.status.map_or_else(|| "no answer".into(), |s| s.to_string());
        let pieces = vec![
            if failed { Piece::new(Tone::Bad, "✗") } else { Piece::new(Tone::Dim, "·") },
            Piece::new(Tone::Dim, " api "),
            Piece::new(if failed { Tone::Bad } else { Tone::Good }, status),
            Piece::new(Tone::Key, format!(" {}", call.method)),
            Piece::new(Tone::Plain, format!(" {}", call.path)),
        ];
        self.push_call(row, depth, pieces, call.micros, serde_json::to_value(call).ok());
        if let Some(why) = &call.error {
            self.reason(depth, why);
        }
    }

    fn store_call(&mut self, row: &ObservationRow, depth: usize, call: &StoreCall) {
        let failed = call.error.is_some();
        let mut pieces = vec![
            if failed { Piece::new(Tone::Bad, "✗") } else { Piece::new(Tone::Good, "✓") },
            Piece::new(Tone::Dim, format!(" {} ", call.backend)),
            Piece::new(Tone::Key, &call.operation),
            Piece::new(Tone::Plain, format!(" {}.{}", call.database, call.collection)),
        ];
        if let Some(output) = &call.output {
            let text = super::super::json::line(&super::super::json::relaxed(output));
            pieces.push(Piece::new(Tone::Value, format!(" → {}", text::fit(&text, 80))));
        }
        self.push_call(row, depth, pieces, call.micros, serde_json::to_value(call).ok());
        if let Some(why) = &call.error {
            self.reason(depth, why);
        }
    }

    fn answer(&mut self, row: &ObservationRow, depth: usize, answer: &Answer) {
        let (symbol, tone) = outcome(&answer.result);
        let mut pieces = vec![Piece::new(tone, format!("{symbol} result: {}", answer.result))];
        let meaning = match answer.result.as_str() {
            "reschedule" => format!("  Connect delivers it again in {} s", answer.countdown),
            "retry" => "  Connect delivers it again by itself".into(),
            "skip" => "  nothing was to be done".into(),
            _ => String::new(),
        };
        pieces.push(Piece::new(Tone::Dim, meaning));
        self.push(row, depth, pieces, Some(answer.micros), serde_json::to_value(answer).ok());
        let tone = if matches!(tone, Tone::Bad | Tone::Warn) { tone } else { Tone::Plain };
        if let Some(why) = self.saga.as_ref().and_then(|saga| saga.why.as_deref()) {
            let pieces = vec![Piece::new(Tone::Strong, "because "), Piece::new(tone, why)];
            self.lines.push(TraceLine::below(depth + 1, pieces));
        }
        let message = answer.message.as_deref().unwrap_or_default().trim_end();
        let rest = self.saga.as_ref().map_or(message, |saga| saga.untold(message));
        for part in Some(rest).filter(|rest| !rest.is_empty()).into_iter().flat_map(|rest| rest.split('\n')) {
            self.lines.push(TraceLine::below(depth + 1, vec![Piece::new(tone, part)]));
        }
    }

    fn other(&mut self, row: &ObservationRow, depth: usize, fact: &Fact) {
        let plain = |text: String| vec![Piece::new(Tone::Dim, "· "), Piece::new(Tone::Plain, text)];
        let (pieces, detail) = match fact {
            Fact::TaskQueued { task_id, origin, .. } => {
                (plain(format!("task {task_id} asked for: {}", origin_word(origin))), None)
            }
            Fact::TaskArrived(task) => {
                (plain(format!("task {} arrived ({})", task.task_id, task.category)), Some(task.task.clone()))
            }
            Fact::ObjectFetched { object } => {
                let field = |name| object.get(name).and_then(Value::as_str).unwrap_or("?");
                (plain(format!("object {} fetched: {}", field("id"), field("status"))), Some(Value::clone(object)))
            }
            Fact::ResultSent { .. } => (plain("result handed to the socket".into()), None),
            Fact::Held { step_kind, name, request } => {
                let detail = json!({"held_before": step_kind.to_string(), "name": name, "request": request});
                (vec![Piece::new(Tone::Warn, format!("‖ held before {step_kind} {name}"))], Some(detail))
            }
            Fact::Released { how, micros } => {
                let what = match how {
                    Release::Continue => "goes on",
                    Release::Skip => "goes on without the step",
                    Release::Abort => "is aborted",
                };
                (plain(format!("{what} after {}", text::duration(*micros))), None)
            }
            Fact::Injected { what } => {
                let word = if what.starts_with("injected") { "" } else { "injected: " };
                (vec![Piece::new(Tone::Warn, format!("✱ {word}{what}"))], None)
            }
            Fact::Interrupted { reason } => (vec![Piece::new(Tone::Warn, format!("‖ interrupted: {reason}"))], None),
            Fact::RunnerGone { reason } => (vec![Piece::new(Tone::Warn, format!("‖ no runner: {reason}"))], None),
            Fact::RunnerBack { instance } => {
                (vec![Piece::new(Tone::Note, format!("● the runner {instance} is back and still has the task"))], None)
            }
            Fact::RedeliveryScheduled { task_id, due, .. } => {
                let seconds = due.0.saturating_sub(row.observation.at.0) / 1_000_000;
                (vec![Piece::new(Tone::Note, format!("» task {task_id} comes again {seconds} s later"))], None)
            }
            Fact::FrameRejected { reason, excerpt, .. } => {
                (vec![Piece::new(Tone::Bad, format!("✗ a frame was not understood: {reason}: {excerpt}"))], None)
            }
            Fact::Marked { marks, detail, .. } => {
                let marks = marks.iter().map(|mark| mark.as_str()).collect::<Vec<_>>().join(", ");
                (plain(format!("asked for specially: {marks}{}{detail}", if detail.is_empty() { "" } else { ": " })), None)
            }
            Fact::Pinned { pinned, .. } => (plain(if *pinned { "pinned" } else { "unpinned" }.into()), None),
            // Endings are told with their beginnings; what concerns the session belongs to no delivery.
            _ => return,
        };
        self.push(row, depth, pieces, None, detail);
    }
}

fn origin_word(origin: &Origin) -> String {
    match origin {
        Origin::Trigger => "triggered".into(),
        Origin::Reschedule => "delivered again after a reschedule".into(),
        Origin::Retry => "delivered again after a retry".into(),
        Origin::Redelivery => "delivered again, the runner was gone".into(),
        Origin::Replay(of) => format!("a replay of #{of}"),
    }
}
