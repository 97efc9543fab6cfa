//! Tax identification numbers of Germany (Steuer-ID).

use crate::detectors::reading::{Candidate, Characters, Fixed, bounded, fixed, follows_digit, is_digit, separator};

/// Returns the number at a position: 11 digits with separators or without.
pub(crate) fn tax_id_at(bytes: &[u8], start: usize) -> Candidate {
    if follows_digit(bytes, start) || bytes.get(start) == Some(&b'0') {
        return Candidate::NONE;
    }
    match fixed(bytes, start, 11, separator, |_, character| character.is_ascii_digit()) {
        Fixed::Read(digits, end) if is_valid(&digits) => bounded(bytes, end, is_digit),
        Fixed::Read(..) | Fixed::None => Candidate::NONE,
        Fixed::Open => Candidate::OPEN,
    }
}

/// Checks the digits: of the first ten, exactly one digit occurs two or three times. The last one is the check digit of ISO
/// 7064 (MOD 11, 10).
fn is_valid(digits: &Characters) -> bool {
    let mut occurs = [0_u8; 10];
    let mut product = 10;
    for index in 0..10 {
        let digit = digits.digit(index);
        if let Some(count) = occurs.get_mut(digit as usize) {
            *count += 1;
        }
        let sum = match (digit + product) % 10 {
            0 => 10,
            sum => sum,
        };
        product = 2 * sum % 11;
    }
    let is_repeated = occurs.iter().filter(|count| **count > 1).count() == 1 && occurs.iter().all(|count| *count <= 3);
    is_repeated && (11 - product) % 10 == digits.digit(10)
}
