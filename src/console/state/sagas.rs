use crate::journal::DeliveryRow;
use crate::observe::StepKind;
use crate::workbench::{HeldRow, SagaReply};

/// What is known of sagas beyond the one whose trace is shown.
#[derive(Debug, Default)]
pub(crate) struct Sagas {
    /// The breakpoints and faults that are set, and who stands.
    pub(crate) set: SagaReply,
    /// The session's count of their changes when they were asked for.
    pub(crate) as_of: u64,
    /// Requests with a saga, the one delivered last first.
    pub(crate) requests: Vec<SagaRequest>,
    /// The delivery the next one is compared with.
    pub(crate) mark: Option<i64>,
}

/// A request with a saga.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SagaRequest {
    /// Its newest delivery.
    pub(crate) last: DeliveryRow,
    pub(crate) deliveries: usize,
}

impl Sagas {
    /// Where a delivery stands, if it does.
    pub(crate) fn held(&self, delivery: i64) -> Option<&HeldRow> {
        self.set.held.iter().find(|held| held.delivery == Some(delivery))
    }

    /// The number of the breakpoint that stops before a step.
    pub(crate) fn breakpoint(&self, kind: StepKind, name: &str) -> Option<u64> {
        self.set.breakpoints.iter().find(|(_, place)| place.fits(kind, name)).map(|(id, _)| *id)
    }

    /// How much is set.
    pub(crate) fn armed(&self) -> usize {
        self.set.breakpoints.len() + self.set.faults.len() + self.set.writes.len()
    }
}

/// The requests of these deliveries, which come oldest first.
pub(crate) fn requests(deliveries: Vec<DeliveryRow>) -> Vec<SagaRequest> {
    let mut requests: Vec<SagaRequest> = Vec::new();
    for last in deliveries.into_iter().rev() {
        match requests.iter_mut().find(|one| one.last.object_id == last.object_id) {
            Some(request) => request.deliveries += 1,
            None => requests.push(SagaRequest { last, deliveries: 1 }),
        }
    }
    requests
}
