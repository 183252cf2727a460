use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;

use super::{Cache, CacheError};

/// No cache: nothing is kept, everything is computed each time.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoCache;

#[async_trait]
impl Cache for NoCache {
    fn driver(&self) -> &str {
        "none"
    }

    async fn get(&self, _: &str, _: Option<Duration>) -> Result<Option<Value>, CacheError> {
        Ok(None)
    }

    async fn put(&self, _: &str, _: Value, _: Option<Duration>) -> Result<(), CacheError> {
        Ok(())
    }

    async fn delete(&self, _: &str) -> Result<(), CacheError> {
        Ok(())
    }

    async fn flush(&self) -> Result<(), CacheError> {
        Ok(())
    }

    async fn flush_expired(&self) -> Result<(), CacheError> {
        Ok(())
    }
}
