//! Social security numbers of the United States.

use crate::detectors::reading::{Candidate, Characters, bounded, follows_digit, is_digit, separator};

/// Returns the number at a position: three groups with separators.
pub(crate) fn ssn_at(bytes: &[u8], start: usize) -> Candidate {
    if follows_digit(bytes, start) {
        return Candidate::NONE;
    }
    let mut digits = Characters::default();
    let mut at = start;
    for (group, len) in [3, 2, 4].into_iter().enumerate() {
        if group > 0 {
            match separator(bytes, at) {
                0 if at >= bytes.len() => return Candidate::OPEN,
                0 => return Candidate::NONE,
                separator => at += separator,
            }
        }
        for _ in 0..len {
            match bytes.get(at) {
                Some(digit) if digit.is_ascii_digit() => digits.push(*digit),
                Some(_) => return Candidate::NONE,
                None => return Candidate::OPEN,
            }
            at += 1;
        }
    }
    let (area, group, serial) = (digits.number(0..3), digits.number(3..5), digits.number(5..9));
    if matches!(area, 0 | 666 | 900..) || group == 0 || serial == 0 {
        return Candidate::NONE;
    }
    bounded(bytes, at, is_digit)
}
