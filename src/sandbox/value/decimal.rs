use std::cmp::Ordering;

use bson::Decimal128;

/// The digits a Decimal128 has room for.
const PRECISION: usize = 34;

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

    fn trimmed(mut self) -> Self {
        let zeros = self.digits.iter().take_while(|digit| **digit == 0).count();
        self.digits.drain(..zeros);
        self
    }

    /// The nearest Decimal128: 34 digits, a half goes to the even neighbour. `None` if it is too large for one.
    pub(in crate::sandbox) fn rounded(mut self) -> Option<Decimal128> {
        if self.digits.len() > PRECISION {
            let rest = self.digits.split_off(PRECISION);
            self.exponent += i32::try_from(rest.len()).ok()?;
            let half = rest.first().map_or(Ordering::Less, |first| first.cmp(&5));
            let half =
                half.then_with(|| if rest.iter().skip(1).any(|digit| *digit > 0) { Ordering::Greater } else { Ordering::Equal });
            let odd = self.digits.last().is_some_and(|digit| digit % 2 == 1);
            if half.is_gt() || half.is_eq() && odd {
                self.digits = add_digits(&self.digits, &[1]);
                if self.digits.len() > PRECISION {
                    self.digits.pop();
                    self.exponent += 1;
                }
            }
        }
        let sign = if self.negative { "-" } else { "" };
        let digits: String = self.digits.iter().map(|digit| char::from(b'0' + digit)).collect();
        let digits = if digits.is_empty() { "0" } else { &digits };
        format!("{sign}{digits}E{}", self.exponent).parse().ok()
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
        while !rest.is_empty() && digits.iter().skip_while(|digit| **digit == 0).count() <= PRECISION + 1 {
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
