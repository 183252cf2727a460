//! Sines, tangents and their inverses.

use bson::Bson;

use super::super::error::{Code, CommandError};
use super::super::value::{alias_of, double, is_number};
use super::Value;
use super::logic::is_nullish;

/// The function of one number; a decimal stays one, with the digits a double is sure of.
fn of_one(
    name: &str,
    arguments: &[Value],
    allowed: impl Fn(f64) -> bool,
    of: impl Fn(f64) -> f64,
) -> Result<Value, CommandError> {
    let value = arguments.first().cloned().flatten();
    match value {
        value if is_nullish(&value) => Ok(Some(Bson::Null)),
        Some(value) if is_number(&value) => {
            let n = double(&value).unwrap_or(f64::NAN);
            if !n.is_nan() && !allowed(n) {
                let message = format!("cannot apply {name} to {n}, value must be in its range");
                return Err(CommandError::new(Code::location(50989), message));
            }
            kept(&[&value], of(n))
        }
        value => Err(no_number(name, &value)),
    }
}

fn no_number(name: &str, value: &Value) -> CommandError {
    let kind = value.as_ref().map_or("missing", alias_of);
    CommandError::new(Code::location(28765), format!("{name} only supports numeric types, not {kind}"))
}

/// A double, or a decimal if one of the operands was one.
fn kept(operands: &[&Bson], result: f64) -> Result<Value, CommandError> {
    if operands.iter().any(|operand| matches!(operand, Bson::Decimal128(_))) {
        return super::convert::to_decimal(&[Some(Bson::Double(result))]);
    }
    Ok(Some(Bson::Double(result)))
}

macro_rules! functions {
    ($($rust:ident $name:literal $allowed:expr, $of:expr;)*) => {
        $(pub(super) fn $rust(arguments: &[Value]) -> Result<Value, CommandError> {
            of_one($name, arguments, $allowed, $of)
        })*
    };
}

functions! {
    sin "$sin" f64::is_finite, f64::sin;
    cos "$cos" f64::is_finite, f64::cos;
    tan "$tan" f64::is_finite, f64::tan;
    asin "$asin" |n| (-1.0..=1.0).contains(&n), f64::asin;
    acos "$acos" |n| (-1.0..=1.0).contains(&n), f64::acos;
    atan "$atan" |_| true, f64::atan;
    sinh "$sinh" |_| true, f64::sinh;
    cosh "$cosh" |_| true, f64::cosh;
    tanh "$tanh" |_| true, f64::tanh;
    asinh "$asinh" |_| true, f64::asinh;
    acosh "$acosh" |n| n >= 1.0, f64::acosh;
    atanh "$atanh" |n| (-1.0..=1.0).contains(&n), f64::atanh;
    radians "$degreesToRadians" |_| true, f64::to_radians;
    degrees "$radiansToDegrees" |_| true, f64::to_degrees;
}

pub(super) fn atan2(arguments: &[Value]) -> Result<Value, CommandError> {
    let [y, x] = arguments else { return Ok(None) };
    match (y, x) {
        _ if is_nullish(y) || is_nullish(x) => Ok(Some(Bson::Null)),
        (Some(y), Some(x)) if is_number(y) && is_number(x) => {
            let angle = double(y).unwrap_or(f64::NAN).atan2(double(x).unwrap_or(f64::NAN));
            kept(&[y, x], angle)
        }
        (Some(number), other) if is_number(number) => Err(no_number("$atan2", other)),
        (other, _) => Err(no_number("$atan2", other)),
    }
}
