use bson::Bson;

use super::arithmetic::{Op, calculate, double, is_number, long, narrow, special_decimal};
use super::decimal::Decimal;

/// A sum of numbers of all types, which does not lose what a double has no room for: ten times 0.1 is 1.
#[derive(Debug, Clone, Default)]
pub(in crate::sandbox) struct Sum {
    /// Of the whole numbers.
    whole: i128,
    has_long: bool,
    /// Of the doubles, and what is missing to it.
    double: Option<(f64, f64)>,
    decimal: Option<Bson>,
}

/// The sum of two doubles, and what is missing to it.
fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let rest = sum - a;
    (sum, (a - (sum - rest)) + (b - rest))
}

impl Sum {
    /// The sum of what is a number; the rest is passed over.
    pub(in crate::sandbox) fn of<'a>(values: impl IntoIterator<Item = &'a Bson>) -> Self {
        values.into_iter().fold(Self::default(), |mut sum, value| {
            sum.add(value);
            sum
        })
    }

    /// One number more; what is none is passed over.
    pub(in crate::sandbox) fn add(&mut self, value: &Bson) {
        match value {
            Bson::Double(n) => {
                let (sum, rest) = self.double.unwrap_or_default();
                let (sum, missing) = two_sum(sum, *n);
                self.double = Some((sum, rest + missing));
            }
            Bson::Decimal128(_) => {
                self.decimal = Some(self.decimal.as_ref().map_or_else(|| value.clone(), |sum| plus(sum, value)))
            }
            whole if is_number(whole) => {
                self.has_long |= matches!(whole, Bson::Int64(_));
                self.whole = self.whole.saturating_add(long(whole).unwrap_or(0).into());
            }
            _ => {}
        }
    }

    /// What it comes to, in the widest of the types; whole numbers beyond 64 bits are a double.
    pub(in crate::sandbox) fn total(&self) -> Bson {
        let near = self.double.map(|(sum, rest)| self.near(sum, rest));
        match (&self.decimal, near) {
            (Some(decimal), Some((near, missing))) => plus(decimal, &plus(&wide(near), &wide(missing))),
            (Some(decimal), None) => plus(decimal, &self.whole_total()),
            (None, Some((near, missing))) => Bson::Double(near + missing),
            (None, None) => self.whole_total(),
        }
    }

    /// With the whole numbers, and what is missing to it.
    fn near(&self, sum: f64, rest: f64) -> (f64, f64) {
        #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)] // what is lost is added after it
        let (high, low) = (self.whole as f64, (self.whole - self.whole as f64 as i128) as f64);
        let (with_whole, missing) = two_sum(sum, high);
        // Of an infinity nothing is missing.
        (with_whole, if with_whole.is_finite() { missing + rest + low } else { 0.0 })
    }

    fn whole_total(&self) -> Bson {
        #[allow(clippy::cast_precision_loss)] // the nearest is what is asked for
        let near = self.whole as f64;
        match i64::try_from(self.whole) {
            Ok(whole) if self.has_long => Bson::Int64(whole),
            Ok(whole) => narrow(whole),
            Err(_) => Bson::Double(near),
        }
    }
}

/// A double with all the digits a decimal has room for: a sum is not rounded to those a double alone is sure of.
fn wide(n: f64) -> Bson {
    // No double has more digits behind the point.
    let text = format!("{n:.1074}");
    let exact = Decimal::parse(text.trim_end_matches('0').trim_end_matches('.'));
    exact.and_then(Decimal::rounded).map_or(Bson::Double(n), Bson::Decimal128)
}

/// Where one is a decimal; a sum beyond all decimals is an infinity.
fn plus(a: &Bson, b: &Bson) -> Bson {
    calculate(Op::Add, a, b).unwrap_or_else(|_| {
        let near = double(a).unwrap_or(f64::NAN) + double(b).unwrap_or(f64::NAN);
        special_decimal(near).map_or(Bson::Null, Bson::Decimal128)
    })
}

#[cfg(test)]
mod tests {
    use bson::{Bson, bson};
    use rstest::rstest;

    use super::Sum;

    #[rstest]
    #[case::no_digit_is_lost(vec![bson!(0.1); 10], bson!(1.0))]
    #[case::small_beside_large(vec![bson!(1e100), bson!(1.0), bson!(-1e100)], bson!(1.0))]
    #[case::longs_beside_doubles(vec![bson!(9_007_199_254_740_993_i64), bson!(-9_007_199_254_740_992.0)], bson!(1.0))]
    #[case::ints(vec![bson!(i32::MAX), bson!(1)], bson!(2_147_483_648_i64))]
    #[case::longs(vec![bson!(1_i64), bson!(1), bson!("x")], bson!(2_i64))]
    #[case::over_and_back(vec![bson!(i64::MAX), bson!(1), bson!(-1)], bson!(i64::MAX))]
    #[case::over(vec![bson!(i64::MAX), bson!(i64::MAX)], bson!(18_446_744_073_709_551_614.0))]
    #[case::infinite(vec![bson!(f64::INFINITY), bson!(1.0)], bson!(f64::INFINITY))]
    #[case::decimal(vec![bson!(0.5), Bson::Decimal128("1.25".parse().unwrap()), bson!(1)], Bson::Decimal128("2.75".parse().unwrap()))]
    #[case::double_beside_decimal(
        vec![Bson::Decimal128("1".parse().unwrap()), bson!(0.1)],
        Bson::Decimal128("1.100000000000000005551115123125783".parse().unwrap())
    )]
    #[case::infinite_beside_decimal(
        vec![Bson::Decimal128("1".parse().unwrap()), bson!(f64::INFINITY)],
        Bson::Decimal128("Infinity".parse().unwrap())
    )]
    #[case::none(vec![], bson!(0))]
    fn a_sum_has_the_widest_type_and_all_digits(#[case] values: Vec<Bson>, #[case] total: Bson) {
        let got = Sum::of(&values).total();
        let same = bson::RawBson::try_from(got.clone()).unwrap();
        let expected = bson::RawBson::try_from(total.clone()).unwrap();
        let equal = super::super::compare(same.as_raw_bson_ref(), expected.as_raw_bson_ref()).is_eq();
        assert!(equal && got.element_type() == total.element_type(), "{got} is {total}");
    }
}
