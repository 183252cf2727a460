//! The WebSocket hub: runners come in, say what they subscribe to, get tasks and hand results in.
//!
//! [`socket`] moves frames, [`handshake`] answers setup requests, [`dispatch`] decides who gets a task and when again,
//! [`results`] takes answers, [`runners`] knows who is there, [`capabilities`] what the extension can do.

mod capabilities;
pub(crate) mod dispatch;
mod handshake;
mod results;
mod runners;
pub(crate) mod socket;

pub(crate) use capabilities::Capabilities;
pub(crate) use handshake::Configuration;
pub use runners::{Connection, RunnerType};
pub(crate) use runners::{Outgoing, Runner, Runners};
