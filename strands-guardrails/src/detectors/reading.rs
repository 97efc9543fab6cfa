//! Reading of numbers in a text, with separators between their digits.

/// Finding at one position of a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Candidate {
    /// End of the finding, if there is one.
    pub(crate) end: Option<usize>,
    /// True if the text ends before it is decided whether there is a finding, and where it ends.
    pub(crate) is_open: bool,
}

impl Candidate {
    pub(crate) const NONE: Self = Self { end: None, is_open: false };
    pub(crate) const OPEN: Self = Self { end: None, is_open: true };

    pub(crate) fn found(end: usize) -> Self {
        Self { end: Some(end), is_open: false }
    }
}

pub(crate) fn is_digit(bytes: &[u8], at: usize) -> bool {
    bytes.get(at).is_some_and(u8::is_ascii_digit)
}

pub(crate) fn is_letter(bytes: &[u8], at: usize) -> bool {
    bytes.get(at).is_some_and(u8::is_ascii_alphabetic)
}

pub(crate) fn is_alphanumeric(bytes: &[u8], at: usize) -> bool {
    bytes.get(at).is_some_and(u8::is_ascii_alphanumeric)
}

/// Returns true if the byte before a position is a digit.
pub(crate) fn follows_digit(bytes: &[u8], at: usize) -> bool {
    at.checked_sub(1).is_some_and(|before| is_digit(bytes, before))
}

/// Returns true if the byte before a position is a letter or a digit.
pub(crate) fn follows_alphanumeric(bytes: &[u8], at: usize) -> bool {
    at.checked_sub(1).is_some_and(|before| is_alphanumeric(bytes, before))
}

/// Returns the length of a separator at a position, or 0: a space, a hyphen, or their typographic forms.
pub(crate) fn separator(bytes: &[u8], at: usize) -> usize {
    match bytes.get(at) {
        Some(b' ' | b'-') => 1,
        // No-break space.
        Some(0xc2) if bytes.get(at + 1) == Some(&0xa0) => 2,
        // Hyphens and dashes (U+2010 to U+2013), narrow no-break space (U+202F).
        Some(0xe2) if bytes.get(at + 1) == Some(&0x80) && matches!(bytes.get(at + 2), Some(0x90..=0x93 | 0xaf)) => 3,
        _ => 0,
    }
}

/// Returns the length of a separator at a position, or 0; a full stop is one as well.
pub(crate) fn separator_or_stop(bytes: &[u8], at: usize) -> usize {
    if bytes.get(at) == Some(&b'.') { 1 } else { separator(bytes, at) }
}

/// Characters of a number, without their separators.
#[derive(Debug)]
pub(crate) struct Characters {
    characters: [u8; MAX_CHARACTERS],
    len: usize,
}

/// Maximum number of characters of a number. Those of an account of Russia are the most.
const MAX_CHARACTERS: usize = 34;

impl Default for Characters {
    fn default() -> Self {
        Self { characters: [0; MAX_CHARACTERS], len: 0 }
    }
}

impl Characters {
    pub(crate) fn push(&mut self, character: u8) {
        if let Some(slot) = self.characters.get_mut(self.len) {
            *slot = character;
            self.len += 1;
        }
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        self.characters.get(..self.len).unwrap_or_default()
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Returns the value of the digit at an index.
    pub(crate) fn digit(&self, index: usize) -> u32 {
        self.as_slice().get(index).map_or(0, |digit| u32::from(digit.wrapping_sub(b'0')))
    }

    /// Returns the number that a range of digits stands for.
    pub(crate) fn number(&self, range: std::ops::Range<usize>) -> u64 {
        range.fold(0, |number, index| number * 10 + u64::from(self.digit(index)))
    }
}

/// Outcome of reading a number of fixed length.
pub(crate) enum Fixed {
    /// The characters, and the end of the number.
    Read(Characters, usize),
    None,
    /// The text ends before the number does.
    Open,
}

/// Reads exactly `count` characters, with at most one separator between two of them.
pub(crate) fn fixed(
    bytes: &[u8],
    start: usize,
    count: usize,
    separator: fn(&[u8], usize) -> usize,
    is_valid: impl Fn(usize, u8) -> bool,
) -> Fixed {
    let mut characters = Characters::default();
    let mut at = start;
    loop {
        let Some(character) = bytes.get(at) else { return Fixed::Open };
        if !is_valid(characters.len(), *character) {
            return Fixed::None;
        }
        characters.push(*character);
        at += 1;
        if characters.len() == count {
            return Fixed::Read(characters, at);
        }
        at += separator(bytes, at);
    }
}

/// Returns a finding that ends at `end` unless the byte there continues it. It is open at the end of the text.
pub(crate) fn bounded(bytes: &[u8], end: usize, continues: fn(&[u8], usize) -> bool) -> Candidate {
    if end >= bytes.len() {
        Candidate { end: Some(end), is_open: true }
    } else if continues(bytes, end) {
        Candidate::NONE
    } else {
        Candidate::found(end)
    }
}
