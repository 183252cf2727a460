//! Regular expressions are PCRE's in MongoDB, and the crates that search here have dialects of their own: this writes one
//! anew so that it means the same to them.
//!
//! `\d`, `\w`, `\s` and `\b` know ASCII only; in a class `[`, `&&`, `~~` and `--` are characters; a `{` that begins no
//! repetition is one, too; `$` also matches before a newline at the end. What PCRE has and the crates have not is refused by
//! name.

mod classes;

use super::super::error::{Code, CommandError};

/// An expression in the dialect of the crates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Translated {
    pub(super) text: String,
    /// Whether it looks around or back, which only `fancy_regex` can.
    pub(super) looks_around: bool,
    /// Whether a newline at the end of what is searched matters.
    pub(super) minds_last_line: bool,
}

/// Writes an expression anew: for `regex`, which takes the end of a text for the end of its last line, or exactly, for
/// `fancy_regex`.
///
/// # Errors
/// 51108 for an option, 51091 for a mistake; `NotImplemented`.
pub(super) fn translate(source: &str, options: &str, exactly: bool) -> Result<Translated, CommandError> {
    let mut translator = Translator {
        rest: source,
        exactly,
        out: Translated { text: String::new(), looks_around: exactly, minds_last_line: false },
        modes: Modes::default(),
        groups: Vec::new(),
        captures: 0,
        atom: None,
        quoting: false,
    };
    for option in options.chars() {
        match option {
            'm' => translator.modes.lines = true,
            'x' => translator.modes.spaced = true,
            'i' | 's' => translator.out.text.push_str(&format!("(?{option})")),
            'u' => {}
            other => {
                let message = format!(" invalid flag in regex options: {other}");
                return Err(CommandError::new(Code::location(51108), message));
            }
        }
    }
    translator.whole()?;
    Ok(translator.out)
}

pub(super) fn invalid(why: impl std::fmt::Display) -> CommandError {
    let message = format!("Regular expression is invalid: {why}").replace('\n', " ");
    CommandError::new(Code::location(51091), message)
}

fn unsupported(what: &str) -> CommandError {
    CommandError::not_implemented(&format!("{what} in a regular expression"))
}

#[derive(Debug, Clone, Copy, Default)]
struct Modes {
    /// `^` and `$` at every line.
    lines: bool,
    /// Blanks and comments do not count.
    spaced: bool,
    /// `\d` and the like know Unicode.
    unicode: bool,
}

struct Translator<'a> {
    rest: &'a str,
    exactly: bool,
    out: Translated,
    modes: Modes,
    /// The open groups: the modes around each, and where it begins.
    groups: Vec<(Modes, usize)>,
    captures: usize,
    /// Where what a repetition would repeat begins.
    atom: Option<usize>,
    /// Between `\Q` and `\E`.
    quoting: bool,
}

/// One position of a class, or an escape outside of one.
enum Item {
    Char(char),
    /// What stands between the brackets of a class, and whether it is the opposite of it.
    Set(String, bool),
    Property(String),
    Nothing,
}

impl Translator<'_> {
    fn next(&mut self) -> Option<char> {
        let next = self.rest.chars().next()?;
        self.rest = self.rest.get(next.len_utf8()..).unwrap_or_default();
        Some(next)
    }

    fn take(&mut self, expected: &str) -> bool {
        match self.rest.strip_prefix(expected) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn until(&mut self, end: &str) -> Option<String> {
        let (inner, rest) = self.rest.split_once(end)?;
        self.rest = rest;
        Some(inner.to_owned())
    }

    fn emit(&mut self, text: &str) {
        self.atom = Some(self.out.text.len());
        self.out.text.push_str(text);
    }

    fn literal(&mut self, letter: char) {
        self.emit(&regex::escape(letter.encode_utf8(&mut [0; 4])));
    }

    fn around(&mut self, text: &str) {
        self.out.looks_around = true;
        self.emit(text);
    }

    fn whole(&mut self) -> Result<(), CommandError> {
        loop {
            match () {
                () if self.take("(*UTF8)") || self.take("(*UTF)") => {}
                () if self.take("(*UCP)") => self.modes.unicode = true,
                () => break,
            }
        }
        while let Some(letter) = self.next() {
            if self.quoting {
                if letter == '\\' && self.take("E") {
                    self.quoting = false;
                } else {
                    self.literal(letter);
                }
                continue;
            }
            match letter {
                '\\' => self.escape()?,
                '[' => self.class()?,
                '(' => self.group()?,
                ')' => {
                    let (modes, begin) = self.groups.pop().ok_or_else(|| invalid("unmatched closing parenthesis"))?;
                    self.out.text.push(')');
                    (self.modes, self.atom) = (modes, Some(begin));
                }
                '|' => {
                    self.out.text.push('|');
                    self.atom = None;
                }
                '^' => self.line_begin(),
                '$' if self.modes.lines => self.emit("(?m:$)"),
                '$' => self.last_end(),
                '.' => self.emit("."),
                '*' | '+' | '?' => self.repeated(&letter.to_string())?,
                '{' => match self.bounds() {
                    Some(bounds) => self.repeated(&bounds)?,
                    None => self.literal('{'),
                },
                blank if self.modes.spaced && blank.is_ascii_whitespace() => {}
                '#' if self.modes.spaced => {
                    if self.until("\n").is_none() {
                        self.rest = "";
                    }
                }
                other => self.literal(other),
            }
        }
        if self.groups.is_empty() { Ok(()) } else { Err(invalid("missing closing parenthesis")) }
    }

    fn line_begin(&mut self) {
        if !self.modes.lines {
            return self.emit(r"\A");
        }
        self.out.minds_last_line = true;
        self.emit(if self.exactly { r"(?:\A|(?<=\n)(?!\z))" } else { "(?m:^)" });
    }

    fn last_end(&mut self) {
        self.out.minds_last_line = true;
        self.emit(if self.exactly { r"(?=\n?\z)" } else { r"\z" });
    }

    /// The bounds of a repetition after its `{`; without them it is a character.
    fn bounds(&mut self) -> Option<String> {
        let (inner, rest) = self.rest.split_once('}')?;
        let (least, most) = inner.split_once(',').unwrap_or((inner, ""));
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if least.is_empty() || !digits(least) || !digits(most) {
            return None;
        }
        self.rest = rest;
        Some(format!("{{{inner}}}"))
    }

    fn repeated(&mut self, times: &str) -> Result<(), CommandError> {
        let atom = self.atom.ok_or_else(|| invalid("quantifier does not follow a repeatable item"))?;
        self.out.text.push_str(times);
        if self.take("?") {
            self.out.text.push('?');
        } else if self.take("+") {
            self.out.text.insert_str(atom, "(?>");
            self.out.text.push(')');
            self.out.looks_around = true;
        }
        Ok(())
    }

    fn open(&mut self, text: &str) {
        self.groups.push((self.modes, self.out.text.len()));
        self.out.text.push_str(text);
        self.atom = None;
    }

    fn group(&mut self) -> Result<(), CommandError> {
        if self.rest.starts_with('*') {
            return Err(unsupported("(*VERB)"));
        }
        if !self.take("?") {
            self.captures += 1;
            self.open("(");
            return Ok(());
        }
        if self.take("#") {
            return self.until(")").map(drop).ok_or_else(|| invalid("missing ) after (?# comment"));
        }
        for looking in ["=", "!", "<=", "<!", ">"] {
            if self.take(looking) {
                self.out.looks_around = true;
                self.open(&format!("(?{looking}"));
                return Ok(());
            }
        }
        if self.take("P=") {
            let name = self.until(")").ok_or_else(|| invalid("missing ) after the name of a group"))?;
            self.around(&format!(r"\k<{name}>"));
            return Ok(());
        }
        for (begin, end) in [("P<", ">"), ("<", ">"), ("'", "'")] {
            if self.take(begin) {
                let name = self.until(end).ok_or_else(|| invalid("syntax error in subpattern name"))?;
                self.captures += 1;
                self.open(&format!("(?P<{name}>"));
                return Ok(());
            }
        }
        self.modes_of_group()
    }

    /// `(?i)`, `(?i-s:...)`, `(?:...)`.
    fn modes_of_group(&mut self) -> Result<(), CommandError> {
        let (mut modes, mut kept, mut on) = (self.modes, String::new(), true);
        loop {
            match self.next() {
                Some('m') => modes.lines = on,
                Some('x') => modes.spaced = on,
                Some(mode @ ('i' | 's' | 'U')) => kept.push(mode),
                Some('-') if on => {
                    on = false;
                    kept.push('-');
                }
                Some(end @ (')' | ':')) => {
                    let kept = kept.trim_end_matches('-');
                    if end == ':' {
                        self.open(&format!("(?{kept}:"));
                    } else if !kept.is_empty() {
                        self.out.text.push_str(&format!("(?{kept})"));
                    }
                    self.modes = modes;
                    return Ok(());
                }
                Some('|') => return Err(unsupported("(?|")),
                Some('R' | '&' | '+' | '0'..='9' | 'P') => return Err(unsupported("calling a group")),
                Some('(') => return Err(unsupported("a condition")),
                Some(mode @ ('n' | 'J' | '^' | 'C')) => return Err(unsupported(&format!("(?{mode}"))),
                _ => return Err(invalid("unrecognized character after (? or (?-")),
            }
        }
    }

    fn escape(&mut self) -> Result<(), CommandError> {
        let word = "[0-9A-Za-z_]";
        let letter = self.rest.chars().next().ok_or_else(|| invalid("\\ at end of pattern"))?;
        match letter {
            'b' | 'B' if self.modes.unicode => self.emit(&format!(r"\{letter}")),
            'b' if self.exactly => self.emit(&format!("(?:(?<={word})(?!{word})|(?<!{word})(?={word}))")),
            'b' => self.emit(r"(?-u:\b)"),
            // Between the bytes of a character there would be such places, too, to `regex`.
            'B' => self.around(&format!("(?:(?<={word})(?={word})|(?<!{word})(?!{word}))")),
            'A' | 'z' => self.emit(&format!(r"\{letter}")),
            'Z' => self.last_end(),
            'G' | 'K' => self.around(&format!(r"\{letter}")),
            'R' => self.emit(r"(?:\r\n|[\n-\r\x{85}\x{2028}\x{2029}])"),
            'N' => self.emit(r"[^\n]"),
            'X' | 'C' => return Err(unsupported(&format!(r"\{letter}"))),
            'k' => {
                self.next();
                let name = self.named().ok_or_else(|| invalid("\\k is not followed by a name"))?;
                self.around(&format!(r"\k<{name}>"));
                return Ok(());
            }
            'g' => {
                self.next();
                return self.reference();
            }
            '1'..='9' if self.back_reference() => return Ok(()),
            _ => {
                match self.item()? {
                    Item::Char(letter) => self.literal(letter),
                    // Letters of other scripts that fold to one of these do not count.
                    Item::Set(set, not) => self.emit(&format!("(?-i:[{}{set}])", if not { "^" } else { "" })),
                    Item::Property(property) => self.emit(&property),
                    Item::Nothing => {}
                }
                return Ok(());
            }
        }
        self.next();
        Ok(())
    }

    fn named(&mut self) -> Option<String> {
        [("{", "}"), ("<", ">"), ("'", "'")]
            .into_iter()
            .find_map(|(begin, end)| self.take(begin).then(|| self.until(end)).flatten())
    }

    /// A number that is that of a group, and not of a character.
    fn back_reference(&mut self) -> bool {
        let digits: String = self.rest.chars().take_while(char::is_ascii_digit).collect();
        let group = digits.parse::<usize>().ok().filter(|group| *group < 10 || *group <= self.captures);
        let Some(group) = group else { return false };
        self.rest = self.rest.get(digits.len()..).unwrap_or_default();
        self.around(&format!(r"(?:\{group})"));
        true
    }

    /// What follows `\g`: `2`, `{2}`, `{-1}`, `{name}`.
    fn reference(&mut self) -> Result<(), CommandError> {
        if self.rest.starts_with(['<', '\'']) {
            return Err(unsupported("calling a group"));
        }
        let named = self.named();
        let text = named.unwrap_or_else(|| {
            let text: String = self.rest.chars().take_while(|c| c.is_ascii_digit() || *c == '-').collect();
            self.rest = self.rest.get(text.len()..).unwrap_or_default();
            text
        });
        let back = text.strip_prefix('-').and_then(|back| back.parse::<usize>().ok());
        match (back, text.parse::<usize>()) {
            (Some(back), _) => match (self.captures + 1).checked_sub(back) {
                Some(group @ 1..) => self.around(&format!(r"(?:\{group})")),
                _ => return Err(invalid("reference to non-existent subpattern")),
            },
            (None, Ok(group)) => self.around(&format!(r"(?:\{group})")),
            (None, Err(_)) if !text.is_empty() => self.around(&format!(r"\k<{text}>")),
            _ => return Err(invalid("a numbered reference must not be zero")),
        }
        Ok(())
    }
}
