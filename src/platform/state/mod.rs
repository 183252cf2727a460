//! What the local Connect knows: objects, variables, tasks, its own identity. Everything is held in memory, where the hub
//! and the REST API find it at once, and written behind by one thread ([`Disk`]) which commits in groups.

mod disk;
mod objects;
mod schema;
mod variables;

pub(crate) use disk::{Disk, Write};
pub(crate) use objects::{Objects, Selected, select};
pub(crate) use schema::open;
pub use variables::StoredVariable;
pub(crate) use variables::{Variables, check_name, check_value};
