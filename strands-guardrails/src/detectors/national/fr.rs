//! Social security numbers of France (NIR).

use crate::detectors::reading::{Candidate, Characters, Fixed, bounded, fixed, follows_digit, is_digit, separator};

/// Returns the number at a position: 13 characters and a key of two digits. In Corsica, the department has a letter.
pub(crate) fn nir_at(bytes: &[u8], start: usize) -> Candidate {
    if follows_digit(bytes, start) {
        return Candidate::NONE;
    }
    let is_valid = |index: usize, character: u8| match index {
        0 => matches!(character, b'1' | b'2'),
        6 => character.is_ascii_digit() || matches!(character, b'A' | b'B' | b'a' | b'b'),
        _ => character.is_ascii_digit(),
    };
    match fixed(bytes, start, 15, separator, is_valid) {
        Fixed::Read(characters, end) if has_key(&characters) => bounded(bytes, end, is_digit),
        Fixed::Read(..) | Fixed::None => Candidate::NONE,
        Fixed::Open => Candidate::OPEN,
    }
}

fn has_key(characters: &Characters) -> bool {
    let mut digits = Characters::default();
    let mut is_corsican = false;
    for (index, character) in characters.as_slice().iter().enumerate() {
        match (index, character.to_ascii_uppercase()) {
            (6, letter @ b'A'..=b'B') => {
                is_corsican = true;
                digits.push(if letter == b'A' { b'9' } else { b'8' });
            }
            (_, digit) => digits.push(digit),
        }
    }
    // 2A counts as 19, and 2B as 18.
    let number = digits.number(0..13) - if is_corsican { 10_000_000 } else { 0 };
    let month = digits.number(3..5);
    let has_department = !is_corsican || digits.digit(5) == 2;
    matches!(month, 1..=12 | 20..=42 | 50..) && has_department && 97 - number % 97 == digits.number(13..15)
}
