use std::sync::Arc;

use tokio::sync::broadcast::{self, error::RecvError};
use tokio::sync::watch;

use super::queue::WAITING;
use super::{JournalError, ObservationRow, Reader};
use crate::observe::Observation;

/// The row of an observation, and the delivery it belongs to.
pub(super) type Place = (i64, Option<i64>);

/// How many observations are handed on together, and how many such pieces wait for a follower: one that falls further
/// behind reads the journal, which is many times more work. All that waited for the disk may come at once.
const PIECE: usize = 128;
const PIECES: usize = 2 * WAITING / PIECE;
/// How many rows are read at a time.
const READ: usize = 500;

type Rows = Arc<[ObservationRow]>;

/// Hands on what was written, once it is on disk.
#[derive(Debug, Clone)]
pub(super) struct Feed(broadcast::Sender<Rows>);

impl Feed {
    pub(super) fn new() -> Self {
        Self(broadcast::Sender::new(PIECES))
    }

    /// Hands the batch on, if anybody follows: then nothing of it is left.
    pub(super) fn hand_on(&self, batch: &mut Vec<Observation>, places: &[Place]) {
        if self.0.receiver_count() == 0 {
            return;
        }
        let mut rows = batch.drain(..).zip(places).map(|(observation, (row, delivery))| ObservationRow {
            row: *row,
            delivery: *delivery,
            observation: Observation { delivery: None, ..observation },
        });
        loop {
            let piece: Rows = rows.by_ref().take(PIECE).collect();
            if piece.is_empty() {
                return;
            }
            // That nobody listens any more is no harm.
            let _ = self.0.send(piece);
        }
    }

    /// Where to listen. It does not keep the feed alive.
    pub(super) fn tap(&self) -> Tap {
        Tap(self.0.downgrade())
    }
}

/// See [`Feed::tap`].
#[derive(Debug)]
pub(super) struct Tap(broadcast::WeakSender<Rows>);

impl Tap {
    /// Follows on from row `last`.
    pub(super) fn follow(&self, reader: Reader, last: i64) -> Follower {
        let rows = self.0.upgrade().map_or_else(|| broadcast::channel(1).1, |rows| rows.subscribe());
        Follower { source: Source::Written(rows), reader, last }
    }
}

/// Follows a journal row by row, without a gap. In the process that writes it, and as long as it keeps up, it is given
/// what was just written; otherwise it reads. What was written before it began [is read](Self::catch_up) first.
#[derive(Debug)]
pub struct Follower {
    source: Source,
    reader: Reader,
    last: i64,
}

#[derive(Debug)]
enum Source {
    Written(broadcast::Receiver<Rows>),
    News(watch::Receiver<i64>),
}

impl Follower {
    /// Follows on from row `last` the journal that another process writes; `news` changes with its last row.
    #[must_use]
    pub fn reading(reader: Reader, news: watch::Receiver<i64>, last: i64) -> Self {
        Self { source: Source::News(news), reader, last }
    }

    /// Waits for news, and calls `see` with each new row; `false` when there will be no more. Cancel safe.
    ///
    /// # Errors
    /// The error of `see`, or a [`JournalError`] where the file can't be read.
    pub async fn next<E: From<JournalError>>(
        &mut self,
        mut see: impl FnMut(&ObservationRow) -> Result<(), E>,
    ) -> Result<bool, E> {
        let rows = match &mut self.source {
            Source::Written(rows) => match rows.recv().await {
                Ok(rows) => rows,
                Err(RecvError::Lagged(_)) => return self.catch_up(see).map(|_| true),
                Err(RecvError::Closed) => return Ok(false),
            },
            Source::News(news) => match news.changed().await {
                Ok(()) => return self.catch_up(see).map(|_| true),
                Err(_) => return Ok(false),
            },
        };
        if rows.first().is_some_and(|first| first.row > self.last + 1) {
            self.catch_up(&mut see)?;
        }
        for row in rows.iter() {
            if row.row > self.last {
                self.last = row.row;
                see(row)?;
            }
        }
        Ok(true)
    }

    /// Calls `see` with each row that is on disk and was not seen; says whether there was any.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    pub fn catch_up<E: From<JournalError>>(&mut self, mut see: impl FnMut(&ObservationRow) -> Result<(), E>) -> Result<bool, E> {
        let before = self.last;
        loop {
            let rows = self.reader.after(self.last, READ)?;
            for row in &rows {
                self.last = row.row;
                see(row)?;
            }
            if rows.len() < READ {
                return Ok(self.last != before);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Journal;
    use crate::observe::{Fact, Level, Observer};

    fn say(journal: &Journal, number: usize) {
        journal.observe(Observation::now(Fact::Log { level: Level::Info, target: "test".into(), message: number.to_string() }));
    }

    fn message(row: &ObservationRow) -> usize {
        match &row.observation.fact {
            Fact::Log { message, .. } => message.parse().unwrap(),
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn a_follower_sees_every_row_once_whether_it_keeps_up_or_not() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::open(dir.path()).unwrap();
        say(&journal, 0);
        journal.flush().await.unwrap();
        let mut follower = journal.follow(0).unwrap();
        let mut seen = Vec::new();
        let mut see = |row: &ObservationRow| {
            seen.push((row.row, message(row)));
            Ok::<_, JournalError>(())
        };
        follower.catch_up(&mut see).unwrap();
        for number in 1..10 {
            say(&journal, number);
            assert!(follower.next(&mut see).await.unwrap());
        }
        // Far more than is kept for it.
        for number in 10..10_000 {
            say(&journal, number);
        }
        journal.flush().await.unwrap();
        journal.close().await.unwrap();
        while follower.next(&mut see).await.unwrap() {}
        follower.catch_up(&mut see).unwrap();
        let wanted: Vec<(i64, usize)> = (0..10_000).map(|n| (i64::try_from(n).unwrap() + 1, n)).collect();
        assert_eq!(seen, wanted);
        let mut late = journal.follow(9_999).unwrap();
        assert!(!late.next(|_| Ok::<_, JournalError>(())).await.unwrap(), "nothing will be written any more");
    }
}
