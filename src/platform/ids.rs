//! Connect's identifiers: a prefix and groups of digits.

use std::sync::atomic::{AtomicU64, Ordering};

use rand::Rng;

use crate::observe::Timestamp;

/// `prefix` and one group of random digits for each of `groups`: `random("TQ", &[4, 4])` is `TQ-0123-4567`.
pub(crate) fn random(prefix: &str, groups: &[usize]) -> String {
    let mut id = prefix.to_owned();
    for &length in groups {
        id.push('-');
        id.push_str(&digits(length));
    }
    id
}

/// Random decimal digits.
pub(crate) fn digits(length: usize) -> String {
    let mut rng = rand::rng();
    (0..length).map(|_| char::from(b'0' + rng.random_range(0..10u8))).collect()
}

/// The id of a new task: the microsecond it is made in, so that ids rise. Whoever keeps them in an index, as the journal and
/// the local Connect's own file do, always adds at its end.
pub(crate) fn task() -> String {
    format!("TQ-{}", groups::<4>(moment()))
}

/// The digits of a new object, in three groups of four. They rise for the same reason, and begin again after eleven days:
/// that one is given out twice is as unlikely as with random ones.
pub(crate) fn object() -> String {
    groups::<3>(moment() % 1_000_000_000_000)
}

/// The present microsecond, or the next one nobody was given.
fn moment() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let now = u64::try_from(Timestamp::now().0).unwrap_or_default();
    let next = |last: u64| now.max(last.saturating_add(1));
    let last = LAST.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(next(last)));
    next(last.unwrap_or_else(|last| last))
}

/// The last digits of a number, in groups of four.
fn groups<const N: u32>(number: u64) -> String {
    let group = |n: u32| format!("{:04}", number / 10_000_u64.pow(n) % 10_000);
    (0..N).rev().map(group).collect::<Vec<_>>().join("-")
}

/// A random UUID of version 4.
pub(crate) fn uuid() -> String {
    let bits = (rand::random::<u128>() & !(0xf << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62);
    let hex = format!("{bits:032x}");
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-")
}

#[cfg(test)]
mod tests {
    #[test]
    fn ids_have_the_shape_of_connects_own() {
        let id = super::task();
        assert_eq!(id.split('-').map(str::len).collect::<Vec<_>>(), [2, 4, 4, 4, 4]);
        let uuid = super::uuid();
        assert_eq!(uuid.split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
        assert_eq!(&uuid[14..15], "4");
    }

    #[test]
    fn tasks_made_at_once_have_ids_of_their_own_that_rise() {
        let makers: Vec<_> =
            (0..4).map(|_| std::thread::spawn(|| (0..2_000).map(|_| super::task()).collect::<Vec<_>>())).collect();
        let mut all = Vec::new();
        for maker in makers {
            let made = maker.join().unwrap();
            assert!(made.is_sorted());
            all.extend(made);
        }
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 8_000);
    }
}
