//! IP addresses.

use std::net::Ipv6Addr;
use std::ops::Range;

use super::reading::{Candidate, follows_digit, is_digit};

/// Maximum length of an address of version 6 with the punctuation after it, in bytes.
const MAX_RUN: usize = 48;

/// Returns the address of version 4 at a position.
pub(super) fn version_4_at(bytes: &[u8], start: usize) -> Candidate {
    let follows_stop = start.checked_sub(1).is_some_and(|before| bytes.get(before) == Some(&b'.'));
    if follows_stop || follows_digit(bytes, start) {
        return Candidate::NONE;
    }
    let mut at = start;
    for octet in 0..4 {
        if octet > 0 {
            match bytes.get(at) {
                None => return Candidate::OPEN,
                Some(b'.') => at += 1,
                Some(_) => return Candidate::NONE,
            }
        }
        let first = at;
        while is_digit(bytes, at) && at - first < 4 {
            at += 1;
        }
        let value = bytes
            .get(first..at)
            .unwrap_or_default()
            .iter()
            .fold(0, |value, digit| value * 10 + u32::from(digit - b'0'));
        if at == first || at - first > 3 || value > 255 {
            return if at == first && at >= bytes.len() { Candidate::OPEN } else { Candidate::NONE };
        }
    }
    match (bytes.get(at), bytes.get(at + 1)) {
        (None, _) | (Some(b'.'), None) => Candidate { end: Some(at), is_open: true },
        (Some(b'.'), Some(b'0'..=b'9')) => Candidate::NONE,
        _ => Candidate::found(at),
    }
}

/// Returns the addresses of version 6 that start in a range.
pub(super) fn find_version_6(text: &str, range: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let last = range.end.saturating_add(MAX_RUN);
    let mut next = range.start;
    std::iter::from_fn(move || {
        loop {
            let colon = next + text.get(next..)?.find(':')?;
            if colon > last {
                return None;
            }
            let bytes = text.as_bytes();
            let earliest = colon.saturating_sub(MAX_RUN);
            let start = (earliest..colon).rev().take_while(|at| is_part(bytes, *at)).last().unwrap_or(colon);
            let end = end_of_run(bytes, start);
            next = end.max(colon + 1);
            if range.contains(&start)
                && let Some(end) = address_end(text, start, end)
            {
                return Some(start..end);
            }
        }
    })
}

/// Returns the start of the trailing characters that may belong to an address which continues.
pub(super) fn start_of_open(text: &str, decided: usize) -> usize {
    let earliest = decided.max(text.len().saturating_sub(2 * MAX_RUN));
    let bytes = text.as_bytes();
    (earliest..text.len()).rev().take_while(|at| is_part(bytes, *at)).last().unwrap_or(text.len())
}

fn is_hex(bytes: &[u8], at: usize) -> bool {
    bytes.get(at).is_some_and(u8::is_ascii_hexdigit)
}

fn is_part(bytes: &[u8], at: usize) -> bool {
    is_hex(bytes, at) || matches!(bytes.get(at), Some(b':' | b'.'))
}

fn end_of_run(bytes: &[u8], start: usize) -> usize {
    (start..start + MAX_RUN).find(|at| !is_part(bytes, *at)).unwrap_or(start + MAX_RUN)
}

fn address_end(text: &str, start: usize, end: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    // An address is not within a word, nor within a longer run of its characters.
    let is_word = |at: usize| {
        bytes.get(at).is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_') || is_part(bytes, at)
    };
    if is_word(end) || start.checked_sub(1).is_some_and(is_word) {
        return None;
    }
    let run = text.get(start..end)?;
    [run, run.trim_end_matches('.'), run.trim_end_matches([':', '.'])].into_iter().find_map(|address| {
        let groups = address.split(':').filter(|group| !group.is_empty()).count();
        // Without a digit, it may be a path in a program: `a::b`.
        let has_digit = address.bytes().any(|byte| byte.is_ascii_digit());
        (groups >= 2 && has_digit && address.parse::<Ipv6Addr>().is_ok()).then_some(start + address.len())
    })
}
