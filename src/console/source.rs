//! What the console needs from a session: commands in, the journal out. Nothing else reaches it from outside.

use async_trait::async_trait;
use tokio::sync::watch;

use super::state::Span;
use crate::journal::{DeliveryFilter, DeliveryRow, LogRow, ObservationRow};
use crate::workbench::{Command, Reply, WorkbenchError};

/// A session, as the console sees it.
#[async_trait]
pub(crate) trait Source: Send + Sync + 'static {
    /// Carries out a command.
    async fn command(&self, command: Command) -> Result<Reply, WorkbenchError>;
    /// The last row of the journal, as it rises.
    fn news(&self) -> watch::Receiver<i64>;
    /// A reader of the journal.
    fn reader(&self) -> Result<Box<dyn Reading>, String>;
}

/// The journal, read by a thread of its own: these block.
pub(crate) trait Reading: Send {
    /// A stretch of at most `limit` deliveries, oldest first.
    fn deliveries(&self, filter: &DeliveryFilter, span: Span, limit: usize) -> Result<Vec<DeliveryRow>, String>;
    /// How many there are.
    fn count(&self, filter: &DeliveryFilter) -> Result<usize, String>;
    /// One delivery.
    fn delivery(&self, id: i64) -> Result<Option<DeliveryRow>, String>;
    /// All that was seen of it.
    fn observations(&self, delivery: i64) -> Result<Vec<ObservationRow>, String>;
    /// The newest log lines, oldest first.
    fn logs(&self, limit: usize) -> Result<Vec<LogRow>, String>;
}
