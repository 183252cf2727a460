//! Text for one line of a terminal: made harmless, measured in columns, cut to fit; times and durations in words.

use std::borrow::Cow;

use jiff::tz::TimeZone;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use crate::observe::Timestamp;

/// Whether a character could move the cursor, switch colours, turn the reading direction of what follows it, hide, or make
/// of its neighbour what terminals do not agree how wide it is (variation selectors, skin tones): then what stood there
/// before would shine through.
pub(crate) fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{1f3fb}'..='\u{1f3ff}' | '\u{e0000}'..='\u{e0fff}')
}

/// The text without anything a terminal would obey: control characters become their pictures (`␛`), tabs and line ends
/// too, invisible and direction-turning characters `·`.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let picture = |c: char| match c {
        '\t' => ' ',
        '\u{0}'..='\u{1f}' => char::from_u32(0x2400 + u32::from(c)).unwrap_or('·'),
        '\u{7f}' => '␡',
        c if is_unsafe(c) => '·',
        c => c,
    };
    Cow::Owned(text.chars().map(picture).collect())
}

/// How many columns a text takes.
pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// The first `most` bytes of a text, or a little less: no character is cut.
pub(crate) fn beginning(text: &str, most: usize) -> &str {
    let most = most.min(text.len());
    // A character has four bytes at most.
    (most.saturating_sub(3)..=most).rev().find_map(|end| text.get(..end)).unwrap_or_default()
}

/// The text, cut at `columns` with an ellipsis where it is longer.
pub(crate) fn fit(text: &str, columns: usize) -> String {
    // Of a very long text only its beginning is looked at.
    let enough = columns.saturating_mul(16).saturating_add(256);
    let head = beginning(text, enough);
    let whole = head.len() == text.len();
    let text = clean(head);
    if whole && text.width() <= columns {
        return text.into_owned();
    }
    let mut cut = String::new();
    let mut used = 0;
    for grapheme in text.graphemes(true) {
        used += grapheme.width();
        if used + 1 > columns {
            break;
        }
        cut.push_str(grapheme);
    }
    if columns > 0 {
        cut.push('…');
    }
    cut
}

/// [`fit`], filled with spaces at the right.
pub(crate) fn pad(text: &str, columns: usize) -> String {
    let mut text = fit(text, columns);
    text.extend(std::iter::repeat_n(' ', columns.saturating_sub(text.width())));
    text
}

/// [`fit`], filled with spaces at the left.
pub(crate) fn pad_left(text: &str, columns: usize) -> String {
    let text = fit(text, columns);
    let fill = columns.saturating_sub(text.width());
    format!("{}{text}", " ".repeat(fill))
}

/// Splits a text after every `columns` columns.
pub(crate) fn chop(text: &str, columns: usize) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut used = 0;
    for grapheme in text.graphemes(true) {
        let wide = grapheme.width();
        if used + wide > columns.max(2) {
            parts.push(String::new());
            used = 0;
        }
        if let Some(last) = parts.last_mut() {
            last.push_str(grapheme);
        }
        used += wide;
    }
    parts
}

/// Whether a text has every word of a filter, whatever their case; a word behind `!` must not be in it.
pub(crate) fn has_words(text: &str, filter: &str) -> bool {
    let text = text.to_lowercase();
    filter.to_lowercase().split_whitespace().all(|word| match word.strip_prefix('!') {
        Some("") => true,
        Some(unwanted) => !text.contains(unwanted),
        None => text.contains(word),
    })
}

/// A duration, as short as it can be read: `812 µs`, `12 ms`, `1.24 s`, `2 m 03 s`.
pub(crate) fn duration(micros: u64) -> String {
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..1_000_000 => format!("{} ms", micros / 1_000),
        1_000_000..60_000_000 => format!("{}.{:02} s", micros / 1_000_000, micros % 1_000_000 / 10_000),
        _ => format!("{} m {:02} s", micros / 60_000_000, micros / 1_000_000 % 60),
    }
}

/// How long ago, in steps coarse enough not to redraw a quiet screen all the time.
pub(crate) fn ago(seconds: i64) -> String {
    match seconds {
        i64::MIN..30 => "now".into(),
        30..120 => format!("{} s ago", seconds / 10 * 10),
        120..7_200 => format!("{} min ago", seconds / 60),
        _ => format!("{} h ago", seconds / 3_600),
    }
}

/// Seconds from `earlier` to `later`.
pub(crate) fn seconds_between(earlier: Timestamp, later: Timestamp) -> i64 {
    later.0.saturating_sub(earlier.0) / 1_000_000
}

/// The time of day in a zone, with a format of `strftime`.
pub(crate) fn time(at: Timestamp, zone: &TimeZone, format: &str) -> String {
    jiff::Timestamp::from_microsecond(at.0)
        .map(|t| t.to_zoned(zone.clone()).strftime(format).to_string())
        .unwrap_or_else(|_| "--:--:--".into())
}

/// An event type that fits: whole, then without `_request`, then without the `_processing` nearly all of them end in.
pub(crate) fn event_type(name: &str, columns: usize) -> String {
    if name.width() <= columns {
        return clean(name).into_owned();
    }
    let shorter = name.replace("_request", "");
    if shorter.width() <= columns {
        return clean(&shorter).into_owned();
    }
    fit(shorter.strip_suffix("_processing").unwrap_or(&shorter), columns)
}

/// A size in the unit that suits it.
pub(crate) fn bytes(n: u64) -> String {
    match n {
        0..1_024 => format!("{n} B"),
        1_024..1_048_576 => format!("{} KiB", n / 1_024),
        1_048_576..1_073_741_824 => format!("{} MiB", n / 1_048_576),
        _ => format!("{}.{} GiB", n >> 30, ((n % (1 << 30)) * 10) >> 30),
    }
}

/// A number as people read it: `1,234,567`.
pub(crate) fn number(n: u64) -> String {
    let digits = n.to_string();
    let begin = digits.len() % 3;
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && at % 3 == begin % 3 {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 failure`, `2 failures`, `2 deliveries`.
pub(crate) fn count(n: usize, noun: &str) -> String {
    match noun.strip_suffix('y').filter(|stem| n != 1 && !stem.ends_with(['a', 'e', 'o'])) {
        Some(stem) => format!("{n} {stem}ies"),
        None => format!("{n} {noun}{}", if n == 1 { "" } else { "s" }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_payload_can_talk_to_the_terminal() {
        let shown = clean("a\u{1b}[31mred\u{7}\r\n\u{9b}2J\u{202e}evil\u{200b}");
        assert!(!shown.chars().any(is_unsafe), "{shown:?}");
        assert_eq!(clean("plain ü 漢字"), "plain ü 漢字");
    }

    #[test]
    fn a_filter_wants_every_word_and_none_behind_an_exclamation_mark() {
        let line = "DB_HOST 127.0.0.1 live";
        for fits in ["", "db", "host LIVE", "!staged", "db !secure", "!"] {
            assert!(has_words(line, fits), "{fits}");
        }
        for fits in ["api", "db api", "!live", "db !host"] {
            assert!(!has_words(line, fits), "{fits}");
        }
    }

    #[test]
    fn wide_and_combining_characters_are_measured_in_columns() {
        assert_eq!(fit("漢字漢字", 5), "漢字…");
        assert_eq!(width(&pad("漢字", 7)), 7);
        assert_eq!(fit("e\u{301}e\u{301}e\u{301}", 2), "e\u{301}…");
        assert_eq!(fit("abc", 0), "");
        assert_eq!(pad_left("ab", 4), "  ab");
    }

    #[test]
    fn sizes_and_numbers_are_read_at_a_glance() {
        assert_eq!([900, 2_048, 5 << 20, 3 << 30].map(bytes), ["900 B", "2 KiB", "5 MiB", "3.0 GiB"]);
        assert_eq!([0, 999, 1_000, 1_234_567].map(number), ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn chopping_loses_nothing() {
        assert_eq!(chop("abcdef漢", 4), ["abcd", "ef漢"]);
        assert_eq!(chop("", 4), [""]);
    }

    #[test]
    fn durations_are_read_at_a_glance() {
        let all: Vec<_> = [0, 812, 12_345, 1_240_000, 123_000_000].into_iter().map(duration).collect();
        assert_eq!(all, ["0 µs", "812 µs", "12 ms", "1.24 s", "2 m 03 s"]);
    }

    #[test]
    fn an_event_type_loses_first_what_tells_least() {
        assert_eq!(event_type("asset_purchase_request_processing", 40), "asset_purchase_request_processing");
        assert_eq!(event_type("asset_purchase_request_processing", 26), "asset_purchase_processing");
        assert_eq!(event_type("asset_purchase_request_processing", 16), "asset_purchase");
        assert_eq!(event_type("asset_purchase_request_validation", 16), "asset_purchase_…");
    }
}
