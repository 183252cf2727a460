//! Deliveries run again: what a replay needs is read back from the journal, so that it works long after the object has
//! moved on in Connect.

mod capture;

pub use capture::{Capture, ReplayError};
