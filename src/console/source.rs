//! What the console needs from a session: commands in, the journal out. Nothing else reaches it from outside.

use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;

use super::state::Span;
use crate::journal::{
    DeliveryFilter, DeliveryRow, Found, Gap, JournalError, LogFilter, LogRow, Metrics, ObservationRow, Reader, Usage, Window,
};
use crate::observe::{Fact, SeenVariable, Timestamp};
use crate::workbench::{Command, Reply, Session, WorkbenchError};

/// A search that takes longer is broken off and goes on with the next question: what was found is shown, and a filter
/// typed meanwhile is not kept waiting.
const PATIENCE: Duration = Duration::from_millis(40);

/// A session, as the console sees it.
#[async_trait]
pub(crate) trait Source: Send + Sync + 'static {
    /// Carries out a command.
    async fn command(&self, command: Command) -> Result<Reply, WorkbenchError>;
    /// The last row of the journal, as it rises.
    fn news(&self) -> watch::Receiver<i64>;
    /// A reader of the journal.
    fn reader(&self) -> Result<Box<dyn Reading>, JournalError>;
}

#[async_trait]
impl Source for Session {
    async fn command(&self, command: Command) -> Result<Reply, WorkbenchError> {
        Session::command(self, command).await
    }

    fn news(&self) -> watch::Receiver<i64> {
        Session::news(self)
    }

    fn reader(&self) -> Result<Box<dyn Reading>, JournalError> {
        Session::reader(self).map(|reader| Box::new(reader) as Box<dyn Reading>)
    }
}

impl Reading for Reader {
    fn deliveries(&self, filter: &DeliveryFilter, span: Span, limit: usize) -> Result<Found, JournalError> {
        let within = Some(PATIENCE);
        match span {
            Span::Tail => self.search(filter, &Window::newest(limit), within),
            Span::Start => {
                let found = self.search(filter, &Window::after(0, limit), within)?;
                Ok(Found { reached: None, ..found })
            }
            Span::Around(id) => {
                let mut found = self.search(filter, &Window::before(id, limit / 2), within)?;
                found.rows.extend(self.search(filter, &Window::after(id - 1, limit - limit / 2), within)?.rows);
                Ok(found)
            }
        }
    }

    fn earlier(&self, filter: &DeliveryFilter, before: i64, limit: usize) -> Result<Found, JournalError> {
        self.search(filter, &Window::before(before, limit), Some(PATIENCE))
    }

    fn failures(&self) -> Result<usize, JournalError> {
        Reader::failures(self).map(|n| usize::try_from(n).unwrap_or(usize::MAX))
    }

    fn gaps(&self) -> Result<Vec<Gap>, JournalError> {
        Reader::gaps(self, 50)
    }

    fn usage(&self) -> Result<Usage, JournalError> {
        Reader::usage(self)
    }

    fn of_task(&self, task_id: &str) -> Result<Option<DeliveryRow>, JournalError> {
        self.delivery_of_task(task_id)
    }

    fn metrics(&self) -> Result<Vec<Metrics>, JournalError> {
        Reader::metrics(self, Timestamp::now())
    }

    fn variables(&self, row: i64) -> Result<Vec<SeenVariable>, JournalError> {
        let configured = |fact| match fact {
            Fact::Configured { variables, .. } => Some(variables),
            _ => None,
        };
        Ok(self.settings_before(row)?.into_iter().find_map(configured).unwrap_or_default())
    }

    fn count(&self, filter: &DeliveryFilter) -> Result<usize, JournalError> {
        Reader::count(self, filter).map(|n| usize::try_from(n).unwrap_or(usize::MAX))
    }

    fn delivery(&self, id: i64) -> Result<Option<DeliveryRow>, JournalError> {
        Reader::delivery(self, id)
    }

    fn observations(&self, delivery: i64) -> Result<Vec<ObservationRow>, JournalError> {
        Reader::observations(self, delivery)
    }

    fn steps(&self, delivery: i64) -> Result<Vec<ObservationRow>, JournalError> {
        Reader::steps(self, delivery)
    }

    fn logs(&self, filter: &LogFilter, limit: usize) -> Result<Vec<LogRow>, JournalError> {
        Reader::logs(self, filter, limit)
    }
}

/// The journal, read by a thread of its own: these block.
pub(crate) trait Reading: Send {
    /// A stretch of at most `limit` deliveries, oldest first.
    fn deliveries(&self, filter: &DeliveryFilter, span: Span, limit: usize) -> Result<Found, JournalError>;
    /// More of them before a delivery.
    fn earlier(&self, filter: &DeliveryFilter, before: i64, limit: usize) -> Result<Found, JournalError>;
    /// How many failed.
    fn failures(&self) -> Result<usize, JournalError>;
    /// The newest times without a link.
    fn gaps(&self) -> Result<Vec<Gap>, JournalError>;
    /// How full it is.
    fn usage(&self) -> Result<Usage, JournalError>;
    /// The latest delivery of a task.
    fn of_task(&self, task_id: &str) -> Result<Option<DeliveryRow>, JournalError>;
    /// How they went in the last hour, day and week.
    fn metrics(&self) -> Result<Vec<Metrics>, JournalError>;
    /// The variables in force before a row.
    fn variables(&self, row: i64) -> Result<Vec<SeenVariable>, JournalError>;
    /// How many there are.
    fn count(&self, filter: &DeliveryFilter) -> Result<usize, JournalError>;
    /// One delivery.
    fn delivery(&self, id: i64) -> Result<Option<DeliveryRow>, JournalError>;
    /// How the steps of a delivery began and ended.
    fn steps(&self, delivery: i64) -> Result<Vec<ObservationRow>, JournalError>;
    /// All that was seen of it.
    fn observations(&self, delivery: i64) -> Result<Vec<ObservationRow>, JournalError>;
    /// The newest log lines that fit, oldest first.
    fn logs(&self, filter: &LogFilter, limit: usize) -> Result<Vec<LogRow>, JournalError>;
}
