//! National insurance numbers of the United Kingdom.

use crate::detectors::reading::{Candidate, Fixed, bounded, fixed, follows_alphanumeric, is_alphanumeric, separator};

/// Length of a number: two letters, six digits, and a letter.
const LENGTH: usize = 9;

/// Returns the number at a position. With separators, its letters are uppercase.
pub(crate) fn insurance_number_at(bytes: &[u8], start: usize) -> Candidate {
    if follows_alphanumeric(bytes, start) {
        return Candidate::NONE;
    }
    let is_valid = |index: usize, character: u8| match index {
        0 | 1 => {
            character.is_ascii_alphabetic()
                && !matches!(character.to_ascii_uppercase(), b'D' | b'F' | b'I' | b'Q' | b'U' | b'V')
        }
        2..=7 => character.is_ascii_digit(),
        _ => matches!(character.to_ascii_uppercase(), b'A'..=b'D'),
    };
    match fixed(bytes, start, LENGTH, separator, is_valid) {
        Fixed::Read(characters, end) if has_prefix(characters.as_slice(), end - start > LENGTH) => {
            bounded(bytes, end, is_alphanumeric)
        }
        Fixed::Read(..) | Fixed::None => Candidate::NONE,
        Fixed::Open => Candidate::OPEN,
    }
}

fn has_prefix(characters: &[u8], is_separated: bool) -> bool {
    let [first, second, ..] = characters else { return false };
    let is_upper = characters.iter().all(|character| !character.is_ascii_lowercase());
    let prefix = [first.to_ascii_uppercase(), second.to_ascii_uppercase()];
    let is_reserved = matches!(&prefix, b"BG" | b"GB" | b"KN" | b"NK" | b"NT" | b"TN" | b"ZZ");
    (is_upper || !is_separated) && !is_reserved && prefix[1] != b'O'
}
