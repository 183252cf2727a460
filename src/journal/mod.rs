//! Observations on disk: an append-only SQLite file, written before anything is shown.
//!
//! The journal is an [`Observer`](crate::observe::Observer): whatever is observed waits in a bounded [queue], is
//! [redacted](redact), [written](writer) together with the [summary](record) of its delivery, and only then announced
//! ([`Journal::news`]). Every pane and every command reads it back through a [`Reader`], from this process or another
//! one; a [`Follower`] in this process that keeps up is given what was just written instead.

mod book;
mod damage;
mod error;
mod feed;
mod filter;
mod marks;
mod metrics;
mod queue;
mod reader;
mod record;
pub mod redact;
mod retention;
mod row;
mod schema;
mod search;
mod summary;
mod texts;
mod window;
mod writer;
mod writes;

pub use book::Journal;
pub use damage::Mended;
pub use error::JournalError;
pub use feed::Follower;
pub use filter::{Column, DeliveryFilter, FilterError, Moment, Op, Term};
pub use metrics::{Bucket, Metrics};
pub use reader::Reader;
pub use redact::Redactor;
pub(crate) use redact::{has_placeholder, placeholder};
pub use retention::{Retention, Usage};
pub use row::{DeliveryRow, DeliveryState, Gap, LogRow, ObservationRow};
pub use search::Found;
pub use window::{LogFilter, Window};
pub use writes::DocumentWrite;
