//! Patterns of JSON Schema: ECMA-262 regular expressions, matched in time linear in the text.
//!
//! The engine is `regex-lite`, which never backtracks and is a dependency anyway. Its syntax differs, so a pattern is parsed
//! and translated, with each set of characters spelled out. Lookaround and back references have no linear algorithm, and are
//! rejected.

mod char_set;
mod class;
mod ecma;
mod unicode;

use regex_lite::{Regex, RegexBuilder};

use char_set::CharSet;

/// The most states of a pattern. Counted repetitions multiply them: `(a{100}){100}` has 10,000.
const MAX_STATES: usize = 50_000;

/// The deepest nesting of groups in `regex-lite`, where a group with a repetition counts twice. The parser has its own limit.
const MAX_NESTING: u32 = 200;

/// The most bytes of a compiled pattern.
const MAX_BYTES: usize = 8 << 20;

/// A compiled pattern.
pub(crate) struct Pattern {
    source: String,
    matcher: Matcher,
    /// Upper bound of the work for one character.
    states: usize,
}

enum Matcher {
    /// `^[a-z]{1,64}$`, by far the most frequent form.
    Repeated {
        set: CharSet,
        least: usize,
        most: Option<usize>,
    },
    Regex(Regex),
}

impl Pattern {
    /// Compiles a pattern.
    ///
    /// # Errors
    ///
    /// Returns the reason for which it can't be matched, and advice.
    pub(crate) fn new(source: &str) -> Result<Self, String> {
        let parsed = ecma::parse(source)?;
        let matcher = match parsed.repeated {
            Some((set, least, most)) => Matcher::Repeated { set, least, most },
            None if parsed.states > MAX_STATES => {
                return Err(format!("it repeats itself into more than {MAX_STATES} states; use smaller counts"));
            }
            None => {
                let regex = RegexBuilder::new(&parsed.regex).size_limit(MAX_BYTES).nest_limit(MAX_NESTING).build();
                Matcher::Regex(regex.map_err(|error| error.to_string())?)
            }
        };
        let states = if matches!(matcher, Matcher::Repeated { .. }) { 1 } else { parsed.states };
        Ok(Self { source: source.to_owned(), matcher, states })
    }

    /// Returns the pattern as written.
    pub(super) fn source(&self) -> &str {
        &self.source
    }

    /// Returns an upper bound of the steps to match a text.
    pub(super) fn steps(&self, text: &str) -> usize {
        text.len().saturating_mul(self.states)
    }

    /// Returns true if a part of the text matches.
    pub(crate) fn is_match(&self, text: &str) -> bool {
        match &self.matcher {
            Matcher::Regex(regex) => regex.is_match(text),
            Matcher::Repeated { set, least, most } => {
                let most = most.unwrap_or(usize::MAX);
                let mut length = 0_usize;
                let fits = |letter| {
                    length += 1;
                    length <= most && set.contains(letter)
                };
                text.chars().all(fits) && length >= *least
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, text: &str) -> bool {
        Pattern::new(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}")).is_match(text)
    }

    #[test]
    fn matches_like_ecma_262() {
        for (pattern, fits, fits_not) in [
            ("^[a-z]{2,3}$", "abc", "abcd"),
            ("a+", "xaay", "xy"),
            (r"^\d+$", "12", "١٢"),
            (r"^\w+$", "a_1", "é"),
            (r"^\s$", "\u{a0}", "x"),
            (r"^\s$", "\u{feff}", "\u{180e}"),
            (r"^\S+$", "é", "a b"),
            (r"^[\w.+-]+@[\w-]+\.[\w.]+$", "a.b+c@d-e.fg", "a@b"),
            ("^.$", "é", "\n"),
            ("^.$", "😀", "\u{2028}"),
            (r"^[^]$", "\n", ""),
            (r"^[^a]$", "\n", "a"),
            (r"^a|b$", "ax", "xa"),
            (r"^(?:a|b)$", "b", "ab"),
            (r"^(?<year>\d{4})-(\d{2})$", "2026-11", "2026-1"),
            (r"^\u{1f600}\ud83d\ude00\x41\cJ\0$", "😀😀A\n\0", "😀"),
            (r"^[\u00e0-\u00ff]+$", "éü", "e"),
            (r"^[[a]+$", "[a", "b"),
            (r"^[a&&b~]+$", "&~", "c"),
            (r"^[\]\\^-]+$", r"]\^-", "a"),
            (r"^[\d-x]+$", "1-x", "y"),
            (r"^[\b]$", "\u{8}", "b"),
            (r"\bfoo\b", "a foo b", "afoo"),
            (r"^\/path\-to\_x\@\:\;\%\#\'$", "/path-to_x@:;%#'", "x"),
            (r"^a{2}?b*?c$", "aac", "ac"),
            (r"^{}\{x}$", "{}{x}", "x"),
            (r"^\p{L}+$", "Zoë", "Z1"),
            (r"^\p{Letter}+$", "π", "2"),
            (r"^[\p{Lu}\p{Nd}]+$", "ÉA٣", "é"),
            (r"^\P{L}+$", "12", "1a"),
            (r"^\p{gc=Lu}\p{General_Category=Ll}$", "Ab", "ab"),
            (r"^(?i:abc)d$", "aBCd", "abcD"),
            (r"(?i)^é$", "É", "e"),
            (r"^$", "", "x"),
            (r"", "x", "\0none"),
        ] {
            assert!(matches(pattern, fits), "{pattern} {fits:?}");
            assert!(!matches(pattern, fits_not) || fits_not == "\0none", "{pattern} {fits_not:?}");
        }
    }

    #[test]
    fn dollar_matches_only_at_the_end() {
        assert!(!matches("^a$", "a\n"));
        assert!(!matches("^[a]{1,2}$", "a\n"));
    }

    #[test]
    fn rejects_patterns_without_a_linear_algorithm() {
        for (pattern, reason) in [
            ("^(?!x)y", "lookaround"),
            ("(?<=x)y", "lookaround"),
            (r"(a)\1", "back references"),
            (r"(?<n>a)\k<n>", "back references"),
            ("[a", "`[` is not closed"),
            ("(a", "`(` is not closed"),
            ("a)", "`)` closes nothing"),
            ("*a", "nothing to repeat"),
            ("a**", "nothing to repeat"),
            ("a++", "nothing to repeat"),
            ("a{2,1}", "the counts are in the wrong order"),
            ("a{,5}", "write `{0,"),
            ("[z-a]", "the range is in the wrong order"),
            (r"\Aa\z", "`^`"),
            (r"\y", r"unknown escape `\y`"),
            (r"\p{Klingon}", "property"),
            (r"\uD800", "surrogate"),
            ("\\", "ends with a backslash"),
            ("((a{1000}){1000}){1000}", "states"),
        ] {
            let error = Pattern::new(pattern).err().unwrap_or_else(|| panic!("{pattern} compiles"));
            assert!(error.contains(reason), "{pattern}: {error}");
        }
        let deep = "(".repeat(10_000) + &")".repeat(10_000);
        assert!(Pattern::new(&deep).is_err_and(|error| error.contains("nests")));
    }
}
