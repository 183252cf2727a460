use std::time::Duration;

use rand::Rng;

/// The first pause after a failure that was not the first.
const FIRST: Duration = Duration::from_millis(250);
/// The longest pause.
const LONGEST: Duration = Duration::from_secs(15);
/// A session that lasted this long was a good one.
const GOOD: Duration = Duration::from_secs(2);

/// Pauses between tries to connect: none to speak of before the first, then doubling up to 15 s, each shortened by up
/// to a half at random, so that runners cut off together don't come back together.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// Takes note of a session that was established and lasted so long.
    pub(crate) fn session(&mut self, lasted: Duration) {
        // A peer that lets us in only to drop us is not stormed, but tried at least every second.
        self.failures = if lasted >= GOOD { 0 } else { self.failures.min(2) };
    }

    /// How long to wait now.
    pub(crate) fn pause(&mut self) -> Duration {
        let longest = match self.failures {
            0 => Duration::from_millis(50),
            n => FIRST.saturating_mul(1 << (n - 1).min(10)).min(LONGEST),
        };
        self.failures += 1;
        longest.mul_f64(rand::rng().random_range(0.5..=1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_try_is_quick_and_the_pauses_grow_to_a_cap() {
        let mut backoff = Backoff::default();
        let pauses: Vec<_> = (0..12).map(|_| backoff.pause()).collect();
        assert!(pauses[0] <= Duration::from_millis(50));
        assert!(pauses[1] <= FIRST && pauses[1] >= FIRST / 2);
        assert!(pauses.iter().all(|p| *p <= LONGEST));
        assert!(pauses[11] >= LONGEST / 2);
    }

    #[test]
    fn after_a_good_session_it_begins_anew_and_after_a_bad_one_stays_short() {
        let mut backoff = Backoff::default();
        for _ in 0..10 {
            backoff.pause();
        }
        backoff.session(Duration::from_millis(10));
        assert!(backoff.pause() <= Duration::from_millis(500));
        backoff.session(Duration::from_secs(60));
        assert!(backoff.pause() <= Duration::from_millis(50));
    }
}
