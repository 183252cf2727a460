use bson::{Bson, doc};

use super::super::error::{Code, CommandError};
use super::super::matcher::{Groups, Regex};
use super::super::value::{alias_of, whole_number};
use super::Value;
use super::convert;
use super::logic::is_nullish;

fn fault(location: i32, message: impl Into<String>) -> CommandError {
    CommandError::new(Code::location(location), message)
}

fn alias(value: &Value) -> &'static str {
    value.as_ref().map_or("missing", alias_of)
}

fn argument(arguments: &[Value], index: usize) -> Value {
    arguments.get(index).cloned().flatten()
}

fn text(value: &Value) -> Option<&str> {
    match value {
        Some(Bson::String(text) | Bson::Symbol(text)) => Some(text),
        _ => None,
    }
}

/// What operators that take anything make of it: null is the empty text.
fn coerced(value: &Value) -> Result<String, CommandError> {
    match value {
        value if is_nullish(value) => Ok(String::new()),
        Some(value @ (Bson::Int32(_) | Bson::Int64(_) | Bson::Double(_) | Bson::Decimal128(_) | Bson::DateTime(_))) => {
            Ok(convert::text_of(value))
        }
        Some(Bson::String(text) | Bson::Symbol(text) | Bson::JavaScriptCode(text)) => Ok(text.clone()),
        value => Err(fault(16007, format!("can't convert from BSON type {} to String", alias(value)))),
    }
}

fn string(text: impl Into<String>) -> Result<Value, CommandError> {
    Ok(Some(Bson::String(text.into())))
}

fn int(n: usize) -> Result<Value, CommandError> {
    Ok(Some(Bson::Int32(i32::try_from(n).unwrap_or(i32::MAX))))
}

pub(super) fn concat(arguments: &[Value]) -> Result<Value, CommandError> {
    let mut whole = String::new();
    for value in arguments {
        match text(value) {
            Some(part) => whole.push_str(part),
            None if is_nullish(value) => return Ok(Some(Bson::Null)),
            None => return Err(fault(16702, format!("$concat only supports strings, not {}", alias(value)))),
        }
    }
    string(whole)
}

pub(super) fn to_lower(arguments: &[Value]) -> Result<Value, CommandError> {
    string(coerced(&argument(arguments, 0))?.to_ascii_lowercase())
}

pub(super) fn to_upper(arguments: &[Value]) -> Result<Value, CommandError> {
    string(coerced(&argument(arguments, 0))?.to_ascii_uppercase())
}

pub(super) fn strcasecmp(arguments: &[Value]) -> Result<Value, CommandError> {
    let (a, b) = (coerced(&argument(arguments, 0))?, coerced(&argument(arguments, 1))?);
    let order = a.to_ascii_uppercase().cmp(&b.to_ascii_uppercase());
    Ok(Some(Bson::Int32(order as i32)))
}

fn measured(name: &str, location: i32, arguments: &[Value], of: impl Fn(&str) -> usize) -> Result<Value, CommandError> {
    let value = argument(arguments, 0);
    match text(&value) {
        Some(text) => int(of(text)),
        None => Err(fault(location, format!("{name} requires a string argument, found: {}", alias(&value)))),
    }
}

pub(super) fn len_bytes(arguments: &[Value]) -> Result<Value, CommandError> {
    measured("$strLenBytes", 34473, arguments, str::len)
}

pub(super) fn len_chars(arguments: &[Value]) -> Result<Value, CommandError> {
    measured("$strLenCP", 34471, arguments, |text| text.chars().count())
}

fn index(name: &str, location: i32, value: &Value, what: &str) -> Result<i64, CommandError> {
    let refused = || fault(location, format!("{name}: {what} must be a numeric type (is BSON type {})", alias(value)));
    value.as_ref().and_then(whole_number).ok_or_else(refused)
}

pub(super) fn substr_bytes(arguments: &[Value]) -> Result<Value, CommandError> {
    let text = coerced(&argument(arguments, 0))?;
    let start = index("$substrBytes", 16034, &argument(arguments, 1), "starting index")?;
    let length = index("$substrBytes", 16035, &argument(arguments, 2), "length")?;
    let start = usize::try_from(start)
        .map_err(|_| fault(50752, format!("$substrBytes: starting index must be non-negative (got: {start})")))?;
    if start >= text.len() {
        return string("");
    }
    let end = usize::try_from(length).map_or(text.len(), |length| start.saturating_add(length).min(text.len()));
    if !text.is_char_boundary(start) {
        return Err(fault(28656, "$substrBytes: Invalid range, starting index is a UTF-8 continuation byte."));
    }
    match text.get(start..end) {
        Some(part) => string(part),
        None => Err(fault(28657, "$substrBytes: Invalid range, ending index is in the middle of a UTF-8 character.")),
    }
}

pub(super) fn substr_chars(arguments: &[Value]) -> Result<Value, CommandError> {
    let text = coerced(&argument(arguments, 0))?;
    let start = index("$substrCP", 34450, &argument(arguments, 1), "starting index")?;
    let length = index("$substrCP", 34452, &argument(arguments, 2), "length")?;
    let start =
        usize::try_from(start).map_err(|_| fault(34455, "$substrCP: the starting index must be a non-negative integer."))?;
    let length = usize::try_from(length).map_err(|_| fault(34454, "$substrCP: length must be a non-negative integer."))?;
    string(text.chars().skip(start).take(length).collect::<String>())
}

/// Where a text stands in another one; positions are counted by `units`.
fn index_of(name: &str, arguments: &[Value], chars: bool) -> Result<Value, CommandError> {
    let (whole, part) = (argument(arguments, 0), argument(arguments, 1));
    if is_nullish(&whole) {
        return Ok(Some(Bson::Null));
    }
    let wrong = |which: &str, value: &Value| {
        fault(40091, format!("{name} requires a string as the {which} argument, found: {}", alias(value)))
    };
    let haystack = text(&whole).ok_or_else(|| wrong("first", &whole))?;
    let needle = text(&part).ok_or_else(|| wrong("second", &part))?;
    let bound = |at: usize, otherwise: usize| match arguments.get(at) {
        None => Ok(otherwise),
        Some(value) => {
            let n = index(name, 40096, value, "index")?;
            usize::try_from(n).map_err(|_| fault(40097, format!("{name} requires a nonnegative index, found: {n}")))
        }
    };
    let count = |text: &str| if chars { text.chars().count() } else { text.len() };
    let (start, end) = (bound(2, 0)?, bound(3, usize::MAX)?);
    let place = haystack.char_indices().map(|(at, _)| at).chain([haystack.len()]).find_map(|at| {
        let position = count(haystack.get(..at)?);
        let fits = position >= start && position.saturating_add(count(needle)) <= end;
        (fits && haystack.get(at..)?.starts_with(needle)).then_some(position)
    });
    match place {
        Some(place) => int(place),
        None => Ok(Some(Bson::Int32(-1))),
    }
}

pub(super) fn index_of_bytes(arguments: &[Value]) -> Result<Value, CommandError> {
    index_of("$indexOfBytes", arguments, false)
}

pub(super) fn index_of_chars(arguments: &[Value]) -> Result<Value, CommandError> {
    index_of("$indexOfCP", arguments, true)
}

pub(super) fn split(arguments: &[Value]) -> Result<Value, CommandError> {
    let (whole, separator) = (argument(arguments, 0), argument(arguments, 1));
    if is_nullish(&whole) || is_nullish(&separator) {
        return Ok(Some(Bson::Null));
    }
    let whole = text(&whole).ok_or_else(|| {
        fault(
            40085,
            format!("$split requires an expression that evaluates to a string as a first argument, found: {}", alias(&whole)),
        )
    })?;
    let by = text(&separator).ok_or_else(|| {
        fault(
            40086,
            format!(
                "$split requires an expression that evaluates to a string as a second argument, found: {}",
                alias(&separator)
            ),
        )
    })?;
    if by.is_empty() {
        return Err(fault(40087, "$split requires a non-empty separator"));
    }
    Ok(Some(Bson::Array(whole.split(by).map(|part| Bson::String(part.into())).collect())))
}

/// What `$trim` takes away when it is not told.
const BLANK: [char; 20] = [
    '\0', ' ', '\t', '\n', '\u{b}', '\u{c}', '\r', '\u{a0}', '\u{1680}', '\u{2000}', '\u{2001}', '\u{2002}', '\u{2003}',
    '\u{2004}', '\u{2005}', '\u{2006}', '\u{2007}', '\u{2008}', '\u{2009}', '\u{200a}',
];

fn trimmed(name: &str, arguments: &[Value], start: bool, end: bool) -> Result<Value, CommandError> {
    let (input, chars) = (argument(arguments, 0), arguments.get(1).cloned().flatten());
    if is_nullish(&input) || matches!(chars, Some(Bson::Null)) {
        return Ok(Some(Bson::Null));
    }
    let whole = text(&input)
        .ok_or_else(|| fault(50699, format!("{name} requires its input to be a string, got {} instead.", alias(&input))))?;
    let chars: Vec<char> = match &chars {
        None => BLANK.to_vec(),
        given => match text(given) {
            Some(chars) => chars.chars().collect(),
            None => return Err(fault(50700, format!("{name} requires 'chars' to be a string, got {} instead.", alias(given)))),
        },
    };
    let mut part = whole;
    if start {
        part = part.trim_start_matches(|c| chars.contains(&c));
    }
    if end {
        part = part.trim_end_matches(|c| chars.contains(&c));
    }
    string(part)
}

pub(super) fn trim(arguments: &[Value]) -> Result<Value, CommandError> {
    trimmed("$trim", arguments, true, true)
}

pub(super) fn ltrim(arguments: &[Value]) -> Result<Value, CommandError> {
    trimmed("$ltrim", arguments, true, false)
}

pub(super) fn rtrim(arguments: &[Value]) -> Result<Value, CommandError> {
    trimmed("$rtrim", arguments, false, true)
}

fn replaced(name: &str, arguments: &[Value], times: usize) -> Result<Value, CommandError> {
    let parts: Vec<Value> = (0..3).map(|index| argument(arguments, index)).collect();
    for (value, what) in parts.iter().zip(["input", "find", "replacement"]) {
        if !is_nullish(value) && text(value).is_none() {
            return Err(fault(51746, format!("{name} requires that '{what}' be a string, found: {}", alias(value))));
        }
    }
    match parts.as_slice() {
        [Some(Bson::String(input)), Some(Bson::String(find)), Some(Bson::String(replacement))] => {
            string(input.replacen(find.as_str(), replacement, times))
        }
        _ => Ok(Some(Bson::Null)),
    }
}

pub(super) fn replace_one(arguments: &[Value]) -> Result<Value, CommandError> {
    replaced("$replaceOne", arguments, 1)
}

pub(super) fn replace_all(arguments: &[Value]) -> Result<Value, CommandError> {
    replaced("$replaceAll", arguments, usize::MAX)
}

/// The input and the pattern; `None` if one of them is null.
fn searched(name: &str, arguments: &[Value]) -> Result<Option<(String, Regex)>, CommandError> {
    let (input, pattern, options) = (argument(arguments, 0), argument(arguments, 1), argument(arguments, 2));
    let given = match text(&options) {
        Some(options) => Some(options),
        None if is_nullish(&options) => None,
        None => return Err(fault(51106, format!("{name} needs 'options' to be of type string"))),
    };
    let compiled = match &pattern {
        Some(Bson::String(source)) => Regex::new(source, given.unwrap_or_default())?,
        Some(Bson::RegularExpression(known)) => Regex::new(known.pattern.as_str(), given.unwrap_or(known.options.as_str()))?,
        value if is_nullish(value) => return Ok(None),
        _ => return Err(fault(51105, format!("{name} needs 'regex' to be of type string or regex"))),
    };
    match &input {
        Some(Bson::String(input)) => Ok(Some((input.clone(), compiled))),
        value if is_nullish(value) => Ok(None),
        _ => Err(fault(51104, format!("{name} needs 'input' to be of type string"))),
    }
}

fn found(input: &str, groups: &Groups) -> Bson {
    let text = |group: &Option<std::ops::Range<usize>>| group.clone().and_then(|range| input.get(range));
    let whole = groups.first().cloned().flatten();
    let index = whole.as_ref().and_then(|whole| input.get(..whole.start)).map_or(0, |before| before.chars().count());
    let captures = groups.iter().skip(1).map(|group| text(group).map_or(Bson::Null, |text| Bson::String(text.into())));
    Bson::Document(doc! {
        "match": text(&whole).unwrap_or_default(),
        "idx": i32::try_from(index).unwrap_or(i32::MAX),
        "captures": captures.collect::<Vec<_>>(),
    })
}

pub(super) fn regex_match(arguments: &[Value]) -> Result<Value, CommandError> {
    let Some((input, regex)) = searched("$regexMatch", arguments)? else { return Ok(Some(Bson::Boolean(false))) };
    Ok(Some(Bson::Boolean(regex.find_from(&input, 0)?.is_some())))
}

pub(super) fn regex_find(arguments: &[Value]) -> Result<Value, CommandError> {
    let Some((input, regex)) = searched("$regexFind", arguments)? else { return Ok(Some(Bson::Null)) };
    Ok(Some(regex.find_from(&input, 0)?.map_or(Bson::Null, |groups| found(&input, &groups))))
}

/// After an empty match the search goes on one character later, as long as there is one.
pub(super) fn regex_find_all(arguments: &[Value]) -> Result<Value, CommandError> {
    let Some((input, regex)) = searched("$regexFindAll", arguments)? else { return Ok(Some(Bson::Array(Vec::new()))) };
    let (mut all, mut from) = (Vec::new(), 0);
    while let Some(groups) = regex.find_from(&input, from)? {
        all.push(found(&input, &groups));
        let Some(whole) = groups.first().cloned().flatten() else { break };
        let next = input.get(whole.end..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8);
        from = if whole.is_empty() { whole.end + next } else { whole.end };
        if from >= input.len() {
            break;
        }
    }
    Ok(Some(Bson::Array(all)))
}
