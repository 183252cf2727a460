//! What the local Connect knows: objects, tasks, variables, alarms, its own identity. What is open is held in memory, where
//! the hub and the REST API find it at once; what is done is on disk only, and read when it is asked for. One thread
//! ([`Disk`]) writes, in groups.

mod alarms;
mod cache;
mod disk;
mod objects;
mod schema;
mod search;
mod variables;

pub(crate) use alarms::{Alarm, Alarms};
pub(crate) use disk::{Disk, Held, Write};
pub(crate) use objects::{Objects, json_text};
pub(crate) use schema::{Loaded, open, reader};
pub(crate) use search::{Selected, search, select};
pub use variables::StoredVariable;
pub(crate) use variables::{Variables, check_name, check_value};
