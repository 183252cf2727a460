use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::build::Builder;
use crate::journal::{JournalError, damage, schema};

/// It begins when the session has begun.
const START: Duration = Duration::from_secs(1);
/// How long it reads in one go, and how much longer than that it rests afterwards: while nothing is written, and while
/// something is.
const SPELL: Duration = Duration::from_millis(5);
const REST_IDLE: u32 = 1;
const REST_BUSY: u32 = 4;
/// News is waited for so long to come together.
const GATHER: Duration = Duration::from_millis(250);
/// After an error of the disk.
const TROUBLE: Duration = Duration::from_secs(10);

/// Keeps the index up to what is written, beside the writer and never in its way.
pub(in crate::journal) struct Keeper {
    news: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Keeper {
    /// Starts it. Whoever writes to the file holds `writing`.
    pub(in crate::journal) fn start(dir: &Path, writing: Arc<Mutex<()>>) -> Result<Self, JournalError> {
        let conn = schema::open_beside(dir)?;
        let (news, heard) = sync_channel(1);
        let thread = std::thread::Builder::new()
            .name("journal-texts".into())
            .spawn(move || keep(conn, &writing, &Pace { heard }))
            .map_err(|source| JournalError::Create { path: dir.into(), source })?;
        Ok(Self { news: Some(news), thread: Some(thread) })
    }

    /// Says that something was written.
    pub(in crate::journal) fn tell(&self) {
        if let Some(news) = &self.news {
            // It is told already, or gone: without the index searches take longer, and that is all.
            let _ = news.try_send(());
        }
    }
}

impl Drop for Keeper {
    /// Ends it: it is in the middle of nothing that can't be left.
    fn drop(&mut self) {
        self.news = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// When it works and when it rests.
struct Pace {
    heard: Receiver<()>,
}

/// The session is over.
struct Over;

impl Pace {
    /// Rests; whether something was written meanwhile.
    fn rest(&self, time: Duration) -> Result<bool, Over> {
        let until = Instant::now() + time;
        let mut news = false;
        loop {
            match self.heard.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(()) => news = true,
                Err(RecvTimeoutError::Timeout) => return Ok(news),
                Err(RecvTimeoutError::Disconnected) => return Err(Over),
            }
        }
    }

    fn until_news(&self) -> Result<(), Over> {
        self.heard.recv().map_err(|_| Over)?;
        self.rest(GATHER).map(drop)
    }
}

fn keep(conn: Connection, writing: &Mutex<()>, pace: &Pace) {
    // That it is over is no error.
    let _ = work(conn, writing, pace);
}

fn work(conn: Connection, writing: &Mutex<()>, pace: &Pace) -> Result<(), Over> {
    pace.rest(START)?;
    let Ok(mut builder) = Builder::new(conn) else { return Ok(()) };
    let mut started_over = false;
    loop {
        let begun = Instant::now();
        let done = loop {
            match builder.step(writing) {
                Ok(true) if begun.elapsed() < SPELL => {}
                done => break done,
            }
        };
        match done {
            Ok(true) => {
                let spell = begun.elapsed();
                if pace.rest(spell * REST_IDLE)? {
                    pace.rest(spell * (REST_BUSY - REST_IDLE))?;
                }
            }
            Ok(false) => pace.until_news()?,
            Err(error) if damage::is_damage(&error) && !started_over => {
                started_over = true;
                // Where that can't be done either, the journal itself is damaged, which its writer will find.
                let _ = builder.start_over(writing);
            }
            Err(_) => pace.rest(TROUBLE).map(drop)?,
        }
    }
}
