//! Observations on disk: an append-only SQLite file, written before anything is shown.
//!
//! The journal is an [`Observer`](crate::observe::Observer): whatever is observed waits in a bounded [queue], is
//! [redacted](redact), [written](writer) together with the [summary](record) of its delivery, and only then announced
//! ([`Journal::news`]). Every pane and every command reads it back through a [`Reader`], from this process or another
//! one.

mod book;
mod error;
mod queue;
mod reader;
mod record;
pub mod redact;
mod row;
mod schema;
mod window;
mod writer;

pub use book::Journal;
pub use error::JournalError;
pub use reader::Reader;
pub use redact::Redactor;
pub use row::{DeliveryFilter, DeliveryRow, DeliveryState, LogRow, ObservationRow};
pub use window::{LogFilter, Window};
