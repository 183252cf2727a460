//! What the session was asked and has not answered: each question can be let go, and goes by itself when a newer one takes
//! its place.

use tokio::task::AbortHandle;

use super::message::{Ask, Waited};
use super::state::StoreAsk;

/// The questions under way.
#[derive(Debug, Default)]
pub(crate) struct Working {
    under_way: Vec<(Ask, AbortHandle)>,
}

impl Working {
    /// Takes in what was begun for a question and stops what nobody waits for any more because of it; `queried` is the number of
    /// the query that the storage pane shows.
    pub(crate) fn begin(&mut self, ask: &Ask, work: AbortHandle, queried: u64) {
        self.under_way.retain(|(_, work)| !work.is_finished());
        self.stop_all(|older| replaced(older, ask, queried));
        self.under_way.push((ask.clone(), work));
    }

    /// Stops what is no longer waited for.
    pub(crate) fn stop(&mut self, waited: &Waited) {
        self.stop_all(|ask| waited.means(ask));
    }

    fn stop_all(&mut self, meant: impl Fn(&Ask) -> bool) {
        self.under_way.retain(|(ask, work)| {
            let stops = meant(ask);
            if stops {
                work.abort();
            }
            !stops
        });
    }
}

/// Whether a newer question takes the place of an older one.
fn replaced(older: &Ask, newer: &Ask, queried: u64) -> bool {
    match (older, newer) {
        (Ask::Collections, Ask::Collections) | (Ask::Documents(_), Ask::Documents(_)) => true,
        (Ask::Store(StoreAsk::Count(_)), Ask::Store(StoreAsk::Count(_))) => true,
        // How many match is no longer asked of a query that is no longer shown.
        (Ask::Store(StoreAsk::Count(of)), Ask::Documents(_)) => *of != queried,
        (Ask::Store(older), Ask::Store(newer)) => older.is_look() && newer.is_look(),
        _ => false,
    }
}

impl Waited {
    fn means(&self, ask: &Ask) -> bool {
        match self {
            Self::For(waited) => waited == ask,
            Self::Window => matches!(ask, Ask::Store(look) if look.is_look()),
            Self::Stores => match ask {
                Ask::Collections | Ask::Documents(_) | Ask::Store(StoreAsk::Count(_)) => true,
                Ask::Store(look) => look.is_look(),
                _ => false,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Begins these questions; which of them are stopped when `then` has its way.
    fn stopped(begun: &[Ask], then: impl FnOnce(&mut Working, AbortHandle)) -> Vec<bool> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut working = Working::default();
            let tasks: Vec<_> = begun.iter().map(|_| tokio::spawn(std::future::pending::<()>())).collect();
            for (ask, task) in begun.iter().zip(&tasks) {
                working.begin(ask, task.abort_handle(), 1);
            }
            then(&mut working, tokio::spawn(std::future::pending::<()>()).abort_handle());
            tokio::task::yield_now().await;
            tasks.iter().map(tokio::task::JoinHandle::is_finished).collect()
        })
    }

    #[test]
    fn a_newer_question_takes_the_place_of_an_older_one_of_its_kind_only() {
        let begun =
            [Ask::Collections, Ask::Documents(1), Ask::Store(StoreAsk::Count(1)), Ask::Apply, Ask::Store(StoreAsk::Compare)];
        let after = |ask: Ask, queried| stopped(&begun, |working, work| working.begin(&ask, work, queried));
        assert_eq!(after(Ask::Documents(2), 1), [false, true, false, false, false], "the count is of the same query");
        assert_eq!(after(Ask::Documents(2), 2), [false, true, true, false, false]);
        assert_eq!(after(Ask::Collections, 1), [true, false, false, false, false]);
        assert_eq!(after(Ask::Store(StoreAsk::Databases), 1), [false, false, false, false, true]);
        assert_eq!(after(Ask::Apply, 1), [false; 5], "what changes something is finished");
    }

    #[test]
    fn what_is_let_go_is_stopped_and_nothing_else() {
        let begun = [Ask::Documents(1), Ask::Store(StoreAsk::Count(1)), Ask::Store(StoreAsk::Compare), Ask::Apply];
        let after = |waited: Waited| stopped(&begun, |working, _| working.stop(&waited));
        assert_eq!(after(Waited::Stores), [true, true, true, false]);
        assert_eq!(after(Waited::Window), [false, false, true, false]);
        assert_eq!(after(Waited::For(Ask::Apply)), [false, false, false, true]);
    }
}
