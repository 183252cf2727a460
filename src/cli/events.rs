//! `events`: the deliveries so far, and what was seen of them.

use serde::Serialize;

use super::args::{Events, Filter};
use super::describe::describe;
use super::output::{clock, span};
use super::{CliError, Setting, clock};
use crate::journal::{DeliveryFilter, DeliveryRow, DeliveryState, ObservationRow, Window};

/// The columns of [`delivery_cells`].
pub(super) const HEADING: &[&str] =
    &["ID", "TIME", "EVENT TYPE", "OBJECT", "STATUS", "RESULT", "TOOK", "TRY", "ORIGIN", "REASON"];

impl From<Filter> for DeliveryFilter {
    fn from(filter: Filter) -> Self {
        let typed = Self::typed(filter.filter.as_deref().unwrap_or_default());
        Self { event_type: filter.event_type, object_id: filter.object, result: filter.result, ..typed }
    }
}

/// A delivery as the columns of a table.
pub(super) fn delivery_cells(row: &DeliveryRow) -> Vec<String> {
    let result = match (&row.result, row.state) {
        (_, DeliveryState::Interrupted) => "interrupted".into(),
        (Some(result), _) if row.countdown > 0 => format!("{result} {}s", row.countdown),
        (Some(result), _) => result.clone(),
        (None, _) => "running".into(),
    };
    let origin = match (&row.origin, row.replay_of) {
        (_, Some(of)) => format!("replay of {of}"),
        (Some(origin), None) => origin.clone(),
        (None, None) => "-".into(),
    };
    let origin = if row.injected > 0 { format!("{origin}, injected") } else { origin };
    let reason = row.message.as_deref().and_then(|m| m.lines().next()).unwrap_or_default();
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
        reason.to_owned(),
    ]
}

/// `events list|show|tail`
pub(super) async fn events(setting: Setting, verb: Events) -> Result<(), CliError> {
    match verb {
        Events::List { filter, limit } => list(&setting, &filter.into(), limit).await,
        Events::Show { id } => show(&setting, id).await,
        Events::Waiting => clock::waiting(&setting).await,
        Events::Release { which } => clock::release(&setting, &which).await,
        Events::Forward { by } => clock::forward(&setting, by).await,
        Events::Tail { filter } => tail(&setting, &filter.into()).await,
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
                && let Some(row) = reader.delivery(id)?
                && fits(filter, &row)
            {
                if setting.output.is_json() {
                    setting.output.object(&row)?;
                } else {
                    setting.output.line(&delivery_cells(&row).join("  "))?;
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

fn fits(filter: &DeliveryFilter, row: &DeliveryRow) -> bool {
    let same = |wanted: &Option<String>, have: Option<&str>| wanted.as_deref().is_none_or(|w| Some(w) == have);
    let text = filter.text.as_deref().map(str::to_lowercase);
    let hay = [Some(&row.event_type), Some(&row.object_id), row.result.as_ref(), row.message.as_ref(), Some(&row.task_id)];
    same(&filter.event_type, Some(&row.event_type))
        && same(&filter.object_id, Some(&row.object_id))
        && same(&filter.result, row.result.as_deref())
        && text.is_none_or(|text| hay.into_iter().flatten().any(|h| h.to_lowercase().contains(&text)))
}
