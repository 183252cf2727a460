//! Everything about a delivery, in tabs: what came, what was done, what was called, stored, logged and answered, and with
//! which variables.

use serde_json::Value;

use super::super::json;
use super::super::state::{Detail, Folds, Pager, State};
use super::super::text;
use super::super::theme::{Piece, Pieces, Tone};
use crate::journal::ObservationRow;
use crate::observe::{ApiCall, Fact, SeenVariable};

/// The names of the tabs.
const TABS: [&str; 7] = ["Payload", "Trace", "API calls", "Documents", "Logs", "Result", "Variables"];

/// The tabs of the selected delivery, as far as it is read.
pub(crate) fn tabs(state: &State) -> Option<Detail> {
    let delivery = state.events.selected()?;
    if state.trace.delivery.as_ref().map(|d| d.id) != Some(delivery.id) {
        return None;
    }
    let rows = &state.trace.rows;
    let title = format!("#{} {} {}", delivery.id, delivery.event_type, delivery.object_id);
    let contents = [
        payload(rows),
        state.trace.all.iter().map(|line| indented(line.depth, &line.pieces)).collect(),
        calls(rows),
        documents(rows),
        logs(state, rows),
        result(state, rows),
        variables(&state.trace.variables),
    ];
    let page = |(name, lines): (&'static str, Vec<Pieces>)| {
        let whole = lines.iter().map(|line| line.iter().map(|p| p.text.as_str()).collect::<String>() + "\n").collect();
        (name, Pager::new(title.clone(), lines, whole), Folds::default())
    };
    Some(Detail { tabs: TABS.into_iter().zip(contents).map(page).collect(), at: 0 })
}

fn indented(depth: usize, pieces: &Pieces) -> Pieces {
    std::iter::once(Piece::new(Tone::Plain, "  ".repeat(depth))).chain(pieces.iter().cloned()).collect()
}

fn none(text: &str) -> Vec<Pieces> {
    vec![vec![Piece::new(Tone::Dim, text)]]
}

fn or_none(lines: Vec<Pieces>, text: &str) -> Vec<Pieces> {
    if lines.is_empty() { none(text) } else { lines }
}

fn heading(lines: &mut Vec<Pieces>, pieces: Pieces) {
    if !lines.is_empty() {
        lines.push(Vec::new());
    }
    lines.push(pieces);
}

fn strong(text: impl AsRef<str>) -> Pieces {
    vec![Piece::new(Tone::Strong, text)]
}

/// The object, then the task that brought it.
fn payload(rows: &[ObservationRow]) -> Vec<Pieces> {
    let mut lines = Vec::new();
    for row in rows {
        if let Fact::ObjectFetched { object } = &row.observation.fact {
            heading(&mut lines, strong("The object as it was fetched"));
            lines.extend(json::lines(object));
        }
    }
    for row in rows {
        if let Fact::TaskArrived(task) = &row.observation.fact {
            heading(&mut lines, strong("The task"));
            lines.extend(json::lines(&task.task));
        }
    }
    or_none(lines, "nothing of it has come yet")
}

/// Each exchange: the request, and the answer.
fn calls(rows: &[ObservationRow]) -> Vec<Pieces> {
    let mut lines = Vec::new();
    let fetched = rows.iter().find_map(|row| match &row.observation.fact {
        Fact::ObjectFetched { object } => Some(&**object),
        _ => None,
    });
    for row in rows {
        let Fact::ApiCall(call) = &row.observation.fact else { continue };
        // The answer of the look-up is recorded once: as the object.
        let looked_up = || fetched.filter(|object| looks_up(call, object));
        let answer = call.response.as_deref().or_else(looked_up);
        let failed = call.error.is_some() || call.status.is_none_or(|status| status >= 400);
        let status = call.status.map_or_else(|| "no answer".into(), |status| status.to_string());
        heading(
            &mut lines,
            vec![
                Piece::new(if failed { Tone::Bad } else { Tone::Good }, status),
                Piece::new(Tone::Key, format!(" {}", call.method)),
                Piece::new(Tone::Strong, format!(" {}", call.path)),
                Piece::new(Tone::Dim, format!("  {}", text::duration(call.micros))),
            ],
        );
        for (name, body) in [("sent", call.request.as_ref()), ("answered", answer)] {
            if let Some(body) = body {
                lines.push(vec![Piece::new(Tone::Dim, name)]);
                lines.extend(json::lines(body));
            }
        }
        for (name, said) in [("Content-Range", &call.content_range), ("error", &call.error)] {
            lines.extend(
                said.as_ref().map(|said| vec![Piece::new(Tone::Dim, format!("{name}: ")), Piece::new(Tone::Plain, said)]),
            );
        }
    }
    or_none(lines, "it made no call of the API")
}

/// Whether a call without an answer of its own is the one that fetched the object.
fn looks_up(call: &ApiCall, object: &Value) -> bool {
    let id = object.get("id").and_then(Value::as_str);
    call.method == "GET" && call.status == Some(200) && id.is_some_and(|id| call.path.contains(id))
}

fn documents(rows: &[ObservationRow]) -> Vec<Pieces> {
    let mut lines = Vec::new();
    for row in rows {
        let Fact::StoreCall(call) = &row.observation.fact else { continue };
        heading(
            &mut lines,
            vec![
                Piece::new(if call.error.is_some() { Tone::Bad } else { Tone::Good }, call.backend.to_string()),
                Piece::new(Tone::Key, format!(" {}", call.operation)),
                Piece::new(Tone::Strong, format!(" {}.{}", call.database, call.collection)),
                Piece::new(Tone::Dim, format!("  {}", text::duration(call.micros))),
            ],
        );
        lines.extend(call.error.as_ref().map(|why| vec![Piece::new(Tone::Bad, why)]));
        lines.extend(json::lines(&json::relaxed(&call.input)));
        if let Some(output) = &call.output {
            lines.push(vec![Piece::new(Tone::Dim, "came back")]);
            lines.extend(json::lines(&json::relaxed(output)));
        }
    }
    or_none(lines, "it asked nothing of a document store")
}

fn logs(state: &State, rows: &[ObservationRow]) -> Vec<Pieces> {
    let mut lines = Vec::new();
    for row in rows {
        let Fact::Log { level, target, message } = &row.observation.fact else { continue };
        let time = text::time(row.observation.at, &state.zone, "%T%.3f");
        for (nth, part) in message.lines().enumerate() {
            let begin = if nth == 0 { format!("{time} {level:<7} {target}: ") } else { "    ".into() };
            lines.push(vec![Piece::new(super::level(*level), begin), Piece::new(Tone::Plain, part)]);
        }
    }
    or_none(lines, "nothing was logged in it")
}

fn result(state: &State, rows: &[ObservationRow]) -> Vec<Pieces> {
    let mut lines = Vec::new();
    for row in rows {
        match &row.observation.fact {
            Fact::Answered(answer) => {
                heading(&mut lines, strong(format!("{} after {}", answer.result, text::duration(answer.micros))));
                if let Some(message) = &answer.message {
                    lines.extend(message.lines().map(|line| vec![Piece::new(Tone::Plain, line)]));
                }
                lines.extend(json::lines(&serde_json::to_value(answer).unwrap_or_default()));
            }
            Fact::Interrupted { reason } | Fact::RunnerGone { reason } => {
                heading(&mut lines, vec![Piece::new(Tone::Warn, reason)])
            }
            _ => {}
        }
    }
    if let Some(delivery) = &state.trace.delivery {
        heading(&mut lines, strong("The delivery"));
        let mut summary = serde_json::to_value(delivery).unwrap_or_default();
        if let Some(arrived) = summary.get_mut("arrived_at") {
            *arrived = text::time(delivery.arrived_at, &state.zone, "%FT%T%.6f%:z").into();
        }
        lines.extend(json::lines(&summary));
    }
    or_none(lines, "it is not answered yet")
}

fn variables(variables: &[SeenVariable]) -> Vec<Pieces> {
    let wide = variables.iter().map(|v| text::width(&v.name)).max().unwrap_or_default();
    let line = |v: &SeenVariable| {
        let tone = if v.secure { Tone::Dim } else { Tone::Plain };
        vec![Piece::new(Tone::Key, text::pad(&v.name, wide)), Piece::new(Tone::Dim, " = "), Piece::new(tone, &v.value)]
    };
    or_none(variables.iter().map(line).collect(), "no configuration is known from before it")
}

/// What a line holds that can be copied: the value behind the name, or the line.
pub(crate) fn copied(line: &Pieces) -> String {
    let text: String = line.iter().map(|piece| piece.text.as_str()).collect();
    let text = text.trim();
    let value = text.strip_prefix('"').and_then(|rest| rest.split_once("\": ")).map_or(text, |(_, value)| value);
    let value = value.strip_suffix(',').unwrap_or(value);
    match serde_json::from_str::<Value>(value) {
        Ok(Value::String(text)) => text,
        _ => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_of_the_look_up_is_the_object() {
        let object = serde_json::json!({"id": "PR-1", "status": "pending"});
        let call = ApiCall {
            method: "GET".into(),
            path: "requests?and(in(id,(PR-1)),in(status,(pending)))&limit=1".into(),
            status: Some(200),
            request: None,
            response: None,
            content_range: None,
            error: None,
            micros: 1,
        };
        let row = |row, fact| ObservationRow { row, delivery: Some(1), observation: crate::observe::Observation::now(fact) };
        let rows = [row(1, Fact::ApiCall(call)), row(2, Fact::ObjectFetched { object: object.into() })];
        let told: String = calls(&rows).iter().flatten().map(|piece| piece.text.clone() + "\n").collect();
        assert!(told.contains("answered") && told.contains("pending\""), "{told}");
    }

    #[rstest::rstest]
    #[case("  \"id\": \"PR-1\",", "PR-1")]
    #[case("  \"n\": 5,", "5")]
    #[case("\"a\\\"b\"", "a\"b")]
    #[case("200 GET requests", "200 GET requests")]
    fn the_value_of_a_line_is_copied(#[case] line: &str, #[case] expected: &str) {
        assert_eq!(copied(&vec![Piece::new(Tone::Plain, line)]), expected);
    }
}
