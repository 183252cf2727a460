use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;

use super::{Cache, CacheError};
use crate::fulfillment::Log;

/// A cache that never fails a task: the first failure of the adapter is an error line, and from then on there is none.
pub(super) struct Guarded {
    adapter: Arc<dyn Cache>,
    broken: AtomicBool,
    log: Log,
}

impl Guarded {
    pub(super) fn new(adapter: Arc<dyn Cache>, log: Log) -> Self {
        Self { adapter, broken: AtomicBool::new(false), log }
    }

    async fn guard<T: Default>(&self, work: impl Future<Output = Result<T, CacheError>>) -> Result<T, CacheError> {
        if self.broken.load(Ordering::Relaxed) {
            return Ok(T::default());
        }
        match work.await {
            Ok(done) => Ok(done),
            // What was kept is read as something else: that is the caller's doing, not the adapter's.
            Err(error @ CacheError::Value { .. }) => Err(error),
            Err(error) => {
                if !self.broken.swap(true, Ordering::Relaxed) {
                    self.log.error(failure(self.adapter.driver(), &error));
                }
                Ok(T::default())
            }
        }
    }
}

/// The line that says there is no cache any more.
pub(super) fn failure(driver: &str, why: &dyn std::fmt::Display) -> String {
    format!("Cache service failure, disabling cache with driver {driver} due to: {why}")
}

#[async_trait]
impl Cache for Guarded {
    fn driver(&self) -> &str {
        if self.broken.load(Ordering::Relaxed) { "none" } else { self.adapter.driver() }
    }

    async fn get(&self, key: &str, renew: Option<Duration>) -> Result<Option<Value>, CacheError> {
        self.guard(self.adapter.get(key, renew)).await
    }

    async fn put(&self, key: &str, value: Value, ttl: Option<Duration>) -> Result<(), CacheError> {
        self.guard(self.adapter.put(key, value, ttl)).await
    }

    async fn delete(&self, key: &str) -> Result<(), CacheError> {
        self.guard(self.adapter.delete(key)).await
    }

    async fn flush(&self) -> Result<(), CacheError> {
        self.guard(self.adapter.flush()).await
    }

    async fn flush_expired(&self) -> Result<(), CacheError> {
        self.guard(self.adapter.flush_expired()).await
    }
}
