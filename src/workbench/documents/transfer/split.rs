//! The documents of a text: one a line, one after the other over several lines, or an array of them.

use std::io::BufRead;

/// More than MongoDB stores in one document; a text that goes on longer is no document.
const LARGEST: usize = 64 << 20;

/// Gives the documents of a text with the line each begins on.
pub(super) struct Documents<R> {
    input: R,
    line: u64,
    /// What is left of the line that is being read.
    rest: String,
}

impl<R: BufRead> Documents<R> {
    pub(super) fn of(input: R) -> Self {
        Self { input, line: 0, rest: String::new() }
    }

    fn read_line(&mut self) -> Result<bool, String> {
        self.rest.clear();
        let mut bytes = Vec::new();
        let got = self.input.read_until(b'\n', &mut bytes).map_err(|e| format!("the file can't be read: {e}"))?;
        self.line += 1;
        self.rest = String::from_utf8(bytes).map_err(|_| "this line is no UTF-8".to_owned())?;
        Ok(got > 0)
    }

    /// The next document, as text.
    pub(super) fn next(&mut self) -> Option<(u64, Result<String, String>)> {
        let blank = |c: char| c.is_whitespace() || matches!(c, ',' | '[' | ']' | '\u{feff}');
        loop {
            let trimmed = self.rest.trim_start_matches(blank);
            if !trimmed.is_empty() {
                self.rest = trimmed.to_owned();
                break;
            }
            match self.read_line() {
                Ok(true) => {}
                Ok(false) => return None,
                Err(why) => return Some((self.line, Err(why))),
            }
        }
        let begun = self.line;
        Some((begun, self.document()))
    }

    fn document(&mut self) -> Result<String, String> {
        if !self.rest.starts_with('{') {
            // No document; the rest of the line is told and passed over.
            return Ok(std::mem::take(&mut self.rest).trim_end().to_owned());
        }
        let (mut text, mut depth, mut quote, mut escaped) = (String::new(), 0_u32, None, false);
        loop {
            let mut end = None;
            for (at, c) in self.rest.char_indices() {
                match (quote, c) {
                    _ if escaped => escaped = false,
                    (Some(_), '\\') => escaped = true,
                    (Some(open), c) if c == open => quote = None,
                    (Some(_), _) => {}
                    (None, '"' | '\'') => quote = Some(c),
                    (None, '{') => depth += 1,
                    (None, '}') => {
                        depth = depth.saturating_sub(1);
                        if depth == 0 {
                            end = Some(at + 1);
                            break;
                        }
                    }
                    _ => {}
                }
            }
            match end {
                Some(end) => {
                    text.push_str(self.rest.get(..end).unwrap_or_default());
                    self.rest = self.rest.get(end..).unwrap_or_default().to_owned();
                    return Ok(text);
                }
                None => text.push_str(&self.rest),
            }
            // A line that is a document but for its end, followed by another: that line is wrong, not all that follow.
            let one_a_line = text.lines().count() == 1 && text.trim_end().len() > 1;
            let more = self.read_line()?;
            if !more || (one_a_line && self.rest.starts_with('{')) {
                return Ok(text.trim_end().to_owned());
            }
            if text.len() > LARGEST {
                return Err("this document never ends".into());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn split(text: &str) -> Vec<(u64, String)> {
        let mut documents = Documents::of(text.as_bytes());
        std::iter::from_fn(|| documents.next()).map(|(line, text)| (line, text.unwrap())).collect()
    }

    #[rstest]
    #[case("{\"a\":1}\n\n{\"a\":2}\n", &[(1, "{\"a\":1}"), (3, "{\"a\":2}")])]
    #[case("[{\"a\":1},{\"a\":\"}\"}]", &[(1, "{\"a\":1}"), (1, "{\"a\":\"}\"}")])]
    #[case("[\n  {\n    \"a\": {}\n  },\n  {}\n]\n", &[(2, "{\n    \"a\": {}\n  }"), (5, "{}")])]
    #[case("{a: 1\n{a: 2}\nnonsense\n{a: 3}", &[(1, "{a: 1"), (2, "{a: 2}"), (3, "nonsense"), (4, "{a: 3}")])]
    #[case("{a: 'it\\'s {'}", &[(1, "{a: 'it\\'s {'}")])]
    #[case("", &[])]
    fn every_document_is_found_with_its_line(#[case] text: &str, #[case] expected: &[(u64, &str)]) {
        let expected: Vec<_> = expected.iter().map(|(line, text)| (*line, (*text).to_owned())).collect();
        assert_eq!(split(text), expected);
    }
}
