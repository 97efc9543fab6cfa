//! Words of a request: in lower case, in the original, and with the punctuation after them.

/// One word of a request.
#[derive(Clone, Debug)]
pub(super) struct Word<'a> {
    /// In lower case, without punctuation around it.
    pub(super) lower: String,
    /// As written, without punctuation around it.
    pub(super) original: &'a str,
    /// The punctuation that follows.
    pub(super) after: &'a str,
}

pub(super) fn words(text: &str) -> Vec<Word<'_>> {
    text.split_whitespace()
        .filter_map(|raw| {
            let start = raw.trim_start_matches(|c: char| !c.is_alphanumeric());
            let original = start.trim_end_matches(|c: char| !c.is_alphanumeric());
            let after = start.strip_prefix(original).unwrap_or_default();
            (!original.is_empty()).then(|| Word {
                lower: original.to_lowercase().replace('\u{2019}', "'"),
                original,
                after,
            })
        })
        .collect()
}

/// Returns true if the words at `at` are these.
pub(super) fn starts(words: &[Word<'_>], at: usize, phrase: &str) -> bool {
    let mut found = words.iter().skip(at);
    phrase.split(' ').all(|wanted| found.next().is_some_and(|word| word.lower == wanted))
}

/// Returns true if a word is in a list of words, separated by spaces.
pub(super) fn among(word: &str, list: &str) -> bool {
    list.split_whitespace().any(|listed| listed == word)
}

/// Returns true if one of the words of a list occurs.
pub(super) fn any(words: &[Word<'_>], list: &str) -> bool {
    words.iter().any(|word| among(&word.lower, list))
}

/// Returns true if these words occur in a row.
pub(super) fn phrase(words: &[Word<'_>], wanted: &str) -> bool {
    (0..words.len()).any(|at| starts(words, at, wanted))
}

/// Parses a small number in digits or letters.
pub(super) fn number(word: &str) -> Option<i32> {
    const NAMES: [&str; 13] =
        ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"];
    if matches!(word, "a" | "an") {
        return Some(1);
    }
    let named = NAMES.iter().position(|name| *name == word);
    named
        .and_then(|index| i32::try_from(index).ok())
        .or_else(|| word.parse().ok())
        .filter(|number| (0..=366).contains(number))
}
