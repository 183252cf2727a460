//! One developer's session: starts, joins and stops the local Connect, the sandbox, the runtime and the journal around
//! an extension. [`Command`]s go in, everything that happens comes out of the journal.
//!
//! The console and the command line use the same commands, whether the session runs in this process or in another one.

mod bench;
mod captures;
mod clock;
mod command;
mod complete;
mod control;
mod documents;
mod editor;
mod environment;
mod host;
mod local;
mod options;
mod paths;
mod runner;
mod runs;
mod sagas;
mod saved;
mod scenario;
mod session;
mod shadow;
pub(crate) mod sound;
mod sources;
mod variables;

pub use crate::exchange::Form;
pub(crate) use command::STOPPED;
pub use command::{
    CaptureCommand, CaptureReply, ClockCommand, ClockReply, CollectionRow, Command, Compared, ComparedRow, Conflict, ConflictRow,
    DatabaseRow, Delivered, Difference, Endpoint, EnvironmentCommand, EnvironmentReply, EventTypeRow, FieldRow, FileFormat,
    Found, HeldRow, HistoryChange, HistoryRow, JobRow, JobState, LinkStatus, RanWith, Reply, RunAgain, RunsCompared, SagaCommand,
    SagaReply, SavedEvent, ScenarioAct, Since, StagePreview, Status, StoreCommand, StoreQuery, StoreReply, StoreTarget,
    VariableChange, VariableRow, VariableState, WaitingRow, WorkbenchError, WriterRow, Written,
};
pub(crate) use complete::{Completed, complete, path};
pub(crate) use editor::Editing;
pub use host::Host;
pub use options::{Connect, OpenOptions, Ports, Source};
pub use paths::data_dir_of;
pub(crate) use paths::{keep, private_dir, recall};
pub use session::Session;
pub(crate) use variables::check as check_variable;
