use std::fmt::Write as _;
use std::io::{self, Write};

use serde::Serialize;
use unicode_width::UnicodeWidthStr;

use super::CliError;
use crate::observe::Timestamp;

/// Prints for a reader or for a program.
#[derive(Debug, Clone, Copy)]
pub(super) struct Output {
    json: bool,
}

impl Output {
    pub(super) fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether a program reads along.
    pub(super) fn is_json(self) -> bool {
        self.json
    }

    /// One object on one line.
    pub(super) fn object<T: Serialize>(self, object: &T) -> Result<(), CliError> {
        self.raw(&(json(object)? + "\n"))
    }

    /// One line for a reader; control characters of what others sent stay harmless.
    pub(super) fn line(self, text: &str) -> Result<(), CliError> {
        self.raw(&(harmless(text) + "\n"))
    }

    /// Whole lines as they are, at once.
    pub(super) fn raw(self, lines: &str) -> Result<(), CliError> {
        let mut out = io::stdout().lock();
        out.write_all(lines.as_bytes())?;
        out.flush()?;
        Ok(())
    }

    /// Aligned columns under a heading; nothing where there are no rows.
    pub(super) fn table(self, heading: &[&str], rows: &[Vec<String>]) -> Result<(), CliError> {
        if rows.is_empty() {
            return Ok(());
        }
        let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(|cell| harmless(cell)).collect()).collect();
        let width = |column: usize, name: &str| {
            rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.width()).chain([name.width()]).max().unwrap_or(0)
        };
        let widths: Vec<usize> = heading.iter().enumerate().map(|(column, name)| width(column, name)).collect();
        let print = |cells: &mut dyn Iterator<Item = &str>| {
            let padded: Vec<String> = cells
                .zip(&widths)
                .map(|(cell, width)| format!("{cell}{}", " ".repeat(width.saturating_sub(cell.width()))))
                .collect();
            self.raw(&(padded.join("  ").trim_end().to_owned() + "\n"))
        };
        print(&mut heading.iter().copied())?;
        for row in &rows {
            print(&mut row.iter().map(String::as_str))?;
        }
        Ok(())
    }
}

/// The first `most` characters of a longer text.
pub(super) fn beginning(text: &str, most: usize) -> Option<&str> {
    text.char_indices().nth(most).and_then(|(at, _)| text.get(..at))
}

/// As JSON, on one line.
pub(super) fn json<T: Serialize>(object: &T) -> Result<String, CliError> {
    serde_json::to_string(object).map_err(|e| CliError::failed(format!("no JSON could be made of it: {e}")))
}

/// Replaces control characters: a payload must not drive the terminal.
fn harmless(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    push_harmless(&mut clean, text);
    clean
}

/// Adds `text`, its control characters replaced.
pub(super) fn push_harmless(to: &mut String, text: &str) {
    to.extend(text.chars().map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c }));
}

/// A moment as a reader's clock shows it, to the millisecond.
pub(super) fn clock(at: Timestamp) -> String {
    jiff::Timestamp::from_microsecond(at.0)
        .map(|t| t.to_zoned(jiff::tz::TimeZone::system()).strftime("%H:%M:%S%.3f").to_string())
        .unwrap_or_else(|_| at.0.to_string())
}

/// A [`clock`] for many moments, most of them in the same second as the one before.
#[derive(Default)]
pub(super) struct Clock {
    second: Option<i64>,
    text: String,
}

impl Clock {
    pub(super) fn write(&mut self, at: Timestamp, to: &mut String) {
        let second = at.0.div_euclid(1_000_000);
        if self.second != Some(second) {
            self.text = clock(at);
            // Without the milliseconds.
            self.text.truncate(self.text.rfind('.').unwrap_or(self.text.len()));
            self.second = Some(second);
        }
        to.push_str(&self.text);
        let _ = write!(to, ".{:03}", at.0.rem_euclid(1_000_000) / 1_000);
    }
}

/// A span of time in the unit that suits it.
pub(super) fn span(micros: u64) -> String {
    match micros {
        0..1_000 => format!("{micros}µs"),
        1_000..1_000_000 => format!("{}.{}ms", micros / 1_000, micros / 100 % 10),
        _ => format!("{}.{:02}s", micros / 1_000_000, micros / 10_000 % 100),
    }
}

/// `1 case`, `2 cases`.
pub(super) fn count(n: usize, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

/// Says on stderr what went wrong.
pub(super) fn complain(error: &CliError) {
    if !matches!(error, CliError::Told | CliError::Quiet) {
        let _ = writeln!(io::stderr(), "connect-console: {}", harmless(&error.to_string()));
    }
}

/// A remark on stderr that is no error.
pub(super) fn remark(text: &str) {
    let _ = writeln!(io::stderr(), "{}", harmless(text));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_cannot_drive_the_terminal() {
        assert_eq!(harmless("a\x1b[31mb\r\n"), "a\u{fffd}[31mb\u{fffd}\u{fffd}");
    }

    #[test]
    fn a_clock_for_many_moments_shows_each_as_it_would_be_shown_alone() {
        let mut many = Clock::default();
        for at in [0, 999, 1_000, 999_999, 1_000_000, 1_700_000_000_123_456, 1_700_000_000_999_999, 1_700_000_001_000_000] {
            let mut shown = String::new();
            many.write(Timestamp(at), &mut shown);
            assert_eq!(shown, clock(Timestamp(at)));
        }
    }

    #[rstest::rstest]
    #[case(0, "0µs")]
    #[case(999, "999µs")]
    #[case(1_250, "1.2ms")]
    #[case(61_234_567, "61.23s")]
    fn a_span_is_shown_in_the_unit_that_suits_it(#[case] micros: u64, #[case] shown: &str) {
        assert_eq!(span(micros), shown);
    }
}
