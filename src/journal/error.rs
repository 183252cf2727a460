use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why the journal could not be opened, read or written. The texts are for a developer, as they are.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum JournalError {
    /// The directory or a file in it could not be made.
    #[error("{} cannot be written: {source}; give another directory with --data-dir, or correct its permissions", path.display())]
    Create {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Another process writes this journal.
    #[error(
        "another connect-console{} is using {}: quit it first, or give this one another directory with --data-dir",
        process.map(|id| format!(" (process {id})")).unwrap_or_default(),
        dir.display()
    )]
    InUse {
        /// The directory.
        dir: PathBuf,
        /// Who, where it is known.
        process: Option<u32>,
    },
    /// There is none.
    #[error("there is no journal in {} yet: start connect-console there first, or give another directory with --data-dir", dir.display())]
    Missing {
        /// The directory.
        dir: PathBuf,
    },
    /// It was written by a newer connect-console.
    #[error(
        "{} was written by a newer connect-console (journal version {found}, this one knows {known}): use that one, or give \
         another directory with --data-dir",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The newest one known here.
        known: i64,
    },
    /// It is a database, but somebody else's.
    #[error("{} is not a journal of connect-console: move it away, or give another directory with --data-dir", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// It is damaged. It is left as it is.
    #[error("{} is damaged ({reason}) and was left as it is: the next start of a session sets it aside and takes over what can be read of it", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        reason: String,
    },
    /// One row is not understood.
    #[error("row {row} of the journal is not understood: {source}")]
    Row {
        /// Its number.
        row: i64,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// Observations were lost on the way to the disk.
    #[error("the journal {} could not be written: {reason}", path.display())]
    NotWritten {
        /// The file.
        path: PathBuf,
        /// What happened.
        reason: String,
    },
    /// What says how much is kept can't be read.
    #[error("{} can't be read ({reason}): nothing is taken away until `events retention --size SIZE --age AGE` says anew what stays", path.display())]
    Retention {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// SQLite could not do something else.
    #[error("the journal {} could not be read: {source}", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// What it says.
        source: rusqlite::Error,
    },
}
