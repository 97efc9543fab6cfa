//! Parser of ECMA-262 regular expressions, which translates them to `regex-lite`.

use std::iter::Peekable;
use std::str::Chars;

use super::char_set::CharSet;
use super::unicode;

/// The deepest nesting of groups.
const MAX_NESTING: usize = 40;

/// A pattern in the syntax of `regex-lite`.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) regex: String,
    /// Number of states, with counted repetitions expanded.
    pub(super) states: usize,
    /// The set and the counts, if the pattern is one repeated set from start to end.
    pub(super) repeated: Option<(CharSet, usize, Option<usize>)>,
}

/// Translates a pattern.
///
/// # Errors
///
/// Returns the error and advice.
pub(super) fn parse(source: &str) -> Result<Parsed, String> {
    let mut parser = Parser {
        rest: source.chars().peekable(),
        regex: String::new(),
        ignores_case: false,
        shape: PatternShape::default(),
    };
    if let Some(rest) = source.strip_prefix("(?i)") {
        parser = Parser { rest: rest.chars().peekable(), ignores_case: true, ..parser };
    }
    let states = parser.alternatives(0)?;
    if parser.rest.next().is_some() {
        return Err("`)` closes nothing; escape it as `\\)`".to_owned());
    }
    let repeated = parser.shape.repeated();
    Ok(Parsed { regex: parser.regex, states, repeated })
}

pub(super) struct Parser<'a> {
    pub(super) rest: Peekable<Chars<'a>>,
    regex: String,
    pub(super) ignores_case: bool,
    shape: PatternShape,
}

/// The parts of a pattern while it may have the shape `^[set]{counts}$`.
#[derive(Default)]
struct PatternShape {
    parts: Vec<Part>,
    is_other: bool,
}

enum Part {
    Start,
    Set(CharSet, usize, Option<usize>),
    End,
}

impl PatternShape {
    fn push(&mut self, part: Part) {
        self.is_other |= self.parts.len() >= 3;
        if !self.is_other {
            self.parts.push(part);
        }
    }

    fn repeated(self) -> Option<(CharSet, usize, Option<usize>)> {
        let parts: Option<[Part; 3]> = self.parts.try_into().ok();
        match parts {
            Some([Part::Start, Part::Set(set, least, most), Part::End]) if !self.is_other => Some((set, least, most)),
            _ => None,
        }
    }
}

impl Parser<'_> {
    pub(super) fn takes(&mut self, letter: char) -> bool {
        self.rest.next_if_eq(&letter).is_some()
    }

    /// Parses alternatives up to the end or a `)`. Returns their number of states.
    fn alternatives(&mut self, nesting: usize) -> Result<usize, String> {
        if nesting > MAX_NESTING {
            return Err(format!("it nests groups more than {MAX_NESTING} deep; flatten it"));
        }
        let mut states = 1_usize;
        loop {
            match self.rest.peek() {
                None | Some(')') => return Ok(states),
                Some('|') => {
                    self.rest.next();
                    self.regex.push('|');
                    self.shape.is_other = true;
                    states = states.saturating_add(1);
                }
                Some(_) => states = states.saturating_add(self.term(nesting)?),
            }
        }
    }

    /// Parses an assertion, or an atom with its quantifier.
    fn term(&mut self, nesting: usize) -> Result<usize, String> {
        let start = self.regex.len();
        let Some(letter) = self.rest.next() else { return Ok(0) };
        let (states, set) = match letter {
            '^' => return Ok(self.assertion("^", Some(Part::Start))),
            '$' => return Ok(self.assertion("$", Some(Part::End))),
            '(' => {
                self.shape.is_other = true;
                (self.group(nesting)?, None)
            }
            '*' | '+' | '?' => return Err(format!("nothing to repeat before `{letter}`; escape it as `\\{letter}`")),
            '{' if self.counts()?.is_some() => {
                return Err("nothing to repeat before `{`; escape it as `\\{`".to_owned());
            }
            '\\' => match self.rest.peek() {
                Some('b') => {
                    self.rest.next();
                    return Ok(self.assertion("\\b", None));
                }
                Some('B') => {
                    self.rest.next();
                    return Ok(self.assertion("\\B", None));
                }
                _ => self.set(|parser| parser.escape())?,
            },
            '.' => self.set(|_| Ok(CharSet::dot()))?,
            '[' => self.set(Self::class)?,
            literal => self.set(|_| Ok(CharSet::one(literal)))?,
        };
        let Some((least, most)) = self.quantifier()? else {
            if let Some(set) = set {
                self.shape.push(Part::Set(set, 1, Some(1)));
            }
            return Ok(states);
        };
        if let Some(set) = set {
            self.shape.push(Part::Set(set, least, most));
        }
        let atom = self.regex.split_off(start);
        let counts = match (least, most) {
            (0, None) => "*".to_owned(),
            (1, None) => "+".to_owned(),
            (0, Some(1)) => "?".to_owned(),
            (least, None) => format!("{{{least},}}"),
            (least, Some(most)) => format!("{{{least},{most}}}"),
        };
        self.regex.push_str(&format!("(?:{atom}){counts}"));
        let copies = most.unwrap_or(least).max(least).max(1);
        Ok(states.saturating_add(1).saturating_mul(copies))
    }

    fn assertion(&mut self, written: &str, part: Option<Part>) -> usize {
        self.regex.push_str(written);
        match part {
            Some(part) => self.shape.push(part),
            None => self.shape.is_other = true,
        }
        1
    }

    fn set(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<CharSet, String>,
    ) -> Result<(usize, Option<CharSet>), String> {
        let set = read(self)?;
        let set = if self.ignores_case { set.case_folded() } else { set };
        set.write(&mut self.regex);
        Ok((set.len().max(1), Some(set)))
    }

    /// Parses a group after its `(`.
    fn group(&mut self, nesting: usize) -> Result<usize, String> {
        let outside = self.ignores_case;
        if self.takes('?') {
            match (self.rest.next(), self.rest.peek().copied()) {
                (Some(':'), _) => {}
                (Some('i'), Some(':')) => {
                    self.rest.next();
                    self.ignores_case = true;
                }
                (Some('=' | '!'), _) | (Some('<'), Some('=' | '!')) => {
                    return Err("lookaround can't be matched in linear time; write what has to match".to_owned());
                }
                (Some('<'), _) => self.rest.by_ref().take_while(|letter| *letter != '>').for_each(drop),
                _ => {
                    return Err(
                        "unknown group; only `(..)`, `(?:..)`, `(?<name>..)` and `(?i:..)` are known".to_owned()
                    );
                }
            }
        }
        self.regex.push_str("(?:");
        let states = self.alternatives(nesting + 1)?;
        if !self.takes(')') {
            return Err("`(` is not closed; escape it as `\\(`".to_owned());
        }
        self.regex.push(')');
        self.ignores_case = outside;
        Ok(states)
    }

    fn quantifier(&mut self) -> Result<Option<(usize, Option<usize>)>, String> {
        let counts = match self.rest.peek() {
            Some('*') => Some((0, None)),
            Some('+') => Some((1, None)),
            Some('?') => Some((0, Some(1))),
            _ => None,
        };
        let counts = match counts {
            Some(counts) => {
                self.rest.next();
                counts
            }
            None => match self.rest.next_if_eq(&'{').map(|_| self.counts()).transpose()? {
                Some(Some(counts)) => counts,
                Some(None) => {
                    // A brace without a count is a literal.
                    self.shape.is_other = true;
                    CharSet::one('{').write(&mut self.regex);
                    return Ok(None);
                }
                None => return Ok(None),
            },
        };
        // Greediness does not affect matching.
        self.takes('?');
        Ok(Some(counts))
    }

    /// Parses counts after a `{`; `None` if the brace is a literal.
    fn counts(&mut self) -> Result<Option<(usize, Option<usize>)>, String> {
        let mut ahead = self.rest.clone();
        let written: String = ahead.by_ref().take_while(|letter| *letter != '}').take(24).collect();
        let (least, most) = match written.split_once(',') {
            Some((least, most)) => (least, most),
            None => (written.as_str(), written.as_str()),
        };
        let is_count = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if written.is_empty() || !is_count(least) || !is_count(most) {
            return Ok(None);
        }
        if least.is_empty() {
            return Err(format!("`{{,{most}}}` has no lower count; write `{{0,{most}}}`"));
        }
        let read = |text: &str| text.parse::<usize>().map_err(|_| "a count is too large".to_owned());
        let least = read(least)?;
        let most = if most.is_empty() { None } else { Some(read(most)?) };
        if most.is_some_and(|most| most < least) {
            return Err("the counts are in the wrong order".to_owned());
        }
        self.rest = ahead;
        Ok(Some((least, most)))
    }

    /// Parses an escape after its backslash.
    pub(super) fn escape(&mut self) -> Result<CharSet, String> {
        let Some(letter) = self.rest.next() else { return Err("it ends with a backslash; write `\\\\`".to_owned()) };
        if let Some(set) = CharSet::escape(letter) {
            return Ok(set);
        }
        let code = match letter {
            't' => 0x09,
            'n' => 0x0a,
            'v' => 0x0b,
            'f' => 0x0c,
            'r' => 0x0d,
            '0' if !self.rest.peek().is_some_and(char::is_ascii_digit) => 0,
            'x' => self.hex(2)?,
            'u' => self.unicode()?,
            'c' => match self.rest.next() {
                Some(control) if control.is_ascii_alphabetic() => u32::from(control) % 32,
                _ => return Err("`\\c` takes a letter".to_owned()),
            },
            'p' | 'P' => {
                let set = self.property()?;
                return Ok(if letter == 'P' { set.negated() } else { set });
            }
            '0'..='9' | 'k' => {
                return Err("back references can't be matched in linear time; write what has to match".to_owned());
            }
            'A' | 'Z' | 'z' => {
                return Err(format!("`\\{letter}` is not part of ECMA-262; write `^` for the start, `$` for the end"));
            }
            letter if letter.is_alphabetic() => return Err(format!("unknown escape `\\{letter}`")),
            other => other.into(),
        };
        char::from_u32(code)
            .map(CharSet::one)
            .ok_or_else(|| "a lone surrogate is no character; write a pair".to_owned())
    }

    fn hex(&mut self, digits: usize) -> Result<u32, String> {
        let mut code = 0;
        for _ in 0..digits {
            let digit = self.rest.next().and_then(|digit| digit.to_digit(16));
            code = code * 16 + digit.ok_or_else(|| format!("expected {digits} hexadecimal digits"))?;
        }
        Ok(code)
    }

    /// Parses a code point after `\u`: `{..}`, four digits, or a surrogate pair of two times four.
    fn unicode(&mut self) -> Result<u32, String> {
        if self.takes('{') {
            let digits: String = self.rest.by_ref().take_while(|letter| *letter != '}').take(8).collect();
            return u32::from_str_radix(&digits, 16).map_err(|_| "`\\u{..}` takes a code point".to_owned());
        }
        let high = self.hex(4)?;
        let mut ahead = self.rest.clone();
        if (0xd800..0xdc00).contains(&high) && ahead.next() == Some('\\') && ahead.next() == Some('u') {
            self.rest = ahead;
            let low = self.hex(4)?;
            if (0xdc00..0xe000).contains(&low) {
                return Ok(0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00));
            }
        }
        Ok(high)
    }

    /// Parses a property after `\p`: a general category of Unicode.
    fn property(&mut self) -> Result<CharSet, String> {
        if !self.takes('{') {
            return Err("`\\p` takes a property, such as `\\p{L}`".to_owned());
        }
        let name: String = self.rest.by_ref().take_while(|letter| *letter != '}').take(64).collect();
        unicode::property(&name)
            .ok_or_else(|| format!("unknown property `{name}`; general categories are known, such as `\\p{{L}}`"))
    }
}
