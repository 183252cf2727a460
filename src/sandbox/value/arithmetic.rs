//! Arithmetic on BSON's four number types, by MongoDB's rules: the result has the wider type; an int that overflows
//! becomes a long.

use bson::{Bson, Decimal128};

use super::decimal::Decimal;

/// What to do with two numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sandbox) enum Op {
    Add,
    Subtract,
    Multiply,
}

/// Why two values have no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sandbox) enum Trouble {
    /// One of them is no number.
    NoNumber,
    /// The result is a whole number beyond 64 bits, or a decimal beyond Decimal128.
    Overflow,
}

/// The result of `op` on two numbers.
pub(in crate::sandbox) fn calculate(op: Op, a: &Bson, b: &Bson) -> Result<Bson, Trouble> {
    match (a, b) {
        (Bson::Decimal128(_), _) | (_, Bson::Decimal128(_)) => decimal(op, a, b),
        (Bson::Double(_), _) | (_, Bson::Double(_)) => {
            let (x, y) = (double(a).ok_or(Trouble::NoNumber)?, double(b).ok_or(Trouble::NoNumber)?);
            Ok(Bson::Double(match op {
                Op::Add => x + y,
                Op::Subtract => x - y,
                Op::Multiply => x * y,
            }))
        }
        _ => {
            let (x, y) = (long(a).ok_or(Trouble::NoNumber)?, long(b).ok_or(Trouble::NoNumber)?);
            let result = match op {
                Op::Add => x.checked_add(y),
                Op::Subtract => x.checked_sub(y),
                Op::Multiply => x.checked_mul(y),
            };
            let result = result.ok_or(Trouble::Overflow)?;
            let ints = matches!((a, b), (Bson::Int32(_), Bson::Int32(_)));
            Ok(if ints { narrow(result) } else { Bson::Int64(result) })
        }
    }
}

/// As [`calculate`], but what overflows a long becomes a double, as in expressions.
pub(in crate::sandbox) fn calculate_wide(op: Op, a: &Bson, b: &Bson) -> Result<Bson, Trouble> {
    match calculate(op, a, b) {
        Err(Trouble::Overflow) => match (double(a), double(b)) {
            (Some(x), Some(y)) => calculate(op, &Bson::Double(x), &Bson::Double(y)),
            _ => Err(Trouble::Overflow),
        },
        done => done,
    }
}

/// An int if it fits, else a long.
pub(in crate::sandbox) fn narrow(n: i64) -> Bson {
    i32::try_from(n).map_or(Bson::Int64(n), Bson::Int32)
}

/// The value of an int or long.
pub(in crate::sandbox) fn long(value: &Bson) -> Option<i64> {
    match value {
        Bson::Int32(n) => Some((*n).into()),
        Bson::Int64(n) => Some(*n),
        _ => None,
    }
}

/// The nearest double of a number.
pub(in crate::sandbox) fn double(value: &Bson) -> Option<f64> {
    match value {
        Bson::Int32(n) => Some((*n).into()),
        #[allow(clippy::cast_precision_loss)] // the nearest is what is asked for
        Bson::Int64(n) => Some(*n as f64),
        Bson::Double(n) => Some(*n),
        Bson::Decimal128(n) => n.to_string().parse().ok(),
        _ => None,
    }
}

/// A whole number, whatever its type: 3, 3.0, NumberDecimal("3").
pub(in crate::sandbox) fn whole_number(value: &Bson) -> Option<i64> {
    long(value).or_else(|| {
        #[allow(clippy::cast_possible_truncation)] // checked to be whole and in range
        double(value).filter(|n| n.fract() == 0.0 && n.abs() < 9.2e18).map(|n| n as i64)
    })
}

pub(in crate::sandbox) fn is_number(value: &Bson) -> bool {
    matches!(value, Bson::Int32(_) | Bson::Int64(_) | Bson::Double(_) | Bson::Decimal128(_))
}

/// A number as an exact decimal. A double counts with the 15 digits it is sure of, as in MongoDB.
pub(in crate::sandbox) fn exact(value: &Bson) -> Option<Decimal> {
    match value {
        // Zero has no digits to be sure of.
        Bson::Double(n) if *n == 0.0 => Decimal::parse(&format!("{n:e}")),
        Bson::Double(n) => Decimal::parse(&format!("{n:.14e}")),
        other => Decimal::parse(&other.to_string()),
    }
}

fn decimal(op: Op, a: &Bson, b: &Bson) -> Result<Bson, Trouble> {
    let (x, y) = (double(a).ok_or(Trouble::NoNumber)?, double(b).ok_or(Trouble::NoNumber)?);
    let (Some(m), Some(n)) = (exact(a), exact(b)) else { return special(op, x, y) };
    let result = match op {
        Op::Add => m.add(&n).ok_or(Trouble::Overflow)?,
        Op::Subtract => m.add(&n.negated()).ok_or(Trouble::Overflow)?,
        Op::Multiply => m.multiply(&n),
    };
    result.rounded().map(Bson::Decimal128).ok_or(Trouble::Overflow)
}

/// NaN and the infinities follow the doubles.
fn special(op: Op, x: f64, y: f64) -> Result<Bson, Trouble> {
    let result = match op {
        Op::Add => x + y,
        Op::Subtract => x - y,
        Op::Multiply => x * y,
    };
    special_decimal(result).map(Bson::Decimal128).ok_or(Trouble::Overflow)
}

/// The Decimal128 of NaN or an infinity.
pub(in crate::sandbox) fn special_decimal(n: f64) -> Option<Decimal128> {
    let text = if n.is_nan() {
        "NaN"
    } else if n > 0.0 {
        "Infinity"
    } else {
        "-Infinity"
    };
    text.parse().ok()
}
