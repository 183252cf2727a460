//! Databases, collections and documents in one SQLite file.
//!
//! Every collection is a table of (sequence number, key of the `_id`, BSON). One [`writer`] thread owns the writing
//! connection: it takes all work that waits, runs each piece in a savepoint, commits once with an fsync, and only then
//! lets the answers go: what was acknowledged is on disk. [`readers`] is a pool of read-only connections; WAL lets them
//! read while the writer writes. Nothing here runs on an async thread.

mod catalog;
mod collection;
mod cursor;
mod index;
mod keys;
mod plan;
mod query;
mod readers;
mod sessions;
#[cfg(test)]
mod tests;
mod traits;
mod upgrade;
mod writer;

pub(super) use catalog::{Catalog, Namespace, Source};
pub(super) use collection::{Collection, check_size};
pub(super) use cursor::{Batch, Cursor, Cursors};
pub(super) use index::Index;
pub(super) use plan::{Hint, Plan};
pub(super) use query::{Deadline, Query};
pub(super) use traits::{Traits, View};
pub(super) use upgrade::with_collation;

use std::path::Path;
use std::sync::Arc;

use rusqlite::Connection;

use super::error::CommandError;
use super::options::SandboxError;
use readers::Readers;
use writer::Writer;

/// The engine; cheap to clone.
#[derive(Clone)]
pub(super) struct Engine {
    writer: Writer,
    readers: Arc<Readers>,
    cursors: Arc<Cursors>,
    sessions: Arc<sessions::Sessions>,
}

impl Engine {
    /// Opens or makes the file. Blocks.
    pub(super) fn open(file: &Path) -> Result<Self, SandboxError> {
        let connection = connect(file)?;
        catalog::prepare(&connection, file)?;
        Ok(Self {
            writer: Writer::start(connection)?,
            readers: Arc::new(Readers::new(file)),
            cursors: Arc::default(),
            sessions: Arc::default(),
        })
    }

    /// Runs `work` on the writer. Its changes are on disk when this returns `Ok`; an `Err` of `work` undoes them.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, CommandError> + Send + 'static,
    ) -> Result<T, CommandError> {
        self.writer.run(work).await
    }

    /// Runs `work` on a reader.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, CommandError> + Send + 'static,
    ) -> Result<T, CommandError> {
        let readers = Arc::clone(&self.readers);
        let done = tokio::task::spawn_blocking(move || readers.run(work)).await;
        done.unwrap_or_else(|error| Err(CommandError::new(super::error::Code::INTERNAL_ERROR, error.to_string())))
    }

    /// The open cursors.
    pub(super) fn cursors(&self) -> &Arc<Cursors> {
        &self.cursors
    }

    /// The sessions clients have used lately.
    pub(super) fn sessions(&self) -> &sessions::Sessions {
        &self.sessions
    }

    /// Ends the writer after what it has to do. Blocks.
    pub(super) fn close(&self) {
        self.writer.close();
    }
}

/// Makes the file its owner's alone; SQLite gives those beside it the same mode. What hinders that, opening it will tell.
fn private(file: &Path) {
    let mut options = std::fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let _ = options.open(file);
}

/// A connection as the writer needs it.
fn connect(file: &Path) -> Result<Connection, SandboxError> {
    private(file);
    let connection = Connection::open(file).map_err(|source| SandboxError::open(file, source))?;
    let set_up = || {
        connection.busy_timeout(std::time::Duration::from_secs(10))?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "cache_size", -16_000)?;
        connection.set_prepared_statement_cache_capacity(128);
        Ok(())
    };
    set_up().map_err(|source| SandboxError::open(file, source))?;
    Ok(connection)
}
