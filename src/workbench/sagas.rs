//! Breakpoints and faults: what a developer asks for, on the controls all scopes of the session have.

use super::bench::Workbench;
use super::{HeldRow, Reply, SagaCommand, SagaReply, WorkbenchError};
use crate::journal::Journal;
use crate::observe::control::{Fault, Held, LATEST, Place, Set};
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
                self.can_be_stopped(&place)?;
                controls.stop_before(place);
            }
            SagaCommand::Spoil { place, fault } => {
                self.can_be_stopped(&place)?;
                not_too_late(&fault)?;
                controls.spoil(place, fault);
            }
            SagaCommand::SpoilWrite { backend } => {
                self.is_traced()?;
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
            untraced: self.0.runner.untraced().map(str::to_owned),
        }))
    }

    /// Nothing that is set can strike where no step is seen.
    fn is_traced(&self) -> Result<(), WorkbenchError> {
        self.0.runner.untraced().map_or(Ok(()), |why| {
            Err(WorkbenchError::Usage(format!("no step of a saga is seen here, so that nothing could stop or fail: {why}")))
        })
    }

    fn can_be_stopped(&self, place: &Place) -> Result<(), WorkbenchError> {
        self.is_traced()?;
        is_a_place(place)
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

fn is_a_place(place: &Place) -> Result<(), WorkbenchError> {
    if place.name.as_ref().is_some_and(|name| name.trim().is_empty()) {
        return Err(WorkbenchError::Usage(
            "a step with an empty name is never run: name the transaction or the step, or leave the name out for every one"
                .into(),
        ));
    }
    match place.step_kind {
        Some(kind) if !kind.can_be_stopped() => Err(WorkbenchError::Usage(format!(
            "nothing stops before a {kind}: a breakpoint or a fault is set on should_execute, execute or compensate"
        ))),
        _ => Ok(()),
    }
}

fn not_too_late(fault: &Fault) -> Result<(), WorkbenchError> {
    match fault {
        Fault::Late { millis } if *millis > LATEST => {
            Err(WorkbenchError::Usage(format!("a step can be {LATEST} ms late at most, which is a day; {millis} ms are more")))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::StepKind;

    #[test]
    fn a_place_without_a_name_is_every_step_and_one_with_an_empty_name_is_none() {
        let place = |name: Option<&str>| Place { step_kind: Some(StepKind::Execute), name: name.map(Into::into) };
        assert!(is_a_place(&place(None)).is_ok() && is_a_place(&place(Some("pay"))).is_ok());
        for empty in ["", "  "] {
            let refused = is_a_place(&place(Some(empty))).unwrap_err().to_string();
            assert!(refused.contains("leave the name out"), "{refused}");
        }
        assert!(is_a_place(&Place { step_kind: Some(StepKind::Handler), name: None }).is_err());
    }

    #[test]
    fn a_step_is_late_by_a_day_at_most() {
        assert!(not_too_late(&Fault::Late { millis: LATEST }).is_ok() && not_too_late(&Fault::Hang).is_ok());
        let refused = not_too_late(&Fault::Late { millis: 9_999_999_999_999_999 }).unwrap_err().to_string();
        assert!(refused.contains("86400000 ms"), "{refused}");
    }
}
