use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::bench::Workbench;
use super::control::Caller;
use super::{Command, OpenOptions, Reply, WorkbenchError};
use crate::journal::{Follower, JournalError, Reader};
use crate::observe::LinkState;

/// How often another process's journal is looked at for news.
const LOOK_EVERY: Duration = Duration::from_millis(40);
/// How long a session that is just starting is waited for.
const FIND_WITHIN: Duration = Duration::from_secs(5);

/// A session, in this process or in another one: what the console and the command line work with. Cheap to clone.
#[derive(Clone)]
pub struct Session {
    place: Place,
    data_dir: PathBuf,
    news: watch::Receiver<i64>,
}

#[derive(Clone)]
enum Place {
    Here(Workbench),
    Elsewhere(Caller),
}

impl Session {
    /// Acts in the session that runs in this data directory, or starts one there.
    ///
    /// # Errors
    /// [`WorkbenchError`], in words for the developer.
    pub async fn open(options: OpenOptions) -> Result<Self, WorkbenchError> {
        let data_dir = options.data_dir.clone();
        match Workbench::start(options).await {
            Ok(workbench) => {
                let news = workbench.news();
                Ok(Self { place: Place::Here(workbench), data_dir, news })
            }
            Err(StartError::InUse) => Self::attach(&data_dir).await,
            Err(StartError::Other(error)) => Err(error),
        }
    }

    /// Acts in the session that runs in this data directory.
    ///
    /// # Errors
    /// [`WorkbenchError::Failed`] where none runs or it does not answer.
    pub async fn attach(data_dir: &Path) -> Result<Self, WorkbenchError> {
        let deadline = Instant::now() + FIND_WITHIN;
        let caller = loop {
            match Caller::find(data_dir).await {
                Ok(caller) => break caller,
                Err(error) if Instant::now() > deadline => return Err(error),
                Err(_) => tokio::time::sleep(LOOK_EVERY).await,
            }
        };
        let reader = Reader::open(data_dir).map_err(|e| WorkbenchError::Failed(e.to_string()))?;
        let (tell, news) = watch::channel(reader.last_row().unwrap_or(0));
        tokio::spawn(watch_file(reader, tell));
        Ok(Self { place: Place::Elsewhere(caller), data_dir: data_dir.to_owned(), news })
    }

    /// The session that runs in this data directory, if one does; none is waited for.
    ///
    /// # Errors
    /// [`WorkbenchError::Failed`] where one runs and does not answer.
    pub async fn running(data_dir: &Path) -> Result<Option<Self>, WorkbenchError> {
        if super::control::is_open(data_dir) { Self::attach(data_dir).await.map(Some) } else { Ok(None) }
    }

    /// Has a command carried out.
    ///
    /// # Errors
    /// [`WorkbenchError`], in words for the developer.
    pub async fn command(&self, command: Command) -> Result<Reply, WorkbenchError> {
        match &self.place {
            Place::Here(workbench) => workbench.command(command).await,
            Place::Elsewhere(caller) => {
                let mut reply = caller.call(&command).await;
                if let Ok(Reply::Status(status)) = &mut reply {
                    status.joined = true;
                }
                reply
            }
        }
    }

    /// Waits until the runtime is connected and configured, for as long as `within`: before that, a task has nobody to go
    /// to and no value is live. Whether it is.
    pub async fn connected(&self, within: Duration) -> bool {
        let deadline = tokio::time::Instant::now() + within;
        let mut news = self.news();
        loop {
            news.borrow_and_update();
            if let Ok(Reply::Status(status)) = self.command(Command::Status).await
                && status.link.state == LinkState::Connected
            {
                return true;
            }
            if !matches!(tokio::time::timeout_at(deadline, news.changed()).await, Ok(Ok(()))) {
                return false;
            }
        }
    }

    /// Waits until somebody subscribes to background tasks, until `deadline`. Whether somebody does; nobody is waited for
    /// where a real Connect knows that.
    pub async fn subscribed(&self, deadline: tokio::time::Instant) -> bool {
        let mut news = self.news();
        loop {
            news.borrow_and_update();
            match self.command(Command::EventTypes).await {
                Ok(Reply::EventTypes { types }) if !types.iter().any(|t| t.subscribed && t.category == "background") => {}
                _ => return true,
            }
            if !matches!(tokio::time::timeout_at(deadline.min(soon()), news.changed()).await, Ok(Ok(())))
                && tokio::time::Instant::now() >= deadline
            {
                return false;
            }
        }
    }

    /// A reader of the journal.
    ///
    /// # Errors
    /// [`JournalError`] where it can't be opened.
    pub fn reader(&self) -> Result<Reader, JournalError> {
        Reader::open(&self.data_dir)
    }

    /// Follows the journal row by row, on from row `last`.
    ///
    /// # Errors
    /// [`JournalError`] where it can't be opened.
    pub fn follow(&self, last: i64) -> Result<Follower, JournalError> {
        match &self.place {
            Place::Here(workbench) => workbench.follow(last),
            Place::Elsewhere(_) => Ok(Follower::reading(self.reader()?, self.news(), last)),
        }
    }

    /// The number of the journal's last row: changes whenever there is news.
    #[must_use]
    pub fn news(&self) -> watch::Receiver<i64> {
        self.news.clone()
    }

    /// Whether the session runs in another process and goes on when this one ends.
    #[must_use]
    pub fn is_elsewhere(&self) -> bool {
        matches!(self.place, Place::Elsewhere(_))
    }

    /// Waits until what runs the extension in this process has ended by itself: Connect asked it to stop.
    pub async fn ended(&self) {
        match &self.place {
            Place::Here(workbench) => workbench.ended().await,
            Place::Elsewhere(_) => std::future::pending().await,
        }
    }

    /// Stops the session, if it runs in this process: running handlers get their time, results go out, everything is
    /// on disk when it returns.
    pub async fn close(self) {
        if let Place::Here(workbench) = self.place {
            workbench.stop().await;
        }
    }
}

/// A moment from now: what one looks for need not be news in the journal.
fn soon() -> tokio::time::Instant {
    tokio::time::Instant::now() + LOOK_EVERY
}

/// Why a workbench did not start.
pub(super) enum StartError {
    /// Another process has it.
    InUse,
    /// Something else.
    Other(WorkbenchError),
}

impl From<WorkbenchError> for StartError {
    fn from(error: WorkbenchError) -> Self {
        Self::Other(error)
    }
}

/// Announces what another process writes, until nobody listens any more.
async fn watch_file(reader: Reader, tell: watch::Sender<i64>) {
    let mut every = tokio::time::interval(LOOK_EVERY);
    while !tell.is_closed() {
        every.tick().await;
        if let Ok(row) = reader.last_row() {
            tell.send_if_modified(|last| std::mem::replace(last, row) != row);
        }
    }
}
