use bson::oid::ObjectId;
use bson::{Bson, DateTime};

use super::super::error::{Code, CommandError};
use super::super::value::{alias_of, double, double_text, is_number as is_number_value, long, narrow, type_from_alias};
use super::Value;
use super::dates;
use super::logic::{is_nullish, truth};

fn alias(value: &Value) -> &'static str {
    value.as_ref().map_or("missing", alias_of)
}

fn first(arguments: &[Value]) -> Value {
    arguments.first().cloned().flatten()
}

pub(super) fn type_of(arguments: &[Value]) -> Result<Value, CommandError> {
    Ok(Some(Bson::String(alias(&first(arguments)).into())))
}

pub(super) fn is_number(arguments: &[Value]) -> Result<Value, CommandError> {
    Ok(Some(Bson::Boolean(first(arguments).as_ref().is_some_and(is_number_value))))
}

/// A number, date, id or flag as text.
pub(super) fn text_of(value: &Bson) -> String {
    match value {
        Bson::DateTime(at) => dates::iso(*at),
        Bson::ObjectId(id) => id.to_hex(),
        Bson::Boolean(flag) => flag.to_string(),
        Bson::Double(n) => double_text(*n),
        other => other.to_string(),
    }
}

fn failed(message: impl Into<String>) -> CommandError {
    CommandError::new(Code::CONVERSION_FAILURE, message)
}

fn unsupported(value: &Bson, to: &str) -> CommandError {
    failed(format!("Unsupported conversion from {} to {to} in $convert with no onError value", alias_of(value)))
}

fn unparsable(text: &str, why: &str) -> CommandError {
    failed(format!("Failed to parse number '{text}' in $convert with no onError value: {why}"))
}

fn to(value: &Bson, to: &str) -> Result<Bson, CommandError> {
    Ok(match (to, value) {
        ("string", Bson::String(_))
        | ("objectId", Bson::ObjectId(_))
        | ("date", Bson::DateTime(_))
        | ("bool", Bson::Boolean(_)) => value.clone(),
        ("string", value)
            if is_number_value(value) || matches!(value, Bson::ObjectId(_) | Bson::DateTime(_) | Bson::Boolean(_)) =>
        {
            Bson::String(text_of(value))
        }
        ("bool", value) => Bson::Boolean(truth(&Some(value.clone()))),
        ("objectId", Bson::String(text)) => {
            let refused = |_| failed(format!("Failed to parse objectId '{text}' in $convert with no onError value"));
            Bson::ObjectId(ObjectId::parse_str(text).map_err(refused)?)
        }
        ("date", Bson::ObjectId(id)) => Bson::DateTime(id.timestamp()),
        ("date", Bson::Timestamp(t)) => Bson::DateTime(DateTime::from_millis(i64::from(t.time) * 1_000)),
        ("date", Bson::String(text)) => Bson::DateTime(dates::parse(text)?),
        ("date", Bson::Int64(millis)) => Bson::DateTime(DateTime::from_millis(*millis)),
        ("date", Bson::Double(_) | Bson::Decimal128(_)) => Bson::DateTime(DateTime::from_millis(integer(value, "date")?)),
        ("int", value) => narrowed(integer(value, to)?, value)?,
        ("long", value) => Bson::Int64(integer(value, to)?),
        ("double", Bson::String(text)) => {
            Bson::Double(text.parse().map_err(|_| unparsable(text, "Did not consume whole string."))?)
        }
        ("double", Bson::Boolean(flag)) => Bson::Double(if *flag { 1.0 } else { 0.0 }),
        #[allow(clippy::cast_precision_loss)] // as the server does
        ("double", Bson::DateTime(at)) => Bson::Double(at.timestamp_millis() as f64),
        ("double", value) => Bson::Double(double(value).ok_or_else(|| unsupported(value, to))?),
        ("decimal", Bson::Decimal128(_)) => value.clone(),
        ("decimal", Bson::String(text)) => decimal(text)?,
        ("decimal", Bson::Boolean(flag)) => decimal(&i32::from(*flag).to_string())?,
        ("decimal", Bson::DateTime(at)) => decimal(&at.timestamp_millis().to_string())?,
        // A double counts with the 15 digits it is sure of.
        ("decimal", Bson::Double(n)) => match super::super::value::exact(value).and_then(super::super::value::Decimal::rounded) {
            Some(n) => Bson::Decimal128(n),
            None => decimal(&text_of(&Bson::Double(*n)))?,
        },
        ("decimal", Bson::Int32(_) | Bson::Int64(_)) => decimal(&value.to_string())?,
        _ => return Err(unsupported(value, to)),
    })
}

fn decimal(text: &str) -> Result<Bson, CommandError> {
    // The parser takes a text without any digit, an empty one too, for zero.
    let mantissa = text.split(['e', 'E']).next().unwrap_or_default();
    let says_something = mantissa.bytes().any(|b| b.is_ascii_digit()) || text.contains(['n', 'N']);
    let parsed = says_something.then(|| text.parse().ok()).flatten();
    parsed.map(Bson::Decimal128).ok_or_else(|| unparsable(text, "no decimal number"))
}

fn narrowed(n: i64, from: &Bson) -> Result<Bson, CommandError> {
    match narrow(n) {
        int @ Bson::Int32(_) => Ok(int),
        _ => Err(failed(format!("Conversion would overflow target type in $convert with no onError value: {}", text_of(from)))),
    }
}

fn integer(value: &Bson, to: &str) -> Result<i64, CommandError> {
    match value {
        Bson::String(text) => text.parse().map_err(|_| unparsable(text, "Did not consume whole string.")),
        Bson::Boolean(flag) => Ok(i64::from(*flag)),
        Bson::DateTime(at) if to == "long" => Ok(at.timestamp_millis()),
        value => match (long(value), double(value)) {
            (Some(n), _) => Ok(n),
            #[allow(clippy::cast_possible_truncation)] // in range
            (None, Some(n)) if n.is_finite() && n.abs() < 9.223_372_036_854_775e18 => Ok(n.trunc() as i64),
            (None, Some(n)) => {
                Err(failed(format!("Conversion would overflow target type in $convert with no onError value: {n}")))
            }
            _ => Err(unsupported(value, to)),
        },
    }
}

fn converted(arguments: &[Value], name: &str) -> Result<Value, CommandError> {
    match first(arguments) {
        Some(value) if !matches!(value, Bson::Null | Bson::Undefined) => to(&value, name).map(Some),
        _ => Ok(Some(Bson::Null)),
    }
}

pub(super) fn to_string(arguments: &[Value]) -> Result<Value, CommandError> {
    converted(arguments, "string")
}

pub(super) fn to_int(arguments: &[Value]) -> Result<Value, CommandError> {
    converted(arguments, "int")
}

pub(super) fn to_long(arguments: &[Value]) -> Result<Value, CommandError> {
    converted(arguments, "long")
}

pub(super) fn to_double(arguments: &[Value]) -> Result<Value, CommandError> {
    converted(arguments, "double")
}

pub(super) fn to_decimal(arguments: &[Value]) -> Result<Value, CommandError> {
    converted(arguments, "decimal")
}

pub(super) fn to_bool(arguments: &[Value]) -> Result<Value, CommandError> {
    converted(arguments, "bool")
}

pub(super) fn to_date(arguments: &[Value]) -> Result<Value, CommandError> {
    converted(arguments, "date")
}

pub(super) fn to_object_id(arguments: &[Value]) -> Result<Value, CommandError> {
    converted(arguments, "objectId")
}

pub(super) fn convert(arguments: &[Value]) -> Result<Value, CommandError> {
    let [input, target, on_error, on_null] = arguments else { return Ok(None) };
    if is_nullish(target) {
        return Ok(Some(Bson::Null));
    }
    let Some(value) = input.as_ref().filter(|value| !matches!(value, Bson::Null | Bson::Undefined)) else {
        return Ok(Some(on_null.clone().unwrap_or(Bson::Null)));
    };
    let target = match target {
        Some(Bson::String(name)) => name.clone(),
        Some(other) => {
            let number = bson::RawBson::try_from(other.clone())?;
            let known = ["double", "string", "objectId", "bool", "date", "int", "long", "decimal"];
            let numbers = type_from_alias(number.as_raw_bson_ref());
            let name = known.iter().find(|name| type_from_alias(bson::RawBsonRef::String(name)) == numbers);
            name.map(ToString::to_string).unwrap_or_default()
        }
        None => String::new(),
    };
    if !["double", "string", "objectId", "bool", "date", "int", "long", "decimal"].contains(&target.as_str()) {
        return Err(CommandError::bad_value(format!("Unknown type name: {target}")));
    }
    match (to(value, &target), on_error) {
        (Ok(converted), _) => Ok(Some(converted)),
        (Err(_), Some(otherwise)) => Ok(Some(otherwise.clone())),
        (Err(error), None) => Err(error),
    }
}
