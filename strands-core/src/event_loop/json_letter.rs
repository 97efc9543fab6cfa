//! Letters of a JSON string: where one ends, so that a string is not cut inside of it.

/// State between two bytes of a JSON string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Letter {
    /// Between two letters, or in one of several bytes.
    Plain,
    /// After a backslash; `high` if it follows the first half of a surrogate pair.
    Escape { high: bool },
    /// After so many digits of a `\u` escape.
    Unicode { high: bool, digits: u8, code: u16 },
    /// After the first half of a surrogate pair.
    High,
}

impl Letter {
    /// The state after another byte, `None` if there can be no such byte.
    pub(super) fn next(self, byte: u8) -> Option<Self> {
        Some(match self {
            Self::Plain if byte == b'\\' => Self::Escape { high: false },
            Self::Plain => Self::Plain,
            Self::High if byte == b'\\' => Self::Escape { high: true },
            Self::Escape { high } if byte == b'u' => Self::Unicode { high, digits: 0, code: 0 },
            Self::Escape { high: false } => Self::Plain,
            Self::High | Self::Escape { high: true } => return None,
            Self::Unicode { high, digits, code } => {
                let digit = char::from(byte).to_digit(16).and_then(|digit| u16::try_from(digit).ok())?;
                let code = (code << 4) | digit;
                match (high, code) {
                    _ if digits < 3 => Self::Unicode { high, digits: digits + 1, code },
                    (false, 0xD800..=0xDBFF) => Self::High,
                    (true, 0xDC00..=0xDFFF) => Self::Plain,
                    (false, 0xDC00..=0xDFFF) | (true, _) => return None,
                    (false, _) => Self::Plain,
                }
            }
        })
    }
}
