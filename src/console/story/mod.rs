//! What the observations of a delivery, a variable's states or a document say, as lines to read. Knows nothing of the
//! screen but the tones.

mod detail;
mod metrics;
mod saga;
mod step;
mod tabs;
mod trace;
mod variables;

pub(crate) use detail::{copied_line, document, line_detail, log_line};
pub(crate) use metrics::{gauge, metrics};
pub(crate) use saga::saga;
pub(crate) use step::difference;
pub(crate) use tabs::{copied, tabs};
pub(crate) use trace::{level, load, outcome};
pub(crate) use variables::{copied_value, diff, shown, value_of};
