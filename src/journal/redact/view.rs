//! A text read as what it encodes, with the way back: each byte knows where in the original it comes from.

/// Bytes, and for each the place in the original where it begins; one place more for the end.
pub(super) struct View {
    pub(super) bytes: Vec<u8>,
    at: Vec<usize>,
}

impl View {
    /// The text as it stands.
    pub(super) fn plain(text: &str) -> Self {
        Self { bytes: text.as_bytes().to_vec(), at: (0..=text.len()).collect() }
    }

    /// Where `start..end` of this view is in the original.
    pub(super) fn original(&self, start: usize, end: usize) -> Option<(usize, usize)> {
        Some((*self.at.get(start)?, *self.at.get(end)?))
    }

    /// All readings of a text in which a secret could hide: as it stands, unescaped up to three times (JSON in JSON in
    /// JSON; the last time also as the bytes of Python), as HTML, each of them percent-decoded once or twice, with `+` as
    /// itself and as a blank.
    pub(super) fn all(text: &str) -> Vec<Self> {
        let mut views = vec![Self::plain(text)];
        for level in 0..3 {
            match views.get(level).and_then(|view| view.unescaped(false)) {
                Some(view) => views.push(view),
                None => break,
            }
        }
        let otherwise: Vec<_> = views.iter().flat_map(|view| [view.unescaped(true), view.html()]).flatten().collect();
        views.extend(otherwise);
        let decoded: Vec<_> = views.iter().flat_map(|view| [view.percent(false), view.percent(true)]).flatten().collect();
        let twice: Vec<_> = decoded.iter().filter_map(|view| view.percent(false)).collect();
        views.extend(decoded);
        views.extend(twice);
        views
    }

    /// Backslash escapes of JSON, and `\xNN` of Python, undone: that is a character of a text, or a byte of bytes. The latter
    /// is only worth a reading where there is one.
    fn unescaped(&self, bytes: bool) -> Option<Self> {
        let begins: &[u8] = if bytes { br"\x" } else { br"\" };
        self.bytes.windows(begins.len()).any(|window| window == begins).then(|| {
            self.decoded(|rest| {
                let (b'\\', escape) = (*rest.first()?, *rest.get(1)?) else { return None };
                let one = |byte| Some((2, vec![byte]));
                match escape {
                    b'n' => one(b'\n'),
                    b't' => one(b'\t'),
                    b'r' => one(b'\r'),
                    b'b' => one(8),
                    b'f' => one(12),
                    b'u' => unicode(rest),
                    b'x' if bytes => Some((4, vec![u8::try_from(hex(rest.get(2..4)?)?).ok()?])),
                    b'x' => hex(rest.get(2..4)?).map(|byte| (4, utf8(byte))),
                    other if other.is_ascii_punctuation() => one(other),
                    _ => None,
                }
            })
        })
    }

    /// `&amp;`, `&quot;` and the like undone, and characters by their number.
    fn html(&self) -> Option<Self> {
        const LONGEST: usize = 10;
        self.bytes.contains(&b'&').then(|| {
            self.decoded(|rest| {
                let name = rest.strip_prefix(b"&")?;
                let length = name.iter().take(LONGEST).position(|byte| *byte == b';')?;
                let meant = match name.get(..length)? {
                    b"amp" => b"&".to_vec(),
                    b"lt" => b"<".to_vec(),
                    b"gt" => b">".to_vec(),
                    b"quot" => b"\"".to_vec(),
                    b"apos" => b"'".to_vec(),
                    [b'#', b'x' | b'X', digits @ ..] => utf8(hex(digits)?),
                    [b'#', digits @ ..] => utf8(std::str::from_utf8(digits).ok()?.parse().ok()?),
                    _ => return None,
                };
                Some((length + 2, meant))
            })
        })
    }

    /// `%XX` undone, and with `plus` also `+` for a blank.
    fn percent(&self, plus: bool) -> Option<Self> {
        let wanted = if plus { b'+' } else { b'%' };
        self.bytes.contains(&wanted).then(|| {
            self.decoded(|rest| match *rest.first()? {
                b'%' => hex(rest.get(1..3)?).and_then(|byte| Some((3, vec![u8::try_from(byte).ok()?]))),
                b'+' if plus => Some((1, vec![b' '])),
                _ => None,
            })
        })
    }

    /// Reads with `decode`, which says how many bytes the escape at the beginning has and what they mean.
    fn decoded(&self, decode: impl Fn(&[u8]) -> Option<(usize, Vec<u8>)>) -> Self {
        let mut view = Self { bytes: Vec::with_capacity(self.bytes.len()), at: Vec::with_capacity(self.at.len()) };
        let mut here = 0;
        while let (Some(rest), Some(place)) = (self.bytes.get(here..).filter(|rest| !rest.is_empty()), self.at.get(here)) {
            let (length, meant) = decode(rest).unwrap_or_else(|| (1, rest.iter().copied().take(1).collect()));
            view.at.extend(std::iter::repeat_n(*place, meant.len()));
            view.bytes.extend(meant);
            here += length;
        }
        view.at.extend(self.at.last());
        view
    }
}

fn hex(digits: &[u8]) -> Option<u32> {
    let digits = std::str::from_utf8(digits).ok().filter(|text| text.bytes().all(|b| b.is_ascii_hexdigit()))?;
    u32::from_str_radix(digits, 16).ok()
}

fn utf8(code: u32) -> Vec<u8> {
    char::from_u32(code).map(|c| c.to_string().into_bytes()).unwrap_or_default()
}

/// `\uXXXX`, or the two that make a character beyond the basic plane.
fn unicode(rest: &[u8]) -> Option<(usize, Vec<u8>)> {
    let high = hex(rest.get(2..6)?)?;
    if (0xd800..0xdc00).contains(&high) && rest.get(6..8) == Some(br"\u") {
        let low = hex(rest.get(8..12)?)?;
        if (0xdc00..0xe000).contains(&low) {
            return Some((12, utf8(0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00))));
        }
    }
    char::from_u32(high).map(|c| (6, c.to_string().into_bytes()))
}
