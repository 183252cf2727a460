//! When a call is tried again: as the official client does (network errors and 5xx, three times, a second apart), but
//! without blocking anything, never where repeating could do a thing twice, and with respect for `Retry-After`.

use std::time::Duration;

use rand::Rng;
use reqwest::Method;

/// How often a call is tried at most.
const TRIES: u32 = 4;
/// The pause between two tries.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest `Retry-After` that is waited out; a longer one is an error for the caller to deal with.
const LONGEST: Duration = Duration::from_secs(60);

/// What came of one try.
#[derive(Debug, Clone, Copy)]
pub(super) enum Attempt {
    /// An answer.
    Answered { status: u16, retry_after: Option<Duration> },
    /// None; `connected`: the request may have reached Connect all the same.
    Unanswered { connected: bool },
}

/// How long to wait before the next try; `None` when there should be none.
pub(super) fn pause(method: &Method, attempt: Attempt, tried: u32) -> Option<Duration> {
    if tried >= TRIES {
        return None;
    }
    let harmless = method != Method::POST;
    match attempt {
        Attempt::Unanswered { connected } => (harmless || !connected).then(with_jitter),
        // Refused before anything was done, whatever the method.
        Attempt::Answered { status: 429 | 503, retry_after: Some(pause) } => (pause <= LONGEST).then_some(pause),
        Attempt::Answered { status: 429, .. } => Some(with_jitter()),
        Attempt::Answered { status: 500.., .. } => harmless.then(with_jitter),
        Attempt::Answered { .. } => None,
    }
}

/// The pause, up to a quarter longer, so that many callers don't come back at the same moment.
fn with_jitter() -> Duration {
    PAUSE + PAUSE.mul_f64(rand::rng().random_range(0.0..0.25))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const LOST: Attempt = Attempt::Unanswered { connected: true };
    const NOT_MADE: Attempt = Attempt::Unanswered { connected: false };

    fn status(status: u16) -> Attempt {
        Attempt::Answered { status, retry_after: None }
    }

    #[rstest]
    #[case::lost_get(Method::GET, LOST, true)]
    #[case::lost_post(Method::POST, LOST, false)]
    #[case::post_that_never_left(Method::POST, NOT_MADE, true)]
    #[case::broken_get(Method::GET, status(500), true)]
    #[case::broken_put(Method::PUT, status(502), true)]
    #[case::broken_post(Method::POST, status(500), false)]
    #[case::throttled_post(Method::POST, status(429), true)]
    #[case::not_found(Method::GET, status(404), false)]
    #[case::done(Method::GET, status(200), false)]
    fn a_call_is_repeated_only_where_that_does_no_harm(#[case] method: Method, #[case] attempt: Attempt, #[case] again: bool) {
        assert_eq!(pause(&method, attempt, 1).is_some(), again);
    }

    #[test]
    fn there_are_three_retries_about_a_second_apart() {
        let pauses: Vec<_> = (1..).map_while(|tried| pause(&Method::GET, LOST, tried)).collect();
        assert_eq!(pauses.len(), 3);
        assert!(pauses.iter().all(|p| (1.0..1.25).contains(&p.as_secs_f64())), "{pauses:?}");
    }

    #[test]
    fn retry_after_is_honoured_unless_it_is_longer_than_a_minute() {
        let throttled = |seconds| Attempt::Answered { status: 503, retry_after: Some(Duration::from_secs(seconds)) };
        assert_eq!(pause(&Method::POST, throttled(7), 1), Some(Duration::from_secs(7)));
        assert_eq!(pause(&Method::GET, throttled(3600), 1), None);
    }
}
