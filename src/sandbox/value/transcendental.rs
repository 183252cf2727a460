//! Roots, exponentials and logarithms of decimals, to all digits a Decimal128 has.

use super::decimal::Decimal;

/// The digits that are calculated with: a logarithm of what is nearly 1 begins with some 33 zeros.
const DIGITS: usize = 80;

const LN_10: &str =
    "2.302585092994045684017991454684364207601101488628772976033327900967572609677352480235997205089598298341967784042286";

fn number(text: &str) -> Option<Decimal> {
    Decimal::parse(text)
}

fn product(a: &Decimal, b: &Decimal) -> Decimal {
    a.multiply(b).shortened(DIGITS)
}

fn sum(a: &Decimal, b: &Decimal) -> Option<Decimal> {
    // What lies too far below does not count.
    let small = |n: &Decimal, beside: &Decimal| n.is_zero() || n.magnitude() + 160 < beside.magnitude();
    if small(b, a) {
        return Some(a.clone());
    }
    if small(a, b) {
        return Some(b.clone());
    }
    a.add(b).map(|sum| sum.shortened(DIGITS))
}

/// The square root of what is not negative.
pub(in crate::sandbox) fn root(n: &Decimal) -> Option<Decimal> {
    if n.is_zero() {
        return Some(n.clone());
    }
    let power = (n.magnitude() - 1).div_euclid(2);
    let scaled = n.scaled(-2 * power);
    let half = number("0.5")?;
    let mut root = Decimal::of_double(scaled.to_double().sqrt())?;
    for _ in 0..3 {
        root = product(&half, &sum(&root, &scaled.divided(&root, DIGITS)?)?);
    }
    Some(root.scaled(power).without_last_zeros())
}

/// e to the power of it; `None` if that is too large or too small for a Decimal128.
pub(in crate::sandbox) fn exponential(n: &Decimal) -> Option<Decimal> {
    if n.to_double().abs() > 14_300.0 {
        return None;
    }
    let ln10 = number(LN_10)?;
    #[allow(clippy::cast_possible_truncation)] // some thousands
    let power = (n.to_double() / std::f64::consts::LN_10).round() as i32;
    let rest = sum(n, &product(&number(&power.to_string())?, &ln10).negated())?;
    // Halved eight times the series is short; squared as often it is the whole again.
    let part = product(&rest, &number("0.00390625")?);
    let (mut whole, mut term) = (number("1")?, number("1")?);
    for place in 1..=60 {
        term = product(&term, &part).divided(&number(&place.to_string())?, DIGITS)?.shortened(DIGITS);
        whole = sum(&whole, &term)?;
    }
    for _ in 0..8 {
        whole = product(&whole, &whole);
    }
    Some(whole.scaled(power))
}

/// The natural logarithm of what is positive.
pub(in crate::sandbox) fn logarithm(n: &Decimal) -> Option<Decimal> {
    let power = n.magnitude() - 1;
    let scaled = n.scaled(-power);
    let mut near = Decimal::of_double(scaled.to_double().ln())?;
    // Halley's method: each time three times as many digits are right.
    for _ in 0..2 {
        let reached = exponential(&near)?;
        let missing = sum(&scaled, &reached.clone().negated())?;
        let step = product(&number("2")?, &missing).divided(&sum(&scaled, &reached)?, DIGITS)?;
        near = sum(&near, &step)?;
    }
    sum(&near, &product(&number(&power.to_string())?, &number(LN_10)?))
}

/// The logarithm to the base 10 of what is positive: exact for its powers.
pub(in crate::sandbox) fn logarithm_10(n: &Decimal) -> Option<Decimal> {
    match n.power_of_ten() {
        Some(power) => number(&power.to_string()),
        None => logarithm(n)?.divided(&number(LN_10)?, DIGITS),
    }
}

/// A number to a whole power.
pub(in crate::sandbox) fn whole_power(n: &Decimal, power: i64) -> Option<Decimal> {
    let (mut left, mut square, mut result) = (power.unsigned_abs(), n.clone(), number("1")?);
    while left > 0 {
        if left % 2 == 1 {
            result = product(&result, &square);
        }
        left /= 2;
        if left > 0 {
            square = product(&square, &square);
        }
        // Beyond what a Decimal128 can be.
        if result.magnitude().abs().max(square.magnitude().abs()) > 100_000 {
            return None;
        }
    }
    if power < 0 { number("1")?.divided(&result, DIGITS) } else { Some(result) }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn shown(n: Option<Decimal>) -> String {
        n.unwrap().rounded().unwrap().to_string()
    }

    fn of(text: &str) -> Decimal {
        Decimal::parse(text).unwrap()
    }

    #[rstest]
    #[case(shown(root(&of("2"))), "1.414213562373095048801688724209698")]
    #[case(shown(root(&of("2.25"))), "1.5")]
    #[case(shown(root(&of("1E-6176"))), "1E-3088")]
    #[case(shown(exponential(&of("1"))), "2.718281828459045235360287471352662")]
    #[case(shown(exponential(&of("-100"))), "3.720075976020835962959695803863118E-44")]
    #[case(shown(logarithm(&of("2"))), "0.6931471805599453094172321214581766")]
    #[case(shown(logarithm(&of("1E+100"))), "230.2585092994045684017991454684364")]
    #[case(shown(logarithm_10(&of("1000"))), "3")]
    #[case(shown(logarithm_10(&of("2"))), "0.3010299956639811952137388947244930")]
    #[case(shown(whole_power(&of("1.1"), 3)), "1.331")]
    #[case(shown(whole_power(&of("2"), -2)), "0.25")]
    fn all_digits_are_right(#[case] got: String, #[case] expected: &str) {
        assert_eq!(got, expected);
    }

    #[test]
    fn a_logarithm_of_what_is_nearly_one_has_all_its_digits_too() {
        assert_eq!(shown(logarithm(&of("1.000000000000000000000000000000001"))), "9.999999999999999999999999999999995E-34");
    }

    #[test]
    fn what_no_decimal_can_be_is_none() {
        assert_eq!(exponential(&of("20000")), None);
        assert_eq!(whole_power(&of("10"), i64::MAX), None);
    }
}
