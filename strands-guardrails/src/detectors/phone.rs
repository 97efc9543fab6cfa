//! Phone numbers: international ones with `+` or `00`, and those of North America.

use super::reading::{Candidate, follows_digit, is_digit, separator, separator_or_stop};

const MIN_DIGITS: usize = 8;
/// Digits of an international number, with a trunk prefix such as `(0)`.
const MAX_DIGITS: usize = 16;

/// Returns the longest phone number at a position.
pub(super) fn phone_at(bytes: &[u8], start: usize) -> Candidate {
    match bytes.get(start) {
        Some(b'+') => international(bytes, start + 1, false),
        Some(b'(') => north_american(bytes, start),
        Some(b'0') if !follows_number(bytes, start) => prefixed(bytes, start),
        Some(b'1'..=b'9') if !follows_digit(bytes, start) => north_american(bytes, start),
        _ => Candidate::NONE,
    }
}

/// Returns true if a position is within a number with a decimal point or a thousands separator.
fn follows_number(bytes: &[u8], at: usize) -> bool {
    follows_digit(bytes, at)
        || at
            .checked_sub(1)
            .is_some_and(|before| matches!(bytes.get(before), Some(b'.' | b',')) && follows_digit(bytes, before))
}

/// Returns a number after the international prefix `00`. It has separators, or it could be any number.
fn prefixed(bytes: &[u8], start: usize) -> Candidate {
    match bytes.get(start + 1) {
        None => Candidate::OPEN,
        Some(b'0') => international(bytes, start + 2, true),
        Some(_) => Candidate::NONE,
    }
}

/// Returns the number that starts with a country code.
fn international(bytes: &[u8], code: usize, needs_separator: bool) -> Candidate {
    match bytes.get(code) {
        None => return Candidate::OPEN,
        Some(b'1'..=b'9') => {}
        Some(_) => return Candidate::NONE,
    }
    let (mut digits, mut at) = (0, code);
    let (mut end, mut has_separator) = (None, false);
    loop {
        while is_digit(bytes, at) {
            digits += 1;
            at += 1;
            if digits > MAX_DIGITS {
                return Candidate { end, is_open: false };
            }
        }
        if digits >= MIN_DIGITS && (has_separator || !needs_separator) {
            end = Some(at);
        }
        let gap = gap(bytes, at);
        at += gap;
        if at >= bytes.len() {
            return Candidate { end, is_open: true };
        }
        if gap == 0 || !is_digit(bytes, at) {
            return Candidate { end, is_open: false };
        }
        has_separator = true;
    }
}

/// Returns the length of the characters between two groups of digits: a separator, a parenthesis, or both.
fn gap(bytes: &[u8], at: usize) -> usize {
    let closing = usize::from(bytes.get(at) == Some(&b')'));
    let separated = at + closing;
    let separator = if bytes.get(separated) == Some(&b'/') { 1 } else { separator_or_stop(bytes, separated) };
    let opened = separated + separator;
    closing + separator + usize::from(bytes.get(opened) == Some(&b'('))
}

/// Returns a number such as `(415) 555-2671`, `415-555-2671` or `1-415-555-2671`.
fn north_american(bytes: &[u8], start: usize) -> Candidate {
    let mut at = start;
    // With the country code.
    if bytes.get(at) == Some(&b'1') {
        let gap = gap(bytes, at + 1);
        if at + 1 + gap >= bytes.len() {
            return Candidate::OPEN;
        }
        if gap == 0 {
            return Candidate::NONE;
        }
        at += 1 + gap;
        if bytes.get(at.saturating_sub(1)) == Some(&b'(') {
            at -= 1;
        }
    }
    let is_open = |at: usize| if at >= bytes.len() { Candidate::OPEN } else { Candidate::NONE };
    let has_parenthesis = bytes.get(at) == Some(&b'(');
    at += usize::from(has_parenthesis);
    let Some(area) = group(bytes, at, 3) else { return is_open(end_of_group(bytes, at)) };
    at = area;
    if has_parenthesis {
        if bytes.get(at) != Some(&b')') {
            return is_open(at);
        }
        at += 1 + separator(bytes, at + 1);
    } else {
        let separator = separator_or_stop(bytes, at);
        if separator == 0 {
            return is_open(at);
        }
        at += separator;
    }
    let Some(exchange) = group(bytes, at, 3) else { return is_open(end_of_group(bytes, at)) };
    let separator = separator_or_stop(bytes, exchange);
    if separator == 0 {
        return is_open(exchange);
    }
    at = exchange + separator;
    let end = end_of_group(bytes, at);
    match end - at {
        4 if end >= bytes.len() => Candidate { end: Some(end), is_open: true },
        4 => Candidate::found(end),
        0..=3 => is_open(end),
        _ => Candidate::NONE,
    }
}

/// Returns the end of a group of digits of this length, the first of which is not 0 or 1.
fn group(bytes: &[u8], at: usize, len: usize) -> Option<usize> {
    let end = end_of_group(bytes, at);
    (end - at == len && matches!(bytes.get(at), Some(b'2'..=b'9'))).then_some(end)
}

/// Returns the end of the digits at a position, of which at most 5 are read.
fn end_of_group(bytes: &[u8], at: usize) -> usize {
    (at..at + 5).find(|at| !is_digit(bytes, *at)).unwrap_or(at + 5)
}
