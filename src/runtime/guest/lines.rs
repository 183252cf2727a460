//! Lines out of a pipe, fit to be shown.

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, BufReader};
use tokio::sync::mpsc;

use crate::observe::Timestamp;

/// A longer line comes in pieces.
const LONGEST: usize = 64 << 10;

/// A line and when it came.
pub(super) struct Line {
    pub(super) at: Timestamp,
    pub(super) text: String,
}

/// Sends the lines of `pipe` until it ends. Where nobody takes them the writer waits: nothing piles up.
pub(super) async fn read(pipe: impl AsyncRead + Unpin, lines: mpsc::Sender<Line>) {
    let mut pipe = BufReader::new(pipe);
    while let Some(bytes) = next(&mut pipe).await {
        let line = Line { at: Timestamp::now(), text: clean(&String::from_utf8_lossy(&bytes)) };
        if lines.send(line).await.is_err() {
            return;
        }
    }
}

async fn next(pipe: &mut (impl AsyncBufRead + Unpin)) -> Option<Vec<u8>> {
    let mut line = Vec::new();
    loop {
        // A pipe that breaks has ended.
        let there = pipe.fill_buf().await.ok()?;
        if there.is_empty() {
            return (!line.is_empty()).then_some(line);
        }
        let room = LONGEST - line.len();
        let end = there.iter().take(room).position(|byte| *byte == b'\n');
        let taken = end.unwrap_or(there.len().min(room));
        line.extend(there.iter().take(taken));
        pipe.consume(taken + usize::from(end.is_some()));
        if end.is_some() || line.len() >= LONGEST {
            return Some(line);
        }
    }
}

/// The text as a terminal would leave it: without escape sequences and control characters, tabs as spaces, of a line that
/// was written over its last state.
fn clean(text: &str) -> String {
    let text = text.trim_end();
    let text = text.rsplit('\r').next().unwrap_or(text);
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match c {
            '\t' => out.push_str("    "),
            '\u{1b}' => skip_escape(&mut rest),
            // What follows is the same as after ESC [.
            '\u{9b}' => skip_control_sequence(&mut rest),
            c if c.is_control() || is_reordering(c) => {}
            c => out.push(c),
        }
    }
    out
}

fn skip_escape(rest: &mut std::str::Chars<'_>) {
    match rest.next() {
        Some('[') => skip_control_sequence(rest),
        // A title or a link: up to the bell, or to ESC \.
        Some(']' | 'P' | '_' | '^' | 'X') => {
            while let Some(c) = rest.next() {
                match c {
                    '\u{7}' | '\u{9c}' => return,
                    '\u{1b}' => {
                        rest.next();
                        return;
                    }
                    _ => {}
                }
            }
        }
        // Of a character set: one more.
        Some('(' | ')' | '*' | '+') => {
            rest.next();
        }
        _ => {}
    }
}

fn skip_control_sequence(rest: &mut std::str::Chars<'_>) {
    rest.find(|c| ('\u{40}'..='\u{7e}').contains(c));
}

/// Characters that let a line look like another one.
fn is_reordering(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("plain", "plain")]
    #[case("\u{1b}[31mred\u{1b}[0m text", "red text")]
    #[case("\u{1b}]0;title\u{7}after", "after")]
    #[case("\u{1b}]8;;http://x\u{1b}\\link\u{1b}]8;;\u{1b}\\", "link")]
    #[case("10%\r20%\r30%", "30%")]
    #[case("a\tb", "a    b")]
    #[case("bell\u{7} null\u{0}", "bell null")]
    #[case("windows\r", "windows")]
    #[case("abc\u{202e}def", "abcdef")]
    #[case("\u{1b}", "")]
    fn what_a_terminal_would_obey_is_taken_out(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(clean(text), expected);
    }

    proptest! {
        #[test]
        fn no_control_character_gets_through(text in ".*") {
            prop_assert!(!clean(&text).chars().any(char::is_control));
        }
    }

    #[tokio::test]
    async fn every_line_comes_and_a_long_one_in_pieces() {
        let long = "x".repeat(LONGEST + 10);
        let text = format!("one\n\n{long}\nlast");
        let (sender, mut receiver) = mpsc::channel(100);
        read(text.as_bytes(), sender).await;
        let mut lengths = Vec::new();
        while let Some(line) = receiver.recv().await {
            lengths.push(line.text.len());
        }
        assert_eq!(lengths, [3, 0, LONGEST, 10, 4]);
    }
}
