//! What the console needs from a session: commands in, the journal out. Nothing else reaches it from outside.

use async_trait::async_trait;
use tokio::sync::watch;

use super::state::Span;
use crate::journal::{DeliveryFilter, DeliveryRow, JournalError, LogFilter, LogRow, ObservationRow, Reader, Window};
use crate::workbench::{Command, Reply, Session, WorkbenchError};

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
    fn deliveries(&self, filter: &DeliveryFilter, span: Span, limit: usize) -> Result<Vec<DeliveryRow>, JournalError> {
        match span {
            Span::Tail => Reader::deliveries(self, filter, &Window::newest(limit)),
            Span::Start => Reader::deliveries(self, filter, &Window::after(0, limit)),
            Span::Around(id) => {
                let mut rows = Reader::deliveries(self, filter, &Window::before(id, limit / 2))?;
                rows.extend(Reader::deliveries(self, filter, &Window::after(id - 1, limit - limit / 2))?);
                Ok(rows)
            }
        }
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

    fn logs(&self, limit: usize) -> Result<Vec<LogRow>, JournalError> {
        Reader::logs(self, &LogFilter::default(), limit)
    }
}

/// The journal, read by a thread of its own: these block.
pub(crate) trait Reading: Send {
    /// A stretch of at most `limit` deliveries, oldest first.
    fn deliveries(&self, filter: &DeliveryFilter, span: Span, limit: usize) -> Result<Vec<DeliveryRow>, JournalError>;
    /// How many there are.
    fn count(&self, filter: &DeliveryFilter) -> Result<usize, JournalError>;
    /// One delivery.
    fn delivery(&self, id: i64) -> Result<Option<DeliveryRow>, JournalError>;
    /// All that was seen of it.
    fn observations(&self, delivery: i64) -> Result<Vec<ObservationRow>, JournalError>;
    /// The newest log lines, oldest first.
    fn logs(&self, limit: usize) -> Result<Vec<LogRow>, JournalError>;
}
