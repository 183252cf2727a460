//! `events logs|metrics`: the log lines, and how the tasks of the last hour, day and week went.

use clap::{Args as Group, ValueEnum};

use super::output::{clock, span};
use super::{CliError, Setting};
use crate::journal::{Bucket, LogFilter, Metrics};
use crate::observe::{Level, Timestamp};

#[derive(Group)]
pub(super) struct Logs {
    /// Only those with this text in them or in who says it, letter case aside
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Only those of this delivery
    #[arg(long, value_name = "ID")]
    delivery: Option<i64>,
    /// At least this serious
    #[arg(long, value_enum)]
    level: Option<AtLeast>,
    /// How many of the newest
    #[arg(long, default_value_t = 100, value_name = "N")]
    limit: usize,
}

#[derive(Clone, Copy, ValueEnum)]
enum AtLeast {
    Debug,
    Info,
    Warning,
    Error,
}

impl From<AtLeast> for Level {
    fn from(level: AtLeast) -> Self {
        match level {
            AtLeast::Debug => Self::Debug,
            AtLeast::Info => Self::Info,
            AtLeast::Warning => Self::Warning,
            AtLeast::Error => Self::Error,
        }
    }
}

/// `events logs`
pub(super) fn logs(setting: &Setting, asked: Logs) -> Result<(), CliError> {
    let output = setting.output;
    let filter = LogFilter { delivery: asked.delivery, level: asked.level.map(Into::into), text: asked.filter };
    let rows = setting.reader()?.map(|reader| reader.logs(&filter, asked.limit)).transpose()?.unwrap_or_default();
    if output.is_json() {
        return rows.iter().try_for_each(|row| output.object(row));
    }
    if rows.is_empty() {
        return output.line(match filter == LogFilter::default() {
            true => "No log lines yet. `connect-console trigger asset_purchase_request_processing` makes some.",
            false => "No log line fits. `events logs` shows all.",
        });
    }
    for row in rows {
        let of = row.delivery.map(|id| format!("#{id} ")).unwrap_or_default();
        // A line of a longer message belongs to the one before.
        let message = row.message.trim_end().replace('\n', "\n    ");
        output.line(&format!("{} {:<7} {of}{}: {message}", clock(row.at), row.level, row.target))?;
    }
    Ok(())
}

/// `events metrics`
pub(super) fn metrics(setting: &Setting) -> Result<(), CliError> {
    const RESULTS: [&str; 5] = ["success", "fail", "retry", "reschedule", "skip"];
    let output = setting.output;
    let all = setting.reader()?.map(|reader| reader.metrics(Timestamp::now())).transpose()?.unwrap_or_default();
    if output.is_json() {
        return all.iter().try_for_each(|one| output.object(one));
    }
    if all.is_empty() {
        return output.line("No tasks yet. `connect-console trigger asset_purchase_request_processing` makes one.");
    }
    let time = |one: &Metrics, of: fn(&Bucket) -> Option<u64>| one.mean(of).map_or_else(|| "-".into(), span);
    let row = |one: &Metrics| {
        let tasks: u64 = one.buckets.iter().map(Bucket::total).sum();
        let mut cells = vec![one.name.clone(), tasks.to_string()];
        cells.extend(RESULTS.map(|result| one.count(result).to_string()));
        cells.extend([time(one, |b| b.runtime), time(one, |b| b.processing), time(one, |b| b.wait)]);
        cells
    };
    let heading = ["LAST", "TASKS", "SUCCESS", "FAIL", "RETRY", "RESCHEDULE", "SKIP", "RUNTIME", "PROCESSING", "WAIT"];
    output.table(&heading, &all.iter().map(row).collect::<Vec<_>>())
}
