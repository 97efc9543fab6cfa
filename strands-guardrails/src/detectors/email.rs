//! E-mail addresses, found by their `@`.

use std::ops::Range;

/// Maximum length of the part before the `@`, in bytes. It may have 64 characters, some of them not ASCII.
const MAX_LOCAL: usize = 128;

/// Maximum length of a domain, in bytes.
const MAX_DOMAIN: usize = 253;

pub(super) const WINDOW: usize = MAX_LOCAL + 1 + MAX_DOMAIN + 4;

/// Returns the addresses that start in a range. One address may be within another one.
pub(super) fn find(text: &str, range: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let last = range.end.saturating_add(MAX_LOCAL + 1);
    let after = text.get(range.start..).unwrap_or_default();
    let signs = after.match_indices('@').map(move |(at, _)| range.start + at).take_while(move |at| *at <= last);
    signs
        .filter_map(|at| Some(start_of_local(text, at)?..end_of_domain(text, at + 1)?))
        .filter(move |found| range.contains(&found.start))
}

/// Returns the start of the trailing characters that may belong to an address which continues.
pub(super) fn start_of_open(text: &str, decided: usize) -> usize {
    let rest = text.get(decided..).unwrap_or_default();
    let open = rest.trim_end_matches(|letter: char| letter == '@' || is_local(letter));
    decided + open.len()
}

fn is_local(letter: char) -> bool {
    letter.is_alphanumeric() || matches!(letter, '.' | '_' | '%' | '+' | '-' | '\'')
}

fn is_domain(letter: char) -> bool {
    letter.is_alphanumeric() || matches!(letter, '.' | '-')
}

fn start_of_local(text: &str, at: usize) -> Option<usize> {
    let earliest = text.ceil_char_boundary(at.saturating_sub(MAX_LOCAL));
    let start = earliest + text.get(earliest..at)?.trim_end_matches(is_local).len();
    // Full stops and quotes before an address are not part of it.
    let local = text.get(start..at)?.trim_start_matches(['.', '\'']);
    (!local.is_empty()).then_some(at - local.len())
}

fn end_of_domain(text: &str, start: usize) -> Option<usize> {
    let limit = text.floor_char_boundary(start.saturating_add(MAX_DOMAIN));
    let rest = text.get(start..limit)?;
    let run = rest.len() - rest.trim_start_matches(is_domain).len();
    let mut domain = rest.get(..run)?;
    loop {
        domain = domain.trim_end_matches(['.', '-']);
        let (name, top) = domain.rsplit_once('.')?;
        if name.is_empty() {
            return None;
        }
        if top.chars().next().is_some_and(char::is_alphabetic) && top.chars().nth(1).is_some() {
            return Some(start + domain.len());
        }
        domain = name;
    }
}
