//! Strings, numbers and regular expressions, character by character.

use bson::Bson;

use super::QueryError;
use super::construct;
use super::cursor::Cursor;

pub(super) fn begins_word(c: char) -> bool {
    c.is_alphabetic() || c == '_' || c == '$'
}

pub(super) fn in_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$'
}

/// A text in the quotes the cursor stands before.
pub(super) fn string(cursor: &mut Cursor<'_>) -> Result<String, QueryError> {
    let start = cursor.at();
    let quote = cursor.next().unwrap_or('"');
    let mut text = String::new();
    loop {
        text.push_str(cursor.take_while(|c| c != quote && c != '\\' && c != '\n'));
        match cursor.next() {
            Some('\\') => text.push(escape(cursor)?),
            Some(c) if c == quote => return Ok(text),
            _ => return Err(cursor.error_at(start, format!("this text is never closed: {quote} is missing"))),
        }
    }
}

fn escape(cursor: &mut Cursor<'_>) -> Result<char, QueryError> {
    let start = cursor.at();
    Ok(match cursor.next() {
        Some('n') => '\n',
        Some('t') => '\t',
        Some('r') => '\r',
        Some('b') => '\u{8}',
        Some('f') => '\u{c}',
        Some('v') => '\u{b}',
        Some('0') => '\0',
        Some('x') => char::from(u8::try_from(hex(cursor, 2)?).unwrap_or_default()),
        Some('u') => return unicode(cursor, start),
        Some(c @ ('"' | '\'' | '\\' | '/')) => c,
        _ => return Err(cursor.error_at(start, "after `\\` one of \" ' \\ / b f n r t v 0 x u is expected")),
    })
}

/// What follows `\u`; a character beyond the first 65,536 is written as two of them.
fn unicode(cursor: &mut Cursor<'_>, start: usize) -> Result<char, QueryError> {
    let mut code = hex(cursor, 4)?;
    if (0xd800..0xdc00).contains(&code) && cursor.eat('\\') && cursor.eat('u') {
        let low = hex(cursor, 4)?;
        if (0xdc00..0xe000).contains(&low) {
            code = 0x1_0000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        }
    }
    char::from_u32(code).ok_or_else(|| cursor.error_at(start, "half of a surrogate pair is no character"))
}

fn hex(cursor: &mut Cursor<'_>, digits: u32) -> Result<u32, QueryError> {
    let mut code = 0;
    for _ in 0..digits {
        let digit = cursor.peek().and_then(|c| c.to_digit(16));
        let Some(digit) = digit else {
            return Err(cursor.error(format!("expected {digits} hexadecimal digits, found {}", cursor.found())));
        };
        cursor.next();
        code = code * 16 + digit;
    }
    Ok(code)
}

/// An integer is an Int32 where it fits, else an Int64, else a Double; anything with a point or an exponent is a Double.
pub(super) fn number(cursor: &mut Cursor<'_>) -> Result<Bson, QueryError> {
    let start = cursor.at();
    let negative = cursor.eat('-');
    if !negative {
        cursor.eat('+');
    }
    if cursor.peek().is_some_and(begins_word) {
        let word = cursor.take_while(in_word);
        let sign = if negative { -1.0 } else { 1.0 };
        return match word {
            "Infinity" => Ok(Bson::Double(f64::INFINITY * sign)),
            "NaN" => Ok(Bson::Double(f64::NAN)),
            _ => Err(cursor.error_at(start, format!("`{word}` is no number"))),
        };
    }
    let mut text = String::from(if negative { "-" } else { "" });
    let whole = cursor.take_while(|c| c.is_ascii_digit());
    text.push_str(whole);
    let mut integer = !whole.is_empty();
    if cursor.eat('.') {
        integer = false;
        text.push('.');
        text.push_str(cursor.take_while(|c| c.is_ascii_digit()));
    }
    if cursor.eat('e') || cursor.eat('E') {
        integer = false;
        text.push('e');
        if cursor.eat('-') {
            text.push('-');
        } else {
            cursor.eat('+');
        }
        text.push_str(cursor.take_while(|c| c.is_ascii_digit()));
    }
    let more = cursor.take_while(in_word);
    if !more.is_empty() || (whole.len() > 1 && whole.starts_with('0')) {
        return Err(cursor.error_at(start, format!("`{text}{more}` is no number; a text needs quotes")));
    }
    if let (true, Ok(number)) = (integer, text.parse()) {
        return Ok(construct::integer(number));
    }
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(Bson::Double(number)),
        Ok(_) => Err(cursor.error_at(start, format!("`{text}` is too large for a number"))),
        Err(_) => Err(cursor.error_at(start, "expected a number")),
    }
}

/// `/pattern/flags`.
pub(super) fn regex(cursor: &mut Cursor<'_>) -> Result<Bson, QueryError> {
    let start = cursor.at();
    cursor.eat('/');
    let mut pattern = String::new();
    let mut in_class = false;
    loop {
        match cursor.next() {
            Some('/') if !in_class => break,
            Some('\\') => match cursor.next() {
                // Only JavaScript's notation wants the slash escaped.
                Some('/') => pattern.push('/'),
                Some(c) if c != '\n' => pattern.extend(['\\', c]),
                _ => return Err(cursor.error_at(start, "this regular expression is never closed: `/` is missing")),
            },
            Some(c) if c != '\n' => {
                in_class = (in_class && c != ']') || c == '[';
                pattern.push(c);
            }
            _ => return Err(cursor.error_at(start, "this regular expression is never closed: `/` is missing")),
        }
    }
    let options = cursor.take_while(in_word);
    construct::regex(pattern, options).map_err(|message| cursor.error_at(start, message))
}
