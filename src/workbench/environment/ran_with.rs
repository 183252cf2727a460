//! Which values a delivery ran with: those of the last configuration the runtime took over before it.

use super::{EnvironmentReply, Reply, Workbench, WorkbenchError};
use crate::observe::{Fact, SeenVariable};
use crate::workbench::{RanWith, Since};

impl Workbench {
    pub(super) async fn ran_with(&self, delivery: i64) -> Result<Reply, WorkbenchError> {
        let failed = |e: crate::journal::JournalError| WorkbenchError::Failed(e.to_string());
        let reader = self.0.journal.reader().map_err(failed)?;
        let unknown = || WorkbenchError::Usage(format!("there is no delivery {delivery}; `events list` shows all of them"));
        let first = reader.observations_after(delivery, 0, 1).map_err(failed)?.into_iter().next().ok_or_else(unknown)?;
        let configured = reader.configured_before(first.row).map_err(failed)?;
        let Some((at, Fact::Configured { variables, .. })) = configured.map(|row| (row.observation.at, row.observation.fact))
        else {
            return Err(WorkbenchError::Failed(format!("what delivery {delivery} ran with was not recorded")));
        };
        let live = self.0.runner.variables();
        let redactor = self.0.journal.redactor();
        let row = |then: &SeenVariable| {
            let now = live.iter().find(|v| v.name == then.name);
            let secure = then.secure || now.is_some_and(|v| v.secure);
            let since = match now {
                None => Since::Gone,
                // What is on disk of a secret says nothing about its value.
                Some(_) if secure => Since::Unknown,
                // The value as the disk has it: a secret may be part of one that is none.
                Some(now) if redactor.text(&now.value) == then.value => Since::Same,
                Some(_) => Since::Changed,
            };
            RanWith { name: then.name.clone(), value: (!secure).then(|| then.value.clone()), secure, since }
        };
        let mut variables: Vec<_> = variables.iter().map(row).collect();
        variables.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Reply::Environment(EnvironmentReply::RanWith { at, variables }))
    }
}
