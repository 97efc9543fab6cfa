//! Tokens of a text: quoted texts, dates, numbers, words and punctuation marks.

use super::vocabulary::is_calendar_word;

/// A token, with its text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Token<'t> {
    Quoted(&'t str),
    Date(&'t str),
    DateTime(&'t str),
    Number(f64, &'t str),
    Word(&'t str),
    Mark(char),
}

impl<'t> Token<'t> {
    /// Returns the token's text; empty for marks.
    pub(super) fn text(&self) -> &'t str {
        match self {
            Self::Quoted(text) | Self::Date(text) | Self::DateTime(text) | Self::Number(_, text) | Self::Word(text) => {
                text
            }
            Self::Mark(_) => "",
        }
    }

    /// True for a capitalized word that is not a day, a month or "I".
    pub(super) fn is_name(&self) -> bool {
        matches!(self, Self::Word(word) if word.starts_with(char::is_uppercase)
            && !is_calendar_word(word)
            && *word != "I"
            && !word.starts_with("I'"))
    }

    pub(super) fn ends_sentence(&self) -> bool {
        matches!(self, Self::Mark('.' | '!' | '?'))
    }
}

/// Splits a text into tokens.
pub(super) fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    // An apostrophe directly after a word does not open a quotation: "the cities' names".
    let mut after_space = true;
    while let Some(first) = rest.chars().next() {
        let (token, after) = quotation(rest)
            .filter(|_| after_space || first != '\'')
            .or_else(|| mark(rest, first))
            .unwrap_or_else(|| word_or_number(rest));
        tokens.push(token);
        rest = after.trim_start();
        after_space = rest.len() < after.len();
    }
    tokens
}

fn quotation(text: &str) -> Option<(Token<'_>, &str)> {
    let (open, close) = [('"', '"'), ('“', '”'), ('`', '`'), ('\'', '\''), ('«', '»')]
        .into_iter()
        .find(|(open, _)| text.starts_with(*open))?;
    let inside = text.strip_prefix(open)?;
    let (quoted, after) = inside.split_once(close)?;
    Some((Token::Quoted(quoted), after))
}

fn mark(text: &str, first: char) -> Option<(Token<'_>, &str)> {
    let is_sign = matches!(first, '-' | '$' | '€' | '£' | '#' | '@' | '/')
        && text.chars().nth(1).is_some_and(char::is_alphanumeric);
    let is_path = ["./", "../", "~/"].iter().any(|start| text.starts_with(start));
    if first.is_alphanumeric() || is_sign || is_path {
        return None;
    }
    Some((Token::Mark(first), text.get(first.len_utf8()..)?))
}

/// Reads the characters up to the next white space, or up to a mark that does not belong to a word or a number.
fn word_or_number(text: &str) -> (Token<'_>, &str) {
    let mut end = text.len();
    for (at, c) in text.char_indices() {
        let after = text.get(at + c.len_utf8()..).and_then(|after| after.chars().next());
        let inside = after.is_some_and(char::is_alphanumeric);
        let digits = after.is_some_and(|c| c.is_ascii_digit());
        let address = text.get(at..).is_some_and(|rest| rest.starts_with("://"));
        let time = text.get(..at).is_some_and(|before| before.ends_with(|c: char| c.is_ascii_digit()));
        let continues = match c {
            ',' => digits && time,
            ':' => address || (time && digits),
            '.' => inside || after == Some('/') || at == 0,
            '\'' | '’' => inside,
            '=' | ';' | '!' | '?' | '"' | '“' | '”' | '(' | ')' | '[' | ']' | '{' | '}' => false,
            c => !c.is_whitespace(),
        };
        if !continues {
            end = at;
            break;
        }
    }
    // At least one character is consumed, so that the tokenizer makes progress.
    let end = end.max(text.chars().next().map_or(0, char::len_utf8));
    let (token, rest) = text.split_at_checked(end).unwrap_or((text, ""));
    (classify(token), rest)
}

fn classify(text: &str) -> Token<'_> {
    let text = text.strip_suffix("'s").or_else(|| text.strip_suffix("’s")).unwrap_or(text);
    if is_date(text) {
        return Token::Date(text);
    }
    if text.get(..10).is_some_and(is_date) && text.get(10..11) == Some("T") {
        return Token::DateTime(text);
    }
    match number(text) {
        Some(number) => Token::Number(number, text),
        None => Token::Word(text),
    }
}

fn is_date(text: &str) -> bool {
    let mut parts = text.split('-').map(|part| (part.len(), part.parse::<u16>()));
    matches!(
        (parts.next(), parts.next(), parts.next(), parts.next()),
        (Some((4, Ok(_))), Some((2, Ok(1..=12))), Some((2, Ok(1..=31))), None)
    )
}

fn number(text: &str) -> Option<f64> {
    const WORDS: [&str; 13] =
        ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"];
    if let Some(value) = WORDS.iter().position(|word| text.eq_ignore_ascii_case(word)) {
        return u8::try_from(value).ok().map(f64::from);
    }
    if !text.contains(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let bare = text.trim_start_matches(['$', '€', '£', '#']).trim_end_matches(['%', '°', '$', '€', '£']);
    let number: f64 = bare.replace(',', "").parse().ok()?;
    number.is_finite().then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_a_text_into_tokens() {
        assert_eq!(
            tokens(r#"Send "all good" to bob@x.org, cost: $1,200.50 on 2026-03-01 at 10:30."#),
            [
                Token::Word("Send"),
                Token::Quoted("all good"),
                Token::Word("to"),
                Token::Word("bob@x.org"),
                Token::Mark(','),
                Token::Word("cost"),
                Token::Mark(':'),
                Token::Number(1200.5, "$1,200.50"),
                Token::Word("on"),
                Token::Date("2026-03-01"),
                Token::Word("at"),
                Token::Word("10:30"),
                Token::Mark('.'),
            ]
        );
    }

    #[test]
    fn reads_letters_of_any_script() {
        assert_eq!(tokens("東京 -3"), [Token::Word("東京"), Token::Number(-3.0, "-3")]);
    }
}
