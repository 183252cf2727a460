use bson::{Bson, RawDocumentBuf};

use super::super::error::{Code, CommandError};
use super::super::sort::Sort;
use super::super::value::{Collation, alias_of, whole_number};
use super::Value;
use super::logic::{is_nullish, truth};

pub(super) fn fault(location: i32, message: impl Into<String>) -> CommandError {
    CommandError::new(Code::location(location), message)
}

pub(super) fn alias(value: &Value) -> &'static str {
    value.as_ref().map_or("missing", alias_of)
}

pub(super) fn argument(arguments: &[Value], index: usize) -> Value {
    arguments.get(index).cloned().flatten()
}

pub(super) fn array(values: Vec<Bson>) -> Result<Value, CommandError> {
    Ok(Some(Bson::Array(values)))
}

pub(super) fn null() -> Result<Value, CommandError> {
    Ok(Some(Bson::Null))
}

pub(super) fn yes(yes: bool) -> Result<Value, CommandError> {
    Ok(Some(Bson::Boolean(yes)))
}

/// An array; `None` for null; anything else is an error.
pub(super) fn elements(
    value: Value,
    location: i32,
    wrong: impl Fn(&'static str) -> String,
) -> Result<Option<Vec<Bson>>, CommandError> {
    match value {
        Some(Bson::Array(array)) => Ok(Some(array)),
        value if is_nullish(&value) => Ok(None),
        value => Err(fault(location, wrong(alias(&value)))),
    }
}

pub(super) fn size(arguments: &[Value]) -> Result<Value, CommandError> {
    match arguments {
        [Some(Bson::Array(array))] => Ok(Some(Bson::Int32(i32::try_from(array.len()).unwrap_or(i32::MAX)))),
        _ => {
            let kind = alias(&argument(arguments, 0));
            Err(fault(17124, format!("The argument to $size must be an array, but was of type: {kind}")))
        }
    }
}

/// The element at an index, which counts from the end if it is negative.
fn at(array: &[Bson], index: i64) -> Value {
    let size = usize::try_from(index.unsigned_abs()).ok()?;
    let place = if index < 0 { array.len().checked_sub(size)? } else { size };
    array.get(place).cloned()
}

pub(super) fn element_at(arguments: &[Value]) -> Result<Value, CommandError> {
    let index = argument(arguments, 1);
    let wrong = |kind| format!("$arrayElemAt's first argument must be an array, but is {kind}");
    let Some(array) = elements(argument(arguments, 0), 28689, wrong)? else { return null() };
    if is_nullish(&index) {
        return null();
    }
    let refused = || fault(28690, format!("$arrayElemAt's second argument must be a numeric value, but is {}", alias(&index)));
    Ok(at(&array, index.as_ref().and_then(whole_number).ok_or_else(refused)?))
}

pub(super) fn first(arguments: &[Value]) -> Result<Value, CommandError> {
    let found = elements(argument(arguments, 0), 28689, |kind| format!("$first's argument must be an array, but is {kind}"))?;
    found.map_or_else(null, |array| Ok(at(&array, 0)))
}

pub(super) fn last(arguments: &[Value]) -> Result<Value, CommandError> {
    let found = elements(argument(arguments, 0), 28689, |kind| format!("$last's argument must be an array, but is {kind}"))?;
    found.map_or_else(null, |array| Ok(at(&array, -1)))
}

fn count(value: &Value) -> Result<usize, CommandError> {
    let number = value.as_ref().and_then(whole_number).and_then(|n| usize::try_from(n).ok()).filter(|n| *n > 0);
    number.ok_or_else(|| fault(5_787_908, "'n' must be greater than 0 and a whole number"))
}

pub(super) fn first_n(arguments: &[Value]) -> Result<Value, CommandError> {
    let n = count(&argument(arguments, 1))?;
    match argument(arguments, 0) {
        Some(Bson::Array(values)) => array(values.into_iter().take(n).collect()),
        _ => Err(fault(5_788_200, "Input must be an array")),
    }
}

pub(super) fn last_n(arguments: &[Value]) -> Result<Value, CommandError> {
    let n = count(&argument(arguments, 1))?;
    match argument(arguments, 0) {
        Some(Bson::Array(mut values)) => array(values.split_off(values.len().saturating_sub(n))),
        _ => Err(fault(5_788_200, "Input must be an array")),
    }
}

/// The `n` elements that come first in an order, null and missing not counted.
fn best_n(arguments: &[Value], ahead: impl Fn(&Bson, &Bson) -> std::cmp::Ordering) -> Result<Value, CommandError> {
    let n = count(&argument(arguments, 1))?;
    match argument(arguments, 0) {
        Some(Bson::Array(mut values)) => {
            values.retain(|value| !matches!(value, Bson::Null | Bson::Undefined));
            values.sort_by(ahead);
            values.truncate(n);
            array(values)
        }
        _ => Err(fault(5_788_200, "Input must be an array")),
    }
}

pub(super) fn min_n(arguments: &[Value], collation: &Collation) -> Result<Value, CommandError> {
    best_n(arguments, |a, b| collation.compare_values(a, b))
}

pub(super) fn max_n(arguments: &[Value], collation: &Collation) -> Result<Value, CommandError> {
    best_n(arguments, |a, b| collation.compare_values(b, a))
}

pub(super) fn concat(arguments: &[Value]) -> Result<Value, CommandError> {
    let mut all = Vec::new();
    for value in arguments {
        match elements(value.clone(), 28664, |kind| format!("$concatArrays only supports arrays, not {kind}"))? {
            Some(part) => all.extend(part),
            None => return null(),
        }
    }
    array(all)
}

pub(super) fn slice(arguments: &[Value]) -> Result<Value, CommandError> {
    let wrong = |kind| format!("First argument to $slice must be an array, but is of type: {kind}");
    let Some(values) = elements(argument(arguments, 0), 28724, wrong)? else { return null() };
    if arguments.iter().any(is_nullish) {
        return null();
    }
    let number = |index: usize| {
        let value = argument(arguments, index);
        let refused =
            || fault(28725, format!("argument {index} to $slice must be a whole number, but is of type: {}", alias(&value)));
        value.as_ref().and_then(whole_number).ok_or_else(refused)
    };
    let (skip, take) = match arguments.len() {
        2 => {
            let n = number(1)?;
            if n < 0 { (n, i64::MAX) } else { (0, n) }
        }
        _ => {
            let n = number(2)?;
            if n <= 0 {
                return Err(fault(28729, format!("Third argument to $slice must be positive: {n}")));
            }
            (number(1)?, n)
        }
    };
    array(sliced(&values, skip, take))
}

/// At most `take` elements from index `skip`, which counts from the end if it is negative.
pub(in crate::sandbox) fn sliced(values: &[Bson], skip: i64, take: i64) -> Vec<Bson> {
    let size = usize::try_from(skip.unsigned_abs()).unwrap_or(usize::MAX);
    let start = if skip < 0 { values.len().saturating_sub(size) } else { size };
    values.iter().skip(start).take(usize::try_from(take).unwrap_or(0)).cloned().collect()
}

pub(super) fn contains(arguments: &[Value], collation: &Collation) -> Result<Value, CommandError> {
    let (value, within) = (argument(arguments, 0), argument(arguments, 1));
    match within {
        Some(Bson::Array(array)) => {
            yes(value.is_some_and(|value| array.iter().any(|known| collation.compare_values(known, &value).is_eq())))
        }
        other => Err(fault(40081, format!("$in requires an array as a second argument, found: {}", alias(&other)))),
    }
}

pub(super) fn index_of(arguments: &[Value], collation: &Collation) -> Result<Value, CommandError> {
    let wrong = |kind| format!("$indexOfArray requires an array as a first argument, found: {kind}");
    let Some(values) = elements(argument(arguments, 0), 40090, wrong)? else { return null() };
    let bound = |index: usize, otherwise: usize| match arguments.get(index) {
        None => Ok(otherwise),
        Some(value) => {
            let number = value.as_ref().and_then(whole_number).and_then(|n| usize::try_from(n).ok());
            number.ok_or_else(|| fault(40096, "$indexOfArray requires a nonnegative whole number as an index"))
        }
    };
    let (start, end) = (bound(2, 0)?, bound(3, values.len())?);
    let wanted = argument(arguments, 1);
    let found = values.iter().enumerate().take(end).skip(start);
    let found = found
        .into_iter()
        .find(|(_, value)| wanted.as_ref().is_some_and(|wanted| collation.compare_values(value, wanted).is_eq()));
    Ok(Some(Bson::Int32(found.and_then(|(index, _)| i32::try_from(index).ok()).unwrap_or(-1))))
}

pub(super) fn is_array(arguments: &[Value]) -> Result<Value, CommandError> {
    yes(matches!(arguments, [Some(Bson::Array(_))]))
}

pub(super) fn reverse(arguments: &[Value]) -> Result<Value, CommandError> {
    let wrong = |kind| format!("The argument to $reverseArray must be an array, but was of type: {kind}");
    match elements(argument(arguments, 0), 34435, wrong)? {
        Some(mut values) => {
            values.reverse();
            array(values)
        }
        None => null(),
    }
}

/// More numbers than this are not made by one `$range`.
const MAX_RANGE: usize = 1_000_000;

pub(super) fn range(arguments: &[Value]) -> Result<Value, CommandError> {
    let number = |index: usize, location: i32, what: &str| {
        let value = argument(arguments, index);
        let number = value.as_ref().and_then(whole_number).and_then(|n| i32::try_from(n).ok());
        number.ok_or_else(|| {
            fault(
                location,
                format!("$range requires a {what} that can be represented as a 32-bit integer, found {}", alias(&value)),
            )
        })
    };
    let (mut next, end) = (i64::from(number(0, 34444, "starting value")?), i64::from(number(1, 34446, "ending value")?));
    let step = if arguments.len() > 2 { i64::from(number(2, 34448, "step value")?) } else { 1 };
    if step == 0 {
        return Err(fault(34449, "$range requires a non-zero step value"));
    }
    let mut values = Vec::new();
    while if step > 0 { next < end } else { next > end } {
        if values.len() >= MAX_RANGE {
            return Err(CommandError::new(Code::EXCEEDED_MEMORY_LIMIT, "$range would use too much memory"));
        }
        values.push(Bson::Int32(i32::try_from(next).unwrap_or(i32::MAX)));
        next += step;
    }
    array(values)
}

pub(super) fn sort(arguments: &[Value], collation: &Collation) -> Result<Value, CommandError> {
    let wrong = |kind| format!("The input argument to $sortArray must be an array, but was of type: {kind}");
    let Some(mut values) = elements(argument(arguments, 0), 2_942_504, wrong)? else { return null() };
    match argument(arguments, 1) {
        Some(Bson::Document(by)) => {
            if let Some(sort) = Sort::parse(&RawDocumentBuf::try_from(&by)?, collation)? {
                values.sort_by_cached_key(|element| {
                    let document = element.as_document().and_then(|document| RawDocumentBuf::try_from(document).ok());
                    sort.key(&document.unwrap_or_default())
                });
            }
        }
        by => match by.as_ref().and_then(whole_number) {
            Some(1) => values.sort_by(|a, b| collation.compare_values(a, b)),
            Some(-1) => values.sort_by(|a, b| collation.compare_values(b, a)),
            _ => return Err(fault(2_942_505, "The sortBy of $sortArray must be 1, -1 or a document")),
        },
    }
    array(values)
}

pub(super) fn zip(arguments: &[Value]) -> Result<Value, CommandError> {
    let Some(inputs) =
        elements(argument(arguments, 0), 34461, |kind| format!("inputs must be an array of expressions, found {kind}"))?
    else {
        return null();
    };
    let mut rows = Vec::new();
    for input in inputs {
        match elements(Some(input), 34468, |kind| format!("$zip found a non-array expression in input: {kind}"))? {
            Some(row) => rows.push(row),
            None => return null(),
        }
    }
    let longest = truth(&argument(arguments, 1));
    let lengths = rows.iter().map(Vec::len);
    let length = if longest { lengths.max() } else { lengths.min() }.unwrap_or(0);
    let defaults = match argument(arguments, 2) {
        Some(Bson::Array(defaults)) => defaults,
        _ => Vec::new(),
    };
    let cell = |row: usize, index: usize| {
        let value = rows.get(row).and_then(|row| row.get(index)).or_else(|| defaults.get(row));
        value.cloned().unwrap_or(Bson::Null)
    };
    array((0..length).map(|index| Bson::Array((0..rows.len()).map(|row| cell(row, index)).collect())).collect())
}
