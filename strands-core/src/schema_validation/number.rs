//! Numbers by value: `1.0` equals `1`, and integers are exact beyond 2^53.

use std::cmp::Ordering;

use serde_json::Number;

/// Whole numbers below this have an exact `i128`, for any JSON representation.
const MOST_EXACT: f64 = 8.507_059_173_023_462e37; // 2^126

/// The value of a JSON number.
#[derive(Clone, Copy, Debug)]
pub(super) enum Numeric {
    /// A whole number.
    Whole(i128),
    /// A fraction, or a number of 2^126 and more.
    Float(f64),
}

impl Numeric {
    pub(super) fn of(number: &Number) -> Self {
        match (number.as_i128(), number.as_f64()) {
            (Some(whole), _) => Self::Whole(whole),
            (None, Some(float)) => Self::of_float(float),
            // A number out of the range of floats, which only `arbitrary_precision` can represent.
            (None, None) if number.to_string().starts_with('-') => Self::Float(f64::NEG_INFINITY),
            (None, None) => Self::Float(f64::INFINITY),
        }
    }

    fn of_float(float: f64) -> Self {
        if float.fract() == 0.0 && float.abs() < MOST_EXACT {
            #[expect(clippy::cast_possible_truncation, reason = "it is a whole number within range")]
            return Self::Whole(float as i128);
        }
        Self::Float(float)
    }

    /// Returns true for whole numbers, such as 3 and 3.0.
    pub(super) fn is_whole(self) -> bool {
        match self {
            Self::Whole(_) => true,
            Self::Float(float) => float.fract() == 0.0,
        }
    }

    /// Returns a key that is equal for equal numbers only.
    pub(super) fn key(self) -> (bool, u128) {
        match self {
            Self::Whole(whole) => (false, whole.cast_unsigned()),
            Self::Float(float) => (true, float.to_bits().into()),
        }
    }

    pub(super) fn compare(self, other: Self) -> Ordering {
        match (self, other) {
            (Self::Whole(one), Self::Whole(other)) => one.cmp(&other),
            (Self::Float(one), Self::Float(other)) => one.total_cmp(&other),
            (Self::Whole(whole), Self::Float(float)) => compare_mixed(whole, float),
            (Self::Float(float), Self::Whole(whole)) => compare_mixed(whole, float).reverse(),
        }
    }

    /// Returns true if the number is a whole multiple of `step`, computed in decimals: 0.3 is a multiple of 0.1.
    pub(super) fn is_multiple_of(self, step: Self) -> bool {
        match (Decimal::of(self), Decimal::of(step)) {
            (Some(number), Some(step)) => number.is_multiple_of(step),
            _ => false,
        }
    }
}

/// Compares with a float that is a fraction, or larger than any whole number.
fn compare_mixed(whole: i128, float: f64) -> Ordering {
    if float.abs() >= MOST_EXACT {
        return if float > 0.0 { Ordering::Less } else { Ordering::Greater };
    }
    #[expect(clippy::cast_possible_truncation, reason = "the range is checked above")]
    let below = float.floor() as i128;
    if whole <= below { Ordering::Less } else { Ordering::Greater }
}

/// A number without its sign: `digits` times 10 to the power of `exponent`.
#[derive(Clone, Copy)]
struct Decimal {
    digits: u128,
    exponent: i32,
}

impl Decimal {
    /// Returns the shortest decimal that parses as the number, which is most likely its written form.
    fn of(number: Numeric) -> Option<Self> {
        let float = match number {
            Numeric::Whole(whole) => return Some(Self { digits: whole.unsigned_abs(), exponent: 0 }),
            Numeric::Float(float) => float.abs(),
        };
        let text = format!("{float:e}");
        let (mantissa, exponent) = text.split_once('e')?;
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = format!("{whole}{fraction}").parse().ok()?;
        let exponent: i32 = exponent.parse().ok()?;
        Some(Self { digits, exponent: exponent.checked_sub(i32::try_from(fraction.len()).ok()?)? })
    }

    fn is_multiple_of(self, step: Self) -> bool {
        if self.digits == 0 || step.digits == 0 {
            return self.digits == 0;
        }
        let shift = self.exponent.saturating_sub(step.exponent);
        let tens = shift.unsigned_abs();
        if shift >= 0 {
            return times_power_of_ten(self.digits, tens, step.digits) == 0;
        }
        let step = 10_u128.checked_pow(tens).and_then(|power| power.checked_mul(step.digits));
        step.is_some_and(|step| self.digits.is_multiple_of(step))
    }
}

/// Computes `number * 10^tens` modulo `modulus`.
fn times_power_of_ten(number: u128, tens: u32, modulus: u128) -> u128 {
    let (mut result, mut base, mut left) = (number % modulus, 10 % modulus, tens);
    while left > 0 {
        if left % 2 == 1 {
            result = multiply(result, base, modulus);
        }
        base = multiply(base, base, modulus);
        left /= 2;
    }
    result
}

/// Computes `one * other` modulo `modulus`, which must leave one bit free.
fn multiply(mut one: u128, mut other: u128, modulus: u128) -> u128 {
    if let Some(product) = one.checked_mul(other) {
        return product % modulus;
    }
    let mut sum = 0_u128;
    while other > 0 {
        if other % 2 == 1 {
            sum = (sum + one) % modulus;
        }
        one = (one + one) % modulus;
        other /= 2;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Numeric {
        Numeric::of(&serde_json::from_str(text).unwrap())
    }

    #[test]
    fn compares_numbers_by_value() {
        for (one, other, expected) in [
            ("1", "1.0", Ordering::Equal),
            ("-0.0", "0", Ordering::Equal),
            ("9007199254740993", "9007199254740992.0", Ordering::Greater),
            ("18446744073709551615", "18446744073709551614", Ordering::Greater),
            ("18446744073709551615", "1e300", Ordering::Less),
            ("-5", "-1e300", Ordering::Greater),
            ("2", "2.5", Ordering::Less),
            ("-2", "-2.5", Ordering::Greater),
            ("1e20", "100000000000000000000", Ordering::Equal),
        ] {
            assert_eq!(number(one).compare(number(other)), expected, "{one} {other}");
            assert_eq!(number(one).key() == number(other).key(), expected.is_eq(), "{one} {other}");
        }
    }

    #[test]
    fn computes_multiples_exactly_in_decimals() {
        for (value, step, expected) in [
            ("0.3", "0.1", true),
            ("0.0075", "0.0001", true),
            ("0.00751", "0.0001", false),
            ("19.99", "0.01", true),
            ("19.999", "0.01", false),
            ("1e308", "0.5", true),
            ("1e308", "0.123456789", false),
            ("9007199254740993", "2", false),
            ("9007199254740992", "2", true),
            ("0", "0.7", true),
            ("4.5", "1.5", true),
            ("-4.5", "1.5", true),
            ("7", "1e30", false),
            ("1e30", "7e20", false),
        ] {
            assert_eq!(number(value).is_multiple_of(number(step)), expected, "{value} {step}");
        }
    }
}
