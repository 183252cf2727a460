use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::guarded::{Guarded, failure};
use super::{Cache, FileCache, NoCache};
use crate::extension::HandlerError;
use crate::fulfillment::{Bindings, Log, Needs, ServiceProvider};
use crate::observe::Scope;

/// Makes a cache of what it needs from the container.
pub type Driver = Arc<dyn Fn(&Needs<'_>) -> Result<Arc<dyn Cache>, HandlerError> + Send + Sync>;

/// Binds [`dyn Cache`](Cache) to the adapter the variables say:
///
/// | variable | says | where it says nothing |
/// | --- | --- | --- |
/// | `CACHE_DRIVER` | `none`, `file`, `sqlite` (with the feature `cache-sqlite`), or one of the extension's own | `none` |
/// | `CACHE_DIR` | the directory | `cache` in the directory for temporary files |
/// | `CACHE_TTL` | how many seconds an entry lives | 900 |
/// | `CACHE_SQLITE_NAME` | the file in that directory, without its `.sqlite` | `cache` |
/// | `CACHE_SQLITE_TIMEOUT` | how many seconds to wait for another process | 15 |
///
/// An adapter that can't be made, or fails later, is one line at level ERROR, and from then on there is no cache.
#[derive(Clone, Default)]
pub struct CacheProvider {
    drivers: Vec<(String, Driver)>,
}

impl CacheProvider {
    /// Adds an adapter, or puts it in the place of the one of that name.
    ///
    /// ```
    /// use connect_console::fulfillment::Saga;
    /// use connect_console::fulfillment::cache::{CacheProvider, FileCache};
    /// use std::sync::Arc;
    /// use std::time::Duration;
    ///
    /// // For CACHE_DRIVER=memory, on systems that keep this directory in memory.
    /// let cache = CacheProvider::default()
    ///     .driver("memory", |needs| {
    ///         let ttl = Duration::from_secs(needs.config_or("cache_ttl", 60_u64)?);
    ///         Ok(Arc::new(FileCache::new("/dev/shm/my-extension", ttl)))
    ///     });
    /// let saga = Saga::new("purchase").provider(cache);
    /// ```
    #[must_use]
    pub fn driver(
        mut self,
        name: impl Into<String>,
        make: impl Fn(&Needs<'_>) -> Result<Arc<dyn Cache>, HandlerError> + Send + Sync + 'static,
    ) -> Self {
        self.drivers.push((name.into(), Arc::new(make)));
        self
    }

    fn make(&self, driver: &str, needs: &Needs<'_>) -> Result<Arc<dyn Cache>, HandlerError> {
        if let Some((_, make)) = self.drivers.iter().rev().find(|(name, _)| name == driver) {
            return make(needs);
        }
        match driver {
            "none" => Ok(Arc::new(NoCache)),
            "file" => Ok(Arc::new(FileCache::new(dir(needs)?, ttl(needs)?))),
            #[cfg(feature = "cache-sqlite")]
            "sqlite" => sqlite(needs),
            #[cfg(not(feature = "cache-sqlite"))]
            "sqlite" => Err("this program was built without it; build it with the feature cache-sqlite".into()),
            _ => Err("there is no such driver".into()),
        }
    }
}

impl ServiceProvider for CacheProvider {
    fn key(&self) -> &str {
        "cache"
    }

    fn register(&self, bindings: &mut Bindings) {
        let drivers = self.clone();
        bindings.bind::<dyn Cache>().provider(move |needs| {
            let log = needs.find::<Log>()?.map_or_else(|| Log::new(Scope::discard()), |log| (*log).clone());
            let driver = needs.config_or::<String>("cache_driver", "none")?;
            let cache: Arc<dyn Cache> = match drivers.make(&driver, needs) {
                Ok(adapter) => {
                    log.debug(format!("Cache service configured with {driver} driver."));
                    Arc::new(Guarded::new(adapter, log))
                }
                Err(why) => {
                    log.error(failure(&driver, &why));
                    Arc::new(NoCache)
                }
            };
            Ok(cache)
        });
    }
}

impl fmt::Debug for CacheProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.drivers.iter().map(|(name, _)| name)).finish()
    }
}

fn dir(needs: &Needs<'_>) -> Result<String, HandlerError> {
    Ok(needs.config_or("cache_dir", std::env::temp_dir().join("cache").to_string_lossy())?)
}

fn ttl(needs: &Needs<'_>) -> Result<Duration, HandlerError> {
    Ok(Duration::from_secs(needs.config_or("cache_ttl", 900_u64)?))
}

#[cfg(feature = "cache-sqlite")]
fn sqlite(needs: &Needs<'_>) -> Result<Arc<dyn Cache>, HandlerError> {
    let name = needs.config_or::<String>("cache_sqlite_name", "cache")?;
    if name.contains(['/', '\\']) {
        return Err("CACHE_SQLITE_NAME is a file's name: directories belong into CACHE_DIR".into());
    }
    let wait = Duration::try_from_secs_f64(needs.config_or("cache_sqlite_timeout", 15.0)?)?;
    Ok(Arc::new(super::SqliteCache::new(dir(needs)?, &name, ttl(needs)?, wait)))
}
