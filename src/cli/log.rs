//! What is said through `tracing`: inside a handler it is a log row of its delivery, with `-v` everything also goes to a
//! file.

use std::fmt::{Debug, Write};
use std::path::Path;

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Registry};

use super::CliError;
use crate::observe::{Level, Scope};

/// Listens to `tracing` for the rest of the process; with a directory also into `connect-console.log` there.
pub(super) fn listen(log_in: Option<&Path>) -> Result<(), CliError> {
    let file = log_in.map(|dir| {
        let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("connect_console=debug,info"));
        tracing_subscriber::fmt::layer()
            .with_ansi(false)
            .with_writer(tracing_appender::rolling::never(dir, "connect-console.log"))
            .with_filter(filter)
    });
    Registry::default()
        .with(Rows.with_filter(LevelFilter::INFO))
        .with(file)
        .try_init()
        .map_err(|e| CliError::failed(format!("no log can be kept: {e}")))
}

/// Turns what an extension says inside a step into log rows of its delivery.
struct Rows;

impl<S: Subscriber> Layer<S> for Rows {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let Some(scope) = Scope::current() else { return };
        let level = match *event.metadata().level() {
            tracing::Level::ERROR => Level::Error,
            tracing::Level::WARN => Level::Warning,
            tracing::Level::INFO => Level::Info,
            _ => Level::Debug,
        };
        let mut line = Line::default();
        event.record(&mut line);
        scope.log(level, event.metadata().target(), line.message + &line.fields);
    }
}

/// An event's message, and its other fields behind it.
#[derive(Default)]
struct Line {
    message: String,
    fields: String,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        // Writing to a text does not fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::observe::{DeliveryKey, Fact, Memory, StepKind, StepOutcome};

    #[tokio::test]
    async fn what_a_handler_says_through_tracing_is_a_log_row_of_its_step() {
        let memory = Arc::new(Memory::default());
        let scope = Scope::new(memory.clone()).delivery(DeliveryKey::random());
        let _guard = Registry::default().with(Rows.with_filter(LevelFilter::INFO)).set_default();
        tracing::info!("outside of any step: nobody's row");
        let step = scope.step(StepKind::Handler, "handler", None);
        step.run(async {
            tracing::warn!(seats = 3, "too few");
            tracing::debug!("not interesting enough");
        })
        .await;
        step.end(StepOutcome::Done, None, None);
        let rows: Vec<_> = memory
            .seen()
            .into_iter()
            .filter_map(|o| match o.fact {
                Fact::Log { level, message, .. } => Some((o.step, level, message)),
                _ => None,
            })
            .collect();
        assert_eq!(rows, [(1, Level::Warning, "too few seats=3".to_owned())]);
    }
}
