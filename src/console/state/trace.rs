use serde_json::Value;

use super::super::text;
use super::super::theme::Pieces;
use super::{Saga, Scroll};
use crate::journal::{DeliveryRow, ObservationRow};
use crate::observe::{Fact, SeenVariable, StepKind};

/// One line of a trace.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TraceLine {
    /// When, in microseconds after the arrival; `None` for the continuation of the line above.
    pub(crate) offset: Option<u64>,
    /// How deep in the steps.
    pub(crate) depth: usize,
    pub(crate) pieces: Pieces,
    /// How long it took, in microseconds.
    pub(crate) micros: Option<u64>,
    /// Whether it is text worth breaking over several rows (a reason, a log line).
    pub(crate) wraps: bool,
    /// When it began after the arrival, if that can be drawn to scale, in microseconds; it lasted `micros`.
    pub(crate) begun: Option<u64>,
    /// The step that begins here.
    pub(crate) step: Option<(StepKind, String)>,
    /// What there is to see of it in detail.
    pub(crate) detail: Option<Value>,
}

impl TraceLine {
    /// A line that goes on with the one above.
    pub(crate) fn below(depth: usize, pieces: Pieces) -> Self {
        Self { offset: None, depth, pieces, micros: None, wraps: true, begun: None, step: None, detail: None }
    }
}

/// The trace of the selected delivery.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    /// Whose trace is shown.
    pub(crate) delivery: Option<DeliveryRow>,
    pub(crate) rows: Vec<ObservationRow>,
    /// The variables it worked with; of a secure one a placeholder.
    pub(crate) variables: Vec<SeenVariable>,
    /// All of its lines.
    pub(crate) all: Vec<TraceLine>,
    /// Those that are shown.
    pub(crate) lines: Vec<TraceLine>,
    /// The words that choose which; it stays when another delivery is looked at.
    pub(crate) filter: String,
    pub(crate) scroll: Scroll,
    /// How many columns are scrolled away at the left.
    pub(crate) shift: usize,
    /// The saga of the request across its deliveries.
    pub(crate) saga: Option<Saga>,
    /// Whether that is shown; without a word of the developer, where there are several deliveries.
    pub(crate) saga_wanted: Option<bool>,
}

impl Trace {
    pub(crate) fn clear(&mut self) {
        let filter = std::mem::take(&mut self.filter);
        *self = Self { saga_wanted: self.saga_wanted, filter, ..Self::default() };
    }

    /// Shows the lines that fit the filter, and the steps they are in.
    pub(crate) fn narrow(&mut self) {
        let fits = |line: &TraceLine| {
            let text: String = line.pieces.iter().map(|p| p.text.as_str()).collect();
            text::has_words(&text, &self.filter)
        };
        let mut shown: Vec<bool> = self.all.iter().map(fits).collect();
        // From the last to the first: a line is kept for those below it that are deeper.
        let mut depth = 0;
        for (line, shown) in self.all.iter().zip(&mut shown).rev() {
            *shown |= line.depth < depth && line.step.is_some();
            depth = if *shown { line.depth } else { depth.min(line.depth + 1) };
        }
        self.lines = self.all.iter().zip(shown).filter(|(_, shown)| *shown).map(|(line, _)| line.clone()).collect();
        self.scroll.clamp(self.lines.len());
    }

    /// The saga, if it is to be shown with the trace.
    pub(crate) fn grid(&self) -> Option<&Saga> {
        let saga = self.saga.as_ref().filter(|s| self.delivery.as_ref().is_some_and(|d| d.object_id == s.object_id))?;
        self.saga_wanted.unwrap_or(saga.columns.len() > 1).then_some(saga)
    }

    /// Whether the delivery stood at a breakpoint when it was seen last.
    pub(crate) fn stands(&self) -> bool {
        let step = |row: &ObservationRow| match &row.observation.fact {
            Fact::Held { .. } => Some(true),
            Fact::Released { .. } | Fact::Answered(_) | Fact::Interrupted { .. } | Fact::RunnerGone { .. } => Some(false),
            _ => None,
        };
        self.rows.iter().rev().find_map(step).unwrap_or(false)
    }

    pub(crate) fn selected(&self) -> Option<&TraceLine> {
        self.lines.get(self.scroll.at)
    }
}
