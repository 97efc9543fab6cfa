//! Argument values in a text: quoted words, dates, numbers, names. Each token is used once.

use std::collections::HashSet;

use super::tokens::{Token, tokens};
use super::vocabulary::{is_calendar_word, is_stop_word, stem, stems};

/// Extractor of argument values: the tokens of a text, and flags for those that are used.
pub(super) struct Extractor<'t> {
    text: &'t str,
    tokens: Vec<Token<'t>>,
    used: Vec<bool>,
}

impl<'t> Extractor<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        let tokens = tokens(text);
        let used = vec![false; tokens.len()];
        Self { text, tokens, used }
    }

    fn unused(&self) -> impl DoubleEndedIterator<Item = (usize, &Token<'t>)> {
        self.tokens.iter().enumerate().filter(|(at, _)| !self.used.get(*at).copied().unwrap_or(true))
    }

    fn token(&self, at: usize) -> Option<&Token<'t>> {
        self.tokens.get(at)
    }

    fn mark_used(&mut self, at: usize) {
        if let Some(used) = self.used.get_mut(at) {
            *used = true;
        }
    }

    /// Uses the first unused token for which `wanted` returns a value.
    fn first<T>(&mut self, wanted: impl Fn(&Token<'t>) -> Option<T>) -> Option<T> {
        let (at, found) = self.unused().find_map(|(at, token)| Some((at, wanted(token)?)))?;
        self.mark_used(at);
        Some(found)
    }

    /// Returns the next quoted text.
    pub(super) fn quoted(&mut self) -> Option<&'t str> {
        self.first(|token| match token {
            Token::Quoted(text) => Some(*text),
            _ => None,
        })
    }

    /// Returns the next word with marks inside, such as an e-mail address, a domain or a file path.
    pub(super) fn address(&mut self) -> Option<&'t str> {
        self.first(|token| match token {
            Token::Word(text) => {
                let inside = text.trim_matches(|c: char| !c.is_alphanumeric());
                inside.contains(['.', '@', '/', '_']).then_some(*text)
            }
            _ => None,
        })
    }

    /// Returns the next date as it is written: `2026-03-01`.
    pub(super) fn date(&mut self) -> Option<&'t str> {
        self.first(|token| match token {
            Token::Date(text) => Some(*text),
            Token::DateTime(text) => text.get(..10),
            _ => None,
        })
    }

    /// Returns the next date and time as it is written: `2026-03-01T09:30:00Z`.
    pub(super) fn date_time(&mut self) -> Option<&'t str> {
        self.first(|token| match token {
            Token::DateTime(text) => Some(*text),
            _ => None,
        })
    }

    /// Returns the next acceptable number.
    pub(super) fn number(&mut self, acceptable: impl Fn(f64) -> bool) -> Option<f64> {
        self.first(|token| match token {
            Token::Number(number, _) if acceptable(*number) => Some(*number),
            _ => None,
        })
    }

    /// Returns an acceptable number next to this name: "3 nights", "nights: 3".
    pub(super) fn number_of(&mut self, name: &str, acceptable: impl Fn(f64) -> bool) -> Option<f64> {
        let names: HashSet<String> = stems(name).collect();
        let (at, number) = self.unused().find_map(|(at, token)| match token {
            Token::Number(number, _) if acceptable(*number) => {
                let named = |at: usize| self.token(at).is_some_and(|token| names.contains(&stem(token.text())));
                let label = match at.checked_sub(1) {
                    Some(before) if matches!(self.token(before), Some(Token::Mark(':' | '='))) => at.checked_sub(2),
                    before => before,
                };
                (named(at + 1) || label.is_some_and(named)).then_some((at, *number))
            }
            _ => None,
        })?;
        self.mark_used(at);
        Some(number)
    }

    /// Returns the text after the name and a colon or an equals sign: "city: New York, days: 3".
    pub(super) fn labelled(&mut self, name: &str) -> Option<String> {
        let name: Vec<String> = stems(name).collect();
        let mark = self
            .unused()
            .find(|(at, token)| matches!(token, Token::Mark(':' | '=')) && self.is_name_before(*at, &name))
            .map(|(at, _)| at)?;
        let mut value = Vec::new();
        for at in mark + 1.. {
            // The next label ends this value.
            let is_label = matches!(self.token(at + 1), Some(Token::Mark(':' | '=')));
            match self.token(at) {
                Some(Token::Mark(_)) | None => break,
                Some(_) if is_label && !value.is_empty() => break,
                Some(token) => value.push(token.text()),
            }
            self.mark_used(at);
        }
        (!value.is_empty()).then(|| value.join(" "))
    }

    fn is_name_before(&self, mark: usize, name: &[String]) -> bool {
        let words: Vec<String> = self
            .tokens
            .iter()
            .take(mark)
            .rev()
            .map_while(|token| match token {
                Token::Word(word) => Some(stems(word).collect::<Vec<_>>()),
                _ => None,
            })
            .take(name.len())
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
            .flatten()
            .collect();
        !name.is_empty() && words.ends_with(name)
    }

    /// Returns a name after one of these words: "in New York".
    pub(super) fn name_after(&mut self, prepositions: &[&str]) -> Option<String> {
        let at = self.after(prepositions, Token::is_name)?;
        Some(self.use_run(at, Token::is_name))
    }

    /// Returns the meaningful words, capitalized or not, after one of these words: "in new york".
    pub(super) fn words_after(&mut self, prepositions: &[&str]) -> Option<String> {
        let is_meaningful =
            |token: &Token<'t>| matches!(token, Token::Word(word) if !is_stop_word(word) && !is_calendar_word(word));
        let at = self.after(prepositions, is_meaningful)?;
        Some(self.use_run(at, is_meaningful))
    }

    fn after(&self, prepositions: &[&str], wanted: impl Fn(&Token<'t>) -> bool) -> Option<usize> {
        self.unused().find_map(|(at, token)| {
            let preposition = token.text().to_lowercase();
            if !matches!(token, Token::Word(_)) || !prepositions.contains(&preposition.as_str()) {
                return None;
            }
            let article =
                |token: &Token<'t>| matches!(token.text().to_lowercase().as_str(), "the" | "a" | "an" | "my" | "our");
            let next = if self.token(at + 1).is_some_and(article) { at + 2 } else { at + 1 };
            let is_unused = !self.used.get(next).copied().unwrap_or(true);
            (is_unused && self.token(next).is_some_and(&wanted)).then_some(next)
        })
    }

    /// Returns a name in the middle of a sentence, unless it follows one of these words: "from Boston".
    pub(super) fn name(&mut self, not_after: &[&str]) -> Option<String> {
        let at = self
            .unused()
            .find(|(at, token)| {
                token.is_name()
                    && !self.begins_sentence(*at)
                    && !at
                        .checked_sub(1)
                        .and_then(|before| self.token(before))
                        .is_some_and(|before| not_after.contains(&before.text().to_lowercase().as_str()))
            })
            .map(|(at, _)| at)?;
        Some(self.use_run(at, Token::is_name))
    }

    /// Returns a name that begins a sentence. Any first word is capitalized, so stems in `ordinary` are not names.
    pub(super) fn name_at_start(&mut self, ordinary: &HashSet<String>) -> Option<String> {
        let is_name = |token: &Token<'t>| {
            token.is_name() && !is_stop_word(token.text()) && !ordinary.contains(&stem(token.text()))
        };
        let at = self
            .unused()
            .find(|(at, token)| {
                self.begins_sentence(*at)
                    && is_name(token)
                    // "Oslo weather" or "Oslo, please", but not "Sing loudly": a capitalized verb precedes a lower-case word.
                    && self
                        .token(at + 1)
                        .is_none_or(|next| !matches!(next, Token::Word(word) if !ordinary.contains(&stem(word)) && !is_name(next)))
            })
            .map(|(at, _)| at)?;
        Some(self.use_run(at, is_name))
    }

    fn begins_sentence(&self, at: usize) -> bool {
        at.checked_sub(1).and_then(|before| self.token(before)).is_none_or(Token::ends_sentence)
    }

    /// Uses the tokens from `at` on while they are `wanted`, and joins their texts.
    fn use_run(&mut self, at: usize, wanted: impl Fn(&Token<'t>) -> bool) -> String {
        let mut words = Vec::new();
        for at in at.. {
            match self.token(at) {
                Some(token) if wanted(token) && !self.used.get(at).copied().unwrap_or(true) => {
                    words.push(token.text());
                }
                _ => break,
            }
            self.mark_used(at);
        }
        words.join(" ")
    }

    /// Returns the next word or number that looks like a code, such as "AC7K2M9Q": it has a digit.
    pub(super) fn code(&mut self) -> Option<&'t str> {
        self.first(|token| match token {
            Token::Word(text) | Token::Number(_, text) => {
                text.contains(|c: char| c.is_ascii_digit()).then(|| text.trim_start_matches('#'))
            }
            _ => None,
        })
    }

    /// Returns a day in words: "tomorrow", "next Monday".
    pub(super) fn day_in_words(&mut self) -> Option<String> {
        let is_day = |token: &Token<'t>| {
            is_calendar_word(token.text())
                || ["today", "tomorrow", "tonight"].contains(&token.text().to_lowercase().as_str())
        };
        let at = self.unused().find(|(_, token)| is_day(token)).map(|(at, _)| at)?;
        let qualifier = at.checked_sub(1).filter(|before| {
            self.token(*before).is_some_and(|token| ["next", "this"].contains(&token.text().to_lowercase().as_str()))
        });
        Some(self.use_run(qualifier.unwrap_or(at), |token| {
            is_day(token) || ["next", "this"].contains(&token.text().to_lowercase().as_str())
        }))
    }

    /// Returns the longest arithmetic expression: "12 * (3 + 4)".
    pub(super) fn formula(&self) -> Option<&'t str> {
        let is_part = |c: char| c.is_ascii_digit() || "+-*/^%().  ".contains(c);
        let parts = self
            .text
            .split(|c| !is_part(c))
            .map(|part| part.trim().trim_end_matches(|c: char| !c.is_ascii_digit() && c != ')'));
        parts.filter(|part| part.contains(|c: char| c.is_ascii_digit())).max_by_key(|part| part.len())
    }

    /// Returns the zero-based index of the first word of `phrase` in the text. Spelling and endings may differ.
    pub(super) fn position(&self, phrase: &str) -> Option<usize> {
        let phrase: Vec<String> = stems(phrase).collect();
        let text: Vec<String> = stems(self.text).collect();
        text.windows(phrase.len().max(1)).position(|words| words == phrase.as_slice())
    }

    /// True if the words of `phrase` are in the text and none of them follows a negation.
    pub(super) fn affirms(&self, phrase: &str) -> bool {
        let text: Vec<String> = stems(self.text).collect();
        let is_affirmed = |word: String| {
            text.iter().enumerate().any(|(at, found)| {
                let before = at.checked_sub(1).and_then(|before| text.get(before));
                *found == word
                    && !before
                        .is_some_and(|before| matches!(before.as_str(), "no" | "not" | "without" | "dont" | "never"))
            })
        };
        stems(phrase).all(is_affirmed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unusual_texts_do_not_panic() {
        for text in ["", "''", "\"", "“", "-", "$", "…—🦀", "東京の天気", "a\u{301}:=", "1.", ".5.", "1e999", "::"]
        {
            let mut extractor = Extractor::new(text);
            extractor.labelled("a");
            extractor.name(&[]);
            extractor.number(|_| true);
        }
    }

    #[test]
    fn uses_each_value_once() {
        let mut extractor = Extractor::new("fly from Boston to New York in 2 days for 3 nights");
        assert_eq!(extractor.number_of("nights", |_| true), Some(3.0));
        assert_eq!(extractor.number(|_| true), Some(2.0));
        assert_eq!(extractor.number(|_| true), None);
        assert_eq!(extractor.name(&["from"]).as_deref(), Some("New York"));
        assert_eq!(extractor.name(&["from"]), None);
        assert_eq!(extractor.name_after(&["from"]).as_deref(), Some("Boston"));
    }

    #[test]
    fn reads_labelled_values() {
        let mut extractor = Extractor::new("check in: 2026-03-01, city = New York days:3 note: \"by the sea\"");
        assert_eq!(extractor.labelled("check_in").as_deref(), Some("2026-03-01"));
        assert_eq!(extractor.labelled("city").as_deref(), Some("New York"));
        assert_eq!(extractor.labelled("days").as_deref(), Some("3"));
        assert_eq!(extractor.labelled("note").as_deref(), Some("by the sea"));
        assert_eq!(extractor.labelled("guests"), None);
    }

    #[test]
    fn a_capitalized_first_word_is_not_always_a_name() {
        let ordinary = HashSet::from([stem("weather")]);
        let at_start = |text| Extractor::new(text).name_at_start(&ordinary);
        assert_eq!(at_start("Oslo weather please").as_deref(), Some("Oslo"));
        assert_eq!(at_start("Weather?"), None);
        assert_eq!(at_start("Sing loudly"), None);
    }

    #[test]
    fn negated_words_are_not_affirmed() {
        assert!(Extractor::new("list bookings including cancelled ones").affirms("include_cancelled"));
        assert!(!Extractor::new("fly without stops").affirms("stops"));
    }
}
