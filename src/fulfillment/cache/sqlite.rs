use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::Value;

use super::expiry::Expiry;
use super::file::{make_dir, private};
use super::{Cache, CacheError};

const SCHEMA: &str =
    "CREATE TABLE IF NOT EXISTS entries (key TEXT PRIMARY KEY, value TEXT NOT NULL, expires_at INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS entries_by_expiry ON entries (expires_at);";

/// One SQLite file for all entries, made when it is needed; several processes may share it. With the feature
/// `cache-sqlite`.
#[derive(Debug, Clone)]
pub struct SqliteCache {
    path: PathBuf,
    wait: Duration,
    expiry: Expiry,
    /// Opened on first use.
    connection: Arc<Mutex<Option<Connection>>>,
}

impl SqliteCache {
    /// A cache in `<dir>/<name>.sqlite`, whose entries live for `ttl` where they don't say otherwise, and which waits for
    /// another process for at most `wait`. Nothing is opened yet.
    pub fn new(dir: impl Into<PathBuf>, name: &str, ttl: Duration, wait: Duration) -> Self {
        Self::with(dir, name, wait, Expiry::new(ttl))
    }

    pub(super) fn with(dir: impl Into<PathBuf>, name: &str, wait: Duration, expiry: Expiry) -> Self {
        let path = dir.into().join(format!("{name}.sqlite"));
        Self { path, wait, expiry, connection: Arc::default() }
    }

    /// Runs `work` on the connection, where it may block.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection, &Expiry) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, CacheError> {
        let cache = self.clone();
        let done = tokio::task::spawn_blocking(move || {
            let mut open = cache.connection.lock().unwrap_or_else(PoisonError::into_inner);
            if open.is_none() {
                *open = Some(cache.open()?);
            }
            let Some(connection) = open.as_ref() else { return Err(refused("it is closed")) };
            work(connection, &cache.expiry).map_err(refused)
        });
        done.await.unwrap_or_else(|stopped| Err(refused(stopped)))
    }

    fn open(&self) -> Result<Connection, CacheError> {
        let io = |source| CacheError::Io { path: self.path.clone(), source };
        if let Some(dir) = self.path.parent() {
            make_dir(dir).map_err(io)?;
        }
        // SQLite would make it for everybody to read.
        private().open(&self.path).map_err(io)?;
        let connection = Connection::open(&self.path).map_err(refused)?;
        connection.busy_timeout(self.wait).map_err(refused)?;
        connection.execute_batch(SCHEMA).map_err(refused)?;
        Ok(connection)
    }
}

fn refused(reason: impl std::fmt::Display) -> CacheError {
    CacheError::Store { driver: "sqlite".into(), reason: reason.to_string() }
}

#[async_trait]
impl Cache for SqliteCache {
    fn driver(&self) -> &str {
        "sqlite"
    }

    async fn get(&self, key: &str, renew: Option<Duration>) -> Result<Option<Value>, CacheError> {
        let key = key.to_owned();
        let text = self.run(move |db, expiry| {
            db.execute("DELETE FROM entries WHERE key = ?1 AND expires_at <= ?2", params![key, expiry.now()])?;
            if renew.is_some() {
                db.execute("UPDATE entries SET expires_at = ?2 WHERE key = ?1", params![key, expiry.of(renew)])?;
            }
            db.query_row("SELECT value FROM entries WHERE key = ?1", [&key], |row| row.get::<_, String>(0)).optional()
        });
        // What is no JSON was not put by this program: it is as good as nothing.
        Ok(text.await?.and_then(|text| serde_json::from_str(&text).ok()))
    }

    async fn put(&self, key: &str, value: Value, ttl: Option<Duration>) -> Result<(), CacheError> {
        if value.is_null() {
            return self.delete(key).await;
        }
        let (key, text) = (key.to_owned(), value.to_string());
        self.run(move |db, expiry| {
            let entry = params![key, text, expiry.of(ttl)];
            db.execute("INSERT OR REPLACE INTO entries (key, value, expires_at) VALUES (?1, ?2, ?3)", entry).map(drop)
        })
        .await
    }

    async fn delete(&self, key: &str) -> Result<(), CacheError> {
        let key = key.to_owned();
        self.run(move |db, _| db.execute("DELETE FROM entries WHERE key = ?1", [key]).map(drop)).await
    }

    async fn flush(&self) -> Result<(), CacheError> {
        self.run(|db, _| db.execute("DELETE FROM entries", []).map(drop)).await
    }

    async fn flush_expired(&self) -> Result<(), CacheError> {
        self.run(|db, expiry| db.execute("DELETE FROM entries WHERE expires_at <= ?1", [expiry.now()]).map(drop)).await
    }
}
