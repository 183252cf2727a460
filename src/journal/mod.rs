//! Observations on disk: an append-only SQLite file, written before anything is shown.
//!
//! The journal is an [`Observer`](crate::observe::Observer): whatever is observed waits in a bounded [queue], is
//! [redacted](redact), [written](writer) together with the [summary](record) of its delivery, and only then announced
//! ([`Journal::news`]). Every pane and every command reads it back through a [`Reader`], from this process or another
//! one; a [`Follower`] in this process that keeps up is given what was just written instead.

mod book;
mod error;
mod feed;
mod queue;
mod reader;
mod record;
pub mod redact;
mod row;
mod schema;
mod summary;
mod window;
mod writer;
mod writes;

pub use book::Journal;
pub use error::JournalError;
pub use feed::Follower;
pub use reader::Reader;
pub use redact::Redactor;
pub use row::{DeliveryFilter, DeliveryRow, DeliveryState, LogRow, ObservationRow};
pub use window::{LogFilter, Window};
pub use writes::DocumentWrite;
