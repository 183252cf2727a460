//! Bits of whole numbers, and the sizes and parts of what is not made of numbers.

use bson::{Bson, RawDocumentBuf};

use super::super::error::{Code, CommandError};
use super::super::value::{alias_of, long};
use super::Value;
use super::logic::is_nullish;

fn fault(location: i32, message: String) -> CommandError {
    CommandError::new(Code::location(location), message)
}

fn first(arguments: &[Value]) -> Value {
    arguments.first().cloned().flatten()
}

/// An int if all operands are, else a long.
fn folded(name: &str, arguments: &[Value], start: i64, fold: impl Fn(i64, i64) -> i64) -> Result<Value, CommandError> {
    // The operands may be the elements of one array.
    let operands: Vec<Value> = match arguments {
        [Some(Bson::Array(elements))] => elements.iter().cloned().map(Some).collect(),
        several => several.to_vec(),
    };
    if operands.iter().any(is_nullish) {
        return Ok(Some(Bson::Null));
    }
    let (mut result, mut wide) = (start, false);
    for operand in operands.iter().flatten() {
        let refused = || {
            CommandError::new(
                Code::TYPE_MISMATCH,
                format!("{name} only supports int and long operands, found {}", alias_of(operand)),
            )
        };
        result = fold(result, long(operand).ok_or_else(refused)?);
        wide |= matches!(operand, Bson::Int64(_));
    }
    Ok(Some(match i32::try_from(result) {
        Ok(result) if !wide => Bson::Int32(result),
        _ => Bson::Int64(result),
    }))
}

pub(super) fn and(arguments: &[Value]) -> Result<Value, CommandError> {
    folded("$bitAnd", arguments, -1, |a, b| a & b)
}

pub(super) fn or(arguments: &[Value]) -> Result<Value, CommandError> {
    folded("$bitOr", arguments, 0, |a, b| a | b)
}

pub(super) fn xor(arguments: &[Value]) -> Result<Value, CommandError> {
    folded("$bitXor", arguments, 0, |a, b| a ^ b)
}

pub(super) fn not(arguments: &[Value]) -> Result<Value, CommandError> {
    match first(arguments) {
        Some(Bson::Int32(n)) => Ok(Some(Bson::Int32(!n))),
        Some(Bson::Int64(n)) => Ok(Some(Bson::Int64(!n))),
        value if is_nullish(&value) => Ok(Some(Bson::Null)),
        value => {
            let kind = value.as_ref().map_or("missing", alias_of);
            Err(CommandError::new(Code::TYPE_MISMATCH, format!("$bitNot only supports int and long, not {kind}.")))
        }
    }
}

fn size(bytes: usize) -> Result<Value, CommandError> {
    Ok(Some(Bson::Int32(i32::try_from(bytes).unwrap_or(i32::MAX))))
}

/// The bytes of a string or of binary data.
pub(super) fn binary_size(arguments: &[Value]) -> Result<Value, CommandError> {
    match first(arguments) {
        Some(Bson::String(text)) => size(text.len()),
        Some(Bson::Binary(binary)) => size(binary.bytes.len()),
        value if is_nullish(&value) => Ok(Some(Bson::Null)),
        value => {
            let kind = value.as_ref().map_or("missing", alias_of);
            Err(fault(51276, format!("$binarySize requires a string or BinData argument, found: {kind}")))
        }
    }
}

/// The bytes of a document.
pub(super) fn bson_size(arguments: &[Value]) -> Result<Value, CommandError> {
    match first(arguments) {
        Some(Bson::Document(document)) => size(RawDocumentBuf::try_from(&document)?.as_bytes().len()),
        value if is_nullish(&value) => Ok(Some(Bson::Null)),
        value => {
            let kind = value.as_ref().map_or("missing", alias_of);
            Err(fault(31393, format!("$bsonSize requires a document input, found: {kind}")))
        }
    }
}

fn of_timestamp(
    name: &str,
    location: i32,
    arguments: &[Value],
    part: impl Fn(bson::Timestamp) -> u32,
) -> Result<Value, CommandError> {
    match first(arguments) {
        Some(Bson::Timestamp(timestamp)) => Ok(Some(Bson::Int64(part(timestamp).into()))),
        value if is_nullish(&value) => Ok(Some(Bson::Null)),
        value => {
            let kind = value.as_ref().map_or("missing", alias_of);
            Err(fault(location, format!(" Argument to {name} must be a timestamp, but is {kind}")))
        }
    }
}

pub(super) fn ts_second(arguments: &[Value]) -> Result<Value, CommandError> {
    of_timestamp("$tsSecond", 5_687_301, arguments, |timestamp| timestamp.time)
}

pub(super) fn ts_increment(arguments: &[Value]) -> Result<Value, CommandError> {
    of_timestamp("$tsIncrement", 5_687_302, arguments, |timestamp| timestamp.increment)
}
