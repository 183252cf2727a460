//! Short pieces of texts ("grams") as bits of a filter: what contains a text contains all its grams, so a filter that
//! lacks one says for certain that the text is nowhere in what it was made of.

/// How many bits a filter has: those of a group fill the pages of the file they are in without a rest.
pub(super) const BITS: usize = 65_500;
pub(super) const WORDS: usize = BITS.div_ceil(64);

/// The lengths of grams, in bytes, and whether one sets a second bit: the short ones are few, and a text that is looked
/// for has few of them.
const GRAMS: [(usize, bool); 4] = [(2, false), (3, true), (4, true), (6, false)];
/// So many grams of one length of a text are looked up: more would tell nothing new.
const ENOUGH: usize = 12;

/// Which grams are in a number of texts, letter case aside.
pub(super) struct Filter {
    words: Vec<u64>,
    lower: Vec<u8>,
}

impl Filter {
    pub(super) fn new() -> Self {
        Self { words: vec![0; WORDS], lower: Vec::new() }
    }

    /// Adds the grams of a text in both forms in which it is searched: with its ASCII letters in lower case, and, where it
    /// has others, with all of them.
    pub(super) fn add(&mut self, text: &str) {
        self.lower.clear();
        self.lower.extend(text.bytes().map(|byte| byte.to_ascii_lowercase()));
        self.grams();
        if !text.is_ascii() {
            self.lower.clear();
            self.lower.extend(text.to_lowercase().bytes());
            self.grams();
        }
    }

    fn grams(&mut self) {
        let length = self.lower.len();
        self.lower.extend([0; 8]);
        for (at, window) in self.lower.windows(8).enumerate().take(length) {
            let word = window.try_into().map(u64::from_le_bytes).unwrap_or_default();
            for (gram, twice) in GRAMS {
                if at + gram <= length {
                    let (first, second) = places(word, gram);
                    set(&mut self.words, first);
                    if twice {
                        set(&mut self.words, second);
                    }
                }
            }
        }
    }

    /// How many of its bits are set.
    pub(super) fn filled(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        self.words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    pub(super) fn clear(&mut self) {
        self.words.fill(0);
    }
}

fn set(words: &mut [u64], bit: usize) {
    if let Some(word) = words.get_mut(bit / 64) {
        *word |= 1 << (bit % 64);
    }
}

/// The bits of a gram: of the first `length` bytes of a word.
fn places(word: u64, length: usize) -> (usize, usize) {
    let gram = (word & ((1 << (length * 8)) - 1)) | ((length as u64) << 56);
    let mixed = gram.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    let place = |half: u64| ((half * BITS as u64) >> 32) as usize;
    (place(mixed >> 32), place(mixed & 0xffff_ffff))
}

/// The bits that are set in every filter of a text that contains this one, which comes in lower case; the most telling
/// first. None where it is too short to tell anything.
pub(super) fn bits(text: &str) -> Vec<usize> {
    // A text of ASCII letters is looked for among ASCII letters of either case, any other as it is.
    let text = if text.is_ascii() { text.to_ascii_lowercase() } else { text.to_owned() };
    let wanted: &[usize] = match text.len() {
        0 | 1 => &[],
        2 => &[2],
        3 => &[3, 2],
        4 | 5 => &[4, 3],
        _ => &[6, 4],
    };
    let mut bits = Vec::new();
    for (gram, twice) in wanted.iter().filter_map(|length| GRAMS.iter().find(|(gram, _)| gram == length)) {
        let many = text.len() + 1 - gram;
        let step = many.div_ceil(ENOUGH);
        for bytes in text.as_bytes().windows(*gram).step_by(step) {
            let word = bytes.iter().rev().fold(0, |word, byte| (word << 8) | u64::from(*byte));
            let (first, second) = places(word, *gram);
            bits.push(first);
            bits.extend(twice.then_some(second));
        }
    }
    bits
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    impl Filter {
        fn may_have(&self, text: &str) -> bool {
            bits(text).into_iter().all(|bit| self.words[bit / 64] >> (bit % 64) & 1 == 1)
        }
    }

    #[test]
    fn what_is_not_there_is_nearly_always_known() {
        let mut filter = Filter::new();
        for n in 0..200 {
            filter.add(&format!("{{\"id\":\"PR-{:04}-{:04}-0001-001\",\"value\":\"v{n}\"}}", n * 37 % 10_000, n));
        }
        assert!(filter.may_have("pr-0037-0001") && filter.may_have("v199"));
        let wrong = (0..1_000).filter(|n| filter.may_have(&format!("as-{n:04}-{n:04}"))).count();
        assert!(wrong < 5, "{wrong}");
        assert!(filter.filled() < BITS / 8, "{}", filter.filled());
    }

    proptest! {
        /// The letters are those whose lower case is a surprise: other lengths, several characters, ASCII of what is not.
        #[test]
        fn a_filter_never_denies_what_is_there(
            texts in proptest::collection::vec("[a-eA-E0-9éÉßİıKΣσς\"\\\\\u{1F600} -]{0,40}", 1..6),
            which in any::<proptest::sample::Index>(),
            from in 0_usize..40,
            length in 0_usize..20,
        ) {
            let mut filter = Filter::new();
            texts.iter().for_each(|text| filter.add(text));
            let text = which.get(&texts);
            let part = |text: &str| text.chars().skip(from).take(length).collect::<String>();
            let ascii: String = part(&text.to_ascii_lowercase());
            for needle in [part(&text.to_lowercase()), ascii.to_lowercase()] {
                let there = if needle.is_ascii() {
                    text.to_ascii_lowercase().contains(&needle)
                } else {
                    text.to_lowercase().contains(&needle)
                };
                prop_assert!(!there || filter.may_have(&needle), "{needle:?} in {text:?}");
            }
        }
    }
}
