//! Numbers of all four types in one exact order: the nearest double first, then what is missing to the number itself.

use std::cmp::Ordering;

use bson::Decimal128;

const NOTHING_MISSING: u8 = 0x80;
const LESS: u8 = 0x40;
const MORE: u8 = 0xc0;

pub(super) fn encode_int(n: i64, out: &mut Vec<u8>) {
    #[allow(clippy::cast_precision_loss)] // what is lost is encoded after it
    let near = n as f64;
    #[allow(clippy::cast_possible_truncation)] // a double of an i64 is an integer
    let missing = i128::from(n) - near as i128;
    encode_near(near, out);
    encode_missing(missing.cmp(&0), &Exact::from_text(&missing.unsigned_abs().to_string()), out);
}

pub(super) fn encode_double(n: f64, out: &mut Vec<u8>) {
    encode_near(n, out);
    out.push(NOTHING_MISSING);
}

pub(super) fn encode_decimal(n: Decimal128, out: &mut Vec<u8>) {
    let text = n.to_string();
    let near: f64 = text.parse().unwrap_or(f64::NAN);
    if !near.is_finite() && !text.contains(|c: char| c.is_ascii_digit()) {
        return encode_double(near, out);
    }
    let near = near.clamp(f64::MIN, f64::MAX);
    encode_near(near, out);
    // 767 digits are enough for every double.
    let of_near = Exact::from_text(&format!("{:.767e}", near.abs()));
    let (order, missing) = Exact::from_text(text.trim_start_matches('-')).minus(&of_near);
    encode_missing(if text.starts_with('-') { order.reverse() } else { order }, &missing, out);
}

/// All NaN are one and come before every other number; so are the two zeros.
fn encode_near(n: f64, out: &mut Vec<u8>) {
    let bits = if n.is_nan() {
        0
    } else {
        let bits = (n + 0.0).to_bits();
        if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
    };
    out.extend(bits.to_be_bytes());
}

fn encode_missing(order: Ordering, missing: &Exact, out: &mut Vec<u8>) {
    let flip = match order {
        Ordering::Equal => return out.push(NOTHING_MISSING),
        Ordering::Greater => 0,
        Ordering::Less => 0xff,
    };
    out.push(if flip == 0 { MORE } else { LESS });
    let exponent = u16::try_from(missing.magnitude() + 0x4000).unwrap_or(u16::MAX);
    out.extend(exponent.to_be_bytes().map(|byte| byte ^ flip));
    out.extend(missing.digits.iter().map(|digit| (digit + 1) ^ flip));
    out.push(flip);
}

/// A positive decimal number of any length: `digits` × 10^`exponent`, without zeros at either end.
struct Exact {
    digits: Vec<u8>,
    exponent: i32,
}

impl Exact {
    /// From the usual forms: `12`, `1.2`, `1.2E+3`, `1.2e3`.
    fn from_text(text: &str) -> Self {
        let (digits, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let fraction = digits.split_once('.').map_or(0, |(_, f)| i32::try_from(f.len()).unwrap_or(0));
        let exponent = exponent.parse::<i32>().unwrap_or(0) - fraction;
        Self { digits: digits.bytes().filter(u8::is_ascii_digit).map(|d| d - b'0').collect(), exponent }.trimmed()
    }

    fn trimmed(mut self) -> Self {
        while self.digits.last() == Some(&0) {
            self.digits.pop();
            self.exponent += 1;
        }
        let zeros = self.digits.iter().take_while(|d| **d == 0).count();
        self.digits.drain(..zeros);
        self
    }

    /// The power of ten just above it.
    fn magnitude(&self) -> i32 {
        self.exponent + i32::try_from(self.digits.len()).unwrap_or(i32::MAX / 2)
    }

    /// How it stands to `other`, and the distance between them.
    fn minus(&self, other: &Self) -> (Ordering, Self) {
        let exponent = self.exponent.min(other.exponent);
        let top = self.magnitude().max(other.magnitude());
        let (a, b) = (self.aligned(exponent, top), other.aligned(exponent, top));
        let order = a.cmp(&b);
        let (large, small) = if order == Ordering::Less { (b, a) } else { (a, b) };
        let mut borrow = 0;
        let mut digits: Vec<u8> = large
            .iter()
            .zip(&small)
            .rev()
            .map(|(x, y)| {
                let (x, y) = (*x + 10, *y + borrow);
                borrow = u8::from(x - y < 10);
                (x - y) % 10
            })
            .collect();
        digits.reverse();
        (order, Self { digits, exponent }.trimmed())
    }

    fn aligned(&self, exponent: i32, top: i32) -> Vec<u8> {
        let zeros = |n: i32| std::iter::repeat_n(0, usize::try_from(n).unwrap_or(0));
        if self.digits.is_empty() {
            return zeros(top - exponent).collect();
        }
        zeros(top - self.magnitude()).chain(self.digits.iter().copied()).chain(zeros(self.exponent - exponent)).collect()
    }
}
