//! Payment card numbers: 13 to 19 digits with the prefix of a network and a Luhn check digit.

use super::reading::{Candidate, Characters, follows_digit, is_digit, separator_or_stop};

const MIN_DIGITS: usize = 13;
const MAX_DIGITS: usize = 19;

/// Returns the longest card number at a position.
pub(super) fn card_at(bytes: &[u8], start: usize) -> Candidate {
    if !is_digit(bytes, start) || follows_digit(bytes, start) {
        return Candidate::NONE;
    }
    let mut digits = Characters::default();
    let mut end = None;
    let mut at = start;
    loop {
        while is_digit(bytes, at) {
            if digits.len() == MAX_DIGITS {
                return Candidate { end, is_open: false };
            }
            digits.push(bytes.get(at).copied().unwrap_or_default());
            at += 1;
        }
        if digits.len() >= MIN_DIGITS && is_card(&digits) {
            end = Some(at);
        }
        at += separator_or_stop(bytes, at);
        if at >= bytes.len() {
            return Candidate { end, is_open: true };
        }
        if !is_digit(bytes, at) {
            return Candidate { end, is_open: false };
        }
    }
}

fn is_card(digits: &Characters) -> bool {
    has_network(digits) && luhn(digits) == 0
}

/// Returns true if a network issues numbers with this prefix and length.
fn has_network(digits: &Characters) -> bool {
    let (two, four) = (digits.number(0..2), digits.number(0..4));
    let lengths = match two {
        // Diners Club, American Express, JCB.
        30 | 36 | 38 | 39 => 14..=19,
        34 | 37 => 15..=15,
        35 => 16..=19,
        // Visa.
        40..=49 => 13..=19,
        // Mastercard, Mir.
        51..=55 => 16..=16,
        22..=27 if (2221..=2720).contains(&four) => 16..=16,
        22 if (2200..=2204).contains(&four) => 16..=19,
        // Discover, UnionPay, RuPay and Maestro.
        50 | 56..=58 | 60..=69 => 13..=19,
        81 | 82 => 16..=16,
        _ => return false,
    };
    lengths.contains(&digits.len())
}

/// Returns the Luhn sum modulo 10.
fn luhn(digits: &Characters) -> u32 {
    let len = digits.len();
    let sum: u32 = (0..len)
        .map(|index| match digits.digit(index) {
            digit if (len - index) % 2 == 1 => digit,
            digit if digit > 4 => 2 * digit - 9,
            digit => 2 * digit,
        })
        .sum();
    sum % 10
}
