//! Breakpoints and faults: what a developer asks for, on the controls all scopes of the session have.

use super::bench::Workbench;
use super::{HeldRow, Reply, SagaCommand, SagaReply, WorkbenchError};
use crate::journal::Journal;
use crate::observe::control::{Held, Place, Set};
use crate::observe::{Controls, Observation, Observer, Places};

/// The session's observer: the journal, with what steps in and what is known of places in other processes.
pub(super) struct Watched {
    pub(super) journal: Journal,
    pub(super) controls: Controls,
    pub(super) places: Places,
}

impl Observer for Watched {
    fn observe(&self, mut observation: Observation) {
        self.places.place(&mut observation);
        self.journal.observe(observation);
    }

    fn controls(&self) -> Option<Controls> {
        Some(self.controls.clone())
    }
}

impl Workbench {
    /// Carries out a command about sagas.
    pub(super) async fn sagas(&self, command: SagaCommand) -> Result<Reply, WorkbenchError> {
        let controls = &self.0.controls;
        match command {
            SagaCommand::Show => {}
            SagaCommand::Stop { place } => {
                can_be_stopped(&place)?;
                controls.stop_before(place);
            }
            SagaCommand::Spoil { place, fault } => {
                can_be_stopped(&place)?;
                controls.spoil(place, fault);
            }
            SagaCommand::SpoilWrite { backend } => {
                controls.spoil_write(backend);
            }
            SagaCommand::TakeBack { id } => {
                if !controls.take_back(id) {
                    return Err(WorkbenchError::Usage(format!("nothing of the number {id} is set; `sagas set` shows what is")));
                }
            }
            SagaCommand::Clear => controls.clear(),
            SagaCommand::Release { delivery, how } => {
                let held = self.held(&controls.set()).await?;
                let row = match delivery {
                    Some(id) => held.iter().find(|row| row.delivery == Some(id)),
                    None if held.len() > 1 => {
                        let all: Vec<String> = held.iter().filter_map(|row| row.delivery).map(|id| id.to_string()).collect();
                        return Err(WorkbenchError::Usage(format!("several deliveries stand: say which of {}", all.join(", "))));
                    }
                    None => held.first(),
                };
                if !row.is_some_and(|row| controls.release(row.id, how)) {
                    let which =
                        delivery.map_or_else(|| "no delivery stands".into(), |id| format!("delivery {id} does not stand"));
                    return Err(WorkbenchError::Usage(format!("{which} at a breakpoint; `sagas set` shows which do")));
                }
            }
        }
        let set = controls.set();
        let held = self.held(&set).await?;
        Ok(Reply::Sagas(SagaReply {
            breakpoints: set.breakpoints.into_iter().collect(),
            faults: set.faults.into_iter().map(|(id, (place, fault))| (id, place, fault)).collect(),
            writes: set.writes.into_iter().collect(),
            held,
        }))
    }

    async fn held(&self, set: &Set) -> Result<Vec<HeldRow>, WorkbenchError> {
        if set.held.is_empty() {
            return Ok(Vec::new());
        }
        let failed = |e: crate::journal::JournalError| WorkbenchError::Failed(e.to_string());
        // The journal knows a delivery when it has written its arrival.
        self.0.journal.flush().await.map_err(failed)?;
        let reader = self.0.journal.reader().map_err(failed)?;
        let row = |(id, held): (&u64, &Held)| {
            let delivery = held.delivery.as_ref().and_then(|key| reader.delivery_of_key(key).ok().flatten());
            HeldRow { id: *id, delivery, step_kind: held.step_kind, name: held.name.clone(), since: held.since }
        };
        Ok(set.held.iter().map(row).collect())
    }
}

fn can_be_stopped(place: &Place) -> Result<(), WorkbenchError> {
    match place.step_kind {
        Some(kind) if !kind.can_be_stopped() => Err(WorkbenchError::Usage(format!(
            "nothing stops before a {kind}: a breakpoint or a fault is set on should_execute, execute or compensate"
        ))),
        _ => Ok(()),
    }
}
