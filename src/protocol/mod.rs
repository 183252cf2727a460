//! The wire messages of the Connect extension protocol; no I/O.
//!
//! The facts were read from the official runner and its core library (`connect-eaas-core` 37.4): version 2 carries
//! `{"version": 2, "message_type", "data": {..., "model_type"}}`, version 1 is the legacy form without `version`.
//! Unknown fields are ignored at every level; all fields of a message are always written, `null` when unset.

mod debug;
mod decode;
mod legacy;
mod lenient;
mod message;
mod quick;

pub(crate) use debug::excerpt;
pub use decode::{DecodeError, decode};
pub use message::{
    Definition, Logging, LoggingMeta, Message, Output, Repository, Schedulable, SetupRequest, SetupResponse, Task, TaskInput,
    TaskOptions, TaskResult, Variable, VariableDeclaration, category,
};
