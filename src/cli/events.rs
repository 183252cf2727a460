//! `events`: the deliveries so far, and what was seen of them.

use serde::Serialize;

use super::args::{Events, Filter};
use super::describe::describe;
use super::output::{beginning, clock, span};
use super::{CliError, Setting, clock as clock_verbs, looks};
use crate::journal::{DeliveryFilter, DeliveryRow, DeliveryState, FilterError, ObservationRow, Window};

/// What a filter calls the columns of a delivery.
const NAMES: &str = "type, object, status, result, reason, task, id, try, took, calls, writes, origin, replay";

/// The columns of [`delivery_cells`].
pub(super) const HEADING: &[&str] =
    &["ID", "TIME", "EVENT TYPE", "OBJECT", "STATUS", "RESULT", "TOOK", "TRY", "ORIGIN", "REASON"];

/// How many characters of a reason are in a table; `show` and `--json` have it whole.
const LONGEST: usize = 200;

impl TryFrom<Filter> for DeliveryFilter {
    type Error = CliError;

    fn try_from(filter: Filter) -> Result<Self, CliError> {
        let typed = filter.filter.as_deref().unwrap_or_default();
        let parsed = Self::parse(typed).map_err(|error| unreadable(typed, &error))?;
        Ok(Self { event_type: filter.event_type, object_id: filter.object, result: filter.result, ..parsed })
    }
}

/// The error with the place in the line it is about.
pub(super) fn unreadable(line: &str, error: &FilterError) -> CliError {
    let before: String = line.chars().take(error.at).collect();
    let after: String = line.chars().skip(error.at).collect();
    CliError::usage(format!("the filter can't be read: {}; it is at the arrow: {before} --> {after}", error.message))
}

/// A delivery as the columns of a table.
pub(super) fn delivery_cells(row: &DeliveryRow) -> Vec<String> {
    let result = match (&row.result, row.state) {
        (_, DeliveryState::Interrupted) => "interrupted".into(),
        (Some(result), _) if row.countdown > 0 => format!("{result} {}s", row.countdown),
        (Some(result), _) => result.clone(),
        (None, DeliveryState::NoRunner) => "no runner".into(),
        (None, _) => "running".into(),
    };
    let origin = match (&row.origin, row.replay_of) {
        (_, Some(of)) => format!("replay of {of}"),
        (Some(origin), None) => origin.clone(),
        (None, None) => "-".into(),
    };
    let mut origin = if row.injected > 0 { format!("{origin}, injected") } else { origin };
    for mark in row.marks.iter().map(String::as_str).chain(row.pinned.then_some("pinned")) {
        origin.push_str(", ");
        origin.push_str(mark);
    }
    let reason = row.reason().unwrap_or_default();
    vec![
        row.id.to_string(),
        clock(row.arrived_at),
        row.event_type.clone(),
        row.object_id.clone(),
        row.object_status.clone().unwrap_or_else(|| "-".into()),
        result,
        row.micros.map_or_else(|| "-".into(), span),
        row.attempt.to_string(),
        origin,
        beginning(reason, LONGEST).map_or_else(|| reason.to_owned(), |cut| format!("{cut}…")),
    ]
}

/// `events list|show|tail`
pub(super) async fn events(setting: Setting, verb: Events) -> Result<(), CliError> {
    match verb {
        Events::List { filter, limit } => list(&setting, &filter.try_into()?, limit).await,
        Events::Show { id } => show(&setting, id).await,
        Events::Logs(asked) => looks::logs(&setting, asked),
        Events::Metrics => looks::metrics(&setting),
        Events::Waiting => clock_verbs::waiting(&setting).await,
        Events::Release { which } => clock_verbs::release(&setting, &which).await,
        Events::Forward { by } => clock_verbs::forward(&setting, by).await,
        Events::Keep(keep) => super::captures::keep(setting, keep).await,
        Events::Tail { filter } => tail(&setting, &filter.try_into()?).await,
    }
}

async fn list(setting: &Setting, filter: &DeliveryFilter, limit: usize) -> Result<(), CliError> {
    let Some(reader) = setting.reader()? else {
        return empty(setting);
    };
    let rows = reader.deliveries(filter, &Window::newest(limit))?;
    if setting.output.is_json() {
        return rows.iter().try_for_each(|row| setting.output.object(row));
    }
    if rows.is_empty() && *filter != DeliveryFilter::default() {
        setting.output.line("No delivery fits. `body~TEXT` looks into payloads, `events list` shows all.")?;
        return match filter.single_names().next() {
            None => Ok(()),
            Some(name) => setting
                .output
                .line(&format!("`{name}` was looked for in the objects; what a delivery itself has is called {NAMES}.")),
        };
    }
    if rows.is_empty() {
        return empty(setting);
    }
    setting.output.table(HEADING, &rows.iter().map(delivery_cells).collect::<Vec<_>>())
}

fn empty(setting: &Setting) -> Result<(), CliError> {
    if setting.output.is_json() {
        return Ok(());
    }
    setting.output.line("No deliveries. `connect-console trigger asset_purchase_request_processing` makes one.")
}

/// Everything of one delivery, as one object.
#[derive(Serialize)]
struct Whole<'a> {
    #[serde(flatten)]
    delivery: &'a DeliveryRow,
    observations: &'a [ObservationRow],
}

async fn show(setting: &Setting, id: i64) -> Result<(), CliError> {
    let missing = || CliError::usage(format!("there is no delivery {id}; `events list` shows which there are"));
    let reader = setting.reader()?.ok_or_else(missing)?;
    let row = reader.delivery(id)?.ok_or_else(missing)?;
    let observations = reader.observations(id)?;
    let output = setting.output;
    if output.is_json() {
        return output.object(&Whole { delivery: &row, observations: &observations });
    }
    output.table(HEADING, &[delivery_cells(&row)])?;
    output.line("")?;
    for seen in &observations {
        let indent = if seen.observation.step > 0 { "  " } else { "" };
        for line in describe(&seen.observation.fact, true).lines() {
            output.line(&format!("{}  {indent}{line}", clock(seen.observation.at)))?;
        }
    }
    Ok(())
}

async fn tail(setting: &Setting, filter: &DeliveryFilter) -> Result<(), CliError> {
    let mut stop = super::run::stop_signal();
    let session = setting.session().await?;
    let reader = session.reader()?;
    let mut news = session.news();
    let mut last = reader.last_row()?;
    loop {
        news.borrow_and_update();
        for seen in reader.after(last, 1_000)? {
            last = seen.row;
            let over =
                matches!(seen.observation.fact, crate::observe::Fact::Answered(_) | crate::observe::Fact::Interrupted { .. });
            if let (true, Some(id)) = (over, seen.delivery)
                && let [row] = reader.deliveries(filter, &Window { before: Some(id + 1), ..Window::after(id - 1, 1) })?.as_slice()
            {
                if setting.output.is_json() {
                    setting.output.object(row)?;
                } else {
                    setting.output.line(&delivery_cells(row).join("  "))?;
                }
            }
        }
        tokio::select! {
            changed = news.changed() => if changed.is_err() { break },
            () = &mut stop => break,
        }
    }
    session.close().await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_long_reason_its_beginning_is_in_the_table() {
        let row = |message: String| DeliveryRow { message: Some(message), ..DeliveryRow::example(1, Some("retry")) };
        let reason = |message: String| delivery_cells(&row(message)).pop().unwrap();
        assert_eq!(reason("é".repeat(10_000)), format!("{}…", "é".repeat(200)));
        assert_eq!(reason("x".repeat(200)), "x".repeat(200));
    }
}
