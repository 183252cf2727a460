use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// When entries are over: the time to live of an adapter, and a clock, which tests put forward.
#[derive(Clone)]
pub(super) struct Expiry {
    ttl: Duration,
    clock: Arc<dyn Fn() -> SystemTime + Send + Sync>,
}

impl Expiry {
    pub(super) fn new(ttl: Duration) -> Self {
        Self { ttl, clock: Arc::new(SystemTime::now) }
    }

    #[cfg(test)]
    pub(super) fn with_clock(ttl: Duration, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        Self { ttl, clock: Arc::new(clock) }
    }

    /// Now, in milliseconds since 1970.
    pub(super) fn now(&self) -> i64 {
        millis((self.clock)().duration_since(UNIX_EPOCH).unwrap_or_default())
    }

    /// When an entry is over that is put now.
    pub(super) fn of(&self, ttl: Option<Duration>) -> i64 {
        self.now().saturating_add(millis(ttl.unwrap_or(self.ttl)))
    }

    pub(super) fn is_over(&self, expires_at: i64) -> bool {
        self.now() >= expires_at
    }
}

impl fmt::Debug for Expiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Expiry").field("ttl", &self.ttl).finish_non_exhaustive()
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
