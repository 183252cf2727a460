//! A cache: what was costly to find out is kept for a while, also between tasks.
//!
//! Values are kept as JSON under a text. Each has a time to live, its own or the adapter's; when that is over it is gone.
//! `null` is never kept: to put it is to delete the entry. The trait is asynchronous, although files and SQLite are not:
//! a cache somewhere in the network is one, and nothing here blocks the runtime (the adapters work on its blocking threads).
//!
//! Which adapter is used the variable `CACHE_DRIVER` says ([`CacheProvider`]); a broken one is one line in the log and no
//! cache, never a failed task.
//!
//! ```
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! use connect_console::fulfillment::cache::{Cache, CacheError, Entry, FileCache};
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! # let dir = std::env::temp_dir().join(format!("cache-example-{}", std::process::id()));
//! let cache: Arc<dyn Cache> = Arc::new(FileCache::new(&dir, Duration::from_secs(900)));
//! let ask_for_one = async || Ok::<_, CacheError>(Entry::lasting("t-1".to_owned(), Duration::from_secs(60)));
//! assert_eq!(cache.get_or_else("token", ask_for_one).await?, "t-1");
//! assert_eq!(cache.read::<String>("token").await?.as_deref(), Some("t-1"));
//! # std::fs::remove_dir_all(dir)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod expiry;
mod file;
mod guarded;
mod none;
mod provider;
#[cfg(feature = "cache-sqlite")]
mod sqlite;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use thiserror::Error;

pub use file::FileCache;
pub use none::NoCache;
pub use provider::{CacheProvider, Driver};
#[cfg(feature = "cache-sqlite")]
pub use sqlite::SqliteCache;

/// A cache. Used through `dyn Cache`, which has the typed methods beside these.
#[async_trait]
pub trait Cache: Send + Sync {
    /// What its driver is called: `file`, `none`, ...
    fn driver(&self) -> &str;

    /// The value of a key; `None` when there is none any more. With `renew` an entry that is there lives that long from now.
    async fn get(&self, key: &str, renew: Option<Duration>) -> Result<Option<Value>, CacheError>;

    /// Keeps a value, for `ttl` or for the adapter's own time. A time of nothing is over at once.
    async fn put(&self, key: &str, value: Value, ttl: Option<Duration>) -> Result<(), CacheError>;

    /// Forgets a key; one that is not there is no error.
    async fn delete(&self, key: &str) -> Result<(), CacheError>;

    /// Forgets everything.
    async fn flush(&self) -> Result<(), CacheError>;

    /// Forgets what is over.
    async fn flush_expired(&self) -> Result<(), CacheError>;

    /// Whether there is a value.
    async fn has(&self, key: &str) -> Result<bool, CacheError> {
        Ok(self.get(key, None).await?.is_some())
    }
}

impl dyn Cache + '_ {
    /// The value of a key as a `T`.
    ///
    /// # Errors
    /// [`CacheError`]; also when the value is no `T`.
    pub async fn read<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, CacheError> {
        let Some(value) = self.get(key, None).await? else { return Ok(None) };
        from_json(key, value).map(Some)
    }

    /// Keeps a value of any kind JSON can hold.
    ///
    /// # Errors
    /// [`CacheError`]; also when JSON can't hold the value.
    pub async fn write<T: Serialize>(&self, key: &str, entry: Entry<T>) -> Result<(), CacheError> {
        let Entry { value, ttl } = entry;
        self.put(key, to_json(key, &value)?, ttl).await
    }

    /// The value of a key, or `default`, which is kept from now on.
    ///
    /// # Errors
    /// [`CacheError`].
    pub async fn get_or<T: Serialize + DeserializeOwned>(&self, key: &str, default: Entry<T>) -> Result<T, CacheError> {
        self.get_or_else(key, async move || Ok::<_, CacheError>(default)).await
    }

    /// The value of a key, or what is computed, which is kept from now on for as long as the computation says. A value of
    /// another shape, left there by another version of the extension, is as good as none.
    ///
    /// # Errors
    /// [`CacheError`], and what the computation fails with; nothing is kept then.
    pub async fn get_or_else<T, E>(&self, key: &str, compute: impl AsyncFnOnce() -> Result<Entry<T>, E>) -> Result<T, E>
    where
        T: Serialize + DeserializeOwned,
        E: From<CacheError>,
    {
        if let Some(value) = self.get(key, None).await?.and_then(|value| from_json(key, value).ok()) {
            return Ok(value);
        }
        let Entry { value, ttl } = compute().await?;
        self.put(key, to_json(key, &value)?, ttl).await?;
        Ok(value)
    }
}

/// A value and how long it is to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry<T> {
    value: T,
    ttl: Option<Duration>,
}

impl<T> Entry<T> {
    /// A value for the adapter's own time.
    pub fn new(value: T) -> Self {
        Self { value, ttl: None }
    }

    /// A value for a time of its own.
    pub fn lasting(value: T, ttl: Duration) -> Self {
        Self { value, ttl: Some(ttl) }
    }
}

fn to_json<T: Serialize>(key: &str, value: &T) -> Result<Value, CacheError> {
    serde_json::to_value(value).map_err(|error| CacheError::Value { key: key.into(), reason: error.to_string() })
}

fn from_json<T: DeserializeOwned>(key: &str, value: Value) -> Result<T, CacheError> {
    serde_json::from_value(value).map_err(|error| CacheError::Value { key: key.into(), reason: error.to_string() })
}

/// What went wrong with a cache. No value is ever repeated.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CacheError {
    /// A file or directory of the cache.
    #[error("the cache at {}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// What happened.
        source: std::io::Error,
    },
    /// A value is not of the kind that was asked for, or of none that can be kept.
    #[error("the cached value of `{key}` has another shape: {reason}")]
    Value {
        /// Whose.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The store behind it.
    #[error("the {driver} cache: {reason}")]
    Store {
        /// Which.
        driver: String,
        /// What it said.
        reason: String,
    },
}
