//! Observations on disk: an append-only SQLite file, written before anything is shown.
//!
//! The journal is an [`Observer`](crate::observe::Observer): whatever is observed is redacted, written, and only then
//! announced. Every pane and every command reads it back through a [`Reader`], from this process or another one.

mod row;

pub use row::{DeliveryFilter, DeliveryRow, DeliveryState, LogRow, ObservationRow};
