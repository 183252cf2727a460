use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use memchr::{memchr, memchr3_iter};

/// Where no secret is known by its value.
pub(super) static NAMES_ONLY: LazyLock<Sieve> = LazyLock::new(|| Sieve::new([], []));

/// What stands beside a secret that is known by its place: see [`names`](super::names).
const NAMES: [&str; 4] = ["api_key\":", "authorization\":", "\"type\":\"password\"", "\"secure\":true"];
/// How a secret begins that is known by its form.
const FORM: &str = "apikey ";

/// What a quick look finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// There is nothing to take out.
    Harmless,
    /// A name is there beside which a secret may stand, and nothing else.
    Named,
    /// There may be anything.
    Suspect,
}

/// Decides quickly that a piece of JSON holds nothing to take out. It may be wrong in one way only: to suspect what is
/// harmless, which is then looked at closely.
pub(super) struct Sieve {
    /// Names and known values, letter case aside. `None`: everything is suspect.
    search: Option<AhoCorasick>,
    /// Whether a `+` may be the blank of a secret in a way `search` does not know.
    plus: bool,
}

impl Sieve {
    /// For secrets in all their `forms`, and those that are found only as a `whole` text.
    pub(super) fn new<'a>(forms: impl IntoIterator<Item = &'a [u8]>, whole: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let whole = whole.into_iter().map(|text| [b"\"", text, b"\""].concat());
        let known: Vec<Vec<u8>> = forms.into_iter().map(<[u8]>::to_vec).chain(whole).collect();
        let blanks = |text: &Vec<u8>| text.iter().filter(|byte| **byte == b' ').count();
        let with_plus = known.iter().filter(|text| blanks(text) == 1).map(|text| replaced(text, b' ', b'+'));
        let names = NAMES.iter().chain([&FORM]).map(|name| name.as_bytes().to_vec());
        let patterns = names.chain(known.iter().cloned()).chain(with_plus);
        let search = AhoCorasick::builder().ascii_case_insensitive(true).kind(Some(AhoCorasickKind::DFA)).build(patterns).ok();
        Self { search, plus: known.iter().any(|text| blanks(text) > 1) }
    }

    /// See [`Secrets::suspects`](super::secrets::Secrets::suspects).
    pub(super) fn look(&self, json: &[u8]) -> Look {
        // Behind an escape there may be anything.
        let escape = |at: usize| match json.get(at..) {
            Some([b'&', ..]) => json.get(at..).is_some_and(is_entity),
            _ => true,
        };
        if memchr3_iter(b'\\', b'%', b'&', json).any(escape) || (self.plus && memchr(b'+', json).is_some()) {
            return Look::Suspect;
        }
        // A secret may overlap a name.
        let Some(found) = self.search.as_ref().and_then(|search| search.try_find_overlapping_iter(json).ok()) else {
            return Look::Suspect;
        };
        let mut look = Look::Harmless;
        for one in found {
            if one.pattern().as_usize() >= NAMES.len() {
                return Look::Suspect;
            }
            look = Look::Named;
        }
        look
    }
}

/// Whether a text begins with a character as HTML escapes it: an `&` alone is in every second URL.
fn is_entity(text: &[u8]) -> bool {
    ["&#", "&amp;", "&lt;", "&gt;", "&quot;", "&apos;"].iter().any(|entity| text.starts_with(entity.as_bytes()))
}

fn replaced(text: &[u8], old: u8, new: u8) -> Vec<u8> {
    text.iter().map(|byte| if *byte == old { new } else { *byte }).collect()
}
