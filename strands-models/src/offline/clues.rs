//! What a text says that could be an argument: quoted words, dates, numbers, names. Each is used once.

use std::collections::HashSet;

use super::vocabulary::{is_calendar_word, is_empty_word, stem, stems};

/// The pieces of a text, and which of them have become arguments.
pub(super) struct Clues<'t> {
    text: &'t str,
    pieces: Vec<Piece<'t>>,
    taken: Vec<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Piece<'t> {
    Quoted(&'t str),
    Date(&'t str),
    DateTime(&'t str),
    Number(f64, &'t str),
    Word(&'t str),
    Mark(char),
}

impl<'t> Piece<'t> {
    /// How it stands in the text.
    fn text(&self) -> &'t str {
        match self {
            Self::Quoted(text) | Self::Date(text) | Self::DateTime(text) | Self::Number(_, text) | Self::Word(text) => {
                text
            }
            Self::Mark(_) => "",
        }
    }

    fn is_name(&self) -> bool {
        matches!(self, Self::Word(word) if word.starts_with(char::is_uppercase)
            && !is_calendar_word(word)
            && *word != "I"
            && !word.starts_with("I'"))
    }

    fn ends_sentence(&self) -> bool {
        matches!(self, Self::Mark('.' | '!' | '?'))
    }
}

impl<'t> Clues<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        let pieces = pieces(text);
        let taken = vec![false; pieces.len()];
        Self { text, pieces, taken }
    }

    fn free(&self) -> impl DoubleEndedIterator<Item = (usize, &Piece<'t>)> {
        self.pieces.iter().enumerate().filter(|(at, _)| !self.taken.get(*at).copied().unwrap_or(true))
    }

    fn piece(&self, at: usize) -> Option<&Piece<'t>> {
        self.pieces.get(at)
    }

    fn take(&mut self, at: usize) {
        if let Some(taken) = self.taken.get_mut(at) {
            *taken = true;
        }
    }

    /// The first free piece that `wanted` makes something of.
    fn first<T>(&mut self, wanted: impl Fn(&Piece<'t>) -> Option<T>) -> Option<T> {
        let (at, found) = self.free().find_map(|(at, piece)| Some((at, wanted(piece)?)))?;
        self.take(at);
        Some(found)
    }

    /// The next quoted text.
    pub(super) fn quoted(&mut self) -> Option<&'t str> {
        self.first(|piece| match piece {
            Piece::Quoted(text) => Some(*text),
            _ => None,
        })
    }

    /// The next word that is an address, a file or the like: it has marks inside, as "bob@example.org" has.
    pub(super) fn address(&mut self) -> Option<&'t str> {
        self.first(|piece| match piece {
            Piece::Word(text) => {
                let inside = text.trim_matches(|c: char| !c.is_alphanumeric());
                inside.contains(['.', '@', '/', '_']).then_some(*text)
            }
            _ => None,
        })
    }

    /// The next day, as it is written: `2026-03-01`.
    pub(super) fn date(&mut self) -> Option<&'t str> {
        self.first(|piece| match piece {
            Piece::Date(text) => Some(*text),
            Piece::DateTime(text) => text.get(..10),
            _ => None,
        })
    }

    /// The next point in time, as it is written: `2026-03-01T09:30:00Z`.
    pub(super) fn date_time(&mut self) -> Option<&'t str> {
        self.first(|piece| match piece {
            Piece::DateTime(text) => Some(*text),
            _ => None,
        })
    }

    /// The next number that is acceptable.
    pub(super) fn number(&mut self, acceptable: impl Fn(f64) -> bool) -> Option<f64> {
        self.first(|piece| match piece {
            Piece::Number(number, _) if acceptable(*number) => Some(*number),
            _ => None,
        })
    }

    /// A number beside the name of what it counts: "3 nights", "for 3 more nights", "nights: 3".
    pub(super) fn number_of(&mut self, name: &str, acceptable: impl Fn(f64) -> bool) -> Option<f64> {
        let names: HashSet<String> = stems(name).collect();
        let (at, number) = self.free().find_map(|(at, piece)| match piece {
            Piece::Number(number, _) if acceptable(*number) => {
                let named = |at: usize| self.piece(at).is_some_and(|piece| names.contains(&stem(piece.text())));
                let label = match at.checked_sub(1) {
                    Some(before) if matches!(self.piece(before), Some(Piece::Mark(':' | '='))) => at.checked_sub(2),
                    before => before,
                };
                (named(at + 1) || label.is_some_and(named)).then_some((at, *number))
            }
            _ => None,
        })?;
        self.take(at);
        Some(number)
    }

    /// What follows the name and a colon or an equals sign: "city: New York, days: 3".
    pub(super) fn labelled(&mut self, name: &str) -> Option<String> {
        let name: Vec<String> = stems(name).collect();
        let mark = self
            .free()
            .find(|(at, piece)| matches!(piece, Piece::Mark(':' | '=')) && self.is_name_before(*at, &name))
            .map(|(at, _)| at)?;
        let mut value = Vec::new();
        for at in mark + 1.. {
            // The next label ends this value.
            let labels = matches!(self.piece(at + 1), Some(Piece::Mark(':' | '=')));
            match self.piece(at) {
                Some(Piece::Mark(_)) | None => break,
                Some(_) if labels && !value.is_empty() => break,
                Some(piece) => value.push(piece.text()),
            }
            self.take(at);
        }
        (!value.is_empty()).then(|| value.join(" "))
    }

    fn is_name_before(&self, mark: usize, name: &[String]) -> bool {
        let words: Vec<String> = self
            .pieces
            .iter()
            .take(mark)
            .rev()
            .map_while(|piece| match piece {
                Piece::Word(word) => Some(stems(word).collect::<Vec<_>>()),
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

    /// A name in the middle of a sentence after one of these words: "in New York".
    pub(super) fn name_after(&mut self, prepositions: &[&str]) -> Option<String> {
        let at = self.after(prepositions, Piece::is_name)?;
        Some(self.run(at, Piece::is_name))
    }

    /// The word, or words, after one of these words, whatever they are: "in new york".
    pub(super) fn words_after(&mut self, prepositions: &[&str]) -> Option<String> {
        let tells =
            |piece: &Piece<'t>| matches!(piece, Piece::Word(word) if !is_empty_word(word) && !is_calendar_word(word));
        let at = self.after(prepositions, tells)?;
        Some(self.run(at, tells))
    }

    fn after(&self, prepositions: &[&str], wanted: impl Fn(&Piece<'t>) -> bool) -> Option<usize> {
        self.free().find_map(|(at, piece)| {
            let preposition = piece.text().to_lowercase();
            if !matches!(piece, Piece::Word(_)) || !prepositions.contains(&preposition.as_str()) {
                return None;
            }
            let article =
                |piece: &Piece<'t>| matches!(piece.text().to_lowercase().as_str(), "the" | "a" | "an" | "my" | "our");
            let next = if self.piece(at + 1).is_some_and(article) { at + 2 } else { at + 1 };
            let free = !self.taken.get(next).copied().unwrap_or(true);
            (free && self.piece(next).is_some_and(&wanted)).then_some(next)
        })
    }

    /// A name in the middle of a sentence, unless a word before it says that it is something else: "from Boston".
    pub(super) fn name(&mut self, not_after: &[&str]) -> Option<String> {
        let at = self
            .free()
            .find(|(at, piece)| {
                piece.is_name()
                    && !self.begins_sentence(*at)
                    && !at
                        .checked_sub(1)
                        .and_then(|before| self.piece(before))
                        .is_some_and(|before| not_after.contains(&before.text().to_lowercase().as_str()))
            })
            .map(|(at, _)| at)?;
        Some(self.run(at, Piece::is_name))
    }

    /// A name that begins a sentence, where any word has a capital: none of `ordinary`, the stems of words that are
    /// known to be no names.
    pub(super) fn name_at_start(&mut self, ordinary: &HashSet<String>) -> Option<String> {
        let is_name = |piece: &Piece<'t>| {
            piece.is_name() && !is_empty_word(piece.text()) && !ordinary.contains(&stem(piece.text()))
        };
        let at = self
            .free()
            .find(|(at, piece)| {
                self.begins_sentence(*at)
                    && is_name(piece)
                    // "Oslo weather" or "Oslo, please", but not "Sing loudly": a verb stands before lower case.
                    && self
                        .piece(at + 1)
                        .is_none_or(|next| !matches!(next, Piece::Word(word) if !ordinary.contains(&stem(word)) && !is_name(next)))
            })
            .map(|(at, _)| at)?;
        Some(self.run(at, is_name))
    }

    fn begins_sentence(&self, at: usize) -> bool {
        at.checked_sub(1).and_then(|before| self.piece(before)).is_none_or(Piece::ends_sentence)
    }

    /// Takes the pieces from `at` on, as long as they are `wanted`.
    fn run(&mut self, at: usize, wanted: impl Fn(&Piece<'t>) -> bool) -> String {
        let mut words = Vec::new();
        for at in at.. {
            match self.piece(at) {
                Some(piece) if wanted(piece) && !self.taken.get(at).copied().unwrap_or(true) => {
                    words.push(piece.text());
                }
                _ => break,
            }
            self.take(at);
        }
        words.join(" ")
    }

    /// The next word or number that looks like somebody's code for something: it has a digit, as "AC7K2M9Q" has.
    pub(super) fn code(&mut self) -> Option<&'t str> {
        self.first(|piece| match piece {
            Piece::Word(text) | Piece::Number(_, text) => {
                text.contains(|c: char| c.is_ascii_digit()).then(|| text.trim_start_matches('#'))
            }
            _ => None,
        })
    }

    /// A day in words: "tomorrow", "next Monday".
    pub(super) fn day_in_words(&mut self) -> Option<String> {
        let is_day = |piece: &Piece<'t>| {
            is_calendar_word(piece.text())
                || ["today", "tomorrow", "tonight"].contains(&piece.text().to_lowercase().as_str())
        };
        let at = self.free().find(|(_, piece)| is_day(piece)).map(|(at, _)| at)?;
        let near = at.checked_sub(1).filter(|before| {
            self.piece(*before).is_some_and(|piece| ["next", "this"].contains(&piece.text().to_lowercase().as_str()))
        });
        Some(self.run(near.unwrap_or(at), |piece| {
            is_day(piece) || ["next", "this"].contains(&piece.text().to_lowercase().as_str())
        }))
    }

    /// What is to be worked out: "12 * (3 + 4)".
    pub(super) fn formula(&self) -> Option<&'t str> {
        let is_part = |c: char| c.is_ascii_digit() || "+-*/^%().  ".contains(c);
        let parts = self
            .text
            .split(|c| !is_part(c))
            .map(|part| part.trim().trim_end_matches(|c: char| !c.is_ascii_digit() && c != ')'));
        parts.filter(|part| part.contains(|c: char| c.is_ascii_digit())).max_by_key(|part| part.len())
    }

    /// Where the words of `phrase` stand in the text one after another, however they are written: the number of the
    /// first.
    pub(super) fn position(&self, phrase: &str) -> Option<usize> {
        let phrase: Vec<String> = stems(phrase).collect();
        let text: Vec<String> = stems(self.text).collect();
        text.windows(phrase.len().max(1)).position(|words| words == phrase.as_slice())
    }

    /// True when the words of `phrase` are in the text and none of them comes after a "no".
    pub(super) fn affirms(&self, phrase: &str) -> bool {
        let text: Vec<String> = stems(self.text).collect();
        let said = |word: String| {
            text.iter().enumerate().any(|(at, said)| {
                let before = at.checked_sub(1).and_then(|before| text.get(before));
                *said == word
                    && !before
                        .is_some_and(|before| matches!(before.as_str(), "no" | "not" | "without" | "dont" | "never"))
            })
        };
        stems(phrase).all(said)
    }
}

fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text.trim_start();
    // An apostrophe right after a word opens no quotation: "the cities' names".
    let mut apart = true;
    while let Some(first) = rest.chars().next() {
        let (piece, after) = quotation(rest)
            .filter(|_| apart || first != '\'')
            .or_else(|| mark(rest, first))
            .unwrap_or_else(|| chunk(rest));
        pieces.push(piece);
        rest = after.trim_start();
        apart = rest.len() < after.len();
    }
    pieces
}

fn quotation(text: &str) -> Option<(Piece<'_>, &str)> {
    let (open, close) = [('"', '"'), ('“', '”'), ('`', '`'), ('\'', '\''), ('«', '»')]
        .into_iter()
        .find(|(open, _)| text.starts_with(*open))?;
    let inside = text.strip_prefix(open)?;
    let (quoted, after) = inside.split_once(close)?;
    Some((Piece::Quoted(quoted), after))
}

fn mark(text: &str, first: char) -> Option<(Piece<'_>, &str)> {
    let is_sign = matches!(first, '-' | '$' | '€' | '£' | '#' | '@' | '/')
        && text.chars().nth(1).is_some_and(char::is_alphanumeric);
    let is_path = ["./", "../", "~/"].iter().any(|start| text.starts_with(start));
    if first.is_alphanumeric() || is_sign || is_path {
        return None;
    }
    Some((Piece::Mark(first), text.get(first.len_utf8()..)?))
}

/// The characters up to the next white space, or up to a mark that does not belong to a word or a number.
fn chunk(text: &str) -> (Piece<'_>, &str) {
    let mut end = text.len();
    for (at, c) in text.char_indices() {
        let after = text.get(at + c.len_utf8()..).and_then(|after| after.chars().next());
        let inside = after.is_some_and(char::is_alphanumeric);
        let digits = after.is_some_and(|c| c.is_ascii_digit());
        let address = text.get(at..).is_some_and(|rest| rest.starts_with("://"));
        let time = text.get(..at).is_some_and(|before| before.ends_with(|c: char| c.is_ascii_digit()));
        let goes_on = match c {
            ',' => digits && time,
            ':' => address || (time && digits),
            '.' => inside || after == Some('/') || at == 0,
            '\'' | '’' => inside,
            '=' | ';' | '!' | '?' | '"' | '“' | '”' | '(' | ')' | '[' | ']' | '{' | '}' => false,
            c => !c.is_whitespace(),
        };
        if !goes_on {
            end = at;
            break;
        }
    }
    // Whatever it is, it is not read twice.
    let end = end.max(text.chars().next().map_or(0, char::len_utf8));
    let (chunk, rest) = text.split_at_checked(end).unwrap_or((text, ""));
    (classify(chunk), rest)
}

fn classify(chunk: &str) -> Piece<'_> {
    let chunk = chunk.strip_suffix("'s").or_else(|| chunk.strip_suffix("’s")).unwrap_or(chunk);
    if is_date(chunk) {
        return Piece::Date(chunk);
    }
    if chunk.get(..10).is_some_and(is_date) && chunk.get(10..11) == Some("T") {
        return Piece::DateTime(chunk);
    }
    match number(chunk) {
        Some(number) => Piece::Number(number, chunk),
        None => Piece::Word(chunk),
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
    fn a_text_is_cut_into_what_could_be_arguments() {
        assert_eq!(
            pieces(r#"Send "all good" to bob@x.org, cost: $1,200.50 on 2026-03-01 at 10:30."#),
            [
                Piece::Word("Send"),
                Piece::Quoted("all good"),
                Piece::Word("to"),
                Piece::Word("bob@x.org"),
                Piece::Mark(','),
                Piece::Word("cost"),
                Piece::Mark(':'),
                Piece::Number(1200.5, "$1,200.50"),
                Piece::Word("on"),
                Piece::Date("2026-03-01"),
                Piece::Word("at"),
                Piece::Word("10:30"),
                Piece::Mark('.'),
            ]
        );
    }

    #[test]
    fn marks_and_letters_of_any_script_are_no_danger() {
        for text in ["", "''", "\"", "“", "-", "$", "…—🦀", "東京の天気", "a\u{301}:=", "1.", ".5.", "1e999", "::"]
        {
            let mut clues = Clues::new(text);
            clues.labelled("a");
            clues.name(&[]);
            clues.number(|_| true);
        }
        assert_eq!(pieces("東京 -3"), [Piece::Word("東京"), Piece::Number(-3.0, "-3")]);
    }

    #[test]
    fn each_clue_is_used_once() {
        let mut clues = Clues::new("fly from Boston to New York in 2 days for 3 nights");
        assert_eq!(clues.number_of("nights", |_| true), Some(3.0));
        assert_eq!(clues.number(|_| true), Some(2.0));
        assert_eq!(clues.number(|_| true), None);
        assert_eq!(clues.name(&["from"]).as_deref(), Some("New York"));
        assert_eq!(clues.name(&["from"]), None);
        assert_eq!(clues.name_after(&["from"]).as_deref(), Some("Boston"));
    }

    #[test]
    fn labels_name_their_values() {
        let mut clues = Clues::new("check in: 2026-03-01, city = New York days:3 note: \"by the sea\"");
        assert_eq!(clues.labelled("check_in").as_deref(), Some("2026-03-01"));
        assert_eq!(clues.labelled("city").as_deref(), Some("New York"));
        assert_eq!(clues.labelled("days").as_deref(), Some("3"));
        assert_eq!(clues.labelled("note").as_deref(), Some("by the sea"));
        assert_eq!(clues.labelled("guests"), None);
    }

    #[test]
    fn a_capital_at_the_start_is_not_enough_for_a_name() {
        let ordinary = HashSet::from([stem("weather")]);
        let at_start = |text| Clues::new(text).name_at_start(&ordinary);
        assert_eq!(at_start("Oslo weather please").as_deref(), Some("Oslo"));
        assert_eq!(at_start("Weather?"), None);
        assert_eq!(at_start("Sing loudly"), None);
    }

    #[test]
    fn a_denial_affirms_nothing() {
        assert!(Clues::new("list bookings including cancelled ones").affirms("include_cancelled"));
        assert!(!Clues::new("fly without stops").affirms("stops"));
    }
}
