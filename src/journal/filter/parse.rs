use jiff::tz::TimeZone;
use jiff::{Zoned, civil};
use thiserror::Error;

use super::{Column, Moment, Op, Term};
use crate::observe::Timestamp;

/// What is wrong with a filter, and where.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message} (at character {})", at + 1)]
pub struct FilterError {
    /// The place in the line, in characters from 0.
    pub at: usize,
    /// What is wrong, and what would be right.
    pub message: String,
}

fn wrong<T>(at: usize, message: impl Into<String>) -> Result<T, FilterError> {
    Err(FilterError { at, message: message.into() })
}

const RESULTS: [&str; 8] = ["success", "fail", "skip", "reschedule", "retry", "running", "no_runner", "interrupted"];
const MARKS: [&str; 8] = ["pinned", "replay", "edited", "variables", "hermetic", "shadow", "fault", "imported"];

/// A piece of the line.
#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word { text: String, quoted: bool },
    Op(Op),
    Not,
}

/// Reads a line.
pub(super) fn terms(line: &str) -> Result<Vec<Term>, FilterError> {
    let tokens = tokens(line)?;
    let mut rest = tokens.as_slice();
    let mut terms = Vec::new();
    while let [(at, token), after @ ..] = rest {
        let (not, at, token, after) = match (token, after) {
            (Token::Not, [(at, next), after @ ..]) => (true, at, next, after),
            (Token::Not, []) => return wrong(*at, "`!` is to be followed by what must not be there"),
            _ => (false, at, token, after),
        };
        let Token::Word { text, quoted } = token else {
            return wrong(*at, "a name is missing before the comparison, such as `result=fail`");
        };
        rest = match after {
            [(op_at, Token::Op(op)), value @ ..] => {
                let [(value_at, Token::Word { text: value, quoted }), after @ ..] = value else {
                    return wrong(*op_at, format!("`{text}` is compared with nothing: write a value after it"));
                };
                terms.push(comparison((*at, text), (*op_at, negated(*op, not, *op_at)?), (*value_at, value, *quoted))?);
                after
            }
            _ if !quoted && text.eq_ignore_ascii_case("and") => after,
            _ => {
                terms.push(Term::Text { text: text.to_lowercase(), not });
                after
            }
        };
    }
    Ok(terms)
}

fn negated(op: Op, not: bool, at: usize) -> Result<Op, FilterError> {
    match (op, not) {
        (op, false) => Ok(op),
        (Op::Is, true) => Ok(Op::IsNot),
        (Op::Has, true) => Ok(Op::HasNot),
        (_, true) => wrong(at, "`!` goes before `=` and `~` only"),
    }
}

fn tokens(line: &str) -> Result<Vec<(usize, Token)>, FilterError> {
    let mut tokens = Vec::new();
    let mut letters = line.chars().enumerate().peekable();
    while let Some((at, letter)) = letters.next() {
        let mut followed_by = |wanted: char| letters.next_if(|(_, next)| *next == wanted).is_some();
        let token = match letter {
            letter if letter.is_whitespace() => continue,
            '=' => Token::Op(Op::Is),
            '~' => Token::Op(Op::Has),
            '<' => Token::Op(if followed_by('=') { Op::AtMost } else { Op::Less }),
            '>' => Token::Op(if followed_by('=') { Op::AtLeast } else { Op::Greater }),
            '!' if followed_by('=') => Token::Op(Op::IsNot),
            '!' if followed_by('~') => Token::Op(Op::HasNot),
            '!' => Token::Not,
            quote @ ('"' | '\'') => {
                let mut text = String::new();
                loop {
                    match letters.next() {
                        None => return wrong(at, "the quotation mark is never closed"),
                        Some((_, end)) if end == quote => break,
                        Some((_, '\\')) => text.extend(letters.next().map(|(_, letter)| letter)),
                        Some((_, letter)) => text.push(letter),
                    }
                }
                Token::Word { text, quoted: true }
            }
            first => {
                let mut text = String::from(first);
                // After a comparison everything up to the next blank belongs to the value.
                let value = matches!(tokens.last(), Some((_, Token::Op(_))));
                while let Some((_, letter)) = letters.next_if(|(_, letter)| goes_on(*letter, value)) {
                    text.push(letter);
                }
                Token::Word { text, quoted: false }
            }
        };
        tokens.push((at, token));
    }
    Ok(tokens)
}

fn goes_on(letter: char, value: bool) -> bool {
    !letter.is_whitespace() && (value || !matches!(letter, '=' | '~' | '<' | '>' | '!' | '"' | '\''))
}

fn comparison(
    (at, name): (usize, &str),
    (op_at, op): (usize, Op),
    (value_at, value, quoted): (usize, &str, bool),
) -> Result<Term, FilterError> {
    let values: Vec<String> =
        if quoted { vec![value.into()] } else { value.split(',').filter(|v| !v.is_empty()).map(Into::into).collect() };
    if values.is_empty() {
        return wrong(value_at, "a value is missing");
    }
    let simple = |wanted: &[Op]| {
        if wanted.contains(&op) { Ok(()) } else { wrong(op_at, format!("`{name}` can't be compared that way")) }
    };
    let column = |column| column_term(name, column, (op_at, op), (value_at, values.clone()));
    match name.to_ascii_lowercase().as_str() {
        "id" | "#" => column(Column::Id),
        "task" => column(Column::Task),
        "category" => column(Column::Category),
        "type" | "event_type" | "event" => column(Column::Type),
        "object" => column(Column::Object),
        "status" => column(Column::Status),
        "result" => column(Column::Result),
        "reason" | "message" => column(Column::Reason),
        "origin" => column(Column::Origin),
        "replay" => column(Column::Replay),
        "try" | "attempt" => column(Column::Try),
        "took" => column(Column::Took),
        "calls" => column(Column::Calls),
        "writes" => column(Column::Writes),
        "since" => simple(&[Op::Is, Op::AtLeast]).and_then(|()| Ok(Term::Time { since: true, moment: moment(value_at, value)? })),
        "until" => simple(&[Op::Is, Op::AtMost]).and_then(|()| Ok(Term::Time { since: false, moment: moment(value_at, value)? })),
        "time" => {
            simple(&[Op::Greater, Op::AtLeast, Op::Less, Op::AtMost])?;
            Ok(Term::Time { since: matches!(op, Op::Greater | Op::AtLeast), moment: moment(value_at, value)? })
        }
        "body" | "payload" => {
            simple(&[Op::Has, Op::HasNot])?;
            Ok(Term::Body { text: value.to_lowercase(), not: op == Op::HasNot })
        }
        "is" | "mark" => {
            simple(&[Op::Is, Op::IsNot])?;
            match MARKS.iter().find(|mark| mark.eq_ignore_ascii_case(value)) {
                Some(mark) => Ok(Term::Mark { mark: (*mark).into(), not: op == Op::IsNot }),
                None => wrong(value_at, format!("there is no mark `{value}`; there are {}", MARKS.join(", "))),
            }
        }
        _ => path(at, name).map(|path| Term::Path { path, op, values: values.clone() }),
    }
}

fn path(at: usize, name: &str) -> Result<Vec<String>, FilterError> {
    let path: Vec<String> = name.split('.').map(Into::into).collect();
    match path.iter().any(String::is_empty) {
        true => wrong(at, format!("`{name}` is no path: names with one dot between them, such as asset.product.id")),
        false => Ok(path),
    }
}

fn column_term(
    name: &str,
    column: Column,
    (op_at, op): (usize, Op),
    (value_at, mut values): (usize, Vec<String>),
) -> Result<Term, FilterError> {
    let ordered = matches!(op, Op::Less | Op::AtMost | Op::Greater | Op::AtLeast);
    match column {
        Column::Id | Column::Replay | Column::Try | Column::Calls | Column::Writes | Column::Took => {
            if matches!(op, Op::Has | Op::HasNot) {
                return wrong(op_at, format!("`{name}` is a number: compare it with = != < > <= >="));
            }
            for value in &mut values {
                let number = match column {
                    Column::Took => span(value),
                    _ => value.trim_start_matches('#').parse::<i64>().ok(),
                };
                let form = if column == Column::Took { "a time such as 250ms or 1.5s" } else { "a number" };
                let Some(number) = number else { return wrong(value_at, format!("`{value}` is not {form}")) };
                *value = number.to_string();
            }
        }
        _ if ordered => return wrong(op_at, format!("`{name}` is a text: compare it with = != ~ !~")),
        Column::Result if matches!(op, Op::Is | Op::IsNot) => {
            for value in &mut values {
                *value = value.to_ascii_lowercase();
                if !RESULTS.contains(&value.as_str()) {
                    return wrong(value_at, format!("there is no result `{value}`; there are {}", RESULTS.join(", ")));
                }
            }
        }
        _ => {}
    }
    Ok(Term::Column { column, op, values })
}

/// `10m`, `2h`, `3d`, `1w` ago; a day; a time of today; a day with its time.
fn moment(at: usize, text: &str) -> Result<Moment, FilterError> {
    if let Some(micros) = text.strip_suffix(" ago").map_or_else(|| span(text), span) {
        return Ok(Moment::Ago(micros));
    }
    let here = |zoned: Result<Zoned, jiff::Error>| zoned.ok().map(|z| Moment::At(Timestamp(z.timestamp().as_microsecond())));
    let zone = TimeZone::system();
    let parsed = text
        .parse::<jiff::Timestamp>()
        .ok()
        .map(|t| Moment::At(Timestamp(t.as_microsecond())))
        .or_else(|| text.parse::<civil::DateTime>().ok().and_then(|t| here(t.to_zoned(zone.clone()))))
        .or_else(|| {
            let time = text.parse::<civil::Time>().ok()?;
            here(Zoned::now().date().to_datetime(time).to_zoned(zone.clone()))
        });
    match parsed {
        Some(moment) => Ok(moment),
        None => wrong(at, format!("`{text}` is no moment: write 10m, 2h or 3d (ago), 14:30, 2026-03-01 or 2026-03-01T14:30")),
    }
}

/// A span of time in microseconds.
fn span(text: &str) -> Option<i64> {
    let digits = text.find(|c: char| !(c.is_ascii_digit() || c == '.'))?;
    let (number, unit) = text.split_at(digits);
    let micros = match unit {
        "us" | "µs" => 1.0,
        "ms" => 1e3,
        "s" => 1e6,
        "m" | "min" => 60e6,
        "h" => 3_600e6,
        "d" => 86_400e6,
        "w" => 604_800e6,
        _ => return None,
    };
    let number: f64 = number.parse().ok()?;
    #[allow(clippy::cast_possible_truncation)] // saturates, which is what a span beyond all times shall do
    Some((number * micros) as i64)
}
