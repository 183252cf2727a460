use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
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
const REST_BUSY: u32 = 9;
/// News is waited for so long to come together.
const GATHER: Duration = Duration::from_millis(250);
/// After an error of the disk.
const TROUBLE: Duration = Duration::from_secs(10);

/// Keeps the index up to what is written, beside the writer and never in its way.
pub(in crate::journal) struct Keeper {
    bell: Arc<Bell>,
    thread: Option<JoinHandle<()>>,
}

impl Keeper {
    /// Starts it. Whoever writes to the file holds `writing`.
    pub(in crate::journal) fn start(dir: &Path, writing: Arc<Mutex<()>>) -> Result<Self, JournalError> {
        let conn = schema::open_beside(dir)?;
        let bell = Arc::new(Bell::default());
        let thread = std::thread::Builder::new()
            .name("journal-texts".into())
            .spawn({
                let (dir, bell) = (dir.to_owned(), Arc::clone(&bell));
                // That it is over is no error.
                move || drop(work(&dir, conn, &writing, &bell))
            })
            .map_err(|source| JournalError::Create { path: dir.into(), source })?;
        Ok(Self { bell, thread: Some(thread) })
    }

    /// Says that something was written, and whether the writer is pressed for time: then this one stands back. What is not in
    /// the index yet is searched by reading.
    pub(in crate::journal) fn tell(&self, pressed: bool) {
        self.bell.ring(pressed);
    }
}

impl Drop for Keeper {
    /// Ends it: it is in the middle of nothing that can't be left.
    fn drop(&mut self) {
        self.bell.end();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What the keeper waits for. It is rung with every batch, so only who waits for that is woken.
#[derive(Default)]
struct Bell {
    heard: Mutex<Heard>,
    changed: Condvar,
}

#[derive(Default)]
struct Heard {
    came: Came,
    waiting: bool,
    over: bool,
}

/// What was heard since the last rest.
#[derive(Default)]
struct Came {
    /// Something was written.
    news: bool,
    /// So much that the writer should be alone.
    pressed: bool,
}

/// The session is over.
struct Over;

impl Bell {
    fn ring(&self, pressed: bool) {
        let mut heard = self.lock();
        heard.came = Came { news: true, pressed: heard.came.pressed || pressed };
        if heard.waiting {
            self.changed.notify_one();
        }
    }

    fn end(&self) {
        self.lock().over = true;
        self.changed.notify_one();
    }

    /// Rests; says what came since the last rest.
    fn rest(&self, time: Duration) -> Result<Came, Over> {
        let rested = self.changed.wait_timeout_while(self.lock(), time, |heard| !heard.over);
        let (mut heard, _) = rested.unwrap_or_else(PoisonError::into_inner);
        if heard.over { Err(Over) } else { Ok(std::mem::take(&mut heard.came)) }
    }

    /// Waits until something was written, and a little for more.
    fn until_news(&self) -> Result<(), Over> {
        let mut heard = self.lock();
        heard.waiting = true;
        let mut heard =
            self.changed.wait_while(heard, |heard| !heard.came.news && !heard.over).unwrap_or_else(PoisonError::into_inner);
        heard.waiting = false;
        drop(heard);
        self.rest(GATHER).and_then(|came| self.stand_back(came))
    }

    /// Rests on while the writer is pressed for time.
    fn stand_back(&self, mut came: Came) -> Result<(), Over> {
        while came.pressed {
            came = self.rest(GATHER)?;
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn work(dir: &Path, conn: Connection, writing: &Mutex<()>, bell: &Bell) -> Result<(), Over> {
    bell.rest(START)?;
    let Ok(mut builder) = Builder::new(conn) else { return Ok(()) };
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
                let mut came = bell.rest(spell * REST_IDLE)?;
                if came.news {
                    let more = bell.rest(spell * (REST_BUSY - REST_IDLE))?;
                    came.pressed |= more.pressed;
                }
                bell.stand_back(came)?;
            }
            Ok(false) => bell.until_news()?,
            Err(error) if damage::is_damage(&error) => {
                // Its own tables or the rows: the next session looks at every page, and mends them.
                damage::note(dir);
                return Ok(());
            }
            Err(_) => bell.rest(TROUBLE).map(drop)?,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_is_pressed_for_time_once_between_two_rests_was_pressed() {
        let bell = Bell::default();
        bell.ring(true);
        bell.ring(false);
        let Ok(came) = bell.rest(Duration::ZERO) else { panic!("it is not over") };
        assert!(came.news && came.pressed);
        let Ok(nothing) = bell.rest(Duration::ZERO) else { panic!("it is not over") };
        assert!(!nothing.news && !nothing.pressed);
        assert!(bell.stand_back(nothing).is_ok());
        bell.end();
        assert!(bell.stand_back(came).is_err(), "who stands back hears the end");
    }
}
