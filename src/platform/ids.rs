//! Connect's identifiers: a prefix and groups of digits.

use rand::Rng;

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

/// The id of a new task.
pub(crate) fn task() -> String {
    random("TQ", &[4, 4, 4, 4])
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
}
