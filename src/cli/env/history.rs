//! `env history`, and the values a delivery ran with.

use crate::cli::output::clock;
use crate::cli::{CliError, Setting};
use crate::workbench::{Command, EnvironmentCommand, EnvironmentReply, HistoryChange, Reply, Session, Since};

/// `env history`
pub(super) async fn history(setting: &Setting, session: &Session) -> Result<(), CliError> {
    let rows = match session.command(Command::Environment(EnvironmentCommand::History)).await? {
        Reply::Environment(EnvironmentReply::History { rows }) => rows,
        _ => return Err(CliError::failed("the session answered something else than was asked".into())),
    };
    if setting.output.is_json() {
        return rows.iter().try_for_each(|row| setting.output.object(row));
    }
    if rows.is_empty() {
        return setting.output.line("Nothing was applied yet; `connect-console env apply` writes the history.");
    }
    let table: Vec<_> = rows
        .iter()
        .map(|row| {
            let changes = row.changes.iter().map(change).collect::<Vec<_>>().join(", ");
            vec![row.number.to_string(), day(row.at), row.who.clone(), row.what.clone(), changes]
        })
        .collect();
    setting.output.table(&["CHANGE", "WHEN", "WHO", "WHAT", "CHANGED"], &table)
}

fn day(at: crate::observe::Timestamp) -> String {
    jiff::Timestamp::from_microsecond(at.0)
        .map(|t| t.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string())
        .unwrap_or_else(|_| clock(at))
}

fn change(change: &HistoryChange) -> String {
    let name = &change.name;
    let line = |value: &Option<String>| value.as_deref().map(super::in_one_line);
    match (change.change.as_str(), line(&change.from), line(&change.to)) {
        ("delete", ..) => format!("-{name}"),
        ("create", _, Some(to)) => format!("+{name}={to}"),
        ("create", ..) => format!("+{name}"),
        (_, Some(from), Some(to)) => format!("~{name}={from} -> {to}"),
        _ => format!("~{name}"),
    }
}

/// `env list --delivery ID`
pub(super) async fn ran_with(setting: &Setting, session: &Session, delivery: i64) -> Result<(), CliError> {
    let variables = match session.command(Command::Environment(EnvironmentCommand::RanWith { delivery })).await? {
        Reply::Environment(EnvironmentReply::RanWith { variables, .. }) => variables,
        _ => return Err(CliError::failed("the session answered something else than was asked".into())),
    };
    if setting.output.is_json() {
        return variables.iter().try_for_each(|row| setting.output.object(row));
    }
    let since = |since| match since {
        Since::Same => "as now",
        Since::Changed => "changed since",
        Since::Gone => "gone since",
        Since::Unknown => "a secret",
    };
    let row = |v: &crate::workbench::RanWith| {
        let value = v.value.clone().unwrap_or_else(|| super::MASK.into());
        vec![v.name.clone(), value, if v.secure { "yes" } else { "no" }.into(), since(v.since).into()]
    };
    setting.output.table(&["KEY", "VALUE", "SECURE", "SINCE"], &variables.iter().map(row).collect::<Vec<_>>())
}
