use serde_json::Value;

use super::super::describe::describe;
use super::super::events::{HEADING, delivery_cells};
use super::super::output::{beginning, span};
use super::super::{CliError, Setting};
use super::{missing, read};
use crate::journal::{DeliveryFilter, DeliveryRow, Reader, Window};
use crate::observe::StepOutcome;
use crate::sagas::{Change, Linked, StepTrace, difference, otlp};
use crate::workbench::{Command, Reply, SagaCommand, Session};

/// How many characters of a value are printed.
const LONGEST: usize = 160;

pub(super) async fn show(setting: &Setting, id: i64, as_otlp: bool) -> Result<(), CliError> {
    let (reader, trace) = read(setting, id)?;
    let output = setting.output;
    if as_otlp {
        let key = reader.key_of_delivery(id)?.ok_or_else(|| missing(id))?;
        return output.object(&otlp(&trace, &key, &links(&reader, &trace.delivery)?));
    }
    if output.is_json() {
        return output.object(&trace);
    }
    output.table(HEADING, &[delivery_cells(&trace.delivery)])?;
    if let Some(why) = &trace.why {
        output.line(&format!("why: {why}"))?;
    }
    output.line("")?;
    for step in &trace.steps {
        print_step(setting, step, trace.delivery.arrived_at.0)?;
    }
    if trace.steps.is_empty() {
        output.line(&without_steps(untraced(setting).await?.as_deref()))?;
    }
    Ok(())
}

/// The deliveries it follows: the one before of the same object, and the one it is a replay of.
fn links(reader: &Reader, row: &DeliveryRow) -> Result<Vec<Linked>, CliError> {
    let same = DeliveryFilter { object_id: Some(row.object_id.clone()), ..DeliveryFilter::default() };
    let before = reader.deliveries(&same, &Window::before(row.id, 1))?.first().map(|before| (before.id, "delivered before"));
    let mut links = Vec::new();
    for (delivery, how) in before.into_iter().chain(row.replay_of.map(|of| (of, "replay of"))) {
        links.extend(reader.key_of_delivery(delivery)?.map(|key| Linked { key, delivery, how }));
    }
    Ok(links)
}

/// Why the session that runs for this directory sees no steps, if one runs and sees none.
async fn untraced(setting: &Setting) -> Result<Option<String>, CliError> {
    let Some(session) = Session::running(&setting.options.data_dir).await? else { return Ok(None) };
    let reply = session.command(Command::Sagas(SagaCommand::Show)).await?;
    session.close().await;
    Ok(match reply {
        Reply::Sagas(set) => set.untraced,
        _ => None,
    })
}

fn without_steps(untraced: Option<&str>) -> String {
    match untraced {
        Some(why) => format!("No step was seen of it: {why}."),
        None => "No step was seen of it: the extension's handler was not called, or the session ran with --no-trace.".into(),
    }
}

fn print_step(setting: &Setting, step: &StepTrace, arrived: i64) -> Result<(), CliError> {
    let output = setting.output;
    let indent = "  ".repeat(step.depth);
    let after = span(u64::try_from(step.begun.0 - arrived).unwrap_or_default());
    let how = match step.outcome {
        None => "not ended",
        Some(StepOutcome::Done) => "done",
        Some(StepOutcome::Yes) => "yes",
        Some(StepOutcome::No) => "no",
        Some(StepOutcome::Failed) => "FAILED",
    };
    let took = step.micros.map(|micros| format!(" in {}", span(micros))).unwrap_or_default();
    let detail = step.detail.as_ref().map(|detail| format!(": {detail}")).unwrap_or_default();
    let text = format!("{} {}  {how}{took}{detail}", step.step_kind, step.name);
    for (nth, line) in text.lines().enumerate() {
        let margin = if nth == 0 { format!("{:>10}", format!("+{after}")) } else { " ".repeat(10) };
        output.line(&format!("{margin}  {indent}{line}"))?;
    }
    let below = format!("{}  {indent}    ", " ".repeat(10));
    for change in &step.changes {
        output.line(&format!("{below}{}", in_words(change)))?;
    }
    for row in &step.seen {
        let line = describe(&row.observation.fact, false);
        output.line(&format!("{below}{}", line.lines().next().unwrap_or_default()))?;
    }
    Ok(())
}

/// A value on its line; of a large one its beginning.
fn cut(value: &Value) -> String {
    let text = value.to_string();
    match beginning(&text, LONGEST) {
        Some(cut) => format!("{cut}… ({} bytes; --json shows all)", text.len()),
        None => text,
    }
}

fn in_words(Change { path, before, after }: &Change) -> String {
    match (before.as_ref().map(cut), after.as_ref().map(cut)) {
        (Some(before), Some(after)) => format!("~ {path}: {before} -> {after}"),
        (None, Some(after)) => format!("+ {path}: {after}"),
        (Some(before), None) => format!("- {path}: {before}"),
        (None, None) => path.clone(),
    }
}

pub(super) fn diff(setting: &Setting, a: i64, b: i64) -> Result<(), CliError> {
    let (one, other) = (read(setting, a)?.1, read(setting, b)?.1);
    let found = difference(&one, &other);
    let output = setting.output;
    if output.is_json() {
        return output.object(&found);
    }
    let took = |micros: Option<u64>| micros.map(span).unwrap_or_default();
    let cells = found.rows.iter().map(|row| {
        let mark = if row.same { " " } else { "*" };
        let side = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".into());
        vec![
            format!("{mark} {}{}", "  ".repeat(row.depth), row.what),
            side(&row.a),
            took(row.micros_a),
            side(&row.b),
            took(row.micros_b),
        ]
    });
    let (left, right) = (format!("#{a}"), format!("#{b}"));
    output.table(&["  STEP", &left, "TOOK", &right, "TOOK"], &cells.collect::<Vec<_>>())?;
    if !found.request.is_empty() {
        output.line("")?;
        output.line("The request they were given:")?;
        for change in &found.request {
            output.line(&format!("  {}", in_words(change)))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_delivery_without_steps_says_that_the_session_does_not_trace() {
        let said = without_steps(Some("this session runs with --no-trace; start it without to see its sagas"));
        assert!(said.starts_with("No step was seen of it: this session runs with --no-trace"), "{said}");
        assert!(without_steps(None).contains("was not called, or the session ran with --no-trace"));
    }

    #[test]
    fn of_a_large_value_its_beginning_is_printed_and_how_large_it_is() {
        let change = Change { path: "a".into(), before: Some(json!(1)), after: Some(json!("é".repeat(100_000))) };
        let words = in_words(&change);
        assert!(words.starts_with("~ a: 1 -> \"éé") && words.ends_with("… (200002 bytes; --json shows all)"), "{words}");
        assert!(words.chars().count() < 250);
    }
}
