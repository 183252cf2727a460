//! Classes, and the escapes that mean the same inside and outside of one.

use super::super::super::error::CommandError;
use super::{Item, Translator, invalid, unsupported};

const BLANKS: &str = r"\t \x{a0}\x{1680}\x{180e}\x{2000}-\x{200a}\x{202f}\x{205f}\x{3000}";
const LINE_ENDS: &str = r"\n-\r\x{85}\x{2028}\x{2029}";

impl Translator<'_> {
    /// A class, after its `[`.
    pub(super) fn class(&mut self) -> Result<(), CommandError> {
        let mut class = String::from(if self.take("^") { "[^" } else { "[" });
        let mut first = true;
        loop {
            if !self.quoting && !first && self.take("]") {
                break;
            }
            let item = self.position()?;
            if matches!(item, Item::Nothing) {
                continue;
            }
            first = false;
            let ranges = !self.quoting && self.rest.starts_with('-') && !self.rest.starts_with("-]");
            match item {
                Item::Char(low) if ranges => {
                    self.take("-");
                    let high = loop {
                        match self.position()? {
                            Item::Char(high) => break high,
                            Item::Nothing => {}
                            _ => return Err(invalid("invalid range in character class")),
                        }
                    };
                    if low > high {
                        return Err(invalid("range out of order in character class"));
                    }
                    class.push_str(&format!("{}-{}", plain(low), plain(high)));
                }
                Item::Char(letter) => class.push_str(&plain(letter)),
                _ if ranges => return Err(invalid("invalid range in character class")),
                Item::Set(set, true) => class.push_str(&format!("[^{set}]")),
                Item::Set(text, false) | Item::Property(text) => class.push_str(&text),
                Item::Nothing => {}
            }
        }
        class.push(']');
        self.emit(&class);
        Ok(())
    }

    fn position(&mut self) -> Result<Item, CommandError> {
        let letter = self.next().ok_or_else(|| invalid("missing terminating ] for character class"))?;
        match letter {
            '\\' if self.take("E") => {
                self.quoting = false;
                Ok(Item::Nothing)
            }
            letter if self.quoting => Ok(Item::Char(letter)),
            '\\' if self.take("b") => Ok(Item::Char('\u{8}')),
            '\\' if self.rest.starts_with(['B', 'R', 'X', 'N']) => Err(invalid("escape sequence is invalid in character class")),
            '\\' => self.item(),
            '[' => match self.rest.strip_prefix(':').and_then(|rest| rest.split_once(":]")) {
                Some((name, rest)) if name.trim_start_matches('^').bytes().all(|byte| byte.is_ascii_lowercase()) => {
                    self.rest = rest;
                    Ok(Item::Property(format!("[:{name}:]")))
                }
                _ => Ok(Item::Char('[')),
            },
            letter => Ok(Item::Char(letter)),
        }
    }

    /// What follows a `\`.
    pub(super) fn item(&mut self) -> Result<Item, CommandError> {
        let letter = self.next().ok_or_else(|| invalid("\\ at end of pattern"))?;
        let set = |text: &str| Item::Set(text.to_owned(), letter.is_ascii_uppercase());
        Ok(match letter {
            'Q' => {
                self.quoting = true;
                Item::Nothing
            }
            'E' => Item::Nothing,
            'd' | 'D' | 'w' | 'W' | 's' | 'S' if self.modes.unicode => Item::Property(format!(r"\{letter}")),
            'd' | 'D' => set("0-9"),
            'w' | 'W' => set("0-9A-Za-z_"),
            's' | 'S' => set(r"\t-\r "),
            'h' | 'H' => set(BLANKS),
            'v' | 'V' => set(LINE_ENDS),
            'p' | 'P' => self.property(letter == 'P')?,
            'a' => Item::Char('\u{7}'),
            'e' => Item::Char('\u{1b}'),
            'f' => Item::Char('\u{c}'),
            'n' => Item::Char('\n'),
            'r' => Item::Char('\r'),
            't' => Item::Char('\t'),
            'c' => match self.next() {
                Some(control @ ' '..='~') => {
                    let code = u32::from(control.to_ascii_uppercase()) ^ 0x40;
                    Item::Char(char::from_u32(code).unwrap_or_default())
                }
                _ => return Err(invalid("\\c must be followed by a printable ASCII character")),
            },
            'x' if self.take("{") => self.code("}", 16)?,
            'o' if self.take("{") => self.code("}", 8)?,
            'x' => self.digits(2, 16, 0)?,
            '0'..='7' => self.digits(2, 8, u32::from(letter) - u32::from('0'))?,
            other if other.is_ascii_alphanumeric() => return Err(invalid("unrecognized character follows \\")),
            other => Item::Char(other),
        })
    }

    fn code(&mut self, end: &str, radix: u32) -> Result<Item, CommandError> {
        let refused = || invalid("character code point value in \\x{} or \\o{} is too large or no number");
        let text = self.until(end).ok_or_else(refused)?;
        u32::from_str_radix(&text, radix).ok().and_then(char::from_u32).map(Item::Char).ok_or_else(refused)
    }

    /// A character by at most so many further digits.
    fn digits(&mut self, most: usize, radix: u32, begun: u32) -> Result<Item, CommandError> {
        let mut code = begun;
        for _ in 0..most {
            let Some(digit) = self.rest.chars().next().and_then(|next| next.to_digit(radix)) else { break };
            self.next();
            code = code * radix + digit;
        }
        char::from_u32(code).map(Item::Char).ok_or_else(|| invalid("character code point value is too large"))
    }

    /// What follows `\p`: `L`, `{Lu}`, `{^Greek}`.
    fn property(&mut self, not: bool) -> Result<Item, CommandError> {
        let malformed = || invalid("malformed \\P or \\p sequence");
        let name = if self.take("{") { self.until("}") } else { self.next().map(String::from) }.ok_or_else(malformed)?;
        let (name, not) = name.strip_prefix('^').map_or((name.as_str(), not), |name| (name, !not));
        match name {
            "L&" => Ok(Item::Set(r"\p{Lu}\p{Ll}\p{Lt}".into(), not)),
            "Xan" | "Xps" | "Xsp" | "Xuc" | "Xwd" => Err(unsupported(&format!(r"\p{{{name}}}"))),
            name if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') => Err(malformed()),
            name => Ok(Item::Property(format!(r"\{}{{{name}}}", if not { 'P' } else { 'p' }))),
        }
    }
}

/// A character of a class, which has no other meaning there.
fn plain(letter: char) -> String {
    if letter.is_ascii() && !letter.is_ascii_alphanumeric() { format!(r"\x{{{:x}}}", u32::from(letter)) } else { letter.into() }
}
