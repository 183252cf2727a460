use bson::{Bson, DateTime};

use super::super::error::{Code, CommandError};
use super::super::value::{
    self, Collation, Decimal, Op, Sum, Trouble, Way, alias_of, calculate_wide, double, double_text, exact, long, special_decimal,
    transcendental, whole_number,
};
use super::Value;
use super::logic::is_nullish;

fn mismatch(message: impl Into<String>) -> CommandError {
    CommandError::new(Code::TYPE_MISMATCH, message)
}

fn trouble(trouble: Trouble, message: impl Into<String>) -> CommandError {
    match trouble {
        Trouble::NoNumber => mismatch(message),
        Trouble::Overflow => CommandError::new(Code::OVERFLOW, "the result of the calculation has too many digits"),
    }
}

fn alias(value: &Value) -> &'static str {
    value.as_ref().map_or("missing", alias_of)
}

/// Milliseconds to add to a date.
fn millis(value: &Bson) -> Option<i64> {
    #[allow(clippy::cast_possible_truncation)] // saturates
    long(value).or_else(|| double(value).map(|n| n.round() as i64))
}

pub(super) fn add(arguments: &[Value]) -> Result<Value, CommandError> {
    let (mut sum, mut date) = (Sum::default(), None);
    if arguments.iter().any(is_nullish) {
        return Ok(Some(Bson::Null));
    }
    for value in arguments.iter().flatten() {
        match value {
            Bson::DateTime(_) if date.is_some() => {
                return Err(CommandError::new(Code::location(16612), "only one date allowed in an $add expression"));
            }
            Bson::DateTime(at) => date = Some(*at),
            value if value::is_number(value) => sum.add(value),
            value => return Err(mismatch(format!("$add only supports numeric or date types, not {}", alias_of(value)))),
        }
    }
    let sum = sum.total();
    Ok(Some(match date {
        Some(date) => Bson::DateTime(DateTime::from_millis(date.timestamp_millis().saturating_add(millis(&sum).unwrap_or(0)))),
        None => sum,
    }))
}

pub(super) fn subtract(arguments: &[Value]) -> Result<Value, CommandError> {
    let [a, b] = arguments else { return Ok(None) };
    if is_nullish(a) || is_nullish(b) {
        return Ok(Some(Bson::Null));
    }
    match (a, b) {
        (Some(Bson::DateTime(a)), Some(Bson::DateTime(b))) => {
            Ok(Some(Bson::Int64(a.timestamp_millis().saturating_sub(b.timestamp_millis()))))
        }
        (Some(Bson::DateTime(a)), Some(b)) if value::is_number(b) => {
            let left = a.timestamp_millis().saturating_sub(millis(b).unwrap_or(0));
            Ok(Some(Bson::DateTime(DateTime::from_millis(left))))
        }
        (Some(x), Some(y)) => {
            let message = || format!("can't $subtract {} from {}", alias(b), alias(a));
            calculate_wide(Op::Subtract, x, y).map(Some).map_err(|why| trouble(why, message()))
        }
        _ => Ok(None),
    }
}

pub(super) fn multiply(arguments: &[Value]) -> Result<Value, CommandError> {
    if arguments.iter().any(is_nullish) {
        return Ok(Some(Bson::Null));
    }
    let mut product = Bson::Int32(1);
    for value in arguments.iter().flatten() {
        let message = format!("$multiply only supports numeric types, not {}", alias_of(value));
        product = calculate_wide(Op::Multiply, &product, value).map_err(|why| trouble(why, message))?;
    }
    Ok(Some(product))
}

pub(super) fn divide(arguments: &[Value]) -> Result<Value, CommandError> {
    let [a, b] = arguments else { return Ok(None) };
    if is_nullish(a) || is_nullish(b) {
        return Ok(Some(Bson::Null));
    }
    let (Some((x, m)), Some((y, n))) = (number(a), number(b)) else {
        return Err(mismatch(format!("$divide only supports numeric types, not {} and {}", alias(a), alias(b))));
    };
    if is_zero(y) {
        return Err(CommandError::bad_value("can't $divide by zero"));
    }
    if !matches!((x, y), (Bson::Decimal128(_), _) | (_, Bson::Decimal128(_))) {
        return Ok(Some(Bson::Double(m / n)));
    }
    let quotient = match (exact(x), exact(y)) {
        (Some(x), Some(y)) => x.divide(&y).and_then(super::super::value::Decimal::rounded),
        _ => special_decimal(m / n),
    };
    Ok(quotient.map(Bson::Decimal128))
}

pub(super) fn modulo(arguments: &[Value]) -> Result<Value, CommandError> {
    let [a, b] = arguments else { return Ok(None) };
    if is_nullish(a) || is_nullish(b) {
        return Ok(Some(Bson::Null));
    }
    let (Some((x, m)), Some((y, n))) = (number(a), number(b)) else {
        let message = format!("$mod only supports numeric types, not {} and {}", alias(a), alias(b));
        return Err(CommandError::new(Code::location(16611), message));
    };
    if is_zero(y) {
        return Err(CommandError::new(Code::location(16610), "can't $mod by zero"));
    }
    Ok(Some(match (x, y, long(x), long(y)) {
        (Bson::Decimal128(_), ..) | (_, Bson::Decimal128(_), ..) => match (exact(x), exact(y)) {
            (Some(x), Some(y)) => decimal(x.remainder(&y), f64::NAN),
            (Some(x), None) if !n.is_nan() => decimal(Some(x), f64::NAN),
            _ => decimal(None, f64::NAN),
        },
        (Bson::Int32(_), Bson::Int32(_), Some(p), Some(q)) => value::narrow(p % q),
        (_, _, Some(p), Some(q)) => Bson::Int64(p.wrapping_rem(q)),
        _ => Bson::Double(m % n),
    }))
}

/// A tiny decimal is none, though the nearest double is.
fn is_zero(value: &Bson) -> bool {
    match value {
        Bson::Decimal128(_) => exact(value).is_some_and(|n| n.is_zero()),
        other => double(other) == Some(0.0),
    }
}

/// The Decimal128 of a result; where there is none, that of zero, NaN or an infinity.
fn decimal(result: Option<Decimal>, otherwise: f64) -> Bson {
    let special = || if otherwise == 0.0 { "0E-6176".parse().ok() } else { special_decimal(otherwise) };
    result.and_then(Decimal::rounded).or_else(special).map_or(Bson::Null, Bson::Decimal128)
}

fn number(value: &Value) -> Option<(&Bson, f64)> {
    let value = value.as_ref()?;
    double(value).map(|n| (value, n))
}

/// A function of one number that keeps whole numbers as they are.
fn unary(name: &str, arguments: &[Value], of: impl Fn(&Bson, f64) -> Result<Bson, CommandError>) -> Result<Value, CommandError> {
    let value = arguments.first().cloned().flatten();
    if is_nullish(&value) {
        return Ok(Some(Bson::Null));
    }
    match number(&value) {
        Some((value, n)) => of(value, n).map(Some),
        None => {
            let message = format!("{name} only supports numeric types, not {}", alias(&value));
            let location = if matches!(name, "$round" | "$trunc") { 51081 } else { 28765 };
            Err(CommandError::new(Code::location(location), message))
        }
    }
}

pub(super) fn abs(arguments: &[Value]) -> Result<Value, CommandError> {
    unary("$abs", arguments, |value, n| match value {
        Bson::Int32(n) => Ok(value::narrow(i64::from(*n).abs())),
        Bson::Int64(n) => n
            .checked_abs()
            .map(Bson::Int64)
            .ok_or_else(|| CommandError::new(Code::location(28680), "can't take $abs of long long min")),
        Bson::Decimal128(n) => Ok(n.to_string().trim_start_matches('-').parse().map_or(Bson::Null, Bson::Decimal128)),
        _ => Ok(Bson::Double(n.abs())),
    })
}

/// What is exactly in the middle, or exactly at a place, is told by the exact decimal a number stands for.
fn rounding(name: &'static str, arguments: &[Value], way: Way) -> Result<Value, CommandError> {
    let places = match arguments.get(1) {
        None => 0,
        Some(places) if is_nullish(places) => return Ok(Some(Bson::Null)),
        Some(places) => places.as_ref().and_then(whole_number).filter(|n| (-20..=100).contains(n)).ok_or_else(|| {
            CommandError::new(
                Code::location(51082),
                format!("precision argument to {name} must be an integer between -20 and 100"),
            )
        })?,
    };
    let exponent = -i32::try_from(places).unwrap_or(0);
    unary(name, arguments, |value, n| match value {
        Bson::Int32(_) | Bson::Int64(_) if exponent <= 0 => Ok(value.clone()),
        Bson::Int32(_) | Bson::Int64(_) => {
            let rounded = exact(value).and_then(|n| n.quantized(exponent, way).to_long());
            let message = || CommandError::new(Code::location(51080), format!("Invalid conversion to long during {name}."));
            let rounded = rounded.ok_or_else(message)?;
            Ok(if matches!(value, Bson::Int32(_)) { value::narrow(rounded) } else { Bson::Int64(rounded) })
        }
        Bson::Decimal128(_) => Ok(exact(value).map_or_else(|| value.clone(), |n| decimal(Some(n.quantized(exponent, way)), 0.0))),
        _ if exponent == 0 => Ok(Bson::Double(match way {
            Way::HalfEven => n.round_ties_even(),
            Way::Down => n.trunc(),
            Way::Floor => n.floor(),
            Way::Ceiling => n.ceil(),
        })),
        _ => Ok(Bson::Double(Decimal::of_double(n).map_or(n, |exact| exact.quantized(exponent, way).to_double()))),
    })
}

pub(super) fn ceil(arguments: &[Value]) -> Result<Value, CommandError> {
    rounding("$ceil", arguments, Way::Ceiling)
}

pub(super) fn floor(arguments: &[Value]) -> Result<Value, CommandError> {
    rounding("$floor", arguments, Way::Floor)
}

/// A half goes to the even neighbour.
pub(super) fn round(arguments: &[Value]) -> Result<Value, CommandError> {
    rounding("$round", arguments, Way::HalfEven)
}

pub(super) fn trunc(arguments: &[Value]) -> Result<Value, CommandError> {
    rounding("$trunc", arguments, Way::Down)
}

/// A function of one number that is a double, or a decimal of a decimal.
fn real(
    name: &str,
    arguments: &[Value],
    allowed: impl Fn(&Bson, f64) -> Result<(), CommandError>,
    of: impl Fn(f64) -> f64,
    of_decimal: impl Fn(&Decimal) -> Option<Decimal>,
) -> Result<Value, CommandError> {
    unary(name, arguments, |value, n| {
        allowed(value, n)?;
        Ok(match value {
            Bson::Decimal128(_) => decimal(exact(value).and_then(|n| of_decimal(&n)), of(n)),
            _ => Bson::Double(of(n)),
        })
    })
}

pub(super) fn sqrt(arguments: &[Value]) -> Result<Value, CommandError> {
    let allowed = |value: &Bson, n: f64| {
        let negative = n < 0.0 || exact_if_decimal(value).is_some_and(|n| n.is_negative() && !n.is_zero());
        let message = "$sqrt's argument must be greater than or equal to 0";
        if negative { Err(CommandError::new(Code::location(28714), message)) } else { Ok(()) }
    };
    real("$sqrt", arguments, allowed, f64::sqrt, transcendental::root)
}

pub(super) fn exp(arguments: &[Value]) -> Result<Value, CommandError> {
    real("$exp", arguments, |_, _| Ok(()), f64::exp, transcendental::exponential)
}

fn exact_if_decimal(value: &Bson) -> Option<Decimal> {
    matches!(value, Bson::Decimal128(_)).then(|| exact(value)).flatten()
}

/// Whether there is a logarithm of it. NaN has itself.
fn is_positive(value: &Bson, n: f64) -> bool {
    exact_if_decimal(value).map_or(n > 0.0 || n.is_nan(), |n| !n.is_negative() && !n.is_zero())
}

fn logarithm(
    name: &str,
    location: i32,
    arguments: &[Value],
    of: fn(f64) -> f64,
    of_decimal: fn(&Decimal) -> Option<Decimal>,
) -> Result<Value, CommandError> {
    let allowed = |value: &Bson, n: f64| {
        let refused = || format!("{name}'s argument must be a positive number, but is {}", double_text(n));
        if is_positive(value, n) { Ok(()) } else { Err(CommandError::new(Code::location(location), refused())) }
    };
    real(name, arguments, allowed, of, of_decimal)
}

pub(super) fn ln(arguments: &[Value]) -> Result<Value, CommandError> {
    logarithm("$ln", 28766, arguments, f64::ln, transcendental::logarithm)
}

pub(super) fn log10(arguments: &[Value]) -> Result<Value, CommandError> {
    logarithm("$log10", 28761, arguments, f64::log10, transcendental::logarithm_10)
}

pub(super) fn log(arguments: &[Value]) -> Result<Value, CommandError> {
    let [of, base] = arguments else { return Ok(None) };
    if is_nullish(of) || is_nullish(base) {
        return Ok(Some(Bson::Null));
    }
    let (Some((x, n)), Some((y, b))) = (number(of), number(base)) else {
        return Err(CommandError::new(Code::location(28756), "$log's arguments must be numeric"));
    };
    if !is_positive(x, n) || !is_positive(y, b) || b.to_bits() == 1.0_f64.to_bits() {
        let message = "$log's argument must be a positive number, and its base a positive number not equal to 1";
        return Err(CommandError::new(Code::location(28758), message));
    }
    let near = n.ln() / b.ln();
    if !matches!((x, y), (Bson::Decimal128(_), _) | (_, Bson::Decimal128(_))) {
        return Ok(Some(Bson::Double(near)));
    }
    let logarithms = exact(x).zip(exact(y)).and_then(|(x, y)| transcendental::logarithm(&x).zip(transcendental::logarithm(&y)));
    Ok(Some(decimal(logarithms.and_then(|(x, y)| x.divide(&y)), near)))
}

pub(super) fn pow(arguments: &[Value]) -> Result<Value, CommandError> {
    let [base, exponent] = arguments else { return Ok(None) };
    if is_nullish(base) || is_nullish(exponent) {
        return Ok(Some(Bson::Null));
    }
    let (Some((x, m)), Some((y, n))) = (number(base), number(exponent)) else {
        return Err(CommandError::new(Code::location(28762), "$pow's base and exponent must be numeric"));
    };
    if is_zero(x) && n < 0.0 {
        return Err(CommandError::new(Code::location(28764), "$pow cannot take a base of 0 and a negative exponent"));
    }
    let whole = long(x).zip(long(y)).and_then(|(x, y)| x.checked_pow(u32::try_from(y).ok()?));
    Ok(Some(match (x, y, whole) {
        (Bson::Decimal128(_), ..) | (_, Bson::Decimal128(_), _) => {
            decimal(exact(x).zip(exact(y)).and_then(|(x, y)| decimal_power(&x, &y)), m.powf(n))
        }
        (Bson::Int32(_), Bson::Int32(_), Some(power)) => value::narrow(power),
        (_, _, Some(power)) => Bson::Int64(power),
        _ => Bson::Double(m.powf(n)),
    }))
}

fn decimal_power(base: &Decimal, exponent: &Decimal) -> Option<Decimal> {
    match exponent.clone().whole() {
        Some(power) => transcendental::whole_power(base, power),
        None if base.is_zero() => Some(base.clone()),
        None if base.is_negative() => None,
        None => transcendental::exponential(&transcendental::logarithm(base)?.multiply(exponent)),
    }
}

/// The numbers of an accumulator used as an expression: its arguments, or the elements of its only one.
fn operands(arguments: &[Value]) -> Vec<Bson> {
    match arguments {
        [Some(Bson::Array(elements))] => elements.clone(),
        several => several.iter().flatten().cloned().collect(),
    }
}

pub(super) fn rand(_: &[Value]) -> Result<Value, CommandError> {
    Ok(Some(Bson::Double(rand::random())))
}

pub(super) fn sum(arguments: &[Value]) -> Result<Value, CommandError> {
    Ok(Some(Sum::of(&operands(arguments)).total()))
}

pub(super) fn avg(arguments: &[Value]) -> Result<Value, CommandError> {
    let numbers: Vec<Bson> = operands(arguments).into_iter().filter(value::is_number).collect();
    if numbers.is_empty() {
        return Ok(Some(Bson::Null));
    }
    mean(&Sum::of(&numbers).total(), numbers.len())
}

/// The `n`th part of a sum: a double, or a decimal if the sum is one.
pub(in crate::sandbox) fn mean(sum: &Bson, n: usize) -> Result<Value, CommandError> {
    let sum = match sum {
        Bson::Decimal128(_) => sum.clone(),
        other => Bson::Double(double(other).unwrap_or(f64::NAN)),
    };
    divide(&[Some(sum), Some(Bson::Int64(i64::try_from(n).unwrap_or(i64::MAX)))])
}

pub(super) fn min(arguments: &[Value], collation: &Collation) -> Result<Value, CommandError> {
    Ok(Some(best(arguments, collation, std::cmp::Ordering::is_lt)))
}

pub(super) fn max(arguments: &[Value], collation: &Collation) -> Result<Value, CommandError> {
    Ok(Some(best(arguments, collation, std::cmp::Ordering::is_gt)))
}

fn best(arguments: &[Value], collation: &Collation, wins: impl Fn(std::cmp::Ordering) -> bool) -> Bson {
    let values = operands(arguments).into_iter().filter(|value| !matches!(value, Bson::Null | Bson::Undefined));
    values.reduce(|best, value| if wins(collation.compare_values(&value, &best)) { value } else { best }).unwrap_or(Bson::Null)
}

pub(super) fn deviation_pop(arguments: &[Value]) -> Result<Value, CommandError> {
    Ok(Some(deviation(arguments, 0)))
}

pub(super) fn deviation_samp(arguments: &[Value]) -> Result<Value, CommandError> {
    Ok(Some(deviation(arguments, 1)))
}

/// The standard deviation; what is no number is passed over.
fn deviation(arguments: &[Value], fewer: usize) -> Bson {
    let numbers: Vec<f64> = operands(arguments).iter().filter_map(double).collect();
    #[allow(clippy::cast_precision_loss)] // nobody has so many
    let (n, of) = (numbers.len() as f64, numbers.len().saturating_sub(fewer) as f64);
    if of <= 0.0 {
        return Bson::Null;
    }
    let mean = numbers.iter().sum::<f64>() / n;
    Bson::Double((numbers.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / of).sqrt())
}
