use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::expiry::Expiry;
use super::{Cache, CacheError};

/// A file for each entry, in a directory that is made when it is needed, for its owner only.
#[derive(Debug, Clone)]
pub struct FileCache {
    dir: PathBuf,
    expiry: Expiry,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    key: String,
    /// Milliseconds since 1970.
    expires_at: i64,
    value: Value,
}

impl FileCache {
    /// A cache in a directory, whose entries live for `ttl` where they don't say otherwise. Nothing is opened yet.
    pub fn new(dir: impl Into<PathBuf>, ttl: Duration) -> Self {
        Self::with(dir, Expiry::new(ttl))
    }

    pub(super) fn with(dir: impl Into<PathBuf>, expiry: Expiry) -> Self {
        Self { dir: dir.into(), expiry }
    }

    /// Runs `work` where it may block.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, CacheError> + Send + 'static,
    ) -> Result<T, CacheError> {
        let cache = self.clone();
        match tokio::task::spawn_blocking(move || work(&cache)).await {
            Ok(done) => done,
            Err(stopped) => Err(CacheError::Store { driver: "file".into(), reason: stopped.to_string() }),
        }
    }

    fn path(&self, key: &str) -> PathBuf {
        self.dir.join(file_name(key))
    }

    /// The entry in a file, unless it is over, broken, or (its name being a hash) of another key: such a file is removed.
    fn load(&self, path: &Path, key: Option<&str>) -> Result<Option<Stored>, CacheError> {
        let text = match fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(at(path)(error)),
        };
        let stored = serde_json::from_slice::<Stored>(&text).ok();
        let live = stored.filter(|stored| !self.expiry.is_over(stored.expires_at) && key.is_none_or(|key| key == stored.key));
        if live.is_none() {
            remove(path)?;
        }
        Ok(live)
    }

    /// Writes beside the entry and puts it in its place, so that nobody reads half of it.
    fn store(&self, stored: &Stored) -> Result<(), CacheError> {
        make_dir(&self.dir).map_err(at(&self.dir))?;
        let path = self.path(&stored.key);
        let beside = self.dir.join(format!("{:032x}.tmp", rand::random::<u128>()));
        let text = serde_json::to_vec(stored)
            .map_err(|error| CacheError::Value { key: stored.key.clone(), reason: error.to_string() })?;
        let written = write_private(&beside, &text).and_then(|()| fs::rename(&beside, &path));
        written.map_err(|error| {
            let _ = fs::remove_file(&beside); // it is the writing that failed
            at(&path)(error)
        })
    }

    fn entries(&self) -> Result<Vec<PathBuf>, CacheError> {
        let entries = match fs::read_dir(&self.dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(at(&self.dir)(error)),
        };
        let ours = |path: &PathBuf| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            name.starts_with("cache.") && name.ends_with(".json")
        };
        let paths: Result<Vec<_>, _> = entries.map(|entry| entry.map(|entry| entry.path())).collect();
        Ok(paths.map_err(at(&self.dir))?.into_iter().filter(ours).collect())
    }
}

#[async_trait]
impl Cache for FileCache {
    fn driver(&self) -> &str {
        "file"
    }

    async fn get(&self, key: &str, renew: Option<Duration>) -> Result<Option<Value>, CacheError> {
        let key = key.to_owned();
        self.blocking(move |cache| {
            let Some(mut stored) = cache.load(&cache.path(&key), Some(&key))? else { return Ok(None) };
            if renew.is_some() {
                stored.expires_at = cache.expiry.of(renew);
                cache.store(&stored)?;
            }
            Ok(Some(stored.value))
        })
        .await
    }

    async fn put(&self, key: &str, value: Value, ttl: Option<Duration>) -> Result<(), CacheError> {
        if value.is_null() {
            return self.delete(key).await;
        }
        let stored = Stored { key: key.to_owned(), expires_at: self.expiry.of(ttl), value };
        self.blocking(move |cache| cache.store(&stored)).await
    }

    async fn delete(&self, key: &str) -> Result<(), CacheError> {
        let path = self.path(key);
        self.blocking(move |_| remove(&path)).await
    }

    async fn flush(&self) -> Result<(), CacheError> {
        self.blocking(|cache| cache.entries()?.iter().try_for_each(|path| remove(path))).await
    }

    async fn flush_expired(&self) -> Result<(), CacheError> {
        self.blocking(|cache| cache.entries()?.iter().try_for_each(|path| cache.load(path, None).map(drop))).await
    }
}

/// The key in a file's name, each key in its own: what is no small letter, digit, `-` or `_` as `%XX` (capitals too, for file
/// systems that don't tell them apart); a key too long for a name by its hash.
fn file_name(key: &str) -> String {
    let escaped = key.bytes().fold(String::new(), |mut name, byte| {
        if byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte) {
            name.push(byte.into());
        } else {
            name.push_str(&format!("%{byte:02x}"));
        }
        name
    });
    if escaped.len() <= 200 { format!("cache.{escaped}.json") } else { format!("cache.~{:032x}.json", fnv(key)) }
}

/// FNV-1a, 128 bits: the same in every version of this program, which the standard library's hash is not.
fn fnv(text: &str) -> u128 {
    text.bytes().fold(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d, |hash, byte| {
        (hash ^ u128::from(byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b)
    })
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> CacheError {
    let path = path.to_owned();
    move |source| CacheError::Io { path, source }
}

fn remove(path: &Path) -> Result<(), CacheError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(at(path)(error)),
        _ => Ok(()),
    }
}

/// Makes a directory that only its owner can look into.
pub(super) fn make_dir(dir: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
}

/// Opens a file that only its owner can read, to write into it.
pub(super) fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn write_private(path: &Path, text: &[u8]) -> io::Result<()> {
    private().truncate(true).open(path)?.write_all(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_two_keys_share_a_file_even_where_capitals_are_not_told_apart(one in ".{0,40}", other in ".{0,40}") {
            prop_assert_eq!(file_name(&one).to_lowercase() == file_name(&other).to_lowercase(), one == other);
        }
    }

    #[test]
    fn keys_that_look_alike_have_files_of_their_own() {
        let keys = ["a:b", "a/b", "a_b", "A_b", "a%3ab", "a b", "ä", "", "."];
        let names: std::collections::BTreeSet<_> = keys.iter().map(|key| file_name(key)).collect();
        assert_eq!(names.len(), keys.len());
        assert!(names.iter().all(|name| !name.contains('/')), "{names:?}");
    }

    #[test]
    fn a_key_of_any_length_fits_into_a_file_name() {
        let (one, other) = ("x".repeat(5000), "x".repeat(5001));
        assert!(file_name(&one).len() < 255);
        assert_ne!(file_name(&one), file_name(&other));
    }
}
