//! Regular expressions of the program, whose matches have a known maximum length.

use std::ops::Range;

use regex::Regex;
use regex_syntax::hir::Look;

use crate::PiiBuildError;

/// Maximum length of a match, in bytes. Streamed text is held back for that long.
const MAX_LENGTH: usize = 4_096;

/// Maximum length of a character around a match, on which word boundaries depend.
const MAX_CHARACTER: usize = 4;

/// A regular expression with the label of its matches.
#[derive(Clone, Debug)]
pub(crate) struct CustomPattern {
    label: String,
    regex: Regex,
    max_length: usize,
}

impl CustomPattern {
    pub(crate) fn new(label: &str, pattern: &str) -> Result<Self, PiiBuildError> {
        let label = label.to_owned();
        let regex = match Regex::new(pattern) {
            Ok(regex) => regex,
            Err(error) => return Err(PiiBuildError::InvalidPattern { label, source: error.into() }),
        };
        // The other parser accepts the same syntax.
        let Ok(parsed) = regex_syntax::parse(pattern) else {
            return Err(PiiBuildError::TooLong { label, max: MAX_LENGTH });
        };
        let properties = parsed.properties();
        let looks = properties.look_set();
        if looks.contains(Look::Start) || looks.contains(Look::End) {
            return Err(PiiBuildError::Anchored { label });
        }
        if properties.minimum_len().is_none_or(|length| length == 0) {
            return Err(PiiBuildError::MatchesEmpty { label });
        }
        match properties.maximum_len() {
            Some(max_length) if max_length <= MAX_LENGTH => Ok(Self { label, regex, max_length }),
            _ => Err(PiiBuildError::TooLong { label, max: MAX_LENGTH }),
        }
    }

    pub(crate) fn label(&self) -> &str {
        &self.label
    }

    pub(super) fn window(&self) -> usize {
        self.max_length + MAX_CHARACTER
    }

    /// Returns the matches that start in a range: one for each start, since a match must not depend on those before it.
    pub(super) fn find(&self, text: &str, range: Range<usize>) -> impl Iterator<Item = Range<usize>> {
        let mut next = range.start;
        std::iter::from_fn(move || {
            if next >= range.end {
                return None;
            }
            let found = self.regex.find_at(text, next).filter(|found| found.start() < range.end)?;
            next = text.ceil_char_boundary(found.start() + 1);
            Some(found.range())
        })
    }
}
