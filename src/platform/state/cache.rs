//! What was used lately, in bounded memory.

use std::collections::HashMap;
use std::sync::Arc;

/// The bytes one generation holds; there are two.
const GENERATION: usize = 8 << 20;

/// The texts used last. It has two generations: when the young one is full the old one is forgotten and the young one
/// grows old; what is asked for again becomes young again. So every step is cheap, and memory stays below twice
/// [`GENERATION`].
#[derive(Default)]
pub(crate) struct Cache {
    young: HashMap<String, Arc<str>>,
    old: HashMap<String, Arc<str>>,
    bytes: usize,
}

impl Cache {
    /// Remembers a text.
    pub(crate) fn put(&mut self, key: String, text: Arc<str>) {
        self.bytes += key.len() + text.len();
        self.old.remove(&key);
        self.young.insert(key, text);
        if self.bytes > GENERATION {
            self.old = std::mem::take(&mut self.young);
            self.bytes = 0;
        }
    }

    /// The text, if it is still known.
    pub(crate) fn get(&mut self, key: &str) -> Option<Arc<str>> {
        if let Some(text) = self.young.get(key) {
            return Some(Arc::clone(text));
        }
        let (key, text) = self.old.remove_entry(key)?;
        self.put(key, Arc::clone(&text));
        Some(text)
    }

    /// Forgets a text.
    pub(crate) fn remove(&mut self, key: &str) {
        self.young.remove(key);
        self.old.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::{Cache, GENERATION};

    #[test]
    fn what_is_used_stays_and_memory_is_bounded() {
        let mut cache = Cache::default();
        let text: std::sync::Arc<str> = "x".repeat(7_000).into();
        for n in 0..10_000 {
            cache.put(n.to_string(), text.clone());
            cache.get("0").unwrap();
        }
        let held: usize = cache.young.values().chain(cache.old.values()).map(|text| text.len()).sum();
        assert!(held < 2 * GENERATION + 14_000, "{held}");
        assert!(cache.get("9999").is_some());
        assert!(cache.get("1").is_none());
        cache.remove("0");
        assert!(cache.get("0").is_none());
    }
}
