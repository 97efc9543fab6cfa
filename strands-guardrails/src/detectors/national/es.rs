//! Identity numbers of Spain (DNI, and NIE of foreigners).

use crate::detectors::reading::{Candidate, Fixed, bounded, fixed, follows_alphanumeric, is_alphanumeric};

/// Check letters, by the number modulo 23.
const LETTERS: &[u8; 23] = b"TRWAGMYFPDXBNJZSQVHLCKE";

/// Returns the number at a position: eight digits, or one of the letters X, Y and Z and seven digits; then the check letter.
pub(crate) fn dni_at(bytes: &[u8], start: usize) -> Candidate {
    if follows_alphanumeric(bytes, start) {
        return Candidate::NONE;
    }
    let is_valid = |index: usize, character: u8| match index {
        0 => character.is_ascii_digit() || matches!(character.to_ascii_uppercase(), b'X' | b'Y' | b'Z'),
        1..=7 => character.is_ascii_digit(),
        _ => character.is_ascii_alphabetic(),
    };
    let hyphen = |bytes: &[u8], at: usize| usize::from(bytes.get(at) == Some(&b'-'));
    match fixed(bytes, start, 9, hyphen, is_valid) {
        Fixed::Read(characters, end) if has_letter(characters.as_slice()) => bounded(bytes, end, is_alphanumeric),
        Fixed::Read(..) | Fixed::None => Candidate::NONE,
        Fixed::Open => Candidate::OPEN,
    }
}

fn has_letter(characters: &[u8]) -> bool {
    let [digits @ .., letter] = characters else { return false };
    let number = digits.iter().fold(0, |number: usize, character| match character.to_ascii_uppercase() {
        b'X' => 0,
        b'Y' => 1,
        b'Z' => 2,
        digit => number * 10 + usize::from(digit - b'0'),
    });
    LETTERS.get(number % 23) == Some(&letter.to_ascii_uppercase())
}
