//! One developer's session: starts, joins and stops the local Connect, the sandbox, the runtime and the journal around
//! an extension. [`Command`]s go in, everything that happens comes out of the journal.
//!
//! The console and the command line use the same commands, whether the session runs in this process or in another one.

mod command;

pub use command::{
    Command, Delivered, Endpoint, Found, LinkStatus, Reply, Status, VariableChange, VariableRow, VariableState, WorkbenchError,
};
