//! What a session can be asked about the local Connect's clock.

use std::time::Duration;

use super::bench::Workbench;
use super::{ClockCommand, ClockReply, Reply, WaitingRow, WorkbenchError};
use crate::observe::{Fact, Level, Observation, Observer};
use crate::platform::Waiting;

impl Workbench {
    /// Carries out a command about the clock.
    pub(super) fn clock(&self, command: &ClockCommand) -> Result<Reply, WorkbenchError> {
        match command {
            ClockCommand::Forward { seconds } => {
                let came = self.local()?.platform.fast_forward(Duration::from_secs(*seconds));
                let message = format!("the clock was put forward by {seconds} s: {came} came due");
                self.0.journal.observe(Observation::now(Fact::Log { level: Level::Info, target: "platform".into(), message }));
                Ok(Reply::Clock(ClockReply::Forwarded { came, tasks: self.waiting_rows()? }))
            }
        }
    }

    /// The tasks that come again by themselves.
    pub(super) fn waiting_rows(&self) -> Result<Vec<WaitingRow>, WorkbenchError> {
        let row = |task: Waiting| WaitingRow {
            task_id: task.task_id,
            object_id: task.object_id,
            event_type: task.event_type,
            due: task.due,
        };
        Ok(self.local()?.platform.waiting().into_iter().map(row).collect())
    }
}
