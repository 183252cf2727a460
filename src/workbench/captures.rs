//! What a session can be asked about captured deliveries: pinned, kept, imported, run again, compared.

use std::path::Path;

use super::bench::{Workbench, usage};
use super::{CaptureCommand, CaptureReply, RunsCompared, SavedEvent, WorkbenchError};
use crate::journal::{DeliveryFilter, DeliveryRow, Retention, Window};
use crate::observe::{DeliveryKey, Fact, Level, Mark, Observation, Observer, Origin, Timestamp};
use crate::replay::Recorded;

impl Workbench {
    pub(super) async fn captures(&self, command: CaptureCommand) -> Result<CaptureReply, WorkbenchError> {
        match command {
            CaptureCommand::Pin { deliveries, pinned } => self.pin(&deliveries, pinned).await,
            CaptureCommand::Usage => self.usage(),
            CaptureCommand::Retain { retention } => self.retain(retention).await,
            CaptureCommand::Import { text, name } => self.import(&text, &name).await,
            CaptureCommand::Run(run) => {
                let (delivered, shadows) = self.run_again(*run).await?;
                Ok(CaptureReply::Started { delivered, shadows })
            }
            CaptureCommand::Compare { before, after, documents } => self.compare(before, after, documents).await,
            CaptureCommand::CompareAndClear { before, after, collections } => {
                let compared = self.compare(before, after, true).await;
                let left = self.left_of(&collections).await;
                match compared? {
                    CaptureReply::Compared(found) => {
                        Ok(CaptureReply::Compared(RunsCompared { notes: [found.notes, left].concat(), ..found }))
                    }
                    other => Ok(other),
                }
            }
            CaptureCommand::Repeated { first, second, collections } => {
                let found = self.repeated(first, second).await;
                let left = self.left_of(&collections).await;
                match found? {
                    CaptureReply::Repeated { repeated, differences, notes } => {
                        Ok(CaptureReply::Repeated { repeated, differences, notes: [notes, left].concat() })
                    }
                    other => Ok(other),
                }
            }
            CaptureCommand::Clear { collections } => self.clear(&collections).await,
            CaptureCommand::SaveEvent { name, event } => {
                // Its file outlives the session, and may be shown: secrets stay out of it, and come back when it is triggered.
                let redactor = self.0.journal.redactor();
                let object = event.object.map(|object| redactor.value(object));
                let set = event.set.iter().map(|(path, value)| (path.clone(), redactor.text(value))).collect();
                self.saved().save(&name, &SavedEvent { object, set, ..event })?;
                Ok(CaptureReply::Saved { events: self.saved().all()? })
            }
            CaptureCommand::SavedEvents => Ok(CaptureReply::Saved { events: self.saved().all()? }),
            CaptureCommand::Hold { hold } => {
                let platform = &self.local()?.platform;
                platform.hold(hold);
                let message = if hold { "deliveries are held" } else { "deliveries go on" };
                self.tell(Level::Info, "platform", message.into());
                Ok(CaptureReply::Held { held: platform.is_held() })
            }
        }
    }

    /// Drops shadow collections, and says what is left of them: that is no reason to keep back what was found in them.
    async fn left_of(&self, collections: &[String]) -> Vec<String> {
        if collections.is_empty() {
            return Vec::new();
        }
        match self.clear(collections).await {
            Ok(CaptureReply::Cleared { notes, .. }) => notes,
            Ok(_) => Vec::new(),
            Err(error) => vec![error.to_string()],
        }
    }

    pub(super) fn tell(&self, level: Level, target: &str, message: String) {
        self.0.journal.observe(Observation::now(Fact::Log { level, target: target.into(), message }));
    }

    pub(super) async fn flush(&self) -> Result<(), WorkbenchError> {
        self.0.journal.flush().await.map_err(|e| WorkbenchError::Failed(e.to_string()))
    }

    pub(super) fn journal_reader(&self) -> Result<crate::journal::Reader, WorkbenchError> {
        self.0.journal.reader().map_err(|e| WorkbenchError::Failed(e.to_string()))
    }

    fn usage(&self) -> Result<CaptureReply, WorkbenchError> {
        let usage = self.journal_reader()?.usage();
        usage.map(CaptureReply::Usage).map_err(|e| WorkbenchError::Failed(e.to_string()))
    }

    async fn pin(&self, deliveries: &[i64], pinned: bool) -> Result<CaptureReply, WorkbenchError> {
        let reader = self.journal_reader()?;
        for id in deliveries {
            let known = reader.delivery(*id).map_err(|e| WorkbenchError::Failed(e.to_string()))?;
            if known.is_none() {
                return Err(usage(&crate::replay::ReplayError::Unknown(*id)));
            }
        }
        for delivery in deliveries {
            self.0.journal.observe(Observation::now(Fact::Pinned { delivery: *delivery, pinned }));
        }
        self.flush().await?;
        self.usage()
    }

    async fn retain(&self, retention: Retention) -> Result<CaptureReply, WorkbenchError> {
        if (1..Retention::LEAST).contains(&retention.bytes) {
            return Err(WorkbenchError::Usage(
                "less than 1MiB would leave next to nothing: give more, or 0 for no limit; nothing was changed".into(),
            ));
        }
        self.0.journal.set_retention(retention).map_err(|e| usage(&e))?;
        let kept = |words: Option<String>| words.map_or_else(|| "no limit".to_owned(), |words| format!("{words} at most"));
        let size = kept((retention.bytes > 0).then(|| format!("{} MiB", retention.bytes >> 20)));
        let age = kept(retention.age());
        self.tell(Level::Info, "journal", format!("retention: size {size}, age {age}"));
        self.flush().await?;
        self.usage()
    }

    /// Takes over what a file holds as a delivery of this journal: redacted once more, with the secrets known here.
    async fn import(&self, text: &str, name: &str) -> Result<CaptureReply, WorkbenchError> {
        let recorded = Recorded::parse(Path::new(name), text).map_err(|e| usage(&e))?;
        let key = DeliveryKey::random();
        let delivery = Some(key);
        let first = recorded.observations.first().map(|seen| seen.observation.at).unwrap_or_default();
        let observe = |at, step, fact| self.0.journal.observe(Observation { at, delivery: delivery.clone(), step, fact });
        if let Some(origin) = origin(&recorded.delivery) {
            let DeliveryRow { task_id, event_type, object_id, .. } = recorded.delivery.clone();
            // As long before it arrived as it was there.
            let waited = recorded.delivery.wait.and_then(|wait| i64::try_from(wait).ok()).unwrap_or_default();
            let at = Timestamp(first.0.saturating_sub(waited));
            let fact = Fact::TaskQueued { task_id, event_type, object_id, origin };
            self.0.journal.observe(Observation { at, delivery: None, step: 0, fact });
        }
        let mut rest = recorded.observations.into_iter().map(|seen| seen.observation);
        // The arrival makes the delivery; what it worked with belongs to it from then on.
        for seen in rest.by_ref() {
            let arrived = matches!(seen.fact, Fact::TaskArrived(_));
            observe(seen.at, seen.step, seen.fact);
            if arrived {
                break;
            }
        }
        if let Ok(extension) = serde_json::from_value::<Fact>(recorded.extension) {
            observe(first, 0, extension);
        }
        let message = "The variables of an imported delivery.".into();
        observe(first, 0, Fact::Configured { message, update: false, variables: recorded.variables });
        rest.for_each(|seen| observe(seen.at, seen.step, seen.fact));
        let task_id = recorded.delivery.task_id;
        // The number of what it replays is one of another journal.
        let replayed = recorded.delivery.replay_of.map(|of| format!(", where it replayed #{of}")).unwrap_or_default();
        let detail = format!("read from {name}{replayed}");
        let had = |mark: &Mark| *mark == Mark::Imported || recorded.delivery.marks.iter().any(|had| had == mark.as_str());
        let marks = Mark::ALL.into_iter().filter(had).collect();
        self.0.journal.observe(Observation::now(Fact::Marked { task_id: task_id.clone(), marks, detail }));
        self.flush().await?;
        let reader = self.journal_reader()?;
        let newest = reader.deliveries(&DeliveryFilter::default(), &Window::newest(50));
        let found = newest.map_err(|e| WorkbenchError::Failed(e.to_string()))?.into_iter().rfind(|row| row.task_id == task_id);
        let delivery = found.ok_or_else(|| WorkbenchError::Failed("the imported delivery is not in the journal".into()))?.id;
        if recorded.delivery.pinned {
            self.0.journal.observe(Observation::now(Fact::Pinned { delivery, pinned: true }));
            self.flush().await?;
        }
        Ok(CaptureReply::Imported { delivery })
    }
}

/// Where an imported delivery came from, as far as that means something here.
fn origin(row: &DeliveryRow) -> Option<Origin> {
    match row.origin.as_deref()? {
        "trigger" => Some(Origin::Trigger),
        "reschedule" => Some(Origin::Reschedule),
        "retry" => Some(Origin::Retry),
        "redelivery" => Some(Origin::Redelivery),
        _ => None,
    }
}
