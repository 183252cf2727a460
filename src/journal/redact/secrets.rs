use std::collections::HashMap;

use aho_corasick::{AhoCorasick, MatchKind};
use base64::Engine;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{Config, GeneralPurpose, GeneralPurposeConfig};
use serde_json::{Map, Value};

use super::sieve::{NAMES_ONLY, Sieve};
use super::view::View;
use super::{names, placeholder};
use crate::observe::Body;

/// Below this many characters a secret is only recognised where it is the whole text: it would be found everywhere.
const SHORTEST: usize = 4;

/// Known secrets, ready to be searched for.
#[derive(Default)]
pub(super) struct Secrets {
    /// Name and value, in the order they were learnt.
    known: Vec<(String, String)>,
    /// Forms to search for, as far as they are in `search`.
    forms: Vec<Form>,
    search: Option<AhoCorasick>,
    /// Short ones, in the forms they can have as a whole text.
    whole: HashMap<Vec<u8>, usize>,
    sieve: Option<Sieve>,
}

/// One form of a secret.
struct Form {
    /// Which secret.
    secret: usize,
    text: Vec<u8>,
    /// In base64: the characters before and after which hold a part of it.
    beside: Option<(usize, usize)>,
}

/// A place in a text that must go, and the secret that is there.
struct Hit {
    start: usize,
    end: usize,
    secret: usize,
}

impl Secrets {
    /// These and one more; `None` where that is none, or known already.
    pub(super) fn with(&self, name: &str, value: &str) -> Option<Self> {
        if value.is_empty() || value.starts_with("«secret:") || self.known.iter().any(|(_, known)| known == value) {
            return None;
        }
        let mut known = self.known.clone();
        known.push((name.to_owned(), value.to_owned()));
        let mut all = Self { known, ..Self::default() };
        for (secret, (_, value)) in all.known.iter().enumerate() {
            if value.chars().count() < SHORTEST {
                all.whole.insert(value.clone().into_bytes(), secret);
                all.whole.extend(engines().map(|engine| (engine.encode(value).into_bytes(), secret)));
            } else {
                all.forms.extend(forms(secret, value));
                lines(value).for_each(|line| all.forms.extend(forms(secret, line)));
            }
        }
        let texts = all.forms.iter().map(|form| &form.text);
        all.search = AhoCorasick::builder().match_kind(MatchKind::Standard).build(texts).ok();
        all.sieve = Some(Sieve::new(all.forms.iter().map(|form| form.text.as_slice()), all.whole.keys().map(Vec::as_slice)));
        Some(all)
    }

    /// Whether there may be a secret in a piece of JSON as `serde_json` writes it, without blanks: a quick look that may
    /// suspect too much, never too little. Where a name makes it suspect, what is beside the name decides: a password that
    /// is not set yet is no secret, and products have many.
    pub(super) fn suspects(&self, json: &[u8]) -> bool {
        self.sieve.as_ref().unwrap_or(&NAMES_ONLY).suspects(json)
    }

    pub(super) fn texts<'a>(&self, texts: impl IntoIterator<Item = &'a mut String>) {
        texts.into_iter().for_each(|text| self.text(text));
    }

    /// Takes the secrets out of a text.
    pub(super) fn text(&self, text: &mut String) {
        if let Some(clean) = names::in_text(text) {
            *text = clean;
        }
        if let Some(clean) = self.without_known(text, true) {
            *text = clean;
        }
    }

    /// Takes the secrets out of all keys and texts in a JSON value.
    pub(super) fn value(&self, value: &mut Value) {
        match value {
            Value::String(text) => self.text(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.value(item)),
            Value::Object(map) => self.object(map),
            Value::Number(number) => {
                if let Some(name) = self.digits(&number.to_string()) {
                    *value = placeholder(name).into();
                }
            }
            Value::Null | Value::Bool(_) => {}
        }
    }

    /// The same for one that is not read yet.
    pub(super) fn body(&self, body: &mut Body) {
        let mut value = std::mem::take(body).into_value();
        self.value(&mut value);
        *body = value.into();
    }

    /// The name of a secret that consists of these digits: some write it as a number.
    fn digits(&self, number: &str) -> Option<&str> {
        let same = |(_, value): &&(String, String)| value == number && number.len() >= SHORTEST;
        self.known.iter().find(same).map(|(name, _)| name.as_str())
    }

    /// Puts the latest secret of each name back where its placeholder stands.
    pub(super) fn restore(&self, value: &mut Value) {
        match value {
            Value::String(text) => {
                for (name, secret) in self.known.iter().rev() {
                    if text.contains("«secret:") {
                        *text = text.replace(&placeholder(name), secret);
                    }
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.restore(item)),
            Value::Object(map) => map.values_mut().for_each(|value| self.restore(value)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn object(&self, map: &mut Map<String, Value>) {
        names::in_object(map);
        map.values_mut().for_each(|value| self.value(value));
        if map.keys().any(|key| self.without_known(key, false).is_some()) {
            *map = std::mem::take(map)
                .into_iter()
                .map(|(key, value)| (self.without_known(&key, false).unwrap_or(key), value))
                .collect();
        }
    }

    /// The text with placeholders; `None` where there is no secret in it. Keys are too short to be a whole secret text:
    /// `id` is a key far more often than a password.
    fn without_known(&self, text: &str, short: bool) -> Option<String> {
        if self.known.is_empty() || text.is_empty() {
            return None;
        }
        let encoded = text.bytes().any(|byte| matches!(byte, b'\\' | b'%' | b'+' | b'&'));
        let mut hits = Vec::new();
        if encoded {
            View::all(text).iter().for_each(|view| self.find(view, short, &mut hits));
        } else if self.search.as_ref().is_some_and(|search| search.is_match(text)) || self.is_whole(text.as_bytes(), short) {
            self.find(&View::plain(text), short, &mut hits);
        }
        hits.retain(|hit| !self.is_placeholder(text, hit));
        (!hits.is_empty()).then(|| self.replaced(text, hits))
    }

    fn is_whole(&self, text: &[u8], short: bool) -> bool {
        short && self.whole.contains_key(text)
    }

    fn find(&self, view: &View, short: bool, hits: &mut Vec<Hit>) {
        let mut hit = |start, end, secret| {
            if let Some((start, end)) = view.original(start, end) {
                hits.push(Hit { start, end, secret });
            }
        };
        if let Some(secret) = self.whole.get(&view.bytes).filter(|_| short) {
            hit(0, view.bytes.len(), *secret);
        }
        let found = self.search.as_ref().and_then(|search| search.try_find_overlapping_iter(&view.bytes).ok());
        for found in found.into_iter().flatten() {
            if let Some(form) = self.forms.get(found.pattern().as_usize()) {
                let (start, end) = form.widened(&view.bytes, found.start(), found.end());
                hit(start, end, form.secret);
            }
        }
    }

    /// Whether a hit lies inside a placeholder that is already there: somebody's password is the word `secret`.
    fn is_placeholder(&self, text: &str, hit: &Hit) -> bool {
        let start = text.get(..hit.start).and_then(|before| before.rfind('«'));
        start.is_some_and(|start| {
            self.known.iter().any(|(name, _)| {
                let there = placeholder(name);
                start + there.len() >= hit.end && text.get(start..).is_some_and(|rest| rest.starts_with(&there))
            })
        })
    }

    /// Puts placeholders where the hits are. Hits that overlap become one, named after the longest.
    fn replaced(&self, text: &str, mut hits: Vec<Hit>) -> String {
        hits.sort_by_key(|hit| (hit.start, std::cmp::Reverse(hit.end)));
        let mut merged: Vec<(Hit, usize)> = Vec::new();
        for hit in hits {
            let length = hit.end - hit.start;
            match merged.last_mut().filter(|(last, _)| hit.start < last.end) {
                Some((last, longest)) => {
                    last.end = last.end.max(hit.end);
                    if length > *longest {
                        (last.secret, *longest) = (hit.secret, length);
                    }
                }
                None => merged.push((hit, length)),
            }
        }
        let mut clean = String::with_capacity(text.len());
        let mut here = 0;
        for (hit, _) in merged {
            clean.push_str(text.get(here..hit.start).unwrap_or_default());
            clean.push_str(&self.known.get(hit.secret).map_or_else(String::new, |(name, _)| placeholder(name)));
            here = hit.end;
        }
        clean.push_str(text.get(here..).unwrap_or_default());
        clean
    }
}

impl Form {
    /// The match, and in base64 the characters beside it that hold a part of the secret.
    fn widened(&self, bytes: &[u8], mut start: usize, mut end: usize) -> (usize, usize) {
        let Some((before, after)) = self.beside else { return (start, end) };
        let is = |at: usize, padding: bool| {
            bytes.get(at).is_some_and(|b| {
                if padding { *b == b'=' } else { b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'-' | b'_') }
            })
        };
        for _ in 0..before {
            start -= usize::from(start > 0 && is(start - 1, false));
        }
        for _ in 0..after {
            end += usize::from(is(end, false));
        }
        for _ in 0..2 {
            end += usize::from(is(end, true));
        }
        (start, end)
    }
}

fn engines() -> impl Iterator<Item = GeneralPurpose> {
    let config = GeneralPurposeConfig::new;
    [&STANDARD, &URL_SAFE]
        .into_iter()
        .flat_map(move |alphabet| [true, false].map(|pad| GeneralPurpose::new(alphabet, config().with_encode_padding(pad))))
}

/// The lines of a secret of several: what is printed arrives line by line. A line that says little, or what stands in every
/// key (`-----BEGIN PRIVATE KEY-----`), is left. Some keep the ends of lines as `\n`.
fn lines(value: &str) -> impl Iterator<Item = &str> {
    const LINE: usize = 12;
    let several = value.contains('\n') || value.contains("\\n");
    let all = value.split('\n').flat_map(|line| line.split("\\n")).map(str::trim);
    all.filter(move |line| several && line.chars().count() >= LINE && !line.starts_with("-----"))
}

/// All that is searched for of one text.
fn forms(secret: usize, text: &str) -> Vec<Form> {
    let mut forms = vec![Form { secret, text: text.as_bytes().to_vec(), beside: None }];
    forms.extend(in_hexadecimal(secret, text.as_bytes()));
    // Base64 hides how what is in it was written: as it is, or as in JSON, where some write ASCII only.
    let json = serde_json::to_string(text).unwrap_or_default();
    let json = json.get(1..json.len().saturating_sub(1)).unwrap_or_default();
    let ascii = in_ascii(json);
    let mut written = vec![text, json, ascii.as_str()];
    written.dedup();
    for text in written {
        for form in inside_base64(secret, text.as_bytes()) {
            if !forms.iter().any(|known| known.text == form.text) {
                forms.push(form);
            }
        }
    }
    forms
}

/// The inside of a JSON text with everything else than ASCII escaped.
fn in_ascii(json: &str) -> String {
    let mut ascii = String::with_capacity(json.len());
    for unit in json.encode_utf16() {
        match u8::try_from(unit) {
            Ok(byte) if byte.is_ascii() => ascii.push(byte.into()),
            _ => ascii.push_str(&format!("\\u{unit:04x}")),
        }
    }
    ascii
}

/// A secret as the digits of its bytes, small and capital.
fn in_hexadecimal(secret: usize, value: &[u8]) -> [Form; 2] {
    let small: String = value.iter().map(|byte| format!("{byte:02x}")).collect();
    [small.to_ascii_uppercase(), small].map(|digits| Form { secret, text: digits.into_bytes(), beside: None })
}

/// What of a secret is the same in base64 wherever it begins: bytes come in threes, so there are three ways to begin, in
/// two alphabets. The characters at both ends that also depend on the neighbours are left out.
fn inside_base64(secret: usize, value: &[u8]) -> Vec<Form> {
    let mut forms: Vec<Form> = Vec::new();
    for engine in engines().filter(|engine| !engine.config().encode_padding()) {
        // How many bytes stand before it, the first character that is wholly its own, and how many before that are partly.
        for (ahead, first, before) in [(0, 0, 0), (1, 2, 1), (2, 3, 1)] {
            let bytes: Vec<u8> = std::iter::repeat_n(0, ahead).chain(value.iter().copied()).collect();
            let encoded = engine.encode(&bytes).into_bytes();
            let after = usize::from(!bytes.len().is_multiple_of(3));
            let Some(text) = encoded.get(first..encoded.len() - after).map(<[u8]>::to_vec) else { continue };
            if text.len() >= SHORTEST && !forms.iter().any(|form| form.text == text) {
                forms.push(Form { secret, text, beside: Some((before, after)) });
            }
        }
    }
    forms
}
