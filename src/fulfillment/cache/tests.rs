use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use rstest::rstest;
use serde_json::json;
use tempfile::TempDir;

use super::expiry::Expiry;
use super::*;
use crate::extension::Config;
use crate::fulfillment::{ConfigurationProvider, Container, Log};
use crate::observe::{Fact, Level, Memory, Scope};

const OWN: Duration = Duration::from_secs(900);

/// A cache, and a clock to put forward.
struct Bench {
    cache: Arc<dyn Cache>,
    seconds: Arc<AtomicU64>,
    dir: TempDir,
}

impl Bench {
    fn later(&self, seconds: u64) {
        self.seconds.fetch_add(seconds, Ordering::Relaxed);
    }
}

#[derive(Debug, Clone, Copy)]
enum Adapter {
    File,
    #[cfg(feature = "cache-sqlite")]
    Sqlite,
}

fn bench(adapter: Adapter) -> Bench {
    let dir = TempDir::new().unwrap();
    let seconds = Arc::new(AtomicU64::new(1_700_000_000));
    let clock = Arc::clone(&seconds);
    let expiry = Expiry::with_clock(OWN, move || UNIX_EPOCH + Duration::from_secs(clock.load(Ordering::Relaxed)));
    let at = dir.path().join("made/by/the/cache");
    let cache: Arc<dyn Cache> = match adapter {
        Adapter::File => Arc::new(FileCache::with(at, expiry)),
        #[cfg(feature = "cache-sqlite")]
        Adapter::Sqlite => Arc::new(SqliteCache::with(at, "cache", Duration::from_secs(1), expiry)),
    };
    Bench { cache, seconds, dir }
}

#[cfg(feature = "cache-sqlite")]
const SQLITE: Adapter = Adapter::Sqlite;
#[cfg(not(feature = "cache-sqlite"))]
const SQLITE: Adapter = Adapter::File;

#[rstest]
#[tokio::test]
async fn an_unknown_key_has_no_value(#[values(Adapter::File, SQLITE)] adapter: Adapter) {
    let cache = bench(adapter).cache;
    assert!(!cache.has("unknown").await.unwrap());
    assert_eq!(cache.get("unknown", None).await.unwrap(), None);
    cache.flush().await.unwrap();
    cache.flush_expired().await.unwrap();
}

#[rstest]
#[tokio::test]
async fn a_value_is_computed_once_and_lives_as_long_as_its_computation_says(
    #[values(Adapter::File, SQLITE)] adapter: Adapter,
    #[values("key", "https://example.org/a?b=c:d")] key: &str,
) {
    let bench = bench(adapter);
    let computed = AtomicUsize::new(0);
    let compute = async || {
        computed.fetch_add(1, Ordering::Relaxed);
        Ok::<_, CacheError>(Entry::lasting(json!({"some": ["value"]}), Duration::from_secs(20)))
    };
    for _ in 0..2 {
        assert_eq!(bench.cache.get_or_else(key, compute).await.unwrap(), json!({"some": ["value"]}));
    }
    assert_eq!(computed.load(Ordering::Relaxed), 1);
    bench.later(19);
    assert!(bench.cache.has(key).await.unwrap());
    bench.later(1);
    assert!(!bench.cache.has(key).await.unwrap());
}

#[rstest]
#[tokio::test]
async fn a_default_is_kept_for_the_adapters_own_time_and_no_default_is_lost_for_being_false_or_empty(
    #[values(Adapter::File, SQLITE)] adapter: Adapter,
) {
    let bench = bench(adapter);
    assert!(!bench.cache.get_or("no", Entry::new(false)).await.unwrap());
    assert!(!bench.cache.get_or("no", Entry::new(true)).await.unwrap());
    assert_eq!(bench.cache.get_or("empty", Entry::new(String::new())).await.unwrap(), "");
    bench.later(OWN.as_secs() - 1);
    assert!(bench.cache.has("no").await.unwrap() && bench.cache.has("empty").await.unwrap());
    bench.later(1);
    assert!(!bench.cache.has("no").await.unwrap());
}

#[rstest]
#[tokio::test]
async fn what_is_put_replaces_what_was_there(#[values(Adapter::File, SQLITE)] adapter: Adapter) {
    let cache = bench(adapter).cache;
    cache.write("k", Entry::new(1)).await.unwrap();
    cache.write("k", Entry::new(2)).await.unwrap();
    assert_eq!(cache.read::<u8>("k").await.unwrap(), Some(2));
}

#[rstest]
#[tokio::test]
async fn null_is_never_kept(#[values(Adapter::File, SQLITE)] adapter: Adapter) {
    let cache = bench(adapter).cache;
    assert_eq!(cache.get_or("k", Entry::new(None::<u8>)).await.unwrap(), None);
    assert!(!cache.has("k").await.unwrap());
    cache.write("k", Entry::new(1)).await.unwrap();
    cache.put("k", Value::Null, None).await.unwrap();
    assert!(!cache.has("k").await.unwrap());
}

#[rstest]
#[tokio::test]
async fn an_entry_with_no_time_to_live_is_over_at_once_and_a_long_one_stays(#[values(Adapter::File, SQLITE)] adapter: Adapter) {
    let cache = bench(adapter).cache;
    cache.write("short", Entry::lasting(1, Duration::ZERO)).await.unwrap();
    cache.write("long", Entry::lasting(1, Duration::MAX)).await.unwrap();
    assert!(!cache.has("short").await.unwrap());
    assert!(cache.has("long").await.unwrap());
}

#[rstest]
#[tokio::test]
async fn what_is_deleted_is_gone_and_what_is_not_there_can_be_deleted(#[values(Adapter::File, SQLITE)] adapter: Adapter) {
    let cache = bench(adapter).cache;
    cache.write("k", Entry::new(1)).await.unwrap();
    cache.write("other", Entry::new(1)).await.unwrap();
    cache.delete("k").await.unwrap();
    cache.delete("k").await.unwrap();
    assert!(!cache.has("k").await.unwrap() && cache.has("other").await.unwrap());
}

#[rstest]
#[tokio::test]
async fn flush_forgets_everything(#[values(Adapter::File, SQLITE)] adapter: Adapter) {
    let cache = bench(adapter).cache;
    cache.write("a", Entry::new(1)).await.unwrap();
    cache.write("b", Entry::new(1)).await.unwrap();
    cache.flush().await.unwrap();
    assert!(!cache.has("a").await.unwrap() && !cache.has("b").await.unwrap());
}

#[rstest]
#[tokio::test]
async fn to_get_with_a_time_renews_the_entry(#[values(Adapter::File, SQLITE)] adapter: Adapter) {
    let bench = bench(adapter);
    bench.cache.write("k", Entry::lasting(1, Duration::from_secs(10))).await.unwrap();
    bench.later(9);
    assert_eq!(bench.cache.get("k", Some(Duration::from_secs(10))).await.unwrap(), Some(json!(1)));
    bench.later(9);
    assert!(bench.cache.has("k").await.unwrap());
    bench.later(1);
    assert!(!bench.cache.has("k").await.unwrap());
}

#[rstest]
#[tokio::test]
async fn to_flush_what_is_over_keeps_what_lives(#[values(Adapter::File, SQLITE)] adapter: Adapter) {
    let bench = bench(adapter);
    bench.cache.write("short", Entry::lasting(1, Duration::from_secs(1))).await.unwrap();
    bench.cache.write("long", Entry::lasting(1, Duration::from_secs(100))).await.unwrap();
    bench.later(1);
    bench.cache.flush_expired().await.unwrap();
    assert!(bench.cache.has("long").await.unwrap());
    bench.seconds.fetch_sub(1, Ordering::Relaxed);
    assert!(!bench.cache.has("short").await.unwrap(), "it was only hidden");
}

#[rstest]
#[tokio::test]
async fn keys_that_differ_by_a_sign_have_values_of_their_own(#[values(Adapter::File, SQLITE)] adapter: Adapter) {
    let cache = bench(adapter).cache;
    let keys = ["a:b", "a/b", "a_b", "A_b"];
    for key in keys {
        cache.write(key, Entry::new(key.to_owned())).await.unwrap();
    }
    for key in keys {
        assert_eq!(cache.read::<String>(key).await.unwrap().as_deref(), Some(key));
    }
}

#[cfg(unix)]
#[rstest]
#[tokio::test]
async fn only_the_owner_can_look_into_the_cache(#[values(Adapter::File, SQLITE)] adapter: Adapter) {
    use std::os::unix::fs::PermissionsExt;
    let bench = bench(adapter);
    bench.cache.write("k", Entry::new(1)).await.unwrap();
    let at = bench.dir.path().join("made/by/the/cache");
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&at), 0o700);
    for file in at.read_dir().unwrap() {
        assert_eq!(mode(&file.unwrap().path()), 0o600);
    }
}

#[rstest]
#[tokio::test]
async fn a_value_of_another_shape_is_an_error_that_does_not_repeat_it(#[values(Adapter::File, SQLITE)] adapter: Adapter) {
    let cache = bench(adapter).cache;
    cache.write("k", Entry::new(vec![1])).await.unwrap();
    let error = cache.read::<bool>("k").await.unwrap_err().to_string();
    assert!(error.starts_with("the cached value of `k` has another shape"), "{error}");
    assert!(cache.get_or("k", Entry::new(true)).await.unwrap(), "it is computed anew");
    assert_eq!(cache.read::<bool>("k").await.unwrap(), Some(true));
}

#[tokio::test]
async fn a_broken_file_is_as_good_as_none() {
    let bench = bench(Adapter::File);
    bench.cache.write("k", Entry::new(1)).await.unwrap();
    let file = bench.dir.path().join("made/by/the/cache/cache.k.json");
    std::fs::write(&file, "{").unwrap();
    assert_eq!(bench.cache.get("k", None).await.unwrap(), None);
    assert!(!file.exists());
}

#[tokio::test]
async fn a_computation_that_fails_leaves_nothing_behind() {
    let cache = bench(Adapter::File).cache;
    let failed: Result<u8, crate::extension::HandlerError> = cache.get_or_else("k", async || Err("no".into())).await;
    assert_eq!(failed.unwrap_err().to_string(), "no");
    assert!(!cache.has("k").await.unwrap());
}

#[tokio::test]
async fn no_cache_computes_each_time_and_keeps_nothing() {
    let cache: Arc<dyn Cache> = Arc::new(NoCache);
    assert_eq!(cache.get_or("k", Entry::new(1)).await.unwrap(), 1);
    assert_eq!(cache.get_or("k", Entry::new(2)).await.unwrap(), 2);
    cache.write("k", Entry::new(3)).await.unwrap();
    cache.delete("k").await.unwrap();
    cache.flush().await.unwrap();
    cache.flush_expired().await.unwrap();
    assert!(!cache.has("k").await.unwrap());
}

/// What the variables configure, and what was logged about it.
fn provided(provider: &CacheProvider, variables: &[(&str, &str)]) -> (Arc<dyn Cache>, Arc<Memory>) {
    let memory = Arc::new(Memory::default());
    let log = Log::new(Scope::new(memory.clone()));
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let config = ConfigurationProvider::new(Config::new(variables.collect::<BTreeMap<_, _>>()));
    let container = Container::with(|bindings| {
        bindings.provider(&config);
        bindings.provider(provider);
        bindings.bind::<Log>().instance(Arc::new(log));
    });
    (container.unwrap().get::<dyn Cache>().unwrap(), memory)
}

fn lines(memory: &Memory, wanted: Level) -> Vec<String> {
    let line = |fact| match fact {
        Fact::Log { level, message, .. } if level == wanted => Some(message),
        _ => None,
    };
    memory.seen().into_iter().filter_map(|o| line(o.fact)).collect()
}

#[rstest]
#[case::nothing_said(&[], "none")]
#[case::none(&[("CACHE_DRIVER", " none ")], "none")]
#[case::file(&[("CACHE_DRIVER", "file")], "file")]
#[case::file_with_a_time(&[("CACHE_DRIVER", "file"), ("CACHE_TTL", "60")], "file")]
#[cfg_attr(feature = "cache-sqlite", case::sqlite(&[("CACHE_DRIVER", "sqlite"), ("CACHE_SQLITE_TIMEOUT", "1.5")], "sqlite"))]
fn the_variables_choose_the_adapter(#[case] variables: &[(&str, &str)], #[case] driver: &str) {
    let (cache, memory) = provided(&CacheProvider::default(), variables);
    assert_eq!(cache.driver(), driver);
    assert_eq!(lines(&memory, Level::Debug), [format!("Cache service configured with {driver} driver.")]);
    assert!(lines(&memory, Level::Error).is_empty());
}

#[tokio::test]
async fn a_time_to_live_given_as_text_is_a_number_of_seconds() {
    let dir = TempDir::new().unwrap();
    let at = dir.path().to_str().unwrap();
    let (cache, _) = provided(&CacheProvider::default(), &[("CACHE_DRIVER", "file"), ("CACHE_DIR", at), ("CACHE_TTL", "0")]);
    cache.write("k", Entry::new(1)).await.unwrap();
    assert!(!cache.has("k").await.unwrap());
    let (cache, _) = provided(&CacheProvider::default(), &[("CACHE_DRIVER", "file"), ("CACHE_DIR", at), ("CACHE_TTL", "900")]);
    cache.write("k", Entry::new(1)).await.unwrap();
    assert!(cache.has("k").await.unwrap());
}

#[rstest]
#[case::unknown(&[("CACHE_DRIVER", "redis")], "driver redis due to: there is no such driver")]
#[case::no_number(&[("CACHE_DRIVER", "file"), ("CACHE_TTL", "s3cret")],
    "driver file due to: dyn Cache needs config key cache_ttl: its value is no u64: invalid digit found in string")]
fn what_cannot_be_configured_is_one_error_line_and_no_cache(#[case] variables: &[(&str, &str)], #[case] why: &str) {
    let (cache, memory) = provided(&CacheProvider::default(), variables);
    assert_eq!(cache.driver(), "none");
    assert_eq!(lines(&memory, Level::Error), [format!("Cache service failure, disabling cache with {why}")]);
}

#[tokio::test]
async fn an_adapter_that_breaks_later_is_one_error_line_and_no_cache_and_never_an_error() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("a file");
    std::fs::write(&file, "").unwrap();
    let inside = file.join("cache");
    let (cache, memory) =
        provided(&CacheProvider::default(), &[("CACHE_DRIVER", "file"), ("CACHE_DIR", inside.to_str().unwrap())]);
    for _ in 0..3 {
        assert_eq!(cache.get_or("k", Entry::new(1)).await.unwrap(), 1);
        cache.delete("k").await.unwrap();
    }
    assert_eq!(cache.driver(), "none");
    let errors = lines(&memory, Level::Error);
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(errors[0].starts_with("Cache service failure, disabling cache with driver file due to: "), "{errors:?}");
}

#[test]
fn an_extension_adds_adapters_of_its_own_and_replaces_those_there_are() {
    let provider = CacheProvider::default().driver("none", |_| Err("out of order".into())).driver("mine", |needs| {
        let ttl = needs.config_or("mine_ttl", 1_u64)?;
        Ok(Arc::new(FileCache::new("unused", Duration::from_secs(ttl))))
    });
    assert_eq!(provided(&provider, &[("CACHE_DRIVER", "mine")]).0.driver(), "file");
    assert_eq!(lines(&provided(&provider, &[]).1, Level::Error).len(), 1);
}
