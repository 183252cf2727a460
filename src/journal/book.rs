use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::watch;

use super::feed::{Feed, Follower, Tap};
use super::queue::{Queue, WAITING};
use super::writer::{Announcer, Writer};
use super::{JournalError, Mended, Reader, Redactor, Retention, schema};
use crate::observe::{Observation, Observer};

/// The journal of a data directory, opened for writing: only one process can. Cheap to clone; when the last clone is
/// dropped, what is still waiting is written.
///
/// # Promises
/// - What [`news`](Self::news) has announced is on disk, redacted, and outlives this process whatever happens to it.
///   (The machine losing power may cost the last moments.)
/// - No observation is dropped to keep up: [`observe`](Observer::observe) waits while too many wait for the disk.
/// - A disk that cannot be written does not stop the work: what was lost meanwhile is counted, told by
///   [`trouble`](Self::trouble), and is a line of the journal as soon as it can be written again.
#[derive(Clone)]
pub struct Journal(Arc<Inner>);

struct Inner {
    dir: PathBuf,
    redactor: Redactor,
    mended: Option<Mended>,
    retention: Arc<Mutex<Retention>>,
    queue: Arc<Queue<Observation>>,
    feed: Tap,
    news: watch::Receiver<i64>,
    settled: watch::Receiver<u64>,
    trouble: watch::Receiver<Option<String>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Journal {
    /// Opens the journal of a data directory, making both where they do not exist. Deliveries that were being handled
    /// when the last process ended are noted as interrupted.
    ///
    /// # Errors
    /// [`JournalError::InUse`] where another process writes it; [`JournalError::Newer`] and [`JournalError::Foreign`] for a
    /// file that is not for this program, which is left as it is. A damaged one is set aside, and what can be read of it
    /// taken over: see [`mended`](Self::mended).
    pub fn open(dir: &Path) -> Result<Self, JournalError> {
        let redactor = Redactor::new();
        let writer = Writer::open(dir, redactor.clone())?;
        let (mended, retention) = (writer.mended.clone(), Arc::clone(&writer.retention));
        let queue = Arc::new(Queue::new(WAITING));
        let (news, settled, trouble) = (watch::channel(writer.last()), watch::channel(0), watch::channel(None));
        let announcer = Announcer { feed: Feed::new(), news: news.0, settled: settled.0, trouble: trouble.0 };
        let feed = announcer.feed.tap();
        let thread = std::thread::Builder::new()
            .name("journal".into())
            .spawn({
                let queue = Arc::clone(&queue);
                move || {
                    let closing = Closing(&queue);
                    writer.run(&queue, &announcer); // and drops the writer, and with it the lock
                    drop(closing);
                    announcer.settled.send_replace(u64::MAX);
                }
            })
            .map_err(|source| JournalError::Create { path: dir.into(), source })?;
        let (dir, thread) = (dir.to_owned(), Mutex::new(Some(thread)));
        let (news, settled, trouble) = (news.1, settled.1, trouble.1);
        Ok(Self(Arc::new(Inner { dir, redactor, mended, retention, queue, feed, news, settled, trouble, thread })))
    }

    /// A new reader of this journal.
    ///
    /// # Errors
    /// When the file cannot be opened once more.
    pub fn reader(&self) -> Result<Reader, JournalError> {
        Reader::open(&self.0.dir)
    }

    /// Follows it on from row `last`, cheaper than by reading.
    ///
    /// # Errors
    /// When the file cannot be opened once more.
    pub fn follow(&self, last: i64) -> Result<Follower, JournalError> {
        Ok(self.0.feed.follow(self.reader()?, last))
    }

    /// The last row on disk, announced when it is there.
    #[must_use]
    pub fn news(&self) -> watch::Receiver<i64> {
        self.0.news.clone()
    }

    /// What keeps the journal from being written, in a sentence; `None` while nothing does.
    #[must_use]
    pub fn trouble(&self) -> watch::Receiver<Option<String>> {
        self.0.trouble.clone()
    }

    /// What became of the journal that was found here, where it was damaged.
    #[must_use]
    pub fn mended(&self) -> Option<&Mended> {
        self.0.mended.as_ref()
    }

    /// How much is kept from now on, also by the sessions to come.
    ///
    /// # Errors
    /// [`JournalError::Create`] where that can't be kept.
    pub fn set_retention(&self, retention: Retention) -> Result<(), JournalError> {
        retention.save(&self.0.dir)?;
        *self.0.retention.lock().unwrap_or_else(PoisonError::into_inner) = retention;
        Ok(())
    }

    /// What keeps secrets out of it.
    #[must_use]
    pub fn redactor(&self) -> &Redactor {
        &self.0.redactor
    }

    /// Waits until everything observed before is on disk.
    ///
    /// # Errors
    /// [`JournalError::NotWritten`] while the disk cannot be written.
    pub async fn flush(&self) -> Result<(), JournalError> {
        let wanted = self.0.queue.hurry();
        self.settled(wanted).await
    }

    /// Writes what is waiting and gives the directory free. What is observed from now on is not recorded.
    ///
    /// # Errors
    /// [`JournalError::NotWritten`] where the disk could not be written.
    pub async fn close(&self) -> Result<(), JournalError> {
        self.0.queue.close();
        self.settled(u64::MAX).await
    }

    async fn settled(&self, wanted: u64) -> Result<(), JournalError> {
        let mut settled = self.0.settled.clone();
        // The writer says MAX at its very end: it is gone without a word only where it failed.
        let trouble = match settled.wait_for(|settled| *settled >= wanted).await {
            Ok(_) => self.0.trouble.borrow().clone(),
            Err(_) => Some("what writes it has ended; start connect-console again".to_owned()),
        };
        trouble.map_or(Ok(()), |reason| Err(JournalError::NotWritten { path: schema::file(&self.0.dir), reason }))
    }
}

impl Observer for Journal {
    fn observe(&self, observation: Observation) {
        self.0.queue.push(observation);
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal").field("dir", &self.0.dir).finish_non_exhaustive()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.queue.close();
        if let Some(thread) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = thread.join();
        }
    }
}

/// Closes the queue however the writer ends, so that nobody waits for it for ever.
struct Closing<'a>(&'a Queue<Observation>);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}
