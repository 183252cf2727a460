use std::sync::LazyLock;

use aho_corasick::packed::{Config, Searcher};
use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use memchr::{memchr, memchr3_iter};

use super::names;

/// Where no secret is known by its value.
pub(super) static NAMES_ONLY: LazyLock<Sieve> = LazyLock::new(|| Sieve::new([], []));

/// What stands beside a secret that is known by its place: see [`names`]. In lower case.
const NAMES: [&str; 4] = ["api_key\":", "authorization\":", "\"type\":\"password\"", "\"secure\":true"];
/// How a secret begins that is known by its form.
const FORM: &str = "apikey ";

/// Decides quickly that a piece of JSON holds nothing to take out. It may be wrong in one way only: to suspect what is
/// harmless, which is then looked at closely.
pub(super) struct Sieve {
    /// Known values and names, in lower case. `None`: everything is suspect.
    search: Option<Search>,
    /// How many of its patterns are suspect wherever they stand; the others are names, where it matters what is beside them.
    suspect: usize,
    /// Whether a `+` may be the blank of a secret in a way `search` does not know.
    plus: bool,
}

/// Both find the leftmost pattern, of several there the first.
enum Search {
    /// Many bytes at a time, where the processor can and there are not too many patterns.
    Packed(Searcher),
    Automaton(AhoCorasick),
}

impl Search {
    fn new(patterns: &[Vec<u8>]) -> Option<Self> {
        let packed = Config::new().heuristic_pattern_limits(false).builder().extend(patterns).build();
        packed.map(Self::Packed).or_else(|| {
            let mut automaton = AhoCorasick::builder();
            automaton.match_kind(MatchKind::LeftmostFirst).kind(Some(AhoCorasickKind::DFA));
            automaton.build(patterns).ok().map(Self::Automaton)
        })
    }

    /// The next pattern that begins at `from` or later, and where.
    fn next(&self, text: &[u8], from: usize) -> Option<(usize, usize)> {
        let place = from.min(text.len())..text.len();
        let found = match self {
            Self::Packed(search) => search.find_in(text, place.into()),
            Self::Automaton(search) => search.try_find(aho_corasick::Input::new(text).range(place)).ok().flatten(),
        }?;
        Some((found.pattern().as_usize(), found.start()))
    }
}

impl Sieve {
    /// For secrets in all their `forms`, and those that are found only as a `whole` text.
    pub(super) fn new<'a>(forms: impl IntoIterator<Item = &'a [u8]>, whole: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let whole = whole.into_iter().map(|text| [b"\"", text, b"\""].concat());
        let known: Vec<Vec<u8>> = forms.into_iter().map(<[u8]>::to_vec).chain(whole).collect();
        let blanks = |text: &Vec<u8>| text.iter().filter(|byte| **byte == b' ').count();
        let with_plus = known.iter().filter(|text| blanks(text) == 1).map(|text| replaced(text, b' ', b'+'));
        let mut patterns: Vec<Vec<u8>> = known.iter().cloned().chain(with_plus).chain([FORM.into()]).collect();
        let suspect = patterns.len();
        patterns.extend(NAMES.map(Into::into));
        patterns.iter_mut().for_each(|pattern| pattern.make_ascii_lowercase());
        Self { search: Search::new(&patterns), suspect, plus: known.iter().any(|text| blanks(text) > 1) }
    }

    /// See [`Secrets::suspects`](super::secrets::Secrets::suspects).
    pub(super) fn suspects(&self, json: &[u8]) -> bool {
        // Behind an escape there may be anything.
        let escape = |at: usize| match json.get(at..) {
            Some([b'&', ..]) => json.get(at..).is_some_and(is_entity),
            _ => true,
        };
        if memchr3_iter(b'\\', b'%', b'&', json).any(escape) || (self.plus && memchr(b'+', json).is_some()) {
            return true;
        }
        let Some(search) = &self.search else { return true };
        let lower = json.to_ascii_lowercase();
        let mut objects = names::Objects::of(json);
        let mut from = 0;
        while let Some((pattern, start)) = search.next(&lower, from) {
            if pattern < self.suspect || objects.hold_something_at(start) {
                return true;
            }
            // What begins inside a name may be a secret.
            from = start + 1;
        }
        false
    }
}

/// Whether a text begins with a character as HTML escapes it: an `&` alone is in every second URL.
fn is_entity(text: &[u8]) -> bool {
    ["&#", "&amp;", "&lt;", "&gt;", "&quot;", "&apos;"].iter().any(|entity| text.starts_with(entity.as_bytes()))
}

fn replaced(text: &[u8], old: u8, new: u8) -> Vec<u8> {
    text.iter().map(|byte| if *byte == old { new } else { *byte }).collect()
}
