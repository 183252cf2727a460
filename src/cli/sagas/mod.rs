//! `sagas`: what became of requests with a saga, step by step; and breakpoints and faults in a running session.

mod args;
mod controls;
mod list;
mod show;

pub(super) use args::Sagas;

use super::{CliError, Setting};
use crate::journal::Reader;
use crate::sagas::Trace;

/// `sagas VERB`
pub(super) async fn sagas(setting: Setting, verb: Sagas) -> Result<(), CliError> {
    match verb {
        Sagas::List { object, limit } => list::list(&setting, object, limit),
        Sagas::Show { id, otlp } => show::show(&setting, id, otlp).await,
        Sagas::Diff { a, b } => show::diff(&setting, a, b),
        other => controls::act(&setting, other).await,
    }
}

fn missing(id: i64) -> CliError {
    CliError::usage(format!("there is no delivery {id}; `sagas list` shows which there are"))
}

fn read(setting: &Setting, id: i64) -> Result<(Reader, Trace), CliError> {
    let reader = setting.reader()?.ok_or_else(|| missing(id))?;
    let row = reader.delivery(id)?.ok_or_else(|| missing(id))?;
    let rows = reader.observations(id)?;
    Ok((reader, Trace::of(row, rows)))
}
