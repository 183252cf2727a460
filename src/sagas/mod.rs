//! What the journal tells of sagas, for reading: the [steps](Trace) of a delivery with what happened in each, what they
//! [changed](changes) in the request, [why](Trace::why) it was skipped or is tried again, how two deliveries
//! [differ](difference), and the same as [spans](otlp) for an OpenTelemetry viewer.

mod change;
mod diff;
mod otlp;
mod steps;
#[cfg(test)]
mod tests;
mod why;

pub use change::{Change, changes};
pub use diff::{Difference, DifferenceRow, difference};
pub use otlp::{Linked, otlp};
pub use steps::{StepTrace, Trace};
