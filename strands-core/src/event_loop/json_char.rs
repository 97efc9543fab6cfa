//! Boundaries of characters in a JSON string, so that a partial string is never cut within an escape.

/// State between two bytes of a JSON string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CharState {
    /// Between two characters, or within one of several bytes.
    Plain,
    /// After a backslash; `high` if it follows the first half of a surrogate pair.
    Escape { high: bool },
    /// After this many digits of a `\u` escape.
    Unicode { high: bool, digits: u8, code: u16 },
    /// After the first half of a surrogate pair.
    HighSurrogate,
}

impl CharState {
    /// Returns the state after another byte, or `None` if the byte is invalid.
    pub(super) fn next(self, byte: u8) -> Option<Self> {
        Some(match self {
            Self::Plain if byte == b'\\' => Self::Escape { high: false },
            Self::Plain => Self::Plain,
            Self::HighSurrogate if byte == b'\\' => Self::Escape { high: true },
            Self::Escape { high } if byte == b'u' => Self::Unicode { high, digits: 0, code: 0 },
            Self::Escape { high: false } => Self::Plain,
            Self::HighSurrogate | Self::Escape { high: true } => return None,
            Self::Unicode { high, digits, code } => {
                let digit = char::from(byte).to_digit(16).and_then(|digit| u16::try_from(digit).ok())?;
                let code = (code << 4) | digit;
                match (high, code) {
                    _ if digits < 3 => Self::Unicode { high, digits: digits + 1, code },
                    (false, 0xD800..=0xDBFF) => Self::HighSurrogate,
                    (true, 0xDC00..=0xDFFF) => Self::Plain,
                    (false, 0xDC00..=0xDFFF) | (true, _) => return None,
                    (false, _) => Self::Plain,
                }
            }
        })
    }
}
