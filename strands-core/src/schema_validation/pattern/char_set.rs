//! Sets of characters, as sorted ranges.

use std::fmt::Write as _;

/// A set of characters: sorted ranges that don't touch.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct CharSet {
    ranges: Vec<(u32, u32)>,
}

/// The most characters of a range that are case-folded.
const MAX_FOLDED: u32 = 4_096;

const LAST: u32 = 0x10_ffff;
const SURROGATES: (u32, u32) = (0xd800, 0xdfff);

impl CharSet {
    pub(super) fn new(ranges: impl IntoIterator<Item = (u32, u32)>) -> Self {
        let mut sorted: Vec<_> = ranges.into_iter().filter(|(first, last)| first <= last).collect();
        sorted.sort_unstable();
        let mut ranges: Vec<(u32, u32)> = Vec::with_capacity(sorted.len());
        for (first, last) in sorted {
            match ranges.last_mut() {
                Some(before) if first <= before.1.saturating_add(1) => before.1 = before.1.max(last),
                _ => ranges.push((first, last)),
            }
        }
        Self { ranges }
    }

    pub(super) fn one(letter: char) -> Self {
        Self::new([(letter.into(), letter.into())])
    }

    /// Returns the set of all characters except line ends.
    pub(super) fn dot() -> Self {
        Self::new([(0x0a, 0x0a), (0x0d, 0x0d), (0x2028, 0x2029)]).negated()
    }

    /// Returns the set of `\d`, `\s` or `\w`, or of one of their opposites.
    pub(super) fn escape(letter: char) -> Option<Self> {
        let set = match letter.to_ascii_lowercase() {
            'd' => Self::new([(0x30, 0x39)]),
            'w' => Self::new([(0x30, 0x39), (0x41, 0x5a), (0x5f, 0x5f), (0x61, 0x7a)]),
            's' => {
                let spaces = [0x20, 0xa0, 0x1680, 0x202f, 0x205f, 0x3000, 0xfeff].map(|space| (space, space));
                Self::new(spaces.into_iter().chain([(0x09, 0x0d), (0x2000, 0x200a), (0x2028, 0x2029)]))
            }
            _ => return None,
        };
        Some(if letter.is_ascii_uppercase() { set.negated() } else { set })
    }

    pub(super) fn negated(&self) -> Self {
        let mut gaps = Vec::with_capacity(self.ranges.len() + 1);
        let mut next = 0;
        for (first, last) in &self.ranges {
            if *first > next {
                gaps.push((next, first - 1));
            }
            next = last + 1;
        }
        if next <= LAST {
            gaps.push((next, LAST));
        }
        Self { ranges: gaps }
    }

    pub(super) fn and(self, other: &Self) -> Self {
        Self::new(self.ranges.into_iter().chain(other.ranges.iter().copied()))
    }

    /// Adds the other case of each letter. Large ranges of other scripts are not folded completely.
    pub(super) fn case_folded(self) -> Self {
        let mut others = Vec::new();
        for (first, last) in &self.ranges {
            for code in (*first..=*last).take(MAX_FOLDED as usize) {
                let Some(letter) = char::from_u32(code) else { continue };
                let (mut lower, mut upper) = (letter.to_lowercase(), letter.to_uppercase());
                for (folded, more) in [(lower.next(), lower.next()), (upper.next(), upper.next())] {
                    if let (Some(folded), None) = (folded, more) {
                        others.push((folded.into(), folded.into()));
                    }
                }
            }
        }
        self.and(&Self::new(others))
    }

    pub(super) fn contains(&self, letter: char) -> bool {
        let code = u32::from(letter);
        let at = self.ranges.partition_point(|(_, last)| *last < code);
        self.ranges.get(at).is_some_and(|(first, _)| *first <= code)
    }

    /// Returns the character of a set that has only one.
    pub(super) fn only(&self) -> Option<char> {
        match self.ranges.as_slice() {
            [(first, last)] if first == last => char::from_u32(*first),
            _ => None,
        }
    }

    /// Returns the number of ranges.
    pub(super) fn len(&self) -> usize {
        self.ranges.len()
    }

    /// Appends the set as a class of `regex-lite`.
    pub(super) fn write(&self, regex: &mut String) {
        let (before, behind) = (SURROGATES.0 - 1, SURROGATES.1 + 1);
        let parts = self.ranges.iter().flat_map(|&(first, last)| {
            // Surrogates are not characters in Rust.
            let (low, high) = ((first, last.min(before)), (first.max(behind), last));
            [low, high].into_iter().filter(|(first, last)| first <= last)
        });
        let start = regex.len();
        regex.push('[');
        for (first, last) in parts {
            // Writing to a `String` can't fail.
            let _ = write!(regex, "\\x{{{first:x}}}-\\x{{{last:x}}}");
        }
        if regex.len() == start + 1 {
            regex.push_str(r"^\x{0}-\x{10ffff}");
        }
        regex.push(']');
    }
}
