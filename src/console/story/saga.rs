use super::super::state::{Cell, Saga, SagaColumn};
use crate::journal::{DeliveryRow, ObservationRow};
use crate::observe::{Fact, StepKind, StepOutcome};

/// The saga of a request: what each transaction came to in each delivery, oldest first.
pub(crate) fn saga(object_id: String, deliveries: Vec<(DeliveryRow, Vec<ObservationRow>)>) -> Saga {
    let told: Vec<_> = deliveries.into_iter().map(|(delivery, rows)| (delivery, cells(&rows))).collect();
    // A selection asks in the declared order and stops at the first that should execute, so who asked the most knows the
    // most of that order.
    let mut transactions: Vec<String> = Vec::new();
    let mut by_length: Vec<_> = told.iter().map(|(_, cells)| cells).collect();
    by_length.sort_by_key(|cells| std::cmp::Reverse(cells.len()));
    for (name, _) in by_length.into_iter().flatten() {
        if !transactions.contains(name) {
            transactions.push(name.clone());
        }
    }
    let column = |(delivery, cells): (DeliveryRow, Vec<(String, Cell)>)| {
        let cell = |name: &String| cells.iter().find(|(n, _)| n == name).map_or(Cell::NotAsked, |(_, cell)| *cell);
        SagaColumn { cells: transactions.iter().map(cell).collect(), delivery }
    };
    let columns = told.into_iter().map(column).collect();
    Saga { object_id, transactions, columns }
}

/// The transactions a delivery asked, in that order, and what became of each.
fn cells(rows: &[ObservationRow]) -> Vec<(String, Cell)> {
    let mut cells: Vec<(String, Cell)> = Vec::new();
    let mut steps = std::collections::HashMap::new();
    for row in rows {
        let step = row.observation.step;
        match &row.observation.fact {
            Fact::StepStarted { step_kind, name, .. } => {
                steps.insert(step, (*step_kind, name));
                if matches!(step_kind, StepKind::Execute) {
                    set(&mut cells, name, Cell::Running);
                }
            }
            Fact::StepEnded { outcome, micros, .. } => {
                let Some((kind, name)) = steps.get(&step) else { continue };
                let cell = match (kind, outcome) {
                    (StepKind::Decision, StepOutcome::No) => Cell::No,
                    (StepKind::Decision, StepOutcome::Failed) | (StepKind::Execute, StepOutcome::Failed) => Cell::Failed(*micros),
                    (StepKind::Decision, _) => Cell::Yes,
                    (StepKind::Execute, _) => Cell::Executed(*micros),
                    (StepKind::Compensate, StepOutcome::Failed) => Cell::NotCompensated(*micros),
                    (StepKind::Compensate, _) => Cell::Compensated(*micros),
                    _ => continue,
                };
                set(&mut cells, name, cell);
            }
            _ => {}
        }
    }
    cells
}

fn set(cells: &mut Vec<(String, Cell)>, name: &str, cell: Cell) {
    match cells.iter_mut().find(|(n, _)| n == name) {
        Some((_, old)) => *old = cell,
        None => cells.push((name.to_owned(), cell)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::fixture::{delivery, observations};
    use super::*;

    #[test]
    fn a_row_a_transaction_in_declared_order_and_a_column_a_delivery() {
        let mut first_only = observations(1, false);
        first_only.retain(|row| row.observation.step == 3);
        let deliveries = vec![
            (delivery(1, Some("skip")), first_only),
            (delivery(2, Some("fail")), observations(2, true)),
            (delivery(3, None), Vec::new()),
        ];
        let saga = saga("PR-1".into(), deliveries);
        assert_eq!(saga.transactions, ["AlreadySaved", "SaveRequest"]);
        let cells: Vec<_> = saga.columns.iter().map(|c| c.cells.clone()).collect();
        assert_eq!(cells[0], [Cell::No, Cell::NotAsked]);
        assert_eq!(cells[1], [Cell::No, Cell::Compensated(31_000)]);
        assert_eq!(cells[2], [Cell::NotAsked, Cell::NotAsked]);
    }
}
