use std::cmp::Ordering;

use bson::Decimal128;

/// The digits a Decimal128 has room for.
const PRECISION: usize = 34;

/// The least power of ten a Decimal128 counts in.
const LEAST_EXPONENT: i32 = -6176;

/// Where a number goes that lies between two others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sandbox) enum Way {
    /// To the nearer, from the middle to the even one.
    HalfEven,
    /// Towards zero.
    Down,
    Floor,
    Ceiling,
}

/// A finite decimal number: `digits` × 10^`exponent`. Zero has no digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::sandbox) struct Decimal {
    negative: bool,
    digits: Vec<u8>,
    exponent: i32,
}

impl Decimal {
    /// `None` for NaN and the infinities, and for what is no number.
    pub(in crate::sandbox) fn parse(text: &str) -> Option<Self> {
        let (negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (digits, exponent) = text.split_once(['E', 'e']).unwrap_or((text, "0"));
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).map(|digit| digit.wrapping_sub(b'0')).collect();
        if digits.is_empty() || digits.iter().any(|digit| *digit > 9) {
            return None;
        }
        let exponent = exponent.parse::<i32>().ok()? - i32::try_from(fraction.len()).ok()?;
        Some(Self { negative, digits, exponent }.trimmed())
    }

    fn trimmed(self) -> Self {
        Self { digits: without_zeros(self.digits), ..self }
    }

    /// Exactly what a double stands for; `None` for NaN and the infinities.
    pub(in crate::sandbox) fn of_double(n: f64) -> Option<Self> {
        // No double has more digits.
        Self::parse(&format!("{n:.767e}"))
    }

    pub(in crate::sandbox) fn is_zero(&self) -> bool {
        self.digits.is_empty()
    }

    pub(in crate::sandbox) fn is_negative(&self) -> bool {
        self.negative
    }

    /// The nearest Decimal128: 34 digits, a half goes to the even neighbour. `None` if it is too large for one.
    pub(in crate::sandbox) fn rounded(self) -> Option<Decimal128> {
        self.shortened(PRECISION).counted_from(LEAST_EXPONENT).to_text().parse().ok()
    }

    /// With at most so many digits.
    pub(super) fn shortened(self, digits: usize) -> Self {
        let Some(more) = self.digits.len().checked_sub(digits).and_then(|more| i32::try_from(more).ok()) else { return self };
        let exponent = self.exponent.saturating_add(more);
        let mut short = self.counted_from(exponent);
        // 99.9 has become 100.
        while short.digits.len() > digits && short.digits.pop().is_some() {
            short.exponent += 1;
        }
        short
    }

    fn counted_from(self, exponent: i32) -> Self {
        if self.exponent >= exponent { self } else { self.quantized(exponent, Way::HalfEven) }
    }

    /// Counted in 10^`exponent`; as it is, if that would take more digits than a Decimal128 has.
    pub(in crate::sandbox) fn quantized(mut self, exponent: i32, way: Way) -> Self {
        let Ok(gone) = usize::try_from(exponent.saturating_sub(self.exponent)) else {
            let more = usize::try_from(self.exponent - exponent).unwrap_or(usize::MAX);
            if self.digits.len().saturating_add(more) > PRECISION && !self.is_zero() {
                return self;
            }
            self.digits = self.aligned(exponent);
            return Self { exponent, ..self };
        };
        let rest = self.digits.split_off(self.digits.len().saturating_sub(gone));
        let something = rest.iter().any(|digit| *digit > 0);
        let half = match rest.first() {
            Some(first) if rest.len() == gone => {
                let beyond = rest.iter().skip(1).any(|digit| *digit > 0);
                first.cmp(&5).then(if beyond { Ordering::Greater } else { Ordering::Equal })
            }
            _ => Ordering::Less,
        };
        let away = match way {
            Way::HalfEven => half.is_gt() || half.is_eq() && self.digits.last().is_some_and(|digit| digit % 2 == 1),
            Way::Down => false,
            Way::Floor => self.negative && something,
            Way::Ceiling => !self.negative && something,
        };
        if away {
            self.digits = add_digits(&self.digits, &[1]);
        }
        Self { exponent, ..self }
    }

    /// As it is read again: `-12E-1`.
    pub(in crate::sandbox) fn to_text(&self) -> String {
        let sign = if self.negative { "-" } else { "" };
        let digits: String = self.digits.iter().map(|digit| char::from(b'0' + digit)).collect();
        let digits = if digits.is_empty() { "0" } else { &digits };
        format!("{sign}{digits}E{}", self.exponent)
    }

    /// The power of ten just above it; of zero it says nothing.
    pub(super) fn magnitude(&self) -> i32 {
        self.exponent.saturating_add(i32::try_from(self.digits.len()).unwrap_or(i32::MAX / 2))
    }

    /// Times 10^`power`.
    pub(super) fn scaled(&self, power: i32) -> Self {
        Self { exponent: self.exponent.saturating_add(power), ..self.clone() }
    }

    /// The power of ten it is.
    pub(super) fn power_of_ten(&self) -> Option<i32> {
        let is_one = self.digits.iter().enumerate().all(|(place, digit)| *digit == u8::from(place == 0));
        (is_one && !self.negative && !self.is_zero()).then(|| self.magnitude() - 1)
    }

    /// The nearest double.
    pub(in crate::sandbox) fn to_double(&self) -> f64 {
        self.to_text().parse().unwrap_or(f64::NAN)
    }

    /// A whole number that fits.
    pub(in crate::sandbox) fn to_long(&self) -> Option<i64> {
        let mut n = 0_i128;
        for digit in self
            .digits
            .iter()
            .copied()
            .chain(std::iter::repeat_n(0, usize::try_from(self.exponent).unwrap_or(0).min(if self.is_zero() { 0 } else { 20 })))
        {
            n = n.checked_mul(10)?.checked_add(digit.into())?;
        }
        i64::try_from(if self.negative { -n } else { n }).ok().filter(|_| self.exponent >= 0 || self.is_zero())
    }

    /// The whole number it is, however it is written.
    pub(in crate::sandbox) fn whole(&self) -> Option<i64> {
        self.clone().without_last_zeros().to_long()
    }

    /// Of the digits that are kept, those that say something: what is 2.5 exactly is written so.
    pub(in crate::sandbox) fn without_last_zeros(self) -> Self {
        let mut short = self.shortened(PRECISION);
        while short.digits.pop_if(|last| *last == 0).is_some() {
            short.exponent += 1;
        }
        short
    }

    /// What is left of it after taking away `by` as often as it fits: with its own sign.
    pub(in crate::sandbox) fn remainder(&self, by: &Self) -> Option<Self> {
        if by.is_zero() || self.exponent.abs_diff(by.exponent) > 12_400 {
            return None;
        }
        let exponent = self.exponent.min(by.exponent);
        let (dividend, divisor) = (self.aligned(exponent), by.aligned(exponent));
        let mut rest: Vec<u8> = Vec::new();
        for next in dividend {
            rest.push(next);
            rest = without_zeros(rest);
            while rest.len() > divisor.len() || rest.len() == divisor.len() && rest >= divisor {
                rest = without_zeros(subtract_digits(&rest, &divisor));
            }
        }
        Some(Self { negative: self.negative, digits: rest, exponent })
    }

    fn aligned(&self, exponent: i32) -> Vec<u8> {
        let zeros = usize::try_from(self.exponent - exponent).unwrap_or(0);
        let mut digits = self.digits.clone();
        if !digits.is_empty() {
            digits.resize(digits.len() + zeros, 0);
        }
        digits
    }

    /// The sum; `None` if the two are too far apart to be written together.
    pub(in crate::sandbox) fn add(&self, other: &Self) -> Option<Self> {
        if self.exponent.abs_diff(other.exponent) > 12_400 {
            return None;
        }
        let exponent = self.exponent.min(other.exponent);
        let (a, b) = (self.aligned(exponent), other.aligned(exponent));
        if self.negative == other.negative {
            return Some(Self { negative: self.negative, digits: add_digits(&a, &b), exponent }.trimmed());
        }
        let (large, small, negative) = match a.len().cmp(&b.len()).then_with(|| a.cmp(&b)) {
            Ordering::Less => (b, a, other.negative),
            Ordering::Equal => return Some(Self { negative: false, digits: Vec::new(), exponent }),
            Ordering::Greater => (a, b, self.negative),
        };
        Some(Self { negative, digits: subtract_digits(&large, &small), exponent }.trimmed())
    }

    pub(in crate::sandbox) fn negated(mut self) -> Self {
        self.negative = !self.negative;
        self
    }

    pub(in crate::sandbox) fn multiply(&self, other: &Self) -> Self {
        let mut product = vec![0_u32; self.digits.len() + other.digits.len()];
        for (i, a) in self.digits.iter().rev().enumerate() {
            for (j, b) in other.digits.iter().rev().enumerate() {
                if let Some(place) = product.get_mut(i + j) {
                    *place += u32::from(*a) * u32::from(*b);
                }
            }
        }
        let mut carry = 0;
        let mut digits: Vec<u8> = product
            .into_iter()
            .map(|sum| {
                let sum = sum + carry;
                carry = sum / 10;
                u8::try_from(sum % 10).unwrap_or(0)
            })
            .collect();
        digits.reverse();
        Self { negative: self.negative != other.negative, digits, exponent: self.exponent + other.exponent }.trimmed()
    }

    /// The quotient to more digits than are kept; `None` when dividing by zero.
    pub(in crate::sandbox) fn divide(&self, by: &Self) -> Option<Self> {
        self.divided(by, PRECISION)
    }

    /// The same to more than so many digits.
    pub(super) fn divided(&self, by: &Self, precision: usize) -> Option<Self> {
        if by.digits.is_empty() {
            return None;
        }
        let (mut rest, mut digits, mut exponent): (Vec<u8>, Vec<u8>, i32) = (Vec::new(), Vec::new(), self.exponent - by.exponent);
        let take = |rest: &mut Vec<u8>, next: u8| {
            rest.push(next);
            if rest.first() == Some(&0) {
                rest.remove(0);
            }
            let mut digit = 0;
            while rest.len() > by.digits.len() || rest.len() == by.digits.len() && *rest >= by.digits {
                *rest = subtract_digits(rest, &by.digits);
                let zeros = rest.iter().take_while(|digit| **digit == 0).count();
                rest.drain(..zeros);
                digit += 1;
            }
            digit
        };
        for next in &self.digits {
            let digit = take(&mut rest, *next);
            digits.push(digit);
        }
        // Beyond the point: until it ends or there is one digit more than can be kept, which stands for all the others.
        while !rest.is_empty() && digits.iter().skip_while(|digit| **digit == 0).count() <= precision + 1 {
            let digit = take(&mut rest, 0);
            digits.push(digit);
            exponent -= 1;
        }
        if !rest.is_empty() {
            digits.push(1);
            exponent -= 1;
        }
        Some(Self { negative: self.negative != by.negative, digits, exponent }.trimmed())
    }
}

fn without_zeros(mut digits: Vec<u8>) -> Vec<u8> {
    let zeros = digits.iter().take_while(|digit| **digit == 0).count();
    digits.drain(..zeros);
    digits
}

fn add_digits(a: &[u8], b: &[u8]) -> Vec<u8> {
    let (mut carry, mut sum) = (0, Vec::with_capacity(a.len().max(b.len()) + 1));
    let (mut a, mut b) = (a.iter().rev(), b.iter().rev());
    loop {
        let (x, y) = (a.next(), b.next());
        if x.is_none() && y.is_none() {
            break;
        }
        let digit = x.copied().unwrap_or(0) + y.copied().unwrap_or(0) + carry;
        carry = digit / 10;
        sum.push(digit % 10);
    }
    sum.push(carry);
    sum.reverse();
    let zeros = sum.iter().take_while(|digit| **digit == 0).count();
    sum.drain(..zeros);
    sum
}

/// `large` must not be less than `small`.
fn subtract_digits(large: &[u8], small: &[u8]) -> Vec<u8> {
    let mut borrow = 0;
    let small = small.iter().rev().copied().chain(std::iter::repeat(0));
    let mut digits: Vec<u8> = large
        .iter()
        .rev()
        .zip(small)
        .map(|(x, y)| {
            let (x, y) = (*x + 10, y + borrow);
            borrow = u8::from(x - y < 10);
            (x - y) % 10
        })
        .collect();
    digits.reverse();
    digits
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn of(text: &str) -> Decimal {
        Decimal::parse(text).unwrap()
    }

    #[rstest]
    #[case("1.50", "2.5", "4.00", "3.750", "0.6")]
    #[case("-1", "3", "2", "-3", "-0.3333333333333333333333333333333333")]
    #[case("1E+3", "1", "1001", "1000", "1000")]
    #[case("0", "5", "5", "0", "0")]
    #[case("2", "-2", "0", "-4", "-1")]
    fn decimals_are_added_multiplied_and_divided(
        #[case] a: &str,
        #[case] b: &str,
        #[case] sum: &str,
        #[case] product: &str,
        #[case] quotient: &str,
    ) {
        let (a, b) = (of(a), of(b));
        let same = |got: Decimal, expected: &str| {
            let got = got.rounded().unwrap();
            let key = |n: Decimal128| super::super::key::key(bson::RawBsonRef::Decimal128(n));
            assert_eq!(key(got), key(expected.parse().unwrap()), "{got} is {expected}");
        };
        same(a.add(&b).unwrap(), sum);
        same(a.multiply(&b), product);
        same(a.divide(&b).unwrap(), quotient);
    }

    #[rstest]
    #[case("2.345", -2, ["2.34", "2.34", "2.34", "2.35"])]
    #[case("-2.355", -2, ["-2.36", "-2.35", "-2.36", "-2.35"])]
    #[case("1250", 2, ["1.2E+3", "1.2E+3", "1.2E+3", "1.3E+3"])]
    #[case("0.04", 0, ["0", "0", "0", "1"])]
    #[case("7", -2, ["7.00", "7.00", "7.00", "7.00"])]
    #[case("99.5", 0, ["100", "99", "99", "100"])]
    fn a_decimal_is_counted_in_a_power_of_ten(#[case] n: &str, #[case] exponent: i32, #[case] expected: [&str; 4]) {
        let ways = [Way::HalfEven, Way::Down, Way::Floor, Way::Ceiling];
        assert_eq!(ways.map(|way| of(n).quantized(exponent, way).rounded().unwrap().to_string()), expected);
    }

    #[test]
    fn what_is_left_by_a_division_has_the_sign_of_what_was_divided() {
        let left = |a, b| of(a).remainder(&of(b)).unwrap().rounded().unwrap().to_string();
        assert_eq!([left("5.5", "2"), left("-5.5", "2"), left("1E+40", "7"), left("3", "1E+3")], ["1.5", "-1.5", "4", "3"]);
    }

    #[test]
    fn what_is_too_small_is_nothing() {
        assert_eq!(of("4E-6177").rounded().unwrap().to_string(), "0E-6176");
        assert_eq!(of("6E-6177").rounded().unwrap().to_string(), "1E-6176");
    }

    #[test]
    fn what_does_not_fit_is_rounded_to_34_digits() {
        let third = of("2").divide(&of("3")).unwrap().rounded().unwrap();
        assert_eq!(third.to_string(), "0.6666666666666666666666666666666667");
        assert_eq!(
            of("99999999999999999999999999999999995").rounded().unwrap().to_string(),
            "1.000000000000000000000000000000000E+35"
        );
    }
}
