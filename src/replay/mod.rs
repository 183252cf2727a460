//! Deliveries run again, compared, and made into tests.
//!
//! A [`Recorded`] is everything the journal holds of a delivery: the task, the answers of the API, the variables in force,
//! the extension that ran; also a readable file. A [`Capture`] is what of it is needed to run it again. What came of a run
//! is an [`Outcome`]; two of them are [compared](compare) by [`Rules`] that know what differs from run to run. A
//! [`Case`] is a recording with the outcome that is expected of it, as a directory of a repository.

mod capture;
mod case;
mod compare;
mod normal;
mod outcome;
mod recorded;

pub use capture::{Capture, ReplayError};
pub use case::{Case, CaseError, Expected};
pub use compare::{Difference, compare};
pub use normal::Rules;
pub use outcome::{Call, Outcome, Write, unrecorded};
pub use recorded::{FileError, Recorded};
