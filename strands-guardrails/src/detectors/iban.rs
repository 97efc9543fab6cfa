//! International bank account numbers: the length of the country, and check digits modulo 97.

use super::reading::{
    Candidate, Fixed, bounded, fixed, follows_alphanumeric, is_alphanumeric, is_digit, is_letter, separator,
};

/// Length of the numbers of each country in the registry of SWIFT.
const LENGTHS: [(&[u8; 2], usize); 89] = [
    (b"AD", 24),
    (b"AE", 23),
    (b"AL", 28),
    (b"AT", 20),
    (b"AZ", 28),
    (b"BA", 20),
    (b"BE", 16),
    (b"BG", 22),
    (b"BH", 22),
    (b"BI", 27),
    (b"BR", 29),
    (b"BY", 28),
    (b"CH", 21),
    (b"CR", 22),
    (b"CY", 28),
    (b"CZ", 24),
    (b"DE", 22),
    (b"DJ", 27),
    (b"DK", 18),
    (b"DO", 28),
    (b"EE", 20),
    (b"EG", 29),
    (b"ES", 24),
    (b"FI", 18),
    (b"FK", 18),
    (b"FO", 18),
    (b"FR", 27),
    (b"GB", 22),
    (b"GE", 22),
    (b"GI", 23),
    (b"GL", 18),
    (b"GR", 27),
    (b"GT", 28),
    (b"HN", 28),
    (b"HR", 21),
    (b"HU", 28),
    (b"IE", 22),
    (b"IL", 23),
    (b"IQ", 23),
    (b"IS", 26),
    (b"IT", 27),
    (b"JO", 30),
    (b"KW", 30),
    (b"KZ", 20),
    (b"LB", 28),
    (b"LC", 32),
    (b"LI", 21),
    (b"LT", 20),
    (b"LU", 20),
    (b"LV", 21),
    (b"LY", 25),
    (b"MC", 27),
    (b"MD", 24),
    (b"ME", 22),
    (b"MK", 19),
    (b"MN", 20),
    (b"MR", 27),
    (b"MT", 31),
    (b"MU", 30),
    (b"NI", 28),
    (b"NL", 18),
    (b"NO", 15),
    (b"OM", 23),
    (b"PK", 24),
    (b"PL", 28),
    (b"PS", 29),
    (b"PT", 25),
    (b"QA", 29),
    (b"RO", 24),
    (b"RS", 22),
    (b"RU", 33),
    (b"SA", 24),
    (b"SC", 31),
    (b"SD", 18),
    (b"SE", 24),
    (b"SI", 19),
    (b"SK", 24),
    (b"SM", 27),
    (b"SO", 23),
    (b"ST", 25),
    (b"SV", 28),
    (b"TL", 23),
    (b"TN", 24),
    (b"TR", 26),
    (b"UA", 29),
    (b"VA", 22),
    (b"VG", 24),
    (b"XK", 20),
    (b"YE", 30),
];

/// Returns the account number at a position.
pub(super) fn iban_at(bytes: &[u8], start: usize) -> Candidate {
    // Most positions end here: two letters and two digits, as far as the text goes.
    let is_valid = |offset: usize| match offset {
        0 | 1 => is_letter(bytes, start + offset),
        _ => is_digit(bytes, start + offset),
    };
    let rest = bytes.len().saturating_sub(start);
    if !(0..rest.min(4)).all(is_valid) {
        return Candidate::NONE;
    }
    if rest < 4 {
        return if rest < 2 || length_of(bytes, start).is_some() { Candidate::OPEN } else { Candidate::NONE };
    }
    let Some(length) = length_of(bytes, start) else { return Candidate::NONE };
    match fixed(bytes, start, length, separator, |_, character| character.is_ascii_alphanumeric()) {
        Fixed::Read(characters, end) if remainder(characters.as_slice()) == 1 => {
            // Hashes and base64 have runs of this form. Only one with uppercase letters may touch other text.
            if !characters.as_slice().iter().any(u8::is_ascii_lowercase) {
                Candidate::found(end)
            } else if follows_alphanumeric(bytes, start) {
                Candidate::NONE
            } else {
                bounded(bytes, end, is_alphanumeric)
            }
        }
        Fixed::Read(..) | Fixed::None => Candidate::NONE,
        Fixed::Open => Candidate::OPEN,
    }
}

fn length_of(bytes: &[u8], start: usize) -> Option<usize> {
    let country = [bytes.get(start)?.to_ascii_uppercase(), bytes.get(start + 1)?.to_ascii_uppercase()];
    LENGTHS.iter().find(|(known, _)| **known == country).map(|(_, length)| *length)
}

/// Returns the number modulo 97, with its first four characters moved to the end, and letters as numbers from 10.
fn remainder(characters: &[u8]) -> u32 {
    let (head, tail) = characters.split_at(characters.len().min(4));
    tail.iter().chain(head).fold(0, |remainder, character| match character.to_ascii_uppercase() {
        digit @ b'0'..=b'9' => (remainder * 10 + u32::from(digit - b'0')) % 97,
        letter => (remainder * 100 + u32::from(letter.saturating_sub(b'A')) + 10) % 97,
    })
}
