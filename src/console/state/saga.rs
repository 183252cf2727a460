use crate::journal::DeliveryRow;

/// What became of a transaction in one delivery; times in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cell {
    NotAsked,
    No,
    Yes,
    Running,
    Executed(u64),
    Failed(u64),
    Compensated(u64),
    NotCompensated(u64),
}

/// One delivery of the request.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SagaColumn {
    pub(crate) delivery: DeliveryRow,
    /// A cell a transaction.
    pub(crate) cells: Vec<Cell>,
}

/// The saga of one request across its deliveries.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Saga {
    pub(crate) object_id: String,
    /// In declared order, as far as it is known.
    pub(crate) transactions: Vec<String>,
    /// Oldest first.
    pub(crate) columns: Vec<SagaColumn>,
}

impl Saga {
    /// The delivery `by` columns away from one.
    pub(crate) fn beside(&self, id: i64, by: isize) -> Option<i64> {
        let at = self.columns.iter().position(|c| c.delivery.id == id)?;
        self.columns.get(at.checked_add_signed(by)?).map(|c| c.delivery.id)
    }
}
